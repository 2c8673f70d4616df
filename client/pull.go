package client

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// PullConsumer reads queues where and when the application wants (class DefaultMQPullConsumer). It may be used by any number
// of goroutines. Close it when it is no longer needed.
type PullConsumer struct {
	core          *core
	config        *config
	subscriptions map[string]*subscribed // by topic; entries are replaced, never changed
	version       int64                  // of the newest subscription
	preferred     map[Queue]int64        // the member to pull from, as brokers suggested
	decoders      []*decoder             // not in use
}

// subscribed is what brokers are told of one topic, and the filter it came from.
type subscribed struct {
	filter Filter
	data   proto.SubscriptionData
}

// PullStatus is how a pull ended (class PullStatus).
type PullStatus int

// The statuses.
const (
	// NewMessages: there are messages.
	NewMessages PullStatus = iota
	// NoNewMessages: nothing has been stored behind the offset yet.
	NoNewMessages
	// NoMatched: there are messages, but none passed the filter. Go on at Next.
	NoMatched
	// OffsetMoved: the offset lies outside the queue. Next is the nearest one inside.
	OffsetMoved
)

// String names the status.
func (s PullStatus) String() string {
	switch s {
	case NewMessages:
		return "new messages"
	case NoNewMessages:
		return "no new messages"
	case NoMatched:
		return "no matched messages"
	case OffsetMoved:
		return "offset moved"
	}
	return fmt.Sprintf("pull status %d", int(s))
}

// PullResult is what a pull brought.
type PullResult struct {
	Status   PullStatus
	Messages []*Received // in the order of the queue; only with NewMessages
	Next     QueueOffset // where to go on
	Min, Max QueueOffset // of the queue; Max is one past the last message
}

// String shows status, number of messages and offsets.
func (r PullResult) String() string {
	return fmt.Sprintf("%s: %d messages, next %d of [%d, %d)", r.Status, len(r.Messages), r.Next, r.Min, r.Max)
}

// NewPullConsumer returns a consumer. WithGroup and WithNameServers are required. It does not connect: the first
// call does. The error is an *OptionError. See NewProducer for who may call.
func NewPullConsumer(e env.Env, options ...ConsumerOption) (*PullConsumer, error) {
	c := defaultConfig()
	for _, o := range options {
		o.applyConsumer(c)
	}
	p := &PullConsumer{config: c, subscriptions: map[string]*subscribed{}, preferred: map[Queue]int64{}}
	_, err := newCore(e, c, roleConsumer, func(k *core) {
		p.core = k
		for _, s := range c.subscriptions {
			p.subscribe(c.space.full(s.topic), s.filter)
		}
		k.beats.consumerGroup, k.beats.consumer = c.group, p.consumerData
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// subscribe notes what is wanted of a topic.
func (c *PullConsumer) subscribe(topic string, filter Filter) *subscribed {
	c.version = max(c.version+1, int64(c.core.env.Clock.Wall()))
	s := &subscribed{filter: filter, data: filter.data(topic, c.version)}
	c.subscriptions[topic] = s
	return s
}

// subscription returns what is wanted of a topic: all, if nothing was said.
func (c *PullConsumer) subscription(topic string) *subscribed {
	if s := c.subscriptions[topic]; s != nil {
		return s
	}
	s := c.subscribe(topic, Tags(proto.SubscribeAll))
	c.core.beats.announce()
	return s
}

func (c *PullConsumer) consumerData() *proto.ConsumerData {
	data := &proto.ConsumerData{
		Group: c.config.group, ConsumeType: proto.ConsumePull, Model: proto.Clustering, From: proto.FromLastOffset,
	}
	for _, topic := range slices.Sorted(maps.Keys(c.subscriptions)) {
		data.Subscriptions = append(data.Subscriptions, c.subscriptions[topic].data)
	}
	return data
}

// Subscribe changes the filter of a topic. Pulls that have begun keep the old one.
func (c *PullConsumer) Subscribe(ctx context.Context, topic string, filter Filter) error {
	call, err := c.core.enter(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	topic = c.config.space.full(topic)
	if err := proto.ValidateTopic(topic); err != nil {
		return err
	}
	c.subscribe(topic, filter)
	c.core.beats.announce()
	return nil
}

// Queues lists the queues of a topic that can be read. The slice must not be changed.
func (c *PullConsumer) Queues(ctx context.Context, topic string) ([]Queue, error) {
	call, err := c.core.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer call.Leave()
	t, err := c.core.routes.forConsumer(call, c.config.space.full(topic), c.core.deadline(call, c.config.requestTimeout))
	if err != nil {
		return nil, err
	}
	return c.config.space.bareQueues(t.subscribe), nil
}

// Pull reads up to count messages of a queue from an offset on. If there are none yet, the broker holds the
// request (see WithHold), but not beyond the deadline of ctx.
//
// Errors are ErrOption for a count below 1, ErrClosed, the error of ctx, ErrTopicNotFound, ErrNoBroker, ErrTimeout, ErrNotSent and *ResponseError. A pull
// changes nothing, so it can be repeated after any of them.
func (c *PullConsumer) Pull(ctx context.Context, queue Queue, offset QueueOffset, count int) (PullResult, error) {
	call, err := c.core.enter(ctx)
	if err != nil {
		return PullResult{}, err
	}
	defer call.Leave()
	if count < 1 {
		return PullResult{}, fmt.Errorf("%w: pull %s: %d messages cannot be asked for: give a number above 0", ErrOption, queue, count)
	}
	queue = c.config.space.fullQueue(queue)
	deadline := c.core.deadline(call, c.config.pullTimeout)
	address, err := c.reader(call, queue, deadline)
	if err != nil {
		return PullResult{}, err
	}
	c.core.beats.ensure(call, address, deadline)
	s := c.subscription(queue.Topic)
	request := &transport.Request{Code: proto.ReqPullMessage, Header: c.pullHeader(s, queue, offset, count, c.hold(deadline))}
	response, err := c.core.ask(call, address, request, deadline)
	if response == nil {
		return PullResult{}, err
	}
	return c.result(queue, s.filter, offset, response, err)
}

// reader is the address to pull a queue from.
func (c *PullConsumer) reader(call *env.Call, queue Queue, deadline env.Instant) (string, error) {
	b, err := c.broker(call, queue, deadline)
	if err != nil {
		return "", err
	}
	address, ok := b.reader(c.preferred[queue])
	if !ok {
		return "", fmt.Errorf("%w: no member of %s is known", ErrNoBroker, queue.BrokerName)
	}
	return address, nil
}

// broker finds the broker of a queue through the route of its topic.
func (c *PullConsumer) broker(call *env.Call, queue Queue, deadline env.Instant) (*broker, error) {
	if _, err := c.core.routes.forConsumer(call, queue.Topic, deadline); err != nil {
		return nil, err
	}
	b := c.core.brokers.byName[queue.BrokerName]
	if b == nil {
		return nil, fmt.Errorf("%w: no route names broker %q", ErrNoBroker, queue.BrokerName)
	}
	return b, nil
}

// hold is how long the broker may hold a pull so that its answer is in time.
func (c *PullConsumer) hold(deadline env.Instant) time.Duration {
	left := c.core.left(deadline)
	spare := min(left/4, time.Second)
	return max(0, min(c.config.holdFor, left-spare))
}

func (c *PullConsumer) pullHeader(s *subscribed, queue Queue, offset QueueOffset, count int, hold time.Duration) *proto.PullMessage {
	h := &proto.PullMessage{
		ConsumerGroup: c.config.group, Topic: queue.Topic, QueueID: queue.QueueID,
		QueueOffset: int64(offset), MaxMessages: int32(min(count, 1<<30)), Flags: proto.PullSubscription,
		Expression: s.data.Expression, ExpressionType: s.data.ExpressionType, Version: s.data.Version,
	}
	if hold > 0 {
		h.Flags |= proto.PullHold
		h.HoldForMillis = hold.Milliseconds()
	}
	return h
}

// result reads the answer to a pull.
func (c *PullConsumer) result(queue Queue, filter Filter, offset QueueOffset, response *wire.Command, refusal error) (PullResult, error) {
	status, answered := pullStatus(response.Code)
	if !answered {
		return PullResult{}, refusal
	}
	var h proto.PullMessageResponse
	if err := h.DecodeFields(response.Fields); err != nil {
		return PullResult{}, fmt.Errorf("pull %s: the answer cannot be read: %w", queue, err)
	}
	c.preferred[queue] = h.SuggestedBrokerID
	result := PullResult{Status: status, Next: QueueOffset(h.Next), Min: QueueOffset(h.Min), Max: QueueOffset(h.Max)}
	if status != NewMessages {
		return result, nil
	}
	var err error
	result.Messages, err = c.decode(queue, filter, offset, h.OffsetDelta, response.Body)
	if err != nil {
		return PullResult{}, fmt.Errorf("pull %s: the messages cannot be read: %w", queue, err)
	}
	if len(result.Messages) == 0 {
		result.Status = NoMatched
	}
	return result, nil
}

func pullStatus(code int32) (PullStatus, bool) {
	switch code {
	case proto.RespSuccess:
		return NewMessages, true
	case proto.RespPullNotFound:
		return NoNewMessages, true
	case proto.RespPullRetryImmediately:
		return NoMatched, true
	case proto.RespPullOffsetMoved:
		return OffsetMoved, true
	}
	return 0, false
}

// decodersMax is how many idle decoders are kept.
const decodersMax = 4

// decode takes the body of a pull from an offset apart, outside the node.
func (c *PullConsumer) decode(queue Queue, filter Filter, from QueueOffset, delta int64, body []byte) ([]*Received, error) {
	return c.decodeWith(body, func(d *decoder) {
		d.queue, d.filter, d.from, d.delta, d.space = queue, filter, from, delta, c.core.config.space
	})
}

// decodeWith takes a body apart outside the node, by a decoder that is set up for it.
func (c *PullConsumer) decodeWith(body []byte, setUp func(d *decoder)) (messages []*Received, err error) {
	d := &decoder{}
	if n := len(c.decoders); n > 0 {
		d, c.decoders = c.decoders[n-1], c.decoders[:n-1]
	}
	setUp(d)
	d.limit = c.core.config.unpackedMax
	c.core.env.Tasks.Offload(func() { messages, err = d.decode(body) })
	if len(c.decoders) < decodersMax {
		c.decoders = append(c.decoders, d)
	}
	return messages, err
}

// Close leaves the group, ends all connections, and returns when nothing of the consumer is left running. Calls
// under way fail with ErrClosed. Closing again does nothing. A ctx that ends only shortens the farewell.
func (c *PullConsumer) Close(ctx context.Context) error {
	call, patience, err := c.core.lastVisit(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	c.core.state = max(c.core.state, draining)
	c.core.close(call, patience)
	return nil
}
