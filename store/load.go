package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
	"go.uber.org/zap"
)

// eraseBehind erases what the files say behind the last entry, if there is anything in the places of the next entries: of records that the log has
// lost although they were durable, or confirmed. A Java broker would take it for messages.
func (q *queueLog) eraseBehind(entries int64) error {
	from := q.byteOf(q.end)
	if !q.row.Has(from) {
		return nil
	}
	to := min(from+entries*q.layout.size, q.row.End())
	for at := from; at < to; {
		p := make([]byte, min(to, q.row.FileStart(at)+q.row.SegmentSize())-at)
		if err := q.row.ReadAt(p, at); err != nil {
			return err
		}
		if len(bytes.Trim(p, "\x00")) > 0 {
			return q.row.Cut(from)
		}
		at += int64(len(p))
	}
	return nil
}

// queueDirectory is where the files of a queue are.
type queueDirectory struct {
	key    QueueKey
	layout *layout
}

func (d queueDirectory) path() string { return d.layout.path(d.key) }

// listQueues lists the queues that have a directory: consumequeue/<topic>/<id> and batchconsumequeue/<topic>/<id>. Other
// names are not ours.
func listQueues(disk env.Disk) ([]queueDirectory, error) {
	var found []queueDirectory
	for _, l := range layouts {
		topics, err := disk.List(l.dir)
		if err != nil {
			return nil, err
		}
		for _, topic := range topics {
			if !topic.IsDir {
				continue
			}
			if found, err = listTopic(disk, l, topic.Name, found); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

func listTopic(disk env.Disk, l *layout, topic string, found []queueDirectory) ([]queueDirectory, error) {
	entries, err := disk.List(l.dir + "/" + topic)
	if err != nil {
		return nil, err
	}
	of := len(found)
	for _, e := range entries {
		id, err := strconv.ParseInt(e.Name, 10, 32)
		if err == nil && e.IsDir && id >= 0 && strconv.FormatInt(id, 10) == e.Name {
			found = append(found, queueDirectory{QueueKey{topic, int32(id)}, l})
		}
	}
	slices.SortFunc(found[of:], func(a, b queueDirectory) int { return int(a.key.ID - b.key.ID) })
	return found, nil
}

// loadQueues opens the files of all queues and keeps the entries of records that end at or before limit. Of queues that are to be built
// again it keeps those of messages that are gone from the log.
func (s *Store) loadQueues(limit message.LogOffset, rebuild bool) error {
	directories, err := listQueues(s.env.Disk)
	if err != nil {
		return err
	}
	for _, directory := range directories {
		if err := s.openQueue(directory, limit, rebuild); err != nil {
			return fmt.Errorf("queue %s: %w", directory.key, err)
		}
	}
	return nil
}

func (s *Store) openQueue(d queueDirectory, limit message.LogOffset, rebuild bool) error {
	row, err := segment.Open(s.queueFiles, d.path(), d.layout.fileSize(&s.options), true)
	if err != nil {
		return err
	}
	q := newQueueLog(d.key, d.layout, row)
	if row.Empty() && d.layout != s.options.layoutOf(d.key.Topic) {
		return row.Close() // left by a queue of another kind
	}
	if other := s.queues[d.key]; other != nil {
		return errors.Join(fmt.Errorf("it has files in %s and in %s: remove the directory that does not fit the topic's queue.type, all of it, and run gantry inspect repair", other.layout.path(d.key), d.path()), row.Close())
	}
	if d.layout != s.options.layoutOf(d.key.Topic) {
		s.env.Log.Warn("a queue has files that do not fit the queue.type of its topic; a Java broker would not start with them",
			zap.Stringer("queue", d.key), zap.String("files", d.path()), zap.Stringer("expected", s.options.layoutOf(d.key.Topic)))
	}
	s.addQueue(q)
	if rebuild {
		err = s.loadGone(q)
	} else {
		err = s.loadQueue(q, limit)
	}
	if err != nil {
		return err
	}
	if err := s.finishDrop(q); err != nil {
		return fmt.Errorf("the topic was removed: %w", err)
	}
	return nil
}

// loadQueue finds the queue's bounds. Entries below the checkpoint were synced, so they are there in one
// run; what follows may be torn, which is why the last one is compared with its record.
func (s *Store) loadQueue(q *queueLog, limit message.LogOffset) error {
	if q.row.Empty() {
		return nil
	}
	start, last := q.rowRange()
	end, err := q.search(start, last, func(e entry) bool {
		return (e.filler() || e.possible()) && e.end() <= limit
	})
	if err != nil {
		return err
	}
	first, err := q.search(start, end, func(e entry) bool {
		return e.filler() && e.log == 0 || (e.filler() || e.possible()) && int64(e.log) < s.log.Start()
	})
	if err != nil {
		return err
	}
	if err := q.ordered(first, start, end, q.fileEntry); err != nil {
		return err
	}
	if first, err = q.passLost(first, end); err != nil {
		return err
	}
	for end > first {
		ok, err := s.entryFits(q, end-1, limit)
		if err != nil {
			return err
		}
		if ok {
			break
		}
		end--
	}
	if q.layout.batch && first < end {
		// Its entry alone tells the number of the first message.
		if ok, err := s.entryFits(q, first, limit); err != nil || !ok {
			return errors.Join(err, fmt.Errorf("%w: queue %s: its first entry does not fit its record", errContradiction, q.key))
		}
	}
	return q.beginLoaded(start, first, end)
}

// beginLoaded makes the entries [first, end) of the files those of the queue; the ones from start on are of messages that are gone.
func (q *queueLog) beginLoaded(start, first, end position) error {
	next, err := q.fileNumber(start, end)
	if err != nil {
		return err
	}
	least := next
	if first < end {
		e, err := q.fileEntry(first)
		if err != nil {
			return err
		}
		least = e.number
	}
	q.beginAt(end, next)
	q.first, q.min = first, least
	return nil
}

// fileNumber is the number of the message whose entry is to stand at end, where the files hold the entries [start, end).
func (q *queueLog) fileNumber(start, end position) (message.QueueOffset, error) {
	if !q.layout.batch {
		return message.QueueOffset(end), nil
	}
	if start < end {
		e, err := q.fileEntry(end - 1)
		return e.next(), err
	}
	e, err := q.fileEntry(end)
	if err != nil || !e.possible() {
		return 0, err
	}
	return e.number, nil
}

// search returns the first position in [from, to) whose entry in the files does not match, if matching ones
// come first.
func (q *queueLog) search(from, to position, match func(entry) bool) (position, error) {
	return searchEntries(from, to, q.fileEntry, match)
}

func searchEntries(from, to position, read func(position) (entry, error), match func(entry) bool) (position, error) {
	for from < to {
		middle := from + (to-from)/2
		e, err := read(middle)
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
func (q *queueLog) ordered(at, first, end position, read func(position) (entry, error)) error {
	before := entry{log: -1}
	for near := max(at-2, first); near < min(at+2, end); near++ {
		e, err := read(near)
		if err != nil {
			return err
		}
		if e.filler() && e.log == 0 {
			continue // it stands for one that is gone, wherever that stood
		}
		if e.log < before.log || e.log == before.log && !e.filler() || e.number < before.next() {
			return fmt.Errorf("%w: queue %s: message %d has the entry %v behind %v", errContradiction, q.key, e.number, e, before)
		}
		before = e
	}
	return nil
}

// fileEntry reads one entry of the queue's files.
func (q *queueLog) fileEntry(at position) (entry, error) {
	p := make([]byte, q.layout.size)
	err := q.row.ReadAt(p, q.byteOf(at))
	return q.layout.decode(p, at), err
}

// entryFits compares an entry with the record it points to, which must end at or before limit.
func (s *Store) entryFits(q *queueLog, at position, limit message.LogOffset) (bool, error) {
	e, err := q.fileEntry(at)
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
	if !e.fits(head) {
		return false, nil
	}
	raw := make([]byte, e.size)
	if err := s.log.ReadAt(raw, int64(e.log)); err != nil {
		return false, err
	}
	var r message.Record
	_, err = message.DecodeRecord(raw, &r, false)
	return err == nil && r.QueueID == q.key.ID && string(r.Topic) == q.key.Topic && q.layout.entryOf(&r, e.end(), 0).count == e.count, nil
}
