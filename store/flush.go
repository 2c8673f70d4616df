package store

import "github.com/gantrymq/gantry/transport/message"

// flushLog is the group commit: one sync covers everything that was written while the last one ran.
func (s *Store) flushLog() {
	for {
		for s.written == s.flushed && !s.drained && s.fence == nil {
			s.unflushed.Wait()
		}
		if s.fence != nil || s.drained {
			return
		}
		if s.options.Flush == AsyncFlush && !s.closing {
			s.stop.WaitUntil(s.env.Clock.Now().Add(s.options.FlushEvery))
		}
		s.flushOnce()
	}
}

// flushOnce syncs up to where the log was written when it began.
func (s *Store) flushOnce() {
	target, shownAt := s.written, s.shownAt
	began, before := s.env.Clock.Now(), s.flushed
	if err := s.log.Sync(int64(s.flushed), int64(target)); err != nil {
		// The dirty pages may be gone: no later sync can make up for this one.
		s.fail("a sync of the log", err)
		return
	}
	s.flushed = max(s.flushed, target)
	s.options.Synced(s.env.Clock.Now().Sub(began), int64(target-before))
	if s.options.Flush == SyncFlush {
		s.confirm()
		shownAt = s.shownAt
	}
	s.flushedAt = shownAt
	s.wakeFeeds()
	s.options.Moved()
	s.changed.Broadcast()
}

// confirm shows consumers what has become confirmed, and then answers the senders: who was
// answered can read what it sent.
func (s *Store) confirm() {
	until := s.confirmUntil()
	for s.arrivals.len() > 0 && s.arrivals.peek().end <= until {
		a := s.arrivals.pop()
		s.confirmed = max(s.confirmed, a.end)
		s.show(a)
		if a.queue == nil || a.jump > 0 {
			continue
		}
		s.options.Arrived(a.queue.key, a.at.Queue+message.QueueOffset(a.count)-1, a.tagHash)
	}
	s.settleConfirmed(until)
	s.wakeFollowers()
	s.answer()
}

// show adds the record's entry to its queue.
func (s *Store) show(a arrival) {
	switch {
	case a.queue == nil:
		return
	case a.jump > 0:
		a.queue.max = a.at.Queue + message.QueueOffset(a.jump)
		return
	}
	s.shownAt = a.stored
	e := entry{number: a.at.Queue, count: a.count, log: a.at.Log, size: int32(a.end - a.at.Log), tagHash: a.tagHash, stored: a.stored}
	if a.queue.add(e) {
		s.dirty = append(s.dirty, a.queue)
	}
}

// Flush waits until everything written so far is on the medium, or the store is fenced or closed.
func (s *Store) Flush() error {
	target := s.written
	s.unflushed.Signal()
	for s.flushed < target && s.fence == nil && !s.closing {
		s.changed.Wait()
	}
	return s.fence
}

// saveQueues writes queue entries to their files now and then, and moves the checkpoint on.
func (s *Store) saveQueues() {
	// The first one comes soon: a broker that crashes again and again must not read more log each time.
	next := s.env.Clock.Now().Add(s.options.SaveQueuesEvery)
	for !s.closing && s.fence == nil {
		s.stop.WaitUntil(s.env.Clock.Now().Add(s.options.SaveQueuesEvery))
		if s.closing || s.fence != nil {
			return
		}
		if !next.Reached(s.env.Clock.Now()) && int64(s.flushed-s.saved) < s.options.CheckpointBytes {
			s.report("queue entries could not be saved; they will be tried again", s.alone(s.writeQueues))
			s.report("the checkpoint could not be written; it will be tried again", s.alone(s.noteDurable))
			continue
		}
		err := s.alone(s.checkpoint)
		s.report("the checkpoint could not be written; it will be tried again", err)
		if err != nil {
			s.report("nor could be noted how much is durable", s.alone(s.noteDurable))
		}
		next = s.env.Clock.Now().Add(s.options.CheckpointEvery)
	}
}
