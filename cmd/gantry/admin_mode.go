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

func newSetConsumeMode(f *adminFlags) *cobra.Command {
	var at target
	var wanted client.RequestMode
	var mode string
	cmd := &cobra.Command{
		Use:   "setConsumeMode",
		Short: "Say how a consumer group gets the messages of a topic",
		Long: `Says how the members of a consumer group get the messages of a topic from now on, at a broker or at all masters of a cluster: PULL, or POP,
by which members share queues and acknowledge each message by itself. It counts for members that let brokers assign their queues (clientRebalance=false
in Java, WithBrokerRebalance in Go). Topic and group must be there.`,
		Example: `  gantry admin setConsumeMode -n localhost:9876 -c DefaultCluster -t orders -g billing -m PULL
  gantry admin setConsumeMode -n localhost:9876 -b 192.168.1.2:10911 -t orders -g billing -m POP -q 8`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := errors.Join(required(cmd, "topicName"), required(cmd, "groupName"), required(cmd, "mode"), oneOf(cmd, "brokerAddr", "clusterName"))
			if err != nil {
				return err
			}
			if wanted.Mode, err = parseMode(mode); err != nil {
				return err
			}
			return f.withBroker(cmd, at.broker, func(ctx context.Context, s *session) error { return f.setConsumeMode(ctx, s, &at, wanted) })
		},
	}
	at.add(cmd, "clusterName", "set it at")
	cmd.Flags().StringVarP(&wanted.Topic, "topicName", "t", "", "`name` of the topic; required")
	cmd.Flags().StringVarP(&wanted.ConsumerGroup, "groupName", "g", "", "`name` of the group; required")
	cmd.Flags().StringVarP(&mode, "mode", "m", "", "the way, `PULL|POP`; required")
	cmd.Flags().Int32VarP(&wanted.PopShareQueues, "popShareQueueNum", "q", 0, "with POP, each member also takes from the queues of this `number` of others; 0 is of all")
	return cmd
}

func parseMode(text string) (proto.MessageRequestMode, error) {
	for _, mode := range []proto.MessageRequestMode{proto.ModePull, proto.ModePop} {
		if strings.EqualFold(text, mode.String()) {
			return mode, nil
		}
	}
	return 0, wrongUsage("-m %s: it is none of PULL, POP", text)
}

func (f *adminFlags) setConsumeMode(ctx context.Context, s *session, at *target, wanted client.RequestMode) error {
	masters, err := at.members(ctx, s, true)
	if err != nil {
		return err
	}
	done, failed := tellAll(masters, func(b client.Broker) error { return s.admin.SetRequestMode(ctx, b.Address, wanted) })
	v := newDoneView(done, failed, "set consume mode to %s success.")
	v.last = fmt.Sprintf("topic[%s] group[%s] consume mode[%s] popShareQueueNum[%d]", wanted.Topic, wanted.ConsumerGroup, wanted.Mode, wanted.PopShareQueues)
	return f.report(v, len(done), failed)
}
