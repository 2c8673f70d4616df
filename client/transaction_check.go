package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// checks are those that wait for the listener, or are with it.
type checks struct {
	waiting    []*checkBack
	bytes      int                   // of the bodies of those that wait
	byID       map[string]*checkBack // those that wait and those with the listener, by broker and transaction
	running    int                   // tasks that call the listener; <= config.checksAtOnce
	complained bool                  // that there is no listener
}

// checkBack is a question of a broker about a transaction (CHECK_TRANSACTION_STATE).
type checkBack struct {
	key    string // "": it says not what it is about
	conn   *transport.Conn
	header proto.CheckTransactionState // of the last time the broker asked: it moves the half message each time
	body   []byte
}

// checkBytesMax bounds the half messages that wait for the listener, in bytes. One is always let in.
const checkBytesMax = 64 << 20

// serveCheck takes a question. It runs as the reader of a connection. Nobody waits for an answer to it: that is an END_TRANSACTION.
func (p *Producer) serveCheck(in *transport.Incoming) {
	c := &checkBack{conn: in.Conn}
	if err := c.header.DecodeFields(in.Command.Fields); err != nil {
		p.core.env.Log.Warn("a question about a transaction cannot be read", zap.Error(err))
		in.Reply().Error(proto.RespSystemError, err.Error())
		return
	}
	in.Reply().Success(nil)
	if p.core.state != open {
		// The broker asks again, another producer.
		return
	}
	id := cmp.Or(c.header.UniqueID, c.header.TransactionID)
	if t := p.transactions.open[id]; t != nil {
		p.checkOwn(t, c)
		return
	}
	if p.config.listener == nil {
		p.answerWithoutListener(c)
		return
	}
	if id != "" {
		c.key = in.Conn.Address() + " " + id
	}
	p.queueCheck(c, in.Command.Body)
}

// checkOwn answers for a transaction that is under way here, or was decided here and the broker did not hear of it. The listener is not asked: it could
// not know yet.
func (p *Producer) checkOwn(t *Tx, c *checkBack) {
	own := t.isOwn(c)
	switch {
	case !t.decided() || t.ending != nil:
		p.answerUnknown(c)
		return
	case !own && (t.known || t.wanted == TransactionRolledBack):
		p.dropOther(t, c)
		return
	}
	// Whoever ends it meanwhile gets the outcome of this.
	ending := env.NewFuture[error](p.core.env.Tasks)
	t.ending = ending
	p.running++
	p.core.env.Tasks.Go("answer for a transaction", func() {
		err := p.answer(c, t.message, t.wanted)
		if err != nil {
			err = t.unknown(t.wanted, err)
		} else {
			// The broker of the other half message may be gone for ever; if it is not, that one is dropped.
			if !own {
				t.replaced = t.logOffset
				t.countsFrom(c)
			}
			p.transactions.settle(t, !own)
		}
		t.ending = nil
		ending.Set(err)
		p.ended()
	})
}

// isOwn reports whether a question is about the half message that counts. Apache's brokers have moved it before they ask, so from now on it may stand
// elsewhere.
func (t *Tx) isOwn(c *checkBack) bool {
	if !t.isAt(c) || t.replaced != 0 && c.header.LogOffset == t.replaced {
		return false
	}
	if c.header.LogOffset > t.logOffset {
		t.countsFrom(c)
	}
	return c.header.LogOffset == t.logOffset
}

// isAt reports whether a question comes from the broker that has the half message that counts. Older brokers do not tell their names.
func (t *Tx) isAt(c *checkBack) bool {
	if c.header.BrokerName != "" {
		return c.header.BrokerName == t.broker
	}
	address, err := t.master()
	return err == nil && address == c.conn.Address()
}

// countsFrom makes the half message of a question the one that counts.
func (t *Tx) countsFrom(c *checkBack) {
	if c.header.BrokerName != "" {
		t.broker = c.header.BrokerName
	}
	t.halfOffset, t.logOffset = c.header.HalfOffset, c.header.LogOffset
}

// dropOther answers about a half message that an earlier try of the send has left. If it were committed, too, consumers would get the message twice.
func (p *Producer) dropOther(t *Tx, c *checkBack) {
	p.running++
	p.core.env.Tasks.Go("drop another half message", func() {
		_ = p.answer(c, t.message, TransactionRolledBack)
		p.ended()
	})
}

func (p *Producer) answerWithoutListener(c *checkBack) {
	if !p.checks.complained {
		p.checks.complained = true
		p.core.env.Log.Warn("a broker asks about a transaction, and this producer has no listener (WithTransactionListener): it does not know",
			zap.Stringer("check", &c.header))
	}
	p.answerUnknown(c)
}

// queueCheck lets the listener be asked. If the broker asks again before it has answered, it gets one answer.
func (p *Producer) queueCheck(c *checkBack, body []byte) {
	if before := p.checks.byID[c.key]; before != nil {
		before.conn, before.header = c.conn, c.header
		return
	}
	q := &p.checks
	if n := len(q.waiting); n >= p.config.checksWaiting || n > 0 && q.bytes+len(body) > checkBytesMax {
		p.core.env.Log.Warn("the transaction listener is too slow: a question is dropped, the broker asks again", zap.Int("waiting", n), zap.Stringer("check", &c.header))
		return
	}
	c.body = slices.Clone(body)
	q.waiting, q.bytes = append(q.waiting, c), q.bytes+len(c.body)
	if c.key != "" {
		q.byID[c.key] = c
	}
	if q.running < p.config.checksAtOnce {
		q.running++
		p.running++
		p.core.env.Tasks.Go("check transactions", p.checkLoop)
	}
}

// checkLoop is a task that calls the listener as long as there are questions, or until Close begins.
func (p *Producer) checkLoop() {
	q := &p.checks
	for p.core.state == open && len(q.waiting) > 0 {
		c := q.waiting[0]
		q.waiting, q.bytes = slices.Delete(q.waiting, 0, 1), q.bytes-len(c.body)
		m, state, err := p.askListener(c)
		delete(q.byID, c.key)
		if err != nil {
			p.core.env.Log.Warn("a question about a transaction has no answer", zap.Stringer("check", &c.header), zap.Error(err))
			continue
		}
		_ = p.answer(c, &m.Message, state)
	}
	q.running--
	p.ended()
}

// askListener runs the listener without the baton. A panic counts as unknown.
func (p *Producer) askListener(c *checkBack) (m *Received, state TransactionState, err error) {
	header := c.header // the reader may replace the other
	var panicked error
	p.core.env.Tasks.Offload(func() {
		if m, err = p.checkedMessage(&header, c.body); err == nil {
			panicked = contained(func() { state = p.config.listener(context.Background(), m) })
		}
	})
	if panicked != nil {
		p.core.env.Log.Error("the transaction listener panicked", zap.Stringer("check", &header), zap.Error(panicked))
		state = TransactionUnknown
	}
	return m, state, err
}

// checkedMessage is the half message that a question is about.
func (p *Producer) checkedMessage(h *proto.CheckTransactionState, body []byte) (*Received, error) {
	d := decoder{limit: p.config.unpackedMax, space: p.config.space}
	all, err := d.decode(body)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errors.New("it has no message")
	}
	m := all[0]
	if group := m.Properties.Get(message.PropertyProducerGroup); group != "" && group != p.config.group {
		return nil, fmt.Errorf("it is about a transaction of the group %s", group)
	}
	m.Queue.BrokerName = h.BrokerName
	m.TransactionID = cmp.Or(m.TransactionID, m.UniqueID(), h.TransactionID)
	return m, nil
}

// answerUnknown makes the broker ask again. Nobody waits for an answer to that.
func (p *Producer) answerUnknown(c *checkBack) {
	request := p.answerTo(c, cmp.Or(c.header.UniqueID, c.header.TransactionID), TransactionUnknown)
	if err := c.conn.Oneway(request); err != nil {
		p.core.env.Log.Debug("a broker was not told that a transaction is under way", zap.Error(err))
	}
}

// answer tells the broker how a transaction ends. If that fails it asks again.
func (p *Producer) answer(c *checkBack, m *Message, state TransactionState) error {
	id := cmp.Or(m.UniqueID(), c.header.UniqueID, c.header.OffsetID)
	about := TransactionEnd{
		Group: p.config.space.bare(p.config.group), Message: m, UniqueID: id, TransactionID: cmp.Or(c.header.TransactionID, id),
		Address: c.conn.Address(), State: state, AnswersCheck: true,
	}
	err := p.withEndHooks(about, func() error {
		request := p.answerTo(c, id, state)
		if state.outcome() == proto.OutcomeUnknown {
			return c.conn.Oneway(request)
		}
		response, err := c.conn.Call(nil, request, p.core.env.Clock.Now().Add(p.config.requestTimeout))
		if err != nil {
			return err
		}
		return transport.Check(request.Code, c.conn.Address(), response)
	})
	if p.tracer != nil && m.Properties.Get(message.PropertyTraceOn) != "false" {
		p.tracer.ended(about, cmp.Or(m.Properties.Get(message.PropertyRegion), proto.DefaultRegion))
	}
	if err != nil {
		p.core.env.Log.Warn("the answer to a question about a transaction was not taken; the broker asks again", zap.Stringer("check", &c.header), zap.Error(err))
	}
	return err
}

func (p *Producer) answerTo(c *checkBack, id string, state TransactionState) *transport.Request {
	h := &c.header
	return &transport.Request{Code: proto.ReqEndTransaction, Fields: p.core.fields, Header: &proto.EndTransaction{
		Topic: h.Topic, ProducerGroup: p.config.group, HalfOffset: h.HalfOffset, LogOffset: h.LogOffset, Outcome: state.outcome(),
		AnswersCheck: true, UniqueID: id, TransactionID: h.TransactionID, BrokerName: h.BrokerName,
	}}
}

// findTransactionBrokers is a task that makes this producer known to the brokers of the listener's topics, before it sends anything: they may have
// questions about transactions of a producer that is gone.
func (p *Producer) findTransactionBrokers() {
	k := p.core
	for _, topic := range p.config.listenerTopics {
		for k.state < closing {
			_, err := k.routes.fetch(nil, k.config.space.full(topic), false, env.Never)
			if err == nil {
				break
			}
			k.env.Log.Info("the brokers of a topic with transactions are not known yet", zap.String("topic", topic), zap.Error(err))
			k.pause(k.config.routeRefreshEvery)
		}
	}
}
