package client

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// stackDumpMax bounds the stacks that a tool is told, in bytes.
const stackDumpMax = 1 << 20

// serveRunningInfo tells tools how this consumer is (GET_CONSUMER_RUNNING_INFO). A tool that asks for it sees what all
// goroutines of the process do, those of the application too, as with a Java client.
func (c *PushConsumer) serveRunningInfo(in *transport.Incoming) error {
	var h proto.GetConsumerRunningInfo
	if err := h.DecodeFields(in.Command.Fields); err != nil {
		return err
	}
	if err := c.ofGroup(h.ConsumerGroup); err != nil {
		return err
	}
	info := c.runningInfo()
	if h.StackDump {
		info.StackDump = c.core.env.Tasks.Stacks(stackDumpMax)
	}
	in.Reply().Success(info.Marshal())
	return nil
}

func (c *PushConsumer) runningInfo() *proto.ConsumerRunningInfo {
	info := &proto.ConsumerRunningInfo{Properties: c.properties(), Subscriptions: c.consumerData().Subscriptions}
	for _, a := range c.order {
		if a.popped != nil {
			info.PopQueues = append(info.PopQueues, popInfo(a))
			continue
		}
		info.Queues = append(info.Queues, c.queueInfo(a))
	}
	now := c.core.env.Clock.Now()
	for _, topic := range slices.Sorted(maps.Keys(c.rates.topics)) {
		info.Rates = append(info.Rates, c.rates.topics[topic].rates(topic, now))
	}
	return info
}

// properties are the settings, by the names of Java's.
func (c *PushConsumer) properties() map[string]string {
	p := c.push
	return map[string]string{
		proto.RunningNameServers:     strings.Join(c.core.names.addresses, ";"),
		proto.RunningThreads:         strconv.Itoa(p.concurrency),
		proto.RunningOrdered:         strconv.FormatBool(p.inOrder),
		proto.RunningConsumeType:     c.consumerData().ConsumeType.String(),
		proto.RunningClientVersion:   wire.VersionDescription(wire.OwnVersion),
		proto.RunningStartedAt:       strconv.FormatInt(int64(c.startedAt), 10),
		"consumerGroup":              c.config.group,
		"messageModel":               p.model.String(),
		"consumeFromWhere":           p.from.String(),
		"consumeThreadMax":           strconv.Itoa(p.concurrency),
		"consumeMessageBatchMaxSize": strconv.Itoa(p.batch),
		"pullBatchSize":              strconv.Itoa(p.pullBatch),
		"maxReconsumeTimes":          strconv.Itoa(p.redeliveriesMax),
		"consumeTimeout":             strconv.Itoa(int(p.consumeTimeout.Minutes())),
		"pullThresholdForQueue":      strconv.Itoa(p.queueMessages),
		"consumeConcurrentlyMaxSpan": strconv.Itoa(p.queueSpan),
		"clientRebalance":            strconv.FormatBool(!c.asksBrokers()),
		"popInvisibleTime":           strconv.FormatInt(c.config.pop.invisible.Milliseconds(), 10),
		"popBatchNums":               strconv.Itoa(c.config.pop.batch),
		"popThresholdForQueue":       strconv.Itoa(c.config.pop.limit),
		"suspended":                  strconv.FormatBool(c.suspended),
	}
}

func (c *PushConsumer) queueInfo(a *assignment) proto.ProcessQueueInfo {
	info := proto.ProcessQueueInfo{
		Queue: a.queue, CommitOffset: int64(a.committed()), Cached: int32(a.unfinished), CachedMebibytes: int32(a.bytes >> 20),
		Locked: c.locks() && c.mayConsume(a), LockedAt: int64(a.lock.at), Dropped: a.dropped,
		PulledAt: int64(a.pulledAt), ConsumedAt: int64(a.consumedAt),
	}
	if n := len(a.entries); n > 0 {
		info.CachedMin, info.CachedMax = int64(a.entries[0].message.Offset), int64(a.entries[n-1].message.Offset)
	}
	if c.push.inOrder {
		info.Consuming = int32(a.running)
	}
	return info
}
