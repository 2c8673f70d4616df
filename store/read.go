package store

import (
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
)

// ReadRequest asks for messages of one queue.
type ReadRequest struct {
	Queue    QueueKey
	From     message.QueueOffset
	CountMax int                      // messages; at least 1
	BytesMax int                      // bytes of records; the first one is returned whatever its size
	Matches  func(tagHash int64) bool // nil takes all
}

// ReadResult is what a read found.
type ReadResult struct {
	Status ReadStatus
	Next   message.QueueOffset // where to read on (nextBeginOffset)
	Min    message.QueueOffset
	Max    message.QueueOffset
	Bytes  []byte // whole records, one after the other; the caller owns them
	Count  int
	// Cold says that what follows is not taken to be in memory: a slave should be asked next.
	Cold bool
}

// entriesPerRead bounds how many entries one read looks at (maxFilterMessageSize / 20).
const entriesPerRead = 800

// Read returns confirmed messages. The memory for them is buffer's, if it suffices. It waits for the
// disk; the queue may grow meanwhile.
func (s *Store) Read(request ReadRequest, buffer []byte) (ReadResult, error) {
	if s.released {
		return ReadResult{}, ErrClosed
	}
	q := s.queues[request.Queue]
	if q == nil {
		return ReadResult{Status: ReadNoMatchedLogicQueue}, nil
	}
	result := ReadResult{Min: q.min, Max: q.max, Next: request.From}
	if outside(q, request.From, &result) {
		return result, nil
	}
	at, err := s.locate(q, request.From)
	var entries []byte
	if err == nil {
		n := min(q.end-at, entriesPerRead, position(max(request.CountMax, 1)*entriesAhead(request)))
		entries = make([]byte, q.byteOf(n))
		err = q.readEntries(entries, at)
	}
	switch {
	case err != nil && s.released:
		return ReadResult{}, ErrClosed
	case errors.Is(err, segment.ErrGap):
		// The file was removed meanwhile.
		result.Status, result.Next = ReadOffsetFoundNull, q.nextFile(at)
		return result, nil
	case err != nil:
		return ReadResult{}, fmt.Errorf("queue %s from %d: %w", q.key, request.From, err)
	}
	picked, err := s.choose(q, entries, at, request, &result)
	if err == nil {
		err = s.readRecords(q.layout, picked, request.From, buffer, &result)
	}
	switch {
	case err != nil && s.released:
		return ReadResult{}, ErrClosed
	case err != nil:
		return ReadResult{}, fmt.Errorf("queue %s: %w", q.key, err)
	}
	return result, nil
}

// nextFile is the first number of the file behind the one of a position, or the first one there is.
func (q *queueLog) nextFile(at position) message.QueueOffset {
	if q.layout.batch {
		return q.min
	}
	return min(message.QueueOffset(q.fileEnd(at)), q.max)
}

// entriesAhead: without a filter no entry is read in vain.
func entriesAhead(request ReadRequest) int {
	if request.Matches == nil {
		return 1
	}
	return entriesPerRead
}

// find returns the position of the entry that holds a message, or, if none does, of the next one.
func (q *queueLog) find(number message.QueueOffset) (position, error) {
	if !q.layout.batch {
		return position(number), nil
	}
	from := q.first
	if len(q.tail) > 0 && q.layout.decode(q.tail, q.tailStart).number <= number {
		from = max(from, q.tailStart)
	}
	return searchEntries(from, q.end, q.entryAt, func(e entry) bool { return e.next() <= number })
}

// locate is find for readers: where no entry holds the message, which was lost then, the entries around must be whole. A damaged
// number leads a search to itself.
func (s *Store) locate(q *queueLog, number message.QueueOffset) (position, error) {
	at, err := q.find(number)
	if err != nil || !q.layout.batch {
		return at, err
	}
	for near := at; near >= max(at-1, q.first); near-- {
		if near >= q.end {
			continue
		}
		e, err := q.entryAt(near)
		switch {
		case err != nil:
			return at, err
		case near == at && e.number <= number:
			return at, nil
		case e.filler():
			continue
		case !e.possible() || e.end() > s.Confirmed():
			return at, fmt.Errorf("%w: message %d: the entry %v", ErrDamaged, number, e)
		}
		head := make([]byte, recordHead)
		if err := s.log.ReadAt(head, int64(e.log)); err != nil {
			return at, err
		}
		if !e.fits(head) {
			return at, fmt.Errorf("%w: message %d: the entry %v leads to another or no record", ErrDamaged, number, e)
		}
	}
	return at, nil
}

// numberAt is the number of the first message of the entry at a position, which may be the end.
func (q *queueLog) numberAt(at position) (message.QueueOffset, error) {
	switch {
	case !q.layout.batch:
		return message.QueueOffset(at), nil
	case at >= q.end:
		return q.max, nil
	}
	e, err := q.entryAt(at)
	return e.number, err
}

// outside sets the status of a read at a number where there is no message.
func outside(q *queueLog, from message.QueueOffset, result *ReadResult) bool {
	switch {
	case from > q.max && from <= q.next:
		// The log has the messages before it, and they are not confirmed again after a restart: who has seen them waits.
		result.Status, result.Next = ReadOffsetOverflowOne, from
	case q.max == 0:
		result.Status, result.Next = ReadNoMessageInQueue, 0
	case from < q.min:
		result.Status, result.Next = ReadOffsetTooSmall, q.min
	case from == q.max:
		result.Status = ReadOffsetOverflowOne
	case from > q.max:
		result.Status, result.Next = ReadOffsetOverflowBadly, q.max
	default:
		return false
	}
	return true
}

// ErrDamaged: a message is not as it was stored, or a queue entry leads to something else. Other messages can be read.
var ErrDamaged = errors.New("the store is damaged: stop the broker, and run gantry inspect check and repair")

// choose picks the entries that match, from those that stand from a position on, up to the limits. Those of records that are gone are passed over.
func (s *Store) choose(q *queueLog, entries []byte, at position, request ReadRequest, result *ReadResult) ([]entry, error) {
	var picked []entry
	l, last := q.layout, message.LogOffset(-1)
	if request.Matches == nil {
		// Without a filter all of them are picked, nearly always.
		picked = make([]entry, 0, int64(len(entries))/l.size)
	}
	count, bytes := 0, 0
	result.Status = ReadNoMatchedMessage
	for ; len(entries) > 0; entries, at = entries[l.size:], at+1 {
		e := l.decode(entries, at)
		switch {
		case len(picked) > 0 && e.number != result.Next:
			// The number that the entry says may be damaged: it is not to be believed before the record is read.
			return picked, nil
		case e.filler():
			if len(picked) == 0 {
				result.Status = ReadMessageWasRemoving
			}
			result.Next = e.next()
			continue
		case !e.possible() || e.end() > s.Confirmed() || s.log.FileStart(int64(e.log)) != s.log.FileStart(int64(e.end())-1):
			if len(picked) > 0 {
				return picked, nil
			}
			return nil, fmt.Errorf("%w: message %d has the entry %v", ErrDamaged, e.number, e)
		case e.log < s.Start():
			if len(picked) > 0 {
				return picked, nil
			}
			if err := s.gone(q, at, e, last); err != nil {
				return nil, err
			}
			result.Status = ReadMessageWasRemoving
			result.Next = e.next()
			continue
		case request.Matches != nil && !request.Matches(e.tagHash):
			result.Next, last = e.next(), e.log
			continue
		case len(picked) > 0 && s.enough(count+int(e.count), bytes+int(e.size), e, request):
			return picked, nil
		}
		result.Cold = s.cold(e.log)
		picked = append(picked, e)
		count += int(e.count)
		bytes += int(e.size)
		result.Next = e.next()
		result.Status = ReadFound
	}
	return picked, nil
}

// gone reports why an entry of a queue that leads in front of the log is not one of a message that was removed: one before it, at the place last if that is not
// negative, leads to the log.
func (s *Store) gone(q *queueLog, at position, e entry, last message.LogOffset) error {
	start := s.Start()
	if last < 0 && at > q.first {
		before, err := q.entryAt(at - 1)
		if err != nil {
			return err
		}
		if before.possible() {
			last = before.log
		}
	}
	if last >= start {
		return fmt.Errorf("%w: message %d has the entry %v, behind one that leads to %d", ErrDamaged, e.number, e, last)
	}
	return nil
}

// enough reports whether a record is one too many: count and bytes are those with it.
func (s *Store) enough(count, bytes int, e entry, request ReadRequest) bool {
	countMax, bytesMax := request.CountMax, min(request.BytesMax, readBytesMax)
	if s.cold(e.log) {
		countMax, bytesMax = min(countMax, s.options.ColdCountMax), min(bytesMax, s.options.ColdBytesMax)
	}
	return count > countMax || bytes > bytesMax
}

// readBytesMax bounds the answer to one read, whatever is asked for.
const readBytesMax = 128 << 20

// cold estimates that a part of the log is not in memory any more.
func (s *Store) cold(at message.LogOffset) bool { return int64(s.written-at) > s.options.Cached }

// readRecords reads the chosen records, neighbours in the log at once.
func (s *Store) readRecords(l *layout, picked []entry, from message.QueueOffset, buffer []byte, result *ReadResult) error {
	size := 0
	for _, e := range picked {
		size += int(e.size)
	}
	if cap(buffer) < size {
		buffer = make([]byte, size)
	}
	rest := buffer[:size]
	for len(picked) > 0 {
		run := picked[:runLength(picked)]
		n := int(run[len(run)-1].end() - run[0].log)
		if err := s.log.ReadAt(rest[:n], int64(run[0].log)); err != nil && run[0].log < s.Start() {
			// The file was removed meanwhile. The next try passes over what is gone.
			if result.Count == 0 {
				*result = ReadResult{Status: ReadMessageWasRemoving, Next: from, Min: result.Min, Max: result.Max}
				return nil
			}
			result.Next = run[0].number
			size -= len(rest)
			break
		} else if err != nil {
			return fmt.Errorf("records [%d, %d): %w", run[0].log, run[len(run)-1].end(), err)
		}
		good, goodBytes, err := s.verifyRun(l, run, rest[:n])
		for _, e := range run[:good] {
			result.Count += int(e.count)
		}
		if err != nil && result.Count == 0 {
			return err
		}
		if err != nil {
			// What stands before the damage is read first.
			result.Next = run[good].number
			size -= len(rest) - goodBytes
			break
		}
		rest, picked = rest[n:], picked[len(run):]
	}
	result.Bytes = buffer[:size]
	return nil
}

// runLength is how many entries from the first on follow each other in the log.
func runLength(picked []entry) int {
	n := 1
	for n < len(picked) && picked[n].log == picked[n-1].end() {
		n++
	}
	return n
}

// verifyInline is how many bytes are verified with the baton held; it takes a few microseconds.
const verifyInline = 16 << 10

// verifyRun compares records that follow each other with their entries and checksums. It returns how many are good from the
// first on, and what is wrong with the next one: damaged messages are never delivered.
func (s *Store) verifyRun(l *layout, run []entry, p []byte) (good, goodBytes int, err error) {
	verify := func() {
		for _, e := range run {
			record := p[goodBytes : goodBytes+int(e.size)]
			if !e.fits(record) {
				err = fmt.Errorf("%w: message %d has the entry %v, where another or no record is", ErrDamaged, e.number, e)
				return
			}
			if !sealFits(record) {
				err = fmt.Errorf("%w: message %d at %v does not fit its checksum", ErrDamaged, e.number, e.log)
				return
			}
			if l.batch && !countFits(record, e.count) {
				err = fmt.Errorf("%w: message %d has the entry %v, and its record another number of messages", ErrDamaged, e.number, e)
				return
			}
			good++
			goodBytes += int(e.size)
		}
	}
	if len(p) <= verifyInline {
		verify()
	} else {
		s.env.Tasks.Offload(verify)
	}
	return good, goodBytes, err
}

// Bounds returns the numbers of a queue's first message and of the one after its last. A queue that does not exist is empty.
func (s *Store) Bounds(key QueueKey) (first, end message.QueueOffset) {
	if q := s.queues[key]; q != nil {
		return q.min, q.max
	}
	return 0, 0
}

// ErrNoRecord: no message, or a damaged one, begins at a place in the log.
var ErrNoRecord = errors.New("no message begins there")

// recordChunk is how much is read at once to find one record: most are smaller.
const recordChunk = 4 << 10

// RecordBytes reads one message, as it is stored, by its place in the log. It waits for the disk.
func (s *Store) RecordBytes(at message.LogOffset) ([]byte, error) {
	if at < s.Start() || at >= s.Confirmed() {
		return nil, fmt.Errorf("%v: %w: the log has [%d, %d)", at, ErrNoRecord, s.Start(), s.Confirmed())
	}
	scanner := newLogScanner(s.log, at)
	// Behind what is confirmed the file may be cut just now.
	scanner.chunk, scanner.limit = recordChunk, int64(s.Confirmed())
	ok, err := scanner.next()
	switch {
	case err != nil:
		return nil, err
	case !ok && scanner.problem != nil:
		return nil, fmt.Errorf("%w: %w", ErrNoRecord, scanner.problem)
	case !ok || scanner.record.LogOffset != at || scanner.at > s.Confirmed():
		// An end-of-file marker leads to the record behind it.
		return nil, fmt.Errorf("%v: %w", at, ErrNoRecord)
	}
	return scanner.raw, nil
}

// entryAt reads one entry of a queue.
func (q *queueLog) entryAt(at position) (entry, error) {
	p := make([]byte, q.layout.size)
	err := q.readEntries(p, at)
	return q.layout.decode(p, at), err
}

// storedAt is the store time of the record of one entry of a queue.
func (s *Store) storedAt(q *queueLog, at position) (int64, error) {
	e, err := q.entryAt(at)
	if err != nil {
		return 0, err
	}
	if !e.possible() && !e.filler() {
		return 0, fmt.Errorf("queue %s: %w: message %d has the entry %v", q.key, ErrDamaged, e.number, e)
	}
	head := make([]byte, recordHead)
	if err := s.log.ReadAt(head, int64(e.log)); err != nil {
		return 0, err
	}
	if e.possible() && !e.fits(head) {
		return 0, fmt.Errorf("queue %s: %w: message %d has the entry %v, where another or no record is", q.key, ErrDamaged, e.number, e)
	}
	stored, _ := message.PeekStoredAt(head)
	return stored, nil
}

// StoredAt is the store time, wall milliseconds, of a message of a queue; ok is false if there is none.
func (s *Store) StoredAt(key QueueKey, number message.QueueOffset) (at int64, ok bool, err error) {
	q := s.queues[key]
	if q == nil || number < q.min || number >= q.max {
		return 0, false, nil
	}
	place, err := s.locate(q, number)
	if err == nil {
		at, err = s.storedAt(q, place)
	}
	return at, err == nil, err
}

// InMemory estimates whether a message of a queue is still in memory, so that reading on from it costs little. It waits for the disk.
func (s *Store) InMemory(key QueueKey, number message.QueueOffset) (bool, error) {
	q := s.queues[key]
	if q == nil || number < q.min || number >= q.max {
		return false, nil
	}
	at, err := q.find(number)
	if err != nil {
		return false, err
	}
	e, err := q.entryAt(at)
	return err == nil && !s.cold(e.log), err
}

// OffsetAt returns the first message of a queue stored at or after a wall time, or, with upper set, one past
// the last stored at or before it. It waits for the disk.
func (s *Store) OffsetAt(key QueueKey, wall int64, upper bool) (message.QueueOffset, error) {
	q := s.queues[key]
	if q == nil {
		return 0, nil
	}
	at, err := s.searchTime(q, wall, upper)
	if err != nil {
		return 0, err
	}
	return q.numberAt(at)
}

// searchTime is OffsetAt for positions.
func (s *Store) searchTime(q *queueLog, wall int64, upper bool) (position, error) {
	from, to := q.first, q.end
	for from < to {
		middle := from + (to-from)/2
		at, err := s.storedAt(q, middle)
		if err != nil {
			return 0, err
		}
		if at < wall || (upper && at == wall) {
			from = middle + 1
		} else {
			to = middle
		}
	}
	return from, nil
}
