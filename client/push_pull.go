package client

import (
	"errors"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// How long a queue rests before the next pull.
const (
	afterError       = time.Second            // "pullTimeDelayMillsWhenException"
	afterFlowControl = 20 * time.Millisecond  // the broker has too much to do
	emptyAnswerMin   = 100 * time.Millisecond // a broker that does not hold pulls is not asked more often
)

// pullLoop is the task that pulls a queue, one pull after the other, as long as it is held.
func (c *PushConsumer) pullLoop(a *assignment, run int) {
	for c.awaitPull(a, run) {
		if rest := c.pull(a); rest > 0 {
			c.pauseQueue(a, rest)
		}
	}
}

// awaitPull waits until a queue may be pulled. It reports false when it is given up, or another task has taken over.
func (c *PushConsumer) awaitPull(a *assignment, run int) bool {
	goesOn := func() bool { return !a.dropped && a.run == run && c.core.state == open }
	for goesOn() && !c.mayPull(a) {
		a.changed.Wait()
	}
	return goesOn()
}

func (c *PushConsumer) mayPull(a *assignment) bool {
	return !c.suspended && !a.paused && !c.full(a) && c.mayConsume(a)
}

// pauseQueue waits, unless the queue is given up.
func (c *PushConsumer) pauseQueue(a *assignment, rest time.Duration) {
	until := c.core.env.Clock.Now().Add(rest)
	for !a.dropped && c.core.state == open && a.changed.WaitUntil(until) {
	}
}

// pull pulls once. It returns how long to wait before the next time.
func (c *PushConsumer) pull(a *assignment) time.Duration {
	s := c.reader.subscriptions[a.queue.Topic]
	if s == nil {
		return afterError
	}
	epoch, began := a.epoch, c.core.env.Clock.Now()
	a.pulledAt = c.core.env.Clock.Wall()
	result, err := c.pullOnce(a, s)
	took := c.core.env.Clock.Now().Sub(began)
	switch {
	case !a.is(epoch) || c.core.state != open:
		return 0
	case err != nil:
		return c.pullFailed(a, err)
	}
	c.rates.of(a.queue.Topic).pulled(c.core.env.Clock.Now(), len(result.Messages), took)
	switch result.Status {
	case OffsetMoved:
		if result.Next == a.next {
			// The broker contradicts itself.
			return afterError
		}
		c.moved(a, result.Next)
	case NewMessages:
		c.restore(result.Messages)
		a.put(result.Messages, result.Next)
		c.dispatch()
	default:
		a.put(nil, result.Next)
		if result.Status == NoNewMessages && took < emptyAnswerMin {
			return max(emptyAnswerMin, c.push.pullEvery)
		}
	}
	return c.push.pullEvery
}

func (c *PushConsumer) pullOnce(a *assignment, s *subscribed) (PullResult, error) {
	deadline := c.core.env.Clock.Now().Add(c.config.pullTimeout)
	address, err := c.reader.reader(nil, a.queue, deadline)
	if err != nil {
		return PullResult{}, err
	}
	c.core.beats.ensure(nil, address, deadline)
	from := a.next
	request := &transport.Request{Code: c.pullCode(), Header: c.pullHeader(a, s, address, deadline)}
	a.askedAt = c.core.env.Clock.Now()
	response, err := c.core.ask(nil, address, request, deadline)
	a.askedAt = 0
	if response == nil {
		// What a slave suggested does not count when nobody answers.
		delete(c.reader.preferred, a.queue)
		return PullResult{}, err
	}
	result, err := c.reader.result(a.queue, s.filter, from, response, err)
	if err == nil && result.Status == OffsetMoved && result.Next < from && !c.isMaster(a.queue, address) {
		// A slave that lags behind knows no better: the master decides where the queue ends.
		delete(c.reader.preferred, a.queue)
		result.Status, result.Next = NoMatched, from
	}
	return result, err
}

func (c *PushConsumer) pullHeader(a *assignment, s *subscribed, address string, deadline env.Instant) *proto.PullMessage {
	h := c.reader.pullHeader(s, a.queue, a.next, c.push.pullBatch, c.reader.hold(deadline))
	h.MaxBytes = int32(c.push.pullBytes)
	if c.lite != nil {
		// The application decides what is committed, and when.
		h.Flags |= proto.PullLite
		return h
	}
	if !c.push.sendsFilter || h.ExpressionType != proto.ExpressionTag {
		h.Flags &^= proto.PullSubscription
		h.Expression = ""
	}
	if offset := a.committed(); c.push.model == Clustering && offset > 0 && c.mayCommit(a, offset) && c.isMaster(a.queue, address) {
		h.Flags |= proto.PullCommit
		h.CommitOffset = int64(offset)
	}
	return h
}

// pullCode is LITE_PULL_MESSAGE for consumers that poll.
func (c *PushConsumer) pullCode() int32 {
	if c.lite != nil {
		return proto.ReqLitePullMessage
	}
	return proto.ReqPullMessage
}

// isMaster reports whether an address is that of the master of a queue.
func (c *PushConsumer) isMaster(queue Queue, address string) bool {
	b := c.core.brokers.byName[queue.BrokerName]
	if b == nil {
		return false
	}
	master, ok := b.master()
	return ok && master == address
}

// pullFailed returns how long to wait after an error.
func (c *PushConsumer) pullFailed(a *assignment, err error) time.Duration {
	var answer *ResponseError
	if errors.As(err, &answer) {
		switch answer.Code {
		case proto.RespFlowControl:
			return afterFlowControl
		case proto.RespSubscriptionNotExist, proto.RespSubscriptionNotLatest, proto.RespFilterDataNotExist, proto.RespFilterDataNotLatest:
			// The broker has not heard of the subscription yet.
			c.core.beats.announce()
		}
	}
	c.core.env.Log.Warn("a pull failed", zap.Stringer("queue", a.queue), zap.Error(err))
	return afterError
}

// moved follows a broker that says where the queue is, or to where the group was reset (PULL_OFFSET_MOVED).
func (c *PushConsumer) moved(a *assignment, next QueueOffset) {
	c.core.env.Log.Warn("the offset lies outside the queue, or was reset", zap.Stringer("queue", a.queue),
		zap.Int64("offset", int64(a.next)), zap.Int64("next", int64(next)))
	a.sentElsewhere(next)
	if next < a.next {
		// What was pulled does not exist any more, or shall be consumed again. Handlers that have some of it are ignored.
		a.restart(next)
		a.stored, a.marked = offsetUnknown, min(a.marked, next)
		c.dispatch()
		return
	}
	// What was pulled is still good. But the store must not fall behind the place that the broker names: it may be
	// that of a reset.
	a.put(nil, next)
	a.floor = next
}
