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

// The checkpoint file has 4096 bytes (class StoreCheckpoint): six longs of Java brokers, of which a single broker uses the
// first three, and behind them, where no Java broker reads or writes, two slots with our own words. They are written in turn, so
// that a write that fails leaves the other one. All is in one sector, so that a crash leaves it as it was at one time.
//
//	  0  physical timestamp   store time of the newest flushed record, ms
//	  8  logics timestamp     store time of the newest record with a queue entry, ms
//	 16  index timestamp      store time of the newest record in complete index files, ms
//	 24  master flushed, 32 confirm offset: 0
//	 40  logics offset        0: newer Java brokers go by the timestamps then
//	128  first slot, 320 second slot:
//	     0  magic "GANTRYCP"
//	     8  sequence          the slot with the greater one counts
//	    16  saved             log offset: the entries of all records before it are on the medium
//	    24  entries           how many entries these are, over all queues, counted from number 0
//	    32  removed           how many of them, over all queues, stand in front of the queues' first files
//	    40  indexed           log offset: the keys of all records before it are on the medium, in the key index
//	    48  index file        name of the newest index file, as a number; 0 for none
//	    56  index items       number of that file's next item; negative if the files are in doubt behind it
//	    64  index end         store time of the newest record with keys, ms
//	    72  durable           log offset: the log is on the medium up to here; never before saved
//	    80  leaving           1 + CRC-32 of the name of a topic that is being removed, whose queues are not counted; 0 for none
//	    88  the bytes 0 to 47 of the file, as they were written with this slot
//	   136  CRC-32 of the slot's bytes 0 to 135
//
// If a Java broker has written the longs since, our words say nothing of what it did, and do not count.
const (
	checkpointSize  = 4096
	checkpointMagic = 0x47414E5452594350
	javaWordsSize   = 48
	slotSize        = 140
	usedBytes       = 512
)

// slotsAt are the places of the two slots.
var slotsAt = [2]int64{128, 320}

// javaWords are the longs of a Java broker.
type javaWords [javaWordsSize]byte

// checkpointState is what the file says.
type checkpointState struct {
	physicalAt int64
	logicsAt   int64
	indexAt    int64
	sequence   int64 // of the newest slot
	saved      message.LogOffset
	entries    int64
	removed    int64
	mark       index.Mark
	durable    message.LogOffset
	leaving    int64     // leavingMark of a topic whose entries are not counted, or 0
	with       javaWords // as the slot has them
	own        bool      // sequence, saved, entries, removed, mark, durable, leaving and with are valid
}

// leavingMark stands for a topic that is being removed: a crash leaves its queues or not. "" is none.
func leavingMark(topic string) int64 {
	if topic == "" {
		return 0
	}
	return 1 + int64(crc32.ChecksumIEEE([]byte(topic)))
}

// leaves reports whether a queue is one that is not counted.
func (c checkpointState) leaves(key QueueKey) bool {
	return c.leaving != 0 && c.leaving == leavingMark(key.Topic)
}

func (c checkpointState) javaWords() (words javaWords) {
	for i, word := range []int64{c.physicalAt, c.logicsAt, c.indexAt} {
		binary.BigEndian.PutUint64(words[8*i:], uint64(word))
	}
	return words
}

// slot is what is written for the state's sequence, and where.
func (c checkpointState) slot() (p []byte, at int64) { return c.slotWith(c.javaWords()) }

// slotWith is slot with other words of Java.
func (c checkpointState) slotWith(words javaWords) (p []byte, at int64) {
	count := int64(c.mark.Count)
	if c.mark.InDoubt {
		count = -count
	}
	p = make([]byte, 0, slotSize)
	for _, word := range []int64{
		checkpointMagic, c.sequence, int64(c.saved), c.entries, c.removed, int64(c.mark.Log), c.mark.File, count, c.mark.EndAt, int64(max(c.durable, c.saved)), c.leaving,
	} {
		p = binary.BigEndian.AppendUint64(p, uint64(word))
	}
	p = append(p, words[:]...)
	return binary.BigEndian.AppendUint32(p, crc32.ChecksumIEEE(p)), slotsAt[c.sequence&1]
}

// decodeSlot reads a slot; own is false if nothing valid stands there.
func decodeSlot(p []byte) (c checkpointState, with javaWords) {
	word := func(at int) int64 { return int64(binary.BigEndian.Uint64(p[at:])) }
	if word(0) != checkpointMagic || binary.BigEndian.Uint32(p[slotSize-4:]) != crc32.ChecksumIEEE(p[:slotSize-4]) {
		return c, with
	}
	c.sequence, c.saved, c.entries, c.removed = word(8), message.LogOffset(word(16)), word(24), word(32)
	c.mark = index.Mark{Log: message.LogOffset(word(40)), File: word(48), Count: int32(word(56)), EndAt: word(64)}
	if c.mark.Count < 0 {
		c.mark.Count, c.mark.InDoubt = -c.mark.Count, true
	}
	c.durable, c.leaving = max(message.LogOffset(word(72)), c.saved), word(80)
	c.own = c.saved >= 0
	return c, javaWords(p[slotSize-4-javaWordsSize : slotSize-4])
}

func decodeCheckpoint(p []byte) checkpointState {
	if len(p) < usedBytes {
		return checkpointState{}
	}
	found := javaWords(p[:javaWordsSize])
	newest, with := decodeSlot(p[slotsAt[0]:][:slotSize])
	other, otherWith := decodeSlot(p[slotsAt[1]:][:slotSize])
	if other.own && (!newest.own || other.sequence > newest.sequence) {
		newest, with, other, otherWith = other, otherWith, newest, with
	}
	if !other.own {
		otherWith = with
	}
	newest.own, newest.with = newest.own && mixed(found, with, otherWith), with
	if !newest.own {
		// A sequence is never used twice, whoever has written since.
		newest = checkpointState{sequence: newest.sequence}
	}
	word := func(at int) int64 { return int64(binary.BigEndian.Uint64(found[at:])) }
	newest.physicalAt, newest.logicsAt, newest.indexAt = word(0), word(8), word(16)
	return newest
}

// mixed reports whether bytes are what is left of writing new ones over old ones, wholly, in part or not at all.
func mixed(found, now, before javaWords) bool {
	n := 0
	for n < len(found) && found[n] == now[n] {
		n++
	}
	return string(found[n:]) == string(before[n:])
}

// readCheckpoint returns a zero state if there is no file.
func readCheckpoint(disk env.Disk) (checkpointState, error) {
	p, err := checkpointBytes(disk)
	return decodeCheckpoint(p), err
}

// checkpointBytes reads the part of the file that is used; nothing if there is no file.
func checkpointBytes(disk env.Disk) ([]byte, error) {
	f, err := disk.Open(checkpointPath)
	if errors.Is(err, env.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p := make([]byte, usedBytes)
	n, err := f.ReadAt(p, 0)
	return p[:n], errors.Join(err, f.Close())
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
	if s.settled() == s.saved && s.readFrom == s.saved && s.keys.mark == s.marked {
		return nil
	}
	return s.moveCheckpoint("")
}

// moveCheckpoint is checkpoint without asking whether there is anything new. The entries of a topic that leaves, unless it is "", are not counted.
func (s *Store) moveCheckpoint(leaving string) error {
	if s.queuesFailed != nil {
		return s.queuesFailed
	}
	// Flushed records have entries; unflushed ones may be gone after a crash. All of this is of one moment.
	target := s.settled()
	state := checkpointState{physicalAt: s.flushedAt, logicsAt: s.flushedAt, saved: target, leaving: leavingMark(leaving), own: true}
	state.entries = s.entriesBefore(target, state)
	state.mark, state.indexAt, state.durable = s.keys.mark, s.keys.completeAt(), s.flushed
	if err := s.writeQueues(); err != nil {
		return err
	}
	if err := s.syncQueues(); err != nil {
		return err
	}
	// Now that all files are there: a queue may begin with one that is not its first.
	state.removed = s.removedEntries(state)
	if err := s.putCheckpoint(state); err != nil {
		return err
	}
	s.saved, s.readFrom, s.marked = target, target, state.mark
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
	return s.putCheckpoint(state)
}

// putCheckpoint writes a state and remembers it. The sequence goes on even if that fails: what a failed write has left must not
// look newer than the next one.
func (s *Store) putCheckpoint(state checkpointState) error {
	if s.wordsInDoubt && s.checkpointed.own {
		// They must go with the slot that stays while the other one is written.
		if err := s.checkpointed.rewrite(s.env.Disk); err != nil {
			return err
		}
	}
	state.sequence, s.wordsInDoubt = s.sequence, true
	err := writeCheckpoint(s.env.Disk, &state)
	if err != nil {
		// The next one goes into the same slot: the other one has the last state that is durable.
		s.sequence = state.sequence + 1
		return err
	}
	state.with = state.javaWords()
	s.checkpointed, s.sequence, s.wordsInDoubt = state, state.sequence, false
	return nil
}

// entriesBefore counts the entries of records that end at or before limit, over all queues that a state counts, from number 0 on.
func (s *Store) entriesBefore(limit message.LogOffset, state checkpointState) int64 {
	sum := int64(0)
	for _, q := range s.order {
		if !state.leaves(q.key) {
			sum += int64(q.endBefore(limit))
		}
	}
	return sum
}

// removedEntries counts the entries in front of the first files of all queues that a state counts.
func (s *Store) removedEntries(state checkpointState) int64 {
	sum := int64(0)
	for _, q := range s.order {
		if !q.row.Empty() && !state.leaves(q.key) {
			start, _ := q.rowRange()
			sum += int64(start)
		}
	}
	return sum
}

// noteRemoved says in the checkpoint that files of queues go: who finds more missing than it says knows that it was somebody else.
func (s *Store) noteRemoved(more int64) error {
	state := s.checkpointed
	if !state.own || more == 0 {
		return nil
	}
	state.removed = s.removedEntries(state) + more
	return s.putCheckpoint(state)
}

// syncQueues syncs the files of all queues that have new entries. After a failure the entries are in doubt
// for ever: the log still has everything, so the checkpoint just stays.
func (s *Store) syncQueues() error {
	for _, q := range s.order[:len(s.order):len(s.order)] {
		saved := q.saved
		if q.synced >= saved {
			continue
		}
		if err := q.row.Sync(q.byteOf(q.synced), q.byteOf(saved)); err != nil {
			s.queuesFailed = fmt.Errorf("queue %s could not be synced; the next start will read the log from %v: %w", q.key, s.saved, err)
			return s.queuesFailed
		}
		q.synced = max(q.synced, saved)
	}
	return nil
}

// writeCheckpoint writes a state with the next sequence, durably.
func writeCheckpoint(disk env.Disk, state *checkpointState) error {
	state.sequence++
	f, err := openCheckpoint(disk)
	if err != nil {
		return err
	}
	return errors.Join(state.write(f), f.Close())
}

// write makes the slot durable, and then the words of Java that go with it. One at a time: a crash may leave the later of two writes
// and not the earlier, and words that go with no slot would look like those of a Java broker.
func (c checkpointState) write(f env.File) error {
	slot, at := c.slot()
	if err := f.WriteAt(slot, at); err != nil {
		return err
	}
	if err := f.Sync(0, checkpointSize); err != nil {
		return err
	}
	var old javaWords
	words := c.javaWords()
	if _, err := f.ReadAt(old[:], 0); err != nil || old == words {
		return err
	}
	return syncWords(f, words)
}

// rewrite makes a state durable that was read, or written before: a crash or a failed sync may have left it in the cache only, and others on the
// medium. First the slot, as in write.
func (c checkpointState) rewrite(disk env.Disk) error {
	f, err := openCheckpoint(disk)
	if err != nil {
		return err
	}
	slot, at := c.slotWith(c.with)
	if err = f.WriteAt(slot, at); err == nil {
		err = f.Sync(0, checkpointSize)
	}
	if err == nil {
		err = syncWords(f, c.with)
	}
	return errors.Join(err, f.Close())
}

func syncWords(f env.File, words javaWords) error {
	if err := f.WriteAt(words[:], 0); err != nil {
		return err
	}
	return f.Sync(0, checkpointSize)
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
