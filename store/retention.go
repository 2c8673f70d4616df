package store

import (
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

// expireMessages hides the messages that are beyond the limits of their topics.
func (s *Store) expireMessages() error {
	if s.options.Retention == nil {
		return nil
	}
	for _, q := range slices.Clone(s.order) {
		limit := s.options.Retention(q.key.Topic)
		if err := s.expire(q, limit); err != nil {
			return fmt.Errorf("queue %s: %w", q.key, err)
		}
	}
	return nil
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
		q.hideBelow(first)
	}
	return nil
}

// expireByAge hides the messages that were stored at or before a wall time.
func (s *Store) expireByAge(q *queueLog, before int64) error {
	// Most times the first one is young enough, and one look is all.
	at, err := s.storedAt(q, q.min)
	if err != nil || at > before {
		return err
	}
	oldest, err := s.OffsetAt(q.key, before+1, false)
	if err != nil {
		return err
	}
	q.hideBelow(oldest)
	return nil
}

// hideBelow moves the first message that can be read. It never moves back.
func (q *queueLog) hideBelow(number message.QueueOffset) {
	if number > q.min {
		q.min, q.minLog = min(number, q.max), unknownLog
	}
}

// firstWithin returns the first message of the newest ones that together have at most so many bytes.
func (q *queueLog) firstWithin(limit int64) (message.QueueOffset, error) {
	if err := q.measure(); err != nil {
		return 0, err
	}
	first := q.measured
	for q.bytes > limit && first < q.max {
		n := min(entriesPerRead, int(q.max-first))
		p := make([]byte, n*entrySize)
		if err := q.readEntries(p, first); err != nil {
			return 0, err
		}
		for ; len(p) > 0 && q.bytes > limit; p = p[entrySize:] {
			q.bytes -= entryBytes(decodeEntry(p))
			first++
			q.measured = first
		}
	}
	return first, nil
}

// measure brings bytes to the records of [min, max): what was added since the last time, and what went.
func (q *queueLog) measure() error {
	if q.measured > q.min || q.measuredTo < q.min {
		q.measured, q.measuredTo, q.bytes = q.min, q.min, 0
	}
	if err := q.count(&q.measured, q.min, -1); err != nil {
		return err
	}
	return q.count(&q.measuredTo, q.max, 1)
}

// count moves one end of what is measured. Each step is noted at once: a read may fail, and messages may come meanwhile.
func (q *queueLog) count(end *message.QueueOffset, to message.QueueOffset, sign int64) error {
	for *end < to {
		p := make([]byte, min(entriesPerRead, int(to-*end))*entrySize)
		if err := q.readEntries(p, *end); err != nil {
			return err
		}
		*end += message.QueueOffset(len(p) / entrySize)
		for ; len(p) > 0; p = p[entrySize:] {
			q.bytes += sign * entryBytes(decodeEntry(p))
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
