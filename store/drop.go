package store

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/node/env"
)

// DropTopic removes the queues of a topic, durably. Its records stay in the log until their files are
// removed, but nothing points to them any more. The caller sees to it that nobody appends to the topic
// meanwhile. It waits for the disk.
func (s *Store) DropTopic(topic string) error {
	if err := s.Flush(); err != nil {
		return err
	}
	// A restart reads the log from the checkpoint on: it must not find the topic's records again.
	if err := s.checkpoint(); err != nil {
		return err
	}
	var errs []error
	for _, q := range slices.Clone(s.order) {
		if q.key.Topic == topic {
			errs = append(errs, s.dropQueue(q))
		}
	}
	return errors.Join(errs...)
}

func (s *Store) dropQueue(q *queueLog) error {
	if q.next != q.max {
		return fmt.Errorf("queue %s still receives messages: try again", q.key)
	}
	delete(s.queues, q.key)
	matches := func(other *queueLog) bool { return other == q }
	s.order = slices.DeleteFunc(s.order, matches)
	s.dirty = slices.DeleteFunc(s.dirty, matches)
	if q.row.Empty() {
		return nil
	}
	if err := q.row.RemoveAll(); err != nil {
		return err
	}
	if err := s.env.Disk.Remove(queuePath(q.key)); err != nil && !errors.Is(err, env.ErrNotExist) {
		return err
	}
	return s.env.Disk.SyncDir(queueDir + "/" + q.key.Topic)
}
