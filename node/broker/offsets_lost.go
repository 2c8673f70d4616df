package broker

import (
	"errors"
	"strings"

	"github.com/gantrymq/gantry/store"
	"go.uber.org/zap"
)

// withinQueues sets offsets right that are beyond the ends of their queues, durably, before messages can come. A loss of power with ASYNC_FLUSH takes
// the newest messages, and leaves the offsets of those who have consumed them: with a Java broker such a group misses as many of the messages
// that come next. It waits for the disk.
func (b *Broker) withinQueues() error {
	moved := b.offsets.withinQueues() + b.progress.withinQueues()
	if moved == 0 {
		return nil
	}
	b.env.Log.Warn("offsets of groups were beyond the ends of their queues, whose newest messages were lost: they begin with the next ones", zap.Int("offsets", moved))
	return errors.Join(b.offsets.exclusive(b.offsets.save), b.progress.saveTaken())
}

// withinQueues counts the offsets that it has changed.
func (t *offsetTable) withinQueues() (moved int) {
	// order does not matter: each has its own place
	for key, queues := range t.byKey {
		topic, _, _ := strings.Cut(key, "@")
		// order does not matter: each has its own place
		for queue, offset := range queues {
			if _, end := t.broker.store.Bounds(store.QueueKey{Topic: topic, ID: queue}); offset > int64(end) {
				queues[queue] = int64(end)
				t.dirty = true
				moved++
			}
		}
	}
	return moved
}

// withinQueues does the same for resets.
func (t *progressTable) withinQueues() (moved int) {
	// order does not matter: each has its own place
	for q, r := range t.resets {
		if _, end := t.broker.store.Bounds(q.key()); r.Offset > end {
			r.Offset = end
			t.dirty = true
			moved++
		}
	}
	return moved
}
