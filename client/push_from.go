package client

import (
	"time"

	"github.com/gantrymq/gantry/transport/proto"
)

// consumeFromAgo is how far back a start by time goes if no time is given.
const consumeFromAgo = 30 * time.Minute

// startOf is where to begin in a queue, and what the store has: offsetUnknown if nothing. After an error nothing is known, and
// the queue must not be consumed: a guess could pass over messages.
func (c *PushConsumer) startOf(queue Queue) (from, stored QueueOffset, err error) {
	stored, found, err := c.store.read(queue)
	if err != nil {
		return 0, 0, err
	}
	if found {
		return stored, stored, nil
	}
	from, err = c.firstOf(queue)
	return from, offsetUnknown, err
}

// firstOf is where a group begins that has no offset for a queue. Everything in a retry topic is the group's own.
func (c *PushConsumer) firstOf(queue Queue) (QueueOffset, error) {
	var h proto.OffsetResponse
	asking := newAsker(c)
	retry := c.isRetryTopic(queue.Topic) || c.isPopRetryTopic(queue.Topic)
	switch {
	case c.push.from == proto.FromFirstOffset, c.push.from != proto.FromTimestamp && retry:
		// Brokers correct 0 to the oldest message they have.
		return 0, nil
	case c.push.from == proto.FromTimestamp && !retry:
		_, err := asking.ask(queue, proto.ReqSearchOffsetByTimestamp, &proto.SearchOffsetByTimestamp{
			Topic: queue.Topic, QueueID: queue.QueueID, Timestamp: c.fromMillis(),
		}, &h)
		return QueueOffset(h.Offset), err
	}
	_, err := asking.ask(queue, proto.ReqGetMaxOffset, &proto.GetMaxOffset{Topic: queue.Topic, QueueID: queue.QueueID}, &h)
	return QueueOffset(h.Offset), err
}

func (c *PushConsumer) fromMillis() int64 {
	if at := c.push.fromTime; !at.IsZero() {
		return at.UnixMilli()
	}
	return int64(c.startedAt) - consumeFromAgo.Milliseconds()
}
