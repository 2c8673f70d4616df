package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/gantrymq/gantry/client"
	"github.com/spf13/cobra"
)

// statsQuery is what statsAll is told.
type statsQuery struct {
	topic  string
	active bool
}

func newStatsAll(f *adminFlags) *cobra.Command {
	var q statsQuery
	cmd := &cobra.Command{
		Use:   "statsAll",
		Short: "Show how fast topics are sent to and consumed",
		Long: `Shows for each topic and each of its consumer groups how many messages come and go in a second, how many did in a day, and how many
wait. Brokers forget these numbers when they stop.`,
		Example: `  gantry admin statsAll -n localhost:9876
  gantry admin statsAll -n localhost:9876 -a
  gantry admin statsAll -n localhost:9876 -t orders`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.statsAll(ctx, s, &q) })
		},
	}
	cmd.Flags().StringVarP(&q.topic, "topic", "t", "", "show only this `topic`")
	cmd.Flags().BoolVarP(&q.active, "activeTopic", "a", false, "show only topics and groups that had messages")
	return cmd
}

func (f *adminFlags) statsAll(ctx context.Context, s *session, q *statsQuery) error {
	topics := []string{q.topic}
	if q.topic == "" {
		all, err := s.admin.Topics(ctx)
		if err != nil {
			return err
		}
		brokers, err := s.admin.Brokers(ctx, "")
		if err != nil {
			return err
		}
		topics = ordinaryTopics(all, brokers)
	}
	v := &statsView{Rows: []statsRow{}}
	asked := map[string]bool{}
	for _, topic := range topics {
		brokers, err := s.admin.BrokersOf(ctx, topic)
		if err != nil && q.topic == "" {
			v.Failed = append(v.Failed, brokerFailure{Broker: "topic", Address: topic, Error: err.Error(), err: err})
			continue
		}
		if err != nil {
			return err
		}
		answers, failed := askAll(brokers, func(b client.Broker) ([]statsRow, error) { return s.topicStats(ctx, b, topic) })
		v.Failed = mergeFailures(v.Failed, failed)
		v.add(topic, answers)
		for _, a := range answers {
			asked[a.broker.Address] = true
		}
	}
	if q.active {
		v.Rows = slices.DeleteFunc(v.Rows, func(r statsRow) bool { return r.InDay == 0 && r.OutDay == 0 })
	}
	done := len(asked)
	if len(v.Failed) == 0 {
		// There may be no topic to ask about.
		done = 1
	}
	return f.report(v, done, v.Failed)
}

// ordinaryTopics leaves out those of brokers and groups.
func ordinaryTopics(names []string, brokers []client.Broker) []string {
	x := &examination{}
	for _, b := range brokers {
		x.brokers = append(x.brokers, brokerFacts{Broker: b})
	}
	return slices.DeleteFunc(names, x.isOwnTopic)
}

// topicStats has a row for each group of a topic at one broker, or one without a group.
func (s *session) topicStats(ctx context.Context, b client.Broker, topic string) ([]statsRow, error) {
	in, err := s.admin.Stats(ctx, b.Address, "TOPIC_PUT_NUMS", topic)
	if err != nil {
		return nil, err
	}
	groups, err := s.admin.GroupsOfTopic(ctx, b.Address, topic)
	if err != nil {
		return nil, err
	}
	base := statsRow{Topic: topic, InPerSecond: in.Minute.PerSecond, InDay: sumOfDay(in)}
	if len(groups) == 0 {
		return []statsRow{base}, nil
	}
	var rows []statsRow
	for _, group := range groups {
		out, err := s.admin.Stats(ctx, b.Address, "GROUP_GET_NUMS", topic+"@"+group)
		if err != nil {
			return nil, err
		}
		progress, err := s.admin.ConsumeStats(ctx, b.Address, group, topic)
		if err != nil {
			return nil, err
		}
		row := base
		row.Group, row.OutPerSecond, row.OutDay, row.Waiting = group, out.Minute.PerSecond, sumOfDay(out), max(progress.Behind(), 0)
		rows = append(rows, row)
	}
	return rows, nil
}

// sumOfDay is the sum of the longest time for which a broker that has just started has counted.
func sumOfDay(data *client.StatsData) int64 {
	return cmp.Or(data.Day.Sum, data.Hour.Sum, data.Minute.Sum)
}

// brokerProgressQuery is what brokerConsumeStats is told.
type brokerProgressQuery struct {
	broker  string
	timeout int
	least   int64
	ordered bool
}

func newBrokerConsumeStats(f *adminFlags) *cobra.Command {
	var q brokerProgressQuery
	cmd := &cobra.Command{
		Use:     "brokerConsumeStats",
		Short:   "Show how far all consumer groups are at a broker",
		Long:    "Shows how far each consumer group is in each queue of a broker.",
		Example: "  gantry admin brokerConsumeStats -n localhost:9876 -b 192.168.1.2:10911 -l 1000",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(cmd, "brokerAddr"); err != nil {
				return err
			}
			return f.withBroker(cmd, q.broker, func(ctx context.Context, s *session) error {
				list, err := s.admin.AllConsumeStats(ctx, q.broker, q.ordered)
				if err != nil {
					return err
				}
				return f.show(newBrokerProgressView(list, q.least))
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&q.broker, "brokerAddr", "b", "", "ask the broker with this `address`, host:port; required")
	flags.IntVarP(&q.timeout, "timeoutMillis", "t", 0, "`milliseconds` to wait; the answer may take 12 s whatever this says")
	flags.Int64VarP(&q.least, "level", "l", 0, "show only queues with at least this `number` of messages to consume")
	flags.BoolVarP(&q.ordered, "order", "o", false, "only ordered topics; `true|false`")
	needsValue(cmd, "order")
	return cmd
}

func newClusterRT(f *adminFlags) *cobra.Command {
	var cluster, room string
	var p probe
	var interval int
	var log bool
	cmd := &cobra.Command{
		Use:   "clusterRT",
		Short: "Send messages to each broker and show how long they take",
		Long: `Sends messages, one after the other, to the topic that each broker has under its own name, at all masters of a cluster, and shows how long they took
on average.`,
		Example: `  gantry admin clusterRT -n localhost:9876 -a 10
  gantry admin clusterRT -n localhost:9876 -c DefaultCluster -a 10 -s 1024 -i 10`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.check("-a", "-s"); err != nil {
				return err
			}
			if interval < 0 {
				return wrongUsage("-i: %d is not a number of seconds", interval)
			}
			return f.with(cmd, func(ctx context.Context, s *session) error {
				return repeat(ctx, seconds(interval), func() error { return f.clusterRT(ctx, s, cluster, &p) })
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&cluster, "cluster", "c", "", "only brokers of this `cluster`")
	flags.IntVarP(&p.count, "amount", "a", 100, "`number` of messages for each broker")
	flags.IntVarP(&p.size, "size", "s", 128, "`bytes` in each message")
	flags.IntVarP(&interval, "interval", "i", 0, "repeat every so many `seconds`; 0 is once, where RocketMQ's tool never ends")
	flags.BoolVarP(&log, "printLog", "p", false, "print as a log, which --json is better for; `true|false`")
	flags.StringVarP(&room, "machineRoom", "m", "", "`name` for that log")
	needsValue(cmd, "printLog")
	return cmd
}

// clusterRT probes one broker after the other, so that they do not slow each other down.
func (f *adminFlags) clusterRT(ctx context.Context, s *session, cluster string, p *probe) error {
	masters, err := (&target{cluster: cluster}).members(ctx, s, true)
	if err != nil {
		return err
	}
	producer, err := s.producer(toolsProducer, client.WithRetries(0, 0))
	if err != nil {
		return err
	}
	v := &clusterRTView{Brokers: []clusterRTEntry{}}
	var turn sync.Mutex
	answers, failed := askAll(masters, func(b client.Broker) (clusterRTEntry, error) {
		turn.Lock()
		defer turn.Unlock()
		return p.brokerRT(ctx, s, producer, b)
	})
	for _, a := range answers {
		v.Brokers = append(v.Brokers, a.value)
	}
	v.Failed = failed
	return errors.Join(f.report(v, len(answers), failed), leave(producer), v.lost())
}

// lost fails if some messages were not stored at brokers that stored others.
func (v *clusterRTView) lost() error {
	count := 0
	for _, b := range v.Brokers {
		count += b.Failed
	}
	if count == 0 {
		return nil
	}
	return &failure{cause: fmt.Errorf("%d sends failed", count), code: exitPartly, advice: "see why with sendMsgStatus -b NAME"}
}

// brokerRT fails if none of the messages was stored.
func (p *probe) brokerRT(ctx context.Context, s *session, producer *client.Producer, b client.Broker) (clusterRTEntry, error) {
	entry := clusterRTEntry{Cluster: b.Cluster, Broker: b.Name}
	one := probe{topic: b.Name, broker: b.Name, size: p.size, count: p.count}
	queues, err := one.queues(ctx, s)
	if err != nil {
		return entry, err
	}
	v := &probeView{}
	for i := range p.count {
		send, failed := one.send(ctx, producer, queues[i%len(queues)])
		v.Sends = append(v.Sends, send)
		if failed != nil {
			entry.Failed++
			err = failed
		}
	}
	v.average()
	entry.Average, entry.Done = v.Average, p.count-entry.Failed
	if entry.Done > 0 {
		return entry, nil
	}
	return entry, fmt.Errorf("all %d sends failed, the last one: %w", p.count, err)
}
