package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/node/env"
)

// Producer sends messages (class DefaultMQProducer). It may be used by any number of
// goroutines. Close it when it is no longer needed.
type Producer struct {
	core      *core
	config    *config
	choice    choice
	random    env.Rand
	sequences sequences
	tracer    *tracer // nil: off
	exchanges exchanges
	idle      []*sending // not in use; len <= exchangesMax
	packers   []*packer  // not in use
	window    window
	requests  requests
	running   int      // sends and transactions under way, callbacks included
	finished  env.Cond // running fell to 0

	transactions transactions
	checks       checks
}

// NewProducer returns a producer. WithGroup and WithNameServers are required. It does not connect: the
// first send does. The error is an *OptionError.
//
// Tasks of the node must not call it, nor any method, with the baton; applications, and code
// run by Offload, may.
func NewProducer(e env.Env, options ...ProducerOption) (*Producer, error) {
	c := defaultConfig()
	for _, o := range options {
		o.applyProducer(c)
	}
	if err := c.validate(roleProducer); err != nil {
		return nil, err
	}
	p, err := newProducer(e, c)
	if err != nil || c.trace == nil {
		return p, err
	}
	if p.tracer, err = startTracer(e, c, traceOfProducer); err != nil {
		return nil, errors.Join(err, p.Close(context.Background()))
	}
	return p, nil
}

func newProducer(e env.Env, c *config) (*Producer, error) {
	p := &Producer{config: c, exchanges: exchanges{tasks: e.Tasks}, choice: choice{rooms: c.rooms}}
	if len(c.faultSteps) > 0 {
		p.choice.faults = newFaults(c.faultSteps)
	}
	_, err := newCore(e, c, roleProducer, func(k *core) {
		p.core = k
		p.random = e.Rand.Stream("producer")
		if !c.sequencesOff {
			p.sequences = newSequences(e.Rand)
		}
		p.window = newWindow(e.Tasks, c.windowMessages, c.windowBytes)
		p.finished = e.Tasks.NewCond()
		k.beats.producerGroup = c.group
		p.requests = newRequests(e)
		p.transactions.open, p.checks.byID = map[string]*Tx{}, map[string]*checkBack{}
		k.server = p.serve
		k.beats.urgent = func() bool { return p.requests.expecting() || p.transactions.underWay() }
		if len(c.listenerTopics) > 0 {
			k.start("find brokers with transactions", p.findTransactionBrokers)
		}
		if c.detects {
			k.start("detect brokers", p.detect)
		}
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Send sends a message and waits until a broker has stored it. It tries other brokers as long as the send timeout
// and the context allow, or the same one again, if it may have stored the message and knows one that comes again: see WithoutExactlyOnce. The
// message is not changed.
//
// Errors are ErrMessage (wrong message, not sent), ErrClosed, the error of ctx, and *SendError, which says
// whether the message may have been stored all the same.
func (p *Producer) Send(ctx context.Context, m *Message) (SendResult, error) {
	return p.send(ctx, m, Queue{}, false)
}

// SendTo is Send to a certain queue, which must belong to the topic of the message. It tries once, and again only if the outcome is not known and the broker
// knows a message that comes again.
func (p *Producer) SendTo(ctx context.Context, queue Queue, m *Message) (SendResult, error) {
	return p.send(ctx, m, queue, true)
}

func (p *Producer) send(ctx context.Context, m *Message, queue Queue, chosen bool) (SendResult, error) {
	call, err := p.begin(ctx)
	if err != nil {
		return SendResult{}, err
	}
	defer p.end(call)
	order := p.order(call, p.config.retries, p.config.retryCodes)
	s := p.take()
	defer p.give(s)
	if err := p.prepare(s, m); err != nil {
		return SendResult{}, err
	}
	if err := checkQueue(m, queue, chosen); err != nil {
		return SendResult{}, err
	}
	s.queue, s.chosen = queue, chosen
	return p.deliver(call, s, order)
}

// checkQueue returns ErrMessage if a queue that the caller chose belongs to another topic.
func checkQueue(m *Message, queue Queue, chosen bool) error {
	if chosen && queue.Topic != m.Topic {
		return fmt.Errorf("%w: its topic is %s, and queue %s belongs to another one", ErrMessage, m.Topic, queue)
	}
	return nil
}

// begin enters the node for a send that Close waits for.
func (p *Producer) begin(ctx context.Context) (*env.Call, error) {
	call, err := p.core.enter(ctx)
	if err == nil {
		p.running++
	}
	return call, err
}

func (p *Producer) end(call *env.Call) {
	p.ended()
	call.Leave()
}

func (p *Producer) ended() {
	p.running--
	if p.running == 0 {
		p.finished.Broadcast()
	}
}

// order is how a send is to be carried out.
type order struct {
	deadline   env.Instant
	retries    int            // tries after the first
	retryCodes map[int32]bool // answers after which to try again
	fixedOnce  bool           // a chosen queue is tried once
}

func (p *Producer) order(call *env.Call, retries int, codes map[int32]bool) order {
	return order{
		deadline: p.core.deadline(call, p.config.sendTimeout), retries: retries, retryCodes: codes, fixedOnce: true,
	}
}

// Queues lists the queues of a topic that Send uses, in its order. The slice must not be changed.
func (p *Producer) Queues(ctx context.Context, topic string) ([]Queue, error) {
	call, err := p.core.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer call.Leave()
	t, err := p.core.routes.forProducer(call, p.config.space.full(topic), p.core.deadline(call, p.config.sendTimeout))
	if err != nil {
		return nil, err
	}
	return t.shown, nil
}

// Close waits for sends, transactions and calls of the listener under way, ends the waiting of requests with ErrClosed, leaves the group, ends all connections, and returns when nothing of
// the producer is left running. Message traces that wait are sent, which takes 5 s at most. If ctx ends first, the sends under
// way fail, and Close returns the error of ctx; only callbacks of SendAsync, functions of transactions and listeners that do not return outlive
// it then. Closing again does nothing. A Tx that is not ended by then is left to check-backs.
//
// A callback of SendAsync that calls it needs a context that ends: Close waits for the callback.
func (p *Producer) Close(ctx context.Context) error {
	call, patience, err := p.core.lastVisit(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	p.core.state = max(p.core.state, draining)
	p.window.close()
	p.requests.close()
	for p.running > 0 && call.Wait(p.finished, patience) {
	}
	cutOff := p.running
	if p.tracer != nil {
		p.tracer.close(call, patience)
	}
	p.core.close(call, patience)
	// Sends that were cut off still have to tell their callers.
	for last := p.core.env.Clock.Now().Add(time.Second); p.running > 0 && p.finished.WaitUntil(last); {
	}
	if cutOff > 0 {
		return fmt.Errorf("%d sends, transactions and callbacks were cut off, %d have not returned: %w",
			cutOff, p.running, cmp.Or(call.Err(), ctx.Err(), context.DeadlineExceeded))
	}
	return nil
}
