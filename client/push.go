package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// PushConsumer gives the messages of its topics to a handler, or to loops over Messages, and shares them with the other members of
// its group (class DefaultMQPushConsumer). It pulls ahead, commits what was consumed, and sees to it that what failed
// comes again. It may be used by any number of goroutines. Close it when it is no longer needed.
type PushConsumer struct {
	core    *core
	config  *config
	push    *pushConfig
	reader  *PullConsumer // the same core: subscriptions, pulls
	inner   *Producer     // the same core: sends failed messages when brokers do not take them back
	popper  popper        // the same core: what is not pulled
	store   offsetStore
	context context.Context // of handlers

	lite *polling // of a LitePullConsumer, whose engine this is; else nil

	started   bool
	startedAt env.WallMillis
	suspended bool
	assigned  map[Queue]*assignment
	order     []*assignment   // those of assigned, in the order of queues
	cursor    int             // whose turn it is in order
	decided   map[string]bool // topics whose queues a broker has assigned once, see askAssignment

	working   int      // calls of the handler, and messages of loops, under way
	workers   int      // tasks that call the handler; <= push.concurrency
	arrived   env.Cond // messages wait: wakes loops over Messages
	finished  env.Cond // working has fallen to 0
	rebalance rebalancing
	locking   env.Instant // when to renew the locks of queues; see core.stopped
	unlocks   map[Queue]*pendingUnlock
	unlocking bool     // the task that works on unlocks is there
	unlocked  env.Cond // unlocks has changed
	rates     rates
	tracer    *tracer            // nil: off
	notices   *env.Queue[func()] // calls of listeners that wait for their turn; nil: there were none yet
}

// NewPushConsumer returns a consumer. WithGroup and WithNameServers are required, and a handler, unless Messages is used. It does not
// connect: Start does. The error is an *OptionError. See NewProducer for who may call.
func NewPushConsumer(e env.Env, options ...PushOption) (*PushConsumer, error) {
	c := defaultConfig()
	c.holdFor = pushHold
	for _, o := range options {
		o.applyPush(c)
	}
	if c.push.model == Broadcasting {
		// A name that is made up would be another one at the next start, and the offsets would be lost.
		c.instance = cmp.Or(c.instance, "DEFAULT")
	}
	p := &PushConsumer{config: c, push: &c.push, assigned: map[Queue]*assignment{}, unlocks: map[Queue]*pendingUnlock{}, context: context.Background()}
	if _, err := newCore(e, c, rolePush, p.setUp); err != nil {
		return nil, err
	}
	if err := p.startTracing(e); err != nil {
		return nil, err
	}
	return p, nil
}

// startTracing starts the tracer of a new consumer if there is to be one. With an error the consumer is closed.
func (c *PushConsumer) startTracing(e env.Env) (err error) {
	if c.config.trace == nil {
		return nil
	}
	if c.tracer, err = startTracer(e, c.config, traceOfConsumer); err != nil {
		return errors.Join(err, c.Close(context.Background()))
	}
	return nil
}

func (c *PushConsumer) setUp(k *core) {
	tasks := k.env.Tasks
	c.core = k
	c.reader = &PullConsumer{core: k, config: c.config, subscriptions: map[string]*subscribed{}, preferred: map[Queue]int64{}}
	c.inner = newInnerProducer(k)
	c.popper = popper{core: k, config: c.config, reader: c.reader}
	c.decided = map[string]bool{}
	c.arrived, c.finished, c.unlocked = tasks.NewCond(), tasks.NewCond(), tasks.NewCond()
	c.rebalance = rebalancing{changed: tasks.NewCond(), over: tasks.NewCond()}
	c.rates = rates{since: k.env.Clock.Now(), topics: map[string]*topicRates{}}
	for _, s := range c.config.subscriptions {
		c.reader.subscribe(c.config.space.full(s.topic), s.filter)
	}
	if c.push.model == Broadcasting {
		c.store = &localOffsets{consumer: c}
	} else {
		c.store = &brokerOffsets{consumer: c, asking: newAsker(c)}
		if c.lite == nil {
			c.reader.subscribe(proto.RetryTopic(c.config.group), Tags(proto.SubscribeAll))
		}
	}
	k.server, k.met, k.lost = c.serve, c.met, c.lost
	k.routes.reshaped = func(string) { c.rebalanceSoon(0) }
}

// Start finds the brokers and begins to consume, in the background. It fails with an *OptionError if no topic is subscribed, with
// ErrNoNameServer if no name server answers, and with a *ResponseError if a broker refuses an SQL filter; topics that do not exist yet
// are waited for. After an error it may be called again. Handlers get the values of ctx.
func (c *PushConsumer) Start(ctx context.Context) error {
	call, err := c.core.enter(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	if c.started {
		return errStarted
	}
	if !slices.ContainsFunc(c.topics(), func(topic string) bool { return !c.isRetryTopic(topic) }) {
		return &OptionError{Option: "WithSubscription", Want: "at least one topic, or call Subscribe before Start"}
	}
	return c.begin(ctx, call)
}

// begin is Start of a consumer that was not started.
func (c *PushConsumer) begin(ctx context.Context, call *env.Call) error {
	if err := c.findTopics(call); err != nil {
		return err
	}
	if err := c.checkFilters(call); err != nil {
		return err
	}
	if err := c.store.load(); err != nil {
		return err
	}
	if c.started || c.core.state != open {
		return fmt.Errorf("%w, or it was started, meanwhile", ErrClosed)
	}
	c.started, c.startedAt, c.context = true, c.core.env.Clock.Wall(), context.WithoutCancel(ctx)
	c.core.beats.consumerGroup, c.core.beats.consumer = c.config.group, c.consumerData
	c.core.beats.announce()
	c.core.start("rebalance", c.rebalanceLoop)
	c.core.start("store offsets", c.persistLoop)
	c.core.start("watch pulls", c.watchPulls)
	if c.locks() {
		c.core.start("lock queues", c.lockLoop)
	}
	if !c.push.inOrder && c.lite == nil {
		c.core.start("expire messages", c.expireLoop)
	}
	return nil
}

// findTopics asks for the routes of all topics.
func (c *PushConsumer) findTopics(call *env.Call) error {
	deadline := c.core.deadline(call, c.config.requestTimeout)
	for _, topic := range c.topics() {
		_, err := c.core.routes.forConsumer(call, topic, deadline)
		switch {
		case err == nil:
		case errors.Is(err, ErrTopicNotFound), errors.Is(err, ErrNoBroker):
			c.core.env.Log.Info("a topic cannot be consumed yet", zap.String("topic", topic), zap.Error(err))
		default:
			return err
		}
	}
	return nil
}

// topics are those subscribed, sorted.
func (c *PushConsumer) topics() []string { return slices.Sorted(maps.Keys(c.reader.subscriptions)) }

func (c *PushConsumer) consumerData() *proto.ConsumerData {
	data := c.reader.consumerData()
	data.Model = c.push.model
	if c.lite == nil {
		data.ConsumeType, data.From = proto.ConsumePush, c.push.from
	}
	return data
}

// Subscribe adds a topic, or changes its filter. Pulls that have begun keep the old one. Errors are a *proto.NameError, and a *ResponseError
// if a broker refuses an SQL filter; then nothing has changed.
func (c *PushConsumer) Subscribe(ctx context.Context, topic string, filter Filter) error {
	call, err := c.core.enter(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	return c.subscribe(call, c.config.space.full(topic), filter)
}

func (c *PushConsumer) subscribe(call *env.Call, topic string, filter Filter) error {
	if err := proto.ValidateTopic(topic); err != nil {
		return err
	}
	if err := c.checkFilter(call, filter.data(topic, 0)); err != nil {
		return err
	}
	c.reader.subscribe(topic, filter)
	c.core.beats.announce()
	c.rebalanceSoon(0)
	return nil
}

// Unsubscribe gives a topic up. It returns before its queues are given up; calls of the handler may follow until then.
func (c *PushConsumer) Unsubscribe(ctx context.Context, topic string) error {
	call, err := c.core.enter(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	topic = c.config.space.full(topic)
	if c.isRetryTopic(topic) {
		return fmt.Errorf("topic %s brings what failed: a group cannot be without it", topic)
	}
	c.unsubscribe(topic)
	return nil
}

func (c *PushConsumer) unsubscribe(topic string) {
	delete(c.reader.subscriptions, topic)
	c.core.beats.announce()
	c.rebalanceSoon(0)
}

func (c *PushConsumer) isRetryTopic(topic string) bool {
	return topic == proto.RetryTopic(c.config.group)
}

// Assigned lists the queues that this consumer holds now, sorted.
func (c *PushConsumer) Assigned(ctx context.Context) ([]Queue, error) {
	call, err := c.core.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer call.Leave()
	return c.config.space.bareQueues(c.queues()), nil
}

// queues are those held, but for those that are being given up.
func (c *PushConsumer) queues() []Queue {
	var queues []Queue
	for _, a := range c.order {
		if !a.dropped {
			queues = append(queues, a.queue)
		}
	}
	return queues
}
