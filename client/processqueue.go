package client

import (
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
)

// processQueue is what stands between pulling and committing for one queue (class ProcessQueue): the messages that were
// pulled and are not known to be consumed. It is pure: it waits for nothing and asks nobody.
type processQueue struct {
	entries    []entry     // by ascending offset; the first one, if any, is unfinished
	next       QueueOffset // where to pull; > all offsets in entries
	waitsFrom  int         // no entry before this index waits; <= len(entries)
	unfinished int
	running    int // handed out; <= unfinished
	bytes      int // of the bodies of unfinished messages
}

// entry is one message of a process queue.
type entry struct {
	message *Received
	state   entryState
	at      env.Instant // waiting: not to be handed out before; running: when it was handed out
	failed  bool        // expiring: the handler has come back meanwhile, with an error
}

type entryState int8

const (
	entryWaiting  entryState = iota
	entryRunning             // a handler has it
	entryExpiring            // a handler has it for too long: it is being sent back
	entryKept                // consumed, but not to be committed yet
	entryFinished
)

// newProcessQueue begins at an offset.
func newProcessQueue(from QueueOffset) processQueue { return processQueue{next: from} }

// put adds what a pull from next brought: messages in the order of the queue, and where to go on. What lies before next
// is here already, or was.
func (q *processQueue) put(messages []*Received, next QueueOffset) {
	for _, m := range messages {
		if m.Offset < q.next {
			continue
		}
		q.entries = append(q.entries, entry{message: m})
		q.next = m.Offset + 1
		q.unfinished++
		q.bytes += len(m.Body)
	}
	q.next = max(q.next, next)
}

// committed is the offset of the first unfinished message, or where to pull if there is none: all before it is consumed.
func (q *processQueue) committed() QueueOffset {
	if len(q.entries) == 0 {
		return q.next
	}
	return q.entries[0].message.Offset
}

// span is the distance between the first and the last message.
func (q *processQueue) span() QueueOffset {
	if len(q.entries) == 0 {
		return 0
	}
	return q.entries[len(q.entries)-1].message.Offset - q.entries[0].message.Offset
}

// take hands out up to count waiting messages whose time has come.
func (q *processQueue) take(count int, now env.Instant) (taken []*Received) {
	for i := q.waitsFrom; i < len(q.entries) && len(taken) < count; i++ {
		if e := &q.entries[i]; e.state == entryWaiting && e.at <= now {
			taken = append(taken, q.handOut(e, now))
		}
	}
	q.skip()
	return taken
}

// takeInOrder is take for those who must have each message before the next one: while one is out there is nothing.
func (q *processQueue) takeInOrder(count int, now env.Instant) (taken []*Received) {
	if q.running > 0 {
		return nil
	}
	for i := 0; i < len(q.entries) && len(taken) < count; i++ {
		e := &q.entries[i]
		if e.state == entryFinished || e.state == entryKept {
			continue
		}
		if e.at > now {
			break
		}
		taken = append(taken, q.handOut(e, now))
	}
	q.skip()
	return taken
}

func (q *processQueue) handOut(e *entry, now env.Instant) *Received {
	e.state, e.at = entryRunning, now
	q.running++
	return e.message
}

// skip moves waitsFrom to the first entry that waits.
func (q *processQueue) skip() {
	for q.waitsFrom < len(q.entries) && q.entries[q.waitsFrom].state != entryWaiting {
		q.waitsFrom++
	}
}

// hasWaiting reports whether take, or takeInOrder, would hand out something.
func (q *processQueue) hasWaiting(inOrder bool, now env.Instant) bool {
	if inOrder && q.running > 0 {
		return false
	}
	for i := q.waitsFrom; i < len(q.entries); i++ {
		e := &q.entries[i]
		switch {
		case e.state == entryWaiting && e.at <= now:
			return true
		case e.state == entryWaiting && inOrder:
			return false
		}
	}
	return false
}

// find returns the index of a message that is not finished, or -1.
func (q *processQueue) find(offset QueueOffset) int {
	i, found := slices.BinarySearchFunc(q.entries, offset, func(e entry, offset QueueOffset) int {
		return int(e.message.Offset - offset)
	})
	if !found || q.entries[i].state == entryFinished {
		return -1
	}
	return i
}

// finish notes that a message needs nothing any more. It reports false if that was known.
func (q *processQueue) finish(offset QueueOffset) bool {
	i := q.find(offset)
	if i < 0 {
		return false
	}
	q.leave(i)
	q.entries[i].state = entryFinished
	q.unfinished--
	q.bytes -= len(q.entries[i].message.Body)
	q.trim()
	return true
}

// leave counts a message that is not running any more.
func (q *processQueue) leave(i int) {
	if s := q.entries[i].state; s == entryRunning || s == entryExpiring {
		q.running--
	}
}

// trim drops finished messages from the front.
func (q *processQueue) trim() {
	n := 0
	for n < len(q.entries) && q.entries[n].state == entryFinished {
		q.entries[n] = entry{}
		n++
	}
	q.entries = q.entries[n:]
	q.waitsFrom = max(0, q.waitsFrom-n)
	q.skip()
}

// hasFailed notes that a handler came back with an error. It reports whether the message is now the caller's to deal with, by
// finish or putBack.
func (q *processQueue) hasFailed(offset QueueOffset) bool {
	i := q.find(offset)
	if i < 0 {
		return false
	}
	e := &q.entries[i]
	e.failed = e.failed || e.state == entryExpiring
	return e.state == entryRunning
}

// putBack makes a message wait again, in the given form, until its time has come.
func (q *processQueue) putBack(m *Received, until env.Instant) {
	i := q.find(m.Offset)
	if i < 0 {
		return
	}
	q.leave(i)
	q.entries[i] = entry{message: m, at: until}
	q.waitsFrom = min(q.waitsFrom, i)
}

// expire returns the first message, if it was handed out long ago, and keeps it from others until finish or notExpired. Only the
// first one matters: it is what holds up the committed offset.
func (q *processQueue) expire(now env.Instant, patience time.Duration) *Received {
	if len(q.entries) == 0 {
		return nil
	}
	e := &q.entries[0]
	if e.state != entryRunning || now.Sub(e.at) < patience {
		return nil
	}
	e.state = entryExpiring
	return e.message
}

// notExpired undoes expire. It reports true if the handler came back with an error meanwhile: then the message
// must be put back.
func (q *processQueue) notExpired(offset QueueOffset) bool {
	i := q.find(offset)
	if i < 0 || q.entries[i].state != entryExpiring {
		return false
	}
	q.entries[i].state = entryRunning
	return q.entries[i].failed
}

// keep notes that a message was consumed, and holds up the committed offset all the same, until finishKept or putBack.
func (q *processQueue) keep(offset QueueOffset) {
	if i := q.find(offset); i >= 0 {
		q.leave(i)
		q.entries[i].state = entryKept
	}
}

// kept lists the messages that are kept.
func (q *processQueue) kept() (messages []*Received) {
	for i := range q.entries {
		if q.entries[i].state == entryKept {
			messages = append(messages, q.entries[i].message)
		}
	}
	return messages
}

// finishKept finishes all messages that are kept.
func (q *processQueue) finishKept() {
	for _, m := range q.kept() {
		q.finish(m.Offset)
	}
}
