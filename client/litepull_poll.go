package client

import (
	"context"
	"fmt"
	"iter"

	"github.com/gantrymq/gantry/node/env"
)

// Poll waits for messages and returns up to so many of one queue, in its order. The queues take turns. The error is that of ctx,
// ErrClosed, ErrMode before Subscribe or Assign, or what kept the consumer from reaching a name server.
//
// Unless WithAutoCommit(0) is given, Poll also says that all messages of earlier calls are consumed: they are committed within
// the interval. So several goroutines that poll at once should commit by hand.
func (c *LitePullConsumer) Poll(ctx context.Context, most int) ([]*Received, error) {
	call, err := c.enter(ctx)
	if err != nil {
		if ctx.Err() != nil {
			c.consumedAfterAll()
		}
		return nil, err
	}
	defer call.Leave()
	switch {
	case most < 1:
		return nil, fmt.Errorf("%w: %d messages cannot be polled: give a number above 0", ErrOption, most)
	case c.mode == modeNone:
		return nil, fmt.Errorf("%w: Subscribe or Assign first", ErrMode)
	}
	c.consumed()
	for {
		if messages := c.handOut(most); len(messages) > 0 {
			return messages, nil
		}
		if c.engine.core.state != open {
			return nil, ErrClosed
		}
		if !call.Wait(c.engine.arrived, env.Never) {
			if err := contextOf(call, c.engine.core.env.Clock.Now()); err != nil {
				return nil, err
			}
		}
	}
}

// consumed notes that everything handed out was consumed, if that is how it goes.
func (c *LitePullConsumer) consumed() {
	if c.engine.config.lite.manual {
		return
	}
	for _, a := range c.engine.order {
		a.marked = a.position()
	}
}

// consumedAfterAll is consumed for a Poll whose context is done already. That is how most loops end: their last messages were dealt
// with.
func (c *LitePullConsumer) consumedAfterAll() {
	call, err := c.engine.core.enter(context.Background())
	if err != nil {
		return
	}
	defer call.Leave()
	c.consumed()
}

// position is the offset of the next message to be handed out, or of where to pull it.
func (a *assignment) position() QueueOffset { return a.processQueue.committed() }

// handOut takes messages from the next queue that has some. They leave the process queue.
func (c *LitePullConsumer) handOut(most int) []*Received {
	p := c.engine
	full := p.buffered() >= p.config.lite.totalMessages
	a, messages := p.takeNext(most)
	for _, m := range messages {
		a.finish(m.Offset)
	}
	// What becomes of them is not known here. As in Java, to be handed out counts as success.
	p.traceEnd(p.traceBegin(messages), nil)
	switch {
	case a == nil:
	case full:
		// Any queue may have waited for room.
		p.wakePulls()
	default:
		a.changed.Broadcast()
	}
	return messages
}

// buffered is how many messages of all queues were pulled and not handed out. Those of paused queues do not count: nobody can make room
// by polling them.
func (c *PushConsumer) buffered() int {
	n := 0
	for _, a := range c.order {
		if !a.paused {
			n += a.unfinished
		}
	}
	return n
}

// wakePulls makes all pulls look again whether they may go on.
func (c *PushConsumer) wakePulls() {
	for _, a := range c.order {
		a.changed.Broadcast()
	}
}

// Messages is Poll as a loop, one message after the other:
//
//	for m, err := range consumer.Messages(ctx) {
//		if err != nil {
//			return err // ctx has ended, or the consumer was closed
//		}
//		…
//	}
//
// A message counts as consumed when the loop asks for the next one, or another Poll begins. The last turn has no message but an error:
// one of those of Poll.
func (c *LitePullConsumer) Messages(ctx context.Context) iter.Seq2[*Received, error] {
	return func(yield func(*Received, error) bool) {
		for {
			messages, err := c.Poll(ctx, 1)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(messages[0], nil) {
				return
			}
		}
	}
}
