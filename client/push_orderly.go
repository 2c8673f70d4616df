package client

import (
	"errors"
	"time"

	"go.uber.org/zap"
)

// This file is about consumption in order: what happens to a queue whose handler fails, and what keeps a queue from others while
// its handler is at work.

// suspendQueue puts messages back, in their places, and lets the queue rest. Messages that have come too often, or are
// rejected, go to the retry topic, where brokers make dead letters of them, so that the queue can go on.
func (c *PushConsumer) suspendQueue(b batch, failed []*Received, err error) {
	rejected, back := errors.Is(err, Reject), 0
	for _, m := range failed {
		if (rejected || m.Redeliveries >= c.redeliveriesMax()) && c.giveMessageUp(m) {
			b.finish(m.Offset)
			continue
		}
		if !b.is(b.epoch) {
			return
		}
		// The handler may have kept the one it got.
		again := *m
		again.Redeliveries++
		b.putBack(&again, 0)
		back++
	}
	if back > 0 {
		c.restQueue(b, err)
	}
}

// restQueue keeps a queue from its handler for a while.
func (c *PushConsumer) restQueue(b batch, err error) {
	pause := pauseOf(err, c.push.suspendFor)
	b.restsAt = c.core.env.Clock.Now().Add(pause)
	c.dispatchIn(pause)
}

// rollBack has everything delivered again that was not committed by hand. As in Java, that does not count as a redelivery.
func (c *PushConsumer) rollBack(b batch, failed []*Received, err error) {
	for _, m := range append(b.kept(), failed...) {
		again := *m
		b.putBack(&again, 0)
	}
	c.restQueue(b, err)
}

// giveMessageUp reports whether a message needs no more attention in its queue.
func (c *PushConsumer) giveMessageUp(m *Received) bool {
	c.core.env.Log.Warn("a message is given up so that its queue can go on", zap.Stringer("message", m), zap.Int32("redeliveries", m.Redeliveries))
	return c.push.model == Broadcasting || c.sendToRetryTopic(m, levelDeadLetter)
}

// patienceForCalls is how long a queue that is to be given up waits for its handler in one round.
const patienceForCalls = 500 * time.Millisecond

// awaitCalls keeps handlers from queues that are to be given up and waits a while for those at work. It returns the queues without
// one. Only those consumed in order wait: another member must not begin while a handler has some of the messages,
// however long that takes.
func (c *PushConsumer) awaitCalls(list []*assignment) (idle []*assignment) {
	until := c.core.env.Clock.Now().Add(patienceForCalls)
	for _, a := range list {
		a.leaving = true
	}
	for _, a := range list {
		for c.locks() && a.calls > 0 && !a.dropped && a.changed.WaitUntil(until) {
		}
		if !a.dropped && (!c.locks() || a.calls == 0) {
			idle = append(idle, a)
		}
	}
	return idle
}
