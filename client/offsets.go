package client

import (
	"context"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// Committed is the offset that the group committed for a queue: the next to consume. found is false if it
// never committed one.
func (c *PullConsumer) Committed(ctx context.Context, queue Queue) (offset QueueOffset, found bool, err error) {
	queue = c.config.space.fullQueue(queue)
	header := &proto.QueryConsumerOffset{
		ConsumerGroup: c.config.group, Topic: queue.Topic, QueueID: queue.QueueID, ZeroIfUnknown: proto.Some(false),
	}
	offset, err = c.askOffset(ctx, queue, proto.ReqQueryConsumerOffset, header)
	if hasCode(err, proto.RespQueryNotFound) {
		return 0, false, nil
	}
	// Some clients commit -1 where they mean nothing.
	return max(offset, 0), err == nil && offset >= 0, err
}

// Commit stores an offset for the group: the next to consume. It returns when the broker has taken it.
func (c *PullConsumer) Commit(ctx context.Context, queue Queue, offset QueueOffset) error {
	queue = c.config.space.fullQueue(queue)
	return c.withBroker(ctx, queue, func(call *env.Call, address string, deadline env.Instant) error {
		_, err := c.core.ask(call, address, &transport.Request{Code: proto.ReqUpdateConsumerOffset, Header: c.commit(queue, offset)}, deadline)
		return err
	})
}

// CommitOneway is Commit without waiting for an answer: nothing tells whether the broker took it.
func (c *PullConsumer) CommitOneway(ctx context.Context, queue Queue, offset QueueOffset) error {
	queue = c.config.space.fullQueue(queue)
	return c.withBroker(ctx, queue, func(call *env.Call, address string, deadline env.Instant) error {
		request := &transport.Request{Code: proto.ReqUpdateConsumerOffset, Header: c.commit(queue, offset), Fields: c.core.fields}
		return c.core.explain(call, c.core.net.Oneway(call, address, request, c.core.left(deadline)))
	})
}

func (c *PullConsumer) commit(queue Queue, offset QueueOffset) *proto.UpdateConsumerOffset {
	return &proto.UpdateConsumerOffset{ConsumerGroup: c.config.group, Topic: queue.Topic, QueueID: queue.QueueID, CommitOffset: int64(offset)}
}

// MinOffset is the offset of the oldest message a queue still has.
func (c *PullConsumer) MinOffset(ctx context.Context, queue Queue) (QueueOffset, error) {
	queue = c.config.space.fullQueue(queue)
	return c.askOffset(ctx, queue, proto.ReqGetMinOffset, &proto.GetMinOffset{Topic: queue.Topic, QueueID: queue.QueueID})
}

// MaxOffset is the offset the next message of a queue will get.
func (c *PullConsumer) MaxOffset(ctx context.Context, queue Queue) (QueueOffset, error) {
	queue = c.config.space.fullQueue(queue)
	return c.askOffset(ctx, queue, proto.ReqGetMaxOffset, &proto.GetMaxOffset{Topic: queue.Topic, QueueID: queue.QueueID})
}

// OffsetAt is the offset of the first message of a queue that was stored at a time or later; that of the
// next message if there is none.
func (c *PullConsumer) OffsetAt(ctx context.Context, queue Queue, at time.Time) (QueueOffset, error) {
	queue = c.config.space.fullQueue(queue)
	return c.askOffset(ctx, queue, proto.ReqSearchOffsetByTimestamp, &proto.SearchOffsetByTimestamp{
		Topic: queue.Topic, QueueID: queue.QueueID, Timestamp: at.UnixMilli(),
	})
}

// EarliestStoreTime is when the oldest message a queue still has was stored. found is false if it
// has none.
func (c *PullConsumer) EarliestStoreTime(ctx context.Context, queue Queue) (at time.Time, found bool, err error) {
	queue = c.config.space.fullQueue(queue)
	var h proto.TimestampResponse
	err = c.askMaster(ctx, queue, proto.ReqGetEarliestMessageStoreTime,
		&proto.GetEarliestMessageStoreTime{Topic: queue.Topic, QueueID: queue.QueueID}, &h)
	if err != nil || h.Timestamp < 0 {
		return time.Time{}, false, err
	}
	return env.WallMillis(h.Timestamp).Time(), true, nil
}

func (c *PullConsumer) askOffset(ctx context.Context, queue Queue, code int32, header proto.HeaderEncoder) (QueueOffset, error) {
	var h proto.OffsetResponse
	err := c.askMaster(ctx, queue, code, header, &h)
	return QueueOffset(h.Offset), err
}

// askMaster sends a request about a queue and reads the header of the answer.
func (c *PullConsumer) askMaster(ctx context.Context, queue Queue, code int32, header proto.HeaderEncoder, into proto.HeaderDecoder) error {
	return c.withBroker(ctx, queue, func(call *env.Call, address string, deadline env.Instant) error {
		response, err := c.core.ask(call, address, &transport.Request{Code: code, Header: header}, deadline)
		if err != nil {
			return err
		}
		if err := into.DecodeFields(response.Fields); err != nil {
			return fmt.Errorf("%s about %s: the answer cannot be read: %w", proto.RequestName(code), queue, err)
		}
		return nil
	})
}

// withBroker enters the node and finds the broker of a queue: the master, or any member if there
// is none.
func (c *PullConsumer) withBroker(ctx context.Context, queue Queue, fn func(call *env.Call, address string, deadline env.Instant) error) error {
	call, err := c.core.enter(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	deadline := c.core.deadline(call, c.config.requestTimeout)
	b, err := c.broker(call, queue, deadline)
	if err != nil {
		return err
	}
	address, ok := b.reader(proto.MasterID)
	if !ok {
		return fmt.Errorf("%w: no member of %s is known", ErrNoBroker, queue.BrokerName)
	}
	c.core.beats.ensure(call, address, deadline)
	err = fn(call, address, deadline)
	return err
}
