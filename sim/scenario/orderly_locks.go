package scenario

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/fault"
	"github.com/gantrymq/gantry/transport/proto"
)

// This file is about clients that do not trust the client library: they ask brokers for locks and commit offsets without regard to
// whether they may, and keep a history of the answers.

const lockersGroup = "lockers"

// locker is one of them, on a machine of its own.
type locker struct {
	o      *orderly
	number int
	id     string
	env    env.Env
	net    *rawClient
	random *sim.Stream
}

// lockHistory is what lockers were told.
type lockHistory struct {
	recorder linearizability.Recorder
	asked    []*lockEvent // to lock, answered or not
	grants   []lockEvent
	unlocks  []lockEvent // answered or not
	commits  []lockEvent
}

// lockEvent is one request about one queue that had an effect.
type lockEvent struct {
	client       int
	queue        client.Queue
	call, answer int64
	denied       bool // for certain
}

func (o *orderly) addLockers() {
	for number := range int(o.draw.number("lockers", 2, 3)) {
		_, e := o.cluster.AddClient()
		l := &locker{
			o: o, number: number, id: fmt.Sprintf("locker%d", number), env: e, net: newRawClient(e),
			random: o.kernel.Stream(fmt.Sprint("locker ", number)),
		}
		e.Tasks.Go("lock", l.work)
	}
}

// work asks for this and that until the safety phase is over.
func (l *locker) work() {
	for !l.o.stopped {
		pause := time.Second
		switch {
		case l.random.Chance(0.1):
			pause = 70 * time.Second // longer than a lock lasts
		case l.random.Chance(0.2):
			pause = 10 * time.Second
		}
		l.env.Tasks.Sleep(time.Duration(l.random.Between(0, int64(pause))))
		if len(l.o.queues) == 0 {
			continue
		}
		queue := l.o.queues[l.random.IntN(min(3, len(l.o.queues)))]
		switch l.random.IntN(4) {
		case 0:
			l.unlock(queue)
		case 1:
			l.commit(queue)
		default:
			l.lock(queue)
		}
	}
}

func (l *locker) now() int64 { return int64(l.env.Clock.Now()) }

// ask sends a request to the broker of a queue. ok is false if there is no answer.
func (l *locker) ask(queue client.Queue, code int32, fields map[string]string, body []byte) (answer []byte, response int, ok bool) {
	l.o.Operations++
	if a := l.net.call(l.o.address(queue), code, fields, body); a != nil {
		return a.body, a.Code, true
	}
	return nil, 0, false
}

func (l *locker) batch(queue client.Queue) []byte {
	return (&proto.LockBatch{ConsumerGroup: lockersGroup, ClientID: l.id, Queues: []proto.Queue{queue}}).Marshal()
}

func (l *locker) lock(queue client.Queue) {
	h := &l.o.locking
	asked := &lockEvent{client: l.number, queue: queue, call: l.now(), answer: math.MaxInt64}
	h.asked = append(h.asked, asked)
	pending := h.recorder.BeginLock(l.number, queue.String(), asked.call)
	body, code, ok := l.ask(queue, proto.ReqLockBatchQueues, nil, l.batch(queue))
	if !ok {
		return
	}
	asked.answer = l.now()
	if code != int(proto.RespSuccess) {
		// An error may mean that only the disk refused.
		return
	}
	granted, err := proto.UnmarshalLockBatchResponse(body)
	switch {
	case err != nil:
		l.o.failSafety("an answer about locks cannot be read: %v", err)
	case slices.Contains(granted.Queues, queue):
		l.granted(*asked)
		h.recorder.EndLock(pending, true, asked.answer)
	case l.o.locksMayReturn():
		// Who had a lock when its broker was cut off has the time of a lock again to renew it.
		asked.denied = true
		h.recorder.Refuse(pending, asked.answer)
		l.o.kernel.Mark("lock denied")
	default:
		asked.denied = true
		h.recorder.EndLock(pending, false, asked.answer)
		l.o.kernel.Mark("lock denied")
	}
}

func (l *locker) granted(e lockEvent) {
	h := &l.o.locking
	l.o.kernel.Mark("lock granted")
	for _, g := range slices.Backward(h.grants) {
		if g.queue == e.queue {
			if g.client != e.client && e.call-g.answer > linearizability.LeaseDefault {
				l.o.kernel.Mark("lock granted to another after expiry")
			}
			break
		}
	}
	h.grants = append(h.grants, e)
}

// locksMayReturn reports whether brokers may have been started again without having been stopped in order, or another one may have become master: then denials
// prove nothing.
func (o *orderly) locksMayReturn() bool {
	return o.elected || slices.ContainsFunc(o.Schedule, func(f fault.Fault) bool {
		return slices.Contains([]fault.Kind{
			fault.KillBroker, fault.PowerLossBroker, fault.PowerLossAll, fault.PowerLossAfterAck, fault.KillWhileRecovering, fault.RestartBroker,
			fault.FailSync, fault.FailWrite, fault.FullDisk, fault.StuckSync,
		}, f.Kind)
	})
}

func (l *locker) unlock(queue client.Queue) {
	h := &l.o.locking
	pending := h.recorder.BeginUnlock(l.number, queue.String(), l.now())
	// Without an answer it may still be on its way when the client has long gone on.
	h.unlocks = append(h.unlocks, lockEvent{client: l.number, queue: queue, call: l.now(), answer: math.MaxInt64})
	unlock := len(h.unlocks) - 1
	if _, code, ok := l.ask(queue, proto.ReqUnlockBatchQueues, nil, l.batch(queue)); ok && code == int(proto.RespSuccess) {
		h.unlocks[unlock].answer = l.now()
		h.recorder.Done(pending, l.now())
		l.o.kernel.Mark("unlocked")
	}
}

// commit says who it is, and commits an offset, one that every queue has, without looking whether it has the lock.
func (l *locker) commit(queue client.Queue) {
	beat := &proto.HeartbeatData{ClientID: l.id, Consumers: []proto.ConsumerData{{Group: lockersGroup, Model: proto.Clustering}}}
	if _, _, ok := l.ask(queue, proto.ReqHeartbeat, nil, beat.Marshal()); !ok {
		return
	}
	call := l.now()
	_, code, ok := l.ask(queue, proto.ReqUpdateConsumerOffset, map[string]string{
		"consumerGroup": lockersGroup, "topic": queue.Topic, "queueId": fmt.Sprint(queue.QueueID), "commitOffset": "0",
	}, nil)
	switch {
	case !ok:
	case code == int(proto.RespSuccess):
		l.o.locking.commits = append(l.o.locking.commits, lockEvent{client: l.number, queue: queue, call: call, answer: l.now()})
	default:
		l.o.kernel.Mark("commit refused because of a lock")
	}
}

// check judges the history: locks by the model of a lock with a lease, and commits by the locks that were surely held meanwhile.
func (h *lockHistory) check(mark func(string)) error {
	for _, c := range h.commits {
		for _, g := range h.grants {
			if g.queue != c.queue || !h.surelyHeld(g, c) {
				continue
			}
			if g.client != c.client {
				return fmt.Errorf("%v: a commit of client %d at %d to %d counted, though client %d was granted the lock at %d to %d",
					c.queue, c.client, c.call, c.answer, g.client, g.call, g.answer)
			}
			mark("commit under a lock")
		}
	}
	for _, d := range h.asked {
		if d.denied && !slices.ContainsFunc(h.asked, func(a *lockEvent) bool { return h.mayHold(a, d) }) {
			return fmt.Errorf("%v: client %d was denied the lock at %d to %d, though everybody else who may have had it had heard that it was unlocked", d.queue, d.client, d.call, d.answer)
		}
	}
	verdict := linearizability.Check(h.recorder.History(), linearizability.Options{})
	if verdict.Result == linearizability.Illegal {
		return fmt.Errorf("lock of %s: %s", verdict.Queue, verdict.Sentence)
	}
	return nil
}

// mayHold reports whether somebody who has asked for a lock may be the reason why another one was denied it. Brokers may be gone and come back meanwhile: what
// was heard to be unlocked stays so.
func (h *lockHistory) mayHold(asked, denied *lockEvent) bool {
	if asked.denied || asked.client == denied.client || asked.queue != denied.queue || asked.call > denied.answer {
		return false
	}
	return !slices.ContainsFunc(h.unlocks, func(u lockEvent) bool {
		return u.client == asked.client && u.queue == asked.queue && u.call >= asked.answer && u.answer <= denied.call
	})
}

// surelyHeld reports whether a lock was held during all of an operation.
func (h *lockHistory) surelyHeld(g, during lockEvent) bool {
	if g.answer > during.call || during.answer > g.call+linearizability.LeaseDefault {
		return false
	}
	return !slices.ContainsFunc(h.unlocks, func(u lockEvent) bool {
		return u.client == g.client && u.queue == g.queue && u.call <= during.answer && u.answer >= g.call
	})
}
