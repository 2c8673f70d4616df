package broker

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/node/inflight"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

func queueKey(topic string, queue int32) store.QueueKey {
	return store.QueueKey{Topic: topic, ID: queue}
}

// updateTopic handles UPDATE_AND_CREATE_TOPIC (class AdminBrokerProcessor). It is answered when the change is durable.
func (b *Broker) updateTopic(in *transport.Incoming) {
	var h proto.UpdateAndCreateTopic
	if !decode(in, &h) {
		return
	}
	b.changeTopics(in, []proto.UpdateAndCreateTopic{h})
}

// changeTopics makes or changes topics, durably, and answers. If one of them cannot be, none is touched; if it cannot be saved or has attributes that it
// cannot have, those before it are.
func (b *Broker) changeTopics(in *transport.Incoming, list []proto.UpdateAndCreateTopic) {
	topics := make([]proto.TopicConfig, len(list))
	for i := range list {
		var err error
		if topics[i], err = b.wantedTopic(&list[i]); err != nil {
			in.Reply().Error(proto.RespInvalidParameter, err.Error())
			return
		}
	}
	var err error
	b.await(in, func() {
		for i := range list {
			if err = b.changeTopic(topics[i], list[i].Attributes); err != nil {
				return
			}
		}
	})
	if err != nil {
		in.Reply().Error(proto.RespSystemError, err.Error())
		return
	}
	in.Reply().Success(nil)
}

// changeTopic waits for the disk.
func (b *Broker) changeTopic(topic proto.TopicConfig, attributes string) error {
	return b.topics.update(topic.Name, func(old *proto.TopicConfig) (proto.TopicConfig, error) {
		var current map[string]string
		if old != nil {
			current = old.Attributes
		}
		var err error
		topic.Attributes, err = changeAttributes(current, attributes, old == nil)
		return topic, err
	})
}

// updateTopics handles UPDATE_AND_CREATE_TOPIC_LIST.
func (b *Broker) updateTopics(in *transport.Incoming) {
	list, err := proto.UnmarshalTopicConfigList(in.Command.Body)
	if err != nil {
		in.Reply().Error(proto.RespInvalidParameter, err.Error())
		return
	}
	wanted := make([]proto.UpdateAndCreateTopic, len(list.Topics))
	for i, t := range list.Topics {
		wanted[i] = proto.UpdateAndCreateTopic{
			Topic: t.Name, ReadQueues: t.ReadQueues, WriteQueues: t.WriteQueues, Perm: t.Perm, FilterType: t.FilterType,
			SysFlags: proto.Some(t.SysFlags), Ordered: t.Ordered, Attributes: attributeChanges(t.Attributes),
		}
	}
	b.changeTopics(in, wanted)
}

// systemTopics handles GET_SYSTEM_TOPIC_LIST_FROM_BROKER: those that this broker has.
func (b *Broker) systemTopics(in *transport.Incoming) {
	var list proto.TopicList
	for _, name := range sortedNames(b.topics.byName) {
		if b.topics.isSystem(name) {
			list.Topics = append(list.Topics, name)
		}
	}
	in.Reply().Success(list.Marshal())
}

// wantedTopic checks what the tool asks for, all but the attributes, which depend on those that the topic has.
func (b *Broker) wantedTopic(h *proto.UpdateAndCreateTopic) (proto.TopicConfig, error) {
	topic := proto.NewTopicConfig(h.Topic)
	if err := proto.ValidateTopic(h.Topic); err != nil {
		return topic, err
	}
	if b.topics.isSystem(h.Topic) {
		return topic, fmt.Errorf("the topic[%s] is conflict with system topic", h.Topic)
	}
	if h.ReadQueues < 1 || h.ReadQueues > queuesMax {
		return topic, fmt.Errorf("readQueueNums %d: want 1 to %d", h.ReadQueues, queuesMax)
	}
	if h.WriteQueues < 1 || h.WriteQueues > queuesMax {
		return topic, fmt.Errorf("writeQueueNums %d: want 1 to %d", h.WriteQueues, queuesMax)
	}
	if !h.Perm.Valid() {
		return topic, fmt.Errorf("perm %d: want 2 (write), 4 (read), 6 (both), and 1 more to let topics inherit from it", h.Perm)
	}
	topic.ReadQueues, topic.WriteQueues, topic.Perm = h.ReadQueues, h.WriteQueues, h.Perm
	topic.FilterType, topic.Ordered, topic.SysFlags = h.FilterType, h.Ordered, h.SysFlags.Or(0)
	return topic, nil
}

// deleteTopic handles DELETE_TOPIC_IN_BROKER: the topic, its queues and its offsets.
func (b *Broker) deleteTopic(in *transport.Incoming) {
	var h proto.DeleteTopicInBroker
	if !decode(in, &h) {
		return
	}
	reply := in.Reply()
	switch err := proto.ValidateTopic(h.Topic); {
	case err != nil:
		reply.Error(proto.RespInvalidParameter, err.Error())
		return
	case b.topics.isSystem(h.Topic):
		reply.Error(proto.RespInvalidParameter, fmt.Sprintf("the topic[%s] is conflict with system topic", h.Topic))
		return
	}
	var err error
	b.await(in, func() { err = b.topics.remove(h.Topic, func() error { return b.dropTopic(h.Topic) }) })
	if err != nil {
		reply.Error(proto.RespSystemError, err.Error())
		return
	}
	reply.Success(nil)
}

// dropTopic removes what belongs to a topic that is in the table no more, durably.
func (b *Broker) dropTopic(name string) error {
	ofTopic := func(q groupQueue) bool { return q.Topic == name }
	b.waiting.releaseAll(func(h *heldPull) bool { return h.queue.Topic == name })
	b.locks.forget(ofTopic)
	b.progress.forget(ofTopic)
	b.stats.forgetTopic(name)
	b.measures.forgetTopic(name)
	if err := b.modes.forget(func(m proto.SetMessageRequestMode) bool { return m.Topic == name }); err != nil {
		return err
	}
	if err := errors.Join(b.pops.forget(&inflight.Forgotten{Topic: name}), b.offsets.forgetTopic(name), b.progress.saveTaken()); err != nil {
		return err
	}
	// Sends of a burst under way may not have been handed to the disk yet.
	b.store.Kick()
	return b.store.DropTopic(name)
}

// allTopics handles GET_ALL_TOPIC_CONFIG.
func (b *Broker) allTopics(in *transport.Incoming) {
	table := b.topics.table()
	in.Reply().Success(table.Marshal())
}

// oneTopic handles GET_TOPIC_CONFIG.
func (b *Broker) oneTopic(in *transport.Incoming) {
	var h proto.GetTopicConfig
	if !decode(in, &h) {
		return
	}
	topic := b.topics.byName[h.Topic]
	if topic == nil {
		in.Reply().Error(proto.RespTopicNotExist, fmt.Sprintf("no topic %s in this broker", h.Topic))
		return
	}
	in.Reply().Success((&proto.TopicConfigAndMapping{Config: *topic}).Marshal())
}

// topicStats handles GET_TOPIC_STATS_INFO. It waits for the disk.
func (b *Broker) topicStats(in *transport.Incoming) {
	var h proto.GetTopicStatsInfo
	if !decode(in, &h) {
		return
	}
	reply := in.Reply()
	topic := b.topics.byName[h.Topic]
	if topic == nil {
		reply.Error(proto.RespTopicNotExist, fmt.Sprintf("topic[%s] not exist", h.Topic))
		return
	}
	recent := b.stats.sends[h.Topic].lastMinute(b.env.Clock.Now())
	table := proto.TopicStatsTable{PutPerSecond: recent.perSecond(recent.messages)}
	var err error
	b.await(in, func() {
		for id := range max(topic.ReadQueues, topic.WriteQueues) {
			var stats proto.QueueStats
			if stats, err = b.queueStats(queueKey(h.Topic, id)); err != nil {
				return
			}
			table.Queues = append(table.Queues, stats)
		}
	})
	if err != nil {
		reply.Error(proto.RespSystemError, err.Error())
		return
	}
	reply.Success(table.Marshal(proto.FormFastJSON))
}

func (b *Broker) queueStats(key store.QueueKey) (proto.QueueStats, error) {
	first, end := b.store.Bounds(key)
	updated, _, err := b.store.StoredAt(key, end-1)
	return proto.QueueStats{
		Queue: proto.Queue{Topic: key.Topic, BrokerName: b.options.Name, QueueID: key.ID},
		Min:   int64(first), Max: int64(end), UpdatedAt: updated,
	}, err
}

// brokerConfig handles GET_BROKER_CONFIG: the settings in force, as a properties file.
func (b *Broker) brokerConfig(in *transport.Incoming) {
	text := b.settings()
	var version wire.Fields
	version.Add("version", string(b.topics.version.Marshal()))
	in.Reply().SendFields(proto.RespSuccess, "", nil, version, text.Marshal())
}

// ownSettings are those that a broker knows of itself.
func (b *Broker) ownSettings() proto.ConfigText {
	o := &b.options
	return proto.ConfigText{
		{Key: "brokerName", Value: o.Name},
		{Key: "brokerClusterName", Value: o.Cluster},
		{Key: "brokerId", Value: strconv.FormatInt(o.ID, 10)},
		{Key: "brokerIP1", Value: o.AdvertisedIP.String()},
		{Key: "listenPort", Value: strconv.Itoa(int(b.address.Port()))},
		{Key: "haListenPort", Value: strconv.Itoa(int(b.copies.port))},
		{Key: "brokerRole", Value: o.Role.String()},
		{Key: "namesrvAddr", Value: strings.Join(o.NameServers, ";")},
		{Key: "brokerPermission", Value: strconv.Itoa(int(o.Perm))},
		{Key: "autoCreateTopicEnable", Value: strconv.FormatBool(!o.NoAutoTopics)},
		{Key: "autoCreateSubscriptionGroup", Value: strconv.FormatBool(!o.NoAutoGroups)},
		{Key: "defaultTopicQueueNums", Value: strconv.Itoa(int(o.DefaultTopicQueues))},
		{Key: "longPollingEnable", Value: strconv.FormatBool(!o.NoLongPolling)},
		{Key: "flushDiskType", Value: o.Store.Flush.String()},
		{Key: "flushConsumerOffsetInterval", Value: strconv.FormatInt(o.SaveOffsetsEvery.Milliseconds(), 10)},
		{Key: "registerNameServerPeriod", Value: strconv.FormatInt(o.RegisterEvery.Milliseconds(), 10)},
	}
}
