package broker

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// lockTable says which member of a group consumes a queue in order (class RebalanceLockManager).
//
// A lock is a fence: while a member holds it, nobody else moves the group's offset of the queue. Java brokers forget locks when they
// stop, and then two members may hold one. Here an owner is durable before it is told, and after a restart it has the time of
// a lock to renew it.
type lockTable struct {
	broker  *Broker
	byQueue map[groupQueue]*queueLock
	change  *env.Semaphore // of the task that saves the table
	version int64          // of byQueue, counts changes of owners
	saved   int64          // version that the file has
}

// queueLock is who has it, and until when unless it is renewed.
type queueLock struct {
	clientID string
	until    env.Instant
}

// locksFile is Gantry's own.
const locksFile = "queueLocks.json"

func newLockTable(b *Broker) *lockTable {
	return &lockTable{broker: b, byQueue: map[groupQueue]*queueLock{}, change: env.NewSemaphore(b.env.Tasks, 1)}
}

// owner is the member that holds a queue, or "".
func (t *lockTable) owner(key groupQueue) string {
	if l := t.byQueue[key]; l != nil && !l.until.Reached(t.broker.env.Clock.Now()) {
		return l.clientID
	}
	return ""
}

// held reports whether any queue of a group is held.
func (t *lockTable) held(group string) bool {
	// order does not matter: one is enough
	for key := range t.byQueue {
		if key.Group == group && t.owner(key) != "" {
			return true
		}
	}
	return false
}

// take gives a member a queue, or renews that it has it.
func (t *lockTable) take(key groupQueue, clientID string) bool {
	owner := t.owner(key)
	if owner != "" && owner != clientID {
		return false
	}
	if owner == "" {
		t.version++
	}
	t.byQueue[key] = &queueLock{clientID: clientID, until: t.broker.env.Clock.Now().Add(t.broker.options.QueueLockFor)}
	return true
}

// release gives a queue back, if the member has it, or had it last: the file may still say so.
func (t *lockTable) release(key groupQueue, clientID string) {
	if l := t.byQueue[key]; l != nil && l.clientID == clientID {
		delete(t.byQueue, key)
		t.version++
	}
}

// expire forgets locks whose time is over.
func (t *lockTable) expire() {
	now := t.broker.env.Clock.Now()
	t.drop(func(_ groupQueue, l *queueLock) bool { return l.until.Reached(now) })
}

// forget drops the locks of a topic or group that was deleted.
func (t *lockTable) forget(match func(groupQueue) bool) {
	t.drop(func(key groupQueue, _ *queueLock) bool { return match(key) })
}

func (t *lockTable) drop(match func(groupQueue, *queueLock) bool) {
	before := len(t.byQueue)
	maps.DeleteFunc(t.byQueue, match)
	if len(t.byQueue) < before {
		t.version++
	}
}

// save makes the owners durable. Several changes may share one write. It waits for the disk.
func (t *lockTable) save() error {
	wanted := t.version
	t.change.Acquire(nil, env.Never)
	defer t.change.Release()
	if t.saved >= wanted {
		return nil
	}
	version := t.version
	if err := t.broker.saveTable(locksFile, t.encode()); err != nil {
		return err
	}
	t.saved = version
	return nil
}

// savedLock is a line of the file.
type savedLock struct {
	groupQueue
	ClientID string `json:"clientId"`
}

func (t *lockTable) encode() []byte {
	var list []savedLock
	// order does not matter: sorted below
	for key, l := range t.byQueue {
		if t.owner(key) != "" {
			list = append(list, savedLock{key, l.clientID})
		}
	}
	slices.SortFunc(list, func(a, b savedLock) int { return a.compare(b.groupQueue) })
	text, err := json.Marshal(map[string]any{"locks": list})
	if err != nil {
		panic(err) // names and numbers can be encoded
	}
	return text
}

// load reads who had which queue. They have the time of a lock to renew it.
func (t *lockTable) load() error {
	return loadDocument(t.broker.env, locksFile, func(content []byte) error {
		var in struct {
			Locks []savedLock `json:"locks"`
		}
		if err := json.Unmarshal(content, &in); err != nil {
			return err
		}
		until := t.broker.env.Clock.Now().Add(t.broker.options.QueueLockFor)
		for _, l := range in.Locks {
			t.byQueue[l.groupQueue] = &queueLock{clientID: l.ClientID, until: until}
		}
		return nil
	})
}

// lockQueues handles LOCK_BATCH_MQ: the answer lists the queues that the member holds now.
func (b *Broker) lockQueues(in *transport.Incoming) {
	body, err := proto.UnmarshalLockBatch(in.Command.Body)
	if err != nil {
		in.Reply().Error(proto.RespInvalidParameter, err.Error())
		return
	}
	if r := b.refuseLock(body); r.code != 0 {
		in.Reply().Error(r.code, r.remark)
		return
	}
	var granted proto.LockBatchResponse
	for _, q := range body.Queues {
		if b.locks.take(groupQueue{body.ConsumerGroup, q.Topic, q.QueueID}, body.ClientID) {
			granted.Queues = append(granted.Queues, q)
		}
	}
	// Whoever believes to own a queue must own it after a restart, too.
	b.answerLocks(in, granted.Marshal())
}

// answerLocks answers when the locks are as durable as the answer says.
func (b *Broker) answerLocks(in *transport.Incoming, body []byte) {
	var err error
	if b.locks.saved < b.locks.version {
		b.await(in, func() { err = b.locks.save() })
	}
	if err != nil {
		b.env.Log.Warn("locks of queues could not be saved", zap.Error(err))
		in.Reply().Error(proto.RespSystemError, "the locks could not be made durable: "+err.Error())
		return
	}
	in.Reply().Success(body)
}

func (b *Broker) refuseLock(body *proto.LockBatch) refusal {
	switch {
	case b.closing:
		return refused(proto.RespServiceNotAvailable, "the broker is shutting down")
	case body.ConsumerGroup == "":
		return refused(proto.RespInvalidParameter, "consumerGroup is empty")
	case body.ClientID == "":
		return refused(proto.RespInvalidParameter, "clientId is empty")
	case len(b.locks.byQueue)+len(body.Queues) > locksMax:
		return refused(proto.RespSystemBusy, "%d queues are locked, no more than %d can be", len(b.locks.byQueue), locksMax)
	}
	return refusal{}
}

// locksMax bounds the table.
const locksMax = 1_000_000

// unlockQueues handles UNLOCK_BATCH_MQ. Only what the member holds is given back. Others may have it at once.
func (b *Broker) unlockQueues(in *transport.Incoming) {
	body, err := proto.UnmarshalLockBatch(in.Command.Body)
	if err != nil {
		in.Reply().Error(proto.RespInvalidParameter, err.Error())
		return
	}
	for _, q := range body.Queues {
		b.locks.release(groupQueue{body.ConsumerGroup, q.Topic, q.QueueID}, body.ClientID)
	}
	// A restart, or the next master, must not give it back to who has heard that others may have it: they would wait until the lock expires.
	b.answerLocks(in, nil)
}
