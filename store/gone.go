package store

import "github.com/gantrymq/gantry/transport/message"

// Entries of messages that are gone from the log tell nothing that could still be read. But if a queue has no message in the log they
// alone know where it goes on, and who searches a queue's files, a Java broker for one, passes over them.

// loadGone keeps of a queue that is to be built again the entries of messages that are gone, and makes them durable. The newest of them ends
// the queue; damaged ones in front of it lead nobody astray.
func (s *Store) loadGone(q *queueLog) error {
	if q.row.Empty() {
		return nil
	}
	start, last := q.rowRange()
	end, err := q.lastOf(start, last, s.isGone)
	if err != nil {
		return err
	}
	if err := q.beginLoaded(start, end, end); err != nil {
		return err
	}
	if err := s.mendGone(q, start); err != nil {
		return err
	}
	return q.secureGone(start)
}

// isGone reports whether an entry is of a message that is gone from the log, as far as it tells itself.
func (s *Store) isGone(e entry) bool {
	return (e.filler() || e.possible()) && e.number >= 0 && e.count >= 1 && e.end() <= s.Start()
}

// mendGone puts fillers in the place of entries from start on that are damaged: nothing in the log tells what they were, and they keep the
// numbers of the queue. In the batch layout, where only the entries tell the numbers, fillers stand in front of all others.
func (s *Store) mendGone(q *queueLog, start position) error {
	following, log := q.max, s.Start()
	damaged := func(e entry) bool {
		standsAt := !e.filler() || e.log > 0
		if !s.isGone(e) || e.next() > following || standsAt && e.end() > log {
			return true
		}
		following = e.number
		if standsAt {
			log = e.log
		}
		return false
	}
	for end := q.end; ; end-- {
		var err error
		if end, err = q.lastOf(start, end, damaged); err != nil || end == start {
			return err
		}
		from := end - 1
		if q.layout.batch {
			from = start
		}
		if int64(following) < int64(end-from) {
			// Too few numbers are left for so many entries: the newest one is damaged, and nothing can be told from it.
			q.begin(0)
			return q.row.RemoveAll()
		}
		if err := q.writeFillers(from, end, following); err != nil || from == start {
			return err
		}
		following -= message.QueueOffset(end - from)
	}
}

// writeFillers makes the entries [from, to) of the files, in front of the one of message next, those of messages that are gone.
func (q *queueLog) writeFillers(from, to position, next message.QueueOffset) error {
	for from < to {
		var fillers []byte
		start, upTo := from, min(to, q.fileEnd(from))
		for ; from < upTo; from++ {
			fillers = q.layout.append(fillers, entry{number: next - message.QueueOffset(to-from), count: 1, size: fillerSize})
		}
		if err := q.row.WriteAt(fillers, q.byteOf(start)); err != nil {
			return err
		}
	}
	return nil
}

// secureGone makes durable what the files say from start on. A start that was interrupted may have mended it in the cache only.
func (q *queueLog) secureGone(start position) error {
	for at := start; at < q.end; at = min(q.fileEnd(at), q.end) {
		if err := q.row.Rewrite(q.byteOf(at), int(q.byteOf(min(q.fileEnd(at), q.end)-at))); err != nil {
			return err
		}
	}
	if start == q.end {
		return nil
	}
	return q.row.Sync(q.byteOf(start), q.byteOf(q.end))
}

// lastOf returns the position behind the last entry in [from, to) of the files that matches, and from if none does. Entries are looked at from
// the last one on, each once.
func (q *queueLog) lastOf(from, to position, match func(entry) bool) (position, error) {
	for to > from {
		fileStart := position(q.row.FileStart(q.byteOf(to-1)) / q.layout.size)
		begin := max(from, to-entriesPerRead, fileStart)
		p := make([]byte, q.byteOf(to-begin))
		if err := q.row.ReadAt(p, q.byteOf(begin)); err != nil {
			return 0, err
		}
		for ; to > begin; to-- {
			if match(q.layout.decode(p[q.byteOf(to-1-begin):], to-1)) {
				return to, nil
			}
		}
	}
	return from, nil
}
