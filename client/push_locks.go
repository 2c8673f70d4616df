package client

import (
	"fmt"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// queueLock is the right to consume a queue in order, which its broker gives to one member of the group at a time. Brokers forget
// locks when they restart, and give them to others 60 s after the last renewal. So a lock is good only for half of that
// time, counted from before it was asked for, and only as long as the connection to the broker lasts.
type queueLock struct {
	until env.Instant // not good from then on
	at    env.WallMillis
}

func (l *queueLock) good(now env.Instant) bool { return now < l.until }

// doubt ends the lock for this side: the broker may have given it to another.
func (l *queueLock) doubt() { l.until = 0 }

// Times of locks.
const (
	lockRenewal = 20 * time.Second
	lockLife    = 30 * time.Second
	lockTimeout = time.Second // of the request
	lockRetry   = time.Second // after a renewal that failed
)

// locks reports whether queues must be locked.
func (c *PushConsumer) locks() bool { return c.push.inOrder && c.push.model == Clustering }

// mayConsume reports whether a queue is this consumer's alone, as far as it must be.
func (c *PushConsumer) mayConsume(a *assignment) bool {
	return !c.locks() || a.lock.good(c.core.env.Clock.Now())
}

// lockLoop is the task that renews locks.
func (c *PushConsumer) lockLoop() {
	for c.core.state < closing {
		now := c.core.env.Clock.Now()
		if now < c.locking {
			c.core.stopped.WaitUntil(c.locking)
			continue
		}
		c.locking = now.Add(lockRenewal)
		if !c.renewLocks() {
			c.locking = min(c.locking, c.core.env.Clock.Now().Add(lockRetry))
		}
	}
}

// lockSoon renews locks at once.
func (c *PushConsumer) lockSoon() {
	c.locking = 0
	c.core.stopped.Broadcast()
}

// renewLocks asks all brokers at once. It reports whether all locks are good afterwards.
func (c *PushConsumer) renewLocks() bool {
	group, done := env.NewGroup(c.core.env.Tasks), true
	for name, queues := range byBroker(c.queues()) {
		group.Go("renew locks at "+name, func() { done = c.renewLocksAt(name, queues) && done })
	}
	group.Wait()
	return done
}

func (c *PushConsumer) renewLocksAt(name string, queues []Queue) bool {
	locked, lock, err := c.askForLocks(name, queues)
	if err != nil {
		c.core.env.Log.Warn("locks of queues could not be renewed", zap.String("broker", name), zap.Error(err))
		return false
	}
	done := true
	for _, queue := range queues {
		a := c.assigned[queue]
		switch {
		case a == nil || a.dropped:
		case !slices.Contains(locked, queue):
			c.lockRefused(a)
		case a.lock.good(c.core.env.Clock.Now()):
			a.lock = lock
		default:
			done = c.lockRegained(a, lock) && done
		}
	}
	return done
}

// lockRefused gives up a queue that another member has locked. Nothing of it is committed.
func (c *PushConsumer) lockRefused(a *assignment) {
	c.core.env.Log.Warn("another member has locked a queue", zap.Stringer("queue", a.queue))
	a.storedOff = true
	c.drop(a)
	c.release(a)
	c.rebalanceSoon(rebalanceSettle)
}

// lockRegained begins a queue anew whose lock was in doubt: another member may have had it meanwhile, and committed. What this one
// consumed under a good lock counts, too.
func (c *PushConsumer) lockRegained(a *assignment, lock queueLock) bool {
	consumed := a.committed()
	from, stored, err := c.startOf(a.queue)
	if err != nil {
		c.core.env.Log.Warn("a queue was locked again, but its offset is not known", zap.Stringer("queue", a.queue), zap.Error(err))
		return false
	}
	if a.dropped {
		return true
	}
	a.restart(max(from, consumed))
	a.stored, a.lock = stored, lock
	c.dispatch()
	return true
}

// lockedQueue is a queue that this consumer may take on.
type lockedQueue struct {
	Queue
	lock queueLock
}

// lockNew locks queues that are to be taken on. Those that still belong to others are left out, and tried again soon.
func (c *PushConsumer) lockNew(queues []Queue) []lockedQueue {
	var all []lockedQueue
	for name, some := range byBroker(c.wantedBack(queues)) {
		locked, lock := some, queueLock{}
		if c.locks() {
			var err error
			if locked, lock, err = c.askForLocks(name, some); err != nil {
				c.core.env.Log.Warn("queues could not be locked", zap.String("broker", name), zap.Error(err))
			}
		}
		for _, queue := range some {
			if slices.Contains(locked, queue) {
				all = append(all, lockedQueue{queue, lock})
			}
		}
	}
	if len(all) < len(queues) {
		c.rebalanceSoon(rebalanceSettle)
	}
	return all
}

// askForLocks asks the master of a broker name for queues (LOCK_BATCH_MQ). It returns those it got.
func (c *PushConsumer) askForLocks(name string, queues []Queue) ([]Queue, queueLock, error) {
	now := c.core.env.Clock.Now()
	response, err := c.askAboutLocks(proto.ReqLockBatchQueues, name, queues, now.Add(lockTimeout))
	if err != nil {
		return nil, queueLock{}, err
	}
	locked, err := proto.UnmarshalLockBatchResponse(response)
	if err != nil {
		return nil, queueLock{}, err
	}
	return locked.Queues, queueLock{until: now.Add(lockLife), at: c.core.env.Clock.Wall()}, nil
}

func (c *PushConsumer) askAboutLocks(code int32, name string, queues []Queue, deadline env.Instant) ([]byte, error) {
	b := c.core.brokers.byName[name]
	if b == nil {
		return nil, fmt.Errorf("%w: no route names broker %q", ErrNoBroker, name)
	}
	master, ok := b.master()
	if !ok {
		return nil, fmt.Errorf("%w: %s has no master now", ErrNoBroker, name)
	}
	body := &proto.LockBatch{ConsumerGroup: c.config.group, ClientID: c.core.ids.clientID(), Queues: queues}
	response, err := c.core.ask(nil, master, &transport.Request{Code: code, Body: body.Marshal()}, deadline)
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}
