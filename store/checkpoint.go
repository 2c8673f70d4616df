package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/transport/message"
)

// The checkpoint file has 4096 bytes (class StoreCheckpoint): five longs, of which a single broker uses the
// first three, and behind them, where Java brokers neither read nor write, our
// own words. All in one sector, so that a crash leaves the old or the new ones. The checksum covers
// the longs too: if a Java broker has written since, our words say nothing of what it did.
//
//	 0  physical timestamp   store time of the newest flushed record, ms
//	 8  logics timestamp     store time of the newest record with a queue entry, ms
//	16  index timestamp      store time of the newest record in complete index files, ms
//	24  master flushed, 32 confirm offset: 0
//	40  magic "GANTRYCP"
//	48  saved                log offset: the entries of all records before it are on the medium
//	56  entries              how many entries these are, over all queues, counted from number 0
//	64  indexed              log offset: the keys of all records before it are on the medium, in the key index
//	72  index file           name of the newest index file, as a number; 0 for none
//	80  index items          number of that file's next item; negative if the files are in doubt behind it
//	88  index end            store time of the newest record with keys, ms
//	96  durable              log offset: the log is on the medium up to here; never before saved
//	104 CRC-32 of bytes 0 to 103
const (
	checkpointSize  = 4096
	checkpointMagic = 0x47414E5452594350
	ownWordsAt      = 40
	checksumAt      = 104
	usedBytes       = 108
)

// checkpointState is what the file says.
type checkpointState struct {
	physicalAt int64
	logicsAt   int64
	indexAt    int64
	saved      message.LogOffset
	entries    int64
	mark       index.Mark
	durable    message.LogOffset
	own        bool // saved, entries, mark and durable are valid
}

func (c checkpointState) encode() []byte {
	p := make([]byte, usedBytes)
	for i, word := range []int64{c.physicalAt, c.logicsAt, c.indexAt} {
		binary.BigEndian.PutUint64(p[8*i:], uint64(word))
	}
	own := []int64{checkpointMagic, int64(c.saved), c.entries, int64(c.mark.Log), c.mark.File, int64(c.mark.Count), c.mark.EndAt, int64(max(c.durable, c.saved))}
	if c.mark.InDoubt {
		own[5] = -own[5]
	}
	for i, word := range own {
		binary.BigEndian.PutUint64(p[ownWordsAt+8*i:], uint64(word))
	}
	binary.BigEndian.PutUint32(p[checksumAt:], crc32.ChecksumIEEE(p[:checksumAt]))
	return p
}

func decodeCheckpoint(p []byte) checkpointState {
	var c checkpointState
	if len(p) < usedBytes {
		return c
	}
	word := func(at int) int64 { return int64(binary.BigEndian.Uint64(p[at:])) }
	c.physicalAt, c.logicsAt, c.indexAt = word(0), word(8), word(16)
	c.own = word(ownWordsAt) == checkpointMagic && binary.BigEndian.Uint32(p[checksumAt:]) == crc32.ChecksumIEEE(p[:checksumAt])
	if !c.own {
		return c
	}
	c.saved, c.entries = message.LogOffset(word(48)), word(56)
	c.mark = index.Mark{Log: message.LogOffset(word(64)), File: word(72), Count: int32(word(80)), EndAt: word(88)}
	if c.mark.Count < 0 {
		c.mark.Count, c.mark.InDoubt = -c.mark.Count, true
	}
	c.durable = max(message.LogOffset(word(96)), c.saved)
	c.own = c.saved >= 0
	return c
}

// readCheckpoint returns a zero state if there is no file.
func readCheckpoint(disk env.Disk) (checkpointState, error) {
	f, err := disk.Open(checkpointPath)
	if errors.Is(err, env.ErrNotExist) {
		return checkpointState{}, nil
	}
	if err != nil {
		return checkpointState{}, err
	}
	p := make([]byte, usedBytes)
	n, err := f.ReadAt(p, 0)
	return decodeCheckpoint(p[:n]), errors.Join(err, f.Close())
}

// alone runs save as the only task that writes or removes queue files, or writes the checkpoint.
func (s *Store) alone(save func() error) error {
	s.saving.Acquire(nil, env.Never)
	defer s.saving.Release()
	return save()
}

// checkpoint makes all queue entries of flushed records durable and then says so in the file. A
// restart reads the log from there on.
func (s *Store) checkpoint() error {
	if s.flushed == s.saved && s.keys.mark == s.marked {
		return nil
	}
	return s.moveCheckpoint(nil)
}

// moveCheckpoint is checkpoint without asking whether there is anything new. The entries of queues that leave are not counted.
func (s *Store) moveCheckpoint(leaves func(q *queueLog) bool) error {
	if s.queuesFailed != nil {
		return s.queuesFailed
	}
	// Flushed records have entries; unflushed ones may be gone after a crash. All of this is of one moment.
	target := s.flushed
	state := checkpointState{physicalAt: s.flushedAt, logicsAt: s.flushedAt, saved: target, entries: s.entriesBefore(target, leaves), own: true}
	state.mark, state.indexAt, state.durable = s.keys.mark, s.keys.completeAt(), target
	if err := s.writeQueues(); err != nil {
		return err
	}
	if err := s.syncQueues(); err != nil {
		return err
	}
	if err := writeCheckpoint(s.env.Disk, state); err != nil {
		return err
	}
	s.saved, s.marked, s.checkpointed = target, state.mark, state
	return nil
}

// noteDurable writes how far the log is on the medium, without anything else. After a crash, what is wrong before that is
// damage, and not a torn end.
func (s *Store) noteDurable() error {
	state := s.checkpointed
	if !state.own || state.durable >= s.flushed {
		return nil
	}
	state.durable = s.flushed
	if err := writeCheckpoint(s.env.Disk, state); err != nil {
		return err
	}
	s.checkpointed = state
	return nil
}

// entriesBefore counts the entries of records that end at or before limit, over all queues, from number 0 on.
func (s *Store) entriesBefore(limit message.LogOffset, without func(q *queueLog) bool) int64 {
	sum := int64(0)
	for _, q := range s.order {
		if without != nil && without(q) {
			continue
		}
		sum += int64(q.endBefore(limit))
	}
	return sum
}

// syncQueues syncs the files of all queues that have new entries. After a failure the entries are in doubt
// for ever: the log still has everything, so the checkpoint just stays.
func (s *Store) syncQueues() error {
	for _, q := range s.order[:len(s.order):len(s.order)] {
		saved := q.saved
		if q.synced >= saved {
			continue
		}
		if err := q.row.Sync(int64(q.synced)*entrySize, int64(saved)*entrySize); err != nil {
			s.queuesFailed = fmt.Errorf("queue %s could not be synced; the next start will read the log from %v: %w", q.key, s.saved, err)
			return s.queuesFailed
		}
		q.synced = max(q.synced, saved)
	}
	return nil
}

func writeCheckpoint(disk env.Disk, state checkpointState) error {
	f, err := openCheckpoint(disk)
	if err != nil {
		return err
	}
	err = f.WriteAt(state.encode(), 0)
	if err == nil {
		err = f.Sync(0, checkpointSize)
	}
	return errors.Join(err, f.Close())
}

// openCheckpoint opens the file and makes it, with its full size, if it does not exist.
func openCheckpoint(disk env.Disk) (env.File, error) {
	f, err := disk.Open(checkpointPath)
	if errors.Is(err, env.ErrNotExist) {
		f, err = disk.Create(checkpointPath)
	}
	if err != nil {
		return nil, err
	}
	if f.Size() >= checkpointSize {
		return f, nil
	}
	if err = f.Truncate(checkpointSize); err == nil {
		err = disk.SyncDir(".")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
