package client

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/assign"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
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

// popTarget is a topic at a broker name, and how its pops go. There is never more than one under way.
type popTarget struct {
	queue    Queue // id assign.WholeBroker
	busy     bool
	rest     env.Instant // not to be asked before
	err      error       // of the last pop that ended; nil: it was answered
	failedAt env.Instant // when that was
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

// askAll begins a pop at each broker of each topic, unless one is under way there. It returns when to look again, and an error if none
// of them could be asked since the caller began.
func (c *PopConsumer) askAll(call *env.Call, most int, began env.Instant) (next env.Instant, err error) {
	targets, failures := c.current(call)
	if c.core.state != open {
		return 0, ErrClosed
	}
	hopeful := false
	for _, t := range targets {
		if !t.busy && t.err != nil && t.failedAt > began {
			failures = append(failures, t.err)
			continue
		}
		hopeful = true
	}
	if !hopeful {
		return 0, join(failures)
	}
	now := c.core.env.Clock.Now()
	next = env.Never
	for _, t := range targets {
		if !t.busy && t.rest <= now {
			c.ask(t, most)
		}
		if !t.busy {
			next = next.Sooner(t.rest)
		}
	}
	return next, nil
}

// current are the targets of all topics, in order, and the errors of topics that have none.
func (c *PopConsumer) current(call *env.Call) (targets []*popTarget, failures []error) {
	deadline := c.core.deadline(call, c.config.requestTimeout)
	known := map[Queue]*popTarget{}
	for _, topic := range slices.Sorted(maps.Keys(c.reader.subscriptions)) {
		route, err := c.core.routes.forConsumer(call, topic, deadline)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		for _, name := range brokerNamesOf(route.subscribe) {
			queue := Queue{Topic: topic, BrokerName: name, QueueID: assign.WholeBroker}
			t := c.targets[queue]
			if t == nil {
				t = &popTarget{queue: queue}
				c.targets[queue] = t
			}
			known[queue] = t
			targets = append(targets, t)
		}
	}
	if len(failures) == 0 {
		// What no route names any more need not be remembered.
		maps.DeleteFunc(c.targets, func(q Queue, t *popTarget) bool { return known[q] == nil && !t.busy })
	}
	return targets, failures
}

// ask begins a pop. Its task outlives the call that began it, so that no message is lost which comes a little late.
func (c *PopConsumer) ask(t *popTarget, most int) {
	wanted := c.reader.subscriptions[t.queue.Topic]
	if wanted == nil {
		return
	}
	t.busy = c.core.start("pop "+t.queue.String(), func() {
		began := c.core.env.Clock.Now()
		answer, err := c.popper.pop(nil, popRequest{queue: t.queue, wanted: wanted, most: most, hold: c.config.holdFor})
		now := c.core.env.Clock.Now()
		t.rest = now.Add(restAfter(answer, err, now.Sub(began)))
		if hasCode(err, proto.RespFlowControl) {
			// It will serve soon.
			err = nil
		}
		t.busy, t.err, t.failedAt = false, err, now
		if err != nil && c.core.state == open {
			c.core.env.Log.Warn("a pop failed", zap.Stringer("queue", t.queue), zap.Error(err))
		}
		c.ready = append(c.ready, answer.messages...)
		c.arrived.Broadcast()
		for _, m := range answer.unwanted {
			c.dismiss(m)
		}
	})
}

// restAfter is how long a broker is left alone after a pop.
func restAfter(answer popAnswer, err error, took time.Duration) time.Duration {
	switch {
	case hasCode(err, proto.RespFlowControl):
		return afterFlowControl
	case err != nil, answer.full:
		return afterError
	case len(answer.messages)+len(answer.unwanted) == 0 && took < emptyAnswerMin:
		return emptyAnswerMin
	}
	return 0
}

// dismiss acknowledges a message that the filter leaves out. If that does not work, it comes again, and is dismissed again.
func (c *PopConsumer) dismiss(m *PoppedMessage) {
	c.core.start("dismiss", func() {
		if err := c.popper.acknowledge(nil, m, c.core.env.Clock.Now().Add(ackTimeout)); err != nil {
			c.core.env.Log.Info("a message that the filter leaves out was not acknowledged", zap.Stringer("message", m), zap.Error(err))
		}
	})
}
