package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/spf13/cobra"
)

// aclFlags are what createAcl and updateAcl are told.
type aclFlags struct{ subject, resources, actions, sources, decision string }

func (a *aclFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&a.subject, "subject", "s", "", "whose rights they are, `User:name`; required")
	cmd.Flags().StringVarP(&a.resources, "resources", "r", "", "`resources` such as Topic:orders, Group:bill*, Cluster:* or *, with commas between them; required")
	cmd.Flags().StringVarP(&a.actions, "actions", "a", "", "`actions`: Pub, Sub, Create, Update, Delete, Get, List or All, with commas between them; required")
	cmd.Flags().StringVarP(&a.decision, "decision", "d", "", "`Allow|Deny`; required")
	cmd.Flags().StringVarP(&a.sources, "sourceIp", "i", "", "from where: IP `addresses` or ranges such as 10.0.0.0/8, with commas between them; default everywhere")
}

// check finds what servers would refuse, and says which option it is.
func (a *aclFlags) check(cmd *cobra.Command) error {
	if err := wants("subject", "resources", "actions", "decision")(cmd); err != nil {
		return err
	}
	info := a.info()
	if _, err := access.ParseACL(&info); err != nil {
		return wrongUsage("%w", err)
	}
	return nil
}

func (a *aclFlags) info() client.ACLInfo {
	policy := proto.PolicyInfo{Type: proto.PolicyCustom}
	for _, resource := range commaList(a.resources) {
		policy.Entries = append(policy.Entries, proto.PolicyEntryInfo{
			Resource: resource, Actions: commaList(a.actions), Sources: commaList(a.sources), Decision: a.decision,
		})
	}
	return client.ACLInfo{Subject: a.subject, Policies: []proto.PolicyInfo{policy}}
}

const aclLong = `The entry that says most about a resource decides: a name before a prefix (orders*), a longer prefix before a shorter one, and that
before *. What no entry allows is denied. Producers need Pub on their topics, consumers Sub on their topics and their group, tools Get, Create, Update and
Delete on topics, groups and clusters. Servers have ACLs of their own: name servers that check signatures want rights, too, by which clients find topics.`

func newCreateACL(f *adminFlags) *cobra.Command {
	var acl aclFlags
	cmd := newAuthChange(f, &cobra.Command{
		Use:   "createAcl",
		Short: "Give a user rights",
		Long:  "Gives a user rights at a broker, at all masters of a cluster, or at name servers. " + aclLong,
		Example: `  gantry admin createAcl -n localhost:9876 -c DefaultCluster --nameServers -s User:alice -r Topic:orders -a Pub -d Allow
  gantry admin createAcl -n localhost:9876 -c DefaultCluster --nameServers -s User:ben -r Topic:orders,Group:billing -a Sub -d Allow -i 10.0.0.0/8`,
	}, "give them at", authChange{
		check: acl.check,
		tell: func(ctx context.Context, a *client.Admin, address string) error {
			return a.CreateACL(ctx, address, acl.info())
		},
		line: "create acl to %s success.",
	})
	acl.add(cmd)
	return cmd
}

func newUpdateACL(f *adminFlags) *cobra.Command {
	var acl aclFlags
	cmd := newAuthChange(f, &cobra.Command{
		Use:   "updateAcl",
		Short: "Change the rights of a user",
		Long: "Changes the rights of a user at a broker, at all masters of a cluster, or at name servers: entries of the same resources are replaced, others are added. " +
			aclLong,
		Example: "  gantry admin updateAcl -n localhost:9876 -c DefaultCluster --nameServers -s User:alice -r Topic:orders -a Pub,Sub -d Deny",
	}, "change them at", authChange{
		check: acl.check,
		tell: func(ctx context.Context, a *client.Admin, address string) error {
			return a.UpdateACL(ctx, address, acl.info())
		},
		line: "update acl to %s success.",
	})
	acl.add(cmd)
	return cmd
}

func newDeleteACL(f *adminFlags) *cobra.Command {
	var subject, resources string
	cmd := newAuthChange(f, &cobra.Command{
		Use:   "deleteAcl",
		Short: "Take rights from a user",
		Long:  "Takes the entries of some resources, or without -r all rights, from a user at a broker, at all masters of a cluster, or at name servers.",
		Example: `  gantry admin deleteAcl -n localhost:9876 -c DefaultCluster --nameServers -s User:alice -r Topic:orders
  gantry admin deleteAcl -n localhost:9876 -c DefaultCluster --nameServers -s User:alice`,
	}, "take them at", authChange{
		check: wants("subject"),
		tell: func(ctx context.Context, a *client.Admin, address string) error {
			list := commaList(resources)
			if len(list) == 0 {
				list = []string{""}
			}
			for _, resource := range list {
				if err := a.DeleteACL(ctx, address, subject, "", resource); err != nil {
					return err
				}
			}
			return nil
		},
		line: "delete acl to %s success.",
	})
	cmd.Flags().StringVarP(&subject, "subject", "s", "", "whose rights they are, `User:name`; required")
	cmd.Flags().StringVarP(&resources, "resources", "r", "", "only those on these `resources`, with commas between them")
	return cmd
}

func newGetACL(f *adminFlags) *cobra.Command {
	var subject string
	cmd := newAuthLook(f, &cobra.Command{
		Use:     "getAcl",
		Short:   "Show the rights of a user",
		Long:    "Shows the rights of a user at a broker, at all masters of a cluster, or at name servers.",
		Example: "  gantry admin getAcl -n localhost:9876 -c DefaultCluster -s User:alice",
	}, authLook[[]client.ACLInfo]{
		check: wants("subject"),
		ask: func(ctx context.Context, a *client.Admin, address string) ([]client.ACLInfo, error) {
			acl, found, err := a.ACL(ctx, address, subject)
			if err == nil && !found {
				err = fmt.Errorf("%s has no rights at %s", subject, address)
			}
			return []client.ACLInfo{acl}, err
		},
		view: newACLsView,
	})
	cmd.Flags().StringVarP(&subject, "subject", "s", "", "whose rights they are, `User:name`; required")
	return cmd
}

func newListACL(f *adminFlags) *cobra.Command {
	var subject, resource string
	cmd := newAuthLook(f, &cobra.Command{
		Use:     "listAcl",
		Short:   "List the rights of users",
		Long:    "Lists the rights of users at a broker, at all masters of a cluster, or at name servers.",
		Example: "  gantry admin listAcl -n localhost:9876 -c DefaultCluster -r Topic:orders",
	}, authLook[[]client.ACLInfo]{
		check: wants(),
		ask: func(ctx context.Context, a *client.Admin, address string) ([]client.ACLInfo, error) {
			return a.ACLs(ctx, address, subject, resource)
		},
		view: newACLsView,
	})
	cmd.Flags().StringVarP(&subject, "subject", "s", "", "only subjects that contain this `text`")
	cmd.Flags().StringVarP(&resource, "resource", "r", "", "only entries whose resources contain this `text`")
	return cmd
}

func newCopyACL(f *adminFlags) *cobra.Command {
	var pair copyPair
	cmd := &cobra.Command{
		Use:   "copyAcl",
		Short: "Copy rights from one broker to another",
		Long: `Copies the rights of users from one broker or name server to another, where the users have to be there: see copyUser. Entries of the same resources
are replaced.`,
		Example: `  gantry admin copyAcl -n localhost:9876 -f 192.168.1.2:10911 -t 192.168.1.3:10911
  gantry admin copyAcl -n localhost:9876 -f 192.168.1.2:10911 -t 192.168.1.2:9876 -s User:alice`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := wants("fromBroker", "toBroker")(cmd); err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.copyACLs(ctx, s.admin, pair) })
		},
	}
	pair.add(cmd, "s", "subjects", "only the rights of these `subjects`, with commas between them")
	return cmd
}

func (f *adminFlags) copyACLs(ctx context.Context, a *client.Admin, pair copyPair) error {
	acls, err := a.ACLs(ctx, pair.from, "", "")
	if err != nil {
		return err
	}
	acls, err = chosen(acls, commaList(pair.names), func(acl client.ACLInfo) string { return acl.Subject }, pair.from)
	if err != nil {
		return err
	}
	var names []string
	for _, acl := range acls {
		if err := a.UpdateACL(ctx, pair.to, acl); err != nil {
			return fmt.Errorf("%s: %w", acl.Subject, err)
		}
		names = append(names, acl.Subject)
	}
	return f.copied("acl", pair, names)
}

// joined shows a list in a cell.
func joined(list []string) string { return orDash(strings.Join(list, ",")) }
