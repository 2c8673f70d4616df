package client

import (
	"strconv"
	"time"
)

// LitePullOption configures a lite pull consumer. Every ConsumerOption and every QueueOption is one.
type LitePullOption interface{ applyLitePull(*config) }

type liteOption func(*config)

func (o liteOption) applyLitePull(c *config) { o(c) }

// liteConfig is what only lite pull consumers have.
type liteConfig struct {
	manual        bool // nothing is committed but by Commit and CommitOffsets
	commitEvery   time.Duration
	totalMessages int
	watchEvery    time.Duration
	filters       map[string]Filter // of topics whose queues are assigned by hand
}

// defaultLite has the values that Java clients have.
func defaultLite() liteConfig {
	return liteConfig{
		commitEvery: 5 * time.Second, totalMessages: 10_000, watchEvery: 30 * time.Second, filters: map[string]Filter{},
	}
}

// litePullBatch is how many messages one pull of a lite pull consumer asks for unless WithPullBatch says otherwise.
const litePullBatch = 10

// WithAutoCommit sets how often what was consumed is committed ("autoCommit", "autoCommitIntervalMillis"), from 1 s. Messages count as
// consumed when the next Poll begins. 0 switches it off: then only Commit and CommitOffsets commit. The default is 5 s.
func WithAutoCommit(every time.Duration) LitePullOption {
	return liteOption(func(c *config) {
		if c.lite.manual = every == 0; !c.lite.manual {
			c.lite.commitEvery = every
		}
	})
}

// WithTotalLimit bounds the messages of all queues together that were pulled and not handed out ("pullThresholdForAll"), besides
// WithQueueLimits. Beyond, nothing is pulled. The default is 10000.
func WithTotalLimit(messages int) LitePullOption {
	return liteOption(func(c *config) { c.lite.totalMessages = messages })
}

// WithAssignFilter filters what comes from a topic whose queues are given to Assign ("setSubExpressionForAssign"). Topics without one
// are not filtered.
func WithAssignFilter(topic string, filter Filter) LitePullOption {
	return liteOption(func(c *config) { c.lite.filters[topic] = filter })
}

// WithWatchInterval sets how often WatchQueues looks at the queues of its topics ("topicMetadataCheckIntervalMillis"). A
// change shows when the route was refreshed: see WithRouteRefresh. The default is 30 s.
func WithWatchInterval(every time.Duration) LitePullOption {
	return liteOption(func(c *config) { c.lite.watchEvery = every })
}

// LitePullNeedsDisk reports whether a lite pull consumer with these options keeps its offsets in a file, so that its world needs a
// disk.
func LitePullNeedsDisk(options ...LitePullOption) bool {
	return liteConfigOf(options).push.model == Broadcasting
}

func liteConfigOf(options []LitePullOption) *config {
	c := defaultConfig()
	c.push.pullBatch = litePullBatch
	for _, o := range options {
		o.applyLitePull(c)
	}
	c.push.persistEvery = c.lite.commitEvery
	return c
}

func (c *config) liteChecks() []check {
	l := &c.lite
	return append(append([]check{
		c.traceCheck(),
		atLeast("WithAutoCommit", l.commitEvery, time.Second),
		{l.totalMessages >= 1, "WithTotalLimit", strconv.Itoa(l.totalMessages), "a number from 1"},
		atLeast("WithWatchInterval", l.watchEvery, 10*time.Millisecond),
	}, c.queueChecks()...), c.consumerChecks()...)
}
