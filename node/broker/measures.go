package broker

import (
	"strconv"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/measure"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// measures are what this broker counts for monitoring, besides statistics, which tools ask for. They are in memory only. What is on the path of
// a message allocates nothing, and costs about a tenth of a microsecond a message.
type measures struct {
	clock     env.Clock
	levels    []time.Duration         // delay levels
	topics    map[string]*topicCounts // by the topic that was sent to; at most flowsMax
	uncounted int64                   // messages whose topic had no room
	refused   [store.AppendNoFile + 1]int64
	busy      int64 // requests that were answered SYSTEM_BUSY

	appends, pulls *measure.Histogram
	flushes        *measure.Histogram
	flushedBytes   int64
	late           *measure.Histogram // by how much delayed messages came too late
	calls          *measure.Calls
	made           map[madeThing]*measure.Histogram // topics and groups that tools have made or changed

	ages     map[ageKey]agedMessage // of the messages at which groups stood when it was measured last
	earliest agedMessage            // the first of the log
}

// topicCounts are the messages that came for a topic.
type topicCounts struct {
	kinds  [messageKinds]kindCounts
	delays *measure.Histogram // how long senders wanted them to wait; nil if none did
	// Messages that wait, or waited, for a time of their own.
	timersIn, timersOut int64
	// Transactions that have ended.
	commits, rollbacks int64
	finished           *measure.Histogram // from the birth of the message to its commit; nil if there was none
}

type kindCounts struct {
	messages, bytes int64
	sizes           *measure.Histogram // nil if there are none
}

// messageKind is what the protocol calls the type of a message.
type messageKind uint8

const (
	normalMessage messageKind = iota
	orderedMessage
	delayedMessage
	transactionalMessage
	messageKinds
)

var messageKindNames = [messageKinds]string{"normal", "fifo", "delay", "transaction"}

// String is the value of the label message_type.
func (k messageKind) String() string { return messageKindNames[k] }

// madeThing is a topic or a group, and whether it could be made.
type madeThing struct {
	group   bool
	success bool
}

func newMeasures(clock env.Clock, levels []time.Duration) *measures {
	return &measures{
		clock: clock, levels: levels,
		topics:  map[string]*topicCounts{},
		appends: measure.NewHistogram(pathScale), pulls: measure.NewHistogram(pathScale),
		flushes: measure.NewHistogram(flushScale), late: measure.NewHistogram(lateScale),
		calls: measure.NewCalls(measure.CallScale), made: map[madeThing]*measure.Histogram{},
		ages: map[ageKey]agedMessage{},
	}
}

// sendCounts is what a send counts for once it is stored.
type sendCounts struct {
	topic *topicCounts // nil: messages that come again, dead letters
	kind  messageKind
	delay time.Duration
	timed bool // it waits for a time of its own
}

// sends finds what a send counts for. A batch is of the kind of its first message.
func (m *measures) sends(header *proto.SendMessage, records []message.Record) sendCounts {
	if proto.IsRetryTopic(header.Topic) || proto.IsDeadLetterTopic(header.Topic) {
		return sendCounts{}
	}
	first := &records[0]
	counts := sendCounts{topic: m.countsOf(header.Topic), kind: kindOf(first.Properties)}
	switch {
	case counts.kind != delayedMessage:
	case string(first.Topic) == proto.DelayTopic:
		counts.delay = m.levels[first.QueueID]
	case string(first.Topic) == proto.TimerTopic:
		due, _ := message.PropertyBytes(first.Properties, message.PropertyTimerDueAtMillis)
		at, _ := strconv.ParseInt(string(due), 10, 64)
		counts.delay, counts.timed = time.Duration(at-int64(m.clock.Wall()))*time.Millisecond, true
	}
	return counts
}

func (m *measures) countsOf(topic string) *topicCounts {
	t := m.topics[topic]
	if t == nil && len(m.topics) < flowsMax {
		t = &topicCounts{}
		m.topics[strings.Clone(topic)] = t
	} else if t == nil {
		m.uncounted++
	}
	return t
}

// kindOf looks at all properties once.
func kindOf(properties []byte) messageKind {
	kind := normalMessage
	for name, value := range message.EachProperty(properties) {
		switch string(name) {
		case message.PropertyHalfMessage:
			if strings.EqualFold(string(value), "true") {
				return transactionalMessage
			}
		case message.PropertyOrderingKey, message.PropertyOrderingKeyGoClient, message.PropertyOrderingKeyNodeClient:
			kind = orderedMessage
		case message.PropertyDelayLevel, message.PropertyDelaySeconds, message.PropertyDelayMillis, message.PropertyDeliverAtMillis, message.PropertyStartDeliverAtMillis:
			if kind == normalMessage && string(value) != "0" {
				kind = delayedMessage
			}
		}
	}
	return kind
}

// stored counts a send that was stored.
func (m *measures) stored(to sendCounts, messages int, bytes int64, took time.Duration) {
	m.appends.Observe(int64(took))
	if to.topic == nil {
		return
	}
	k := &to.topic.kinds[to.kind]
	if k.sizes == nil {
		k.sizes = measure.NewHistogram(sizeScale)
	}
	k.messages += int64(messages)
	k.bytes += bytes
	k.sizes.ObserveTimes(bytes/int64(max(messages, 1)), uint64(messages))
	if to.delay > 0 {
		to.topic.wait(to.delay)
	}
	if to.timed {
		to.topic.timersIn++
	}
}

// due counts a message that was delivered at a time of its own, wall milliseconds.
func (m *measures) due(topic []byte, due int64) {
	m.late.Observe(int64(time.Duration(int64(m.clock.Wall())-due) * time.Millisecond))
	if t := m.countsOf(string(topic)); t != nil {
		t.timersOut++
	}
}

// ended counts a transaction that its producer has ended.
func (m *measures) ended(topic string, bornAt int64, commit bool) {
	t := m.countsOf(topic)
	switch {
	case t == nil:
	case !commit:
		t.rollbacks++
	default:
		t.commits++
		if t.finished == nil {
			t.finished = measure.NewHistogram(finishScale)
		}
		t.finished.Observe(int64(time.Duration(max(int64(m.clock.Wall())-bornAt, 0)) * time.Millisecond))
	}
}

// refuse counts a send that was not stored.
func (m *measures) refuse(status store.AppendStatus) {
	if status >= 0 && int(status) < len(m.refused) {
		m.refused[status]++
	}
}

// wait counts a message whose sender wants it to be delivered later.
func (t *topicCounts) wait(delay time.Duration) {
	if t.delays == nil {
		t.delays = measure.NewHistogram(delayScale)
	}
	t.delays.Observe(int64(delay))
}

// forgetTopic forgets a topic that was deleted.
func (m *measures) forgetTopic(topic string) { delete(m.topics, topic) }

// synced is told of each sync of the log.
func (m *measures) synced(took time.Duration, bytes int64) {
	m.flushes.Observe(int64(took))
	m.flushedBytes += bytes
}

// answered is told of each request that was answered.
func (m *measures) answered(a transport.Answered) {
	m.calls.Observe(callOf(a), int64(a.Took))
	switch {
	case a.Response == proto.RespSystemBusy:
		m.busy++
	case a.Request == proto.ReqUpdateAndCreateTopic:
		m.makes(madeThing{success: a.Response == proto.RespSuccess}, a.Took)
	case a.Request == proto.ReqUpdateAndCreateSubscriptionGroup:
		m.makes(madeThing{group: true, success: a.Response == proto.RespSuccess}, a.Took)
	}
}

func callOf(a transport.Answered) measure.Call {
	call := measure.Call{Request: a.Request, Response: a.Response, Held: a.Held}
	switch {
	case a.Oneway:
		call.Outcome = measure.Unwanted
	case a.Gone:
		call.Outcome = measure.Gone
	}
	return call
}

func (m *measures) makes(what madeThing, took time.Duration) {
	if m.made[what] == nil {
		m.made[what] = measure.NewHistogram(makeScale)
	}
	m.made[what].Observe(int64(took))
}
