package broker

import (
	"maps"
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
	ready   *env.Queue[*heldPull] // woken, to be answered; first come, first served
	count   int                   // held or ready; <= Options.HeldPullsMax, which is also ready's limit
	tasks   *env.Group
	closing bool
}

// heldPull is one of them. Until it is woken it is in one list of byQueue and one of byTime.
type heldPull struct {
	pullRequest
	end   int64 // its list in byTime
	place int   // its index there
}

// holdStep is how exactly the end of a hold is kept.
const holdStep = 100 * time.Millisecond

// holdMax bounds what a client may ask for: the pulls of connections that have ended are forgotten only when
// their time is over.
const holdMax = 5 * time.Minute

// answerers is the number of tasks that answer woken pulls: enough that one slow read does not
// hold up the others.
const answerers = 4

func newWaitingPulls(b *Broker) *waitingPulls {
	return &waitingPulls{
		broker: b, byQueue: map[store.QueueKey][]*heldPull{}, byTime: map[int64][]*heldPull{},
		ready: env.NewQueue[*heldPull](b.env.Tasks, b.options.HeldPullsMax), tasks: env.NewGroup(b.env.Tasks),
	}
}

func (w *waitingPulls) start() {
	for range answerers {
		w.tasks.Go("answer held pulls", w.answerLoop)
	}
	w.tasks.Go("end held pulls", w.expireLoop)
}

// hold keeps a pull until its time is over. It reports false if there are too many, or the broker stops. No message can slip in
// between the read that found nothing and this call: a read that is at the end of its queue does not wait after it has looked, and
// where one did (Broker.holds), the end is compared right before.
func (w *waitingPulls) hold(p *pullRequest) bool {
	if w.closing || w.count >= w.broker.options.HeldPullsMax {
		return false
	}
	h := &heldPull{pullRequest: *p, end: slot(p.holdUntil) + 1}
	h.held, h.reply = true, h.reply.Held()
	h.place = len(w.byTime[h.end])
	w.count++
	w.byQueue[p.queue] = append(w.byQueue[p.queue], h)
	w.byTime[h.end] = append(w.byTime[h.end], h)
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
		case offset >= h.from && h.filter.MatchesTagHash(tagHash):
			w.leaveTime(h)
			w.wake(h)
		default:
			kept = append(kept, h)
		}
	}
	clear(held[len(kept):])
	w.keep(key, kept)
}

// release answers the pulls of a group that wait at a queue.
func (w *waitingPulls) release(group string, key store.QueueKey) {
	for _, h := range slices.Clone(w.byQueue[key]) {
		if h.group == group {
			w.leaveTime(h)
			w.leaveQueue(h)
			h.holdUntil = 0
			w.wake(h)
		}
	}
}

// releaseAll answers the pulls that match: their group or topic was deleted.
func (w *waitingPulls) releaseAll(match func(*heldPull) bool) {
	for _, end := range w.ends() {
		for _, h := range slices.Clone(w.byTime[end]) {
			if match(h) {
				w.leaveTime(h)
				w.leaveQueue(h)
				w.wake(h)
			}
		}
	}
}

// wake hands a pull that is in no list any more to the answerers.
func (w *waitingPulls) wake(h *heldPull) {
	if h.reply.Conn().Closed() {
		w.count--
		return
	}
	// There is room: count bounds what is ready, too.
	w.ready.TryPush(h)
}

func (w *waitingPulls) answerLoop() {
	for {
		h, ok := w.ready.Pop()
		if !ok {
			return
		}
		w.count--
		w.broker.answerPull(&h.pullRequest)
	}
}

// expireLoop ends holds whose time is over: they are answered "nothing found".
func (w *waitingPulls) expireLoop() {
	next := slot(w.broker.env.Clock.Now())
	for !w.closing {
		w.broker.stop.WaitUntil(w.broker.env.Clock.Now().Add(holdStep))
		for now := slot(w.broker.env.Clock.Now()); next <= now; next++ {
			w.expire(next)
		}
	}
}

// expire ends the holds of one list of byTime.
func (w *waitingPulls) expire(end int64) {
	over := w.byTime[end]
	delete(w.byTime, end)
	for _, h := range over {
		w.leaveQueue(h)
		w.wake(h)
	}
}

// leaveTime takes a pull out of its list of byTime.
func (w *waitingPulls) leaveTime(h *heldPull) {
	list := w.byTime[h.end]
	last := len(list) - 1
	list[h.place] = list[last]
	list[h.place].place = h.place
	list[last] = nil
	if last == 0 {
		delete(w.byTime, h.end)
		return
	}
	w.byTime[h.end] = list[:last]
}

// leaveQueue takes a pull out of its list of byQueue.
func (w *waitingPulls) leaveQueue(h *heldPull) {
	held := w.byQueue[h.queue]
	i := slices.Index(held, h)
	w.keep(h.queue, slices.Delete(held, i, i+1))
}

func (w *waitingPulls) keep(key store.QueueKey, held []*heldPull) {
	if len(held) == 0 {
		delete(w.byQueue, key)
		return
	}
	w.byQueue[key] = held
}

// ends lists when holds are over, the next one first.
func (w *waitingPulls) ends() []int64 { return slices.Sorted(maps.Keys(w.byTime)) }

// close answers all held pulls and ends the tasks.
func (w *waitingPulls) close() {
	w.closing = true
	for _, end := range w.ends() {
		w.expire(end)
	}
	w.ready.Close()
	w.broker.stop.Broadcast()
	w.tasks.Wait()
}
