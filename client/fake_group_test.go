package client_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// groups is what a fake broker does for consumers that share queues: it knows members, notifies them, locks queues, takes messages
// back, and holds pulls.
type groups struct {
	members  map[string]*transport.Conn // by client id; one group only
	models   map[string]proto.MessageModel
	locks    map[client.Queue]string
	lockedAt map[client.Queue]env.Instant
	back     []proto.ConsumerSendMessageBack
	arrived  env.Cond
	silent   bool // members are not told of changes
	refuse   map[int32]bool
	stored   int // messages
}

func newGroups(b *broker) *groups {
	return &groups{
		members: map[string]*transport.Conn{}, models: map[string]proto.MessageModel{}, locks: map[client.Queue]string{},
		lockedAt: map[client.Queue]env.Instant{},
		arrived:  b.env.Tasks.NewCond(), refuse: map[int32]bool{},
	}
}

// serve reports whether it has dealt with a request.
func (g *groups) serve(b *broker, in *transport.Incoming) bool {
	reply, fields := in.Reply(), in.Command.Fields
	if g.refuse[in.Command.Code] {
		reply.Error(proto.RespSystemError, "refused by the test")
		return true
	}
	switch in.Command.Code {
	case proto.ReqHeartbeat:
		id := b.heartbeats[len(b.heartbeats)-1].ClientID
		known := g.members[id]
		g.members[id] = in.Conn
		reply.Success(nil)
		if known != in.Conn {
			g.notify(id)
		}
	case proto.ReqUnregisterClient:
		id := b.left[len(b.left)-1].ClientID
		delete(g.members, id)
		reply.Success(nil)
		g.notify(id)
	case proto.ReqGetConsumerListByGroup:
		maps.DeleteFunc(g.members, func(_ string, conn *transport.Conn) bool { return conn.Closed() })
		if len(g.members) == 0 {
			reply.Error(proto.RespSystemError, "no consumer for this group")
			return true
		}
		reply.Success((&proto.ConsumerList{ClientIDs: slices.Sorted(maps.Keys(g.members))}).Marshal())
	case proto.ReqGetMaxOffset:
		var h proto.GetMaxOffset
		must(h.DecodeFields(fields))
		q := client.Queue{Topic: h.Topic, BrokerName: b.name, QueueID: h.QueueID}
		reply.Send(proto.RespSuccess, &proto.OffsetResponse{Offset: int64(len(b.queues[q]))}, nil)
	case proto.ReqConsumerSendMessageBack:
		g.takeBack(b, in)
	case proto.ReqLockBatchQueues, proto.ReqUnlockBatchQueues:
		g.lock(b, in)
	case proto.ReqGetMinOffset:
		reply.Send(proto.RespSuccess, &proto.OffsetResponse{Offset: b.minOffset}, nil)
	case proto.ReqPullMessage, proto.ReqLitePullMessage:
		return g.pull(b, in)
	default:
		return false
	}
	return true
}

func must1[T any](value T, err error) T {
	must(err)
	return value
}

// notify tells the members that the group has changed.
func (g *groups) notify(except string) {
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		if id != except && !g.silent {
			_ = g.members[id].Oneway(&transport.Request{Code: proto.ReqNotifyConsumerIDsChanged, Header: &proto.NotifyConsumerIDsChanged{ConsumerGroup: "consumers"}})
		}
	}
}

// takeBack stores a message in the retry topic at once, or in the dead-letter topic.
func (g *groups) takeBack(b *broker, in *transport.Incoming) {
	var h proto.ConsumerSendMessageBack
	must(h.DecodeFields(in.Command.Fields))
	g.back = append(g.back, h)
	for _, q := range slices.SortedFunc(maps.Keys(b.queues), client.Queue.Compare) {
		for _, r := range b.queues[q] {
			if r.OffsetID().String() != h.OffsetID || q.Topic != h.OriginTopic && !proto.IsRetryTopic(q.Topic) {
				continue
			}
			b.redeliver(r, h)
			in.Reply().Success(nil)
			return
		}
	}
	in.Reply().Error(proto.RespSystemError, "no such message")
}

func (b *broker) redeliver(r message.Record, h proto.ConsumerSendMessageBack) {
	topic := proto.RetryTopic(h.Group)
	if h.DelayLevel < 0 || r.Redeliveries >= h.RedeliveriesMax.Value {
		topic = proto.DeadLetterTopic(h.Group)
	}
	list := message.ParseProperties(r.Properties)
	if list.Get(message.PropertyRetryTopic) == "" {
		list.Set(message.PropertyRetryTopic, string(r.Topic))
	}
	encoded, err := list.Append(nil)
	must(err)
	queue := client.Queue{Topic: topic, BrokerName: b.name}
	b.append(queue, r.Body, encoded, 0)
	b.queues[queue][len(b.queues[queue])-1].Redeliveries = r.Redeliveries + 1
	b.groups.arrived.Broadcast()
}

// lockLife is how long a lock lasts that is not renewed.
const lockLife = time.Minute

func (g *groups) lock(b *broker, in *transport.Incoming) {
	now := b.env.Clock.Now()
	batch, err := proto.UnmarshalLockBatch(in.Command.Body)
	must(err)
	var locked []client.Queue
	for _, q := range batch.Queues {
		switch {
		case in.Command.Code == proto.ReqUnlockBatchQueues:
			if g.locks[q] == batch.ClientID {
				delete(g.locks, q)
			}
		case cmp.Or(g.locks[q], batch.ClientID) == batch.ClientID, g.lockedAt[q] > 0 && now.Sub(g.lockedAt[q]) > lockLife:
			g.locks[q], g.lockedAt[q] = batch.ClientID, now
			locked = append(locked, q)
		}
	}
	in.Reply().Success((&proto.LockBatchResponse{Queues: locked}).Marshal())
}

// pull holds a request while there is nothing, and stores the offset it carries. It leaves the answer to the broker.
func (g *groups) pull(b *broker, in *transport.Incoming) bool {
	h := b.pulls[len(b.pulls)-1]
	if h.Flags.Has(proto.PullCommit) {
		b.committed[fmt.Sprintf("%s@%s@%d", h.ConsumerGroup, h.Topic, h.QueueID)] = h.CommitOffset
	}
	q := client.Queue{Topic: h.Topic, BrokerName: b.name, QueueID: h.QueueID}
	if !h.Flags.Has(proto.PullHold) || h.QueueOffset != int64(len(b.queues[q])) {
		return false
	}
	reply := in.Reply()
	until := b.env.Clock.Now().Add(time.Duration(h.HoldForMillis) * time.Millisecond)
	b.env.Tasks.Go("hold pull", func() {
		// A connection that has ended wakes nobody.
		for now := b.env.Clock.Now(); reply.Alive() && now < until && h.QueueOffset == int64(len(b.queues[q])); now = b.env.Clock.Now() {
			g.arrived.WaitUntil(until.Sooner(now.Add(50 * time.Millisecond)))
		}
		b.answerPull(reply, h)
	})
	return true
}

// put stores messages as a producer would: bodies that tell topic, broker, queue and number.
func (b *broker) put(queue client.Queue, count int, properties ...string) {
	queue.BrokerName = b.name
	for range count {
		var list message.Properties
		for i := 0; i+1 < len(properties); i += 2 {
			list.Set(properties[i], properties[i+1])
		}
		encoded := must1(list.Append(nil))
		b.append(queue, fmt.Appendf(nil, "%s #%d", queue, len(b.queues[queue])), encoded, 0)
	}
	if b.groups != nil {
		b.groups.arrived.Broadcast()
	}
}

// newGroupCluster is a cluster whose brokers serve groups, with the retry topic of the group.
func newGroupCluster(t *testing.T, seed uint64) *cluster {
	t.Helper()
	c := newCluster(t, seed)
	c.a.groups, c.b.groups = newGroups(c.a), newGroups(c.b)
	c.names.routes[proto.RetryTopic("consumers")] = route(1, c.a, c.b)
	return c
}

// push makes a push consumer on the machine of the application, and starts it.
func (c *cluster) push(options ...client.PushOption) *client.PushConsumer {
	return c.pushAt(c.app, options...)
}

func (c *cluster) pushAt(e env.Env, options ...client.PushOption) *client.PushConsumer {
	p := must1(client.NewPushConsumer(e, append([]client.PushOption{
		client.WithGroup("consumers"), c.nameServers(), client.WithSubscription("orders", client.Tags("*")), client.WithConsumeFrom(client.FromFirst),
	}, options...)...))
	must(p.Start(background))
	return p
}

// closeAt closes a consumer where it runs, and waits for that.
func (c *cluster) closeAt(e env.Env, p *client.PushConsumer) {
	closed := false
	e.Tasks.Go("close", func() {
		must(p.Close(background))
		closed = true
	})
	c.eventually("closed", func() bool { return closed })
}

// eventually waits until something holds. It stops the run if that takes too long.
func (c *cluster) eventually(what string, holds func() bool) {
	for until := c.app.Clock.Now().Add(2 * time.Minute); !holds(); c.app.Tasks.Sleep(5 * time.Millisecond) {
		if until.Reached(c.app.Clock.Now()) {
			panic("it did not happen: " + what)
		}
	}
}

// hold keeps a handler at work until it is released.
func (c *cluster) hold(released *bool) {
	for !*released {
		c.app.Tasks.Sleep(10 * time.Millisecond)
	}
}

// slave starts one of broker a. Only these two have the topic that tests use, with one queue and so many messages each.
func (c *cluster) slave(atMaster, atSlave int) *broker {
	slave := c.broker("a", 1)
	slave.groups = newGroups(slave)
	c.names.routes["orders"] = route(1, c.a, slave)
	c.a.put(orders(0), atMaster)
	slave.put(orders(0), atSlave)
	return slave
}

// orders is a queue of the topic that tests use, at broker a.
func orders(id int32) client.Queue {
	return client.Queue{Topic: "orders", BrokerName: "a", QueueID: id}
}

// committedAt is what a broker has stored for the group; -1 if nothing.
func (b *broker) committedAt(q client.Queue) int64 {
	offset, found := b.committed[fmt.Sprintf("consumers@%s@%d", q.Topic, q.QueueID)]
	if !found {
		return -1
	}
	return offset
}
