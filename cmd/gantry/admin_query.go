package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/spf13/cobra"
)

// search is what the commands that look for messages are told.
type search struct {
	topic, cluster, key string
	ids                 string // with commas between them
	begin, end          string
	count               int
	all                 bool
	action              action
	format, unit        string
}

func newQueryByKey(f *adminFlags) *cobra.Command {
	var q search
	cmd := &cobra.Command{
		Use:   "queryMsgByKey",
		Short: "Find messages by a business key",
		Long: `Finds the newest messages of a topic that have a key, at all brokers of the topic. Times are milliseconds since
1970, or such as 2026-11-21#15:04:05:000.`,
		Example: `  gantry admin queryMsgByKey -n localhost:9876 -t orders -k order-17
  gantry admin queryMsgByKey -n localhost:9876 -t orders -k order-17 -b 2026-11-21#15:00:00:000 -m 10`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "topic"), required(cmd, "msgKey")); err != nil {
				return err
			}
			query, err := q.byKey()
			if err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error {
				found, err := s.admin.FindByKey(ctx, query)
				return f.showFound(newFoundView(found, false), err, fmt.Sprintf("no message of topic %s has the key %s", q.topic, q.key))
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&q.topic, "topic", "t", "", "`name` of the topic; required")
	flags.StringVarP(&q.key, "msgKey", "k", "", "the `key`; required")
	flags.StringVarP(&q.begin, "beginTimestamp", "b", "", "find what was stored at this `time` or later")
	flags.StringVarP(&q.end, "endTimestamp", "e", "", "find what was stored at this `time` or before")
	flags.IntVarP(&q.count, "maxNum", "m", 64, "find at most this `number` of messages at each broker, up to 64")
	flags.StringVarP(&q.cluster, "cluster", "c", "", "ask the brokers of this `cluster` instead of those of the topic")
	return cmd
}

func (q *search) byKey() (client.KeyQuery, error) {
	query := client.KeyQuery{Topic: q.topic, Key: q.key, Max: q.count, Cluster: q.cluster}
	var err error
	if q.count < 1 || q.count > 64 {
		return query, wrongUsage("-m: %d is not a number of messages between 1 and 64", q.count)
	}
	if query.From, err = parseTime(q.begin); err != nil {
		return query, wrongUsage("-b: %w", err)
	}
	if query.To, err = parseTime(q.end); err != nil {
		return query, wrongUsage("-e: %w", err)
	}
	return query, nil
}

func newQueryByUniqueKey(f *adminFlags) *cobra.Command {
	var q search
	var id string
	cmd := &cobra.Command{
		Use:   "queryMsgByUniqueKey",
		Short: "Find a message by the id that its sender gave it",
		Long:  "Finds the message with an id that its sender gave it. Of several, as after a send that was tried again, the newest is shown, or all with -a.",
		Example: `  gantry admin queryMsgByUniqueKey -n localhost:9876 -t orders -i 7F000001001234873B5D6A8C5FA20000
  gantry admin queryMsgByUniqueKey -n localhost:9876 -t orders -i 7F000001001234873B5D6A8C5FA20000 -a
  gantry admin queryMsgByUniqueKey -n localhost:9876 -t orders -i ID -g billing -d 192.168.1.7@12345`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "topic"), required(cmd, "msgId"), q.action.check()); err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error {
				found, err := s.byUniqueID(ctx, &q, id)
				if len(found) > 0 && !q.all {
					found = found[len(found)-1:]
				}
				return f.showOrAct(ctx, s, &q.action, found, err, fmt.Sprintf("no message of topic %s has the id %s", q.topic, id))
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&id, "msgId", "i", "", "the `id`; required")
	flags.StringVarP(&q.topic, "topic", "t", "", "`name` of the topic; required")
	flags.BoolVarP(&q.all, "showAll", "a", false, "show all messages with that id")
	flags.StringVarP(&q.cluster, "cluster", "c", "", "ask the brokers of this `cluster` instead of those of the topic")
	q.action.add(cmd)
	return cmd
}

func newQueryByID(f *adminFlags) *cobra.Command {
	var q search
	cmd := &cobra.Command{
		Use:   "queryMsgById",
		Short: "Find a message by where it is stored",
		Long: `Shows the messages with ids that say where they are stored (offsetMsgId). An id that names none of the brokers is taken for
one that the sender gave (see queryMsgByUniqueKey).`,
		Example: `  gantry admin queryMsgById -n localhost:9876 -t orders -i 7F00000100002A9F0000000000000000
  gantry admin queryMsgById -n localhost:9876 -t orders -i ID,ID
  gantry admin queryMsgById -n localhost:9876 -t orders -i ID -s true`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "topic"), required(cmd, "msgId"), q.action.check(), onlyUTF8("-f", q.format)); err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.queryByID(ctx, s, &q) })
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&q.topic, "topic", "t", "", "`name` of the topic; required")
	flags.StringVarP(&q.ids, "msgId", "i", "", "the `ids`, with commas between them; required")
	flags.StringVarP(&q.cluster, "cluster", "c", "", "ask the brokers of this `cluster` instead of those of the topic")
	flags.StringVarP(&q.format, "bodyFormat", "f", "UTF-8", "`charset` of the body")
	flags.BoolVarP(&q.action.resend, "sendMessage", "s", false, "instead of showing it, send a copy of it; `true|false`")
	flags.StringVarP(&q.unit, "unitName", "u", "", "`unit` that a copy is sent from, which makes no difference")
	q.action.add(cmd)
	needsValue(cmd, "sendMessage")
	return cmd
}

func (f *adminFlags) queryByID(ctx context.Context, s *session, q *search) error {
	var found []*client.Received
	var failures []error
	for id := range strings.SplitSeq(q.ids, ",") {
		part, err := s.byID(ctx, q, strings.TrimSpace(id))
		found = append(found, part...)
		failures = append(failures, err)
	}
	return f.showOrAct(ctx, s, &q.action, found, errors.Join(failures...), "there is no message with such an id")
}

// byID reads a message from the broker that its id names, if that is one that the name servers know.
func (s *session) byID(ctx context.Context, q *search, id string) ([]*client.Received, error) {
	at, err := message.ParseOffsetID(id)
	if err != nil {
		return s.byUniqueID(ctx, q, id)
	}
	broker, err := s.brokerAt(ctx, at.StoreHost.String())
	if err != nil {
		return nil, err
	}
	if broker == "" {
		found, err := s.byUniqueID(ctx, q, id)
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("message %s: the name servers know no broker at %s, which the id names, and no message has it as the sender's id", id, at.StoreHost)
		}
		return found, err
	}
	found, err := s.admin.ViewMessage(ctx, at)
	if err != nil {
		return nil, err
	}
	found.Queue.BrokerName = broker
	return []*client.Received{found}, nil
}

func (s *session) byUniqueID(ctx context.Context, q *search, id string) ([]*client.Received, error) {
	return s.admin.FindByKey(ctx, client.KeyQuery{Topic: q.topic, Key: id, UniqueID: true, Cluster: q.cluster})
}

// brokerAt is the name of the broker at an address, "" if nobody knows one.
func (s *session) brokerAt(ctx context.Context, address string) (string, error) {
	info, err := s.admin.Cluster(ctx)
	if err != nil {
		return "", err
	}
	for i := range info.Brokers {
		if slices.ContainsFunc(info.Brokers[i].Addresses, func(a proto.BrokerAddress) bool { return a.Address == address }) {
			return info.Brokers[i].BrokerName, nil
		}
	}
	return "", nil
}

// showOrAct shows what was found, or does with it what was asked for.
func (f *adminFlags) showOrAct(ctx context.Context, s *session, a *action, found []*client.Received, err error, nothing string) error {
	if len(found) == 0 || !a.wanted() {
		return f.showFound(newFoundView(found, true), err, nothing)
	}
	return errors.Join(err, f.apply(ctx, s, a, found))
}

// showFound shows what was found, also beside an error. Nothing at all is a failure, so that scripts notice.
func (f *adminFlags) showFound(v *foundView, err error, nothing string) error {
	if len(v.Messages) > 0 || err == nil && f.asJSON {
		if shown := f.show(v); shown != nil {
			return shown
		}
	}
	switch {
	case err != nil && len(v.Messages) > 0:
		return &failure{cause: err, code: exitPartly, advice: "repeat the command once all brokers can be reached"}
	case err == nil && len(v.Messages) == 0:
		return &failure{cause: errors.New(nothing), code: exitFailed, advice: "see what the topic holds with consumeMessage, and how long brokers keep it (fileReservedTime, reserve.time)"}
	}
	return err
}
