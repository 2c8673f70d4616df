package store

import (
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
	"go.uber.org/zap"
)

// replay reads the log and builds the queues from it.
type replay struct {
	store   *Store
	state   checkpointState
	clean   bool
	from    message.LogOffset // the log is read from here on
	before  int64             // queue entries of records before it; -1 while that is not known
	at      message.LogOffset // and up to here
	secured message.LogOffset // and durable up to here
	shown   message.LogOffset // records that end behind it are not confirmed
	shownTo message.LogOffset // the end of the last record that is
	whole   bool              // the log is read from its first record on
	rebuild bool              // and the queues' files are not believed
	fresh   int               // entries that were replayed and are not in their files
	begun   map[*queueLog]bool
	last    map[*queueLog]message.LogOffset // of the newest replayed record
	gaps    gap
	passed  int64 // bytes of the log that were read before this pass
}

// run loads the queues as they were at from, and replays the log from there.
func (r *replay) run(from message.LogOffset) error {
	s := r.store
	r.at, r.shownTo, r.begun, r.whole, r.before = from, from, map[*queueLog]bool{}, int64(from) == s.log.Start(), -1
	r.last, r.gaps, s.gaps = map[*queueLog]message.LogOffset{}, gap{}, gap{}
	if err := s.loadQueues(from, r.rebuild); err != nil {
		return err
	}
	r.from, r.before = from, s.entriesBefore(from, r.state)
	if r.state == (checkpointState{}) && !r.rebuild && !r.clean && !s.log.Empty() {
		// Nothing vouches for the entries in front of the first message: the log has no more what they were.
		return fmt.Errorf("%w: there is no checkpoint", errContradiction)
	}
	if removed := s.removedEntries(r.state); r.state.own && !r.rebuild && r.state.entries != entriesUnknown && removed > r.state.removed {
		return fmt.Errorf("%w: the first files of queues are missing: %d entries in front of them were removed, by the checkpoint, and %d are", errContradiction, r.state.removed, removed)
	}
	if r.state.own && r.before < r.state.entries {
		return fmt.Errorf("%w: %s", errContradiction, missingEntries(r.state.entries, r.before))
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
		s.options.Progress(r.passed+int64(r.at-from), r.passed+s.log.End()-int64(from))
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
		return s.endsEarly(scanner, durable)
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
	if r.clean && !r.state.own {
		return r.store.knownEnd()
	}
	return r.durableAfterCrash()
}

// knownEnd is the end of the last record that any queue knows: after an orderly end of a Java broker, which keeps no better
// note of it, the log goes that far.
func (s *Store) knownEnd() (message.LogOffset, error) {
	end := message.LogOffset(0)
	for _, q := range s.order {
		if q.row.Empty() {
			continue
		}
		known, err := q.knownEnd(s.log)
		if err != nil {
			return 0, err
		}
		end = max(end, known)
	}
	return end, nil
}

// missingFilesMax is how many files of the log may be missing at its end for a queue to tell of them.
const missingFilesMax = 1000

// knownEnd is the end of the last record that the queue's files know. An entry that no record of the log could have is damaged and
// tells nothing: a record lies in one file, and not far behind the others. Nor does one in whose place the log has had another record.
func (q *queueLog) knownEnd(log *segment.Row) (message.LogOffset, error) {
	first, last := q.rowRange()
	n, err := q.search(first, last, func(e entry) bool { return e.possible() || e.filler() })
	if err != nil || n == first || n <= q.end {
		return 0, err
	}
	e, err := q.fileEntry(n - 1)
	oneFile := log.FileStart(int64(e.log)) == log.FileStart(int64(e.end())-1)
	if err != nil || e.size == fillerSize || !oneFile || int64(e.end()) > log.End()+missingFilesMax*log.SegmentSize() {
		return 0, err
	}
	return e.end(), nil
}

// runAll builds the queues from the whole log. Only entries of messages that the log has no more are kept: without them a
// queue would count from 0 again. The checkpoint goes back first: a crash must not leave one that speaks of entries that are gone.
func (r *replay) runAll() error {
	s := r.store
	durable, err := r.durable()
	if err != nil {
		return err
	}
	if err := r.verifyLog(durable); err != nil {
		return err
	}
	// Without words of ours nothing is known to be durable; still, no start has to read what was cleaned away.
	durable = max(durable, s.Start())
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
	s.arrivals = fifo[arrival]{}
	if err := r.run(s.Start()); err != nil {
		return err
	}
	// Those without a record in the log keep entries of messages that are gone, and nothing may stand behind them.
	for _, q := range s.order {
		if !r.begun[q] && !q.row.Empty() && q.row.Has(q.byteOf(q.end)) {
			if err := q.row.Cut(q.byteOf(q.end)); err != nil {
				return fmt.Errorf("queue %s: %w", q.key, err)
			}
		}
	}
	return nil
}

// verifyLog reads all of the log before any file of a queue goes. If the log is damaged, those files alone tell a repair which messages
// are lost.
func (r *replay) verifyLog(durable message.LogOffset) error {
	s := r.store
	scanner := newLogScanner(s.log, s.Start())
	for {
		ok, err := scanner.next()
		if err != nil {
			return err
		}
		if !ok && scanner.at < durable {
			return s.endsEarly(scanner, durable)
		}
		if !ok {
			return nil
		}
		r.passed = int64(scanner.at - s.Start())
		s.options.Progress(r.passed, 2*(s.log.End()-s.log.Start()))
	}
}

// record puts a record into its queue. The log is the truth: the first replayed record of a queue decides
// where its entries are built again.
func (r *replay) record(record *message.Record) error {
	s := r.store
	if r.at > r.shown {
		return r.hidden(record)
	}
	r.shownTo = r.at
	s.lastStoredAt, s.shownAt, s.flushedAt = record.StoredAt, record.StoredAt, record.StoredAt
	if isBridge(record) {
		r.gaps.note(record)
		s.gaps.note(record)
		return r.lost(record)
	}
	if !hasEntry(record) || s.isDropped(record) {
		return nil
	}
	key := QueueKey{string(record.Topic), record.QueueID}
	if reason := key.cannotHold(record.QueueOffset); reason != "" {
		return fmt.Errorf("%v: %s", record.LogOffset, reason)
	}
	q := s.queueFor(key)
	if err := r.begin(q, record.QueueOffset, record.LogOffset); err != nil {
		return err
	}
	r.fill(q, record)
	if record.QueueOffset != q.max {
		return fmt.Errorf("%w: %s ends at %d, %v is message %d", errContradiction, key, q.max, record.LogOffset, record.QueueOffset)
	}
	r.add(q, q.layout.entryOf(record, r.at, s.options.entryTag(record, record.StoredAt)))
	if r.fresh++; r.fresh >= s.options.ReplayMax {
		r.fresh = 0
		return r.save()
	}
	return nil
}

// hidden takes a record that is not confirmed. If its queue has shown no message of the log, and is built again, it begins with this one.
func (r *replay) hidden(record *message.Record) error {
	s := r.store
	if r.rebuild && hasEntry(record) && !isBridge(record) && !s.isDropped(record) {
		q := s.queueFor(QueueKey{string(record.Topic), record.QueueID})
		_, bridged := s.gaps.over(q.layout, 0, record.LogOffset, int64(record.QueueOffset-q.next))
		if !r.begun[q] && !bridged {
			if err := r.begin(q, record.QueueOffset, record.LogOffset); err != nil {
				return err
			}
		}
		r.begun[q] = true
	}
	err := s.take(record, r.at)
	if errors.Is(err, ErrForeignLog) || errors.Is(err, ErrTopicAnew) {
		err = fmt.Errorf("%w: %w", errContradiction, err)
	}
	return err
}

func (r *replay) add(q *queueLog, e entry) {
	r.last[q] = e.log
	if q.add(e) {
		r.store.dirty = append(r.store.dirty, q)
	}
}

// fill puts fillers in the places of messages that stood where a bridge is now.
func (r *replay) fill(q *queueLog, record *message.Record) {
	missing := int64(record.QueueOffset - q.max)
	bridge, ok := r.gaps.over(q.layout, r.last[q], record.LogOffset, missing)
	if ok && q.layout.batch {
		// Its entries have numbers, so nothing need stand for those that are missing.
		q.max, q.next = record.QueueOffset, record.QueueOffset
	}
	for ok && q.max < record.QueueOffset {
		r.addFiller(q, bridge.filler(q.max))
	}
}

// begin prepares a queue for a record that is replayed.
func (r *replay) begin(q *queueLog, at message.QueueOffset, log message.LogOffset) error {
	first := !r.begun[q]
	r.begun[q] = true
	switch {
	case first && r.whole && q.max == 0 && r.lostFirst(q, at, log):
		q.begin(0)
		return q.row.RemoveAll()
	case first && r.rebuild && at == q.max:
		return q.row.Cut(q.byteOf(q.end))
	case first && r.rebuild:
		q.begin(at)
		return q.row.RemoveAll()
	case first && r.whole && q.max == 0 && q.row.Empty():
		q.begin(at)
	case first && at < q.max:
		return q.cut(at)
	case r.whole && at == 0 && q.max > 0:
		// The topic was removed and made again.
		q.begin(0)
		return q.row.RemoveAll()
	case r.whole && at < q.max && r.gaps.between(r.last[q], log):
		// So was this one, and what it began with is lost.
		q.begin(at)
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
func (q *queueLog) begin(number message.QueueOffset) { q.beginAt(q.layout.start(number), number) }

// beginAt makes an empty queue whose next entry, of the message with a number, goes to a position.
func (q *queueLog) beginAt(at position, number message.QueueOffset) {
	q.min, q.max, q.next = number, number, number
	q.first, q.end, q.tailStart, q.saved, q.synced = at, at, at, at, at
	q.tail, q.minLog = nil, unknownLog
}

// cut forgets the entries from the one of a message on. What the files say there is overwritten. If the files do not reach back to
// it, while the log still has the messages, all of them go.
func (q *queueLog) cut(number message.QueueOffset) error {
	start, _ := q.rowRange()
	at, err := q.search(start, q.end, func(e entry) bool { return e.number < number })
	if err != nil {
		return err
	}
	if at == start && q.layout.start(number) != start {
		q.begin(number)
		return q.row.RemoveAll()
	}
	e, err := q.fileEntry(at)
	if err != nil {
		return err
	}
	if e.number != number {
		return fmt.Errorf("%w: %s: message %d begins a record and stands in the entry %v", errContradiction, q.key, number, e)
	}
	q.max, q.next, q.end, q.tailStart, q.saved, q.tail = number, number, at, at, at, nil
	q.min, q.first, q.synced = min(q.min, number), min(q.first, at), min(q.synced, at)
	return nil
}
