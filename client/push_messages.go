package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/gantrymq/gantry/node/env"
)

// Delivery is a message in a loop over PushConsumer.Messages. It must not be used after its turn.
type Delivery struct {
	*Received
	err error
}

// Fail says that the message was not consumed. It comes again later; err may ask for more, as that of a Handler. Without an error
// it is as if Fail was not called.
func (d *Delivery) Fail(err error) { d.err = err }

// errLeft is why a message was not consumed whose loop ended.
var errLeft = errors.New("the loop ended with this message")

// Messages is for applications that want a loop instead of a handler:
//
//	for m, err := range consumer.Messages(ctx) {
//		if err != nil {
//			return err // ctx has ended, or the consumer was closed
//		}
//		if err := work(m); err != nil {
//			m.Fail(err)
//		}
//	}
//
// A message counts as consumed when the loop asks for the next one, unless Fail was called. If the loop ends with a message, by break,
// return or panic, that message was not consumed: it waits for the next loop, or another member. So return only after
// the turn that is done, or expect the message again.
//
// The last turn has no message but an error: that of ctx, ErrClosed, or another if there is a handler or Start was not called.
// Several goroutines may loop at once: that is how messages are consumed concurrently.
func (c *PushConsumer) Messages(ctx context.Context) iter.Seq2[*Delivery, error] {
	return func(yield func(*Delivery, error) bool) {
		for {
			b, err := c.nextMessage(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			if !c.turn(b, yield) {
				return
			}
		}
	}
}

// nextMessage waits for a message.
func (c *PushConsumer) nextMessage(ctx context.Context) (batch, error) {
	call, err := c.core.enter(ctx)
	if err != nil {
		return batch{}, err
	}
	defer call.Leave()
	if c.push.handler != nil || !c.started {
		return batch{}, fmt.Errorf("%w: Messages needs a consumer that was started and has no handler", ErrOption)
	}
	for {
		if b, ok := c.nextBatch(1); ok {
			return b, nil
		}
		if c.core.state != open {
			return batch{}, ErrClosed
		}
		if !call.Wait(c.arrived, env.Never) {
			if err := contextOf(call, c.core.env.Clock.Now()); err != nil {
				return batch{}, err
			}
		}
	}
}

// turn gives one message to the loop and settles it. It reports whether the loop goes on.
func (c *PushConsumer) turn(b batch, yield func(*Delivery, error) bool) (goesOn bool) {
	d := &Delivery{Received: b.messages[0]}
	began := c.core.env.Clock.Now()
	// A panic of the loop body passes here on its way.
	defer func() {
		// Also when the consumer closes meanwhile, and whatever has become of the context: the outcome must be noted.
		call, err := c.core.env.Door.Enter(context.Background())
		if err != nil {
			return
		}
		defer call.Leave()
		if goesOn {
			c.settle(b, d.err, c.core.env.Clock.Now().Sub(began))
			return
		}
		c.putDown(b, d)
	}()
	return yield(d, nil)
}

// putDown makes a message wait again that a loop ended with, unless the loop had decided about it.
func (c *PushConsumer) putDown(b batch, d *Delivery) {
	if d.err != nil {
		c.settle(b, d.err, time.Duration(0))
		return
	}
	c.traceEnd(b.traced, errLeft)
	switch {
	case b.popped != nil:
		b.popped.putBack(d.Received)
	case b.is(b.epoch):
		b.putBack(d.Received, 0)
	}
	c.ended(b)
	c.dispatch()
}
