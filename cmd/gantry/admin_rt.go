package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/spf13/cobra"
)

// probe is a number of messages that are sent one after the other, to see how long that takes.
type probe struct {
	topic  string
	broker string // whose own topic gets them; "" if topic is given
	size   int
	count  int
}

func newSendMsgStatus(f *adminFlags) *cobra.Command {
	var p probe
	cmd := &cobra.Command{
		Use:   "sendMsgStatus",
		Short: "Send messages to a broker and show how long each takes",
		Long: `Sends messages, one after the other, to the topic that each broker has under its own name, and shows how long each took. That
shows whether the broker takes messages at all, whatever the topics of applications are.`,
		Example: "  gantry admin sendMsgStatus -n localhost:9876 -b broker-a -s 1024 -c 10",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "brokerName"), p.check("-c", "-s")); err != nil {
				return err
			}
			p.topic = p.broker
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.probe(ctx, s, &p) })
		},
	}
	cmd.Flags().StringVarP(&p.broker, "brokerName", "b", "", "`name` of the broker; required")
	cmd.Flags().IntVarP(&p.size, "messageSize", "s", 128, "`bytes` in each message")
	cmd.Flags().IntVarP(&p.count, "count", "c", 50, "`number` of messages")
	return cmd
}

func newCheckMsgSendRT(f *adminFlags) *cobra.Command {
	var p probe
	cmd := &cobra.Command{
		Use:     "checkMsgSendRT",
		Short:   "Send messages to each queue of a topic in turn and show how long each takes",
		Long:    "Sends messages, one after the other, to each queue of a topic in turn, and shows how long each took. They stay in the topic.",
		Example: "  gantry admin checkMsgSendRT -n localhost:9876 -t orders -a 16 -s 1024",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "topic"), p.check("-a", "-s")); err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.probe(ctx, s, &p) })
		},
	}
	cmd.Flags().StringVarP(&p.topic, "topic", "t", "", "`name` of the topic; required")
	cmd.Flags().IntVarP(&p.count, "amount", "a", 100, "`number` of messages")
	cmd.Flags().IntVarP(&p.size, "size", "s", 128, "`bytes` in each message")
	return cmd
}

func (p *probe) check(countOption, sizeOption string) error {
	switch {
	case p.count < 1:
		return wrongUsage("%s: %d is not a number of messages", countOption, p.count)
	case p.size < 1:
		return wrongUsage("%s: %d is not a number of bytes", sizeOption, p.size)
	}
	return nil
}

// probe shows also sends that failed, and goes on behind them.
func (f *adminFlags) probe(ctx context.Context, s *session, p *probe) error {
	queues, err := p.queues(ctx, s)
	if err != nil {
		return err
	}
	// A send that is tried again elsewhere would hide what is looked for.
	producer, err := s.producer(toolsProducer, client.WithRetries(0, 0))
	if err != nil {
		return err
	}
	v := &probeView{Topic: p.topic, Sends: []probeEntry{}}
	var failed []error
	for i := 0; i < p.count && ctx.Err() == nil; i++ {
		entry, err := p.send(ctx, producer, queues[i%len(queues)])
		v.Sends = append(v.Sends, entry)
		if err != nil {
			failed = append(failed, err)
		}
	}
	v.average()
	shown := errors.Join(f.show(v), leave(producer))
	switch {
	case len(failed) == 0:
		return shown
	case len(failed) < p.count:
		err = &failure{cause: fmt.Errorf("%d of %d sends failed, the last one: %w", len(failed), p.count, failed[len(failed)-1]), code: exitPartly, advice: "see which brokers are in trouble with gantry admin doctor"}
		return errors.Join(err, shown)
	}
	return errors.Join(fmt.Errorf("all %d sends failed, the last one: %w", p.count, failed[len(failed)-1]), shown)
}

// queues are those that can be sent to.
func (p *probe) queues(ctx context.Context, s *session) ([]client.Queue, error) {
	route, err := s.admin.Route(ctx, p.topic)
	if errors.Is(err, client.ErrTopicNotFound) && p.broker != "" {
		return nil, &failure{cause: fmt.Errorf("no broker has the name %s: %w", p.broker, err), code: exitFailed, advice: "see the names of brokers with clusterList"}
	}
	if err != nil {
		return nil, err
	}
	var queues []client.Queue
	for _, q := range route.Queues {
		if q.Perm.Writable() && (p.broker == "" || q.BrokerName == p.broker) {
			for id := range q.WriteQueues {
				queues = append(queues, client.Queue{Topic: p.topic, BrokerName: q.BrokerName, QueueID: id})
			}
		}
	}
	if len(queues) == 0 {
		return nil, &failure{cause: fmt.Errorf("nobody may send to topic %s now", p.topic), code: exitFailed,
			advice: "see its permissions with topicRoute; change them with updateTopicPerm or addWritePerm"}
	}
	return queues, nil
}

// send measures one send. The first ones of a broker include the time to connect.
func (p *probe) send(ctx context.Context, producer *client.Producer, queue client.Queue) (probeEntry, error) {
	began := time.Now()
	result, err := producer.SendTo(ctx, queue, client.NewMessage(p.topic, bytes.Repeat([]byte{'a'}, p.size)))
	entry := probeEntry{Broker: queue.BrokerName, Queue: queue.QueueID, Millis: float64(time.Since(began).Microseconds()) / 1000}
	if err != nil {
		entry.Error = err.Error()
		return entry, err
	}
	entry.Result, entry.MessageID = result.Status.String(), result.UniqueID
	return entry, nil
}
