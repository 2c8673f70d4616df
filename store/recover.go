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
	if len(s.dropped) > 0 && !clean {
		// A crash may have come before the name was durable. What it says must not be acted on before it is.
		if err := s.env.Disk.SyncDir("."); err != nil {
			return err
		}
	}
	from, err := s.scanFrom(state)
	if err != nil {
		return err
	}
	s.checkpointed = state
	s.saved, s.shownAt = state.saved, min(state.physicalAt, state.logicsAt)
	s.flushedAt = s.shownAt
	r := &replay{store: s, state: state, secured: max(from, state.saved), clean: clean}
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
	state.saved, state.entries, state.mark, state.durable, state.own = r.from, r.before, s.keys.mark, s.flushed, true
	if err := s.putCheckpoint(state); err != nil {
		return err
	}
	s.saved, s.marked = state.saved, state.mark
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
		return 0, fmt.Errorf("the commit log ends at %d, but the checkpoint says that it was flushed up to %d: files are missing from %s/", end, state.durable, logDir)
	case state.own && state.saved >= start:
		return state.saved, nil
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

// replay reads the log and builds the queues from it.
type replay struct {
	store   *Store
	state   checkpointState
	clean   bool
	from    message.LogOffset // the log is read from here on
	before  int64             // queue entries of records before it
	at      message.LogOffset // and up to here
	secured message.LogOffset // and durable up to here
	whole   bool              // the log is read from its first record on
	rebuild bool              // and the queues' files are not believed
	fresh   int               // entries that were replayed and are not in their files
	begun   map[*queueLog]bool
	last    map[*queueLog]message.LogOffset // of the newest replayed record
	gaps    gap
}

// run loads the queues as they were at from, and replays the log from there.
func (r *replay) run(from message.LogOffset) error {
	s := r.store
	r.at, r.begun, r.whole = from, map[*queueLog]bool{}, int64(from) == s.log.Start()
	r.last, r.gaps = map[*queueLog]message.LogOffset{}, gap{}
	if err := s.loadQueues(from, r.rebuild); err != nil {
		return err
	}
	r.from, r.before = from, s.entriesBefore(from, nil)
	if r.state.own && r.before < r.state.entries {
		return fmt.Errorf("%w: the checkpoint counts %d queue entries, there are %d", errContradiction, r.state.entries, r.before)
	}
	scanner := newLogScanner(s.log, from)
	for {
		ok, err := scanner.next()
		r.at = scanner.at
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		s.options.Progress(int64(r.at-from), s.log.End()-int64(from))
		if err := r.record(&scanner.record); err != nil {
			return err
		}
	}
	return r.endAt(scanner)
}

// endAt decides whether the log may end where no valid record follows. What was durable does not end in a crash:
// then it is damage, and an operator decides.
func (r *replay) endAt(scanner *logScanner) error {
	s := r.store
	durable, err := r.durable()
	if err != nil {
		return err
	}
	if scanner.at < durable {
		to, err := nextValid(s.log, scanner.at)
		if err != nil {
			return err
		}
		return &DamageError{From: scanner.at, To: min(to, durable), Reason: orUnwritten(scanner.problem)}
	}
	if scanner.problem == nil {
		return nil
	}
	first, last, err := nonZero(s.log, int64(scanner.at), s.log.End())
	if err == nil && first < last {
		s.env.Log.Warn("the log ends at a record in doubt: what stands behind was not durable and is cut off",
			zap.Error(scanner.problem), zap.Int64("from", int64(scanner.at)), zap.Int64("to", last))
	}
	return err
}

// durable is how far the log is known to be whole.
func (r *replay) durable() (message.LogOffset, error) {
	if r.state.own || !r.clean {
		return r.state.durable, nil
	}
	return r.store.knownEnd()
}

// knownEnd is the end of the last record that any queue knows: after an orderly end of a Java broker, which keeps no better
// note of it, the log goes that far.
func (s *Store) knownEnd() (message.LogOffset, error) {
	end := message.LogOffset(0)
	for _, q := range s.order {
		if q.row.Empty() {
			continue
		}
		first, last := message.QueueOffset(q.row.Start()/entrySize), message.QueueOffset(q.row.End()/entrySize)
		n, err := q.search(first, last, func(e entry) bool { return e.possible() || e.size == fillerSize })
		if err != nil {
			return 0, err
		}
		if n == first {
			continue
		}
		e, err := q.fileEntry(n - 1)
		if err != nil {
			return 0, err
		}
		if e.possible() {
			end = max(end, e.end())
		}
	}
	return end, nil
}

// runAll builds the queues from the whole log. Only entries of messages that the log has no more are kept: without them a
// queue would count from 0 again. The checkpoint goes back first: a crash must not leave one that speaks of entries that are gone.
func (r *replay) runAll() error {
	s := r.store
	durable, err := r.durable()
	if err != nil {
		return err
	}
	r.state.saved, r.state.durable, r.state.entries, r.state.own = durable, durable, entriesUnknown, true
	if err := s.putCheckpoint(r.state); err != nil {
		return err
	}
	r.state.entries, r.rebuild = 0, true
	for _, q := range s.order {
		if err := q.row.Close(); err != nil {
			return err
		}
	}
	clear(s.queues)
	s.order, s.dirty, s.saved = nil, nil, -1
	return r.run(s.Start())
}

// record puts a record into its queue. The log is the truth: the first replayed record of a queue decides
// where its entries are built again.
func (r *replay) record(record *message.Record) error {
	s := r.store
	s.lastStoredAt, s.shownAt, s.flushedAt = record.StoredAt, record.StoredAt, record.StoredAt
	if isBridge(record) {
		r.gaps.note(record)
	}
	if !hasEntry(record) || s.isDropped(record) {
		return nil
	}
	key := QueueKey{string(record.Topic), record.QueueID}
	if reason := key.cannotHold(record.QueueOffset); reason != "" {
		return fmt.Errorf("%v: %s", record.LogOffset, reason)
	}
	q := s.queueFor(key)
	if err := r.begin(q, record.QueueOffset); err != nil {
		return err
	}
	r.fill(q, record)
	if record.QueueOffset != q.max {
		return fmt.Errorf("%w: %s ends at %d, %v is message %d", errContradiction, key, q.max, record.LogOffset, record.QueueOffset)
	}
	r.add(q, entry{log: record.LogOffset, size: int32(r.at - record.LogOffset), tagHash: s.options.entryTag(record, record.StoredAt)})
	if r.fresh++; r.fresh >= s.options.ReplayMax {
		r.fresh = 0
		return r.save()
	}
	return nil
}

func (r *replay) add(q *queueLog, e entry) {
	r.last[q] = e.log
	if q.add(e, q.max) {
		r.store.dirty = append(r.store.dirty, q)
	}
}

// fill puts fillers in the places of messages that stood where a bridge is now.
func (r *replay) fill(q *queueLog, record *message.Record) {
	missing := int64(record.QueueOffset - q.max)
	bridge, ok := r.gaps.over(r.last[q], record.LogOffset, missing)
	for ok && q.max < record.QueueOffset {
		r.add(q, entry{log: bridge, size: fillerSize})
		r.fresh++
	}
}

// begin prepares a queue for a record that is replayed.
func (r *replay) begin(q *queueLog, at message.QueueOffset) error {
	first := !r.begun[q]
	r.begun[q] = true
	switch {
	case first && r.rebuild && at == q.max:
		return q.row.Cut(int64(at) * entrySize)
	case first && r.rebuild:
		q.begin(at)
		return q.row.RemoveAll()
	case first && r.whole && q.max == 0 && q.row.Empty():
		q.begin(at)
	case first && int64(at)*entrySize < q.row.Start():
		// Its first files are gone, and the log still has their messages.
		q.begin(at)
		return q.row.RemoveAll()
	case first && at < q.max:
		q.cut(at)
	case r.whole && at == 0 && q.max > 0:
		// The topic was removed and made again.
		q.begin(0)
		return q.row.RemoveAll()
	}
	return nil
}

// save writes replayed entries to their files, after their records are durable.
func (r *replay) save() error {
	if err := r.secure(); err != nil {
		return err
	}
	r.store.flushed = r.at
	return r.store.writeQueues()
}

// secure makes durable what was read, if there was a crash. Records may be in the system's cache only, and if a sync failed before
// the crash the system may believe that they are on the medium: so they are written again before they are synced.
func (r *replay) secure() error {
	if r.clean || r.secured >= r.at {
		return nil
	}
	s := r.store
	for at := int64(r.secured); at < int64(r.at); {
		n := min(int64(r.at)-at, s.log.FileStart(at)+s.log.SegmentSize()-at, scanChunk)
		if err := s.log.Rewrite(at, int(n)); err != nil {
			return err
		}
		at += n
	}
	if err := s.log.Sync(int64(r.secured), int64(r.at)); err != nil {
		return err
	}
	r.secured = r.at
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
	q.tail, q.minLog = nil, unknownLog
}

// cut forgets the entries from a number on. What the file says there is overwritten.
func (q *queueLog) cut(at message.QueueOffset) {
	q.max, q.next, q.tailStart, q.saved = at, at, at, at
	q.min = min(q.min, at)
	q.synced = min(q.synced, at)
	q.tail = nil
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
		if err := q.eraseBehind(); err != nil {
			return fmt.Errorf("queue %s: %w", q.key, err)
		}
	}
	end := r.at
	s.appended, s.written, s.flushed = end, end, end
	if !r.clean {
		s.env.Log.Info("recovered after a crash", zap.Int64("end", int64(end)), zap.Int("queues", len(s.order)))
	}
	return nil
}

// eraseBehind erases what the files say behind the last entry, if there is anything: of records that the log has
// lost although they were durable. A Java broker would take it for messages.
func (q *queueLog) eraseBehind() error {
	offset := int64(q.max) * entrySize
	if !q.row.Has(offset) {
		return nil
	}
	var p [entrySize]byte
	if err := q.row.ReadAt(p[:], offset); err != nil || p == [entrySize]byte{} {
		return err
	}
	return q.row.Cut(offset)
}

// markRunning makes the crash marker, durably, before anything is changed. One that a crash left may be
// in the cache only.
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
// A queue that is to be built again from its first message in the log may contradict itself: then nothing of it is kept.
func (s *Store) loadQueues(limit message.LogOffset, rebuild bool) error {
	keys, err := listQueues(s.env.Disk)
	if err != nil {
		return err
	}
	for _, key := range keys {
		row, err := segment.Open(s.queueFiles, queuePath(key), s.options.QueueSegmentEntries*entrySize, true)
		if err != nil {
			return err
		}
		q := newQueueLog(key, row)
		s.addQueue(q)
		err = s.loadQueue(q, limit)
		if rebuild && errors.Is(err, errContradiction) {
			q.begin(0)
			err = q.row.RemoveAll()
		}
		if err != nil {
			return fmt.Errorf("queue %s: %w", key, err)
		}
		if err := s.finishDrop(q); err != nil {
			return fmt.Errorf("queue %s of a removed topic: %w", key, err)
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
		return (e.filler() || e.possible()) && e.end() <= limit
	})
	if err != nil {
		return err
	}
	min, err := q.search(first, max, func(e entry) bool {
		return e.filler() && e.log == 0 || (e.filler() || e.possible()) && int64(e.log) < s.log.Start()
	})
	if err != nil {
		return err
	}
	if err := q.ordered(min, first, max, q.fileEntry); err != nil {
		return err
	}
	for max > min {
		ok, err := s.entryFits(q, max-1, limit)
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
	for from < to {
		middle := from + (to-from)/2
		e, err := q.fileEntry(middle)
		if err != nil {
			return 0, err
		}
		if match(e) {
			from = middle + 1
		} else {
			to = middle
		}
	}
	return from, nil
}

// ordered checks, where a search among [first, end) has ended, that the entries around lead on in the log. A damaged one leads a search to
// itself, and must not hide its neighbours.
func (q *queueLog) ordered(at, first, end message.QueueOffset, read func(message.QueueOffset) (entry, error)) error {
	before := entry{log: -1}
	for number := max(at-2, first); number < min(at+2, end); number++ {
		e, err := read(number)
		if err != nil {
			return err
		}
		if e.log < before.log || e.log == before.log && !e.filler() {
			return fmt.Errorf("%w: queue %s: message %d has the entry %v behind %v", errContradiction, q.key, number, e, before)
		}
		before = e
	}
	return nil
}

// fileEntry reads one entry of the queue's files.
func (q *queueLog) fileEntry(number message.QueueOffset) (entry, error) {
	var p [entrySize]byte
	err := q.row.ReadAt(p[:], int64(number)*entrySize)
	return decodeEntry(p[:]), err
}

// entryFits compares an entry with the record it points to, which must end at or before limit.
func (s *Store) entryFits(q *queueLog, number message.QueueOffset, limit message.LogOffset) (bool, error) {
	e, err := q.fileEntry(number)
	if err != nil {
		return false, err
	}
	if e.filler() {
		return e.end() <= limit, nil
	}
	if !e.possible() || e.end() > limit || !s.log.Has(int64(e.log)) || s.log.FileStart(int64(e.log)) != s.log.FileStart(int64(e.end())-1) {
		return false, nil
	}
	head := make([]byte, recordHead)
	if err := s.log.ReadAt(head, int64(e.log)); err != nil {
		return false, err
	}
	if !e.fits(head, number) {
		return false, nil
	}
	raw := make([]byte, e.size)
	if err := s.log.ReadAt(raw, int64(e.log)); err != nil {
		return false, err
	}
	var r message.Record
	_, err = message.DecodeRecord(raw, &r, false)
	return err == nil && r.QueueID == q.key.ID && string(r.Topic) == q.key.Topic, nil
}
