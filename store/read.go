package store

import (
	"fmt"

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
}

// entriesPerRead bounds how many entries one read looks at (maxFilterMessageSize / 20).
const entriesPerRead = 800

// Read returns confirmed messages. The memory for them is buffer's, if it suffices. It waits for the
// disk; the queue may grow meanwhile.
func (s *Store) Read(request ReadRequest, buffer []byte) (ReadResult, error) {
	q := s.queues[request.Queue]
	if q == nil {
		return ReadResult{Status: ReadNoMatchedLogicQueue}, nil
	}
	result := ReadResult{Min: q.min, Max: q.max, Next: request.From}
	if outside(q, request.From, &result) {
		return result, nil
	}
	n := min(int(q.max-request.From), entriesPerRead, max(request.CountMax, 1)*entriesAhead(request))
	entries := s.entryBuffer(n)
	if err := q.readEntries(entries, request.From); err != nil {
		return ReadResult{}, fmt.Errorf("queue %s from %d: %w", q.key, request.From, err)
	}
	runs := choose(entries, request, &result)
	err := s.readRuns(runs, buffer, &result)
	return result, err
}

// entriesAhead: without a filter no entry is read in vain.
func entriesAhead(request ReadRequest) int {
	if request.Matches == nil {
		return 1
	}
	return entriesPerRead
}

// entryBuffer returns memory for n entries. It is not shared: other reads go on while this one waits.
func (s *Store) entryBuffer(n int) []byte { return make([]byte, n*entrySize) }

// outside sets the status of a read at a number where there is no message.
func outside(q *queueLog, from message.QueueOffset, result *ReadResult) bool {
	switch {
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

// run is a range of the log without a gap.
type run struct{ from, to message.LogOffset }

// choose picks the entries that match, up to the limits, and joins neighbours in the log.
func choose(entries []byte, request ReadRequest, result *ReadResult) []run {
	var runs []run
	bytes := 0
	result.Status = ReadNoMatchedMessage
	for ; len(entries) > 0; entries = entries[entrySize:] {
		e := decodeEntry(entries)
		if request.Matches != nil && !request.Matches(e.tagHash) {
			result.Next++
			continue
		}
		if result.Count > 0 && (result.Count >= request.CountMax || bytes+int(e.size) > request.BytesMax) {
			break
		}
		if last := len(runs) - 1; last >= 0 && runs[last].to == e.log {
			runs[last].to = e.end()
		} else {
			runs = append(runs, run{e.log, e.end()})
		}
		bytes += int(e.size)
		result.Count++
		result.Next++
		result.Status = ReadFound
	}
	return runs
}

// readRuns reads the records themselves.
func (s *Store) readRuns(runs []run, buffer []byte, result *ReadResult) error {
	size := 0
	for _, r := range runs {
		size += int(r.to - r.from)
	}
	if cap(buffer) < size {
		buffer = make([]byte, size)
	}
	result.Bytes = buffer[:size]
	rest := result.Bytes
	for _, r := range runs {
		n := int(r.to - r.from)
		if int64(r.from) < s.log.Start() {
			*result = ReadResult{Status: ReadMessageWasRemoving, Next: result.Next, Min: result.Min, Max: result.Max}
			return nil
		}
		if err := s.log.ReadAt(rest[:n], int64(r.from)); err != nil {
			return fmt.Errorf("records [%d, %d): %w", r.from, r.to, err)
		}
		rest = rest[n:]
	}
	return nil
}

// Bounds returns the numbers of a queue's first message and of the one after its last. A queue that does not exist is empty.
func (s *Store) Bounds(key QueueKey) (first, end message.QueueOffset) {
	if q := s.queues[key]; q != nil {
		return q.min, q.max
	}
	return 0, 0
}

// RecordBytes reads one message, as it is stored, by its place in the log. It waits for the disk.
func (s *Store) RecordBytes(at message.LogOffset) ([]byte, error) {
	if at < s.Start() || at >= s.Confirmed() {
		return nil, fmt.Errorf("%v: the log has [%d, %d)", at, s.Start(), s.Confirmed())
	}
	scanner := newLogScanner(s.log, at)
	ok, err := scanner.next()
	switch {
	case err != nil:
		return nil, err
	case !ok && scanner.problem != nil:
		return nil, scanner.problem
	case !ok:
		return nil, fmt.Errorf("%v: no message begins there", at)
	}
	return scanner.raw, nil
}

// entryAt reads one entry of a queue.
func (q *queueLog) entryAt(number message.QueueOffset) (entry, error) {
	var p [entrySize]byte
	err := q.readEntries(p[:], number)
	return decodeEntry(p[:]), err
}

// storedAt is the store time of one message of a queue.
func (s *Store) storedAt(q *queueLog, number message.QueueOffset) (int64, error) {
	e, err := q.entryAt(number)
	if err != nil {
		return 0, err
	}
	head := make([]byte, min(int(e.size), 80))
	if err := s.log.ReadAt(head, int64(e.log)); err != nil {
		return 0, err
	}
	at, _ := message.PeekStoredAt(head)
	return at, nil
}

// StoredAt is the store time, wall milliseconds, of a message of a queue; ok is false if there is none.
func (s *Store) StoredAt(key QueueKey, number message.QueueOffset) (at int64, ok bool, err error) {
	q := s.queues[key]
	if q == nil || number < q.min || number >= q.max {
		return 0, false, nil
	}
	at, err = s.storedAt(q, number)
	return at, err == nil, err
}

// OffsetAt returns the first message of a queue stored at or after a wall time, or, with upper set, one past
// the last stored at or before it. It waits for the disk.
func (s *Store) OffsetAt(key QueueKey, wall int64, upper bool) (message.QueueOffset, error) {
	q := s.queues[key]
	if q == nil {
		return 0, nil
	}
	from, to := q.min, q.max
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
