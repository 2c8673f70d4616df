package client_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// half is a half message at a fake broker.
type half struct {
	record  message.Record
	outcome proto.TransactionOutcome // once it has ended
}

// end is an END_TRANSACTION as it arrived.
type end struct {
	header proto.EndTransaction
	oneway bool
}

// transactor is what a fake broker does for transactions: it stores half messages, ends them, and asks.
type transactor struct {
	b         *broker
	status    int32 // answered to half messages
	badPlace  bool  // half messages are stored nobody knows where
	silent    bool  // half messages are not answered
	halves    []*half
	ends      []end
	producers map[string]*transport.Conn // by group
	// first answers an end in place of the broker, or lets it pass by returning false.
	first func(in *transport.Incoming) bool
}

// transacts makes a broker serve transactions.
func (b *broker) transacts() *transactor {
	s := &transactor{b: b, producers: map[string]*transport.Conn{}}
	b.intercept = s.serve
	return s
}

func (s *transactor) serve(in *transport.Incoming) bool {
	switch in.Command.Code {
	case proto.ReqHeartbeat:
		for _, p := range s.b.heartbeats[len(s.b.heartbeats)-1].Producers {
			s.producers[p.Group] = in.Conn
		}
	case proto.ReqSendMessageV2:
		sent := s.b.sends[len(s.b.sends)-1]
		if sent.property(message.PropertyHalfMessage) != "true" {
			return false
		}
		s.store(in, sent)
		return true
	case proto.ReqEndTransaction:
		e := end{oneway: in.Command.IsOneway()}
		must(e.header.DecodeFields(in.Command.Fields))
		s.ends = append(s.ends, e)
		if s.first == nil || !s.first(in) {
			s.end(in, e)
		}
		return true
	}
	return false
}

func (s *transactor) store(in *transport.Incoming, sent sent) {
	n := int64(len(s.halves))
	r := message.Record{
		QueueID: sent.header.QueueID, QueueOffset: message.QueueOffset(n), LogOffset: message.LogOffset(1000 * (n + 1)),
		SysFlags: message.SysFlags(sent.header.SysFlags), BornAt: sent.header.BornAt, BornHost: s.b.host, StoredAt: int64(s.b.env.Clock.Wall()), StoreHost: s.b.host,
		Body: sent.body, Topic: []byte(sent.header.Topic), Properties: []byte(sent.header.Properties),
	}
	s.halves = append(s.halves, &half{record: r})
	id := r.OffsetID().String()
	switch {
	case s.silent:
		return
	case s.badPlace:
		id = "somewhere"
	}
	in.Reply().Send(s.status, &proto.SendMessageResponse{
		OffsetID: id, QueueID: r.QueueID, QueueOffset: n, TransactionID: sent.property(message.PropertyUniqueID),
	}, nil)
}

// end does what Apache's brokers do: it gives no answer to "unknown".
func (s *transactor) end(in *transport.Incoming, e end) {
	if e.header.Outcome == proto.OutcomeUnknown {
		return
	}
	i := slices.IndexFunc(s.halves, func(h *half) bool {
		return int64(h.record.LogOffset) == e.header.LogOffset && int64(h.record.QueueOffset) == e.header.HalfOffset
	})
	if i < 0 {
		in.Reply().Error(proto.RespSystemError, "Find prepared transaction message failed")
		return
	}
	s.halves[i].outcome = e.header.Outcome
	in.Reply().Success(nil)
}

// check asks a producer of the group about a half message.
func (s *transactor) check(i int) { s.checkAs(i, nil) }

func (s *transactor) checkAs(i int, change func(h *proto.CheckTransactionState, body *[]byte)) {
	r := &s.halves[i].record
	h := &proto.CheckTransactionState{
		Topic: string(r.Topic), HalfOffset: int64(r.QueueOffset), LogOffset: int64(r.LogOffset), UniqueID: s.idOf(i), TransactionID: s.idOf(i),
		OffsetID: r.OffsetID().String(), BrokerName: s.b.name,
	}
	body := must1(message.AppendRecord(nil, r))
	if change != nil {
		change(h, &body)
	}
	for _, conn := range s.producers {
		_ = conn.Oneway(&transport.Request{Code: proto.ReqCheckTransactionState, Header: h, Body: body})
	}
}

// move stores a half message again, as brokers do when they ask, and returns its number.
func (s *transactor) move(i int) int {
	r := s.halves[i].record
	r.QueueOffset, r.LogOffset = message.QueueOffset(len(s.halves)), message.LogOffset(1000*(len(s.halves)+1))
	s.halves = append(s.halves, &half{record: r})
	return len(s.halves) - 1
}

func (s *transactor) idOf(i int) string {
	return message.PropertyString(s.halves[i].record.Properties, message.PropertyUniqueID)
}

// outcomes are those of all half messages.
func (s *transactor) outcomes() (all []string) {
	for _, h := range s.halves {
		all = append(all, h.outcome.String())
	}
	return all
}

// newTransactions is a cluster with one broker, which serves transactions.
func newTransactions(t *testing.T) (*cluster, *transactor) {
	t.Helper()
	c := onlyBrokerA(t)
	return c, c.a.transacts()
}

// losing drops the answers to the first ends, after or before the broker has carried them out.
func (s *transactor) losing(answers int, carriedOut bool) {
	s.first = func(in *transport.Incoming) bool {
		if answers--; answers < 0 {
			return false
		}
		if carriedOut {
			for _, h := range s.halves {
				if int64(h.record.LogOffset) == s.ends[len(s.ends)-1].header.LogOffset {
					h.outcome = s.ends[len(s.ends)-1].header.Outcome
				}
			}
		}
		return true
	}
}

// listener is one that remembers what it was asked.
type listener struct {
	asked  []*client.Received
	answer client.TransactionState
	wait   func()
}

func (l *listener) option(topics ...string) client.ProducerOption {
	return client.WithTransactionListener(l.listen, topics...)
}

func (l *listener) listen(_ context.Context, m *client.Received) client.TransactionState {
	l.asked = append(l.asked, m)
	if l.wait != nil {
		l.wait()
	}
	return l.answer
}

// known makes a producer with a listener that the broker knows.
func (c *cluster) knownProducer(s *transactor, options ...client.ProducerOption) *client.Producer {
	p := c.producer(options...)
	must1(p.Send(background, hello()))
	c.eventually("the broker knows the producer", func() bool { return s.producers["producers"] != nil })
	return p
}

// orphan is a half message that a producer left which is gone.
func (s *transactor) orphan(topic string, properties ...string) int {
	var list message.Properties
	for i := 0; i+1 < len(properties); i += 2 {
		list.Set(properties[i], properties[i+1])
	}
	n := len(s.halves)
	s.halves = append(s.halves, &half{record: message.Record{
		QueueID: 1, QueueOffset: message.QueueOffset(n), LogOffset: message.LogOffset(1000 * (n + 1)), BornHost: s.b.host, StoreHost: netip.MustParseAddrPort("10.0.0.2:10911"),
		Body: []byte("orphan"), Topic: []byte(topic), Properties: must1(list.Append(nil)),
	}})
	return n
}

// soon is long enough for a question and its answer.
const soon = 100 * time.Millisecond
