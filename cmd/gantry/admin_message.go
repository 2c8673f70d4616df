package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/spf13/cobra"
)

// letter is what sendMessage is told.
type letter struct {
	topic, body, key, tags, broker string
	queue                          int
	trace                          bool
}

func newSendMessage(f *adminFlags) *cobra.Command {
	var l letter
	cmd := &cobra.Command{
		Use:   "sendMessage",
		Short: "Send a message",
		Long:  "Sends a message, and says where it was stored.",
		Example: `  gantry admin sendMessage -n localhost:9876 -t orders -p 'first light'
  gantry admin sendMessage -n localhost:9876 -t orders -p '{"id":7}' -k 7 -c paid -b broker-a -i 0`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(cmd, "topic"); err != nil {
				return err
			}
			if err := required(cmd, "body"); err != nil {
				return err
			}
			if err := l.check(); err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.sendMessage(ctx, s, &l) })
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&l.topic, "topic", "t", "", "`name` of the topic; required")
	flags.StringVarP(&l.body, "body", "p", "", "`text` of the message, in UTF-8; required")
	flags.StringVarP(&l.key, "key", "k", "", "`keys` to find it by, with blanks between them")
	flags.StringVarP(&l.tags, "tags", "c", "", "`tag` to filter by")
	flags.StringVarP(&l.broker, "broker", "b", "", "send to the broker with this `name`")
	flags.IntVarP(&l.queue, "qid", "i", -1, "send to the queue with this `number`, with -b")
	flags.BoolVarP(&l.trace, "msgTraceEnable", "m", false, "send a trace too; `true|false`")
	needsValue(cmd, "msgTraceEnable")
	return cmd
}

func (l *letter) check() error {
	if l.queue >= 0 && l.broker == "" {
		return wrongUsage("-i %d: queues are numbered at each broker, so name one with -b", l.queue)
	}
	return nil
}

// message is what to send.
func (l *letter) message() *client.Message {
	m := client.NewMessage(l.topic, []byte(l.body))
	if keys := strings.Fields(l.key); len(keys) > 0 {
		m.SetKeys(keys...)
	}
	if l.tags != "" {
		m.SetTags(l.tags)
	}
	return m
}

// toolsProducer is the group that messages of this tool come from.
const toolsProducer = "gantry-admin"

func (f *adminFlags) sendMessage(ctx context.Context, s *session, l *letter) error {
	var options []client.ProducerOption
	if l.trace {
		options = append(options, client.WithTrace(client.TraceOptions{}))
	}
	producer, err := s.producer(toolsProducer, options...)
	if err != nil {
		return err
	}
	result, err := l.send(ctx, s, producer)
	if err = errors.Join(err, leave(producer)); err != nil {
		return err
	}
	v := newSentView(&result)
	return f.show(&v)
}

func newSentView(result *client.SendResult) sentView {
	return sentView{
		Broker: result.Queue.BrokerName, Queue: result.Queue.QueueID, Offset: int64(result.QueueOffset),
		Result: result.Status.String(), MessageID: result.UniqueID, OffsetMsgID: result.OffsetID,
	}
}

func (l *letter) send(ctx context.Context, s *session, producer *client.Producer) (client.SendResult, error) {
	if l.broker == "" {
		return producer.Send(ctx, l.message())
	}
	route, err := s.admin.Route(ctx, l.topic)
	if err != nil {
		return client.SendResult{}, err
	}
	queue, err := l.choose(route)
	if err != nil {
		return client.SendResult{}, err
	}
	return producer.SendTo(ctx, queue, l.message())
}

// choose finds the queue at the broker that was named: the one that was named, or any.
func (l *letter) choose(route *client.Route) (client.Queue, error) {
	queues := int32(0)
	for _, q := range route.Queues {
		if q.BrokerName == l.broker && q.Perm.Writable() {
			queues = q.WriteQueues
		}
	}
	if queues == 0 || int32(l.queue) >= queues {
		return client.Queue{}, &failure{code: exitFailed, advice: "see its queues with topicRoute",
			cause: fmt.Errorf("topic %s has no such queue to send to at broker %s", l.topic, l.broker)}
	}
	chosen := client.Queue{Topic: l.topic, BrokerName: l.broker, QueueID: int32(l.queue)}
	if l.queue < 0 {
		chosen.QueueID = rand.Int32N(queues)
	}
	return chosen, nil
}
