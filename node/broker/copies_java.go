package broker

import (
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// coveredAnswer is what slaves of Apache's are told of deliveries. They take it at once, whatever they have of the log; one that is promoted believes that
// what it was told is delivered. So it is told nothing of deliveries that are not in the logs of all copies that are connected.
type coveredAnswer struct {
	told []byte            // nil: nothing may be told yet
	next []byte            // what is told next; nil: none
	log  message.LogOffset // the copies must have the log up to here for that
}

// take returns what may be told; now makes what the master knows at this moment. nil says that nothing may be told yet.
func (a *coveredAnswer) take(c *copies, now func() []byte) []byte {
	if a.next == nil {
		a.next, a.log = now(), c.broker.store.End()
	}
	if c.leastAcked() >= a.log {
		a.told, a.next = a.next, nil
	}
	return a.told
}

const notCovered = "slaves lack messages whose delivery this would tell of: ask again"

// timerCheckpoint handles GET_TIMER_CHECK_POINT: until when messages that wait for a time of their own are delivered. To a slave of Apache's it also says
// how many of them it is to put into its wheel.
//
// Answers: success; system error: there is nothing to be told yet.
func (b *Broker) timerCheckpoint(in *transport.Incoming) {
	if b.timers.calendar == nil {
		in.Reply().Error(proto.RespSystemError, "the messages that wait for a time of their own are not read yet: ask again")
		return
	}
	body := b.copies.timers.take(b.copies, b.timers.checkpoint)
	if body == nil {
		in.Reply().Error(proto.RespSystemError, notCovered)
		return
	}
	in.Reply().Success(body)
}

// wheelPrecision is what a slot of Apache's wheel covers, in milliseconds.
const wheelPrecision = 1000

// checkpoint is as Apache's wheel counts: by whole slots.
func (t *timers) checkpoint() []byte {
	now := int64(t.broker.env.Clock.Wall())
	left := min(t.calendar.LeftBefore(), now)
	return proto.TimerCheckpoint{
		ReadMillis: left - left%wheelPrecision, QueueOffset: int64(t.next), MasterQueueOffset: int64(t.next),
		Version: proto.DataVersion{Timestamp: now, Counter: int64(t.next)},
	}.Marshal()
}

// timerMetrics handles GET_TIMER_METRICS: how many messages wait for a time of their own, by topic.
func (b *Broker) timerMetrics(in *transport.Incoming) {
	now := int64(b.env.Clock.Wall())
	metrics := proto.TimerMetrics{Version: proto.DataVersion{Timestamp: now, Counter: int64(b.timers.next)}}
	for _, topic := range sortedNames(b.timers.topics) {
		metrics.Waiting = append(metrics.Waiting, proto.TimerCount{Topic: topic, Count: b.timers.topics[topic], CountedAt: now})
	}
	in.Reply().Success(metrics.Marshal())
}

// allDelayOffsets handles GET_ALL_DELAY_OFFSET: how many messages of each delay level are delivered.
//
// Answers: success; system error: there is nothing to be told yet.
func (b *Broker) allDelayOffsets(in *transport.Incoming) {
	body := b.copies.delays.take(b.copies, func() []byte {
		var table proto.DelayOffsetTable
		for i, cursor := range b.delays.cursors {
			table.Levels = append(table.Levels, proto.NumberedOffset{Number: int32(i + 1), Offset: int64(cursor)})
		}
		return table.Marshal()
	})
	if body == nil {
		in.Reply().Error(proto.RespSystemError, notCovered)
		return
	}
	in.Reply().Success(body)
}
