package client

import (
	"slices"

	"github.com/gantrymq/gantry/node/env"
)

// popQueue is what stands between popping and acknowledging for one assigned queue (class PopProcessQueue). It is pure: it waits for nothing and
// asks nobody.
type popQueue struct {
	waiting   []*PoppedMessage             // by arrival
	running   map[*Received]*PoppedMessage // handed out
	unsettled int                          // popped, and neither settled nor skipped ("waitAckCounter"); >= len(waiting) + len(running)
}

func newPopQueue() *popQueue { return &popQueue{running: map[*Received]*PoppedMessage{}} }

// put adds what a pop brought.
func (q *popQueue) put(messages []*PoppedMessage) {
	q.waiting = append(q.waiting, messages...)
	q.unsettled += len(messages)
}

// dismissed notes messages that are not handed out, but settled at once.
func (q *popQueue) dismissed(messages int) { q.unsettled += messages }

// take hands out up to count messages. Those whose time is over are skipped: they come again, and perhaps elsewhere.
func (q *popQueue) take(count int, now env.Instant) (taken []*Received) {
	q.skip(now)
	count = min(count, len(q.waiting))
	for _, m := range q.waiting[:count] {
		q.running[m.Received] = m
		taken = append(taken, m.Received)
	}
	q.waiting = q.waiting[count:]
	return taken
}

// skip drops messages whose time is over.
func (q *popQueue) skip(now env.Instant) {
	before := len(q.waiting)
	q.waiting = slices.DeleteFunc(q.waiting, func(m *PoppedMessage) bool { return m.over(now) })
	q.unsettled -= before - len(q.waiting)
}

// hasWaiting reports whether take would hand out something.
func (q *popQueue) hasWaiting(now env.Instant) bool {
	for _, m := range q.waiting {
		if !m.over(now) {
			return true
		}
	}
	return false
}

// back is the popped form of what was handed out. It counts as unsettled until settled is called.
func (q *popQueue) back(m *Received) *PoppedMessage {
	popped := q.running[m]
	delete(q.running, m)
	return popped
}

// putBack makes a message wait again that was handed out, before all others.
func (q *popQueue) putBack(m *Received) {
	q.waiting = append([]*PoppedMessage{q.back(m)}, q.waiting...)
}

// settled notes that a message needs nothing any more.
func (q *popQueue) settled() { q.unsettled-- }
