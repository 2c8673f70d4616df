package client

import (
	"context"
	"fmt"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// PopConsumer takes messages from brokers without holding queues: each message goes to one member of the group, which must acknowledge it
// within a time, or it goes to another one (classes DefaultMQPushConsumer with POP, and SimpleConsumer of the gRPC client). There is no
// rebalance: any number of members may share a queue, and one that is slow holds up nobody else.
//
//	for {
//		messages, err := consumer.Pop(ctx, 16)
//		if err != nil {
//			return err // ctx has ended, or no broker can be asked
//		}
//		for _, m := range messages {
//			work(m)
//			err := consumer.Ack(ctx, m)
//			…
//		}
//	}
//
// A message that is not acknowledged comes again, with Redeliveries counted up; there is no limit to that and no dead-letter topic: the
// application decides when it gives up. Messages come in no certain order. It may be used by any number of goroutines. Close it when it is no
// longer needed.
type PopConsumer struct {
	core    *core
	config  *config
	reader  *PullConsumer // the same core: subscriptions
	popper  popper
	targets map[Queue]*popTarget
	ready   []*PoppedMessage // popped and not handed out, by arrival
	arrived env.Cond         // ready has grown, or a pop has ended
	tracer  *tracer          // nil: off
}

// NewPopConsumer returns a consumer. WithGroup and WithNameServers are required. It does not connect: the first call does. The
// error is an *OptionError. See NewProducer for who may call.
func NewPopConsumer(e env.Env, options ...PopOption) (*PopConsumer, error) {
	c := defaultConfig()
	c.holdFor = popHold
	for _, o := range options {
		o.applyPop(c)
	}
	p := &PopConsumer{config: c, targets: map[Queue]*popTarget{}}
	k, err := newCore(e, c, rolePop, p.setUp)
	if err != nil {
		return nil, err
	}
	if c.trace == nil {
		return p, nil
	}
	if p.tracer, err = startTracer(e, k.config, traceOfConsumer); err != nil {
		return nil, join([]error{err, p.Close(context.Background())})
	}
	return p, nil
}

func (c *PopConsumer) setUp(k *core) {
	c.core = k
	c.reader = &PullConsumer{core: k, config: c.config, subscriptions: map[string]*subscribed{}, preferred: map[Queue]int64{}}
	c.popper = popper{core: k, config: c.config, reader: c.reader}
	c.arrived = k.env.Tasks.NewCond()
	for _, s := range c.config.subscriptions {
		c.reader.subscribe(c.config.space.full(s.topic), s.filter)
	}
	k.beats.consumerGroup, k.beats.consumer = c.config.group, c.consumerData
	k.server = c.serve
}

func (c *PopConsumer) consumerData() *proto.ConsumerData {
	data := c.reader.consumerData()
	// As Java's consumers that pop: brokers know CONSUME_POP only from the gRPC proxy.
	data.ConsumeType, data.From = proto.ConsumePush, c.config.push.from
	return data
}

// serve lets brokers tell of changes among the members, which do not matter here.
func (c *PopConsumer) serve(in *transport.Incoming) bool {
	if in.Command.Code != proto.ReqNotifyConsumerIDsChanged {
		return false
	}
	in.Reply().Success(nil)
	return true
}

// Subscribe adds a topic, or changes its filter. Pops that have begun keep the old one. Errors are a *proto.NameError, and a *ResponseError
// if a broker refuses an SQL filter; then nothing has changed. All members of a group must subscribe the same.
func (c *PopConsumer) Subscribe(ctx context.Context, topic string, filter Filter) error {
	call, err := c.core.enter(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	topic = c.config.space.full(topic)
	if err := proto.ValidateTopic(topic); err != nil {
		return err
	}
	if filter.kind == proto.ExpressionSQL {
		wanted := &subscribed{filter: filter, data: filter.data(topic, 0)}
		if refused, err := c.reader.checkFilter(call, wanted, c.core.deadline(call, c.config.requestTimeout)); refused {
			return fmt.Errorf("filter %q of topic %s: %w", filter, topic, err)
		}
	}
	c.reader.subscribe(topic, filter)
	c.core.beats.announce()
	return nil
}

// Unsubscribe gives a topic up. Messages of it that were popped may still be handed out.
func (c *PopConsumer) Unsubscribe(ctx context.Context, topic string) error {
	call, err := c.core.enter(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	delete(c.reader.subscriptions, c.config.space.full(topic))
	c.core.beats.announce()
	c.arrived.Broadcast()
	return nil
}

// Pop waits for messages and returns up to so many, from 1 to 32, of all topics that are subscribed and all their brokers. It asks the brokers
// all at once; what others bring when it has returned is handed out by the next call, if its time is not over by then.
//
// The error is that of ctx, ErrClosed, ErrOption without a subscription, or, if none of the brokers can be asked, what each
// of them answered: ErrTopicNotFound, ErrNoBroker, ErrTimeout, ErrNotSent, *ResponseError. It may be called again after any of them.
func (c *PopConsumer) Pop(ctx context.Context, most int) ([]*PoppedMessage, error) {
	call, err := c.core.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer call.Leave()
	if most < 1 || most > popBatchMax {
		return nil, fmt.Errorf("%w: %d messages cannot be popped: give a number from 1 to %d", ErrOption, most, popBatchMax)
	}
	began := c.core.env.Clock.Now()
	for {
		if messages := c.handOut(most); len(messages) > 0 {
			return messages, nil
		}
		switch {
		case c.core.state != open:
			return nil, ErrClosed
		case len(c.reader.subscriptions) == 0:
			return nil, fmt.Errorf("%w: there is nothing to pop: call Subscribe, or give WithSubscription", ErrOption)
		}
		next, err := c.askAll(call, most, began)
		if err != nil {
			return nil, err
		}
		if !call.Wait(c.arrived, next) {
			if err := contextOf(call, c.core.env.Clock.Now()); err != nil {
				return nil, err
			}
		}
	}
}

// handOut takes messages whose time is not over.
func (c *PopConsumer) handOut(most int) (messages []*PoppedMessage) {
	now := c.core.env.Clock.Now()
	for len(c.ready) > 0 && len(messages) < most {
		m := c.ready[0]
		c.ready = c.ready[1:]
		if m.over(now) {
			continue
		}
		m.trace = traceBegin(c.core, c.tracer, []*Received{m.Received})
		messages = append(messages, m)
	}
	return messages
}
