package store

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
)

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
