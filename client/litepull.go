package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/assign"
	"github.com/gantrymq/gantry/transport/proto"
)

// LitePullConsumer gives messages to whoever polls (class DefaultLitePullConsumer). Like a PushConsumer it pulls ahead in the background;
// but the application says when it wants messages, where to go on in a queue, and what is committed.
//
// Its queues come in one of two ways, for its whole life: Subscribe, or WithSubscription, shares the queues of topics
// with the other members of the group; Assign takes just the queues that are named. The other way is then refused with ErrMode.
//
// A message that cannot be dealt with does not come again by itself: there is no retry topic. Seek back to it, or send it
// elsewhere. When a queue goes to another member, the messages that were not committed come again there.
//
// It may be used by any number of goroutines. Close it when it is no longer needed.
type LitePullConsumer struct {
	engine *PushConsumer // which has no handler, and no retry topic
	*polling
}

// polling is the state of a lite pull consumer that its engine looks at.
type polling struct {
	mode      mode
	fixed     []Queue           // with modeAssign: what is to be held, sorted
	filters   map[string]Filter // of WithAssignFilter, by topics as brokers name them
	beginning bool              // a call starts the engine
	changed   env.Cond
	watched   map[string]*watch // by topic
	watching  bool              // the task that looks at them runs
}

// mode is how queues come to a lite pull consumer (enum SubscriptionType).
type mode int

const (
	modeNone mode = iota
	modeSubscribe
	modeAssign
)

// Errors of lite pull consumers.
var (
	// ErrMode: queues of a consumer are either shared out, by Subscribe, or given by Assign. The call belongs to the other way, or comes
	// before any of the two.
	ErrMode = errors.New("wrong way to get queues")
	// ErrNotAssigned: the consumer does not hold the queue, or not any more. Another member may have it.
	ErrNotAssigned = errors.New("queue is not held by this consumer")
	// ErrOffsetRange: there is no such offset in the queue.
	ErrOffsetRange = errors.New("offset lies outside the queue")
	// ErrSentElsewhere: the group's offset was reset, or the queue has no more what it had, and an offset from before cannot be committed.
	ErrSentElsewhere = errors.New("the queue was sent elsewhere")
)

// NewLitePullConsumer returns a consumer. WithGroup and WithNameServers are required. It does not connect: the first call does. The
// error is an *OptionError. See NewProducer for who may call.
func NewLitePullConsumer(e env.Env, options ...LitePullOption) (*LitePullConsumer, error) {
	c := liteConfigOf(options)
	if c.push.model == Broadcasting {
		// A name that is made up would be another one at the next start, and the offsets would be lost.
		c.instance = cmp.Or(c.instance, "DEFAULT")
	}
	l := &polling{watched: map[string]*watch{}, filters: map[string]Filter{}}
	// order does not matter: they go to another table
	for topic, filter := range c.lite.filters {
		l.filters[c.space.full(topic)] = filter
	}
	p := &PushConsumer{config: c, push: &c.push, assigned: map[Queue]*assignment{}, context: context.Background(), lite: l}
	if len(c.subscriptions) > 0 {
		l.mode = modeSubscribe
	}
	_, err := newCore(e, c, roleLitePull, func(k *core) {
		p.setUp(k)
		l.changed = k.env.Tasks.NewCond()
	})
	if err != nil {
		return nil, err
	}
	if err := p.startTracing(e); err != nil {
		return nil, err
	}
	return &LitePullConsumer{p, l}, nil
}

// enter is the beginning of calls that need the engine to run.
func (c *LitePullConsumer) enter(ctx context.Context) (*env.Call, error) {
	call, err := c.engine.core.enter(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.begin(ctx, call); err != nil {
		call.Leave()
		return nil, err
	}
	return call, nil
}

// begin starts the engine, once. After an error the next call tries again.
func (c *LitePullConsumer) begin(ctx context.Context, call *env.Call) error {
	for c.beginning {
		if !call.Wait(c.changed, env.Never) {
			if err := contextOf(call, c.engine.core.env.Clock.Now()); err != nil {
				return err
			}
		}
	}
	if c.engine.started || c.engine.core.state != open {
		return nil
	}
	c.beginning = true
	err := c.engine.begin(ctx, call)
	c.beginning = false
	c.changed.Broadcast()
	return err
}

// settle decides how queues come, or refuses because it was decided otherwise.
func (l *polling) settle(wanted mode) error {
	switch {
	case l.mode == modeNone, l.mode == wanted:
		l.mode = wanted
		return nil
	case wanted == modeAssign:
		return fmt.Errorf("%w: this consumer subscribes, and shares queues with its group: make another one to assign queues by hand", ErrMode)
	}
	return fmt.Errorf("%w: the queues of this consumer are assigned by hand: make another one to subscribe", ErrMode)
}

// Subscribe adds a topic, or changes its filter, and shares its queues with the other members of the group: all members must subscribe
// the same. It returns before queues are held. Errors are ErrMode after Assign, a *proto.NameError, and a *ResponseError
// if a broker refuses an SQL filter; then nothing has changed. Topics that do not exist yet are waited for.
func (c *LitePullConsumer) Subscribe(ctx context.Context, topic string, filter Filter) error {
	call, err := c.enter(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	if err := c.settle(modeSubscribe); err != nil {
		return err
	}
	err = c.engine.subscribe(call, c.space().full(topic), filter)
	if len(c.engine.topics()) == 0 {
		// Refused: nothing was decided by it.
		c.mode = modeNone
	}
	return err
}

// Unsubscribe gives a topic up. It returns before its queues are given up.
func (c *LitePullConsumer) Unsubscribe(ctx context.Context, topic string) error {
	call, err := c.enter(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	if err := c.settle(modeSubscribe); err != nil {
		return err
	}
	c.engine.unsubscribe(c.space().full(topic))
	return nil
}

// Assign makes just these queues the consumer's, of any topics, whoever else reads them; those it had before and that are not among them
// are given up. It returns when they are held, so that Seek may follow. With an error, such as that of ctx, or ErrTopicNotFound, it goes
// on trying in the background. After Subscribe it fails with ErrMode.
func (c *LitePullConsumer) Assign(ctx context.Context, queues ...Queue) error {
	call, err := c.enter(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	if err := c.settle(modeAssign); err != nil {
		return err
	}
	c.fixed = slices.Clone(queues)
	for i := range c.fixed {
		c.fixed[i] = c.space().fullQueue(c.fixed[i])
	}
	assign.SortQueues(c.fixed)
	c.fixed = slices.Compact(c.fixed)
	for _, topic := range c.engine.topics() {
		if len(c.fixedOf(topic)) == 0 {
			c.engine.unsubscribe(topic)
		}
	}
	for _, queue := range c.fixed {
		if c.engine.reader.subscriptions[queue.Topic] != nil {
			continue
		}
		filter, found := c.filters[queue.Topic]
		if !found {
			filter = Tags(proto.SubscribeAll)
		}
		if err := c.engine.subscribe(call, queue.Topic, filter); err != nil {
			return err
		}
	}
	c.engine.rebalanceSoon(0)
	return c.awaitAssigned(call)
}

// fixedOf are the queues of a topic that were assigned by hand.
func (l *polling) fixedOf(topic string) []Queue {
	return slices.DeleteFunc(slices.Clone(l.fixed), func(q Queue) bool { return q.Topic != topic })
}

// awaitAssigned waits until the queues held are those that were assigned, or a round that began after the call could not do that.
func (c *LitePullConsumer) awaitAssigned(call *env.Call) error {
	p, r := c.engine, &c.engine.rebalance
	// A round under way may not know of the call.
	last := r.rounds + 2
	for !slices.Equal(p.queues(), c.fixed) {
		switch {
		case p.core.state != open:
			return ErrClosed
		case r.rounds >= last && r.err != nil:
			return r.err
		}
		if !call.Wait(r.over, env.Never) {
			if err := contextOf(call, p.core.env.Clock.Now()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Assigned lists the queues that this consumer holds now, sorted.
func (c *LitePullConsumer) Assigned(ctx context.Context) ([]Queue, error) {
	return c.engine.Assigned(ctx)
}

// Close commits what counts as consumed, gives up the queues, leaves the group so that others take over at once, and ends all connections.
// It returns when nothing of the consumer is left running but listeners that ctx had no patience for. Calls under
// way fail with ErrClosed. Closing again does nothing.
//
// Messages of the last Poll do not count as consumed, for nobody has said so: call Commit before, or they come again.
func (c *LitePullConsumer) Close(ctx context.Context) error { return c.engine.Close(ctx) }

// held is the assignment of a queue.
func (c *LitePullConsumer) held(queue Queue) (*assignment, error) {
	a := c.engine.assigned[c.space().fullQueue(queue)]
	if a == nil || a.dropped || a.leaving {
		return nil, fmt.Errorf("%w: %s", ErrNotAssigned, queue)
	}
	return a, nil
}

func (c *LitePullConsumer) space() namespace { return c.engine.config.space }
