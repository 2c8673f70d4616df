package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// This file tells brokers how transactions end (END_TRANSACTION). Other clients do that one-way and know nothing of the outcome; brokers answer if they
// are asked to.

// Commit lets consumers have the message. nil means that the broker has confirmed it. Otherwise the error is, or wraps, ErrTransactionUnknown, and
// Commit may be called again; or it is ErrTransactionEnded after Rollback. It takes the send timeout at most. If ctx ends first, or has ended, the
// broker is told in the background.
func (t *Tx) Commit(ctx context.Context) error { return t.decide(ctx, TransactionCommitted) }

// Rollback drops the message. Its errors are as those of Commit.
func (t *Tx) Rollback(ctx context.Context) error { return t.decide(ctx, TransactionRolledBack) }

// Leave ends a transaction whose outcome is not known here: the broker asks about it later. It does nothing after Commit or Rollback.
func (t *Tx) Leave(ctx context.Context) error {
	call, _, err := t.producer.core.lastVisit(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	t.leave()
	return nil
}

func (t *Tx) decide(ctx context.Context, state TransactionState) error {
	p := t.producer
	gone := context.Cause(ctx)
	// A visit that is possible although the context is done.
	call, _, err := p.core.lastVisit(ctx)
	if err != nil {
		return t.unknown(state, err)
	}
	p.running++
	defer p.end(call)
	return t.end(call, gone, state)
}

// decided reports whether it was decided how the transaction ends.
func (t *Tx) decided() bool { return t.wanted != TransactionUnknown }

func (t *Tx) result() TransactionResult {
	if t == nil {
		return TransactionResult{}
	}
	r := TransactionResult{Sent: t.sent, Wanted: t.wanted, Tries: t.tries}
	if t.known {
		r.State = t.wanted
	}
	return r
}

// unknown is the error of an end that no broker has confirmed.
func (t *Tx) unknown(wanted TransactionState, err error) error {
	return fmt.Errorf("%w: %s of %s, told %d times: %w", ErrTransactionUnknown, wanted, t, t.tries, err)
}

// end tells the broker and waits until it has confirmed, unless the caller has gone. It is told by a task of its own, so that nothing is lost if the
// caller goes away.
func (t *Tx) end(call *env.Call, gone error, state TransactionState) error {
	switch {
	case t.left, t.decided() && t.wanted != state:
		return fmt.Errorf("%w: %s is %s", ErrTransactionEnded, t, t.ended())
	case t.known:
		return nil
	}
	t.wanted = state
	if t.producer.core.state >= closing {
		return t.unknown(state, ErrClosed)
	}
	if t.ending == nil {
		t.start()
	}
	ending := t.ending
	if gone == nil {
		if err, over := ending.Wait(call, env.Never); over {
			return err
		}
		gone = waitOver(call)
	}
	return t.unknown(state, fmt.Errorf("it goes on in the background: %w", gone))
}

// waitOver is why a caller waits no longer.
func waitOver(call *env.Call) error {
	if err := call.Err(); err != nil {
		return err
	}
	return context.DeadlineExceeded
}

// ended says how the transaction was decided.
func (t *Tx) ended() string {
	if t.left {
		return "left to check-backs"
	}
	return t.wanted.String()
}

// leave tells the broker that nobody knows. Nothing depends on whether it hears that.
func (t *Tx) leave() {
	if t.left || t.decided() {
		return
	}
	t.left = true
	t.producer.transactions.forget(t)
	if t.producer.core.state < closing {
		t.start()
	}
}

// start starts the task that tells the broker. Close waits for it.
func (t *Tx) start() {
	p, ending := t.producer, env.NewFuture[error](t.producer.core.env.Tasks)
	t.ending = ending
	p.running++
	p.core.env.Tasks.Go("end transaction", func() {
		about, region := t.about(), t.sent.Region
		err := p.withEndHooks(about, func() error { return t.tell() })
		if p.tracer != nil && !t.sent.TraceOff {
			p.tracer.ended(about, region)
		}
		switch {
		case err != nil:
			p.core.env.Log.Warn("a broker has not confirmed the end of a transaction; it will ask", zap.Error(err))
			p.transactions.keep(t)
		case t.decided():
			p.transactions.settle(t, false)
		}
		t.ending = nil
		ending.Set(err)
		p.ended()
	})
}

// about is what hooks and traces are told.
func (t *Tx) about() TransactionEnd {
	address, _ := t.master()
	return TransactionEnd{
		Group: t.producer.config.space.bare(t.producer.config.group), Message: t.message, UniqueID: t.id, TransactionID: t.id,
		Address: address, State: t.wanted,
	}
}

// The pauses between tries to tell a broker grow from the first to the second of these.
const (
	endPause    = 50 * time.Millisecond
	endPauseMax = time.Second
)

// tell tries until the broker has confirmed, or the send timeout is over.
func (t *Tx) tell() error {
	p := t.producer
	deadline := p.core.env.Clock.Now().Add(p.config.sendTimeout)
	if !t.decided() {
		return t.tellUnknown(deadline)
	}
	for pause := endPause; ; pause = min(2*pause, endPauseMax) {
		t.tries++
		err := t.try(p.tryDeadline(deadline, false))
		until := p.core.env.Clock.Now().Add(pause)
		if err == nil {
			return nil
		}
		if !mayTellAgain(err) || deadline.Reached(until) || p.core.state >= closing {
			return t.unknown(t.wanted, err)
		}
		p.waitUntil(nil, until)
	}
}

// try asks for an answer.
func (t *Tx) try(deadline env.Instant) error {
	core := t.producer.core
	address, err := t.master()
	if err == nil {
		_, err = core.ask(nil, address, t.request(), deadline)
	}
	if err != nil {
		// There may be another master by now.
		core.routes.suspect(t.topic)
	}
	return err
}

// tellUnknown asks for no answer: brokers give none to that.
func (t *Tx) tellUnknown(deadline env.Instant) error {
	core := t.producer.core
	t.tries++
	address, err := t.master()
	if err != nil {
		return err
	}
	request := t.request()
	request.Fields = core.fields
	return core.net.Oneway(nil, address, request, core.left(deadline))
}

// master is the address of the broker that has the half message.
func (t *Tx) master() (string, error) {
	name := t.broker
	if b := t.producer.core.brokers.byName[name]; b != nil {
		if address, ok := b.master(); ok {
			return address, nil
		}
	}
	return "", fmt.Errorf("%w: %s has no master now", ErrNoBroker, name)
}

func (t *Tx) request() *transport.Request {
	return &transport.Request{Code: proto.ReqEndTransaction, Header: &proto.EndTransaction{
		Topic: t.topic, ProducerGroup: t.producer.config.group, HalfOffset: t.halfOffset, LogOffset: t.logOffset,
		Outcome: t.wanted.outcome(), UniqueID: t.id, TransactionID: t.sent.TransactionID, BrokerName: t.broker,
	}}
}

// mayTellAgain reports whether another try to end a transaction may go better. A broker that refuses for another reason keeps the half message and
// asks about it.
func mayTellAgain(err error) bool {
	var answer *ResponseError
	if !errors.As(err, &answer) {
		return !errors.Is(err, ErrClosed)
	}
	switch answer.Code {
	case proto.RespSystemBusy, proto.RespFlowControl, proto.RespServiceNotAvailable, proto.RespSlaveNotAvailable, proto.RespGoAway:
		return true
	}
	return false
}

// transactions are those that this producer can tell something of.
type transactions struct {
	open map[string]*Tx // by id: those under way, and kept
	kept []*Tx          // decided, but not confirmed by a broker, or with other half messages; oldest first, len <= keptMax
}

// keptMax is how many transactions are kept for the case that a broker asks about them. Listeners know the others.
const keptMax = 1024

// add reports false if one with the same id is under way.
func (s *transactions) add(t *Tx) bool {
	if before := s.open[t.id]; before != nil {
		if !slices.Contains(s.kept, before) {
			return false
		}
		s.forget(before)
	}
	s.open[t.id] = t
	return true
}

func (s *transactions) forget(t *Tx) {
	if s.open[t.id] == t {
		delete(s.open, t.id)
	}
	if i := slices.Index(s.kept, t); i >= 0 {
		s.kept = slices.Delete(s.kept, i, i+1)
	}
}

// settle is for a transaction whose end a broker has confirmed. If its send took several tries, other brokers may ask what to do with the half messages that
// these have left, and others say that there are some.
func (s *transactions) settle(t *Tx, others bool) {
	t.known = true
	if others || t.sent.Tries > 1 {
		s.keep(t)
	} else {
		s.forget(t)
	}
}

// keep remembers how a transaction was decided.
func (s *transactions) keep(t *Tx) {
	if !t.decided() || s.open[t.id] != t || slices.Contains(s.kept, t) {
		return
	}
	if len(s.kept) >= keptMax {
		s.forget(s.kept[0])
	}
	// The body may be large, and is not needed any more.
	bodiless := *t.message
	bodiless.Body = nil
	t.message = &bodiless
	s.kept = append(s.kept, t)
}

// underWay reports whether brokers may want to ask about a transaction that has not ended.
func (s *transactions) underWay() bool { return len(s.open) > len(s.kept) }
