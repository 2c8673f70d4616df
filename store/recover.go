package store

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
	"go.uber.org/zap"
)

// recover brings the files into a state that can be built on. Afterwards everything in the log is verified from the
// checkpoint on, flushed, and in its queue; everything behind it is zero.
func (s *Store) recover() error {
	clean, err := closedCleanly(s.env.Disk)
	if err != nil {
		return err
	}
	if s.log, err = segment.Open(s.env.Disk, logDir, s.options.LogSegmentSize, !clean); err != nil {
		return err
	}
	state, err := readCheckpoint(s.env.Disk)
	if err != nil {
		return err
	}
	from, err := s.scanFrom(state)
	if err != nil {
		return err
	}
	end, err := s.rebuild(from)
	if errors.Is(err, errContradiction) {
		s.env.Log.Warn("a queue does not fit the log: all queues are built again from the log", zap.Error(err))
		end, err = s.rebuildAll()
	}
	if err != nil {
		return err
	}
	return s.settle(from, end, clean)
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
	case state.own && state.saved >= start && state.saved <= end:
		return state.saved, nil
	case state.own && state.saved > end:
		return 0, fmt.Errorf("the commit log ends at %d, but the checkpoint says that it was flushed up to %d: files are missing from %s/", end, state.saved, logDir)
	case state.own:
		return start, nil
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

// rebuild loads the queues as they were at from, and replays the log from there. It returns where the
// log ends.
func (s *Store) rebuild(from message.LogOffset) (message.LogOffset, error) {
	if err := s.loadQueues(from); err != nil {
		return 0, err
	}
	scanner := newLogScanner(s.log, from)
	replayed := map[*queueLog]bool{}
	for {
		ok, err := scanner.next()
		if err != nil {
			return 0, err
		}
		if !ok {
			break
		}
		s.options.Progress(int64(scanner.at-from), s.log.End()-int64(from))
		if err := s.replay(&scanner.record, scanner.at, replayed); err != nil {
			return 0, err
		}
	}
	if scanner.problem != nil {
		s.env.Log.Warn("the log ends at a record in doubt", zap.Error(scanner.problem))
	}
	return scanner.at, nil
}

// rebuildAll forgets the queue files and builds them from the whole log.
func (s *Store) rebuildAll() (message.LogOffset, error) {
	for _, q := range s.order {
		if err := q.row.RemoveAll(); err != nil {
			return 0, err
		}
	}
	clear(s.queues)
	s.order, s.dirty = nil, nil
	return s.rebuild(message.LogOffset(s.log.Start()))
}

// replay puts a record into its queue. The log is the truth: the first replayed record of a queue decides
// where its entries are built again.
func (s *Store) replay(r *message.Record, end message.LogOffset, replayed map[*queueLog]bool) error {
	s.lastStoredAt, s.shownAt = r.StoredAt, r.StoredAt
	if !hasEntry(r) {
		return nil
	}
	q := s.queueFor(QueueKey{string(r.Topic), r.QueueID})
	at := r.QueueOffset
	if !replayed[q] {
		replayed[q] = true
		switch {
		case q.max == 0 && q.row.Empty():
			q.begin(at)
		case at < q.max:
			q.cut(at)
		}
	}
	if at != q.max {
		return fmt.Errorf("%w: %s ends at %d, %v is message %d", errContradiction, q.key, q.max, r.LogOffset, at)
	}
	if q.add(entry{log: r.LogOffset, size: int32(end - r.LogOffset), tagHash: tagHash(r.Properties)}, at) {
		s.dirty = append(s.dirty, q)
	}
	return nil
}

// hasEntry reports whether a record stands in its queue: half messages and rollbacks do not.
func hasEntry(r *message.Record) bool {
	t := r.SysFlags.Transaction()
	return t != message.TransactionPrepared && t != message.TransactionRolledBack
}

// begin makes an empty queue start at a number: the messages before it are gone with their log files.
func (q *queueLog) begin(at message.QueueOffset) {
	q.min, q.max, q.next, q.tailStart, q.saved, q.synced = at, at, at, at, at, at
	q.tail = nil
}

// cut forgets the entries from a number on. What the file says there is overwritten.
func (q *queueLog) cut(at message.QueueOffset) {
	q.max, q.next, q.tailStart, q.saved = at, at, at, at
	q.min = min(q.min, at)
	q.synced = min(q.synced, at)
	q.tail = nil
}

// settle makes what was found the ground to build on.
func (s *Store) settle(from, end message.LogOffset, clean bool) error {
	if !clean {
		if err := s.secure(from, end); err != nil {
			return err
		}
		s.env.Log.Info("recovered after a crash", zap.Int64("from", int64(from)), zap.Int64("end", int64(end)), zap.Int("queues", len(s.order)))
	}
	s.appended, s.written, s.flushed = end, end, end
	if clean {
		return s.markRunning()
	}
	return nil
}

// secure makes durable what was found. Records may be in the system's cache only, and if a sync failed before the crash the
// system may believe that they are on the medium: so they are written again before they are synced. Stale bytes
// behind them are erased. The names of files that were made since the checkpoint may not be durable either.
func (s *Store) secure(from, end message.LogOffset) error {
	for at := int64(from); at < int64(end); {
		n := min(int64(end)-at, s.log.FileStart(at)+s.log.SegmentSize()-at, scanChunk)
		if err := s.log.Rewrite(at, int(n)); err != nil {
			return err
		}
		at += n
	}
	if err := s.log.Sync(int64(from), int64(end)); err != nil {
		return err
	}
	if err := s.log.Cut(int64(end)); err != nil {
		return err
	}
	for _, q := range s.order {
		if !q.row.Empty() && q.row.End()-q.row.SegmentSize() >= int64(q.synced)*entrySize {
			if err := q.row.SyncNames(); err != nil {
				return err
			}
		}
	}
	return nil
}

// markRunning makes the crash marker, durably, before the first append.
func (s *Store) markRunning() error {
	f, err := s.env.Disk.Create(crashMarker)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), s.env.Disk.SyncDir("."))
}

// listQueues lists the queues that have a directory: consumequeue/<topic>/<id>. Other names are not ours.
func listQueues(disk env.Disk) ([]QueueKey, error) {
	topics, err := disk.List(queueDir)
	if err != nil {
		return nil, err
	}
	var keys []QueueKey
	for _, topic := range topics {
		if !topic.IsDir {
			continue
		}
		entries, err := disk.List(queueDir + "/" + topic.Name)
		if err != nil {
			return nil, err
		}
		of := len(keys)
		for _, e := range entries {
			id, err := strconv.ParseInt(e.Name, 10, 32)
			if err == nil && e.IsDir && id >= 0 && strconv.FormatInt(id, 10) == e.Name {
				keys = append(keys, QueueKey{topic.Name, int32(id)})
			}
		}
		slices.SortFunc(keys[of:], func(a, b QueueKey) int { return int(a.ID - b.ID) })
	}
	return keys, nil
}

// loadQueues opens the files of all queues and keeps the entries of records that end at or before limit.
func (s *Store) loadQueues(limit message.LogOffset) error {
	keys, err := listQueues(s.env.Disk)
	if err != nil {
		return err
	}
	for _, key := range keys {
		row, err := segment.Open(s.env.Disk, queuePath(key), s.options.QueueSegmentEntries*entrySize, true)
		if err != nil {
			return err
		}
		q := newQueueLog(key, row)
		s.addQueue(q)
		if err := s.loadQueue(q, limit); err != nil {
			return fmt.Errorf("queue %s: %w", key, err)
		}
	}
	return nil
}

// loadQueue finds the queue's bounds. Entries below the checkpoint were synced, so they are there in one
// run; what follows may be torn, which is why the last one is compared with its record.
func (s *Store) loadQueue(q *queueLog, limit message.LogOffset) error {
	if q.row.Empty() {
		return nil
	}
	first := message.QueueOffset(q.row.Start() / entrySize)
	last := message.QueueOffset(q.row.End() / entrySize)
	max, err := q.search(first, last, func(e entry) bool {
		return e.size == fillerSize || (e.size > 0 && e.end() <= limit)
	})
	if err != nil {
		return err
	}
	min, err := q.search(first, max, func(e entry) bool { return e.size == fillerSize || int64(e.log) < s.log.Start() })
	if err != nil {
		return err
	}
	for max > min {
		ok, err := s.entryFits(q, max-1)
		if err != nil {
			return err
		}
		if ok {
			break
		}
		max--
	}
	q.begin(max)
	q.min = min
	return nil
}

// search returns the first number in [from, to) whose entry does not match, if matching ones
// come first.
func (q *queueLog) search(from, to message.QueueOffset, match func(entry) bool) (message.QueueOffset, error) {
	var p [entrySize]byte
	for from < to {
		middle := from + (to-from)/2
		if err := q.row.ReadAt(p[:], int64(middle)*entrySize); err != nil {
			return 0, err
		}
		if match(decodeEntry(p[:])) {
			from = middle + 1
		} else {
			to = middle
		}
	}
	return from, nil
}

// entryFits compares an entry with the record it points to.
func (s *Store) entryFits(q *queueLog, number message.QueueOffset) (bool, error) {
	var p [entrySize]byte
	if err := q.row.ReadAt(p[:], int64(number)*entrySize); err != nil {
		return false, err
	}
	e := decodeEntry(p[:])
	if int64(e.size) > s.log.SegmentSize() || !s.log.Has(int64(e.log)) || s.log.FileStart(int64(e.log)) != s.log.FileStart(int64(e.end())-1) {
		return false, nil
	}
	raw := make([]byte, e.size)
	if err := s.log.ReadAt(raw, int64(e.log)); err != nil {
		return false, err
	}
	var r message.Record
	size, err := message.DecodeRecord(raw, &r, false)
	return err == nil && size == len(raw) && r.LogOffset == e.log && r.QueueOffset == number &&
		r.QueueID == q.key.ID && string(r.Topic) == q.key.Topic, nil
}
