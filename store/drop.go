package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
)

// droppedPath is the file that remembers removed topics, until their records are gone from the log. A Java broker ignores it.
const droppedPath = "droppedTopics.json"

// droppedAside is where a repair puts a list that cannot be read.
const droppedAside = droppedPath + ".damaged"

// droppedTopics holds for each removed topic a log offset: its records before that belong to no queue.
type droppedTopics map[string]message.LogOffset

// isDropped reports whether a record belongs to a topic that was removed after it was stored.
func (s *Store) isDropped(r *message.Record) bool { return s.dropped.covers(r) }

func (d droppedTopics) covers(r *message.Record) bool {
	if len(d) == 0 {
		return false
	}
	return r.LogOffset < d[string(r.Topic)]
}

// DropTopic removes the queues of a topic, durably. Its records stay in the log until their files are
// removed, but nothing points to them any more. The caller sees to it that nobody appends to the topic
// meanwhile. After an error the topic may be gone after a restart. ErrClosed: nothing was done. It waits for the disk.
func (s *Store) DropTopic(topic string) error {
	if err := s.Flush(); err != nil {
		return err
	}
	return s.alone(func() error { return s.dropTopic(topic) })
}

func (s *Store) dropTopic(topic string) error {
	if s.closing {
		return ErrClosed
	}
	ofTopic := func(q *queueLog) bool { return q.key.Topic == topic }
	dropped := slices.DeleteFunc(slices.Clone(s.order), func(q *queueLog) bool { return !ofTopic(q) })
	for _, q := range dropped {
		if q.next != q.max {
			return fmt.Errorf("queue %s still receives messages: try again", q.key)
		}
	}
	if len(dropped) == 0 {
		return nil
	}
	at := s.flushed
	for _, q := range dropped {
		at = max(at, q.lastEnd())
	}
	// A restart counts entries, and must not miss the topic's. They are still saved: the topic may stay.
	if err := s.moveCheckpoint(topic); err != nil {
		return err
	}
	renamed, err := s.remember(topic, at)
	if renamed && err != nil {
		// A restart may find the topic gone or not, so nothing that is built on either may go on.
		s.fail("making durable that a topic was removed", err)
	}
	if err != nil {
		return err
	}
	var errs []error
	s.order = slices.DeleteFunc(s.order, ofTopic)
	s.dirty = slices.DeleteFunc(s.dirty, ofTopic)
	for _, q := range dropped {
		delete(s.queues, q.key)
	}
	for _, q := range dropped {
		errs = append(errs, s.removeFiles(q))
	}
	return errors.Join(errs...)
}

// lastEnd is where the record of the newest entry in memory ends.
func (q *queueLog) lastEnd() message.LogOffset {
	if len(q.tail) == 0 {
		return 0
	}
	return q.layout.decode(q.inTail(q.end-1), q.end-1).end()
}

// remember makes durable that a topic has no records before a place in the log. renamed says that a restart may know it, whatever
// the error. Topics of which nothing is left in the log are forgotten.
func (s *Store) remember(topic string, at message.LogOffset) (renamed bool, err error) {
	next := maps.Clone(s.dropped)
	if next == nil {
		next = droppedTopics{}
	}
	next[topic] = at
	// order does not matter: each is looked at alone
	maps.DeleteFunc(next, func(_ string, at message.LogOffset) bool { return at <= s.Start() })
	renamed, err = next.write(s.env.Disk)
	if renamed {
		s.dropped = next
	}
	return renamed, err
}

// shortenDropped is for a log that has become shorter than a list of removed topics knows it, by a repair or because files are missing: what
// is stored from its end on belongs to topics that were made again.
func (s *Store) shortenDropped(end message.LogOffset) error {
	next := maps.Clone(s.dropped)
	// order does not matter: each is looked at alone
	for topic, at := range next {
		next[topic] = min(at, end)
	}
	if maps.Equal(next, s.dropped) {
		return nil
	}
	if _, err := next.write(s.env.Disk); err != nil {
		return err
	}
	s.dropped = next
	return nil
}

// droppedSizeMax bounds the file that is read.
const droppedSizeMax = 64 << 20

var errDroppedDamaged = errors.New("the list of removed topics is damaged")

// droppedName is what the file calls the list.
const droppedName = "topics"

func (d droppedTopics) write(disk env.Disk) (renamed bool, err error) {
	return segment.WriteDocument(disk, droppedPath, droppedName, d)
}

// readDropped returns nothing if there is no file.
func readDropped(disk env.Disk) (dropped droppedTopics, err error) {
	err = segment.ReadDocument(disk, droppedPath, droppedName, droppedSizeMax, &dropped)
	if errors.Is(err, segment.ErrDocument) {
		return nil, fmt.Errorf("%s: %w; without it the messages of removed topics come back if queues must be built again: correct it, remove it, or run gantry inspect repair, which sets it aside: %w", droppedPath, errDroppedDamaged, err)
	}
	return dropped, err
}

// finishDrop removes the files of a queue whose topic was removed, which a crash has left.
func (s *Store) finishDrop(q *queueLog) error {
	at, ok := s.dropped[q.key.Topic]
	if !ok || q.row.Empty() {
		return nil
	}
	first, last := q.rowRange()
	n, err := q.search(first, last, func(e entry) bool { return e.filler() || e.possible() })
	if err != nil {
		return err
	}
	if n > first {
		// The newest entry decides: a queue that was made again may begin with fillers.
		if e, err := q.fileEntry(n - 1); err != nil || e.log >= at {
			return err
		}
	}
	q.begin(0)
	return q.row.RemoveAll()
}

func (s *Store) removeFiles(q *queueLog) error {
	if q.row.Empty() {
		return nil
	}
	if err := q.row.RemoveAll(); err != nil {
		return err
	}
	if err := s.env.Disk.Remove(q.layout.path(q.key)); err != nil && !errors.Is(err, env.ErrNotExist) {
		return err
	}
	return s.env.Disk.SyncDir(q.layout.dir + "/" + q.key.Topic)
}

// DropTopicBefore is DropTopic for a slave whose master has removed the topic, when its log had an end: nothing is done if the topic has messages behind that, for
// then it was made again. It waits for the disk.
func (s *Store) DropTopicBefore(topic string, end message.LogOffset) error {
	if err := s.Flush(); err != nil {
		return err
	}
	return s.alone(func() error {
		for _, q := range s.order {
			if q.key.Topic != topic {
				continue
			}
			if last, err := q.newestEnd(); err != nil || last > end || q.next != q.max {
				return err
			}
		}
		return s.dropTopic(topic)
	})
}

// newestEnd is where the record of the newest entry ends, also if that is only in the file.
func (q *queueLog) newestEnd() (message.LogOffset, error) {
	if len(q.tail) > 0 || q.end == q.first || q.row.Empty() {
		return q.lastEnd(), nil
	}
	e, err := q.fileEntry(q.end - 1)
	return e.end(), err
}
