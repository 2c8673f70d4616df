package client

import (
	"context"
	"fmt"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// exchange waits for the answer to one send. It takes from the response only what a SendResult
// needs, so that nothing is copied, and is used again for the next send.
type exchange struct {
	answered env.Cond
	over     bool
	code     int32
	remark   string
	header   proto.SendMessageResponse
	err      error
}

// Complete is called by the connection, once.
func (x *exchange) Complete(response *wire.Command, err error) {
	x.over, x.err = true, err
	if response != nil {
		x.code, x.remark = response.Code, response.Remark
		if _, stored := statusOf(x.code); stored {
			x.err = x.header.DecodeFields(response.Fields)
		}
	}
	x.answered.Broadcast()
}

// wait reports whether the answer came. If it did not, the connection still holds x, which
// must not be used again.
func (x *exchange) wait(call *env.Call, deadline env.Instant) bool {
	for !x.over && call.Wait(x.answered, deadline) {
	}
	return x.over
}

// exchangesMax is how many idle exchanges are kept.
const exchangesMax = 256

// exchanges are those not in use.
type exchanges struct {
	tasks env.Tasks
	idle  []*exchange // len <= exchangesMax
}

func (p *exchanges) take() *exchange {
	if n := len(p.idle); n > 0 {
		x := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return x
	}
	return &exchange{answered: p.tasks.NewCond()}
}

func (p *exchanges) give(x *exchange) {
	if len(p.idle) < exchangesMax {
		*x = exchange{answered: x.answered}
		p.idle = append(p.idle, x)
	}
}

// attempt sends once and waits for the answer, with the hooks around it. Its errors are those of the transport, ErrNoBroker,
// ErrForbidden, and *ResponseError.
func (p *Producer) attempt(call *env.Call, s *sending, to target, deadline env.Instant) (result SendResult, err error) {
	address, ok := to.broker.master()
	if !ok {
		return SendResult{}, fmt.Errorf("%w: %s has no master now", ErrNoBroker, to.BrokerName)
	}
	done, err := p.runHooks(call, s, to.Queue, address, deadline)
	if err != nil {
		return SendResult{}, err
	}
	began, wall := p.core.env.Clock.Now(), p.core.env.Clock.Wall()
	result, err = p.try(call, s, to, address, deadline)
	p.learn(call, s, to.BrokerName, began, err)
	if err == nil && p.tracer != nil {
		p.tracer.published(s, address, wall, p.core.env.Clock.Now().Sub(began), &result)
	}
	done(result, err)
	return result, err
}

// try sends once and waits for the answer.
func (p *Producer) try(call *env.Call, s *sending, to target, address string, deadline env.Instant) (SendResult, error) {
	if s.asks {
		if err := p.introduce(call, address, deadline); err != nil {
			return SendResult{}, err
		}
	}
	if err := p.meet(call, s, address, deadline); err != nil {
		return SendResult{}, err
	}
	s.header.QueueID, s.header.BrokerName = to.QueueID, to.BrokerName
	if p.showSequence(s, address); s.bound && s.header.Sequence == 0 {
		return SendResult{}, fmt.Errorf("%w: %s may have the message, and %w", ErrNotSent, address, errCeased)
	}
	x, err := p.exchange(call, s, address, deadline)
	if err != nil {
		return SendResult{}, p.core.explain(call, err)
	}
	defer p.exchanges.give(x)
	status, stored := statusOf(x.code)
	switch {
	case x.err != nil:
		return SendResult{}, p.core.explain(call, x.err)
	case !stored:
		return SendResult{}, s.forgotten(&ResponseError{Request: s.request.Code, Code: x.code, Remark: x.remark, Address: address})
	}
	return s.result(status, p.config.space.bareQueue(to.Queue), &x.header), nil
}

// exchange returns an exchange that is over.
func (p *Producer) exchange(call *env.Call, s *sending, address string, deadline env.Instant) (*exchange, error) {
	conn, err := p.core.net.Conn(call, address, deadline)
	if err != nil {
		return nil, err
	}
	x := p.exchanges.take()
	if err := conn.Start(&s.request, deadline, x); err != nil {
		p.exchanges.give(x)
		return nil, err
	}
	if !x.wait(call, deadline.Sooner(p.core.env.Clock.Now().Add(unansweredFor))) {
		// A master that is gone without a word answers nobody. Meanwhile there may be another one.
		p.core.routes.doubtAddress(address, false)
		if !x.wait(call, deadline) {
			return nil, p.unanswered(call, s, address)
		}
	}
	if x.code == proto.RespGoAway {
		return x, p.askAgain(call, s, address, deadline, x)
	}
	return x, nil
}

func (p *Producer) unanswered(call *env.Call, s *sending, address string) error {
	name := proto.RequestName(s.request.Code)
	if call.Err() != nil {
		return fmt.Errorf("%s to %s: %w: %w", name, address, transport.ErrCancelled, call.Err())
	}
	return fmt.Errorf("%s to %s: %w", name, address, ErrTimeout)
}

// askAgain repeats a send to a broker that is shutting down over a new connection, which the
// transport's own Call makes.
func (p *Producer) askAgain(call *env.Call, s *sending, address string, deadline env.Instant, x *exchange) error {
	response, err := p.core.net.Call(call, address, &s.request, p.core.left(deadline))
	if response == nil {
		return err
	}
	x.Complete(response, nil)
	return nil
}

// contextOf gives the error of a call's context: nil while it is not over.
func contextOf(call *env.Call, now env.Instant) error {
	if err := call.Err(); err != nil {
		return err
	}
	if call.Deadline().Reached(now) {
		return context.DeadlineExceeded
	}
	return nil
}
