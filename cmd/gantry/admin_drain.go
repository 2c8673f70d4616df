package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/spf13/cobra"
)

func newDrain(f *adminFlags) *cobra.Command {
	var broker string
	var over bool
	wait := 10 * time.Second
	cmd := &cobra.Command{
		Use:   "drain",
		Short: "Have a broker hand over, before it is stopped for maintenance",
		Long: `Prepares a broker whose role controllers decide for being stopped. If it is master, it takes no more messages, copies get what it has, and another
one is elected; the command returns once that one serves. From then on the broker is elected only if nobody else can be, until it is started
again or the command is given with --over.

Brokers whose role is configured cannot hand over. Take their write permission with wipeWritePerm, and wait until their messages are consumed.`,
		Example: `  gantry admin drain -n localhost:9876 -b 192.168.1.2:10911
  gantry admin drain -n localhost:9876 -b 192.168.1.2:10911 --over`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(cmd, "brokerAddr"); err != nil {
				return err
			}
			if wait <= 0 {
				return wrongUsage("--wait: %s is not how long to wait", wait)
			}
			return f.withBroker(cmd, broker, func(ctx context.Context, s *session) error {
				now, err := s.admin.DrainBroker(ctx, broker, over)
				if err != nil {
					return err
				}
				if !over {
					if err := s.awaitServing(ctx, now.Address, wait); err != nil {
						return err
					}
				}
				return f.show(newDrainedView(broker, over, now))
			})
		},
	}
	cmd.Flags().StringVarP(&broker, "brokerAddr", "b", "", "`address` of the broker, host:port; required")
	cmd.Flags().BoolVar(&over, "over", false, "maintenance is over: the broker may be elected like any other")
	cmd.Flags().DurationVar(&wait, "wait", wait, "how `long` the new master may take until it serves")
	return cmd
}

// awaitServing waits until a broker serves as master. "" is nobody.
func (s *session) awaitServing(ctx context.Context, address string, wait time.Duration) error {
	if address == "" {
		return nil
	}
	patient, stop := context.WithTimeout(ctx, wait)
	defer stop()
	err := until(patient, errNotServing, func() error {
		info, err := s.admin.RuntimeInfo(patient, address)
		if err != nil || info["brokerRole"] != "elected master" || info["ready"] != "true" {
			return errNotServing
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s is elected, and does not serve within %s: do not stop the broker before it yet; see why with gantry admin haStatus -b %s", address, wait, address)
	}
	return err
}

// errNotServing: a broker that was elected does not serve yet.
var errNotServing = errors.New("it does not serve")

// drainedView is the answer of drain.
type drainedView struct {
	Address       string `json:"address"`
	Drained       bool   `json:"drained"`
	MasterID      *int64 `json:"masterBrokerId"` // nil: the broker knows of none, or follows one
	MasterAddress string `json:"masterAddress,omitempty"`
	Epoch         int32  `json:"masterEpoch"`
}

func newDrainedView(address string, over bool, now *client.MasterInfo) *drainedView {
	v := &drainedView{Address: address, Drained: !over, MasterAddress: now.Address, Epoch: now.Epoch}
	if now.BrokerID.Set {
		v.MasterID = &now.BrokerID.Value
	}
	return v
}

func (v *drainedView) write(out io.Writer, _ int) error {
	var err error
	switch {
	case !v.Drained:
		_, err = fmt.Fprintf(out, "%s may be elected like any other broker of its group.\n", v.Address)
	case v.MasterID != nil:
		_, err = fmt.Fprintf(out, "%s has handed over: broker %d at %s is master of epoch %d, and serves. %s can be stopped.\n", v.Address, *v.MasterID, v.MasterAddress, v.Epoch, v.Address)
	default:
		_, err = fmt.Fprintf(out, "%s is no master, and is elected only if nobody else can be. It can be stopped.\n", v.Address)
	}
	return err
}
