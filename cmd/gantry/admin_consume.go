package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/spf13/cobra"
)

// reading is what consumeMessage is told.
type reading struct {
	topic, broker, group string
	queue                int   // -1: all
	offset               int64 // -1: not given
	begin, end           string
	count                int

	from, to time.Time // of begin and end; zero if not given
}

func newConsumeMessage(f *adminFlags) *cobra.Command {
	var r reading
	cmd := &cobra.Command{
		Use:   "consumeMessage",
		Short: "Read messages",
		Long: `Reads messages that are there now, the oldest first in each queue. Offsets of the group are neither
used nor changed. Times are milliseconds since 1970, or such as 2026-11-21#15:04:05:000.`,
		Example: `  gantry admin consumeMessage -n localhost:9876 -t orders
  gantry admin consumeMessage -n localhost:9876 -t orders -b broker-a -i 0 -o 100 -c 5
  gantry admin consumeMessage -n localhost:9876 -t orders -s 2026-11-21#15:00:00:000`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(cmd, "topic"); err != nil {
				return err
			}
			if err := r.check(); err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.consumeMessage(ctx, s, &r) })
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&r.topic, "topic", "t", "", "`name` of the topic; required")
	flags.StringVarP(&r.broker, "brokerName", "b", "", "read only from the broker with this `name`")
	flags.IntVarP(&r.queue, "queueId", "i", -1, "read only the queue with this `number`, with -b")
	flags.Int64VarP(&r.offset, "offset", "o", -1, "begin at this `offset`, with -i")
	flags.StringVarP(&r.group, "consumerGroup", "g", proto.ToolsConsumerGroup, "`name` of the group to read as")
	flags.StringVarP(&r.begin, "beginTimestamp", "s", "", "read what was stored at this `time` or later")
	flags.StringVarP(&r.end, "endTimestamp", "e", "", "read what was stored before this `time`")
	flags.IntVarP(&r.count, "MessageNumber", "c", 128, "read at most this `number` of messages")
	return cmd
}

// check reads the times and refuses what does not go together.
func (r *reading) check() error {
	var err error
	switch {
	case r.count < 1:
		return wrongUsage("-c: %d is not a number of messages", r.count)
	case r.queue >= 0 && r.broker == "":
		return wrongUsage("-i %d: queues are numbered at each broker, so name one with -b", r.queue)
	case r.offset >= 0 && r.queue < 0:
		return wrongUsage("-o %d: offsets count in each queue, so name one with -i", r.offset)
	case r.offset >= 0 && r.begin != "":
		return wrongUsage("give either -o or -s to say where to begin")
	}
	if r.from, err = parseTime(r.begin); err != nil {
		return wrongUsage("-s: %w", err)
	}
	if r.to, err = parseTime(r.end); err != nil {
		return wrongUsage("-e: %w", err)
	}
	return nil
}

// parseTime reads milliseconds since 1970, or RocketMQ's spelling of a date in the local zone.
func parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if millis, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.UnixMilli(millis), nil
	}
	// Go reads milliseconds behind a point only.
	if last := strings.LastIndexByte(text, ':'); strings.Count(text, ":") == 3 {
		parsed, err := time.ParseInLocation("2006-01-02#15:04:05.000", text[:last]+"."+text[last+1:], time.Local)
		if err == nil {
			return parsed, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither milliseconds since 1970 nor a date such as 2026-11-21#15:04:05:000", text)
}

func (f *adminFlags) consumeMessage(ctx context.Context, s *session, r *reading) error {
	consumer, err := s.pullConsumer(r.group, client.WithHold(0))
	if err != nil {
		return err
	}
	v, err := r.read(ctx, consumer)
	if err = errors.Join(err, leave(consumer)); err != nil {
		return err
	}
	return f.show(v)
}

func (r *reading) read(ctx context.Context, consumer *client.PullConsumer) (*consumedView, error) {
	queues, err := consumer.Queues(ctx, r.topic)
	if err != nil {
		return nil, err
	}
	v := &consumedView{Messages: []messageView{}}
	wanted := 0
	for _, queue := range queues {
		if r.wants(queue) {
			wanted++
			if err := r.readQueue(ctx, consumer, queue, v); err != nil {
				return nil, err
			}
		}
	}
	if wanted == 0 {
		return nil, &failure{cause: fmt.Errorf("topic %s has no such queue to read", r.topic), code: exitFailed, advice: "see its queues with topicRoute"}
	}
	return v, nil
}

func (r *reading) wants(queue client.Queue) bool {
	return (r.broker == "" || r.broker == queue.BrokerName) && (r.queue < 0 || int32(r.queue) == queue.QueueID)
}

// readQueue reads a queue from where it was told to where it ends now.
func (r *reading) readQueue(ctx context.Context, consumer *client.PullConsumer, queue client.Queue, v *consumedView) error {
	next, end, err := r.part(ctx, consumer, queue)
	for err == nil && next < end && len(v.Messages) < r.count {
		var pulled client.PullResult
		pulled, err = consumer.Pull(ctx, queue, next, min(r.count-len(v.Messages), 32))
		for _, m := range pulled.Messages {
			if m.Offset < end && len(v.Messages) < r.count {
				v.Messages = append(v.Messages, newMessageView(m))
			}
		}
		if pulled.Next <= next {
			break
		}
		next = pulled.Next
	}
	return err
}

// part finds the offsets to read, the last exclusive.
func (r *reading) part(ctx context.Context, consumer *client.PullConsumer, queue client.Queue) (from, to client.QueueOffset, err error) {
	switch {
	case r.offset >= 0:
		from = client.QueueOffset(r.offset)
	case !r.from.IsZero():
		from, err = consumer.OffsetAt(ctx, queue, r.from)
	default:
		from, err = consumer.MinOffset(ctx, queue)
	}
	if err != nil {
		return 0, 0, err
	}
	if r.to.IsZero() {
		to, err = consumer.MaxOffset(ctx, queue)
	} else {
		to, err = consumer.OffsetAt(ctx, queue, r.to)
	}
	return from, to, err
}

func newMessageView(m *client.Received) messageView {
	v := messageView{
		MessageID: m.ID(), Topic: m.Topic, Broker: m.Queue.BrokerName, Queue: m.Queue.QueueID,
		Offset: int64(m.Offset), StoredAt: moment(m.StoredAt.UnixMilli()), Properties: map[string]string{},
	}
	for _, p := range m.Properties {
		v.Properties[p.Name] = p.Value
	}
	v.setBody(m.Body)
	return v
}
