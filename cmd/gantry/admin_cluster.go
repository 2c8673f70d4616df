package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func newClusterList(f *adminFlags) *cobra.Command {
	var cluster string
	var interval int
	var moreStats bool
	cmd := &cobra.Command{
		Use:   "clusterList",
		Short: "List clusters and their brokers",
		Long:  "Lists clusters, their brokers, and what the brokers tell of themselves.",
		Example: `  gantry admin clusterList -n localhost:9876
  gantry admin clusterList -n localhost:9876 -m -i 5`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if interval < 0 {
				return wrongUsage("-i: %d is not a number of seconds", interval)
			}
			return f.with(cmd, func(ctx context.Context, s *session) error {
				return repeat(ctx, time.Duration(interval)*time.Second, func() error { return f.clusterList(ctx, s, cluster, moreStats) })
			})
		},
	}
	cmd.Flags().StringVarP(&cluster, "clusterName", "c", "", "show only this `cluster`")
	cmd.Flags().BoolVarP(&moreStats, "moreStats", "m", false, "show more of what brokers tell")
	cmd.Flags().IntVarP(&interval, "interval", "i", 0, "repeat every so many `seconds`")
	return cmd
}

// repeat calls again and again with a pause, or once if there is none.
func repeat(ctx context.Context, pause time.Duration, call func() error) error {
	for {
		if err := call(); err != nil || pause == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// clusterList shows brokers that do not answer too, and then fails, partly if others did.
func (f *adminFlags) clusterList(ctx context.Context, s *session, cluster string, moreStats bool) error {
	info, err := s.admin.Cluster(ctx)
	if err != nil {
		return err
	}
	v := newClusterView(info, cluster)
	v.moreStats = moreStats
	if len(v.Brokers) == 0 && cluster != "" {
		return &failure{cause: fmt.Errorf("no broker of a cluster %q is known", cluster), code: exitFailed, advice: "see all with clusterList"}
	}
	var silent []error
	for i := range v.Brokers {
		broker := &v.Brokers[i]
		if broker.Status, err = s.admin.RuntimeInfo(ctx, broker.Address); err != nil {
			broker.Error = err.Error()
			silent = append(silent, fmt.Errorf("broker %s at %s: %w", broker.Broker, broker.Address, err))
		}
	}
	if err := f.show(v); err != nil || len(silent) == 0 {
		return err
	}
	code := exitPartly
	if len(silent) == len(v.Brokers) {
		code = exitUnreachable
	}
	return &failure{cause: errors.Join(silent...), code: code}
}
