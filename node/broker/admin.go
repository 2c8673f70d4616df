package broker

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

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
	reply := in.Reply()
	topic, err := b.wantedTopic(&h)
	if err != nil {
		reply.Error(proto.RespInvalidParameter, err.Error())
		return
	}
	err = b.topics.update(h.Topic, func(old *proto.TopicConfig) (proto.TopicConfig, error) {
		var current map[string]string
		if old != nil {
			current = old.Attributes
		}
		attributes, err := changeAttributes(current, h.Attributes, old == nil)
		topic.Attributes = attributes
		return topic, err
	})
	if err != nil {
		reply.Error(proto.RespSystemError, err.Error())
		return
	}
	reply.Success(nil)
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

// changeAttributes applies "+key=value,-key".
func changeAttributes(current map[string]string, changes string, creating bool) (map[string]string, error) {
	if changes == "" {
		return current, nil
	}
	next := map[string]string{}
	// order does not matter: entries are only copied
	for key, value := range current {
		next[key] = value
	}
	changed := map[string]bool{}
	for _, change := range strings.Split(changes, ",") {
		change = strings.TrimSpace(change)
		key, value, hasValue := strings.Cut(strings.TrimLeft(change, "+-"), "=")
		allowed, known := attributeValues[key]
		switch {
		case !known:
			return nil, fmt.Errorf("attributes: %q is no attribute of a topic", key)
		case changed[key]:
			return nil, fmt.Errorf("attributes: %s is named twice", key)
		case strings.HasPrefix(change, "+") && hasValue:
			if !slices.Contains(allowed, value) {
				return nil, fmt.Errorf("attributes: %s cannot be %q, want one of %s", key, value, strings.Join(allowed, ", "))
			}
			next[key] = value
		case strings.HasPrefix(change, "-") && !hasValue && !creating:
			if _, has := next[key]; !has {
				return nil, fmt.Errorf("attributes: the topic has no %s to be taken away", key)
			}
			delete(next, key)
		default:
			return nil, fmt.Errorf("attributes: %q: want +key=value, or -key for a topic that exists", change)
		}
		changed[key] = true
	}
	return next, nil
}

// attributeValues are the attributes that a topic may have here. Batch queues, compaction and retention by topic
// are promises that this broker does not make, so it refuses them.
var attributeValues = map[string][]string{
	"queue.type":     {"SimpleCQ"},
	"cleanup.policy": {"DELETE"},
	"message.type":   {"UNSPECIFIED", "NORMAL", "FIFO", "DELAY", "TRANSACTION", "MIXED"},
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
	err := b.topics.remove(h.Topic, func() error {
		if err := b.offsets.forgetTopic(h.Topic); err != nil {
			return err
		}
		// Sends of the same burst may not have been handed to the disk yet.
		b.store.Kick()
		return b.store.DropTopic(h.Topic)
	})
	if err != nil {
		reply.Error(proto.RespSystemError, err.Error())
		return
	}
	reply.Success(nil)
}

// allTopics handles GET_ALL_TOPIC_CONFIG.
func (b *Broker) allTopics(in *transport.Incoming) {
	table := b.topics.table()
	in.Reply().Success(table.Marshal())
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
	var table proto.TopicStatsTable
	for id := range max(topic.ReadQueues, topic.WriteQueues) {
		key := queueKey(h.Topic, id)
		first, end := b.store.Bounds(key)
		updated, _, err := b.store.StoredAt(key, end-1)
		if err != nil {
			reply.Error(proto.RespSystemError, err.Error())
			return
		}
		table.Queues = append(table.Queues, proto.QueueStats{
			Queue: proto.Queue{Topic: h.Topic, BrokerName: b.options.Name, QueueID: id},
			Min:   int64(first), Max: int64(end), UpdatedAt: updated,
		})
	}
	reply.Success(table.Marshal(proto.FormFastJSON))
}

// brokerConfig handles GET_BROKER_CONFIG: the settings in force, as a properties file.
func (b *Broker) brokerConfig(in *transport.Incoming) {
	o := &b.options
	text := proto.ConfigText{
		{Key: "brokerName", Value: o.Name},
		{Key: "brokerClusterName", Value: o.Cluster},
		{Key: "brokerId", Value: strconv.FormatInt(o.ID, 10)},
		{Key: "brokerIP1", Value: o.AdvertisedIP.String()},
		{Key: "listenPort", Value: strconv.Itoa(int(b.address.Port()))},
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
	var version wire.Fields
	version.Add("version", string(b.topics.version.Marshal()))
	in.Reply().SendFields(proto.RespSuccess, "", nil, version, text.Marshal())
}

// runtimeInfo handles GET_BROKER_RUNTIME_INFO: what tools show of a running broker.
func (b *Broker) runtimeInfo(in *transport.Incoming) {
	used, total, err := b.env.Disk.Usage()
	ratio := "unknown"
	if err == nil && total > 0 {
		ratio = strconv.FormatFloat(float64(used)/float64(total), 'f', 4, 64)
	}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	table := proto.KVTable{Table: map[string]string{
		"brokerVersion":           number(wire.OwnVersion),
		"brokerVersionDesc":       wire.VersionName(wire.OwnVersion),
		"bootTimestamp":           number(int64(b.startAt)),
		"brokerActive":            strconv.FormatBool(b.store.Health() == nil),
		"msgPutTotalTodayNow":     number(b.stats.sent),
		"msgGetTotalTodayNow":     number(b.stats.pulled),
		"sendFailedTotal":         number(b.stats.sendFailed),
		"getTransferedBytesTotal": number(b.stats.pulledBytes),
		"commitLogMinOffset":      number(int64(b.store.Start())),
		"commitLogMaxOffset":      number(int64(b.store.Written())),
		"commitLogFlushedOffset":  number(int64(b.store.Flushed())),
		"commitLogDiskRatio":      ratio,
		"pullWaitingRequests":     number(int64(b.waiting.count)),
		"connections":             number(int64(len(b.server.Conns()))),
		"topics":                  number(int64(len(b.topics.byName))),
		"consumerGroups":          number(int64(len(b.groups.byName))),
	}}
	in.Reply().Success(table.Marshal())
}
