package client

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/gantrymq/gantry/transport/assign"
)

// Queues lists the queues of a topic that can be read ("fetchMessageQueues"). The slice must not be changed.
func (c *LitePullConsumer) Queues(ctx context.Context, topic string) ([]Queue, error) {
	return c.engine.reader.Queues(ctx, topic)
}

// OffsetAt is the offset of the first message of a queue that was stored at a time or later; that of the next message if there is none
// ("offsetForTimestamp").
func (c *LitePullConsumer) OffsetAt(ctx context.Context, queue Queue, at time.Time) (QueueOffset, error) {
	return c.engine.reader.OffsetAt(ctx, queue, at)
}

// MinOffset is the offset of the oldest message a queue still has.
func (c *LitePullConsumer) MinOffset(ctx context.Context, queue Queue) (QueueOffset, error) {
	return c.engine.reader.MinOffset(ctx, queue)
}

// MaxOffset is the offset the next message of a queue will get.
func (c *LitePullConsumer) MaxOffset(ctx context.Context, queue Queue) (QueueOffset, error) {
	return c.engine.reader.MaxOffset(ctx, queue)
}

// watch is a topic whose queues somebody wants to hear of.
type watch struct {
	known   []Queue // sorted
	changed func(queues []Queue)
}

// WatchQueues has a function called whenever the queues of a topic are others than before, with all of them, sorted (interface
// TopicMessageQueueChangeListener): then it may Assign those. The queues of now are returned. There is one function for each topic: the
// last one. It runs like that of WithQueueListener. A route that is gone is no change.
func (c *LitePullConsumer) WatchQueues(ctx context.Context, topic string, changed func(queues []Queue)) ([]Queue, error) {
	call, err := c.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer call.Leave()
	topic = c.space().full(topic)
	t, err := c.engine.core.routes.forConsumer(call, topic, c.engine.core.deadline(call, c.engine.config.requestTimeout))
	if err != nil {
		return nil, err
	}
	known := slices.Clone(t.subscribe)
	assign.SortQueues(known)
	c.watched[topic] = &watch{known, changed}
	if !c.watching {
		c.watching = c.engine.core.start("watch queues", c.watchLoop)
	}
	return slices.Clone(c.space().bareQueues(known)), nil
}

// watchLoop is the task that looks at the routes of watched topics, which others refresh.
func (c *LitePullConsumer) watchLoop() {
	for c.engine.core.pause(c.engine.config.lite.watchEvery) {
		for _, topic := range slices.Sorted(maps.Keys(c.watched)) {
			w, t := c.watched[topic], c.engine.core.routes.topics[topic]
			if t == nil || t.route == nil {
				continue
			}
			now := slices.Clone(t.subscribe)
			assign.SortQueues(now)
			if !slices.Equal(now, w.known) {
				w.known = now
				c.engine.notify("queues of "+topic, func() { w.changed(slices.Clone(c.space().bareQueues(now))) })
			}
		}
	}
}
