package main

import (
	"context"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/spf13/cobra"
)

func newHAStatus(f *adminFlags) *cobra.Command {
	var at target
	var interval int
	cmd := &cobra.Command{
		Use:   "haStatus",
		Short: "Show how far slaves are, and which were refused",
		Long: `Shows what masters tell of their slaves, and slaves of their masters: how far the log of each is and which bytes it lacks. Masters of Gantry's
also tell which connections they refused and why, and slaves why they do not follow. With -c the slaves of the cluster are asked, too
(RocketMQ's tool asks its masters only).`,
		Example: `  gantry admin haStatus -n localhost:9876 -c DefaultCluster
  gantry admin haStatus -n localhost:9876 -b 192.168.1.2:10911 -i 3`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if interval < 0 {
				return wrongUsage("-i: %d is not a number of seconds", interval)
			}
			if err := oneOf(cmd, "brokerAddr", "clusterName"); err != nil {
				return err
			}
			return f.withBroker(cmd, at.broker, func(ctx context.Context, s *session) error {
				return repeat(ctx, time.Duration(interval)*time.Second, func() error { return f.haStatus(ctx, s, &at) })
			})
		},
	}
	at.add(cmd, "clusterName", "ask")
	cmd.Flags().IntVarP(&interval, "interval", "i", 0, "repeat every so many `seconds`")
	return cmd
}

func (f *adminFlags) haStatus(ctx context.Context, s *session, at *target) error {
	brokers, err := at.members(ctx, s, false)
	if err != nil {
		return err
	}
	answers, failed := askAll(brokers, func(b client.Broker) (*client.CopiesStatus, error) { return s.admin.Copies(ctx, b.Address) })
	return f.report(newCopiesView(answers, failed), len(answers), failed)
}
