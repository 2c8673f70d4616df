package client

import (
	"cmp"
	"slices"

	"github.com/gantrymq/gantry/transport/proto"
)

// batchSpanMax bounds the distance of a message from the start of its pop in an entry of a batch, which has a bit for each message between. A
// filter may have left out any number of them; what is farther away is acknowledged by itself.
const batchSpanMax = 1 << 13

// brokerBatch is what is consumed at one broker name.
type brokerBatch struct {
	body     proto.BatchAckMessage
	messages []*PoppedMessage // that the body tells of
	apart    []*PoppedMessage // that it does not: they need requests of their own
}

// batchAcks tells in as few entries as can be which messages were consumed, by broker name. Messages of one pop and queue share an
// entry. It is pure.
func batchAcks(group string, messages []*PoppedMessage) []brokerBatch {
	sorted := slices.Clone(messages)
	slices.SortStableFunc(sorted, compareReceipts)
	var batches []brokerBatch
	for i, m := range sorted {
		if i == 0 || sorted[i-1].receipt.BrokerName != m.receipt.BrokerName {
			batches = append(batches, brokerBatch{body: proto.BatchAckMessage{BrokerName: m.receipt.BrokerName}})
		}
		batches[len(batches)-1].add(group, m)
	}
	return batches
}

func (b *brokerBatch) add(group string, m *PoppedMessage) {
	if m.receipt.QueueOffset-m.receipt.StartOffset >= batchSpanMax {
		b.apart = append(b.apart, m)
		return
	}
	entry := ackEntry(group, m)
	if n := len(b.body.Acks); n == 0 || !samePop(&b.body.Acks[n-1], &entry) {
		b.body.Acks = append(b.body.Acks, entry)
	}
	setBit(&b.body.Acks[len(b.body.Acks)-1], m.receipt.QueueOffset)
	b.messages = append(b.messages, m)
}

// ackEntry is an entry that names no message yet. Its topic is the one that was asked for, whatever topic the message was read from: the digit tells that.
func ackEntry(group string, m *PoppedMessage) proto.BatchAck {
	r := m.receipt
	return proto.BatchAck{
		ConsumerGroup: group, Topic: m.topic, Retry: r.Retry.String(), StartOffset: r.StartOffset, QueueID: r.QueueID,
		ReviveQueueID: r.ReviveQueueID, PoppedAt: r.PoppedAt, InvisibleMillis: r.InvisibleMillis,
	}
}

// samePop reports whether two entries are of one pop and queue.
func samePop(a, b *proto.BatchAck) bool {
	return a.Topic == b.Topic && a.Retry == b.Retry && a.QueueID == b.QueueID && a.StartOffset == b.StartOffset &&
		a.PoppedAt == b.PoppedAt && a.InvisibleMillis == b.InvisibleMillis && a.ReviveQueueID == b.ReviveQueueID
}

func setBit(entry *proto.BatchAck, offset int64) {
	i := offset - entry.StartOffset
	for int64(len(entry.Bits)) <= i/8 {
		entry.Bits = append(entry.Bits, 0)
	}
	entry.Bits[i/8] |= 1 << (i % 8)
}

// compareReceipts brings messages together that can share an entry, those of one broker name first.
func compareReceipts(a, b *PoppedMessage) int {
	x, y := a.receipt, b.receipt
	return cmp.Or(cmp.Compare(x.BrokerName, y.BrokerName), cmp.Compare(a.topic, b.topic), cmp.Compare(x.Retry, y.Retry),
		cmp.Compare(x.QueueID, y.QueueID), cmp.Compare(x.StartOffset, y.StartOffset), cmp.Compare(x.PoppedAt, y.PoppedAt),
		cmp.Compare(x.InvisibleMillis, y.InvisibleMillis), cmp.Compare(x.ReviveQueueID, y.ReviveQueueID), cmp.Compare(x.QueueOffset, y.QueueOffset))
}
