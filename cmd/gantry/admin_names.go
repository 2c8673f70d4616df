package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/spf13/cobra"
)

func newGetNamesrvConfig(f *adminFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "getNamesrvConfig",
		Short:   "Show the configuration that name servers run with",
		Long:    "Shows the configuration that each name server of -n runs with.",
		Example: "  gantry admin getNamesrvConfig -n 'localhost:9876;localhost:9877'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd, func(ctx context.Context, s *session) error {
				servers, err := s.nameServers(ctx)
				if err != nil {
					return err
				}
				answers, failed := askAll(servers, func(server client.Broker) (map[string]string, error) {
					text, err := s.admin.NameServerConfig(ctx, server.Address)
					return valuesOf(text), err
				})
				return f.report(newServersView(answers, failed), len(answers), failed)
			})
		},
	}
}

func newUpdateNamesrvConfig(f *adminFlags) *cobra.Command {
	var key, value string
	cmd := &cobra.Command{
		Use:   "updateNamesrvConfig",
		Short: "Change a setting of name servers that run",
		Long: `Changes a setting of every name server of -n while they run. They refuse keys that only count when they start. See what there is with
getNamesrvConfig.`,
		Example: "  gantry admin updateNamesrvConfig -n localhost:9876 -k orderMessageEnable -v true",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "key"), given(cmd, "value")); err != nil {
				return err
			}
			return f.tellNameServers(cmd, "update name server config success!%s\n"+key+" : "+value, func(ctx context.Context, a *client.Admin, server string) error {
				return a.UpdateNameServerConfig(ctx, server, proto.ConfigText{{Key: key, Value: value}})
			})
		},
	}
	cmd.Flags().StringVarP(&key, "key", "k", "", "`name` of the setting; required")
	cmd.Flags().StringVarP(&value, "value", "v", "", "`value` it is to have; required")
	return cmd
}

// tellNameServers changes something at every name server. The line is printed if any has done it; %s in it is who.
func (f *adminFlags) tellNameServers(cmd *cobra.Command, line string, tell func(context.Context, *client.Admin, string) error) error {
	return f.with(cmd, func(ctx context.Context, s *session) error {
		servers, err := s.nameServers(ctx)
		if err != nil {
			return err
		}
		done, failed := tellAll(servers, func(server client.Broker) error { return tell(ctx, s.admin, server.Address) })
		v := newDoneView(done, failed, "")
		v.last = strings.ReplaceAll(line, "%s", fmt.Sprint(done))
		return f.report(v, len(done), failed)
	})
}

// entryOptions are the options that name a value of the key-value configuration.
type entryOptions struct{ namespace, key string }

func (e *entryOptions) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&e.namespace, "namespace", "s", "", "`name` of the namespace; required")
	cmd.Flags().StringVarP(&e.key, "key", "k", "", "`key` in it; required")
}

func newUpdateKvConfig(f *adminFlags) *cobra.Command {
	var entry entryOptions
	var value string
	cmd := &cobra.Command{
		Use:   "updateKvConfig",
		Short: "Set a value of the name servers' key-value configuration",
		Long: `Sets a value of the key-value configuration of every name server of -n. Order configurations of topics stand in namespace ` + proto.OrderTopicNamespace + `, but
updateOrderConf is for them.`,
		Example: "  gantry admin updateKvConfig -n localhost:9876 -s MINE -k colour -v blue",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "namespace"), required(cmd, "key"), given(cmd, "value")); err != nil {
				return err
			}
			return f.tellNameServers(cmd, "create or update kv config to namespace success.", func(ctx context.Context, a *client.Admin, server string) error {
				return a.PutConfigAt(ctx, server, entry.namespace, entry.key, value)
			})
		},
	}
	entry.add(cmd)
	cmd.Flags().StringVarP(&value, "value", "v", "", "`value` it is to have; required")
	return cmd
}

func newDeleteKvConfig(f *adminFlags) *cobra.Command {
	var entry entryOptions
	cmd := &cobra.Command{
		Use:     "deleteKvConfig",
		Short:   "Remove a value of the name servers' key-value configuration",
		Long:    "Removes a value of the key-value configuration of every name server of -n. That there is none is no failure.",
		Example: "  gantry admin deleteKvConfig -n localhost:9876 -s MINE -k colour",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "namespace"), required(cmd, "key")); err != nil {
				return err
			}
			return f.tellNameServers(cmd, "delete kv config from namespace success.", func(ctx context.Context, a *client.Admin, server string) error {
				return a.DeleteConfigAt(ctx, server, entry.namespace, entry.key)
			})
		},
	}
	entry.add(cmd)
	return cmd
}
