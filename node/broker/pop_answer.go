package broker

import (
	"github.com/gantrymq/gantry/node/inflight"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// answer is the answer to a pop: the records, and by what receipts they are acknowledged.
func (w *taking) answer(e *inflight.Popped, p *popRequest) ([]byte, *proto.PopMessageResponse) {
	header := &proto.PopMessageResponse{PoppedAt: e.At, InvisibleMillis: e.InvisibleMillis, Left: w.left}
	if p.ordered {
		header.ReviveQueueID = proto.ReviveQueueOrdered
	}
	body := make([]byte, 0, w.bytes)
	var starts []proto.PopStart
	var offsets []proto.PopQueueOffsets
	var counts []proto.PopOrderCount
	for i := range w.queues {
		part := &w.queues[i]
		if len(part.messages) == 0 {
			continue
		}
		first := int64(part.messages[0].offset)
		starts = append(starts, proto.PopStart{Retry: part.retry, QueueID: part.queue.ID, Offset: first})
		list := proto.PopQueueOffsets{Retry: part.retry, QueueID: part.queue.ID}
		for _, m := range part.messages {
			list.Offsets = append(list.Offsets, int64(m.offset))
			if p.ordered && m.before.Deliveries > 0 {
				counts = append(counts, proto.PopOrderCount{Retry: part.retry, QueueID: part.queue.ID, Offset: int64(m.offset), Count: m.before.Deliveries})
			}
			body = w.appendMessage(body, part, &m, proto.PopReceipt{
				StartOffset: first, PoppedAt: e.At, InvisibleMillis: e.InvisibleMillis, ReviveQueueID: header.ReviveQueueID, Retry: part.retry,
				BrokerName: w.name, QueueID: part.queue.ID, QueueOffset: int64(m.offset), LogOffset: -1,
			}, p.topic)
		}
		offsets = append(offsets, list)
	}
	header.StartOffsets, header.MessageOffsets = proto.FormatPopStarts(starts), proto.FormatPopQueueOffsets(offsets)
	header.OrderCounts = proto.FormatPopOrderCounts(counts)
	return body, header
}

// appendMessage appends a record. One of a retry topic gets the topic that the consumer wants, and its receipt: by the topic the client could not tell which
// queue it is from.
func (w *taking) appendMessage(body []byte, part *queueTaking, m *takenMessage, receipt proto.PopReceipt, topic string) []byte {
	var r message.Record
	if part.retry == proto.PopNormal {
		return append(body, m.record...)
	}
	if _, err := message.DecodeRecord(m.record, &r, false); err != nil {
		return body // it was decoded before
	}
	properties := message.ParseProperties(r.Properties)
	properties.Set(message.PropertyReceipt, receipt.String())
	r.Topic, r.Properties = []byte(topic), encodeProperties(properties)
	r.Redeliveries += m.before.Deliveries
	if longer, err := message.AppendRecord(body, &r); err == nil {
		return longer
	}
	// The receipt does not fit into the properties: the message itself does, and is acknowledged by its place.
	return append(body, m.record...)
}

// addLag says of a queue of which a group pops what it has popped.
func (t *pops) addLag(lag *queueLag) {
	q := inflight.Queue{Group: lag.Group, Topic: lag.Topic, ID: lag.Queue}
	next, known := t.state.Next(q)
	if !known || int64(t.state.Floor(q)) != lag.committed {
		return // it has pulled more
	}
	held, _ := t.state.Holds(q)
	lag.pulled = max(lag.pulled, min(int64(next), lag.end))
	lag.settled = max(min(int64(next), lag.end)-lag.committed-int64(held), 0)
}

// counted adds what was handed out to the statistics of groups.
func (w *taking) counted(b *Broker, p *popRequest) {
	now := b.env.Clock.Now()
	for i := range w.queues {
		part, bytes := &w.queues[i], int64(0)
		for _, m := range part.messages {
			bytes += int64(len(m.record))
		}
		if n := len(part.messages); n > 0 {
			b.stats.pulled(groupQueue{p.group.Name, part.queue.Topic, part.queue.ID}, now, int64(n), bytes, 0)
			b.stats.popped(p.group.Name, part.queue.Topic, now)
		}
	}
	if w.count == 0 {
		b.stats.missed.add(now, amounts{calls: 1})
	}
}
