package store

import (
	"errors"
	"fmt"
	"math"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
	"go.uber.org/zap"
)

// recover brings the files into a state that can be built on, of which some may have been cut off as planned. Afterwards everything in the log is verified from the
// checkpoint on, flushed, and in its queue; everything behind it is zero.
func (s *Store) recover(planned *plan) error {
	clean, err := closedCleanly(s.env.Disk)
	if err != nil {
		return err
	}
	if s.log, err = segment.Open(s.logFiles, logDir, s.options.LogSegmentSize, !clean); err != nil {
		return err
	}
	state, err := readCheckpoint(s.env.Disk)
	if err != nil {
		return err
	}
	if s.dropped, err = readDropped(s.env.Disk); err != nil {
		return err
	}
	// Before the crash marker is made: a start that is refused must not look like a crash.
	if err := s.indexForeign(state, clean); err != nil {
		return err
	}
	if len(s.dropped) > 0 && !clean {
		// A crash may have come before the name was durable. What it says must not be acted on before it is.
		if err := s.env.Disk.SyncDir("."); err != nil {
			return err
		}
	}
	if state, err = s.withoutBeginning(state); err != nil {
		return err
	}
	from, err := s.scanFrom(state)
	if err != nil {
		return err
	}
	s.checkpointed, s.sequence = state, state.sequence
	if !clean && state.own {
		// A crash may have left the checkpoint in the cache only, and what stands on the medium may be damaged by the time the power goes.
		if err := state.rewrite(s.env.Disk); err != nil {
			return err
		}
	}
	if clean && state.own {
		s.readFrom = state.saved
	}
	s.saved, s.shownAt = state.saved, min(state.physicalAt, state.logicsAt)
	s.flushedAt = s.shownAt
	r := &replay{store: s, state: state, secured: max(from, state.saved), clean: clean, shown: math.MaxInt64}
	if s.options.Replicated && state.own {
		r.shown = max(from, state.saved)
	}
	if s.options.Replicated && planned != nil {
		r.shown = planned.Confirmed
	}
	err = r.run(from)
	if errors.Is(err, errContradiction) {
		s.env.Log.Warn("the queues do not fit the log: all queues are built again from the log", zap.Error(err))
		err = r.runAll()
	}
	if err != nil {
		return err
	}
	if err := s.settle(r); err != nil {
		return err
	}
	if err := s.openIndex(r.state, clean); err != nil {
		return err
	}
	if !r.state.own {
		s.report("the first checkpoint could not be written; a later one will be", s.firstCheckpoint(r))
	}
	return nil
}

// firstCheckpoint puts our words into a directory that is new or comes from a Java broker, so that from now on is known how
// much of the log is durable.
func (s *Store) firstCheckpoint(r *replay) error {
	state := r.state
	state.removed = s.removedEntries(state)
	state.saved, state.entries, state.mark, state.durable, state.own = r.from, r.before, s.keys.mark, s.flushed, true
	if err := s.putCheckpoint(state); err != nil {
		return err
	}
	s.saved, s.readFrom, s.marked = state.saved, state.saved, state.mark
	return nil
}

// closedCleanly reports whether the last broker removed its crash marker.
func closedCleanly(disk env.Disk) (bool, error) {
	f, err := disk.Open(crashMarker)
	if errors.Is(err, env.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, f.Close()
}

// scanFrom decides where reading the log begins.
func (s *Store) scanFrom(state checkpointState) (message.LogOffset, error) {
	start, end := message.LogOffset(s.log.Start()), message.LogOffset(s.log.End())
	switch {
	case state.own && state.durable > end:
		return 0, &DamageError{From: end, To: state.durable, Reason: fmt.Errorf("%w: the checkpoint says that it was flushed up to %d", errMissingFiles, state.durable)}
	case state.own && state.saved < start:
		// Cleaning never comes so far.
		return 0, &DamageError{From: state.saved, To: start, Reason: fmt.Errorf("%w: the log must be read from %d on", errMissingFiles, state.saved)}
	case state.own:
		return state.saved, nil
	}
	return s.scanFromTime(min(state.physicalAt, state.logicsAt) - clockTolerance)
}

// clockTolerance is what a Java broker's checkpoint may be ahead of its queues, in milliseconds.
const clockTolerance = 3000

// scanFromTime is for directories of a Java broker, whose checkpoint knows only times: the newest
// file whose first record is not younger than the checkpoint.
func (s *Store) scanFromTime(wall int64) (message.LogOffset, error) {
	size := s.log.SegmentSize()
	for start := s.log.End() - size; start > s.log.Start(); start -= size {
		scanner := newLogScanner(s.log, message.LogOffset(start))
		ok, err := scanner.next()
		if err != nil {
			return 0, err
		}
		if ok && scanner.record.StoredAt <= wall {
			return message.LogOffset(start), nil
		}
	}
	return message.LogOffset(s.log.Start()), nil
}

// settle makes what was found the ground to build on.
func (s *Store) settle(r *replay) error {
	if err := s.markRunning(r.clean); err != nil {
		return err
	}
	if err := r.secure(); err != nil {
		return err
	}
	// Stale bytes may follow: of a torn write, or of a Java broker, which erases nothing.
	if err := s.log.Cut(int64(r.at)); err != nil {
		return err
	}
	for _, q := range s.order {
		if err := q.eraseBehind(1); err != nil {
			return fmt.Errorf("queue %s: %w", q.key, err)
		}
	}
	end := r.at
	if err := s.shortenDropped(end); err != nil {
		return err
	}
	s.appended, s.written, s.flushed, s.allowed, s.confirmed = end, end, end, min(end, r.shown), end
	if r.shown < end {
		// It may be within a record, or in the unused end of a file.
		s.confirmed = r.shownTo
	}
	if !r.clean {
		s.env.Log.Info("recovered after a crash", zap.Int64("end", int64(end)), zap.Int("queues", len(s.order)))
	}
	return nil
}

// markRunning makes the crash marker, durably, before the first message is taken: what was mended until now, the next start would
// mend again. A marker that a crash left may be in the cache only.
func (s *Store) markRunning(clean bool) error {
	if clean {
		f, err := s.env.Disk.Create(crashMarker)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return s.env.Disk.SyncDir(".")
}
