package client

import (
	"strconv"
	"time"

	"github.com/gantrymq/gantry/transport/proto"
)

// PopOption configures a pop consumer. Every ConsumerOption is one.
type PopOption interface{ applyPop(*config) }

// PoppingOption configures consumers that pop: pop consumers, and push consumers for queues that brokers have them pop.
type PoppingOption interface {
	PushOption
	PopOption
}

// StartOption configures consumers that have a place where a new group begins.
type StartOption interface {
	QueueOption
	PopOption
}

type (
	poppingOption func(*config)
	startOption   func(*config)
)

func (o option) applyPop(c *config)           { o(c) }
func (o groupOption) applyPop(c *config)      { o(c) }
func (o consumerOption) applyPop(c *config)   { o(c) }
func (o traceOption) applyPop(c *config)      { o(c) }
func (o poppingOption) applyPop(c *config)    { o(c) }
func (o poppingOption) applyPush(c *config)   { o(c) }
func (o startOption) applyPop(c *config)      { o(c) }
func (o startOption) applyPush(c *config)     { o(c) }
func (o startOption) applyLitePull(c *config) { o(c) }

// popConfig is what only consumers that pop have.
type popConfig struct {
	asksBrokers bool // which queues are held, and how; of push consumers only
	invisible   time.Duration
	batch       int // messages of one pop of a push consumer
	limit       int // of messages that were popped and not settled, for each assigned queue of a push consumer
}

// The bounds of pops, and what counts unless an option says otherwise.
const (
	popBatchMax    = 32
	popLimit       = 96
	invisibleMin   = 5 * time.Second
	invisibleMax   = 5 * time.Minute
	invisibleUsual = time.Minute
	popHold        = 15 * time.Second
)

// defaultPop has the values that Java clients have.
func defaultPop() popConfig {
	return popConfig{invisible: invisibleUsual, batch: popBatchMax, limit: popLimit}
}

// WithInvisibleTime sets how long popped messages are hidden from the rest of the group ("popInvisibleTime"), from 5 s to 5 min: a member that
// takes longer to consume a message than that shares it with another one. The default is 1 min.
func WithInvisibleTime(invisible time.Duration) PoppingOption {
	return poppingOption(func(c *config) { c.pop.invisible = invisible })
}

// WithBrokerRebalance lets brokers say which queues of a topic this consumer holds, and whether it pulls or pops them
// ("clientRebalance" false): see Admin.SetRequestMode. As long as no broker of a topic has said so once, members share out its queues among
// themselves, as without this option. Consumers in order and with Broadcasting do so always.
//
// Popped messages are not committed but acknowledged one by one, and members of a group may share a queue. What fails comes again after 10 s, 30 s,
// 1 min and so on; RetryAfter and Reject mean the same as elsewhere.
//
// All members of a group must have the option, or none.
func WithBrokerRebalance() PushOption {
	return pushOption(func(c *config) { c.pop.asksBrokers = true })
}

// WithPopLimits bounds one pop of a push consumer ("popBatchNums", from 1 to 32), and the messages of one assigned queue, which may stand for all
// of a topic at a broker, that were popped and are not settled: beyond, the queue is not popped ("popThresholdForQueue"). The
// defaults are 32 and 96.
func WithPopLimits(batch, queueMessages int) PushOption {
	return pushOption(func(c *config) { c.pop.batch, c.pop.limit = batch, queueMessages })
}

// popConsumerChecks are about options of a PopConsumer.
func (c *config) popConsumerChecks() []check {
	from := c.push.from
	return append(append([]check{
		c.traceCheck(),
		{from == proto.FromLastOffset || from == proto.FromFirstOffset, "WithConsumeFrom", from.String(), "FromLast or FromFirst: who pops cannot begin at a time"},
	}, c.poppingChecks()...), c.consumerChecks()...)
}

// poppingChecks are about PoppingOptions, and what push consumers have besides.
func (c *config) poppingChecks() []check {
	p, name := &c.pop, c.push.strategyName()
	return []check{
		{p.invisible >= invisibleMin && p.invisible <= invisibleMax, "WithInvisibleTime", p.invisible.String(), "a time from 5s to 5m"},
		within("WithPopLimits", p.batch, 1, popBatchMax),
		within("WithPopLimits", p.limit, 1, 65535),
		{!p.asksBrokers || name == proto.StrategyAverage || name == proto.StrategyAverageByCircle, "WithStrategy", strconv.Quote(name),
			"assign.Average or assign.AverageByCircle with WithBrokerRebalance: brokers know no other"},
	}
}

// strategyName is what brokers are told of the strategy.
func (p *pushConfig) strategyName() string {
	if p.strategy == nil {
		return ""
	}
	return p.strategy.Name()
}
