package broker

import (
	"math"
	"slices"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// consumersOfTopic handles QUERY_TOPIC_CONSUME_BY_WHO: groups that are online and subscribe a topic, and those that have offsets of it.
func (b *Broker) consumersOfTopic(in *transport.Incoming) {
	var h proto.QueryTopicConsumeByWho
	if !decode(in, &h) {
		return
	}
	groups := b.offsets.groupsOf(h.Topic)
	for _, name := range sortedNames(b.clients.consumers) {
		if b.clients.anySubscription(name, h.Topic) != nil {
			groups = append(groups, name)
		}
	}
	slices.Sort(groups)
	in.Reply().Success((&proto.GroupList{Groups: slices.Compact(groups)}).Marshal())
}

// topicsOfConsumer handles QUERY_TOPICS_BY_CONSUMER: topics that a group has offsets of, and those that it subscribes and is online.
func (b *Broker) topicsOfConsumer(in *transport.Incoming) {
	var h proto.QueryTopicsByConsumer
	if !decode(in, &h) {
		return
	}
	topics := b.offsets.topicsOf(h.Group)
	if g := b.clients.consumers[h.Group]; g != nil {
		for _, s := range g.allSubscriptions() {
			topics = append(topics, s.Topic)
		}
	}
	slices.Sort(topics)
	in.Reply().Success((&proto.TopicList{Topics: slices.Compact(topics), BrokerAddress: b.address.String()}).Marshal())
}

// subscriptionOfConsumer handles QUERY_SUBSCRIPTION_BY_CONSUMER: what a group that is online subscribes of a topic.
func (b *Broker) subscriptionOfConsumer(in *transport.Incoming) {
	var h proto.QuerySubscriptionByConsumer
	if !decode(in, &h) {
		return
	}
	answer := proto.GroupSubscription{Group: h.Group, Topic: h.Topic, Subscription: b.clients.anySubscription(h.Group, h.Topic)}
	in.Reply().Success(answer.Marshal())
}

// allOffsets handles GET_ALL_CONSUMER_OFFSET.
func (b *Broker) allOffsets(in *transport.Incoming) {
	in.Reply().Success(b.offsets.encode(b.offsets.version))
}

// cloneOffsets handles CLONE_GROUP_OFFSET: a group goes on where another one is, in a topic or in all that this one has offsets of. Without
// offline, topics that the other group is online and does not subscribe are left out. The offsets are durable when it is answered, and members
// of the group hear of them as of a reset. A group without offsets has nothing to give, which is a success: tools ask all brokers.
//
// Answers: success, with the number of queues in the remark; group not exist, of the one that is to have them.
func (b *Broker) cloneOffsets(in *transport.Incoming) {
	var h proto.CloneGroupOffset
	if !decode(in, &h) {
		return
	}
	topics := []string{h.Topic}
	if h.Topic == "" {
		topics = b.offsets.topicsOf(h.FromGroup)
		if !b.mayReset(in, topics) {
			return
		}
	}
	if _, err := b.findGroup(in, h.ToGroup); err != nil {
		in.Reply().Error(proto.RespSubscriptionGroupNotExist, "destGroup: "+err.Error())
		return
	}
	offsets := b.offsetsToClone(&h, topics)
	var err error
	if len(offsets) > 0 && h.FromGroup != h.ToGroup {
		b.await(in, func() { err = b.progress.reset(offsets) })
	}
	if err != nil {
		in.Reply().Error(proto.RespSystemError, "the offsets could not be cloned: "+err.Error())
		return
	}
	b.env.Log.Info("offsets of a group were cloned", zap.String("from", h.FromGroup), zap.String("to", h.ToGroup), zap.Int("queues", len(offsets)))
	in.Reply().SendFields(proto.RespSuccess, "offsets of "+number(int64(len(offsets)))+" queues were cloned", nil, nil, nil)
}

func (b *Broker) offsetsToClone(h *proto.CloneGroupOffset, topics []string) map[groupQueue]int64 {
	offsets := map[groupQueue]int64{}
	for _, topic := range topics {
		if b.topics.byName[topic] == nil || !h.Offline && b.clients.abandoned(h.FromGroup, topic) {
			continue
		}
		// order does not matter: each has its own place
		for queue, offset := range b.offsets.byKey[offsetKey(h.FromGroup, topic)] {
			offsets[groupQueue{h.ToGroup, topic, queue}] = offset
		}
	}
	return offsets
}

// correctionOffsets handles QUERY_CORRECTION_OFFSET: the smallest offset that any group has in each queue of a topic, of those that are not
// behind its first message; math.MaxInt64 where the group that is compared is behind that. Groups that do not count keep their offsets, which
// Java brokers delete.
func (b *Broker) correctionOffsets(in *transport.Incoming) {
	var h proto.QueryCorrectionOffset
	if !decode(in, &h) {
		return
	}
	smallest := map[int32]int64{}
	for _, group := range b.offsets.groupsOf(h.Topic) {
		if slices.Contains(h.IgnoredGroups, group) {
			continue
		}
		// order does not matter: each has its own place
		for queue, offset := range b.offsets.byKey[offsetKey(group, h.Topic)] {
			first, _ := b.store.Bounds(queueKey(h.Topic, queue))
			if known, has := smallest[queue]; offset >= int64(first) && (!has || offset < known) {
				smallest[queue] = offset
			}
		}
	}
	var answer proto.CorrectionOffsets
	// order does not matter: sorted below
	for queue, offset := range smallest {
		if own, has := b.offsets.get(h.Group, h.Topic, queue); has && own < offset {
			offset = math.MaxInt64
		}
		answer.Queues = append(answer.Queues, proto.NumberedOffset{Number: queue, Offset: offset})
	}
	slices.SortFunc(answer.Queues, func(a, b proto.NumberedOffset) int { return int(a.Number - b.Number) })
	in.Reply().Success(answer.Marshal())
}
