package broker

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// statistic is something that tools ask for by name.
type statistic struct {
	find  func(b *Broker, key string) *flow // nil if there is nothing of that key
	value func(a amounts) int64
}

func messagesOf(a amounts) int64 { return a.messages }
func bytesOf(a amounts) int64    { return a.bytes }
func millisOf(a amounts) int64   { return a.millis }

// statisticsByName are the items of class BrokerStatsManager that this broker counts.
var statisticsByName = map[string]statistic{
	"TOPIC_PUT_NUMS":    {topicSends, messagesOf},
	"TOPIC_PUT_SIZE":    {topicSends, bytesOf},
	"QUEUE_PUT_NUMS":    {queueSends, messagesOf},
	"QUEUE_PUT_SIZE":    {queueSends, bytesOf},
	"TOPIC_PUT_LATENCY": {latencySends, millisOf},
	"GROUP_GET_NUMS":    {groupPulls, messagesOf},
	"GROUP_GET_SIZE":    {groupPulls, bytesOf},
	"QUEUE_GET_NUMS":    {queuePulls, messagesOf},
	"QUEUE_GET_SIZE":    {queuePulls, bytesOf},
	"GROUP_GET_LATENCY": {latencyPulls, millisOf},
	"SNDBCK_PUT_NUMS":   {func(b *Broker, key string) *flow { return b.stats.sentBack[parseGroupTopic(key)] }, messagesOf},
	"DLQ_PUT_NUMS":      {deadLetters, messagesOf},
	"GROUP_ACK_NUMS":    {func(b *Broker, key string) *flow { return b.stats.acks[parseGroupTopic(key)] }, messagesOf},
	"GROUP_CK_NUMS":     {func(b *Broker, key string) *flow { return b.stats.checkpoints[parseGroupTopic(key)] }, messagesOf},
	"BROKER_ACK_NUMS":   {ofCluster(func(s *statistics) *flow { return s.allAcks }), messagesOf},
	"BROKER_CK_NUMS":    {ofCluster(func(s *statistics) *flow { return s.allCheckpoints }), messagesOf},
	"BROKER_PUT_NUMS":   {ofCluster(func(s *statistics) *flow { return s.all.sent }), messagesOf},
	"BROKER_GET_NUMS":   {ofCluster(func(s *statistics) *flow { return s.all.pulled }), messagesOf},

	"BROKER_PUT_NUMS_WITHOUT_SYSTEM_TOPIC": {ofCluster(func(s *statistics) *flow { return s.ordinary.sent }), messagesOf},
	"BROKER_GET_NUMS_WITHOUT_SYSTEM_TOPIC": {ofCluster(func(s *statistics) *flow { return s.ordinary.pulled }), messagesOf},
}

// The keys: topic, topic@queueId, queueId@topic, topic@group, topic@queueId@group, queueId@topic@group, owner@topic@group@type, cluster.

func topicSends(b *Broker, key string) *flow { return b.stats.sends[key] }

func queueSends(b *Broker, key string) *flow {
	topic, queue, _ := strings.Cut(key, "@")
	return b.stats.queueSends[queueOf(topic, queue)].queue
}

func latencySends(b *Broker, key string) *flow {
	queue, topic, _ := strings.Cut(key, "@")
	return b.stats.queueSends[queueOf(topic, queue)].queue
}

func parseGroupTopic(key string) groupTopic {
	topic, group, _ := strings.Cut(key, "@")
	return groupTopic{group, topic}
}

func groupPulls(b *Broker, key string) *flow { return b.stats.pulls[parseGroupTopic(key)] }

func queuePulls(b *Broker, key string) *flow {
	parts := strings.Split(key, "@")
	if len(parts) != 3 {
		return nil
	}
	q := queueOf(parts[0], parts[1])
	return b.stats.queuePulls[groupQueue{parts[2], q.Topic, q.ID}].queue
}

func latencyPulls(b *Broker, key string) *flow {
	parts := strings.Split(key, "@")
	if len(parts) != 3 {
		return groupPulls(b, key)
	}
	q := queueOf(parts[1], parts[0])
	return b.stats.queuePulls[groupQueue{parts[2], q.Topic, q.ID}].queue
}

// deadLetters takes topic@group as well: an owner and a type tell nothing here.
func deadLetters(b *Broker, key string) *flow {
	if parts := strings.Split(key, "@"); len(parts) == 4 {
		return b.stats.deadLetters[groupTopic{parts[2], parts[1]}]
	}
	return b.stats.deadLetters[parseGroupTopic(key)]
}

func ofCluster(find func(s *statistics) *flow) func(*Broker, string) *flow {
	return func(b *Broker, key string) *flow {
		if key != b.options.Cluster {
			return nil
		}
		return find(b.stats)
	}
}

// queueOf is a queue that nobody has if the number is none.
func queueOf(topic, queue string) store.QueueKey {
	id, err := strconv.ParseInt(queue, 10, 32)
	if err != nil {
		id = -1
	}
	return store.QueueKey{Topic: topic, ID: int32(id)}
}

// viewStatistics handles VIEW_BROKER_STATS_DATA. Answers: success; system error, if there is nothing of that name and key.
func (b *Broker) viewStatistics(in *transport.Incoming) {
	var h proto.ViewBrokerStatsData
	if !decode(in, &h) {
		return
	}
	s, known := statisticsByName[h.Name]
	if !known {
		in.Reply().Error(proto.RespSystemError, fmt.Sprintf("statsName: this broker has no statistics named %q", h.Name))
		return
	}
	f := s.find(b, h.Key)
	if f == nil {
		in.Reply().Error(proto.RespSystemError, fmt.Sprintf("statsKey: nothing was counted as %s of %q", h.Name, h.Key))
		return
	}
	in.Reply().Success(s.show(f, b.env.Clock.Now()).Marshal())
}

func (s statistic) show(f *flow, now env.Instant) *proto.BrokerStatsData {
	item := func(r recently) proto.BrokerStatsItem {
		sum := s.value(r.amounts)
		return proto.BrokerStatsItem{Sum: sum, PerSecond: r.perSecond(sum), PerCall: r.perCall(sum)}
	}
	return &proto.BrokerStatsData{Minute: item(f.lastMinute(now)), Hour: item(f.lastHour(now)), Day: item(f.lastDay(now))}
}
