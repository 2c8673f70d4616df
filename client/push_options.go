package client

import (
	"fmt"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/transport/assign"
	"github.com/gantrymq/gantry/transport/proto"
)

// PushOption configures a push consumer. Every ConsumerOption is one.
type PushOption interface{ applyPush(*config) }

// QueueOption configures consumers that hold queues and pull ahead: push consumers and lite pull consumers.
type QueueOption interface {
	PushOption
	LitePullOption
}

type (
	pushOption  func(*config)
	queueOption func(*config)
)

func (o option) applyPush(c *config)          { o(c) }
func (o groupOption) applyPush(c *config)     { o(c) }
func (o consumerOption) applyPush(c *config)  { o(c) }
func (o pushOption) applyPush(c *config)      { o(c) }
func (o queueOption) applyPush(c *config)     { o(c) }
func (o queueOption) applyLitePull(c *config) { o(c) }

// Model is how the members of a group share messages (class MessageModel).
type Model = proto.MessageModel

// The models.
const (
	// Clustering: each message goes to one member (CLUSTERING).
	Clustering = proto.Clustering
	// Broadcasting: each member gets every message (BROADCASTING). Offsets are kept in a file of the member, and a message
	// whose handler fails does not come again.
	Broadcasting = proto.Broadcasting
)

// ConsumeFrom is where a group begins in a queue that it has no offset for (class ConsumeFromWhere).
type ConsumeFrom = proto.ConsumeFrom

// Where to begin.
const (
	// FromLast: with what is sent from now on (CONSUME_FROM_LAST_OFFSET). Brokers make an exception for young topics: while
	// the first message of a queue is still in memory, a new group begins with it.
	FromLast = proto.FromLastOffset
	// FromFirst: with the oldest message there is (CONSUME_FROM_FIRST_OFFSET).
	FromFirst = proto.FromFirstOffset
)

// pushConfig is what only push consumers have.
type pushConfig struct {
	handler         Handler // nil: Messages
	handlerOption   string  // the option that set it; "": none did
	inOrder         bool
	model           Model
	from            ConsumeFrom
	fromTime        time.Time // with proto.FromTimestamp; zero: 30 min before the start
	strategy        assign.Strategy
	concurrency     int
	batch           int // messages for one call of the handler
	pullBatch       int // messages of one pull
	pullBytes       int // of one pull
	pullEvery       time.Duration
	redeliveriesMax int // -1: 16, in order without end
	consumeTimeout  time.Duration
	queueMessages   int // flow control
	queueBytes      int
	queueSpan       int
	topicMessages   int // 0: no limit
	topicBytes      int // 0: no limit
	suspendFor      time.Duration
	manualCommit    bool
	sendsFilter     bool // with each pull
	persistEvery    time.Duration
	listener        func(topic string, all, held []Queue) // may be nil
}

// defaultPush has the values that Java clients have, except where a fault of theirs is behind it.
func defaultPush() pushConfig {
	return pushConfig{
		model: Clustering, from: FromLast, strategy: assign.Average{},
		concurrency: 20, batch: 1, pullBatch: 32, pullBytes: 256 << 10, redeliveriesMax: -1,
		consumeTimeout: 15 * time.Minute,
		queueMessages:  1000, queueBytes: 100 << 20, queueSpan: 2000,
		suspendFor: time.Second, sendsFilter: true, persistEvery: 5 * time.Second,
	}
}

// pushHold is how long brokers may hold pulls of a push consumer.
const pushHold = 15 * time.Second

// WithHandler consumes messages as they come, several at once (interface MessageListenerConcurrently). A message that fails comes
// again later, through the retry topic of the group, and after too many times goes to its dead-letter topic.
func WithHandler(handler Handler) PushOption {
	return pushOption(func(c *config) { c.push.handler, c.push.handlerOption, c.push.inOrder = handler, "WithHandler", false })
}

// WithOrderlyHandler consumes the messages of each queue in order, one call at a time for each queue of the group, wherever its
// members run (interface MessageListenerOrderly). While a message fails, its queue waits.
func WithOrderlyHandler(handler Handler) PushOption {
	return pushOption(func(c *config) {
		c.push.handler, c.push.handlerOption, c.push.inOrder = handler, "WithOrderlyHandler", true
	})
}

// WithModel says how the members of the group share messages ("messageModel"). The default is Clustering.
//
// With Broadcasting the consumer needs a disk, and a client id that stays the same: give members on one machine different
// instance names.
func WithModel(model Model) QueueOption { return queueOption(func(c *config) { c.push.model = model }) }

// WithConsumeFrom says where to begin in queues that the group has no offset for ("consumeFromWhere"). The default is FromLast.
func WithConsumeFrom(from ConsumeFrom) StartOption {
	return startOption(func(c *config) { c.push.from = from })
}

// WithConsumeFromTime begins with the first message that was stored at a time or later, in queues that the group has no offset for
// (CONSUME_FROM_TIMESTAMP with "consumeTimestamp"). The zero time means 30 minutes before the start.
func WithConsumeFromTime(at time.Time) QueueOption {
	return queueOption(func(c *config) { c.push.from, c.push.fromTime = proto.FromTimestamp, at })
}

// WithStrategy shares the queues of a topic among the members of a group ("allocateMessageQueueStrategy"). All members must use the
// same. The default gives each about the same number of queues, next to each other.
func WithStrategy(strategy assign.Strategy) QueueOption {
	return queueOption(func(c *config) { c.push.strategy = strategy })
}

// WithConcurrency bounds the calls of the handler at once ("consumeThreadMax"). The default is 20.
func WithConcurrency(calls int) PushOption {
	return pushOption(func(c *config) { c.push.concurrency = calls })
}

// WithBatchSize bounds the messages of one call of the handler ("consumeMessageBatchMaxSize"), from 1 to 1024. The default is 1.
func WithBatchSize(messages int) PushOption {
	return pushOption(func(c *config) { c.push.batch = messages })
}

// WithPullBatch bounds one pull, in messages ("pullBatchSize", from 1 to 1024) and in bytes ("pullBatchSizeInBytes"). The defaults
// are 32 and 256 KiB.
func WithPullBatch(messages, bytes int) QueueOption {
	return queueOption(func(c *config) { c.push.pullBatch, c.push.pullBytes = messages, bytes })
}

// WithPullInterval sets how long to wait between two pulls of a queue ("pullInterval"), up to 65535 ms. The default is 0.
func WithPullInterval(every time.Duration) QueueOption {
	return queueOption(func(c *config) { c.push.pullEvery = every })
}

// WithMaxRedeliveries sets how often a failed message comes again before it goes to the dead-letter topic
// ("maxReconsumeTimes"). The default, -1, means 16 times; in order, without end.
func WithMaxRedeliveries(times int) PushOption {
	return pushOption(func(c *config) { c.push.redeliveriesMax = times })
}

// WithConsumeTimeout sets after which time a message whose handler does not return is sent back, so that it comes again and
// those behind it can be committed ("consumeTimeout"). The handler is not stopped. In order there is no such limit. The default
// is 15 min.
func WithConsumeTimeout(timeout time.Duration) PushOption {
	return pushOption(func(c *config) { c.push.consumeTimeout = timeout })
}

// WithQueueLimits bounds what one queue may have pulled and not consumed: messages ("pullThresholdForQueue"), bytes of their bodies
// ("pullThresholdSizeForQueue"), and, unless in order, the distance from the first such message to the last
// ("consumeConcurrentlyMaxSpan"). Beyond, the queue is not pulled. The defaults are 1000, 100 MiB and 2000.
func WithQueueLimits(messages, bytes, span int) QueueOption {
	return queueOption(func(c *config) {
		c.push.queueMessages, c.push.queueBytes, c.push.queueSpan = messages, bytes, span
	})
}

// WithTopicLimits bounds what all queues of one topic that this consumer holds may have pulled and not consumed, besides
// WithQueueLimits: each may have an equal share, at least 1 ("pullThresholdForTopic", "pullThresholdSizeForTopic"). The default, 0,
// means no such limit.
func WithTopicLimits(messages, bytes int) PushOption {
	return pushOption(func(c *config) { c.push.topicMessages, c.push.topicBytes = messages, bytes })
}

// WithSuspendTime sets how long a queue that is consumed in order rests after a failure ("suspendCurrentQueueTimeMillis"), from
// 10 ms to 30 s. The default is 1 s.
func WithSuspendTime(pause time.Duration) PushOption {
	return pushOption(func(c *config) { c.push.suspendFor = pause })
}

// WithManualCommit lets an orderly handler say when what it consumed is committed ("autoCommit" false of ConsumeOrderlyContext). nil then means
// that the messages are consumed, but come again with all later ones if the consumer ends; CommitNow commits everything up to them; RollbackNow
// has everything since the last commit delivered again, and other errors only the messages of this call.
//
// What is not committed counts for WithQueueLimits: a handler that never commits stops its queue.
func WithManualCommit() PushOption {
	return pushOption(func(c *config) { c.push.manualCommit = true })
}

// WithFilterInPulls says whether each pull carries the filter, if that is tags ("postSubscriptionWhenPull"). Without it brokers
// apply the subscription that the last heartbeat of any member of the group told, so that members which differ
// lose messages. The default is true.
func WithFilterInPulls(yes bool) PushOption {
	return pushOption(func(c *config) { c.push.sendsFilter = yes })
}

// WithOffsetStoring sets how often offsets are stored ("persistConsumerOffsetInterval"). The default is 5 s.
func WithOffsetStoring(every time.Duration) PushOption {
	return pushOption(func(c *config) { c.push.persistEvery = every })
}

// WithQueueListener sets a function that hears when this consumer has taken on or given up queues of a topic (interface
// MessageQueueListener): all queues of the topic, as far as they are known, and those that are held now, both sorted. It runs
// on a goroutine of its own, one call after the other, and must not wait for Close of its own consumer. A panic in it is
// logged. By the time of a call, more may have changed.
func WithQueueListener(listener func(topic string, all, held []Queue)) QueueOption {
	return queueOption(func(c *config) { c.push.listener = listener })
}

// NeedsDisk reports whether a push consumer with these options keeps its offsets in a file, so that its world needs a disk.
func NeedsDisk(options ...PushOption) bool {
	c := defaultConfig()
	for _, o := range options {
		o.applyPush(c)
	}
	return c.push.model == Broadcasting
}

func (c *config) pushChecks() []check {
	p := &c.push
	return append(append([]check{
		{p.handler != nil || p.handlerOption == "", p.handlerOption, "nil", "a function, or leave the option out and loop over Messages"},
		c.traceCheck(),
		within("WithConcurrency", p.concurrency, 1, 1<<20),
		within("WithBatchSize", p.batch, 1, 1024),
		within("WithMaxRedeliveries", p.redeliveriesMax, -1, 1<<30),
		{!p.manualCommit || p.inOrder, "WithManualCommit", "", "WithOrderlyHandler as well: others have nothing to commit in order"},
		atLeast("WithConsumeTimeout", p.consumeTimeout, time.Second),
		within("WithTopicLimits", p.topicMessages, 0, 6553500),
		within("WithTopicLimits", p.topicBytes, 0, 1<<50),
		{p.suspendFor >= suspendMin && p.suspendFor <= suspendMax, "WithSuspendTime", p.suspendFor.String(), "a time from 10ms to 30s"},
		atLeast("WithOffsetStoring", p.persistEvery, 10*time.Millisecond),
	}, append(c.queueChecks(), c.poppingChecks()...)...), c.consumerChecks()...)
}

// queueChecks are about QueueOptions.
func (c *config) queueChecks() []check {
	p := &c.push
	return []check{
		{p.model == Clustering || p.model == Broadcasting, "WithModel", p.model.String(), "Clustering or Broadcasting"},
		{p.from >= proto.FromLastOffset && p.from <= proto.FromTimestamp, "WithConsumeFrom", p.from.String(), "FromLast or FromFirst"},
		{p.strategy != nil, "WithStrategy", "nil", "a strategy of package assign, or your own"},
		within("WithPullBatch", p.pullBatch, 1, 1024),
		within("WithPullBatch", p.pullBytes, 1, 1<<30),
		{p.pullEvery >= 0 && p.pullEvery <= 65535*time.Millisecond, "WithPullInterval", p.pullEvery.String(), "up to 65535ms"},
		within("WithQueueLimits", p.queueMessages, 1, 65535),
		within("WithQueueLimits", p.queueBytes, 1, 1<<40),
		within("WithQueueLimits", p.queueSpan, 1, 65535),
	}
}

func within(option string, value, least, most int) check {
	return check{value >= least && value <= most, option, strconv.Itoa(value), fmt.Sprintf("a number from %d to %d", least, most)}
}
