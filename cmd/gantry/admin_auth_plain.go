package main

import (
	"context"
	"errors"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/spf13/cobra"
)

func newUpdateACLConfig(f *adminFlags) *cobra.Command {
	var account client.PlainAccountChange
	var white, topics, groups, admin string
	cmd := newAuthChange(f, &cobra.Command{
		Use:   "updateAclConfig",
		Short: "Make or change an account of ACL 1.0",
		Long: `Makes an account of ACL 1.0 (plain_acl.yml), or changes it, at a broker, at all masters of a cluster, or at name servers. What is not named stays as it is, but
-m: without it the account has no more admin rights. -s - reads the secret from the standard input.`,
		Example: `  gantry admin updateAclConfig -n localhost:9876 -c DefaultCluster -a rocketmq3 -s - -t orders=PUB,bills=SUB -g billing=SUB
  gantry admin updateAclConfig -n localhost:9876 -b 192.168.1.2:10911 -a operator -s - -m true`,
	}, "make it at", authChange{
		check: func(cmd *cobra.Command) error {
			account.Admin = strings.EqualFold(admin, "true")
			account.TopicPerms, account.GroupPerms = commaList(topics), commaList(groups)
			if cmd.Flags().Changed("whiteRemoteAddress") {
				account.WhiteRemoteAddress = proto.Some(white)
			}
			return errors.Join(wants("accessKey", "secretKey")(cmd), readPassword(&account.SecretKey))
		},
		tell: func(ctx context.Context, a *client.Admin, address string) error {
			return a.UpdatePlainAccount(ctx, address, account)
		},
		line: "create or update plain access config to %s success.",
		last: func() string { return "accessKey=" + account.AccessKey },
	})
	cmd.Flags().StringVarP(&account.AccessKey, "accessKey", "a", "", "`name` of the account, more than 6 characters; required")
	cmd.Flags().StringVarP(&account.SecretKey, "secretKey", "s", "", "the `secret`, more than 6 characters, or - to read it from the standard input; required")
	cmd.Flags().StringVarP(&white, "whiteRemoteAddress", "w", "", "`addresses` from which it needs no signature, such as 192.168.0.*")
	cmd.Flags().StringVarP(&account.DefaultTopicPerm, "defaultTopicPerm", "i", "", "what it may do with other topics; `DENY|PUB|SUB|PUB|SUB`")
	cmd.Flags().StringVarP(&account.DefaultGroupPerm, "defaultGroupPerm", "u", "", "what it may do with other groups; `DENY|PUB|SUB|PUB|SUB`")
	cmd.Flags().StringVarP(&topics, "topicPerms", "t", "", "`permissions` such as orders=PUB|SUB, with commas between them")
	cmd.Flags().StringVarP(&groups, "groupPerms", "g", "", "`permissions` such as billing=SUB, with commas between them")
	cmd.Flags().StringVarP(&admin, "admin", "m", "false", "whether it may do everything; `true|false`")
	return cmd
}

func newDeleteACLConfig(f *adminFlags) *cobra.Command {
	var key string
	cmd := newAuthChange(f, &cobra.Command{
		Use:     "deleteAclConfig",
		Aliases: []string{"deleteAccessConfig"},
		Short:   "Remove an account of ACL 1.0",
		Long:    "Removes an account of ACL 1.0 (plain_acl.yml) from a broker, from all masters of a cluster, or from name servers.",
		Example: "  gantry admin deleteAclConfig -n localhost:9876 -c DefaultCluster -a rocketmq3",
	}, "remove it from", authChange{
		check: wants("accessKey"),
		tell: func(ctx context.Context, a *client.Admin, address string) error {
			return a.DeletePlainAccount(ctx, address, key)
		},
		line: "delete plain access config account from %s success.",
		last: func() string { return "account's accessKey is:" + key },
	})
	cmd.Flags().StringVarP(&key, "accessKey", "a", "", "`name` of the account; required")
	return cmd
}

func newUpdateGlobalWhiteAddr(f *adminFlags) *cobra.Command {
	var addresses, file string
	cmd := newAuthChange(f, &cobra.Command{
		Use:   "updateGlobalWhiteAddr",
		Short: "Set from where ACL 1.0 lets everybody do everything",
		Long: `Replaces the addresses from which ACL 1.0 lets everybody do everything, at a broker, at all masters of a cluster, or at name servers. An address may have * or
ranges for its last parts: 10.10.103.*, 192.168.1-8.*, 10.0.0.{1,2}.`,
		Example: "  gantry admin updateGlobalWhiteAddr -n localhost:9876 -c DefaultCluster -g 10.10.103.*,192.168.0.*",
	}, "set them at", authChange{
		check: wants("globalWhiteRemoteAddresses"),
		tell: func(ctx context.Context, a *client.Admin, address string) error {
			return a.SetWhiteAddresses(ctx, address, commaList(addresses), file)
		},
		line: "update global white remote addresses to %s success.",
	})
	cmd.Flags().StringVarP(&addresses, "globalWhiteRemoteAddresses", "g", "", "the `addresses`, with commas between them; required")
	cmd.Flags().StringVarP(&file, "aclFileFullPath", "p", "", "the `file` to change, as clusterAclConfigVersion shows it; default plain_acl.yml")
	return cmd
}

func newClusterACLConfigVersion(f *adminFlags) *cobra.Command {
	return newAuthLook(f, &cobra.Command{
		Use:     "clusterAclConfigVersion",
		Short:   "Show how often accounts of ACL 1.0 were changed",
		Long:    "Shows the files of ACL 1.0 of a broker, of all masters of a cluster, or of name servers, and how often requests have changed them.",
		Example: "  gantry admin clusterAclConfigVersion -n localhost:9876 -c DefaultCluster",
	}, authLook[client.PlainVersion]{
		check: wants(),
		ask: func(ctx context.Context, a *client.Admin, address string) (client.PlainVersion, error) {
			return a.PlainAccountsVersion(ctx, address)
		},
		view: newPlainVersionsView,
	})
}

func newGetACLConfig(f *adminFlags) *cobra.Command {
	return newAuthLook(f, &cobra.Command{
		Use:     "getAclConfig",
		Aliases: []string{"getAccessConfigSubCommand"},
		Short:   "Show accounts of ACL 1.0",
		Long:    "Shows the accounts of ACL 1.0 of a broker, of all masters of a cluster, or of name servers, without their secrets.",
		Example: "  gantry admin getAclConfig -n localhost:9876 -c DefaultCluster",
	}, authLook[plainConfig]{
		check: wants(),
		ask: func(ctx context.Context, a *client.Admin, address string) (plainConfig, error) {
			accounts, white, err := a.PlainAccounts(ctx, address)
			return plainConfig{accounts, white}, err
		},
		view: newPlainConfigsView,
	})
}

// plainConfig is all accounts of a broker, and from where everything is allowed.
type plainConfig struct {
	accounts []client.PlainAccount
	white    []string
}
