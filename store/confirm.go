package store

import (
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/transport/message"
)

// Allow says up to where the log is at enough copies (Options.Replicated). What is before that is confirmed as soon as it is as durable here as the flush mode
// promises. It never goes back.
func (s *Store) Allow(until message.LogOffset) {
	if until <= s.allowed || s.fence != nil {
		return
	}
	s.allowed = until
	s.confirm()
}

// GiveUp answers appends that wait for copies: they may be stored or not. From then on none is taken. It is for a broker that is about to close its store.
func (s *Store) GiveUp() {
	s.givenUp = true
	s.answerAll(AppendFailed, "the broker stops before enough copies have the message: it may be stored or not")
}

// confirmUntil is up to where records are to be confirmed now.
func (s *Store) confirmUntil() message.LogOffset {
	if s.options.Replicated {
		return min(s.Durable(), s.allowed)
	}
	return s.Durable()
}

// settleConfirmed moves the watermark over what stands in front of the first record that is not confirmed, the end of a file, but only to where that
// record begins. Each record that is not confirmed is among the arrivals.
func (s *Store) settleConfirmed(until message.LogOffset) {
	begin := s.Durable()
	if s.arrivals.len() > 0 {
		begin = s.arrivals.peek().at.Log
	}
	if begin <= until {
		s.confirmed = max(s.confirmed, begin)
	}
}

// Durable is up to where the log is as durable as the flush mode promises.
func (s *Store) Durable() message.LogOffset {
	if s.options.Flush == AsyncFlush {
		return s.written
	}
	return s.flushed
}

// settled is up to where the log is both confirmed and on the medium: the files of queues and the checkpoint speak of nothing behind it, which may yet
// be cut off.
func (s *Store) settled() message.LogOffset { return min(s.flushed, s.Confirmed()) }

// End is the end of the log, with what is not written yet.
func (s *Store) End() message.LogOffset { return s.appended }

// SegmentSize is the size of the log's files.
func (s *Store) SegmentSize() int64 { return s.options.LogSegmentSize }

// CutLog cuts the log of a slave off at a place where a record may begin, durably. ErrShown says that nothing was done because consumers may
// have seen what stands behind it: PlanCut, and another start, cut that off as well. The caller sees to it that nothing is taken meanwhile. It waits for the disk.
func (s *Store) CutLog(at message.LogOffset) error {
	for s.fence == nil && !s.closing && (s.writing || !s.batch.empty() || s.flushed < s.written) {
		s.Kick()
		s.unflushed.Signal()
		s.changed.WaitUntil(s.env.Clock.Now().Add(closeStep))
	}
	switch {
	case s.closing:
		return ErrClosed
	case s.fence != nil:
		return s.fence
	case at < s.Confirmed():
		return fmt.Errorf("%w: the log is to end at %d, and is confirmed up to %d", ErrShown, at, s.Confirmed())
	case at >= s.appended:
		return nil
	}
	return s.alone(func() error { return s.cutLog(at) })
}

func (s *Store) cutLog(at message.LogOffset) error {
	if state := s.checkpointed; state.own && state.durable > at {
		// A start after a crash must not take what is missing for damage.
		state.durable = at
		if err := s.putCheckpoint(state); err != nil {
			return err
		}
	}
	if err := s.eraseArrivals(); err != nil {
		return err
	}
	if err := s.log.Cut(int64(at)); err != nil {
		s.fail("cutting off the end of the log", err)
		return err
	}
	s.arrivals.dropLast(func(a *arrival) bool {
		if a.at.Log < at {
			return false
		}
		if a.queue != nil {
			a.queue.next = min(a.queue.next, max(a.at.Queue, a.queue.max))
		}
		return true
	})
	s.appended, s.written, s.flushed = at, at, at
	return nil
}

// eraseArrivals erases what the files of queues may say of records that are not confirmed: before a crash they may have been, and of the entries that were
// written then, the last ones may have reached the medium without those in front of them. Nobody would write over them any more.
func (s *Store) eraseArrivals() error {
	var queues []*queueLog
	entries := map[*queueLog]int64{}
	for n := range s.arrivals.len() {
		a := s.arrivals.at(n)
		if a.queue == nil {
			continue
		}
		if _, known := entries[a.queue]; !known {
			queues = append(queues, a.queue)
		}
		entries[a.queue] += int64(a.count) + a.jump
	}
	for _, q := range queues {
		if err := q.eraseBehind(entries[q]); err != nil {
			return fmt.Errorf("queue %s: %w", q.key, err)
		}
	}
	return nil
}

// BeginAt makes a log that has no record begin at a place, which must be where a file begins. It waits for the disk, and the caller sees to it that nothing
// is taken meanwhile. After an error nothing has begun.
func (s *Store) BeginAt(at message.LogOffset) error {
	if !s.log.Empty() || s.appended != 0 || int64(at)%s.options.LogSegmentSize != 0 {
		return fmt.Errorf("the log [%d, %d) cannot begin at %d: it must be new, and the place a multiple of %d", s.Start(), s.appended, at, s.options.LogSegmentSize)
	}
	if err := s.log.Create(int64(at)); err != nil {
		return err
	}
	s.appended, s.written, s.flushed, s.allowed, s.confirmed = at, at, at, max(s.allowed, at), at
	// A start must not look for what stands in front of it.
	if err := s.moveCheckpoint(""); err != nil {
		s.appended, s.written, s.flushed, s.confirmed = 0, 0, 0, 0
		return errors.Join(err, s.log.RemoveAll())
	}
	return nil
}

// withoutBeginning is a checkpoint that says nothing, if a crash has interrupted BeginAt, otherwise the same: then there is one file with nothing in it, and
// there never was anything.
func (s *Store) withoutBeginning(state checkpointState) (checkpointState, error) {
	start := s.log.Start()
	if !state.own || state.saved != 0 || state.durable != 0 || start == 0 || s.log.End()-start != s.log.SegmentSize() {
		return state, nil
	}
	scanner := newLogScanner(s.log, message.LogOffset(start))
	if ok, err := scanner.next(); ok || err != nil || scanner.problem != nil {
		return state, err
	}
	return checkpointState{sequence: state.sequence}, nil
}

// AsyncFlush reports whether records count as soon as the operating system has them.
func (s *Store) AsyncFlush() bool { return s.options.Flush == AsyncFlush }
