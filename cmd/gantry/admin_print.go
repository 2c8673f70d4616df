package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/spf13/cobra"
)

// printing is what printMsg and printMsgByQueue are told.
type printing struct {
	topic, broker, tags, charset string
	begin, end                   string
	queue                        int32 // -1: all
	messages, bodies, countTags  bool
	parent                       string

	from, to time.Time // of begin and end; zero if not given
}

func newPrintMsg(f *adminFlags) *cobra.Command {
	p := printing{queue: -1, messages: true}
	cmd := &cobra.Command{
		Use:   "printMsg",
		Short: "Print all messages of a topic",
		Long: `Prints the messages that a topic has now, queue by queue, a line for each as they are read; with --json one object on each line. Times are milliseconds since
1970, or such as 2026-11-21#15:04:05:000. consumeMessage shows a few in a table.`,
		Example: `  gantry admin printMsg -n localhost:9876 -t orders
  gantry admin printMsg -n localhost:9876 -t orders -s 'paid || shipped' -b 2026-11-21#15:00:00:000 -d false`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "topic"), p.check()); err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.printMessages(ctx, s, &p) })
		},
	}
	p.add(cmd)
	cmd.Flags().BoolVarP(&p.bodies, "printBody", "d", true, "print bodies; `true|false`")
	cmd.Flags().StringVarP(&p.parent, "lmqParentTopic", "l", "", "`topic` whose brokers have the light queue; there are none in this version")
	needsValue(cmd, "printBody")
	return cmd
}

func newPrintMsgByQueue(f *adminFlags) *cobra.Command {
	p := printing{queue: -1}
	cmd := &cobra.Command{
		Use:   "printMsgByQueue",
		Short: "Print or count all messages of a queue",
		Long: `Reads the messages that a queue has now, and says how many there are. With -p they are printed, a line for each; with -f they are counted by tag. With
--json each message is an object on a line, and the counts are the last one.`,
		Example: `  gantry admin printMsgByQueue -n localhost:9876 -t orders -a broker-a -i 0 -p true -d true
  gantry admin printMsgByQueue -n localhost:9876 -t orders -a broker-a -i 0 -f true`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "topic"), required(cmd, "brokerName"), given(cmd, "queueId"), p.check()); err != nil {
				return err
			}
			if p.queue < 0 {
				return wrongUsage("-i %d: it is not a number of a queue", p.queue)
			}
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.printMessages(ctx, s, &p) })
		},
	}
	p.add(cmd)
	flags := cmd.Flags()
	flags.StringVarP(&p.broker, "brokerName", "a", "", "`name` of the broker; required")
	flags.Int32VarP(&p.queue, "queueId", "i", -1, "`number` of the queue; required")
	flags.BoolVarP(&p.messages, "printMsg", "p", false, "print the messages; `true|false`")
	flags.BoolVarP(&p.bodies, "printBody", "d", false, "and their bodies; `true|false`")
	flags.BoolVarP(&p.countTags, "calculate", "f", false, "count them by tag; `true|false`")
	needsValue(cmd, "printMsg", "printBody", "calculate")
	return cmd
}

// add adds the options that both commands have.
func (p *printing) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&p.topic, "topic", "t", "", "`name` of the topic; required")
	flags.StringVarP(&p.charset, "charsetName", "c", "UTF-8", "`charset` of bodies")
	flags.StringVarP(&p.tags, "subExpression", "s", "*", "only messages with these `tags`, 'a || b'")
	flags.StringVarP(&p.begin, "beginTimestamp", "b", "", "only what was stored at this `time` or later")
	flags.StringVarP(&p.end, "endTimestamp", "e", "", "only what was stored before this `time`")
}

func (p *printing) check() error {
	var err error
	if p.parent != "" {
		return wrongUsage("-l %s: this version has no light queues", p.parent)
	}
	if err := onlyUTF8("-c", p.charset); err != nil {
		return err
	}
	if p.from, err = parseTime(p.begin); err != nil {
		return wrongUsage("-b: %w", err)
	}
	if p.to, err = parseTime(p.end); err != nil {
		return wrongUsage("-e: %w", err)
	}
	return nil
}

// onlyUTF8 refuses other charsets.
func onlyUTF8(option, charset string) error {
	if strings.EqualFold(charset, "UTF-8") {
		return nil
	}
	return wrongUsage("%s %s: bodies are shown as UTF-8, or as base64 with --json; leave the option out", option, charset)
}

// printMessages reads with the group of tools, whose offsets are neither used nor changed.
func (f *adminFlags) printMessages(ctx context.Context, s *session, p *printing) error {
	consumer, err := s.pullConsumer(proto.ToolsConsumerGroup, client.WithHold(0), client.WithSubscription(p.topic, client.Tags(p.tags)))
	if err != nil {
		return err
	}
	return errors.Join(f.printQueues(ctx, consumer, p), leave(consumer))
}

func (f *adminFlags) printQueues(ctx context.Context, consumer *client.PullConsumer, p *printing) error {
	queues, err := consumer.Queues(ctx, p.topic)
	if err != nil {
		return err
	}
	wanted := slices.DeleteFunc(slices.Clone(queues), func(q client.Queue) bool {
		return p.broker != "" && (q.BrokerName != p.broker || q.QueueID != p.queue)
	})
	if len(wanted) == 0 {
		return &failure{cause: fmt.Errorf("topic %s has no such queue to read", p.topic), code: exitFailed, advice: "see its queues with topicRoute"}
	}
	printer := &messagePrinter{console: f.console, asJSON: f.asJSON, printing: p, tags: map[string]int{}}
	for _, queue := range wanted {
		if err := printer.queue(ctx, consumer, queue); err != nil {
			return err
		}
	}
	return printer.finish()
}

// queue reads one queue from one end of the wanted part to the other.
func (m *messagePrinter) queue(ctx context.Context, consumer *client.PullConsumer, queue client.Queue) error {
	r := &reading{offset: -1, from: m.from, to: m.to}
	next, end, err := r.part(ctx, consumer, queue)
	if err != nil {
		return err
	}
	if err := m.begin(queue, next, end); err != nil {
		return err
	}
	for next < end {
		pulled, err := consumer.Pull(ctx, queue, next, 32)
		if err != nil {
			return err
		}
		for _, received := range pulled.Messages {
			if received.Offset < end {
				if err := m.message(received); err != nil {
					return err
				}
			}
		}
		if pulled.Next <= next {
			return nil
		}
		next = pulled.Next
	}
	return nil
}

func newQueryByOffset(f *adminFlags) *cobra.Command {
	q := struct {
		topic, broker, format string
		queue                 int32
		offset                int64
	}{}
	cmd := &cobra.Command{
		Use:     "queryMsgByOffset",
		Short:   "Find a message by its offset in a queue",
		Long:    "Shows the message that stands at an offset of a queue.",
		Example: "  gantry admin queryMsgByOffset -n localhost:9876 -t orders -b broker-a -i 0 -o 100",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "topic"), required(cmd, "brokerName"), given(cmd, "queueId"), given(cmd, "offset"), onlyUTF8("-f", q.format)); err != nil {
				return err
			}
			if q.queue < 0 || q.offset < 0 {
				return wrongUsage("-i %d -o %d: queues and offsets count from 0", q.queue, q.offset)
			}
			queue := client.Queue{Topic: q.topic, BrokerName: q.broker, QueueID: q.queue}
			return f.with(cmd, func(ctx context.Context, s *session) error {
				return f.queryByOffset(ctx, s, queue, client.QueueOffset(q.offset))
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&q.topic, "topic", "t", "", "`name` of the topic; required")
	flags.StringVarP(&q.broker, "brokerName", "b", "", "`name` of the broker; required")
	flags.Int32VarP(&q.queue, "queueId", "i", 0, "`number` of the queue; required")
	flags.Int64VarP(&q.offset, "offset", "o", 0, "`offset` in the queue; required")
	flags.StringVarP(&q.format, "bodyFormat", "f", "UTF-8", "`charset` of the body")
	return cmd
}

func (f *adminFlags) queryByOffset(ctx context.Context, s *session, queue client.Queue, offset client.QueueOffset) error {
	consumer, err := s.pullConsumer(proto.ToolsConsumerGroup, client.WithHold(0))
	if err != nil {
		return err
	}
	pulled, err := consumer.Pull(ctx, queue, offset, 1)
	if err = errors.Join(err, leave(consumer)); err != nil {
		return err
	}
	// A batch that is stored as one record brings more than was asked for.
	found := slices.DeleteFunc(pulled.Messages, func(r *client.Received) bool { return r.Offset != offset })
	nothing := fmt.Sprintf("%s has no message at %d: it has [%d, %d)", queue, offset, pulled.Min, pulled.Max)
	return f.showFound(newFoundView(found, true), nil, nothing)
}

// sortedTags lists tags, the most frequent first.
func sortedTags(counts map[string]int) []string {
	tags := slices.Sorted(maps.Keys(counts))
	slices.SortStableFunc(tags, func(a, b string) int { return counts[b] - counts[a] })
	return tags
}
