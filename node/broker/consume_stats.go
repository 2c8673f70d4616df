package broker

import (
	"github.com/gantrymq/gantry/node/inflight"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// consumeStats handles GET_CONSUME_STATS: how far a group is in the queues of some topics, or of all that it has offsets of. It waits for
// the disk.
func (b *Broker) consumeStats(in *transport.Incoming) {
	var h proto.GetConsumeStats
	if !decode(in, &h) {
		return
	}
	topics := h.Topics
	switch {
	case len(topics) > 0:
	case h.Topic != "":
		topics = []string{h.Topic}
	default:
		topics = b.offsets.topicsOf(h.ConsumerGroup)
	}
	var answer proto.ConsumeStats
	var err error
	b.await(in, func() {
		for _, topic := range topics {
			var stats *proto.ConsumeStats
			if stats, err = b.progressOf(h.ConsumerGroup, topic); err != nil {
				return
			}
			answer.Queues = append(answer.Queues, stats.Queues...)
			answer.ConsumedPerSecond += stats.ConsumedPerSecond
		}
	})
	if err != nil {
		in.Reply().Error(proto.RespSystemError, err.Error())
		return
	}
	in.Reply().Success(answer.Marshal(proto.FormFastJSON))
}

// progressOf tells how far a group is in a topic. It is empty if there is no such topic, or the group has left it. It waits for the disk.
func (b *Broker) progressOf(group, name string) (*proto.ConsumeStats, error) {
	stats := new(proto.ConsumeStats)
	topic := b.topics.byName[name]
	if topic == nil || b.clients.abandoned(group, name) {
		return stats, nil
	}
	for id := range topic.ReadQueues {
		queue, err := b.queueProgress(groupQueue{group, name, id})
		if err != nil {
			return stats, err
		}
		stats.Queues = append(stats.Queues, queue)
	}
	recent := b.stats.pulls[groupTopic{group, name}].lastMinute(b.env.Clock.Now())
	stats.ConsumedPerSecond = recent.perSecond(recent.messages)
	return stats, nil
}

// queueProgress tells how far a group is in a queue. Without a commit it is at 0. It waits for the disk.
func (b *Broker) queueProgress(q groupQueue) (proto.QueueProgress, error) {
	committed, _ := b.offsets.get(q.Group, q.Topic, q.Queue)
	_, end := b.store.Bounds(q.key())
	progress := proto.QueueProgress{
		Queue:          proto.Queue{Topic: q.Topic, BrokerName: b.options.Name, QueueID: q.Queue},
		ConsumerOffset: committed, BrokerOffset: int64(end),
		// What is not pulled by anybody now is not under way.
		PullOffset: max(b.progress.pullers[q].at, committed),
	}
	if next, known := b.pops.state.Next(inflight.Queue{Group: q.Group, Topic: q.Topic, ID: q.Queue}); known {
		progress.PullOffset = max(progress.PullOffset, int64(next))
	}
	var err error
	progress.ConsumedTo, err = b.storedAt(q, committed-1)
	return progress, err
}

// storedAt is when a message was stored, wall milliseconds; 0 if it is not there (any more). It waits for the disk.
func (b *Broker) storedAt(q groupQueue, number int64) (int64, error) {
	if number < 0 {
		return 0, nil
	}
	at, found, err := b.store.StoredAt(q.key(), message.QueueOffset(number))
	if err != nil || !found {
		return 0, err
	}
	return at, nil
}

// brokerConsumeStats handles GET_BROKER_CONSUME_STATS: how far all groups are in all topics that they have offsets of, or in the ordered ones
// of these. It waits for the disk.
func (b *Broker) brokerConsumeStats(in *transport.Incoming) {
	var h proto.GetBrokerConsumeStats
	if !decode(in, &h) {
		return
	}
	answer := proto.ConsumeStatsList{BrokerAddress: b.address.String()}
	var err error
	b.await(in, func() {
		for _, name := range sortedNames(b.groups.byName) {
			group := proto.GroupConsumeStats{Group: name}
			if group.Stats, err = b.progressOfAll(name, h.Ordered); err != nil {
				return
			}
			answer.Groups = append(answer.Groups, group)
			addProgress(&answer, group.Stats)
		}
	})
	if err != nil {
		in.Reply().Error(proto.RespSystemError, err.Error())
		return
	}
	in.Reply().Success(answer.Marshal(proto.FormFastJSON))
}

// progressOfAll tells how far a group is, topic by topic. It waits for the disk.
func (b *Broker) progressOfAll(group string, onlyOrdered bool) (all []proto.ConsumeStats, err error) {
	for _, name := range b.offsets.topicsOf(group) {
		topic := b.topics.byName[name]
		if topic == nil || onlyOrdered && !topic.Ordered {
			continue
		}
		stats, err := b.progressOf(group, name)
		if err != nil {
			return nil, err
		}
		if len(stats.Queues) > 0 {
			all = append(all, *stats)
		}
	}
	return all, nil
}

func addProgress(answer *proto.ConsumeStatsList, all []proto.ConsumeStats) {
	for i := range all {
		answer.Behind += all[i].Behind()
		for _, q := range all[i].Queues {
			answer.InFlight += q.PullOffset - q.ConsumerOffset
		}
	}
}

// consumeTimeSpan handles QUERY_CONSUME_TIME_SPAN: how far a group is in a topic, by the times at which messages were stored. It waits for
// the disk.
//
// Answers: success; topic not exist.
func (b *Broker) consumeTimeSpan(in *transport.Incoming) {
	var h proto.QueryConsumeTimeSpan
	if !decode(in, &h) {
		return
	}
	topic := b.topics.byName[h.Topic]
	if topic == nil {
		in.Reply().Error(proto.RespTopicNotExist, "topic["+h.Topic+"] not exist")
		return
	}
	var answer proto.ConsumeTimeSpans
	var err error
	b.await(in, func() {
		for id := range topic.WriteQueues {
			var span proto.QueueTimeSpan
			if span, err = b.timeSpan(groupQueue{h.Group, h.Topic, id}); err != nil {
				return
			}
			answer.Spans = append(answer.Spans, span)
		}
	})
	if err != nil {
		in.Reply().Error(proto.RespSystemError, err.Error())
		return
	}
	in.Reply().Success(answer.Marshal())
}

// timeSpan is of one queue. A group that has consumed nothing of it is at its oldest message. It waits for the disk.
func (b *Broker) timeSpan(q groupQueue) (span proto.QueueTimeSpan, err error) {
	first, end := b.store.Bounds(q.key())
	committed, _ := b.offsets.get(q.Group, q.Topic, q.Queue)
	next := max(committed, int64(first))
	span.Queue = proto.Queue{Topic: q.Topic, BrokerName: b.options.Name, QueueID: q.Queue}
	for _, time := range []struct {
		value  *int64
		number int64
	}{{&span.Min, int64(first)}, {&span.Max, int64(end) - 1}, {&span.ConsumedTo, committed - 1}} {
		if *time.value, err = b.storedAt(q, time.number); err != nil {
			return span, err
		}
	}
	if span.ConsumedTo == 0 {
		span.ConsumedTo = span.Min
	}
	if next < int64(end) {
		var stored int64
		stored, err = b.storedAt(q, next)
		span.DelayMillis = max(int64(b.env.Clock.Wall())-stored, 0)
	}
	return span, err
}
