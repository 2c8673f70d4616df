package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/spf13/cobra"
)

// resetQuery is what resetOffsetByTime and skipAccumulatedMessage are told.
type resetQuery struct {
	group, topic, cluster string
	force                 bool
	time                  string
	broker                string
	queue                 int32 // -1: all
	offset                int64 // -1: not given
	cplus                 bool

	to time.Time // of time; zero is behind the newest message
}

func newResetOffsetByTime(f *adminFlags) *cobra.Command {
	q := resetQuery{}
	cmd := &cobra.Command{
		Use:   "resetOffsetByTime",
		Short: "Make a consumer group go on at some time",
		Long: `Makes a consumer group go on with the messages of a topic that were stored at a time or later, in all queues, whether its members are online
or not. Times are milliseconds since 1970, or such as 2026-11-21#15:04:05:000, or now; -1 skips all that is there. With -b, -q and -o one queue
goes on at an offset. Members that are online follow within seconds, and consume again what lies behind that time.`,
		Example: `  gantry admin resetOffsetByTime -n localhost:9876 -g billing -t orders -s 2026-11-21#15:00:00:000
  gantry admin resetOffsetByTime -n localhost:9876 -g billing -t orders -s -1
  gantry admin resetOffsetByTime -n localhost:9876 -g billing -t orders -b 192.168.1.2:10911 -q 0 -o 100`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "group"), required(cmd, "topic"), q.check(time.Now())); err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.resetOffset(ctx, s, &q) })
		},
	}
	q.add(cmd)
	flags := cmd.Flags()
	flags.StringVarP(&q.time, "timestamp", "s", "", "`time` to go on at; required, unless -o is given")
	flags.StringVarP(&q.broker, "broker", "b", "", "only at the broker with this `address`, host:port; with -q")
	flags.Int32VarP(&q.queue, "queue", "q", -1, "only the queue with this `number`; with -b")
	flags.Int64VarP(&q.offset, "offset", "o", -1, "go on at this `offset`, whatever -s says; with -q")
	flags.BoolVar(&q.cplus, "cplus", false, "the members are C++ clients, which makes no difference")
	return cmd
}

func newSkipAccumulatedMessage(f *adminFlags) *cobra.Command {
	q := resetQuery{queue: -1, offset: -1}
	cmd := &cobra.Command{
		Use:   "skipAccumulatedMessage",
		Short: "Make a consumer group skip all messages that are there",
		Long:  "Makes a consumer group go on behind the newest message of a topic, in all queues. What it has not consumed yet is skipped.",
		Example: `  gantry admin skipAccumulatedMessage -n localhost:9876 -g billing -t orders
  gantry admin consumerProgress -n localhost:9876 -g billing`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "group"), required(cmd, "topic")); err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.resetOffset(ctx, s, &q) })
		},
	}
	q.add(cmd)
	return cmd
}

// add adds the options that both commands have.
func (q *resetQuery) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&q.group, "group", "g", "", "`name` of the group; required")
	flags.StringVarP(&q.topic, "topic", "t", "", "`name` of the topic; required")
	flags.BoolVarP(&q.force, "force", "f", true, "also where the group is not that far yet; older brokers heed false; `true|false`")
	flags.StringVarP(&q.cluster, "cluster", "c", "", "only at brokers of this `cluster`")
	needsValue(cmd, "force")
}

// check reads the time and refuses what does not go together.
func (q *resetQuery) check(now time.Time) error {
	switch {
	case (q.broker == "") != (q.queue < 0):
		return wrongUsage("-b and -q: queues are numbered at each broker, so give both or neither")
	case q.offset >= 0 && q.queue < 0:
		return wrongUsage("-o %d: offsets count in each queue, so name one with -b and -q", q.offset)
	case q.time == "" && q.offset < 0:
		return wrongUsage("option -s (--timestamp) is missing: say where to go on")
	}
	switch q.time {
	case "", "-1":
		return nil
	case "now":
		q.to = now
		return nil
	}
	var err error
	if q.to, err = parseTime(q.time); err != nil {
		return wrongUsage("-s: %w, nor now, nor -1", err)
	}
	if q.to.UnixMilli() < 0 {
		return wrongUsage("-s %s: it is before 1970; -1 goes behind the newest message", q.time)
	}
	return nil
}

// reset is what brokers are asked.
func (q *resetQuery) reset() client.Reset {
	r := client.Reset{Group: q.group, Topic: q.topic, To: q.to, OnlyBack: !q.force}
	if q.queue >= 0 {
		r.Queue = proto.Some(q.queue)
	}
	if q.offset >= 0 {
		r.Offset = proto.Some(q.offset)
	}
	return r
}

// brokers are those that have the topic.
func (q *resetQuery) brokers(ctx context.Context, s *session) ([]client.Broker, error) {
	if q.broker != "" {
		return []client.Broker{{Address: q.broker}}, nil
	}
	all, err := s.admin.BrokersOf(ctx, q.topic)
	if err != nil || q.cluster == "" {
		return all, err
	}
	var brokers []client.Broker
	for _, b := range all {
		if b.Cluster == q.cluster {
			brokers = append(brokers, b)
		}
	}
	if len(brokers) == 0 {
		return nil, fmt.Errorf("%w: cluster %s has no master with topic %s", client.ErrNoBroker, q.cluster, q.topic)
	}
	return brokers, nil
}

func (f *adminFlags) resetOffset(ctx context.Context, s *session, q *resetQuery) error {
	brokers, err := q.brokers(ctx, s)
	if err != nil {
		return err
	}
	if err := s.requireGroup(ctx, brokers, q.group); err != nil {
		return err
	}
	answers, failed := askAll(brokers, func(b client.Broker) ([]resetEntry, error) { return s.resetAt(ctx, b, q.reset()) })
	v := &resetView{Group: q.group, Topic: q.topic, Queues: []resetEntry{}, Failed: failed}
	for _, a := range answers {
		v.Queues = append(v.Queues, a.value...)
	}
	return f.report(v, len(answers), failed)
}

// resetAt notes where the group was, as far as the broker tells.
func (s *session) resetAt(ctx context.Context, b client.Broker, reset client.Reset) ([]resetEntry, error) {
	before := map[client.Queue]int64{}
	if stats, err := s.admin.ConsumeStats(ctx, b.Address, reset.Group, reset.Topic); err == nil {
		for _, q := range stats.Queues {
			before[q.Queue] = q.ConsumerOffset
		}
	}
	positions, err := s.admin.ResetOffset(ctx, b, reset)
	var entries []resetEntry
	for _, p := range positions {
		entry := resetEntry{Broker: p.Queue.BrokerName, Queue: p.Queue.QueueID, Offset: p.Offset}
		if was, known := before[p.Queue]; known {
			entry.Was = &was
		}
		entries = append(entries, entry)
	}
	return entries, err
}

// cloneQuery is what cloneGroupOffset is told.
type cloneQuery struct {
	from, to, topic string
	offline         bool
}

func newCloneGroupOffset(f *adminFlags) *cobra.Command {
	var q cloneQuery
	cmd := &cobra.Command{
		Use:   "cloneGroupOffset",
		Short: "Make a consumer group go on where another one is",
		Long: `Makes a consumer group go on where another one is in a topic. The group must exist (see updateSubGroup); best it has no members while
that is done.`,
		Example: "  gantry admin cloneGroupOffset -n localhost:9876 -s billing -d billing-2 -t orders",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "srcGroup"), required(cmd, "destGroup"), required(cmd, "topic")); err != nil {
				return err
			}
			if q.from == q.to {
				return wrongUsage("-s and -d: both are %s", q.from)
			}
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.cloneOffset(ctx, s, &q) })
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&q.from, "srcGroup", "s", "", "`name` of the group to copy; required")
	flags.StringVarP(&q.to, "destGroup", "d", "", "`name` of the group to change; required")
	flags.StringVarP(&q.topic, "topic", "t", "", "`name` of the topic; required")
	flags.BoolVarP(&q.offline, "offline", "o", false, "also if members of the first group do not subscribe the topic (any more); `true|false`")
	needsValue(cmd, "offline")
	return cmd
}

func (f *adminFlags) cloneOffset(ctx context.Context, s *session, q *cloneQuery) error {
	brokers, err := s.admin.BrokersOf(ctx, q.topic)
	if err != nil {
		return err
	}
	if err := s.requireGroup(ctx, brokers, q.from); err != nil {
		return err
	}
	done, failed := tellAll(brokers, func(b client.Broker) error {
		return s.admin.CloneOffsets(ctx, b.Address, q.from, q.to, q.topic, q.offline)
	})
	v := newDoneView(done, failed, "")
	v.last = fmt.Sprintf("clone group offset success. srcGroup[%s], destGroup=[%s], topic[%s]", q.from, q.to, q.topic)
	return f.report(v, len(done), failed)
}
