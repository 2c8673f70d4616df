package store

import (
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/transport/message"
)

// The number of a message that is lost must not be given again: it was acknowledged, and consumers may have seen it. If a
// later message of the queue is left, its number tells. Otherwise only the old queue file knows; a repair reads it, and names in
// the bridge what was lost, so that the log alone tells it from then on.

// lost puts fillers in the places of the messages that a bridge names.
func (r *replay) lost(record *message.Record) error {
	s := r.store
	for _, l := range lostIn(record) {
		if record.LogOffset < s.dropped[l.key.Topic] {
			continue
		}
		q := s.queueFor(l.key)
		if err := r.begin(q, l.first, record.LogOffset); err != nil {
			return err
		}
		if l = l.behind(q.max); l.count <= 0 {
			continue
		}
		if _, ok := r.gaps.over(q.layout, r.last[q], record.LogOffset, int64(l.first-q.max)); l.first > q.max && !ok && !r.whole {
			return fmt.Errorf("%w: %s ends at %d, the bridge at %v stands for %v", errContradiction, l.key, q.max, record.LogOffset, l)
		}
		// The repair has seen where these stood: what is missing before them is lost, too.
		for q.max < l.first && !q.layout.batch {
			r.addFiller(q, bridgeOf(record).filler(q.max))
		}
		q.max, q.next = l.first, l.first
		for _, e := range bridgeOf(record).fillers(q.layout, l) {
			r.addFiller(q, e)
		}
	}
	if r.fresh >= r.store.options.ReplayMax {
		r.fresh = 0
		return r.save()
	}
	return nil
}

// behind are the messages from a number on.
func (l lostMessages) behind(number message.QueueOffset) lostMessages {
	if skip := number - l.first; skip > 0 {
		l.first, l.count = number, int32(max(int64(l.count)-int64(skip), 0))
	}
	return l
}

// addFiller adds an entry for messages that are lost. At the beginning of a queue nobody need read over them.
func (r *replay) addFiller(q *queueLog, e entry) {
	leading := q.first == q.end
	r.add(q, e)
	r.fresh++
	if leading {
		q.first, q.min, q.minLog = q.end, q.max, unknownLog
	}
}

// lostFirst reports whether the first messages of a queue, up to a number, may have stood in bridges: if the log was never
// cleaned, it had them all.
func (r *replay) lostFirst(q *queueLog, number message.QueueOffset, log message.LogOffset) bool {
	_, ok := r.gaps.over(q.layout, 0, log, int64(number))
	return ok && r.store.log.Start() == 0
}

// passLost goes on behind the fillers that entries begin with.
func (q *queueLog) passLost(first, end position) (position, error) {
	for ; first < end; first++ {
		e, err := q.fileEntry(first)
		if err != nil || !e.filler() {
			return first, err
		}
	}
	return first, nil
}

// hole is a range of entries whose records were not found in the log.
type hole struct{ from, to position }

// checkLost compares the messages that a bridge names with their fillers.
func (c *checker) checkLost(record *message.Record) error {
	for _, l := range lostIn(record) {
		if record.LogOffset < c.dropped[l.key.Topic] {
			continue
		}
		q := c.queueOf(l.key)
		if q.seen && l.first > 0 {
			l = l.behind(q.nextNumber)
		}
		if l.count <= 0 {
			continue
		}
		if q.seen && l.first > q.nextNumber {
			q.nextNumber = l.first
			if !q.layout.batch {
				q.nextEntry = position(l.first)
			}
		}
		for _, e := range bridgeOf(record).fillers(q.layout, l) {
			if err := c.follow(q, &message.Record{QueueOffset: e.number, LogOffset: e.log}); err != nil {
				return err
			}
			if err := c.compare(q, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// nameLost finds out, for each damaged part of the log, which messages stood there, as far as the files of queues know. Their
// entries are believed where the log has no record for them.
func (c *checker) nameLost() error {
	if len(c.report.Lost) == 0 {
		return nil
	}
	c.lost = make([][]lostMessages, len(c.report.Lost))
	for _, q := range c.order {
		if !q.hasFiles() {
			continue
		}
		first, end := q.rowRange()
		from := max(q.nextEntry, first)
		if !q.seen {
			from = first
		}
		for _, h := range append(q.holes, hole{from, end}) {
			if err := c.nameIn(q, hole{max(h.from, first), min(h.to, end)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// nameIn notes the messages of a range of entries. Behind one that was never written there are no more.
func (c *checker) nameIn(q *checkedQueue, h hole) error {
	at, number := message.LogOffset(-1), message.QueueOffset(-1)
	for ; h.from < h.to; h.from++ {
		e, err := q.entry(h.from)
		if err != nil || e.unwritten() {
			return err
		}
		i, damaged := c.damagedAt(e.log)
		if !damaged || !e.possible() && !e.filler() || e.log < at || e.number < number || e.log < c.dropped[q.key.Topic] {
			continue
		}
		at, number = e.log, e.next()
		c.lost[i] = addLost(c.lost[i], lostMessages{q.key, e.number, e.count})
	}
	return nil
}

// damagedAt finds the damaged part that a place is in.
func (c *checker) damagedAt(at message.LogOffset) (int, bool) {
	return slices.BinarySearchFunc(c.report.Lost, at, func(d DamagedRange, at message.LogOffset) int {
		switch {
		case d.To <= at:
			return -1
		case d.From > at:
			return 1
		}
		return 0
	})
}
