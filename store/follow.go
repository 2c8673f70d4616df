package store

import (
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
)

// Follower reads the confirmed log from a place on, record by record, for a structure that is derived from it: the key
// index, timers, transactions. One task owns it. The structure keeps, with its own data, how far it has come; after a restart it
// follows from there, so nothing is missed, and what it sees again it must recognise.
type Follower struct {
	store *Store
	name  string
	at    message.LogOffset
	chunk []byte
	found []Followed
	wake  env.Cond // something was confirmed, while waits is set
	waits bool
}

// Followed is one record of the log.
type Followed struct {
	Record message.Record
	End    message.LogOffset // where the next one may begin
}

// DamageError tells which part of the log holds no valid record.
type DamageError struct {
	From, To message.LogOffset // [From, To); a valid record, or a new file, begins at To
	Reason   error
}

// Error names the range and the reason.
func (d *DamageError) Error() string {
	return fmt.Sprintf("the commit log is damaged in [%d, %d): %v", d.From, d.To, d.Reason)
}

// Unwrap is the reason.
func (d *DamageError) Unwrap() error { return d.Reason }

// Follow begins to read at a place where a record begins or may begin. The files of the log that a follower has not read are kept
// as long as the disk allows.
func (s *Store) Follow(name string, from message.LogOffset) *Follower {
	f := &Follower{store: s, name: name, at: from, wake: s.env.Tasks.NewCond()}
	s.followers = append(s.followers, f)
	return f
}

// Close ends the following: the log is not kept for it any more.
func (f *Follower) Close() {
	f.store.followers = slices.DeleteFunc(f.store.followers, func(other *Follower) bool { return other == f })
}

// MoveTo goes on at a place: for who reads the log by other ways, and wants its files kept.
func (f *Follower) MoveTo(at message.LogOffset) { f.at = at }

// At is where the next record may begin.
func (f *Follower) At() message.LogOffset { return f.at }

// Behind is how many confirmed bytes of the log are to be read yet.
func (f *Follower) Behind() int64 { return int64(f.store.Confirmed() - f.at) }

// Wait waits until there is a record to be read, the time has come, or the store closes.
func (f *Follower) Wait(until env.Instant) {
	if f.Behind() > 0 || f.store.closing {
		return
	}
	f.waits = true
	f.wake.WaitUntil(until)
	f.waits = false
}

// wakeFollowers tells those who wait that something was confirmed.
func (s *Store) wakeFollowers() {
	for _, f := range s.followers {
		if f.waits {
			f.waits = false
			f.wake.Signal()
		}
	}
}

// followChunk is how much of the log is read at once.
const followChunk = 1 << 20

// Next returns the next records, none if all that is confirmed was read. They are valid until the next call. A
// DamageError says that the log is damaged there: Skip goes on behind it. It waits for the disk.
func (f *Follower) Next() ([]Followed, error) {
	s := f.store
	if start := s.Start(); f.at < start {
		// The disk was too full to wait.
		f.at = start
	}
	f.found = f.found[:0]
	for size := int64(followChunk); f.Behind() > 0; {
		fileEnd := s.log.FileStart(int64(f.at)) + s.log.SegmentSize()
		n := min(size, fileEnd-int64(f.at), f.Behind())
		if err := f.read(n); err != nil {
			return nil, err
		}
		from, need := f.at, int64(0)
		var reason error
		s.env.Tasks.Offload(func() { need, reason = f.decode(fileEnd) })
		switch {
		case len(f.found) > 0:
			return f.found, nil
		case reason == nil && need > f.Behind():
			reason = fmt.Errorf("%v: a record of %d bytes does not end where the log does", f.at, need)
		case need > n:
			size = need
		}
		if reason != nil {
			return nil, s.damageAt(from, reason)
		}
	}
	return nil, nil
}

func (f *Follower) read(n int64) error {
	if int64(cap(f.chunk)) < n {
		f.chunk = make([]byte, max(n, min(followChunk, f.store.options.LogSegmentSize)))
	}
	f.chunk = f.chunk[:n]
	err := f.store.log.ReadAt(f.chunk, int64(f.at))
	if err != nil && f.at < f.store.Start() {
		f.chunk = f.chunk[:0] // removed meanwhile: the next turn begins behind
		f.at = f.store.Start()
		return nil
	}
	return err
}

// decode finds the whole records of the chunk. need is how many bytes the first one takes if it is not whole.
func (f *Follower) decode(fileEnd int64) (need int64, reason error) {
	for p := f.chunk; len(p) >= message.EndOfFileSize; {
		size, _ := message.PeekSize(p)
		magic, _ := message.PeekMagic(p)
		left := fileEnd - int64(f.at)
		if magic == message.MagicEndOfFile && int64(size) == left {
			f.at = message.LogOffset(fileEnd)
			return 0, nil
		}
		if (magic != message.MagicV1 && magic != message.MagicV2) || size < recordHead || int64(size) > left {
			return 0, fmt.Errorf("%v: no record begins there", f.at)
		}
		if int64(size) > int64(len(p)) {
			return int64(size), nil
		}
		var r message.Record
		if _, err := message.DecodeRecord(p[:size], &r, false); err != nil {
			return 0, fmt.Errorf("%v: %w", f.at, err)
		}
		if r.LogOffset != f.at {
			return 0, fmt.Errorf("%v: the record says that it stands at %d", f.at, r.LogOffset)
		}
		f.at += message.LogOffset(size)
		f.found = append(f.found, Followed{Record: r, End: f.at})
		p = p[size:]
	}
	return 0, nil
}

// Skip goes on behind a damaged part of the log.
func (f *Follower) Skip(d *DamageError) { f.at = d.To }

// String tells the name and how far it is.
func (f *Follower) String() string {
	return fmt.Sprintf("%s follows the log at %d of %d", f.name, f.at, f.store.Confirmed())
}
