package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"path"

	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
	"go.uber.org/zap"
)

// entrySize is the size of a queue entry in bytes (CQ_STORE_UNIT_SIZE).
const entrySize = 20

// entry says where one message of a queue stands (class CqUnit): log offset i64, size i32, tag hash i64.
type entry struct {
	log     message.LogOffset
	size    int32
	tagHash int64
}

// queueOffsetMax keeps the byte offset of an entry, and of the file it is in, within 63 bits.
const queueOffsetMax = math.MaxInt64 / entrySize / 2

// fillerSize marks entries that stand before the queue's first message.
const fillerSize = 0x7fffffff

func (e entry) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.log))
	dst = binary.BigEndian.AppendUint32(dst, uint32(e.size))
	return binary.BigEndian.AppendUint64(dst, uint64(e.tagHash))
}

func decodeEntry(p []byte) entry {
	return entry{
		log:     message.LogOffset(binary.BigEndian.Uint64(p)),
		size:    int32(binary.BigEndian.Uint32(p[8:])),
		tagHash: int64(binary.BigEndian.Uint64(p[12:])),
	}
}

// recordHead is how many bytes of a record are enough to compare it with its entry, and the least that a record has.
const recordHead = 91

// possible reports whether there can be such an entry. Others come from a damaged file, or were never written.
func (e entry) possible() bool {
	return e.size >= recordHead && e.size != fillerSize && e.log >= 0 && e.log <= math.MaxInt64-message.LogOffset(e.size)
}

// fits reports whether the record that begins with head is the one of the entry with a number.
func (e entry) fits(head []byte, number message.QueueOffset) bool {
	size, _ := message.PeekSize(head)
	magic, _ := message.PeekMagic(head)
	log, _ := message.PeekLogOffset(head)
	queue, ok := message.PeekQueueOffset(head)
	return ok && size == e.size && (magic == message.MagicV1 || magic == message.MagicV2) && log == e.log && queue == number
}

// String names where the record should stand, and its tag's hash.
func (e entry) String() string { return fmt.Sprintf("[%d, %d) tag %d", e.log, e.end(), e.tagHash) }

// end is where the record ends; a filler has none.
func (e entry) end() message.LogOffset {
	if e.size == fillerSize {
		return e.log
	}
	return e.log + message.LogOffset(e.size)
}

// filler reports whether the entry stands for a message that is gone: its log file was removed before the queue
// was made (then log is 0), or a bridge stands at log in its place.
func (e entry) filler() bool { return e.size == fillerSize && e.log >= 0 }

// queueLog is one consume queue: the list of its messages' places (class ConsumeQueue). The newest entries are
// in memory until they are in the file.
type queueLog struct {
	key  QueueKey
	row  *segment.Row
	min  message.QueueOffset // first message that can be read
	max  message.QueueOffset // one past the last visible message; min <= max <= next
	next message.QueueOffset // number of the next message to be appended

	tail      []byte              // entries [tailStart, max)
	tailStart message.QueueOffset // saved <= max; entries below are in the file only
	saved     message.QueueOffset // entries below are written to the file, and their records flushed; tailStart <= saved
	synced    message.QueueOffset // entries below are on the medium; synced <= saved
	dirty     bool                // listed in Store.dirty

	minLog message.LogOffset // where message min stands; unknownLog if it was not looked up

	// bytes are those of the records of [measured, measuredTo), if a limit was ever to be kept.
	bytes                int64
	measured, measuredTo message.QueueOffset
}

func newQueueLog(key QueueKey, row *segment.Row) *queueLog {
	return &queueLog{key: key, row: row, minLog: unknownLog}
}

// queueFor returns the queue and makes it if it does not exist.
func (s *Store) queueFor(key QueueKey) *queueLog {
	if q := s.queues[key]; q != nil {
		return q
	}
	q := newQueueLog(key, segment.New(s.queueFiles, queuePath(key), s.options.QueueSegmentEntries*entrySize))
	s.addQueue(q)
	return q
}

func (s *Store) addQueue(q *queueLog) {
	s.queues[q.key] = q
	s.order = append(s.order, q)
}

func queuePath(key QueueKey) string {
	return path.Join(queueDir, key.Topic, fmt.Sprint(key.ID))
}

// add appends an entry at its number. It reports whether the queue has just become dirty. A
// number that does not fit means that the log and the queue contradict each other, which must never be papered over.
func (q *queueLog) add(e entry, at message.QueueOffset) (nowDirty bool) {
	if at != q.max {
		panic(fmt.Sprintf("store: queue %s ends at %d, the record at %v says %d", q.key, q.max, e.log, at))
	}
	q.tail = e.append(q.tail)
	q.max++
	q.next = max(q.next, q.max)
	nowDirty = !q.dirty
	q.dirty = true
	return nowDirty
}

// readEntries fills p, a whole number of entries, with those from number from on. They must
// exist. It waits only for entries that are not in memory.
func (q *queueLog) readEntries(p []byte, from message.QueueOffset) error {
	for len(p) > 0 {
		if from >= q.tailStart {
			copy(p, q.tail[(from-q.tailStart)*entrySize:])
			return nil
		}
		offset := int64(from) * entrySize
		inFile := q.row.FileStart(offset) + q.row.SegmentSize() - offset
		n := min(int64(len(p)), inFile, int64(q.tailStart-from)*entrySize)
		if err := q.row.ReadAt(p[:n], offset); err != nil {
			return err
		}
		p = p[n:]
		from += message.QueueOffset(n / entrySize)
	}
	return nil
}

// endBefore returns the first number whose record ends behind limit. Records below saved are flushed: limit must not be
// before them.
func (q *queueLog) endBefore(limit message.LogOffset) message.QueueOffset {
	number := q.max
	for number > q.saved && decodeEntry(q.tail[(number-1-q.tailStart)*entrySize:]).end() > limit {
		number--
	}
	return number
}

// save writes entries that are only in memory to the file, up to those of records that end behind flushed: if
// a crash took such a record its entry would point to a record of somebody else. The tail stays until the
// following save, so that fresh messages are found without the disk.
func (q *queueLog) save(flushed message.LogOffset) error {
	q.forgetBelow(q.saved)
	for until := q.endBefore(flushed); q.saved < until; {
		offset := int64(q.saved) * entrySize
		if !q.row.Has(offset) {
			if err := q.createFile(offset); err != nil {
				return err
			}
		}
		upTo := min(until, message.QueueOffset((q.row.FileStart(offset)+q.row.SegmentSize())/entrySize))
		// A copy: while the disk works, others add to the tail.
		part := append([]byte(nil), q.tail[(q.saved-q.tailStart)*entrySize:(upTo-q.tailStart)*entrySize]...)
		if err := q.row.WriteAt(part, offset); err != nil {
			return err
		}
		q.saved = upTo
	}
	return nil
}

// createFile makes the file for the entry at a byte offset. A queue whose first messages are gone begins inside
// its first file; fillers stand before it.
func (q *queueLog) createFile(offset int64) error {
	if err := q.row.Create(offset); err != nil {
		return err
	}
	start := q.row.FileStart(offset)
	fillers := bytes.Repeat(entry{size: fillerSize}.append(nil), int(offset-start)/entrySize)
	if len(fillers) == 0 {
		return nil
	}
	if err := q.row.WriteAt(fillers, start); err != nil {
		// Without them the file would seem to begin with unwritten entries.
		return errors.Join(err, q.row.RemoveAll())
	}
	q.synced = message.QueueOffset(start / entrySize)
	return nil
}

// forgetBelow drops entries from memory.
func (q *queueLog) forgetBelow(number message.QueueOffset) {
	if number <= q.tailStart {
		return
	}
	rest := q.tail[(number-q.tailStart)*entrySize:]
	if len(rest) == 0 {
		q.tail = nil
	} else {
		q.tail = append(make([]byte, 0, 2*len(rest)), rest...)
	}
	q.tailStart = number
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
