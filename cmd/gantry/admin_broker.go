package main

import (
	"context"
	"errors"
	"sync"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/spf13/cobra"
)

func newBrokerStatus(f *adminFlags) *cobra.Command {
	return newAskBrokers(f, &cobra.Command{
		Use:   "brokerStatus",
		Short: "Show what brokers tell of themselves while they run",
		Long: `Shows all that a broker, or the masters and slaves of a cluster, tell of themselves while they run: rates, how full the disk is,
offsets of the log. Times are milliseconds since 1970; three numbers are of the last ten seconds, minute and ten minutes.`,
		Example: `  gantry admin brokerStatus -n localhost:9876 -b 192.168.1.2:10911
  gantry admin brokerStatus -n localhost:9876 -c DefaultCluster --json`,
	}, func(ctx context.Context, s *session, b client.Broker) (map[string]string, error) {
		return s.admin.RuntimeInfo(ctx, b.Address)
	})
}

func newGetBrokerConfig(f *adminFlags) *cobra.Command {
	return newAskBrokers(f, &cobra.Command{
		Use:   "getBrokerConfig",
		Short: "Show the configuration that brokers run with",
		Long:  "Shows the configuration that a broker, or the masters and slaves of a cluster, run with.",
		Example: `  gantry admin getBrokerConfig -n localhost:9876 -b 192.168.1.2:10911
  gantry admin getBrokerConfig -n localhost:9876 -c DefaultCluster`,
	}, func(ctx context.Context, s *session, b client.Broker) (map[string]string, error) {
		text, err := s.admin.BrokerConfig(ctx, b.Address)
		return valuesOf(text), err
	})
}

// newAskBrokers completes a command that shows keys and values of brokers.
func newAskBrokers(f *adminFlags, cmd *cobra.Command, ask func(context.Context, *session, client.Broker) (map[string]string, error)) *cobra.Command {
	var at target
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := oneOf(cmd, "brokerAddr", "clusterName"); err != nil {
			return err
		}
		return f.withBroker(cmd, at.broker, func(ctx context.Context, s *session) error {
			brokers, err := at.members(ctx, s, false)
			if err != nil {
				return err
			}
			answers, failed := askAll(brokers, func(b client.Broker) (map[string]string, error) { return ask(ctx, s, b) })
			return f.report(newServersView(answers, failed), len(answers), failed)
		})
	}
	at.add(cmd, "clusterName", "ask")
	return cmd
}

// brokerChange is what updateBrokerConfig is told.
type brokerChange struct {
	at         target
	key, value string
	slaves     bool
}

func newUpdateBrokerConfig(f *adminFlags) *cobra.Command {
	var change brokerChange
	cmd := &cobra.Command{
		Use:   "updateBrokerConfig",
		Short: "Change a setting of brokers that run",
		Long: `Changes a setting of a broker, or of all masters of a cluster, while they run. Brokers refuse keys that only count when they start. See
what there is with getBrokerConfig.`,
		Example: `  gantry admin updateBrokerConfig -n localhost:9876 -b 192.168.1.2:10911 -k brokerPermission -v 4
  gantry admin updateBrokerConfig -n localhost:9876 -c DefaultCluster -k longPollingEnable -v true`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(oneOf(cmd, "brokerAddr", "clusterName"), required(cmd, "key"), given(cmd, "value")); err != nil {
				return err
			}
			return f.withBroker(cmd, change.at.broker, func(ctx context.Context, s *session) error { return f.updateBrokerConfig(ctx, s, &change) })
		},
	}
	change.at.add(cmd, "clusterName", "change")
	cmd.Flags().StringVarP(&change.key, "key", "k", "", "`name` of the setting; required")
	cmd.Flags().StringVarP(&change.value, "value", "v", "", "`value` it is to have; required")
	cmd.Flags().BoolVarP(&change.slaves, "updateAllBroker", "a", false, "with -c: change slaves too; `true|false`")
	needsValue(cmd, "updateAllBroker")
	return cmd
}

func (f *adminFlags) updateBrokerConfig(ctx context.Context, s *session, change *brokerChange) error {
	brokers, err := change.at.members(ctx, s, !change.slaves)
	if err != nil {
		return err
	}
	text := proto.ConfigText{{Key: change.key, Value: change.value}}
	var mutex sync.Mutex
	notes := map[string]string{}
	done, failed := tellAll(brokers, func(b client.Broker) error {
		note, err := s.admin.UpdateBrokerConfig(ctx, b.Address, text)
		mutex.Lock()
		defer mutex.Unlock()
		if note != "" {
			notes[b.Address] = note
		}
		return err
	})
	v := newDoneView(done, failed, "update broker config success, %s")
	v.Notes = notes
	return f.report(v, len(done), failed)
}

func newCleanUnusedTopic(f *adminFlags) *cobra.Command {
	return newCleaning(f, cleaning{
		use:   "cleanUnusedTopic",
		short: "Make brokers remove queues of topics that do not exist",
		long:  "Makes brokers remove consume queues of topics that no longer exist.",
		tell: func(s *session, ctx context.Context, address string) error {
			return s.admin.CleanUnusedTopics(ctx, address)
		},
	})
}
