package broker

import (
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
)

// waitingPulls holds pulls that found nothing until a message arrives or their time is over (class
// PullRequestHoldService). A held pull is a small struct: no task and no timer of its own.
type waitingPulls struct {
	broker  *Broker
	byQueue map[store.QueueKey][]*heldPull
	byTime  map[int64][]*heldPull // by end of the hold, in units of holdStep
	count   int
	ready   []*heldPull // woken, to be answered
	work    env.Cond
	tasks   *env.Group
	closing bool
}

// heldPull is one of them. It is in one list of byQueue and one of byTime until it is over.
type heldPull struct {
	pullRequest
	over bool
}

// holdStep is how exactly the end of a hold is kept.
const holdStep = 100 * time.Millisecond

// answerers is the number of tasks that answer woken pulls: enough that one slow read does not
// hold up the others.
const answerers = 4

func newWaitingPulls(b *Broker) *waitingPulls {
	return &waitingPulls{
		broker: b, byQueue: map[store.QueueKey][]*heldPull{}, byTime: map[int64][]*heldPull{},
		work: b.env.Tasks.NewCond(), tasks: env.NewGroup(b.env.Tasks),
	}
}

func (w *waitingPulls) start() {
	for range answerers {
		w.tasks.Go("answer held pulls", w.answerLoop)
	}
	w.tasks.Go("end held pulls", w.expireLoop)
}

// hold keeps a pull. It reports false if there are too many, or the broker stops. No message can slip in between the read
// that found nothing and this call, because neither waits.
func (w *waitingPulls) hold(p *pullRequest) bool {
	if w.closing || w.count >= w.broker.options.HeldPullsMax {
		return false
	}
	h := &heldPull{pullRequest: *p}
	h.holdFor = 0 // the second time it is answered whatever there is
	w.count++
	w.byQueue[p.queue] = append(w.byQueue[p.queue], h)
	end := slot(w.broker.env.Clock.Now().Add(p.holdFor)) + 1
	w.byTime[end] = append(w.byTime[end], h)
	return true
}

func slot(at env.Instant) int64 { return int64(at) / int64(holdStep) }

// arrived wakes the pulls that wait for this message. The store calls it for each message that
// becomes visible.
func (w *waitingPulls) arrived(key store.QueueKey, offset message.QueueOffset, tagHash int64) {
	held := w.byQueue[key]
	if len(held) == 0 {
		return
	}
	kept := held[:0]
	for _, h := range held {
		switch {
		case h.over:
		case offset >= h.from && (h.tags == nil || h.tags.matches(tagHash)):
			w.wake(h)
		default:
			kept = append(kept, h)
		}
	}
	clear(held[len(kept):])
	if len(kept) == 0 {
		delete(w.byQueue, key)
		return
	}
	w.byQueue[key] = kept
}

func (w *waitingPulls) wake(h *heldPull) {
	h.over = true
	w.count--
	if h.reply.Conn().Closed() {
		return
	}
	w.ready = append(w.ready, h)
	w.work.Signal()
}

func (w *waitingPulls) answerLoop() {
	for {
		for len(w.ready) == 0 && !w.closing {
			w.work.Wait()
		}
		if len(w.ready) == 0 {
			return
		}
		last := len(w.ready) - 1
		h := w.ready[last]
		w.ready[last] = nil
		w.ready = w.ready[:last]
		w.broker.answerPull(&h.pullRequest)
	}
}

// expireLoop ends holds whose time is over: they are answered "nothing found".
func (w *waitingPulls) expireLoop() {
	next := slot(w.broker.env.Clock.Now())
	for !w.closing {
		w.broker.stop.WaitUntil(w.broker.env.Clock.Now().Add(holdStep))
		for now := slot(w.broker.env.Clock.Now()); next <= now; next++ {
			for _, h := range w.byTime[next] {
				w.expire(h)
			}
			delete(w.byTime, next)
		}
	}
}

func (w *waitingPulls) expire(h *heldPull) {
	if h.over {
		return
	}
	w.wake(h)
	w.drop(h)
}

// drop takes a pull that is over out of its queue's list.
func (w *waitingPulls) drop(h *heldPull) {
	held := w.byQueue[h.queue]
	for i, other := range held {
		if other == h {
			held[i] = held[len(held)-1]
			held[len(held)-1] = nil
			held = held[:len(held)-1]
			break
		}
	}
	if len(held) == 0 {
		delete(w.byQueue, h.queue)
		return
	}
	w.byQueue[h.queue] = held
}

// close answers all held pulls and ends the tasks.
func (w *waitingPulls) close() {
	w.closing = true
	var ends []int64
	for end := range w.byTime {
		ends = append(ends, end)
	}
	slices.Sort(ends)
	for _, end := range ends {
		for _, h := range w.byTime[end] {
			w.expire(h)
		}
	}
	clear(w.byTime)
	w.work.Broadcast()
	w.tasks.Wait()
}
