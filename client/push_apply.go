package client

import (
	"errors"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/assign"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// apply gives up and takes on queues of a topic until those that are wanted are held.
func (c *PushConsumer) apply(topic string, wanted []wantedQueue) error {
	held := c.heldOf(topic)
	missing, surplus := assign.Diff(inMode(held, proto.ModePull), inMode(wanted, proto.ModePull))
	missingPops, surplusPops := assign.Diff(inMode(held, proto.ModePop), inMode(wanted, proto.ModePop))
	surplus = append(surplus, surplusPops...)
	var leaving []*assignment
	for _, queue := range surplus {
		leaving = append(leaving, c.assigned[queue])
	}
	if !c.giveUp(leaving) {
		c.rebalanceSoon(rebalanceSettle)
	}
	var failures []error
	for _, locked := range c.lockNew(missing) {
		if err := c.takeOn(locked); err != nil {
			failures = append(failures, err)
		}
	}
	// A queue that was pulled has been given up before, with what was consumed of it committed: brokers pop from there on.
	c.takeOnPops(missingPops)
	if c.asksBrokers() {
		c.followPops(topic, wanted)
	}
	if missing = append(missing, missingPops...); len(surplus)+len(missing) > 0 {
		c.core.env.Log.Info("queues were shared out", zap.String("topic", topic), zap.Stringers("given up", surplus), zap.Stringers("taken on", missing))
		// Shares of the limits of the topic have changed.
		c.wakeAll()
		c.tellQueues(topic)
	}
	return join(failures)
}

// heldOf lists the queues of a topic that are held, and has them stay.
func (c *PushConsumer) heldOf(topic string) (held []wantedQueue) {
	for _, a := range c.order {
		if a.queue.Topic != topic {
			continue
		}
		mode := proto.ModePull
		if a.popped != nil {
			mode = proto.ModePop
		}
		held = append(held, wantedQueue{a.queue, mode})
		a.leaving = false
	}
	return held
}

// takeOn begins to consume a queue.
func (c *PushConsumer) takeOn(locked lockedQueue) error {
	queue := locked.Queue
	from, stored, err := c.startOf(queue)
	if err != nil {
		return err
	}
	if c.core.state != open || c.reader.subscriptions[queue.Topic] == nil || c.assigned[queue] != nil {
		return nil
	}
	a := c.newAssignment(queue, from, stored)
	a.lock = locked.lock
	c.hold(a)
	return nil
}

// giveUp lets others have some queues. It stores their offsets first, and then nothing of them any more. It reports false if one must be
// kept for now, because it is consumed in order and a handler still has some of it.
func (c *PushConsumer) giveUp(list []*assignment) bool {
	if len(list) == 0 {
		return true
	}
	idle := c.awaitCalls(list)
	deadline := c.core.env.Clock.Now().Add(c.config.requestTimeout)
	for _, a := range idle {
		c.drop(a)
	}
	c.persistLast(idle, deadline)
	for _, a := range idle {
		c.release(a)
	}
	c.unlock(idle, deadline)
	return len(idle) == len(list)
}

// drop marks a queue as given up. Its task ends by that.
func (c *PushConsumer) drop(a *assignment) {
	a.dropped = true
	a.changed.Broadcast()
}

// persistLast stores offsets for the last time. A commit that came later could set back the member that has the queue then.
func (c *PushConsumer) persistLast(list []*assignment, deadline env.Instant) {
	_ = c.persist(list, deadline)
	for _, a := range list {
		a.storedOff = true
	}
}

// giveUpAll is the part of Close that is about queues. It returns by the deadline.
func (c *PushConsumer) giveUpAll(deadline env.Instant) {
	all := slices.Clone(c.order)
	for _, a := range all {
		c.drop(a)
	}
	over := env.NewFuture[bool](c.core.env.Tasks)
	begun := c.core.start("give up all queues", func() {
		c.persistLast(all, deadline)
		// A queue whose handler is still at work stays locked until the broker's patience ends: nobody else may have its
		// messages at the same time.
		c.unlock(slices.DeleteFunc(all, func(a *assignment) bool { return a.calls > 0 }), deadline)
		for len(c.unlocks) > 0 && c.unlocked.WaitUntil(deadline) {
		}
		over.Set(true)
	})
	if begun {
		over.Wait(nil, deadline)
	}
}

// lost is told by the core that a connection has ended: a broker that restarts forgets its locks.
func (c *PushConsumer) lost(address string) {
	if c.core.state >= closing || !c.push.inOrder {
		return
	}
	for _, a := range c.order {
		if c.isMaster(a.queue, address) {
			a.lock.doubt()
		}
	}
	c.lockSoon()
}

// met is told by the core that a broker knows this client now: it may know other members than before.
func (c *PushConsumer) met(string) { c.rebalanceSoon(0) }

// errStarted is what Start fails with the second time.
var errStarted = errors.New("this consumer was started before")
