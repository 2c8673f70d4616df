package store

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/transport/message"
)

// Intake takes the log of a master, as bytes that may be cut anywhere, into the log of a slave (Options.Slave). Each record is verified before any of
// it is kept. One task owns it.
type Intake struct {
	store *Store
	at    message.LogOffset // of rest[0]
	rest  []byte            // what was added and is not taken yet
	skip  int64             // bytes to come that nobody needs: the end of a file behind its marker
	found []Followed        // a marker at the end of a file has no record
}

// Errors of an Intake.
var (
	// ErrForeignLog: the bytes are not the continuation of this log.
	ErrForeignLog = errors.New("what the master sends does not continue the log of this slave")
	// ErrTopicAnew: the topic of the next record was removed at the master and made again. The slave is to remove it, and to call Take again.
	ErrTopicAnew = errors.New("the topic was removed and made again")
	// ErrShown: consumers may have seen what is to be cut off.
	ErrShown = errors.New("what is to be cut off may have been seen")
)

// TopicAnewError is ErrTopicAnew, and names the topic.
type TopicAnewError struct{ Topic string }

// Error names the topic.
func (e *TopicAnewError) Error() string { return fmt.Sprintf("%s: %v", e.Topic, ErrTopicAnew) }

// Unwrap is ErrTopicAnew.
func (e *TopicAnewError) Unwrap() error { return ErrTopicAnew }

// Intake begins where the log of the slave ends.
func (s *Store) Intake() *Intake { return &Intake{store: s, at: s.appended} }

// Next is the place of the next byte that is to be added.
func (in *Intake) Next() message.LogOffset { return in.at + message.LogOffset(len(in.rest)) }

// Add adds the bytes that come next. They are copied.
func (in *Intake) Add(p []byte) {
	if n := min(in.skip, int64(len(p))); n > 0 {
		in.skip -= n
		in.at += message.LogOffset(n)
		p = p[n:]
	}
	in.rest = append(in.rest, p...)
}

// Take puts the whole records that were added into the log, in memory: Kick writes them. What is left waits for the bytes that it lacks. The error
// is ErrForeignLog, ErrTopicAnew, or says why the store takes nothing. Records in front of a wrong one are taken. It waits for the verification, which runs off
// the baton.
func (in *Intake) Take() error {
	if err := in.fits(); err != nil {
		return err
	}
	for len(in.rest) > 0 && in.skip == 0 {
		var used int
		var problem error
		in.store.env.Tasks.Offload(func() { used, problem = in.verify() })
		// A write that failed meanwhile has taken back what was appended before.
		if err := in.fits(); err != nil {
			return err
		}
		taken, err := in.keep()
		if err != nil {
			return err
		}
		if problem != nil {
			return problem
		}
		if used == 0 || taken == 0 {
			return nil
		}
	}
	return nil
}

// fits reports why the bytes cannot be taken now, or nil.
func (in *Intake) fits() error {
	s := in.store
	switch {
	case s.closing:
		return ErrClosed
	case s.fence != nil:
		return s.fence
	case in.at == s.appended || in.skip > 0:
		return nil
	case s.full != nil:
		return s.full
	}
	return fmt.Errorf("%w: it is at %d, the log ends at %d", ErrForeignLog, in.at, s.appended)
}

// verify finds the whole records in what was added, up to the end of a file.
func (in *Intake) verify() (used int, problem error) {
	in.found = in.found[:0]
	size := in.store.options.LogSegmentSize
	at := in.at
	for p := in.rest; len(p) >= message.EndOfFileSize; p = in.rest[used:] {
		left := size - int64(at)%size
		n, _ := message.PeekSize(p)
		magic, _ := message.PeekMagic(p)
		if magic == message.MagicEndOfFile && int64(n) == left {
			at += message.LogOffset(left)
			in.found = append(in.found, Followed{End: at})
			return used + message.EndOfFileSize, nil
		}
		if magic != message.MagicV1 && magic != message.MagicV2 || n < recordHead || int64(n) > left-message.EndOfFileSize {
			return used, fmt.Errorf("%w: at %d there is neither a record nor the end of a file of %d bytes: mappedFileSizeCommitLog must be the same at both", ErrForeignLog, at, size)
		}
		if int(n) > len(p) {
			return used, nil
		}
		var r message.Record
		_, err := message.DecodeRecord(p[:n], &r, true)
		if err == nil {
			err = verifySeal(p[:n], r.Properties)
		}
		if err == nil && r.LogOffset != at {
			err = fmt.Errorf("the record says that it stands at %d", r.LogOffset)
		}
		if err != nil {
			return used, fmt.Errorf("%w: at %d: %w", ErrForeignLog, at, err)
		}
		at += message.LogOffset(n)
		used += int(n)
		in.found = append(in.found, Followed{Record: r, End: at})
	}
	return used, nil
}

// keep appends the records that were found to the log. Nothing is waited for.
func (in *Intake) keep() (taken int, err error) {
	s, from := in.store, 0
	for i := range in.found {
		f := &in.found[i]
		if f.Record.TotalSize == 0 {
			in.endFile(f.End, from)
			return taken + 1, nil
		}
		if err = s.take(&f.Record, f.End); err != nil {
			break
		}
		size := int(f.Record.TotalSize)
		s.appendBytes(in.rest[from : from+size])
		from += size
		in.at = f.End
		taken++
	}
	in.rest = slices.Delete(in.rest, 0, from)
	return taken, err
}

// endFile goes on with the next file. The master also sends what stands behind the marker, which means nothing.
func (in *Intake) endFile(next message.LogOffset, from int) {
	s := in.store
	left := int64(next - s.appended)
	if len(s.batch.pieces) == 0 {
		s.batch.pieces = append(s.batch.pieces, piece{log: s.appended})
	}
	s.batch.bytes = message.AppendEndOfFile(s.batch.bytes, int32(left))
	s.appended = next
	s.batch.pieces = append(s.batch.pieces, piece{log: next, at: len(s.batch.bytes)})
	rest := in.rest[from:]
	n := min(left, int64(len(rest)))
	in.rest = slices.Delete(in.rest, 0, from+int(n))
	in.skip = left - n
	in.at = next - message.LogOffset(in.skip)
}

func (s *Store) appendBytes(p []byte) {
	if len(s.batch.pieces) == 0 {
		s.batch.pieces = append(s.batch.pieces, piece{log: s.appended})
	}
	s.batch.bytes = append(s.batch.bytes, p...)
	s.appended += message.LogOffset(len(p))
}

// take gives a record of the master, which ends at a place, its queue entry, to be shown once it is confirmed.
func (s *Store) take(r *message.Record, end message.LogOffset) error {
	s.lastStoredAt = r.StoredAt
	if isBridge(r) {
		return s.takeBridge(r)
	}
	if !hasEntry(r) || s.isDropped(r) {
		s.takeWithoutEntry(r, end)
		return nil
	}
	key := QueueKey{string(r.Topic), r.QueueID}
	if reason := key.cannotHold(r.QueueOffset); reason != "" {
		return fmt.Errorf("%w: at %d: %s", ErrForeignLog, r.LogOffset, reason)
	}
	q := s.queueFor(key)
	if err := s.takeAt(q, r.QueueOffset, r.LogOffset); err != nil {
		return err
	}
	e := q.layout.entryOf(r, end, s.options.entryTag(r, r.StoredAt))
	s.arrivals.push(arrival{queue: q, at: Place{Log: e.log, Queue: e.number}, end: end, count: e.count, tagHash: e.tagHash, stored: r.StoredAt})
	q.next = e.next()
	return nil
}

// takeAt prepares a queue for a message with a number.
func (s *Store) takeAt(q *queueLog, number message.QueueOffset, log message.LogOffset) error {
	missing := int64(number - q.next)
	switch bridge, ok := s.gaps.over(q.layout, 0, log, missing); {
	case missing == 0:
	case q.next == q.max && q.first == q.end && q.row.Empty():
		// The messages before it are gone at the master, too.
		q.begin(number)
	case number == 0:
		return &TopicAnewError{q.key.Topic}
	case !ok:
		return fmt.Errorf("%w: queue %s goes on with %d, and the next record of the master, at %d, is message %d", ErrForeignLog, q.key, q.next, log, number)
	case !q.layout.batch:
		s.takeFillers(q, bridge, lostMessages{q.key, q.next, int32(missing)})
	default:
		// Their entries have numbers, so nothing need stand for those that are missing.
		s.arrivals.push(arrival{queue: q, at: Place{Log: log, Queue: q.next}, end: log, jump: missing})
		q.next = number
	}
	return nil
}

// takeBridge takes what stands over a part of the master's log that was damaged.
func (s *Store) takeBridge(r *message.Record) error {
	s.gaps.note(r)
	for _, l := range lostIn(r) {
		if r.LogOffset < s.dropped[l.key.Topic] {
			continue
		}
		q := s.queueFor(l.key)
		if l = l.behind(q.next); l.count <= 0 {
			continue
		}
		if err := s.takeAt(q, l.first, r.LogOffset); err != nil {
			return err
		}
		s.takeFillers(q, bridgeOf(r), l)
	}
	s.takeWithoutEntry(r, r.LogOffset+message.LogOffset(r.TotalSize))
	return nil
}

// takeWithoutEntry is for records that belong to no queue: what is confirmed must not end within them.
func (s *Store) takeWithoutEntry(r *message.Record, end message.LogOffset) {
	s.arrivals.push(arrival{at: Place{Log: r.LogOffset}, end: end, stored: r.StoredAt})
}

func (s *Store) takeFillers(q *queueLog, b bridge, lost lostMessages) {
	for _, e := range b.fillers(q.layout, lost) {
		s.arrivals.push(arrival{queue: q, at: Place{Log: e.log, Queue: e.number}, end: e.end(), count: e.count, tagHash: e.tagHash, stored: b.stored})
		q.next = e.next()
	}
}
