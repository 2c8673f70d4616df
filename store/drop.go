package store

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/node/env"
)

// DropTopic removes the queues of a topic, durably. Its records stay in the log until their files are
// removed, but nothing points to them any more. The caller sees to it that nobody appends to the topic
// meanwhile. After an error some of the queues may be there after a restart. It waits for the disk.
func (s *Store) DropTopic(topic string) error {
	if err := s.Flush(); err != nil {
		return err
	}
	return s.alone(func() error { return s.dropTopic(topic) })
}

func (s *Store) dropTopic(topic string) error {
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
	s.order = slices.DeleteFunc(s.order, ofTopic)
	s.dirty = slices.DeleteFunc(s.dirty, ofTopic)
	for _, q := range dropped {
		delete(s.queues, q.key)
	}
	// A restart reads the log from the checkpoint on, where it must not find the topic's records
	// again, and counts entries, where it must not miss the topic's.
	if err := s.moveCheckpoint(); err != nil {
		for _, q := range dropped {
			s.addQueue(q)
			q.dirty = false
			s.keepDirty(q)
		}
		return err
	}
	var errs []error
	for _, q := range dropped {
		errs = append(errs, s.removeFiles(q))
	}
	return errors.Join(errs...)
}

func (s *Store) removeFiles(q *queueLog) error {
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
