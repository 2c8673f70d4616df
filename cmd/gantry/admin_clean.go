package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
)

// cleaning is a command that tells brokers to remove what nobody needs.
type cleaning struct {
	use, short, long string
	tell             func(s *session, ctx context.Context, address string) error
}

func newDeleteExpiredCommitLog(f *adminFlags) *cobra.Command {
	return newCleaning(f, cleaning{
		use:   "deleteExpiredCommitLog",
		short: "Make brokers remove expired files of the commit log now",
		long: `Makes brokers remove the files of their commit logs that are older than fileReservedTime within the next minutes, whatever
the hour that deleteWhen names. The answer does not wait for it.`,
		tell: func(s *session, ctx context.Context, address string) error {
			return s.admin.DeleteExpiredLog(ctx, address)
		},
	})
}

func newCleanExpiredQueues(f *adminFlags) *cobra.Command {
	return newCleaning(f, cleaning{
		use:   "cleanExpiredCQ",
		short: "Make brokers remove consume queues that nobody needs",
		long: `Makes brokers remove consume queues that nobody needs: those of topics that no longer exist. Queues of topics that
exist stay, even if all of their messages have expired, so that their messages are never counted from 0 again (brokers of
Apache's do that).`,
		tell: func(s *session, ctx context.Context, address string) error {
			return s.admin.CleanExpiredQueues(ctx, address)
		},
	})
}

func newCleaning(f *adminFlags, c cleaning) *cobra.Command {
	var broker, cluster string
	cmd := &cobra.Command{
		Use: c.use, Short: c.short, Long: c.long,
		Example: "  gantry admin " + c.use + " -n localhost:9876\n  gantry admin " + c.use + " -n localhost:9876 -b 192.168.1.2:10911",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if broker != "" && cluster != "" {
				return wrongUsage("give either -b (--brokerAddr) or -c (--cluster), or neither for all brokers")
			}
			return f.withBroker(cmd, broker, func(ctx context.Context, s *session) error { return f.clean(ctx, s, c, broker, cluster) })
		},
	}
	cmd.Flags().StringVarP(&broker, "brokerAddr", "b", "", "tell the broker with this `address`, host:port")
	cmd.Flags().StringVarP(&cluster, "cluster", "c", "", "tell all brokers of this `cluster`, masters and slaves; without -b and -c those of all clusters")
	return cmd
}

// clean tells all brokers, also after one has failed.
func (f *adminFlags) clean(ctx context.Context, s *session, c cleaning, broker, cluster string) error {
	addresses := []string{broker}
	if broker == "" {
		var err error
		if addresses, err = s.addresses(ctx, cluster); err != nil {
			return err
		}
	}
	v := &cleanedView{Brokers: []string{}, command: c.use}
	var failures []error
	for _, address := range addresses {
		if err := c.tell(s, ctx, address); err != nil {
			failures = append(failures, fmt.Errorf("broker at %s: %w", address, err))
			continue
		}
		v.Brokers = append(v.Brokers, address)
	}
	err := errors.Join(failures...)
	if err != nil && len(v.Brokers) > 0 {
		err = &failure{cause: err, code: exitPartly, advice: "repeat the command once all brokers can be reached"}
	}
	return errors.Join(err, f.show(v))
}

// addresses lists the brokers of a cluster, or of all if it is "".
func (s *session) addresses(ctx context.Context, cluster string) ([]string, error) {
	brokers, err := s.admin.Brokers(ctx, cluster)
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, b := range brokers {
		if !slices.Contains(addresses, b.Address) {
			addresses = append(addresses, b.Address)
		}
	}
	return addresses, nil
}
