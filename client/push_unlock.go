package client

import (
	"maps"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// Copies have the locks of their master. So a queue that was given up while the master was gone is still locked at the next one, for a member that does not
// want it any more, and nobody would get it before the lock expires. Whoever gives a queue up tells its broker until it has heard it.

// unlockRetry is the time between tries.
const unlockRetry = 500 * time.Millisecond

// unlockFor is how long it is tried. A lock lasts for 60 s at its broker, and for as long again after a restart of the broker, or with the next master.
const unlockFor = 2 * time.Minute

// pendingUnlock is a queue that was given up and may still be locked for this member.
type pendingUnlock struct {
	until env.Instant // then its lock has expired
	asked bool        // a request is under way
}

// unlock lets others lock queues at once (UNLOCK_BATCH_MQ). A broker that cannot be told now is told in the background.
func (c *PushConsumer) unlock(list []*assignment, deadline env.Instant) {
	if !c.locks() {
		return
	}
	until := c.core.env.Clock.Now().Add(unlockFor)
	var queues []Queue
	for _, a := range list {
		a.lock.doubt()
		c.unlocks[a.queue] = &pendingUnlock{until: until}
		queues = append(queues, a.queue)
	}
	for name, some := range byBroker(queues) {
		if err := c.tellUnlocked(name, some, deadline); err != nil {
			c.core.env.Log.Info("queues could not be unlocked; it is tried again", zap.String("broker", name), zap.Error(err))
		}
	}
	if len(c.unlocks) > 0 && !c.unlocking {
		c.unlocking = c.core.start("unlock queues", c.unlockLoop)
	}
}

// unlockLoop is the task that tells brokers again. It ends when none is left.
func (c *PushConsumer) unlockLoop() {
	for len(c.unlocks) > 0 && c.core.pause(unlockRetry) {
		for name, some := range byBroker(slices.SortedFunc(maps.Keys(c.unlocks), Queue.Compare)) {
			// It is tried again.
			_ = c.tellUnlocked(name, some, env.Never)
		}
	}
	c.unlocking = false
}

// tellUnlocked tells the master of a broker name once. What it has heard is not pending any more, nor what has expired.
func (c *PushConsumer) tellUnlocked(name string, queues []Queue, deadline env.Instant) error {
	queues = slices.DeleteFunc(queues, func(queue Queue) bool { return c.unlocks[queue] == nil || c.unlocks[queue].asked })
	if len(queues) == 0 {
		return nil
	}
	for _, queue := range queues {
		c.unlocks[queue].asked = true
	}
	_, err := c.askAboutLocks(proto.ReqUnlockBatchQueues, name, queues, deadline.Sooner(c.core.env.Clock.Now().Add(lockTimeout)))
	now := c.core.env.Clock.Now()
	for _, queue := range queues {
		if u := c.unlocks[queue]; err == nil || now >= u.until {
			delete(c.unlocks, queue)
		} else {
			u.asked = false
		}
	}
	c.unlocked.Broadcast()
	return err
}

// wantedBack forgets to unlock queues that are to be locked again. It leaves out those whose broker is just being told that they are free.
func (c *PushConsumer) wantedBack(queues []Queue) (free []Queue) {
	for _, queue := range queues {
		if u := c.unlocks[queue]; u != nil && u.asked {
			continue
		}
		delete(c.unlocks, queue)
		free = append(free, queue)
	}
	return free
}
