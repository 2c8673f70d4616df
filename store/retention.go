package store

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gantrymq/gantry/transport/message"
)

// Retention says how long the messages of a topic can be read; zero fields set no limit of their own. Older messages are no longer
// shown, and a file of the log goes once no message in it is shown. A Java broker knows no such limit.
type Retention struct {
	Age        time.Duration // since a message was stored
	QueueBytes int64         // of the records in each queue of the topic
}

// String names the limits.
func (r Retention) String() string {
	return fmt.Sprintf("at most %v old, at most %d bytes a queue", r.Age, r.QueueBytes)
}

// HideExpired hides the messages that are beyond the limits of their topics at once, and not with the next round of cleaning. After Open all
// messages are shown, because who opens the store may learn the limits from files that belong to it: so it is called before anybody
// reads. An error names the queues of which too much is shown until a later round can read them. It waits for the disk.
func (s *Store) HideExpired() error {
	if s.closing {
		return ErrClosed
	}
	return s.alone(s.expireMessages)
}

// expireMessages hides the messages that are beyond the limits of their topics. A queue that cannot be read does not hold up others.
func (s *Store) expireMessages() error {
	if s.options.Retention == nil {
		return nil
	}
	var errs []error
	for _, q := range slices.Clone(s.order) {
		limit := s.options.Retention(q.key.Topic)
		if err := s.expire(q, limit); err != nil {
			errs = append(errs, fmt.Errorf("queue %s: %w", q.key, err))
		}
	}
	return errors.Join(errs...)
}

// isHidden reports whether a record stands in a queue before the first message that is shown.
func (s *Store) isHidden(r *message.Record) bool {
	q := s.queues[QueueKey{string(r.Topic), r.QueueID}]
	return q != nil && hasEntry(r) && r.QueueOffset < q.min
}

func (s *Store) expire(q *queueLog, limit Retention) error {
	if limit.Age > 0 && q.min < q.max {
		if err := s.expireByAge(q, int64(s.env.Clock.Wall())-limit.Age.Milliseconds()); err != nil {
			return err
		}
	}
	if limit.QueueBytes > 0 {
		first, err := q.firstWithin(limit.QueueBytes)
		if err != nil {
			return err
		}
		return q.hideBelow(first)
	}
	return nil
}

// expireByAge hides the messages that were stored at or before a wall time.
func (s *Store) expireByAge(q *queueLog, before int64) error {
	// Most times the first one is young enough, and one look is all.
	at, err := s.storedAt(q, q.first)
	if err != nil || at > before {
		return err
	}
	oldest, err := s.searchTime(q, before+1, false)
	if err != nil {
		return err
	}
	return q.hideBelow(oldest)
}

// hideBelow moves the first message that can be read to the entry at a position. It never moves back.
func (q *queueLog) hideBelow(at position) error {
	if at <= q.first {
		return nil
	}
	number, err := q.numberAt(at)
	if err == nil && at > q.first {
		q.first, q.min, q.minLog = at, number, unknownLog
	}
	return err
}

// firstWithin returns the position of the first message of the newest ones that together have at most so many bytes.
func (q *queueLog) firstWithin(limit int64) (position, error) {
	if err := q.measure(); err != nil {
		return 0, err
	}
	first := q.measured
	for q.bytes > limit && first < q.end {
		p := make([]byte, q.byteOf(min(entriesPerRead, q.end-first)))
		if err := q.readEntries(p, first); err != nil {
			return 0, err
		}
		for ; len(p) > 0 && q.bytes > limit; p = p[q.layout.size:] {
			q.bytes -= entryBytes(q.layout.decode(p, first))
			first++
			q.measured = first
		}
	}
	return first, nil
}

// measure brings bytes to the records of the entries [first, end): what was added since the last time, and what went.
func (q *queueLog) measure() error {
	if q.measured > q.first || q.measuredTo < q.first {
		q.measured, q.measuredTo, q.bytes = q.first, q.first, 0
	}
	if err := q.count(&q.measured, q.first, -1); err != nil {
		return err
	}
	return q.count(&q.measuredTo, q.end, 1)
}

// count moves one end of what is measured. Each step is noted at once: a read may fail, and messages may come meanwhile.
func (q *queueLog) count(end *position, to position, sign int64) error {
	for *end < to {
		p := make([]byte, q.byteOf(min(entriesPerRead, to-*end)))
		if err := q.readEntries(p, *end); err != nil {
			return err
		}
		for ; len(p) > 0; p = p[q.layout.size:] {
			q.bytes += sign * entryBytes(q.layout.decode(p, *end))
			*end++
		}
	}
	return nil
}

func entryBytes(e entry) int64 {
	if !e.possible() {
		return 0
	}
	return int64(e.size)
}
