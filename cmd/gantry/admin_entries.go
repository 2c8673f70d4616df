package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/client"
	"github.com/spf13/cobra"
)

// entriesQuery is what queryCq is told.
type entriesQuery struct {
	client.EntriesQuery
	broker string
}

func newQueryCq(f *adminFlags) *cobra.Command {
	var q entriesQuery
	cmd := &cobra.Command{
		Use:   "queryCq",
		Short: "Show what a consume queue says of its messages",
		Long: `Shows what the consume queue of a broker says of its messages: where each of them stands in the log, and the hash of its tag; in the topic of
delayed messages, when it is due. No message is read. Without -b, the first master that has the topic is asked. With -g, what that group
subscribes is shown, too. For a broker that is stopped there is gantry inspect queue.`,
		Example: `  gantry admin queryCq -n localhost:9876 -t orders -q 0 -i 0
  gantry admin queryCq -n localhost:9876 -t orders -q 0 -i 100 -c 20 -b 192.168.1.2:10911 -g billing`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "topic"), given(cmd, "queue"), given(cmd, "index"), q.check()); err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.queryCq(ctx, s, &q) })
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&q.Topic, "topic", "t", "", "`name` of the topic; required")
	flags.Int32VarP(&q.Queue, "queue", "q", 0, "`number` of the queue; required")
	flags.Int64VarP(&q.From, "index", "i", 0, "begin at the message with this `offset`; required")
	flags.Int32VarP(&q.Count, "count", "c", 10, "show at most this `number` of messages")
	flags.StringVarP(&q.broker, "broker", "b", "", "ask the broker with this `address`, host:port")
	flags.StringVarP(&q.Group, "consumer", "g", "", "show what the group with this `name` subscribes")
	return cmd
}

func (q *entriesQuery) check() error {
	switch {
	case q.Queue < 0 || q.From < 0:
		return wrongUsage("-q %d and -i %d: queues and offsets count from 0", q.Queue, q.From)
	case q.Count < 1:
		return wrongUsage("-c: %d is not a number of messages", q.Count)
	}
	return nil
}

func (f *adminFlags) queryCq(ctx context.Context, s *session, q *entriesQuery) error {
	broker := client.Broker{Address: q.broker}
	if q.broker == "" {
		masters, err := s.admin.BrokersOf(ctx, q.Topic)
		if err != nil {
			return err
		}
		broker = masters[0]
	}
	found, err := s.admin.QueueEntries(ctx, broker.Address, q.EntriesQuery)
	if err != nil {
		return err
	}
	if found.Entries == nil {
		return &failure{
			cause: fmt.Errorf("queue %d of topic %s at %s has no message %d: it has [%d, %d)", q.Queue, q.Topic, broker.Address, q.From, found.Min, found.Max),
			code:  exitFailed, advice: "give -i one of these numbers; the last one is never there",
		}
	}
	return f.show(newQueuePartView(broker, q, found))
}
