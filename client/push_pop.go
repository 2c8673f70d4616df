package client

import (
	"errors"
	"time"

	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// popLoop is the task that pops an assigned queue, one pop after the other, as long as it is held.
func (c *PushConsumer) popLoop(a *assignment, run int) {
	for c.awaitPull(a, run) {
		if rest := c.pop(a); rest > 0 {
			c.pauseQueue(a, rest)
		}
	}
}

// pop pops once. It returns how long to wait before the next time.
func (c *PushConsumer) pop(a *assignment) time.Duration {
	s := c.reader.subscriptions[a.queue.Topic]
	if s == nil {
		return afterError
	}
	began := c.core.env.Clock.Now()
	a.pulledAt = c.core.env.Clock.Wall()
	a.askedAt = began
	answer, err := c.popper.pop(nil, popRequest{queue: a.queue, wanted: s, most: c.config.pop.batch, hold: c.config.holdFor})
	a.askedAt = 0
	took := c.core.env.Clock.Now().Sub(began)
	switch {
	case a.dropped || c.core.state != open:
		// What was popped meanwhile comes again when its time is over.
		return 0
	case err != nil:
		return c.pullFailed(a, err)
	}
	c.rates.of(a.queue.Topic).pulled(c.core.env.Clock.Now(), len(answer.messages), took)
	a.popped.put(answer.messages)
	c.dismiss(a, answer.unwanted)
	c.dispatch()
	return max(restAfter(answer, nil, took), c.push.pullEvery)
}

// dismiss acknowledges messages that the filter leaves out.
func (c *PushConsumer) dismiss(a *assignment, unwanted []*PoppedMessage) {
	a.popped.dismissed(len(unwanted))
	for _, m := range unwanted {
		c.acknowledge(a, m)
	}
}

// settlePopped deals with what a handler made of popped messages. It does so even if the queue was given up meanwhile: the receipts still hold the
// messages, which would come again otherwise.
func (c *PushConsumer) settlePopped(b batch, consumed int, err error) {
	for i, m := range b.messages {
		popped := b.popped.back(m)
		switch {
		case i < consumed:
			c.acknowledge(b.assignment, popped)
		case errors.Is(err, Reject) || popped.Redeliveries >= c.redeliveriesMax():
			c.giveUpMessage(b.assignment, popped)
		default:
			c.hideFor(b.assignment, popped, popDelay(levelOf(err), popped.Redeliveries))
		}
	}
}

// beside settles a message outside the handlers, which do not wait for brokers. Close waits for it as for a call of the handler.
func (c *PushConsumer) beside(a *assignment, name string, settle func()) {
	c.working++
	over := func() {
		a.popped.settled()
		a.changed.Broadcast()
		c.oneLess()
	}
	begun := c.core.start(name, func() {
		settle()
		over()
	})
	if !begun {
		over()
	}
}

// acknowledge says that a message was consumed.
func (c *PushConsumer) acknowledge(a *assignment, m *PoppedMessage) {
	c.beside(a, "acknowledge", func() { c.untilTold(m, func() error { return c.tellConsumed(m) }) })
}

func (c *PushConsumer) tellConsumed(m *PoppedMessage) error {
	return c.popper.acknowledge(nil, m, c.core.env.Clock.Now().Add(ackTimeout))
}

// hideFor makes a message come again after a time.
func (c *PushConsumer) hideFor(a *assignment, m *PoppedMessage, d time.Duration) {
	c.beside(a, "hide", func() { c.untilTold(m, func() error { return c.tellHidden(m, d) }) })
}

func (c *PushConsumer) tellHidden(m *PoppedMessage, d time.Duration) error {
	return c.popper.hide(nil, m, d, c.core.env.Clock.Now().Add(ackTimeout))
}

// giveUpMessage makes a dead letter of a message, and acknowledges it only then. Java's consumers forget it. If no broker takes
// the dead letter, the message comes again, ever more seldom, until one does.
func (c *PushConsumer) giveUpMessage(a *assignment, m *PoppedMessage) {
	c.beside(a, "give a message up", func() {
		if c.sendBack(m.Queue, m.Received, levelDeadLetter) {
			c.untilTold(m, func() error { return c.tellConsumed(m) })
			return
		}
		age := c.core.env.Clock.Wall().Time().Sub(m.BornAt)
		c.untilTold(m, func() error { return c.tellHidden(m, delayAbove(age)) })
	})
}

// untilTold tries to tell a broker about a message as long as its receipt may hold it.
func (c *PushConsumer) untilTold(m *PoppedMessage, tell func() error) {
	for {
		err := tell()
		switch {
		case err == nil:
			return
		case errors.Is(err, ErrNotHeld), m.over(c.core.env.Clock.Now()), c.core.state != open:
			c.core.env.Log.Warn("a popped message could not be settled: it may come again", zap.Stringer("message", m), zap.Error(err))
			return
		}
		if !c.core.pause(afterError) {
			return
		}
	}
}

// popDelays are after how many seconds messages that were popped come again, by how often they did before ("popDelayLevel").
var popDelays = [...]int{10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200}

// usualDelays are the seconds of the delay levels that brokers have unless they are told otherwise ("messageDelayLevel").
var usualDelays = [...]int{1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200}

// popDelay is how long a message that failed stays hidden. A level means what it means where messages are sent back, so that a
// handler need not know how its messages came.
func popDelay(level int, redeliveries int32) time.Duration {
	if level > 0 {
		return time.Duration(usualDelays[min(level, len(usualDelays))-1]) * time.Second
	}
	return time.Duration(popDelays[min(max(int(redeliveries), 0), len(popDelays)-1)]) * time.Second
}

// delayAbove is the first delay that is longer than a message is old, or the longest one.
func delayAbove(age time.Duration) time.Duration {
	for _, seconds := range popDelays {
		if d := time.Duration(seconds) * time.Second; d > age {
			return d
		}
	}
	return time.Duration(popDelays[len(popDelays)-1]) * time.Second
}

// popInfo tells tools of a queue that is popped.
func popInfo(a *assignment) proto.PopProcessQueueInfo {
	return proto.PopProcessQueueInfo{Queue: a.queue, Unfinished: int32(a.popped.unsettled), Dropped: a.dropped, PoppedAt: int64(a.pulledAt)}
}
