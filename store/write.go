package store

import (
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
	"go.uber.org/zap"
)

// Kick writes what was appended since the last write, all of it with one system call, in the
// calling task. If another task writes just now it does nothing: that task's successor will write it. Call it
// after a run of appends.
func (s *Store) Kick() {
	if s.writing || s.batch.empty() || s.fence != nil {
		return
	}
	s.writing = true
	s.writeBatch()
	if s.batch.empty() || s.fence != nil {
		s.writing = false
		return
	}
	// The caller has its own work: what others appended meanwhile gets a task.
	s.tasks.Go("write log", s.writeRest)
}

func (s *Store) writeRest() {
	for !s.batch.empty() && s.fence == nil {
		s.writeBatch()
	}
	s.writing = false
	s.changed.Broadcast()
}

// writeBatch hands the gathered records to the operating system.
func (s *Store) writeBatch() {
	s.writingSince = s.env.Clock.Now()
	batch := s.batch
	s.batch = s.spare
	s.batch.reset()
	s.spare = logBatch{}
	for i := range batch.pieces {
		part := batch.part(i)
		if err := s.writePiece(batch.pieces[i].log, part); err != nil {
			s.writeFailed(err)
			break
		}
		end := batch.pieces[i].log + message.LogOffset(len(part))
		if i+1 < len(batch.pieces) {
			// Behind an end-of-file marker the next record begins in the next file. Every watermark
			// must be a place where a record may begin.
			end = batch.pieces[i+1].log
		}
		s.advance(end)
	}
	s.spare = batch
}

// advance notes how far the log is written. What that confirms gets its queue entry at once, so that a checkpoint
// taken while the next piece is written finds it.
func (s *Store) advance(end message.LogOffset) {
	if s.fence != nil {
		return
	}
	s.written = end
	s.unflushed.Signal()
	s.wakeFeeds()
	s.options.Moved()
	if s.options.Flush == AsyncFlush {
		s.confirm()
	}
}

func (s *Store) writePiece(at message.LogOffset, part []byte) error {
	if len(part) == 0 {
		return nil
	}
	if !s.log.Has(int64(at)) {
		if err := s.log.Create(int64(at)); err != nil {
			return fmt.Errorf("%w: %w", errCreate, err)
		}
	}
	if err := s.log.WriteAt(part, int64(at)); err != nil {
		return err
	}
	if s.full != nil {
		s.env.Log.Info("there is space again: messages are taken")
		s.full = nil
	}
	return nil
}

// errCreate: the log's next file could not be made, and nothing was written.
var errCreate = errors.New("the next file of the log could not be made")

// writeFailed takes back the places of everything that was not written. A full disk is
// passing, and so may be what prevents a new file; any other failure is not.
func (s *Store) writeFailed(err error) {
	switch {
	case s.logFiles.Failed() != nil:
		s.fail("a sync of the log", s.logFiles.Failed())
	case errors.Is(err, env.ErrNoSpace):
		s.refuseFull(err)
	case errors.Is(err, errCreate):
		s.env.Log.Error("messages are refused; the next ones try again", zap.Error(err))
		s.takeBack(AppendNoFile, err.Error())
	default:
		s.fail("a write to the log", err)
	}
}

func (s *Store) refuseFull(err error) {
	if s.full == nil {
		s.env.Log.Error("the disk is full: messages are refused until there is space", zap.Error(err))
	}
	full := fmt.Errorf("the disk of the broker is full; make space or add disk, messages are taken again by themselves: %w", err)
	s.full = full
	// A part was written. What is refused must not come back after a crash, so its traces go first.
	if err := s.log.Cut(int64(s.written)); err != nil {
		s.fail("erasing what did not fit on the full disk", err)
	}
	if s.fence == nil {
		s.takeBack(AppendNoSpace, full.Error())
	}
}

// takeBack undoes appends after written: nobody has seen them.
func (s *Store) takeBack(status AppendStatus, reason string) {
	s.arrivals.dropLast(func(a *arrival) bool {
		if a.at.Log < s.written {
			return false
		}
		if a.queue != nil {
			a.queue.next = a.at.Queue
		}
		return true
	})
	s.batch.reset()
	s.appended = s.written
	written := s.written
	for n := s.waiting.len(); n > 0; n-- {
		if s.waiting.peek().end > written {
			s.answerOne(status, reason)
			continue
		}
		// It is written and still waits for its flush: keep the order.
		s.waiting.push(s.waiting.pop())
	}
}
