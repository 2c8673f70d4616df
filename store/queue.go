package store

import (
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
	"go.uber.org/zap"
)

// queueLog is one consume queue: the list of its messages' places. The newest entries are in memory until they are in the file.
type queueLog struct {
	key    QueueKey
	layout *layout
	row    *segment.Row

	min  message.QueueOffset // first message that can be read
	max  message.QueueOffset // one past the last visible message; min <= max <= next
	next message.QueueOffset // number of the next message to be appended

	first     position // of the entry of message min
	end       position // one past the last entry; first <= end
	tail      []byte   // entries [tailStart, end)
	tailStart position // saved <= end; entries below are in the file only
	saved     position // entries below are written to the file, and their records flushed; tailStart <= saved
	synced    position // entries below are on the medium; synced <= saved
	dirty     bool     // listed in Store.dirty

	minLog message.LogOffset // where message min stands; unknownLog if it was not looked up

	// bytes are those of the records of the entries [measured, measuredTo), if a limit was ever to be kept.
	bytes                int64
	measured, measuredTo position
}

func newQueueLog(key QueueKey, layout *layout, row *segment.Row) *queueLog {
	return &queueLog{key: key, layout: layout, row: row, minLog: unknownLog}
}

// queueFor returns the queue and makes it if it does not exist.
func (s *Store) queueFor(key QueueKey) *queueLog {
	if q := s.queues[key]; q != nil {
		return q
	}
	l := s.options.layoutOf(key.Topic)
	q := newQueueLog(key, l, segment.New(s.queueFiles, l.path(key), l.fileSize(&s.options)))
	s.addQueue(q)
	return q
}

func (s *Store) addQueue(q *queueLog) {
	s.queues[q.key] = q
	s.order = append(s.order, q)
}

// add appends an entry. It reports whether the queue has just become dirty. A
// number that does not fit means that the log and the queue contradict each other, which must never be papered over.
func (q *queueLog) add(e entry) (nowDirty bool) {
	if e.number != q.max {
		panic(fmt.Sprintf("store: queue %s ends at %d, the record at %v says %d", q.key, q.max, e.log, e.number))
	}
	q.tail = q.layout.append(q.tail, e)
	q.end++
	q.max = e.next()
	q.next = max(q.next, q.max)
	nowDirty = !q.dirty
	q.dirty = true
	return nowDirty
}

// byteOf is where the entry at a position stands in the queue's row of files.
func (q *queueLog) byteOf(at position) int64 { return int64(at) * q.layout.size }

// fileEnd is the position behind the last entry of the file that a position is in.
func (q *queueLog) fileEnd(at position) position {
	return position((q.row.FileStart(q.byteOf(at)) + q.row.SegmentSize()) / q.layout.size)
}

// rowRange are the positions for which there are files.
func (q *queueLog) rowRange() (first, end position) {
	return position(q.row.Start() / q.layout.size), position(q.row.End() / q.layout.size)
}

// inTail returns the bytes of the entries in memory from a position on.
func (q *queueLog) inTail(at position) []byte { return q.tail[q.byteOf(at-q.tailStart):] }

// readEntries fills p, a whole number of entries, with those from a position on. They must
// exist. It waits only for entries that are not in memory.
func (q *queueLog) readEntries(p []byte, from position) error {
	for len(p) > 0 {
		if from >= q.tailStart {
			copy(p, q.inTail(from))
			return nil
		}
		n := min(int64(len(p)), q.byteOf(min(q.fileEnd(from), q.tailStart)-from))
		if err := q.row.ReadAt(p[:n], q.byteOf(from)); err != nil {
			return err
		}
		p = p[n:]
		from += position(n / q.layout.size)
	}
	return nil
}

// endBefore returns the first position whose record ends behind limit. Records below saved are flushed: limit must not be
// before them.
func (q *queueLog) endBefore(limit message.LogOffset) position {
	at := q.end
	for at > q.saved && q.layout.decode(q.inTail(at-1), at-1).end() > limit {
		at--
	}
	return at
}

// save writes entries that are only in memory to the file, up to those of records that end behind flushed: if
// a crash took such a record its entry would point to a record of somebody else. The tail stays until the
// following save, so that fresh messages are found without the disk.
func (q *queueLog) save(flushed message.LogOffset) error {
	q.forgetBelow(q.saved)
	for until := q.endBefore(flushed); q.saved < until; {
		if !q.row.Has(q.byteOf(q.saved)) {
			if err := q.createFile(q.saved); err != nil {
				return err
			}
		}
		upTo := min(until, q.fileEnd(q.saved))
		// A copy: while the disk works, others add to the tail.
		part := append([]byte(nil), q.inTail(q.saved)[:q.byteOf(upTo-q.saved)]...)
		if err := q.row.WriteAt(part, q.byteOf(q.saved)); err != nil {
			return err
		}
		q.saved = upTo
	}
	return nil
}

// createFile makes the file for the entry at a position. A queue whose first messages are gone begins inside
// its first file; fillers stand before it.
func (q *queueLog) createFile(at position) error {
	offset := q.byteOf(at)
	if err := q.row.Create(offset); err != nil {
		return err
	}
	start := q.row.FileStart(offset)
	if start == offset {
		return nil
	}
	err := q.writeFillers(position(start/q.layout.size), at, message.QueueOffset(at))
	if err == nil {
		// Nothing tells them from a hole, should a loss of power take them and leave what stands behind.
		err = q.row.Sync(start, offset)
	}
	if err != nil {
		// Without them the file would seem to begin with unwritten entries.
		return errors.Join(err, q.row.RemoveAll())
	}
	q.synced = position(start / q.layout.size)
	return nil
}

// forgetBelow drops entries from memory.
func (q *queueLog) forgetBelow(at position) {
	if at <= q.tailStart {
		return
	}
	rest := q.inTail(at)
	if len(rest) == 0 {
		q.tail = nil
	} else {
		q.tail = append(make([]byte, 0, 2*len(rest)), rest...)
	}
	q.tailStart = at
}

// unsavedMax bounds the memory for entries that cannot be written to their files, in bytes.
const unsavedMax = 256 << 20

// writeQueues writes the entries of all queues that have new ones. If that fails for so long that they take too much memory, no
// messages are taken until it works again.
func (s *Store) writeQueues() error {
	err := s.saveDirty()
	unsaved := 0
	for _, q := range s.dirty {
		unsaved += len(q.tail)
	}
	s.clogged = nil
	if err != nil && unsaved > unsavedMax {
		s.clogged = fmt.Errorf("the files of queues cannot be written, and %d bytes of entries wait for it: %w", unsaved, err)
	}
	return err
}

func (s *Store) saveDirty() error {
	dirty := s.dirty
	s.dirty = nil
	var errs []error
	for _, q := range dirty {
		q.dirty = false
		if err := q.save(s.flushed); err != nil {
			errs = append(errs, fmt.Errorf("queue %s: %w", q.key, err))
		}
		if len(q.tail) > 0 {
			// Saved entries leave the memory with the next save, so that an idle queue holds none.
			s.keepDirty(q)
		}
	}
	return errors.Join(errs...)
}

func (s *Store) keepDirty(q *queueLog) {
	if !q.dirty {
		q.dirty = true
		s.dirty = append(s.dirty, q)
	}
}

func (s *Store) report(what string, err error) {
	if err != nil {
		s.env.Log.Warn(what, zap.Error(err))
	}
}
