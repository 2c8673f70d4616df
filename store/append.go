package store

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
)

// Completion gets the outcome of an append. It runs with the baton and must not wait.
type Completion interface {
	Appended(result AppendResult)
}

// logBatch is a run of encoded records that waits to be written. Where the log rolls to a new
// file, a new piece begins.
type logBatch struct {
	bytes  []byte
	pieces []piece
}

// piece is the part of a batch that lies within one file of the log.
type piece struct {
	log message.LogOffset // of its first byte
	at  int               // where it begins in the batch; it ends where the next one begins
}

func (b *logBatch) empty() bool { return len(b.bytes) == 0 }

// part returns a piece's bytes.
func (b *logBatch) part(i int) []byte {
	end := len(b.bytes)
	if i+1 < len(b.pieces) {
		end = b.pieces[i+1].at
	}
	return b.bytes[b.pieces[i].at:end]
}

func (b *logBatch) reset() { b.bytes, b.pieces = b.bytes[:0], b.pieces[:0] }

// waitingAppend is an append whose outcome is not known yet.
type waitingAppend struct {
	end      message.LogOffset // of its last record
	done     Completion        // nil if it was answered, because it took too long
	late     Settler           // who is told the outcome all the same, or nil
	first    Place
	more     []Place     // of the second and further records
	since    env.Instant // when it came
	deadline env.Instant // env.Never if it is answered only when its outcome is known
}

// arrival is a record that has a place in its queue and is not visible yet.
type arrival struct {
	queue   *queueLog // nil: it belongs to none
	at      Place
	end     message.LogOffset
	count   int32 // messages in it
	tagHash int64
	stored  int64 // wall milliseconds
	jump    int64 // if it is not 0, this is no record: so many numbers of the queue are passed over
}

// Append gives the records, all of the queue that key names, their places and gathers them for the next write, which Kick
// carries out. done is called once: at once if they are refused, otherwise when they are as
// durable as the flush mode promises. All of them are in one file, so they stand or fall together
// at a crash only as far as the writes beneath do: each is a record of its own.
//
// The records' QueueOffset, LogOffset, StoredAt and checksums are set here, and the number of the first message of an inner batch (INNER_BASE).
// Append does not wait.
func (s *Store) Append(key QueueKey, records []message.Record, done Completion) {
	now := s.env.Clock.Now()
	s.append(key, records, done, now, now.Add(s.options.FlushTimeout))
}

// AppendUntilKnown is Append for records that the broker makes itself: however long the disk takes, done is called when
// the outcome is settled. AppendOK is stored, AppendFailed says that the store is fenced, and anything else that nothing was stored.
func (s *Store) AppendUntilKnown(key QueueKey, records []message.Record, done Completion) {
	s.append(key, records, done, s.env.Clock.Now(), env.Never)
}

func (s *Store) append(key QueueKey, records []message.Record, done Completion, now, deadline env.Instant) {
	if result, ok := s.admit(); !ok {
		done.Appended(result)
		return
	}
	size, result := s.measure(key, records)
	if result.Status != AppendOK {
		done.Appended(result)
		return
	}
	s.roll(size)
	queue := s.queueFor(key)
	w := waitingAppend{done: done, since: now, deadline: deadline}
	w.first = s.place(queue, &records[0])
	for i := 1; i < len(records); i++ {
		w.more = append(w.more, s.place(queue, &records[i]))
	}
	w.end = s.appended
	s.waiting.push(w)
}

// admit refuses what cannot be taken now.
func (s *Store) admit() (AppendResult, bool) {
	switch {
	case s.closing || s.givenUp:
		return AppendResult{Status: AppendUnavailable, Reason: "the store is closing"}, false
	case s.fence != nil:
		return AppendResult{Status: AppendUnavailable, Reason: s.fence.Error()}, false
	case s.options.Slave:
		return AppendResult{Status: AppendUnavailable, Reason: "this broker is a slave: send to the master of its group"}, false
	case s.full != nil && !s.batchEmptyAndIdle():
		return AppendResult{Status: AppendNoSpace, Reason: s.full.Error()}, false
	case s.clogged != nil:
		return s.busy(s.clogged.Error()), false
	case s.crowded != nil:
		return AppendResult{Status: AppendNoSpace, Reason: s.crowded.Error()}, false
	case s.writing && s.env.Clock.Now().Sub(s.writingSince) > s.options.BusyAfter:
		return s.busy(fmt.Sprintf("one write to the log takes longer than %v (osPageCacheBusyTimeOutMills)", s.options.BusyAfter)), false
	case s.unconfirmed() >= s.options.WaitingMax:
		return s.busy(fmt.Sprintf("more than %d bytes must not wait for the disk", s.options.WaitingMax)), false
	}
	return AppendResult{}, true
}

// busy refuses an append, and tells how much there is to do.
func (s *Store) busy(why string) AppendResult {
	return AppendResult{Status: AppendBusy, Reason: fmt.Sprintf("%s; now %v: send again later", why, s.Backlog())}
}

// Backlog is what waits for the disk.
type Backlog struct {
	Appends int           // whose outcome is not known; those that were answered because they took too long are among them
	Bytes   int           // of the log
	Oldest  time.Duration // how long the first of them has waited
}

// String tells all three.
func (b Backlog) String() string {
	return fmt.Sprintf("%d appends with %d bytes wait for the disk, the oldest for %s", b.Appends, b.Bytes, b.Oldest.Round(time.Millisecond))
}

// Backlog tells how much waits for the disk. Bytes is less than Options.WaitingMax and one append, with what it leaves unused at
// the end of a file.
func (s *Store) Backlog() Backlog {
	b := Backlog{Appends: s.waiting.len(), Bytes: s.unconfirmed()}
	if b.Appends > 0 {
		b.Oldest = s.env.Clock.Now().Sub(s.waiting.peek().since)
	}
	return b
}

// unconfirmed is how many bytes wait for the disk. Appends that timed out are among them: their memory is
// still in use.
func (s *Store) unconfirmed() int { return int(s.appended - s.Confirmed()) }

// batchEmptyAndIdle: with a full disk one append at a time is let through, to see whether space has returned.
func (s *Store) batchEmptyAndIdle() bool { return s.batch.empty() && !s.writing }

// measure checks all records before any of them gets a place.
func (s *Store) measure(key QueueKey, records []message.Record) (size int, result AppendResult) {
	if reason := key.illegal(); reason != "" || len(records) == 0 {
		return 0, AppendResult{Status: AppendIllegal, Reason: cmp.Or(reason, "there is no message to append")}
	}
	for i := range records {
		r := &records[i]
		if string(r.Topic) != key.Topic || r.QueueID != key.ID {
			// A restart sorts records into queues by what they say themselves.
			return 0, AppendResult{Status: AppendIllegal, Reason: fmt.Sprintf("the record says %s-%d and is sent to %s", r.Topic, r.QueueID, key)}
		}
		if !hasEntry(r) {
			return 0, AppendResult{Status: AppendIllegal, Reason: fmt.Sprintf("a record with the transaction type %v belongs to no queue", r.SysFlags.Transaction())}
		}
		if len(r.Body) > s.options.BodySizeMax {
			return 0, AppendResult{Status: AppendIllegal, Reason: fmt.Sprintf("the body has %d bytes, the limit (maxMessageSize) is %d", len(r.Body), s.options.BodySizeMax)}
		}
		if reason := s.batchProblem(r); reason != "" {
			return 0, AppendResult{Status: AppendIllegal, Reason: reason}
		}
		n, err := message.RecordSize(len(r.Body), len(r.Topic), len(r.Properties)+propertyRoom(r), r.SysFlags)
		switch {
		case errors.Is(err, message.ErrPropertiesLength):
			return 0, AppendResult{Status: AppendPropertiesTooLarge, Reason: err.Error()}
		case err != nil:
			return 0, AppendResult{Status: AppendIllegal, Reason: err.Error()}
		}
		// An IPv6 host adds 12 bytes, twice.
		size += n + 24
	}
	if int64(size)+message.EndOfFileSize > s.options.LogSegmentSize {
		return 0, AppendResult{Status: AppendIllegal, Reason: fmt.Sprintf("the batch takes %d bytes, a log file has %d: send smaller batches", size, s.options.LogSegmentSize)}
	}
	return size, AppendResult{}
}

// propertyRoom is what may be added to the properties: the whole-record checksum, and the number of an inner batch.
func propertyRoom(r *message.Record) int {
	room := checksumSize
	if n := len(r.Properties); n > 0 && r.Properties[n-1] != propertyEnd {
		room++
	}
	if r.SysFlags.InnerBatch() {
		room += innerBaseRoom
	}
	return room
}

// propertyEnd ends a property; senders may leave the last one out.
const propertyEnd = 0x02

// roll ends the current file with a marker if size bytes do not fit into it. The unused end of
// the file is not written: it is zero already.
func (s *Store) roll(size int) {
	left := s.options.LogSegmentSize - int64(s.appended)%s.options.LogSegmentSize
	if len(s.batch.pieces) == 0 {
		s.batch.pieces = append(s.batch.pieces, piece{log: s.appended})
	}
	if message.FitsFile(size, int(left)) {
		return
	}
	s.batch.bytes = message.AppendEndOfFile(s.batch.bytes, int32(left))
	s.appended += message.LogOffset(left)
	s.batch.pieces = append(s.batch.pieces, piece{log: s.appended, at: len(s.batch.bytes)})
}

// place encodes one record at the end of the batch.
func (s *Store) place(queue *queueLog, r *message.Record) Place {
	before := len(s.batch.bytes)
	s.lastStoredAt = int64(s.env.Clock.Wall())
	hash, count := s.options.entryTag(r, s.lastStoredAt), int32(1)
	if r.SysFlags.InnerBatch() {
		count, _ = innerCount(r)
	}
	s.batch.bytes = s.encode(r, queue.next)
	record := s.batch.bytes[before:]
	at := Place{Log: s.appended, Queue: queue.next}
	message.PatchRecord(record, at.Queue, at.Log, s.lastStoredAt)
	sealRecord(record)
	queue.next += message.QueueOffset(count)
	s.appended += message.LogOffset(len(record))
	s.arrivals.push(arrival{queue: queue, at: at, end: s.appended, count: count, tagHash: hash, stored: s.lastStoredAt})
	return at
}

// encode appends the record with room for its checksum. number is what it gets in its queue.
func (s *Store) encode(r *message.Record, number message.QueueOffset) []byte {
	buffer := s.propertyBuffer[:0]
	buffer = append(buffer, r.Properties...)
	if n := len(buffer); n > 0 && buffer[n-1] != propertyEnd {
		buffer = append(buffer, propertyEnd)
	}
	if r.SysFlags.InnerBatch() {
		buffer = appendInnerBase(buffer, number)
	}
	buffer = append(buffer, checksumSpace...)
	s.propertyBuffer = buffer
	plain := r.Properties
	r.Properties = buffer
	encoded, err := message.AppendRecord(s.batch.bytes, r)
	r.Properties = plain
	if err != nil {
		// measure has accepted the record, so this is a mistake of this package.
		panic(fmt.Sprintf("store: a measured record cannot be encoded: %v", err))
	}
	return encoded
}

// timeOutAppends answers appends that wait too long, while the disk works on.
func (s *Store) timeOutAppends() {
	for !s.drained {
		s.stop.WaitUntil(s.env.Clock.Now().Add(min(s.options.FlushTimeout/4, s.options.ReplicaTimeout/4, time.Second)))
		s.answerLate(s.env.Clock.Now())
	}
}

// answerLate answers those whose time is over. They stay in the list until their outcome is known.
func (s *Store) answerLate(now env.Instant) {
	for n := 0; n < s.waiting.len(); n++ {
		w := s.waiting.at(n)
		switch {
		case w.deadline == env.Never:
		case w.end <= s.Durable():
			// The disk has done its part. Those behind it may still wait for theirs.
			if w.since.Add(s.options.ReplicaTimeout).Reached(now) {
				s.answerEarly(w, AppendReplicaTimeout, fmt.Sprintf("other copies took longer than %s (slaveTimeout)", s.options.ReplicaTimeout))
			}
		case !w.deadline.Reached(now):
			return
		case w.end <= s.written:
			s.answerEarly(w, AppendFlushTimeout, fmt.Sprintf("the disk took longer than %s", s.options.FlushTimeout))
		default:
			s.answerEarly(w, AppendFailed, fmt.Sprintf("the disk took longer than %s", s.options.FlushTimeout))
		}
	}
}

// answerOne takes the oldest append off the list and answers it.
func (s *Store) answerOne(status AppendStatus, reason string) {
	w := s.waiting.pop()
	s.answerAppend(&w, status, reason)
}

// answerAppend answers an append unless it was answered before.
func (s *Store) answerAppend(w *waitingAppend, status AppendStatus, reason string) {
	done := w.done
	if done == nil {
		s.settleLate(w, status, reason)
		return
	}
	w.done = nil
	done.Appended(AppendResult{Status: status, Reason: reason, Places: s.placesOf(w)})
}

// answer completes the appends that are as durable as promised.
func (s *Store) answer() {
	confirmed := s.Confirmed()
	for s.waiting.len() > 0 && s.waiting.peek().end <= confirmed {
		s.answerOne(AppendOK, "")
	}
	s.changed.Broadcast()
}

// answerAll completes every append with a failure.
func (s *Store) answerAll(status AppendStatus, reason string) {
	for s.waiting.len() > 0 {
		s.answerOne(status, reason)
	}
	s.changed.Broadcast()
}
