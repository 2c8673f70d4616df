package client

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// topic is what is known of one topic. Its lists are replaced when the route changes, never changed,
// so callers may keep them across waits.
type topic struct {
	name      string
	producing bool // somebody sends to it: it may be created by that
	route     *proto.Route
	borrowed  bool     // the topic did not exist: the route is that of the topic it will be created from
	publish   []target // where to send, in round-robin order
	queues    []Queue  // those of publish
	shown     []Queue  // the same as the application names them, for selectors
	subscribe []Queue  // where to read
	cursor    int      // counts sends; the queue is the remainder
	fetchedAt env.Instant
	vanished  map[string]env.Instant // groups whose queues the route has though name servers lack them now, and since when
}

// target is a queue and its broker.
type target struct {
	Queue
	broker *broker
}

// turn returns the next target in the round. choice.pick decides whether it will do.
func (t *topic) turn() target {
	t.cursor = (t.cursor + 1) % len(t.publish)
	return t.publish[t.cursor]
}

// routes is the cache of routes.
type routes struct {
	core    *core
	topics  map[string]*topic
	fetches map[string]*env.Future[error] // under way, by topic: callers share one
	seeks   map[string]*seek              // under way, by broker name
	// reshaped, if not nil, is told of a topic whose queues to read are others now.
	reshaped func(topic string)
}

func newRoutes(k *core) *routes {
	return &routes{core: k, topics: map[string]*topic{}, fetches: map[string]*env.Future[error]{}, seeks: map[string]*seek{}}
}

// forProducer returns a topic that has a queue to send to.
func (r *routes) forProducer(call *env.Call, name string, deadline env.Instant) (*topic, error) {
	t := r.topics[name]
	if t != nil && len(t.publish) > 0 {
		return t, nil
	}
	t, err := r.fetch(call, name, true, deadline)
	if err == nil && len(t.publish) == 0 {
		err = fmt.Errorf("%w: topic %s has no writable queue at a living master (%s)", ErrNoBroker, name, t.route)
	}
	return t, err
}

// forConsumer returns a topic that has a queue to read from.
func (r *routes) forConsumer(call *env.Call, name string, deadline env.Instant) (*topic, error) {
	t := r.topics[name]
	if t != nil && len(t.subscribe) > 0 && !t.borrowed {
		return t, nil
	}
	t, err := r.fetch(call, name, false, deadline)
	if err == nil && len(t.subscribe) == 0 {
		err = fmt.Errorf("%w: topic %s has no readable queue (%s)", ErrNoBroker, name, t.route)
	}
	return t, err
}

func (r *routes) named(name string) *topic {
	t := r.topics[name]
	if t == nil {
		t = &topic{name: name}
		r.topics[name] = t
	}
	return t
}

// fetch asks for the route of a topic. It joins a fetch that is under way, but if that fails, it may be
// because it began in worse times, so it makes one of its own.
func (r *routes) fetch(call *env.Call, name string, producing bool, deadline env.Instant) (*topic, error) {
	for {
		t := r.named(name)
		t.producing = t.producing || producing
		_, joined := r.fetches[name]
		outcome := r.begin(name)
		if outcome == nil {
			return nil, ErrClosed
		}
		err, fetched := outcome.Wait(call, deadline)
		switch {
		case fetched && err == nil:
			return r.named(name), nil
		case fetched && (!joined || deadline.Reached(r.core.env.Clock.Now()) || errors.Is(err, ErrTopicNotFound)):
			return nil, err
		case !fetched && call.Err() != nil:
			return nil, fmt.Errorf("route of %s: %w", name, call.Err())
		case !fetched:
			return nil, r.core.explain(call, fmt.Errorf("route of %s: %w has answered yet: %w", name, ErrNoNameServer, ErrTimeout))
		}
	}
}

// begin starts a fetch, unless one is under way, and returns its outcome; nil when closing.
func (r *routes) begin(name string) *env.Future[error] {
	if outcome := r.fetches[name]; outcome != nil {
		return outcome
	}
	outcome := env.NewFuture[error](r.core.env.Tasks)
	started := r.core.start("fetch route of "+name, func() {
		t := r.named(name)
		young := t.route == nil
		err := r.update(t)
		if t.route == nil {
			// Nothing is known of the topic: it must not be refreshed for ever.
			delete(r.topics, name)
		} else if young && r.reshaped != nil {
			r.core.start("settle the route of "+name, func() { r.settle(name) })
		}
		delete(r.fetches, name)
		outcome.Set(err)
	})
	if !started {
		return nil
	}
	r.fetches[name] = outcome
	return outcome
}

// suspectPause is how long a route stays above suspicion after it was fetched.
const suspectPause = 250 * time.Millisecond

// settlePauses are the times between looks at a route that is new to a consumer.
var settlePauses = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}

// settle asks for a route some times more. Name servers that have just started know those groups of brokers that have come to them already, and whoever has
// never heard of the others would leave their queues to nobody, as far as they are its own, until routes are refreshed.
func (r *routes) settle(name string) {
	for _, pause := range settlePauses {
		if !r.core.pause(pause) || r.topics[name] == nil {
			return
		}
		// What goes wrong is for the next look, or for who needs the route.
		_, _ = r.fetch(nil, name, false, env.Never)
	}
}

// suspect fetches a route again, in the background, because a broker it names did not serve.
func (r *routes) suspect(name string) {
	if t := r.topics[name]; t != nil && r.core.env.Clock.Now().Sub(t.fetchedAt) >= suspectPause {
		r.begin(name)
	}
}

// update asks the name servers for the route of a topic and takes it over.
func (r *routes) update(t *topic) error {
	route, err := r.ask(t.name)
	borrowed := false
	// A topic that was there comes back, with its own queues: its only broker may be restarting. Those of another topic would be wrong then.
	if t.producing && (t.route == nil || t.borrowed) && hasCode(err, proto.RespTopicNotExist) {
		route, err = r.borrow(t.name, err)
		borrowed = true
	}
	if err != nil {
		return err
	}
	if len(route.Mappings) > 0 {
		return fmt.Errorf("%w: %s is a static topic, whose queues move between brokers; this client does not follow them", ErrNoBroker, t.name)
	}
	r.apply(t, route, borrowed)
	return nil
}

// borrow gets the route of the topic that an unknown topic will be created from.
func (r *routes) borrow(name string, unknown error) (*proto.Route, error) {
	config := r.core.config
	route, err := r.ask(config.createFrom)
	if hasCode(err, proto.RespTopicNotExist) {
		return nil, fmt.Errorf("%w: %s; create it, or allow brokers to create topics (%s): %w", ErrTopicNotFound, name, config.createFrom, unknown)
	}
	if err != nil {
		return nil, err
	}
	return borrowRoute(route, int32(config.createQueues)), nil
}

func (r *routes) ask(name string) (*proto.Route, error) {
	request := &transport.Request{Code: proto.ReqGetRouteInfoByTopic, Header: &proto.GetRouteInfoByTopic{Topic: name}}
	deadline := r.core.env.Clock.Now().Add(r.core.config.requestTimeout)
	response, err := r.core.names.ask(nil, request, deadline)
	if hasCode(err, proto.RespTopicNotExist) {
		return nil, fmt.Errorf("%w: %s: %w", ErrTopicNotFound, name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("route of %s: %w", name, err)
	}
	return proto.UnmarshalRoute(response.Body)
}

// apply takes over a route.
func (r *routes) apply(t *topic, route *proto.Route, borrowed bool) {
	route = r.keepVanished(t, route)
	news := r.core.brokers.learn(route)
	if t.route == nil {
		t.cursor = env.IntN(r.core.env.Rand, 1<<16)
	}
	before := t.queues
	t.route, t.borrowed, t.fetchedAt = route, borrowed, r.core.env.Clock.Now()
	t.queues = publishQueues(t.name, route)
	t.shown = r.core.config.space.bareQueues(t.queues)
	if !slices.Equal(before, t.queues) {
		r.core.env.Log.Info("route changed", zap.String("topic", t.name), zap.Stringer("route", route), zap.Bool("borrowed", borrowed))
	}
	read := t.subscribe
	t.subscribe = subscribeQueues(t.name, route)
	t.publish = make([]target, len(t.queues))
	for i, q := range t.queues {
		t.publish[i] = target{Queue: q, broker: r.core.brokers.named(q.BrokerName)}
	}
	if news {
		r.core.beats.changed.Broadcast()
	}
	if r.reshaped != nil && !slices.Equal(read, t.subscribe) {
		r.reshaped(t.name)
	}
}

// refresh is a task that keeps the routes of all topics in use up to date. A topic that
// cannot be fetched keeps its last route: brokers may be well although name servers are not.
func (r *routes) refresh() {
	for r.core.pause(r.core.config.routeRefreshEvery) {
		for _, name := range slices.Sorted(maps.Keys(r.topics)) {
			if r.topics[name] == nil || r.core.state >= closing {
				continue
			}
			if _, err := r.fetch(nil, name, false, env.Never); err != nil && !errors.Is(err, ErrClosed) {
				r.core.env.Log.Warn("route could not be refreshed", zap.String("topic", name), zap.Error(err))
			}
		}
		names := r.brokerNames()
		r.core.brokers.keep(names)
		maps.DeleteFunc(r.seeks, func(name string, s *seek) bool { return s.restsTo > 0 && !names[name] })
	}
}

// brokerNames is the set of all names that routes speak of.
func (r *routes) brokerNames() map[string]bool {
	names := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(r.topics)) {
		t := r.topics[name]
		for _, at := range t.publish {
			names[at.BrokerName] = true
		}
		if t.route == nil {
			continue
		}
		for i := range t.route.Brokers {
			names[t.route.Brokers[i].BrokerName] = true
		}
	}
	return names
}
