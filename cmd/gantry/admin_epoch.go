package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/cmd/gantry/table"
	"github.com/spf13/cobra"
)

func newGetBrokerEpoch(f *adminFlags) *cobra.Command {
	var broker, cluster string
	var interval int
	cmd := &cobra.Command{
		Use:   "getBrokerEpoch",
		Short: "Show which master has written which part of the logs",
		Long: `Shows of all brokers of a broker name, or of a cluster, which part of their logs was written in which epoch: each election begins one. The brokers
of a group differ at most in the last of them, while a copy is behind.`,
		Example: `  gantry admin getBrokerEpoch -n localhost:9876 -b broker-a
  gantry admin getBrokerEpoch -n localhost:9876 -c DefaultCluster -i 5`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if interval < 0 {
				return wrongUsage("-i: %d is not a number of seconds", interval)
			}
			if err := oneOf(cmd, "brokerName", "clusterName"); err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error {
				return repeat(ctx, time.Duration(interval)*time.Second, func() error { return f.brokerEpochs(ctx, s, broker, cluster) })
			})
		},
	}
	cmd.Flags().StringVarP(&broker, "brokerName", "b", "", "ask the brokers with this `name`")
	cmd.Flags().StringVarP(&cluster, "clusterName", "c", "", "ask all brokers of this `cluster`")
	cmd.Flags().IntVarP(&interval, "interval", "i", 0, "repeat every so many `seconds`")
	return cmd
}

func (f *adminFlags) brokerEpochs(ctx context.Context, s *session, name, cluster string) error {
	all, err := s.admin.Brokers(ctx, cluster)
	if err != nil {
		return err
	}
	var brokers []client.Broker
	for _, b := range all {
		if name == "" || b.Name == name {
			brokers = append(brokers, b)
		}
	}
	if len(brokers) == 0 {
		return fmt.Errorf("%w: none is called %q", client.ErrNoBroker, name)
	}
	answers, failed := askAll(brokers, func(b client.Broker) (*client.EpochCache, error) { return s.admin.Epochs(ctx, b.Address) })
	return f.report(newEpochsView(answers, failed), len(answers), failed)
}

// epochsView is the answer of getBrokerEpoch.
type epochsView struct {
	Brokers []epochsEntry `json:"brokers"`
	Failed  failures      `json:"failed,omitempty"`
}

type epochsEntry struct {
	Broker  string       `json:"broker"`
	ID      int64        `json:"id"` // as controllers know it
	Address string       `json:"address"`
	LogEnd  int64        `json:"logEnd"`
	Epochs  []epochEntry `json:"epochs"`
}

type epochEntry struct {
	Epoch int32 `json:"epoch"`
	Start int64 `json:"startOffset"`
	End   int64 `json:"endOffset"`
}

func newEpochsView(answers []brokerAnswer[*client.EpochCache], failed failures) *epochsView {
	v := &epochsView{Brokers: []epochsEntry{}, Failed: failed}
	for _, a := range answers {
		c := a.value
		entry := epochsEntry{Broker: c.BrokerName, ID: c.BrokerID, Address: a.broker.Address, LogEnd: c.LogEnd, Epochs: []epochEntry{}}
		for _, e := range c.Epochs {
			// The newest epoch goes on.
			entry.Epochs = append(entry.Epochs, epochEntry{e.Number, e.Start, min(e.End, c.LogEnd)})
		}
		v.Brokers = append(v.Brokers, entry)
	}
	return v
}

func (v *epochsView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("Broker", ">ID", "Address", ">Epoch", ">From", ">To", ">Bytes")}
	for i := range v.Brokers {
		b := &v.Brokers[i]
		for _, e := range b.Epochs {
			t.Add(b.Broker, number(b.ID), b.Address, number(int64(e.Epoch)), number(e.Start), number(e.End), number(e.End-e.Start))
		}
		if len(b.Epochs) == 0 {
			t.Add(b.Broker, number(b.ID), b.Address, "-", "-", number(b.LogEnd), "-")
		}
	}
	return t.Write(out, width)
}
