package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/node/env"
)

// SendOneway sends a message without waiting for an answer. It returns when the message is on its way out of
// this process; nothing tells whether it was stored.
//
// It waits while too many bytes are on their way to the broker already (see WithOutputLimit), for as long as the send
// timeout and the context allow; then the error is ErrBusy, with that of ctx if it was ctx that ended the wait.
func (p *Producer) SendOneway(ctx context.Context, m *Message) error {
	return p.sendOneway(ctx, m, true)
}

// TrySendOneway is SendOneway, but does not wait for the bytes before it: it returns ErrBusy at once.
func (p *Producer) TrySendOneway(ctx context.Context, m *Message) error {
	return p.sendOneway(ctx, m, false)
}

func (p *Producer) sendOneway(ctx context.Context, m *Message, waits bool) error {
	call, err := p.begin(ctx)
	if err != nil {
		return err
	}
	defer p.end(call)
	deadline := p.core.deadline(call, p.config.sendTimeout)
	s := p.take()
	defer p.give(s)
	s.mode = Oneway
	if err := p.prepare(s, m); err != nil {
		return err
	}
	to, err := p.firstTarget(call, s, order{deadline: deadline})
	if err == nil {
		err = p.identify(s)
	}
	if err != nil {
		return p.failed(s, err)
	}
	address, ok := to.broker.master()
	if !ok {
		p.core.routes.seek(to.BrokerName, false)
		return fmt.Errorf("%w: %s has no master now", ErrNoBroker, to.BrokerName)
	}
	done, err := p.runHooks(call, s, to.Queue, address, deadline)
	if err != nil {
		return err
	}
	s.header.QueueID, s.header.BrokerName = to.QueueID, to.BrokerName
	p.showSequence(s, address)
	began := p.core.env.Clock.Now()
	err = p.push(call, s, address, deadline, waits)
	if err != nil {
		// Success says nothing: nobody has heard the broker.
		p.learn(call, s, to.BrokerName, began, err)
		p.core.doubtAfter(address, err)
	}
	done(SendResult{}, err)
	return err
}

// The transport does not tell when there is room again, so it is asked again after a pause, which grows from the first
// to the second of these.
const (
	pushPause    = time.Millisecond
	pushPauseMax = 50 * time.Millisecond
)

// push hands a request without an answer to the connection.
func (p *Producer) push(call *env.Call, s *sending, address string, deadline env.Instant, waits bool) error {
	for pause := pushPause; ; pause = min(2*pause, pushPauseMax) {
		err := p.core.net.Oneway(call, address, &s.request, p.core.left(deadline))
		if !waits || !errors.Is(err, ErrBusy) {
			return p.core.explain(call, err)
		}
		now := p.core.env.Clock.Now()
		p.waitUntil(call, deadline.Sooner(now.Add(pause)))
		if p.isOver(call, deadline) {
			return p.gaveUp(call, err)
		}
	}
}

// gaveUp says why waiting for room has ended.
func (p *Producer) gaveUp(call *env.Call, busy error) error {
	if p.core.state >= closing {
		return fmt.Errorf("%w: %w", ErrClosed, busy)
	}
	if over := contextOf(call, p.core.env.Clock.Now()); over != nil {
		return fmt.Errorf("%w: %w", over, busy)
	}
	return fmt.Errorf("the send timeout is over: %w", busy)
}
