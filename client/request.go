package client

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// Request sends a message and waits for the reply of the consumer that handles it (class RequestResponseFuture). The timeout, from 1 ms, bounds
// the send and the wait together; WithSendTimeout does not count. A sooner deadline of ctx does. The message is not changed: what is sent has
// the properties CORRELATION_ID, REPLY_TO_CLIENT and TTL besides. More than one consumer may get the message; the first reply counts.
//
// Errors are ErrMessage, ErrBusy (WithRequestLimit) and *OptionError, after which nothing was sent; *SendError, if the message was not
// stored for sure; ErrNoReply, if it was stored and no reply came in time (code 10006), with ErrTimeout or the error of ctx; ErrClosed. If the error
// is anything but one of the first three, a consumer may have handled the message.
func (p *Producer) Request(ctx context.Context, m *Message, timeout time.Duration) (*Received, error) {
	return p.request(ctx, m, timeout, Queue{}, false)
}

// RequestTo is Request with a certain queue, which must belong to the topic of the message. The send is tried once.
func (p *Producer) RequestTo(ctx context.Context, queue Queue, m *Message, timeout time.Duration) (*Received, error) {
	return p.request(ctx, m, timeout, queue, true)
}

func (p *Producer) request(ctx context.Context, m *Message, timeout time.Duration, queue Queue, chosen bool) (*Received, error) {
	call, err := p.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer p.end(call)
	if m != nil {
		if err := checkQueue(m, queue, chosen); err != nil {
			return nil, err
		}
	}
	if err := p.admitRequest(m, timeout); err != nil {
		return nil, err
	}
	s := p.take()
	defer p.give(s)
	s.queue, s.chosen = queue, chosen
	return p.converse(call, s, m, p.requestOrder(call, timeout))
}

// RequestAsync is Request in the background: it returns at once and calls done once with the outcome. done may be nil. It runs on a goroutine of its own, may
// block, and may use this producer. The message must not change until then.
//
// If it returns an error, done is not called: the message is wrong, the producer is closed, or too many requests wait (ErrBusy). Afterwards the
// deadline of ctx still counts, its cancellation does not.
func (p *Producer) RequestAsync(ctx context.Context, m *Message, timeout time.Duration, done func(*Received, error)) error {
	call, err := p.begin(ctx)
	if err != nil {
		return err
	}
	defer p.end(call)
	if err := p.admitRequest(m, timeout); err != nil {
		return err
	}
	s, o := p.take(), p.requestOrder(call, timeout)
	s.mode, s.patience = Asynchronous, call.Deadline()
	p.running++
	p.core.env.Tasks.Go("request in the background", func() {
		reply, err := p.converse(nil, s, m, o)
		p.give(s)
		if done != nil {
			p.core.env.Tasks.Offload(func() { done(reply, err) })
		}
		p.ended()
	})
	return nil
}

// requestOrder lets a request take the time of its reply for the send as well.
func (p *Producer) requestOrder(call *env.Call, timeout time.Duration) order {
	o := p.order(call, p.config.retries, p.config.retryCodes)
	o.deadline = p.core.deadline(call, timeout)
	return o
}

// requests are those under way.
type requests struct {
	open    int                 // <= config.requestsMax
	waiting map[string]*waiting // by correlation id; those whose reply has not come
	random  env.Rand
	closed  bool
	routes  map[string]env.Instant // when the routes of reply topics were asked for
}

// waiting is a request whose reply is to come.
type waiting struct {
	correlation string
	outcome     *env.Future[answer]
}

// answer is a reply, or why there is none.
type answer struct {
	reply *Received
	err   error
}

func newRequests(e env.Env) requests {
	return requests{waiting: map[string]*waiting{}, random: e.Rand.Stream("requests"), routes: map[string]env.Instant{}}
}

// admitRequest checks what can be checked without the network, and takes a place, which converse gives back.
func (p *Producer) admitRequest(m *Message, timeout time.Duration) error {
	if timeout < time.Millisecond {
		return &OptionError{Option: "Request", Value: timeout.String(), Want: "a timeout of at least 1ms"}
	}
	if err := checkMessage(m, p.config.bodyMax); err != nil {
		return err
	}
	if p.requests.open >= p.config.requestsMax {
		return fmt.Errorf("%w: %d requests are under way, as many as allowed (WithRequestLimit)", ErrBusy, p.requests.open)
	}
	p.requests.open++
	return nil
}

// converse sends a request and waits for its reply. A reply counts even if it seems that the send has failed: somebody must have got the message.
func (p *Producer) converse(call *env.Call, s *sending, m *Message, o order) (*Received, error) {
	defer func() { p.requests.open-- }()
	w, err := p.expect(call, s, m, o)
	if err != nil {
		return nil, err
	}
	defer delete(p.requests.waiting, w.correlation)
	began := p.core.env.Clock.Now()
	if _, failure := p.deliver(call, s, o); failure != nil {
		if a, over := w.outcome.Value(); over && a.err == nil {
			return a.reply, nil
		}
		return nil, failure
	}
	if a, over := w.outcome.Wait(call, o.deadline); over {
		return a.reply, a.err
	}
	return nil, p.noReply(call, w, m.Topic, p.core.env.Clock.Now().Sub(began))
}

// expect prepares a request and begins to expect its reply. It waits for the route first: this client knows its own id only when it has a
// connection.
func (p *Producer) expect(call *env.Call, s *sending, m *Message, o order) (*waiting, error) {
	s.header.Topic, s.began = p.topicOf(m), p.core.env.Clock.Now()
	t, err := p.route(call, s, o)
	if err != nil {
		return nil, p.failed(s, err)
	}
	p.findRepliers(t)
	w := &waiting{correlation: p.requests.correlation(), outcome: env.NewFuture[answer](p.core.env.Tasks)}
	asked := *m
	asked.Properties = m.Properties.Clone()
	asked.Properties.Set(message.PropertyCorrelation, w.correlation)
	asked.Properties.Set(message.PropertyReplyToClient, p.core.ids.clientID())
	asked.Properties.Set(message.PropertyTimeToLiveMillis, strconv.FormatInt(max(1, p.core.left(o.deadline).Milliseconds()), 10))
	if err := p.prepare(s, &asked); err != nil {
		return nil, err
	}
	if p.requests.closed {
		return nil, ErrClosed
	}
	s.asks = true
	p.requests.waiting[w.correlation] = w
	return w, nil
}

// correlation draws an id: a random UUID, as other clients have them.
func (r *requests) correlation() string {
	high, low := r.random.Uint64(), r.random.Uint64()
	high = high&^0xF000 | 0x4000 // version 4
	low = low&^(3<<62) | 2<<62   // variant 1
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", high>>32, high>>16&0xFFFF, high&0xFFFF, low>>48, low&(1<<48-1))
}

// findRepliers sees to it that all brokers of a topic's clusters hear of this client soon: other clients send replies to any broker
// of the cluster, not to the one that stored the request.
func (p *Producer) findRepliers(t *topic) {
	now := p.core.env.Clock.Now()
	for _, at := range t.publish {
		name := proto.ReplyTopic(at.broker.cluster)
		if at.broker.cluster == "" || p.core.routes.topics[name] != nil {
			continue
		}
		// Without an answer it is not asked again for some time.
		if due, asked := p.requests.routes[name]; !asked || due.Reached(now) {
			p.requests.routes[name] = now.Add(p.core.config.routeRefreshEvery)
			p.core.routes.begin(name)
		}
	}
}

// introduce makes sure that a broker knows this client before it stores a request, and may get the reply.
func (p *Producer) introduce(call *env.Call, address string, deadline env.Instant) error {
	p.core.beats.ensure(call, address, deadline)
	if p.core.beats.peer(address).heard {
		return nil
	}
	return p.core.explain(call, fmt.Errorf("%w: %s has taken no heartbeat, and could not hand on the reply", ErrNotSent, address))
}

// noReply says why a request that was stored has ended without a reply.
func (p *Producer) noReply(call *env.Call, w *waiting, topic string, after time.Duration) error {
	text := fmt.Sprintf("request %s to %s was stored, and waited %s", w.correlation, topic, after.Round(time.Millisecond))
	if over := contextOf(call, p.core.env.Clock.Now()); over != nil {
		return fmt.Errorf("%w: %s: %w", ErrNoReply, text, over)
	}
	return fmt.Errorf("%w: %s: %w", ErrNoReply, text, ErrTimeout)
}

// expecting reports whether replies are to come, so that brokers should not be without this client for long.
func (r *requests) expecting() bool { return len(r.waiting) > 0 }

// close ends all waiting.
func (r *requests) close() {
	r.closed = true
	for _, correlation := range slices.Sorted(maps.Keys(r.waiting)) {
		r.waiting[correlation].outcome.Set(answer{err: fmt.Errorf("%w: %w to request %s until then", ErrClosed, ErrNoReply, correlation)})
	}
}
