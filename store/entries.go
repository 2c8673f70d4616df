package store

import (
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
)

// Entries returns what a queue says of countMax messages from a number on, as it is written: no record is read, and nothing is verified. An inner
// batch that holds the first of them is among the entries, and comes whole. ok is false if the queue does not have that message; it has those
// in Bounds. It waits for the disk, but not for entries that are in memory. The error is ErrClosed, or that of the disk.
func (s *Store) Entries(key QueueKey, from message.QueueOffset, countMax int) (list []Entry, ok bool, err error) {
	if s.released {
		return nil, false, ErrClosed
	}
	q := s.queues[key]
	if q == nil || from < q.min || from >= q.max {
		return nil, false, nil
	}
	at, err := q.find(from)
	var raw []byte
	if err == nil {
		raw = make([]byte, q.byteOf(min(q.end-at, position(max(countMax, 0)))))
		err = q.readEntries(raw, at)
	}
	switch {
	case err != nil && s.released:
		return nil, false, ErrClosed
	case errors.Is(err, segment.ErrGap):
		// The file was removed meanwhile, and so the messages are gone.
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("queue %s from %d: %w", key, from, err)
	}
	return q.decodeEntries(raw, at, from+message.QueueOffset(countMax)), true, nil
}

// decodeEntries reads entries that stand from a position on, up to the one of a message.
func (q *queueLog) decodeEntries(raw []byte, at position, end message.QueueOffset) []Entry {
	list := make([]Entry, 0, int64(len(raw))/q.layout.size)
	for ; len(raw) > 0; raw, at = raw[q.layout.size:], at+1 {
		e := q.layout.decode(raw, at)
		if e.number >= end {
			break
		}
		list = append(list, e.exported())
	}
	return list
}

func (e entry) exported() Entry {
	return Entry{Number: e.number, Count: e.count, Log: e.log, Size: e.size, TagHash: e.tagHash, Filler: e.filler()}
}
