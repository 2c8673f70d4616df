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
	*queueLog                       // its row is nil without files; it is used to read them
	nextNumber  message.QueueOffset // number that the next record must have
	nextEntry   position            // where its entry must be
	seen        bool                // a record of it was found
	firstNumber message.QueueOffset // number of the first record
	firstEntry  position            // and where its entry must be
	lastLog     message.LogOffset   // place of the newest record
	before      position            // entries below are of records before the checkpoint
	loaded      []byte              // entries from at on
	at          position            // of the first loaded entry
	troubles    []trouble           // entries that do not fit, gathered into ranges
	holes       []hole              // entries that the log has no records for, though it has a damaged part there
}

// trouble is a range of entries that are wrong in the same way.
type trouble struct {
	what     string
	from, to message.QueueOffset
	log      message.LogOffset // of the record of from
}

// openQueues opens the files of all queues.
func (c *checker) openQueues() error {
	directories, err := listQueues(c.env.Disk)
	if err != nil {
		return err
	}
	for _, d := range directories {
		row, err := segment.Inspect(c.files, d.path(), d.layout.fileSize(&c.options))
		if errors.Is(err, segment.ErrForeign) {
			c.damage("queue %s: %v", d.key, err)
			c.foreign = append(c.foreign, d)
			row, err = nil, nil
		}
		if err != nil {
			return err
		}
		if other := c.queues[d.key]; other != nil {
			if row != nil && !row.Empty() && other.hasFiles() {
				c.damage("queue %s: it has files in %s and in %s", d.key, other.layout.path(d.key), d.path())
				c.twice = d.path()
			}
			if row == nil || row.Empty() || other.hasFiles() {
				continue
			}
			other.layout, other.row = d.layout, row
			continue
		}
		c.addQueue(d.key, d.layout, row)
		c.report.Queues++
	}
	return nil
}

func (c *checker) addQueue(key QueueKey, l *layout, row *segment.Row) *checkedQueue {
	q := &checkedQueue{queueLog: newQueueLog(key, l, row)}
	c.queues[key] = q
	c.order = append(c.order, q)
	return q
}

// entry reads the entry at a position; what no file holds is unwritten.
func (q *checkedQueue) entry(at position) (entry, error) {
	if q.row == nil || at < 0 || !q.row.Has(q.byteOf(at)) {
		return entry{}, nil
	}
	if i := q.byteOf(at - q.at); at >= q.at && i < int64(len(q.loaded)) {
		return q.layout.decode(q.loaded[i:], at), nil
	}
	q.loaded, q.at = make([]byte, q.byteOf(min(entriesPerRead, q.fileEnd(at)-at))), at
	if err := q.row.ReadAt(q.loaded, q.byteOf(at)); err != nil {
		q.loaded = nil
		return entry{}, err
	}
	return q.layout.decode(q.loaded, at), nil
}

// entryFor is the position where the entry of a message should be.
func (q *checkedQueue) entryFor(number message.QueueOffset) (position, error) {
	if !q.layout.batch || !q.hasFiles() {
		return q.layout.start(number), nil
	}
	start, end := q.rowRange()
	return q.search(start, end, func(e entry) bool { return (e.possible() || e.filler()) && e.number < number })
}

// checkEntry compares a record with its entry.
func (c *checker) checkEntry(r *message.Record, end message.LogOffset) error {
	key := QueueKey{string(r.Topic), r.QueueID}
	if reason := key.cannotHold(r.QueueOffset); reason != "" {
		c.damage("commit log [%d, %d): %s", r.LogOffset, end, reason)
		return nil
	}
	q := c.queueOf(key)
	if err := c.follow(q, r); err != nil {
		return err
	}
	want := q.layout.entryOf(r, end, c.options.entryTag(r, r.StoredAt))
	if key.Topic == delayTopic {
		c.allowOtherLevels(q, r, &want)
	}
	return c.compare(q, want)
}

// levelMax is longer than any delay level, in milliseconds.
const levelMax = 10 * 366 * 24 * 3600 * 1000

// allowOtherLevels takes the time at which an entry says that a delayed message is due for right, if a level may have said so: the table of the levels
// may have been another one when the message was stored, and who checks need not know it.
func (c *checker) allowOtherLevels(q *checkedQueue, r *message.Record, want *entry) {
	found, err := q.entry(q.nextEntry)
	if err == nil && found.tagHash >= r.StoredAt && found.tagHash-r.StoredAt <= levelMax && want.tagHash >= r.StoredAt {
		want.tagHash = found.tagHash
	}
}

func (c *checker) queueOf(key QueueKey) *checkedQueue {
	if q := c.queues[key]; q != nil {
		return q
	}
	return c.addQueue(key, c.options.layoutOf(key.Topic), nil)
}

// compare looks whether the next entry of a queue is as it should be.
func (c *checker) compare(q *checkedQueue, want entry) error {
	found, err := q.entry(q.nextEntry)
	if err != nil {
		return err
	}
	if found == want {
		c.report.Entries++
	} else {
		c.misfit(q, found, want)
	}
	q.nextEntry++
	q.nextNumber, q.lastLog = want.next(), want.log
	if want.end() <= c.state.saved {
		q.before = q.nextEntry
	}
	return nil
}

// follow sees to it that nextEntry is where the entry of the record should be, which should be the next of its queue.
func (c *checker) follow(q *checkedQueue, r *message.Record) (err error) {
	from := q.nextEntry
	switch {
	case !q.seen:
		q.nextEntry, err = q.entryFor(r.QueueOffset)
		c.noteHole(q, 0)
		q.seen, q.firstNumber, q.firstEntry, q.before = true, r.QueueOffset, q.nextEntry, q.nextEntry
		return err
	case r.QueueOffset == 0:
		// The topic was removed and made again: what was wrong with the old records is of no interest.
		q.firstNumber, q.firstEntry, q.nextEntry, q.before, q.troubles = 0, 0, 0, 0, nil
		return nil
	case r.QueueOffset < q.nextNumber && c.gaps.between(q.lastLog, r.LogOffset):
		// So was this one, and what it began with is lost.
		q.nextEntry, err = q.entryFor(r.QueueOffset)
		q.firstNumber, q.firstEntry, q.before, q.troubles = r.QueueOffset, q.nextEntry, q.nextEntry, nil
		return err
	case r.QueueOffset == q.nextNumber:
		return nil
	}
	ok, err := c.bridged(q, r)
	if err != nil {
		return err
	}
	if !ok {
		c.damage("queue %s: message %d should follow, the record at %d says %d", q.key, q.nextNumber, r.LogOffset, r.QueueOffset)
	}
	if !ok || !q.layout.batch {
		q.nextEntry, err = q.entryFor(r.QueueOffset)
	}
	c.noteHole(q, from)
	return err
}

// noteHole remembers the entries from a position up to the next one, which have no records, if a damaged part of the log may be why.
func (c *checker) noteHole(q *checkedQueue, from position) {
	if from < q.nextEntry && len(c.report.Lost) > 0 {
		q.holes = append(q.holes, hole{from, q.nextEntry})
	}
}

// bridged reports whether the messages in front of a record may be missing: they stood where a bridge is now. They have fillers; of a
// topic that was removed and made again since, those are gone.
func (c *checker) bridged(q *checkedQueue, r *message.Record) (bool, error) {
	bridge, ok := c.gaps.over(q.layout, q.lastLog, r.LogOffset, int64(r.QueueOffset-q.nextNumber))
	for at := q.nextEntry; ok && at < position(r.QueueOffset) && !q.layout.batch; at++ {
		e, err := q.entry(at)
		if err != nil {
			return false, err
		}
		if want := bridge.filler(message.QueueOffset(at)); !e.filler() {
			c.misfit(q, e, want)
		}
	}
	return ok, nil
}

// rebuilds reports whether the next start builds all queues again, so that nothing in them counts.
func (c *checker) rebuilds() bool { return c.state.own && c.state.entries == entriesUnknown }

// misfit notes an entry that is not as it should be.
func (c *checker) misfit(q *checkedQueue, found, want entry) {
	switch {
	case found.unwritten() && c.report.Clean && c.state.own && want.log >= c.state.saved:
		// An orderly end leaves such only if copies have not confirmed them.
		c.report.Unconfirmed++
	case found.unwritten():
		c.troubled(q, "have no entry", want)
	default:
		c.troubled(q, "have entries that do not fit their records", want)
	}
}

// troubled gathers neighbours that are wrong in the same way into one finding.
func (c *checker) troubled(q *checkedQueue, what string, of entry) {
	if c.rebuilds() {
		return
	}
	if n := len(q.troubles); n > 0 {
		last := &q.troubles[n-1]
		sameSide := (last.log < c.state.saved) == (of.log < c.state.saved)
		if last.what == what && last.to == of.number && sameSide || n >= findingsMax {
			last.to = of.next()
			return
		}
	}
	q.troubles = append(q.troubles, trouble{what: what, from: of.number, to: of.next(), log: of.log})
}

// checkCount compares the number of entries with the one that the checkpoint states. It reports whether
// none is missing: then a queue without files is one whose topic was removed.
func (c *checker) checkCount() bool {
	sum, absent := int64(0), int64(0)
	for _, q := range c.order {
		switch {
		case c.state.leaves(q.key):
		case q.hasFiles():
			sum += int64(q.before)
		default:
			absent += int64(q.before)
		}
	}
	if c.rebuilds() {
		c.note(&c.report.Repairs, "all queues are to be built again from the log")
		return false
	}
	if removed := c.removedEntries(); c.state.own && removed > c.state.removed {
		c.damage("the first files of queues are missing: %d entries in front of them were removed, by the checkpoint, and %d are", c.state.removed, removed)
	}
	if c.state.own && sum < c.state.entries && sum+absent >= c.state.entries && len(c.foreign) == 0 {
		c.absent = true
		c.note(&c.report.Repairs, "queues have no files: all queues are to be built again from the log")
		return false
	}
	if c.state.own && sum < c.state.entries {
		c.damage("the checkpoint counts %d queue entries of records before %d, there are %d", c.state.entries, c.state.saved, sum)
		return false
	}
	return c.state.own
}

// removedEntries counts the entries in front of the first files of all queues.
func (c *checker) removedEntries() int64 {
	sum := int64(0)
	for _, q := range c.order {
		if q.hasFiles() && !c.state.leaves(q.key) {
			start, _ := q.rowRange()
			sum += int64(start)
		}
	}
	return sum
}

func (q *checkedQueue) hasFiles() bool { return q.row != nil && !q.row.Empty() }

// reportTroubles turns what was gathered into findings.
func (c *checker) reportTroubles(q *checkedQueue, complete bool) {
	for _, t := range q.troubles {
		if (complete || c.absent) && !q.hasFiles() && t.log < c.state.saved {
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
	first, last := q.rowRange()
	expired := last
	if q.seen {
		expired = min(max(q.firstEntry, first), last)
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
	return c.checkUnused(q, max(expired, min(q.nextEntry, last)), last)
}

// checkExpired checks the entries in front of the first record: fillers, or of records that were removed.
// It returns where they end.
func (c *checker) checkExpired(q *checkedQueue, from, to position) (position, error) {
	for at := from; at < to; at++ {
		e, err := q.entry(at)
		switch {
		case err != nil:
			return at, err
		case e.filler() || e.size > 0 && e.end() <= c.report.Start:
			continue
		case !q.seen:
			return at, nil
		}
		c.damage("queue %s: entries [%d, %d) fit no record; the first one is of message %d", q.key, at, to, q.firstNumber)
		return to, nil
	}
	return to, nil
}

// checkUnused checks that nothing stands behind the last entry: a Java broker would take it for messages.
func (c *checker) checkUnused(q *checkedQueue, from, to position) error {
	first, last, err := nonZero(q.row, q.byteOf(from), q.byteOf(to))
	if err != nil || first >= last {
		return err
	}
	leftover, err := c.leftover(q, from)
	if err != nil {
		return err
	}
	note := func(format string, args ...any) { c.find(c.report.End, format, args...) }
	if position(first/q.layout.size) > from {
		// What a crash leaves begins at the end, and only there the next start looks.
		note = c.damage
	}
	if leftover {
		c.note(&c.report.Repairs, "queue %s: files of a topic that was removed", q.key)
	} else {
		note("queue %s: entries [%d, %d) point to no record", q.key, first/q.layout.size, (last+q.layout.size-1)/q.layout.size)
	}
	return nil
}

// leftover reports whether a queue without records is one of a topic that was removed, so that the next start removes its files.
func (c *checker) leftover(q *checkedQueue, end position) (bool, error) {
	at, dropped := c.dropped[q.key.Topic]
	if !dropped || q.seen {
		return false, nil
	}
	if first, _ := q.rowRange(); end == first {
		return true, nil
	}
	newest, err := q.entry(end - 1)
	return err == nil && newest.log < at, err
}

// String names the queue and how far it was checked.
func (q *checkedQueue) String() string { return fmt.Sprintf("%s up to %d", q.key, q.nextNumber) }
