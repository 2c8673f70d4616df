package broker

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/assign"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// routeTable knows the queues that topics have at all brokers, as name servers tell (class TopicRouteInfoManager). Only topics that
// members ask this broker to share out are in it.
type routeTable struct {
	broker  *Broker
	byTopic map[string]*knownRoute
	asking  map[string]*env.Future[[]proto.Queue] // under way: those who want the same share it
}

// knownRoute is the queues that consumers may read, sorted, and until when they are taken to be right.
type knownRoute struct {
	queues []proto.Queue
	until  env.Instant
}

// How long routes count, and the time after which those that nobody asks for are forgotten.
const (
	routeRetry  = 5 * time.Second // after no name server has answered
	routeForget = 10 * time.Minute
)

func newRouteTable(b *Broker) *routeTable {
	return &routeTable{broker: b, byTopic: map[string]*knownRoute{}, asking: map[string]*env.Future[[]proto.Queue]{}}
}

// readable lists the queues of a topic that consumers may read, at all brokers, sorted; none if nobody knows the topic. A broker without name servers
// knows its own only. The list is not to be changed. It may wait.
func (t *routeTable) readable(topic string) []proto.Queue {
	if len(t.broker.options.NameServers) == 0 {
		return t.own(topic)
	}
	if known := t.byTopic[topic]; known != nil && !known.until.Reached(t.broker.env.Clock.Now()) {
		return known.queues
	}
	if pending := t.asking[topic]; pending != nil {
		queues, _ := pending.Wait(nil, env.Never)
		return queues
	}
	pending := env.NewFuture[[]proto.Queue](t.broker.env.Tasks)
	t.asking[topic] = pending
	queues := t.ask(topic)
	delete(t.asking, topic)
	pending.Set(queues)
	return queues
}

func (t *routeTable) own(topic string) []proto.Queue {
	config := t.broker.topics.byName[topic]
	if config == nil {
		return nil
	}
	return readableQueues(topic, []proto.QueueRoute{{BrokerName: t.broker.options.Name, ReadQueues: config.ReadQueues, Perm: config.Perm & t.broker.options.Perm}})
}

// ask asks one name server after the other. If none answers, what was known before counts for a while.
func (t *routeTable) ask(topic string) []proto.Queue {
	b := t.broker
	for _, address := range b.options.NameServers {
		route, err := t.askOne(address, topic)
		var answered *transport.ResponseError
		switch {
		case err == nil:
			known := &knownRoute{readableQueues(topic, route.Queues), b.env.Clock.Now().Add(b.options.RoutesFor)}
			t.byTopic[topic] = known
			return known.queues
		case errors.As(err, &answered) && answered.Code == proto.RespTopicNotExist:
			delete(t.byTopic, topic)
			return nil
		}
		b.env.Log.Warn("a name server has not told a route", zap.String("name server", address), zap.String("topic", topic), zap.Error(err))
	}
	known := t.byTopic[topic]
	if known == nil {
		return nil
	}
	known.until = b.env.Clock.Now().Add(routeRetry)
	return known.queues
}

func (t *routeTable) askOne(address, topic string) (*proto.Route, error) {
	response, err := t.broker.outgoing.Call(nil, address, &transport.Request{
		Code: proto.ReqGetRouteInfoByTopic, Header: &proto.GetRouteInfoByTopic{Topic: topic},
	}, t.broker.options.RegisterTimeout)
	if err != nil {
		return nil, err
	}
	return proto.UnmarshalRoute(response.Body)
}

// readableQueues lists what consumers see of a route (topicRouteData2TopicSubscribeInfo).
func readableQueues(topic string, routes []proto.QueueRoute) []proto.Queue {
	var queues []proto.Queue
	for _, r := range routes {
		if !r.Perm.Readable() {
			continue
		}
		for id := range min(r.ReadQueues, queuesMax) {
			queues = append(queues, proto.Queue{Topic: topic, BrokerName: r.BrokerName, QueueID: id})
		}
	}
	assign.SortQueues(queues)
	return slices.Compact(queues)
}

// expire forgets routes that nobody asks for any more.
func (t *routeTable) expire() {
	now := t.broker.env.Clock.Now()
	maps.DeleteFunc(t.byTopic, func(_ string, known *knownRoute) bool { return known.until.Add(routeForget).Reached(now) })
}
