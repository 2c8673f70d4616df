package store

import (
	"strconv"
	"time"

	"github.com/gantrymq/gantry/transport/message"
)

// delayTopic holds delayed messages (SCHEDULE_TOPIC_XXXX): its queue entries say when each is due instead of a tag.
const delayTopic = "SCHEDULE_TOPIC_XXXX"

// DelayLevels are those of a broker that is not told others (messageDelayLevel); the first one is level 1.
func DelayLevels() []time.Duration {
	return []time.Duration{
		time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 3 * time.Minute, 4 * time.Minute, 5 * time.Minute,
		6 * time.Minute, 7 * time.Minute, 8 * time.Minute, 9 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour,
	}
}

// entryTag is what the queue entry says of the record's tag: its hash, 0 without a tag. For a delayed message it is the
// wall time in milliseconds when it is due.
func (o *Options) entryTag(r *message.Record, storedAt int64) int64 {
	if string(r.Topic) == delayTopic {
		if due, ok := o.dueAt(r.Properties, storedAt); ok {
			return due
		}
	}
	tag, ok := message.PropertyBytes(r.Properties, message.PropertyTags)
	if !ok || len(tag) == 0 {
		return 0
	}
	return message.TagHash(tag)
}

// dueAt is when a delayed message is due. A level beyond the last one counts as the last one.
func (o *Options) dueAt(properties []byte, storedAt int64) (int64, bool) {
	text, ok := message.PropertyBytes(properties, message.PropertyDelayLevel)
	if !ok {
		return 0, false
	}
	level, err := strconv.Atoi(string(text))
	level = min(level, len(o.DelayLevels))
	if err != nil || level < 1 {
		return 0, false
	}
	return storedAt + o.DelayLevels[level-1].Milliseconds(), true
}
