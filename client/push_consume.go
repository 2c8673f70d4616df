package client

import (
	"context"
	"errors"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"go.uber.org/zap"
)

// batch is what one call of the handler gets, or one turn of a loop over Messages.
type batch struct {
	*assignment
	epoch    int // of the assignment, when the batch was taken
	messages []*Received
	traced   *tracedCall // nil: no
}

// dispatch sees to it that messages which wait are handed out: by one more task that calls the handler, which will start the next
// one if there are more messages still, or by loops.
func (c *PushConsumer) dispatch() {
	if c.push.handler == nil {
		c.arrived.Broadcast()
		return
	}
	if c.workers < c.push.concurrency && c.started && c.anyWaiting() {
		c.workers++
		// Not a task of the core: a handler that does not return must not hold up Close for ever.
		c.core.env.Tasks.Go("consume", c.worker)
	}
}

func (c *PushConsumer) anyWaiting() bool {
	if !c.active() {
		return false
	}
	now := c.core.env.Clock.Now()
	for _, a := range c.order {
		if c.mayHandOut(a, now) && c.waits(a, now) {
			return true
		}
	}
	return false
}

// waits reports whether a queue has a message to hand out.
func (c *PushConsumer) waits(a *assignment, now env.Instant) bool {
	if a.popped != nil {
		return a.popped.hasWaiting(now)
	}
	return a.hasWaiting(c.push.inOrder, now)
}

// mayHandOut reports whether messages of a queue may go to a handler now.
func (c *PushConsumer) mayHandOut(a *assignment, now env.Instant) bool {
	if a.dropped || a.leaving || a.paused || !c.mayConsume(a) {
		return false
	}
	return !c.push.inOrder || a.calls == 0 && a.restsAt <= now
}

// nextBatch takes messages for a handler or a loop.
func (c *PushConsumer) nextBatch(count int) (batch, bool) {
	a, messages := c.takeNext(count)
	if a == nil {
		return batch{}, false
	}
	a.calls++
	c.working++
	return batch{a, a.epoch, messages, c.traceBegin(messages)}, true
}

// takeNext takes messages of the next queue that has some, if any has. The queues take turns, so that none starves.
func (c *PushConsumer) takeNext(count int) (*assignment, []*Received) {
	if !c.active() {
		return nil, nil
	}
	now := c.core.env.Clock.Now()
	for range c.order {
		c.cursor = (c.cursor + 1) % len(c.order)
		a := c.order[c.cursor]
		if !c.mayHandOut(a, now) {
			continue
		}
		messages := c.takeFrom(a, count, now)
		if len(messages) > 0 {
			a.consumedAt = c.core.env.Clock.Wall()
			return a, messages
		}
	}
	return nil, nil
}

func (c *PushConsumer) takeFrom(a *assignment, count int, now env.Instant) []*Received {
	switch {
	case a.popped != nil:
		before := a.popped.unsettled
		taken := a.popped.take(count, now)
		if a.popped.unsettled < before {
			// What was skipped made room for another pop.
			a.changed.Broadcast()
		}
		return taken
	case c.push.inOrder:
		return a.takeInOrder(count, now)
	}
	return a.take(count, now)
}

// worker is a task that calls the handler as long as there are messages.
func (c *PushConsumer) worker() {
	for {
		b, ok := c.nextBatch(c.push.batch)
		if !ok {
			break
		}
		c.dispatch()
		began := c.core.env.Clock.Now()
		err := c.handle(b.messages)
		c.settle(b, err, c.core.env.Clock.Now().Sub(began))
	}
	c.workers--
}

// handle calls the handler without the baton.
func (c *PushConsumer) handle(messages []*Received) (err error) {
	c.core.env.Tasks.Offload(func() { err = c.callHandler(c.context, messages) })
	return err
}

// callHandler contains a panic. It runs without the baton.
func (c *PushConsumer) callHandler(ctx context.Context, messages []*Received) (err error) {
	if panicked := contained(func() { err = c.push.handler(ctx, messages) }); panicked != nil {
		err = &handlerPanic{panicked}
		c.core.env.Log.Error("the handler panicked", zap.Stringer("message", messages[0]), zap.Error(panicked))
	}
	return err
}

// settle deals with what a handler made of a batch.
func (c *PushConsumer) settle(b batch, err error, took time.Duration) {
	commit, part := errors.Is(err, CommitNow), (*PartError)(nil)
	if commit && !errors.As(err, &part) {
		err = nil
	}
	c.traceEnd(b.traced, err)
	if err != nil {
		c.core.env.Log.Warn("the handler failed", zap.Stringer("message", b.messages[0]), zap.Int("messages", len(b.messages)), zap.Error(err))
	}
	consumed := consumedOf(err, len(b.messages))
	c.rates.of(c.config.space.full(b.messages[0].Topic)).consumed(c.core.env.Clock.Now(), consumed, len(b.messages)-consumed, took)
	switch {
	case b.popped != nil:
		c.settlePopped(b, consumed, err)
	case b.is(b.epoch) && c.core.state < closing && c.mayConsume(b.assignment):
		for _, m := range b.messages[:consumed] {
			c.markConsumed(b, m)
		}
		if commit {
			b.finishKept()
		}
		c.settleFailed(b, b.messages[consumed:], err)
	}
	c.ended(b)
}

func (c *PushConsumer) markConsumed(b batch, m *Received) {
	if c.push.manualCommit {
		b.keep(m.Offset)
		return
	}
	b.finish(m.Offset)
}

// settleFailed deals with the messages that were not consumed.
func (c *PushConsumer) settleFailed(b batch, failed []*Received, err error) {
	switch {
	case len(failed) == 0:
	case c.push.manualCommit && errors.Is(err, RollbackNow):
		c.rollBack(b, failed, err)
	case c.push.inOrder:
		c.suspendQueue(b, failed, err)
	case c.push.model == Broadcasting:
		// Each member has messages and offsets of its own: there is no place to send them back to.
		for _, m := range failed {
			b.finish(m.Offset)
		}
	default:
		for _, m := range failed {
			c.redeliver(b, m, err)
		}
	}
}

// ended notes that a call of the handler is over.
func (c *PushConsumer) ended(b batch) {
	b.calls--
	b.changed.Broadcast()
	c.oneLess()
}

// oneLess tells Close when no call is under way.
func (c *PushConsumer) oneLess() {
	c.working--
	if c.working == 0 {
		c.finished.Broadcast()
	}
}

// localRetry is when a message comes again that could not be sent back.
const localRetry = 5 * time.Second

// redeliver sends a failed message back, so that it comes again later. If that does not work, it comes again here.
func (c *PushConsumer) redeliver(b batch, m *Received, err error) {
	if !b.is(b.epoch) || !b.hasFailed(m.Offset) {
		// The queue belongs to another member, or the message was sent back meanwhile.
		return
	}
	sent := c.sendBack(b.queue, m, levelOf(err))
	switch {
	case !b.is(b.epoch) || c.core.state >= closing:
	case sent:
		b.finish(m.Offset)
	default:
		c.retryHere(b.assignment, m)
	}
}

// retryHere makes a message wait for its next turn. The handler may have kept the one it got, so it is a copy that
// counts the redelivery.
func (c *PushConsumer) retryHere(a *assignment, m *Received) {
	again := *m
	again.Redeliveries++
	a.putBack(&again, c.core.env.Clock.Now().Add(localRetry))
	c.dispatchIn(localRetry)
}

// dispatchIn hands out messages later.
func (c *PushConsumer) dispatchIn(wait time.Duration) {
	c.core.start("hand out later", func() {
		if c.core.pause(wait) {
			c.dispatch()
		}
	})
}

// expirationsMax is how many messages of a queue are sent back in one round.
const expirationsMax = 16

// expireLoop is the task that sends back messages whose handlers do not return ("cleanExpireMsg").
func (c *PushConsumer) expireLoop() {
	every := min(c.push.consumeTimeout, time.Minute)
	for c.core.pause(every) && c.core.state == open {
		for _, queue := range c.queues() {
			for range expirationsMax {
				a := c.assigned[queue]
				if a == nil || a.dropped || !c.expireFirst(a) {
					break
				}
			}
		}
	}
}

// expireFirst sends the first message of a queue back if its time is over. It reports whether it did.
func (c *PushConsumer) expireFirst(a *assignment) bool {
	epoch := a.epoch
	m := a.expire(c.core.env.Clock.Now(), c.push.consumeTimeout)
	if m == nil {
		return false
	}
	c.core.env.Log.Warn("a handler takes too long; its message is sent back", zap.Stringer("message", m), zap.Duration("limit", c.push.consumeTimeout))
	sent := c.push.model == Broadcasting || c.sendBack(a.queue, m, levelExpired)
	switch {
	case !a.is(epoch):
		return false
	case sent:
		a.finish(m.Offset)
		a.changed.Broadcast()
	case a.notExpired(m.Offset):
		c.retryHere(a, m)
	}
	return sent
}
