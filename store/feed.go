package store

import (
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
)

// Feed reads the bytes of the log for a copy, from a place on, also those that are not confirmed yet. One task owns it. Files that it has not read are
// kept as long as the disk allows.
type Feed struct {
	store    *Store
	follower *Follower
	at       message.LogOffset
	flushed  bool
	wake     env.Cond
}

// Feed begins to read at a place. With flushedOnly it gives nothing that is not on the medium here: for copies that cannot take back what a crash has taken here.
func (s *Store) Feed(name string, from message.LogOffset, flushedOnly bool) *Feed {
	f := &Feed{store: s, follower: s.Follow(name, from), at: from, flushed: flushedOnly, wake: s.env.Tasks.NewCond()}
	s.feeds = append(s.feeds, f)
	return f
}

// Close ends the reading.
func (f *Feed) Close() {
	f.follower.Close()
	f.store.feeds = slices.DeleteFunc(f.store.feeds, func(other *Feed) bool { return other == f })
}

// Keep says from where on the copy may need the log again: it has not confirmed what it was sent.
func (f *Feed) Keep(from message.LogOffset) { f.follower.MoveTo(from) }

// At is the place of the next byte.
func (f *Feed) At() message.LogOffset { return f.at }

func (f *Feed) limit() message.LogOffset {
	if f.flushed {
		return f.store.flushed
	}
	return f.store.written
}

// Wait waits until there are bytes to be read, Wake is called, or the time has come.
func (f *Feed) Wait(until env.Instant) {
	if f.limit() <= f.at && !f.store.closing {
		f.wake.WaitUntil(until)
	}
}

// Wake ends a Wait.
func (f *Feed) Wake() { f.wake.Signal() }

// Next reads up to len(p) bytes, all of one file and none behind until, unless that is 0, into p; none if there are none. They are what the file has, behind the marker at its end too.
// It waits for the disk.
func (f *Feed) Next(p []byte, until message.LogOffset) (at message.LogOffset, n int, err error) {
	s := f.store
	if f.at < s.Start() {
		return f.at, 0, ErrNoRecord
	}
	end := f.limit()
	if until > 0 {
		end = min(end, until)
	}
	fileEnd := message.LogOffset(s.log.FileStart(int64(f.at)) + s.log.SegmentSize())
	n = int(max(min(int64(len(p)), int64(min(end, fileEnd)-f.at)), 0))
	if n == 0 {
		return f.at, 0, nil
	}
	at = f.at
	if err := s.log.ReadAt(p[:n], int64(at)); err != nil {
		return at, 0, err
	}
	f.at += message.LogOffset(n)
	return at, n, nil
}

// wakeFeeds tells those who wait that the log has grown.
func (s *Store) wakeFeeds() {
	for _, f := range s.feeds {
		f.wake.Signal()
	}
}

// LogBytes reads bytes of the log that are written, all of one file. It waits for the disk.
func (s *Store) LogBytes(p []byte, at message.LogOffset) error {
	if len(p) == 0 {
		return nil
	}
	if at < s.Start() || at+message.LogOffset(len(p)) > s.written {
		return ErrNoRecord
	}
	return s.log.ReadAt(p, int64(at))
}
