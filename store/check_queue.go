package store

import (
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
)

// checkedQueue is what Check knows of one queue. The log is walked once, and the
// entries of each queue come in the same order, so that each is read once.
type checkedQueue struct {
	key      QueueKey
	row      *segment.Row        // nil without files
	next     message.QueueOffset // number that the next record must have
	seen     bool                // a record of it was found
	first    message.QueueOffset // number of the first record
	lastLog  message.LogOffset   // place of the newest record
	before   message.QueueOffset // entries below are of records before the checkpoint
	loaded   []byte              // entries from at on
	at       message.QueueOffset // number of the first loaded entry
	troubles []trouble           // entries that do not fit, gathered into ranges
}

// trouble is a range of entries that are wrong in the same way.
type trouble struct {
	what     string
	from, to message.QueueOffset
	log      message.LogOffset // of the record of from
}

// openQueues opens the files of all queues.
func (c *checker) openQueues() error {
	keys, err := listQueues(c.env.Disk)
	if err != nil {
		return err
	}
	for _, key := range keys {
		row, err := segment.Inspect(c.files, queuePath(key), c.options.QueueSegmentEntries*entrySize)
		if errors.Is(err, segment.ErrForeign) {
			c.damage("queue %s: %v", key, err)
			row, err = nil, nil
		}
		if err != nil {
			return err
		}
		c.addQueue(key, row)
		c.report.Queues++
	}
	return nil
}

func (c *checker) addQueue(key QueueKey, row *segment.Row) *checkedQueue {
	q := &checkedQueue{key: key, row: row}
	c.queues[key] = q
	c.order = append(c.order, q)
	return q
}

// entry reads the entry of a number; what no file holds is zero.
func (q *checkedQueue) entry(number message.QueueOffset) (entry, error) {
	offset := int64(number) * entrySize
	if q.row == nil || number < 0 || !q.row.Has(offset) {
		return entry{}, nil
	}
	if i := int(number-q.at) * entrySize; number >= q.at && i < len(q.loaded) {
		return decodeEntry(q.loaded[i:]), nil
	}
	n := min(entriesPerRead*entrySize, q.row.FileStart(offset)+q.row.SegmentSize()-offset)
	q.loaded, q.at = make([]byte, n), number
	if err := q.row.ReadAt(q.loaded, offset); err != nil {
		q.loaded = nil
		return entry{}, err
	}
	return decodeEntry(q.loaded), nil
}

// checkEntry compares a record with its entry.
func (c *checker) checkEntry(r *message.Record, end message.LogOffset) error {
	key := QueueKey{string(r.Topic), r.QueueID}
	if reason := key.cannotHold(r.QueueOffset); reason != "" {
		c.damage("commit log [%d, %d): %s", r.LogOffset, end, reason)
		return nil
	}
	q := c.queues[key]
	if q == nil {
		q = c.addQueue(key, nil)
	}
	switch {
	case !q.seen:
		q.seen, q.first, q.before = true, r.QueueOffset, r.QueueOffset
	case r.QueueOffset == 0:
		// The topic was removed and made again: what was wrong with the old records is of no interest.
		q.first, q.before, q.troubles = 0, 0, nil
	case r.QueueOffset != q.next:
		if ok, err := c.bridged(q, r); ok || err != nil {
			if err != nil {
				return err
			}
			break
		}
		c.damage("queue %s: message %d should follow, the record at %d says %d", key, q.next, r.LogOffset, r.QueueOffset)
	}
	q.next, q.lastLog = r.QueueOffset+1, r.LogOffset
	if end <= c.state.saved {
		q.before = q.next
	}
	found, err := q.entry(r.QueueOffset)
	if err != nil {
		return err
	}
	want := entry{log: r.LogOffset, size: int32(end - r.LogOffset), tagHash: c.options.entryTag(r, r.StoredAt)}
	switch found {
	case want:
		c.report.Entries++
	case entry{}:
		c.troubled(q, "have no entry", r.QueueOffset, r.LogOffset)
	default:
		c.troubled(q, "have entries that do not fit their records", r.QueueOffset, r.LogOffset)
	}
	return nil
}

// bridged reports whether the messages in front of a record may be missing: they stood where a bridge is now, and have fillers.
func (c *checker) bridged(q *checkedQueue, r *message.Record) (bool, error) {
	if _, ok := c.gaps.over(q.lastLog, r.LogOffset, int64(r.QueueOffset-q.next)); !ok {
		return false, nil
	}
	for number := q.next; number < r.QueueOffset && !c.rebuilds(); number++ {
		e, err := q.entry(number)
		if err != nil || e.size != fillerSize {
			return false, err
		}
	}
	return true, nil
}

// rebuilds reports whether the next start builds all queues again, so that nothing in them counts.
func (c *checker) rebuilds() bool { return c.state.own && c.state.entries == entriesUnknown }

// troubled gathers neighbours that are wrong in the same way into one finding.
func (c *checker) troubled(q *checkedQueue, what string, number message.QueueOffset, at message.LogOffset) {
	if c.rebuilds() {
		return
	}
	if n := len(q.troubles); n > 0 {
		last := &q.troubles[n-1]
		sameSide := (last.log < c.state.saved) == (at < c.state.saved)
		if last.what == what && last.to == number && sameSide || n >= findingsMax {
			last.to = number + 1
			return
		}
	}
	q.troubles = append(q.troubles, trouble{what: what, from: number, to: number + 1, log: at})
}

// checkCount compares the number of entries with the one that the checkpoint states. It reports whether
// none is missing: then a queue without files is one whose topic was removed.
func (c *checker) checkCount() bool {
	sum := int64(0)
	for _, q := range c.order {
		if q.hasFiles() {
			sum += int64(q.before)
		}
	}
	if c.rebuilds() {
		c.note(&c.report.Repairs, "all queues are to be built again from the log")
		return false
	}
	if c.state.own && sum < c.state.entries {
		c.damage("the checkpoint counts %d queue entries of records before %d, there are %d", c.state.entries, c.state.saved, sum)
		return false
	}
	return c.state.own
}

func (q *checkedQueue) hasFiles() bool { return q.row != nil && !q.row.Empty() }

// reportTroubles turns what was gathered into findings.
func (c *checker) reportTroubles(q *checkedQueue, complete bool) {
	for _, t := range q.troubles {
		if complete && !q.hasFiles() && t.log < c.state.saved {
			continue
		}
		c.find(t.log, "queue %s: messages [%d, %d), of records from %d on, %s", q.key, t.from, t.to, t.log, t.what)
	}
}

// finishQueue checks the entries that belong to no record.
func (c *checker) finishQueue(q *checkedQueue) error {
	if !q.hasFiles() || c.rebuilds() {
		return nil
	}
	first, last := message.QueueOffset(q.row.Start()/entrySize), message.QueueOffset(q.row.End()/entrySize)
	expired := last
	if q.seen {
		expired = min(max(q.first, first), last)
	}
	expired, err := c.checkExpired(q, first, expired)
	if err != nil {
		return err
	}
	if !q.seen {
		q.before = expired
	}
	if n := q.row.Missing(); n > 0 {
		c.find(c.report.End, "queue %s: its last file lacks its last %d bytes", q.key, n)
	}
	return c.checkUnused(q, max(expired, min(q.next, last)), last)
}

// checkExpired checks the entries in front of the first record: fillers, or of records that were removed.
// It returns where they end.
func (c *checker) checkExpired(q *checkedQueue, from, to message.QueueOffset) (message.QueueOffset, error) {
	for number := from; number < to; number++ {
		e, err := q.entry(number)
		switch {
		case err != nil:
			return number, err
		case e.size == fillerSize || e.size > 0 && e.end() <= c.report.Start:
			continue
		case !q.seen:
			return number, nil
		}
		c.damage("queue %s: messages [%d, %d) have entries, or none, that fit no record; the first record is message %d", q.key, number, to, q.first)
		return to, nil
	}
	return to, nil
}

// checkUnused checks that nothing stands behind the last entry: a Java broker would take it for messages.
func (c *checker) checkUnused(q *checkedQueue, from, to message.QueueOffset) error {
	first, last, err := nonZero(q.row, int64(from)*entrySize, int64(to)*entrySize)
	if _, dropped := c.dropped[q.key.Topic]; dropped && first < last {
		c.note(&c.report.Repairs, "queue %s: files of a topic that was removed", q.key)
		return err
	}
	if err == nil && first < last {
		c.find(c.report.End, "queue %s: entries [%d, %d) point to no record", q.key, first/entrySize, (last+entrySize-1)/entrySize)
	}
	return err
}

// String names the queue and how far it was checked.
func (q *checkedQueue) String() string { return fmt.Sprintf("%s up to %d", q.key, q.next) }
