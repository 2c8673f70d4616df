package broker

import (
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/guard"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"go.uber.org/zap"
)

// clientTable knows which clients are connected and in which groups they are (classes ProducerManager and
// ConsumerManager). It is in memory only: after a restart heartbeats fill it again.
type clientTable struct {
	broker    *Broker
	producers map[string]*producerGroup
	consumers map[string]*consumerGroup
	// byClientID has the members of all producer groups.
	byClientID map[string][]*member
	// conflictsSeen counts members that began to differ from their groups, since the start.
	conflictsSeen int64
}

// member is one client of a group, on one connection.
type member struct {
	conn *transport.Conn
	identity
	seen env.Instant

	// Of consumers: what they have said for themselves, if anything.
	told          bool
	subscriptions []proto.SubscriptionData
}

// identity is what a client says of itself.
type identity struct {
	clientID string
	version  int32
	language wire.Language
	account  string // who has signed its last heartbeat; "" for nobody
}

type producerGroup struct{ members []*member }

type consumerGroup struct {
	name          string
	members       []*member
	model         proto.MessageModel
	consumeType   proto.ConsumeType
	from          proto.ConsumeFrom
	subscriptions []proto.SubscriptionData // as the last heartbeat said
	fingerprint   int32
	conflicts     []subscriptionConflict // sorted by topic and client id
}

func newClientTable(b *Broker) *clientTable {
	return &clientTable{
		broker: b, producers: map[string]*producerGroup{}, consumers: map[string]*consumerGroup{}, byClientID: map[string][]*member{},
	}
}

// find returns the member of a connection.
func find(members []*member, conn *transport.Conn) *member {
	for _, m := range members {
		if m.conn == conn {
			return m
		}
	}
	return nil
}

// join adds a member or refreshes it, and reports whether it is new.
func join(members []*member, conn *transport.Conn, who identity, now env.Instant) ([]*member, bool) {
	if m := find(members, conn); m != nil {
		isNew := m.clientID != who.clientID
		if isNew {
			m.told, m.subscriptions = false, nil
		}
		m.identity, m.seen = who, now
		return members, isNew
	}
	return append(members, &member{conn: conn, identity: who, seen: now}), true
}

// heartbeat handles HEART_BEAT (class ClientManageProcessor). It may wait while groups are made.
func (b *Broker) heartbeat(in *transport.Incoming) {
	data, err := proto.UnmarshalHeartbeatData(in.Command.Body)
	reply := in.Reply()
	if err != nil {
		reply.Error(proto.RespSystemError, err.Error())
		return
	}
	if data.ClientID == "" {
		reply.Error(proto.RespInvalidParameter, "heartbeat: clientID is empty")
		return
	}
	who := identity{data.ClientID, in.Command.Version, in.Command.Language, guard.Account(in)}
	changed := data.Fingerprint == 0
	for i := range data.Producers {
		b.clients.produce(data.Producers[i].Group, in.Conn, who)
	}
	for i := range data.Consumers {
		consumer := &data.Consumers[i]
		if err := b.prepareGroup(in, consumer, data.WithoutSubscriptions); err != nil {
			if b.slave != nil {
				continue // it learns of groups from its master
			}
			b.env.Log.Warn("a heartbeat names a group that cannot be", zap.String("group", consumer.Group), zap.Error(err))
			continue
		}
		b.prepareFilters(in, consumer)
		changed = b.clients.consume(consumer, data, in.Conn, who) || changed
	}
	reply.Send(proto.RespSuccess, &proto.HeartbeatResponse{HeartbeatV2: true, SubscriptionsChanged: changed, SendWindow: b.repeats.window()}, nil)
}

// prepareGroup makes the group and its retry topic if they do not exist. The retry topic is an ordered one as long as a member subscribes an
// ordered topic; with untold the heartbeat leaves its subscriptions out.
func (b *Broker) prepareGroup(in *transport.Incoming, consumer *proto.ConsumerData, untold bool) error {
	group, err := b.findGroup(in, consumer.Group)
	if err != nil {
		return err
	}
	name := proto.RetryTopic(consumer.Group)
	known := b.topics.byName[name]
	ordered := known != nil && known.Ordered
	if !untold {
		ordered = b.subscribesOrdered(consumer.Subscriptions) || ordered && b.othersSubscribeOrdered(consumer.Group)
	}
	if known != nil && known.Ordered == ordered {
		return nil
	}
	b.await(in, func() {
		err = b.topics.update(name, func(old *proto.TopicConfig) (proto.TopicConfig, error) {
			topic := proto.NewTopicConfig(name)
			topic.ReadQueues, topic.WriteQueues = group.RetryQueues, group.RetryQueues
			if consumer.UnitMode {
				topic.SysFlags = proto.TopicUnitSubscription
			}
			if old != nil {
				topic = old.Clone()
			}
			topic.Ordered = ordered
			return topic, nil
		})
	})
	return err
}

// subscribesOrdered reports whether one of the topics is an ordered one.
func (b *Broker) subscribesOrdered(subscriptions []proto.SubscriptionData) bool {
	return slices.ContainsFunc(subscriptions, func(s proto.SubscriptionData) bool {
		topic := b.topics.byName[s.Topic]
		return topic != nil && topic.Ordered && !proto.IsRetryTopic(s.Topic)
	})
}

// othersSubscribeOrdered asks that of all members as they were before: with a Java broker the retry topics of groups whose members differ change
// with each heartbeat.
func (b *Broker) othersSubscribeOrdered(group string) bool {
	g := b.clients.consumers[group]
	return g != nil && slices.ContainsFunc(g.members, func(m *member) bool { return b.subscribesOrdered(m.subscriptions) })
}

// prepareFilters compiles expressions that are long, which is not to be done with the baton held. It may wait.
func (b *Broker) prepareFilters(in *transport.Incoming, consumer *proto.ConsumerData) {
	for i := range consumer.Subscriptions {
		// What is wrong with it is told when it is subscribed.
		b.compileFor(in, expressionOf(&consumer.Subscriptions[i]))
	}
}

func (t *clientTable) produce(group string, conn *transport.Conn, who identity) {
	if conn.Closed() {
		return
	}
	g := t.producers[group]
	if g == nil {
		g = &producerGroup{}
		t.producers[group] = g
	}
	m := find(g.members, conn)
	if m != nil && m.clientID != who.clientID {
		t.unlist(m)
	}
	var isNew bool
	if g.members, isNew = join(g.members, conn, who, t.broker.env.Clock.Now()); isNew {
		t.byClientID[who.clientID] = append(t.byClientID[who.clientID], find(g.members, conn))
	}
}

// unlist takes a producer out of byClientID.
func (t *clientTable) unlist(m *member) {
	left := slices.DeleteFunc(t.byClientID[m.clientID], func(other *member) bool { return other == m })
	if len(left) == 0 {
		delete(t.byClientID, m.clientID)
		return
	}
	t.byClientID[m.clientID] = left
}

// producerConn finds the connection of a producer by its client id; nil without one. The last one that it has made counts: earlier ones
// may be dead without anybody having noticed.
func (t *clientTable) producerConn(clientID string) (last *transport.Conn) {
	for _, m := range t.byClientID[clientID] {
		if !m.conn.Closed() && (last == nil || m.conn.ID() > last.ID()) {
			last = m.conn
		}
	}
	return last
}

// consume adds or refreshes a consumer, and tells the others if something changed. It reports whether the
// fingerprint of the group's subscriptions did.
func (t *clientTable) consume(c *proto.ConsumerData, data *proto.HeartbeatData, conn *transport.Conn, who identity) bool {
	if conn.Closed() {
		return false
	}
	g, known := t.consumers[c.Group]
	if !known {
		g = &consumerGroup{name: c.Group}
		t.consumers[c.Group] = g
	}
	g.model, g.consumeType, g.from = c.Model, c.ConsumeType, c.From
	var isNew bool
	g.members, isNew = join(g.members, conn, who, t.broker.env.Clock.Now())
	m := find(g.members, conn)
	if !data.WithoutSubscriptions {
		isNew = g.subscribe(c.Subscriptions) || isNew
		t.memberSubscribes(g, m, c.Subscriptions)
	}
	fingerprintChanged := known && g.fingerprint != data.Fingerprint
	if !m.told {
		// A client that has left its subscriptions out believes that they are known here: it must send them again.
		fingerprintChanged = true
	}
	g.fingerprint = data.Fingerprint
	if isNew {
		t.notify(g)
	}
	return fingerprintChanged
}

// notify makes the members of a group assign their queues anew (NOTIFY_CONSUMER_IDS_CHANGED).
func (t *clientTable) notify(g *consumerGroup) {
	config := t.broker.groups.byName[g.name]
	if g.model == proto.Broadcasting || (config != nil && !config.NotifyConsumerIDsChanged) {
		return
	}
	// A copy: to tell one member may end its connection, which takes it out of the group.
	for _, m := range slices.Clone(g.members) {
		// A member that cannot be told finds out when it looks by itself.
		_ = m.conn.Oneway(&transport.Request{
			Code: proto.ReqNotifyConsumerIDsChanged, Header: &proto.NotifyConsumerIDsChanged{ConsumerGroup: g.name},
		})
	}
}

// leave removes members that match, tells the others, and forgets empty groups.
func (t *clientTable) leave(group string, match func(*member) bool) {
	g := t.consumers[group]
	if g == nil {
		return
	}
	before := len(g.members)
	g.members = slices.DeleteFunc(g.members, match)
	switch {
	case len(g.members) == 0:
		delete(t.consumers, group)
	case len(g.members) < before:
		t.compareMembers(g)
		t.notify(g)
	}
}

func (t *clientTable) leaveProducers(group string, match func(*member) bool) {
	g := t.producers[group]
	if g == nil {
		return
	}
	g.members = slices.DeleteFunc(g.members, func(m *member) bool {
		leaves := match(m)
		if leaves {
			t.unlist(m)
		}
		return leaves
	})
	if len(g.members) == 0 {
		delete(t.producers, group)
	}
}

// leaveAll applies leave to every group, in order.
func (t *clientTable) leaveAll(match func(*member) bool) {
	for _, name := range sortedNames(t.consumers) {
		t.leave(name, match)
	}
	for _, name := range sortedNames(t.producers) {
		t.leaveProducers(name, match)
	}
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// connectionEnded takes the clients of a connection out of all groups.
func (t *clientTable) connectionEnded(conn *transport.Conn) {
	t.leaveAll(func(m *member) bool { return m.conn == conn })
}

// expireLoop takes out clients without heartbeats.
func (t *clientTable) expireLoop() {
	b := t.broker
	for !b.closing {
		b.pauseFor(b.options.ClientTimeout / 12)
		now := b.env.Clock.Now()
		t.leaveAll(func(m *member) bool { return now.Sub(m.seen) > b.options.ClientTimeout })
		b.locks.expire()
		b.progress.expire()
		b.routes.expire()
		b.stats.tick(now, b.calendarDay())
	}
}

// unregisterClient handles UNREGISTER_CLIENT.
func (b *Broker) unregisterClient(in *transport.Incoming) {
	var h proto.UnregisterClient
	if !decode(in, &h) {
		return
	}
	match := func(m *member) bool { return m.conn == in.Conn && m.clientID == h.ClientID }
	if h.ConsumerGroup != "" {
		b.clients.leave(h.ConsumerGroup, match)
	}
	if h.ProducerGroup != "" {
		b.clients.leaveProducers(h.ProducerGroup, match)
	}
	in.Reply().Success(nil)
}

// listConsumers handles GET_CONSUMER_LIST_BY_GROUP.
func (b *Broker) listConsumers(in *transport.Incoming) {
	var h proto.GetConsumerListByGroup
	if !decode(in, &h) {
		return
	}
	g := b.clients.consumers[h.ConsumerGroup]
	if g == nil {
		in.Reply().Error(proto.RespSystemError, fmt.Sprintf("no consumer for this group, %s", h.ConsumerGroup))
		return
	}
	var list proto.ConsumerList
	for _, m := range g.members {
		if !slices.Contains(list.ClientIDs, m.clientID) {
			list.ClientIDs = append(list.ClientIDs, m.clientID)
		}
	}
	in.Reply().Success(list.Marshal())
}

// checkClientConfig handles CHECK_CLIENT_CONFIG: whether a consumer may use an expression.
//
// Answers: success, also to all tags; system error if expressions other than tags are switched off; subscription parse failed. It
// may wait.
func (b *Broker) checkClientConfig(in *transport.Incoming) {
	check, err := proto.UnmarshalClientConfigCheck(in.Command.Body)
	switch {
	case err != nil:
		in.Reply().Error(proto.RespSystemError, err.Error())
		return
	case check.Subscription == nil:
		in.Reply().Error(proto.RespSystemError, "subscriptionData is missing")
		return
	case check.Subscription.ExpressionType == proto.ExpressionTag:
		in.Reply().Success(nil)
		return
	}
	if _, r := b.refuseFilter(in, expressionOf(check.Subscription)); r.code != 0 {
		in.Reply().Error(r.code, r.remark)
		return
	}
	in.Reply().Success(nil)
}
