package broker

import (
	"fmt"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// listConsumerConnections handles GET_CONSUMER_CONNECTION_LIST: who consumes in a group, and what. Where members subscribe different
// messages the remark of the answer says so: the body has room for one subscription of each topic only, which is what the group's last
// heartbeat says, or else a member's own.
//
// Answers: success; consumer not online.
func (b *Broker) listConsumerConnections(in *transport.Incoming) {
	var h proto.GetConsumerConnectionList
	if !decode(in, &h) {
		return
	}
	g := b.clients.consumers[h.ConsumerGroup]
	if g == nil {
		in.Reply().Error(proto.RespConsumerNotOnline, fmt.Sprintf("the consumer group[%s] is not online", h.ConsumerGroup))
		return
	}
	answer := proto.ConsumerConnection{
		Members: connections(g.members), Subscriptions: g.allSubscriptions(), ConsumeType: g.consumeType, Model: g.model, From: g.from,
	}
	var differences []string
	for _, c := range b.clients.conflicts(g.name) {
		differences = append(differences, c.String())
	}
	in.Reply().SendFields(proto.RespSuccess, strings.Join(differences, "; "), nil, nil, answer.Marshal())
}

// allSubscriptions are those of the group, and of topics that only single members subscribe.
func (g *consumerGroup) allSubscriptions() []proto.SubscriptionData {
	all := append([]proto.SubscriptionData(nil), g.subscriptions...)
	for _, m := range g.members {
		for _, s := range m.subscriptions {
			if of(all, s.Topic) == nil {
				all = append(all, s)
			}
		}
	}
	return all
}

// anySubscription is what a group, or else a member of it, subscribes of a topic; nil if nobody does.
func (t *clientTable) anySubscription(group, topic string) *proto.SubscriptionData {
	g := t.consumers[group]
	if g == nil {
		return nil
	}
	return of(g.allSubscriptions(), topic)
}

// abandoned reports whether a group that is online does not subscribe a topic any more. Of a group that has said nothing nobody knows.
func (t *clientTable) abandoned(group, topic string) bool {
	g := t.consumers[group]
	if g == nil {
		return false
	}
	all := g.allSubscriptions()
	return len(all) > 0 && of(all, topic) == nil
}

// listProducerConnections handles GET_PRODUCER_CONNECTION_LIST. Answers: success; system error if nobody is online.
func (b *Broker) listProducerConnections(in *transport.Incoming) {
	var h proto.GetProducerConnectionList
	if !decode(in, &h) {
		return
	}
	g := b.clients.producers[h.ProducerGroup]
	if g == nil {
		in.Reply().Error(proto.RespSystemError, fmt.Sprintf("the producer group[%s] is not online", h.ProducerGroup))
		return
	}
	in.Reply().Success((&proto.ProducerConnection{Members: connections(g.members)}).Marshal())
}

// listProducers handles GET_ALL_PRODUCER_INFO.
func (b *Broker) listProducers(in *transport.Incoming) {
	var table proto.ProducerTable
	for _, name := range sortedNames(b.clients.producers) {
		group := proto.ProducerGroup{Group: name}
		for _, m := range b.clients.producers[name].members {
			group.Members = append(group.Members, proto.ProducerInfo{Connection: m.connection(), SeenAt: b.wallOf(m.seen)})
		}
		table.Groups = append(table.Groups, group)
	}
	in.Reply().Success(table.Marshal())
}

// wallOf is what the calendar said at an instant, if nobody has set it since; wall milliseconds.
func (b *Broker) wallOf(at env.Instant) int64 {
	return int64(b.env.Clock.Wall()) - b.env.Clock.Now().Sub(at).Milliseconds()
}

func connections(members []*member) []proto.Connection {
	list := make([]proto.Connection, 0, len(members))
	for _, m := range members {
		list = append(list, m.connection())
	}
	return list
}

func (m *member) connection() proto.Connection {
	return proto.Connection{ClientID: m.clientID, Address: m.conn.Remote().String(), Language: m.language, Version: m.version}
}
