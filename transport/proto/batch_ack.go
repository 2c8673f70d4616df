package proto

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// BatchAckMessage is the body of ReqBatchAckMessage (class BatchAckMessageRequestBody, since 5.1.3):
// many popped messages have been consumed.
type BatchAckMessage struct {
	BrokerName string     // brokerName
	Acks       []BatchAck // acks
}

// BatchAck acknowledges messages of one pop from one queue (class BatchAck). It is written with
// the short keys and read with either.
type BatchAck struct {
	ConsumerGroup   string // c, consumerGroup
	Topic           string // t, topic: that was asked for; with Retry it tells the one that the messages were read from
	Retry           string // r, retry: "0" the topic itself, "1" and "2" its retry topics for pops (V1 and V2)
	StartOffset     int64  // so, startOffset: queue offset of the first message of the pop
	QueueID         int32  // q, queueId
	ReviveQueueID   int32  // rq, reviveQueueId
	PoppedAt        int64  // pt, popTime: wall milliseconds of the broker
	InvisibleMillis int64  // it, invisibleTime
	// Bits (b, bitSet) tells the messages: bit i%8 of byte i/8 is the one at StartOffset + i. In
	// JSON it is base64 with padding.
	Bits []byte
}

// Has reports whether the message at a queue offset is acknowledged.
func (a *BatchAck) Has(queueOffset int64) bool {
	i := queueOffset - a.StartOffset
	return i >= 0 && i/8 < int64(len(a.Bits)) && a.Bits[i/8]>>(i%8)&1 == 1
}

// String shows the number of pops.
func (b *BatchAckMessage) String() string {
	return fmt.Sprintf("acknowledgements of %d pops at %s", len(b.Acks), b.BrokerName)
}

// String shows whose pop it is.
func (a *BatchAck) String() string {
	return fmt.Sprintf("%s has consumed of %s queue %d from %d on", a.ConsumerGroup, a.Topic, a.QueueID, a.StartOffset)
}

// Marshal writes the body.
func (b *BatchAckMessage) Marshal() []byte {
	var w writer
	w.open('{')
	w.key("acks")
	w.open('[')
	for i := range b.Acks {
		w.batchAck(&b.Acks[i])
	}
	w.close(']')
	w.stringMember("brokerName", b.BrokerName)
	w.close('}')
	return w.text
}

func (w *writer) batchAck(a *BatchAck) {
	w.open('{')
	w.stringMember("b", base64.StdEncoding.EncodeToString(a.Bits))
	w.stringMember("c", a.ConsumerGroup)
	w.integerMember("it", a.InvisibleMillis)
	w.integerMember("pt", a.PoppedAt)
	w.integerMember("q", int64(a.QueueID))
	w.stringMember("r", a.Retry)
	w.integerMember("rq", int64(a.ReviveQueueID))
	w.integerMember("so", a.StartOffset)
	w.stringMember("t", a.Topic)
	w.close('}')
}

// UnmarshalBatchAckMessage reads the body. The error is ErrBody.
func UnmarshalBatchAckMessage(body []byte) (*BatchAckMessage, error) {
	var in struct {
		BrokerName looseString `json:"brokerName"`
		Acks       []BatchAck  `json:"acks"`
	}
	if err := unmarshal("BatchAckMessageRequestBody", body, &in); err != nil {
		return nil, err
	}
	return &BatchAckMessage{BrokerName: string(in.BrokerName), Acks: in.Acks}, nil
}

// batchAckShort is the class with its short keys.
type batchAckShort struct {
	ConsumerGroup looseString `json:"c"`
	Topic         looseString `json:"t"`
	Retry         looseString `json:"r"`
	StartOffset   looseInt64  `json:"so"`
	QueueID       looseInt32  `json:"q"`
	ReviveQueueID looseInt32  `json:"rq"`
	PopTime       looseInt64  `json:"pt"`
	InvisibleTime looseInt64  `json:"it"`
	BitSet        []byte      `json:"b"`
}

// batchAckLong has the fields of batchAckShort in the same order, so that either converts to the other.
type batchAckLong struct {
	ConsumerGroup looseString `json:"consumerGroup"`
	Topic         looseString `json:"topic"`
	Retry         looseString `json:"retry"`
	StartOffset   looseInt64  `json:"startOffset"`
	QueueID       looseInt32  `json:"queueId"`
	ReviveQueueID looseInt32  `json:"reviveQueueId"`
	PopTime       looseInt64  `json:"popTime"`
	InvisibleTime looseInt64  `json:"invisibleTime"`
	BitSet        []byte      `json:"bitSet"`
}

// UnmarshalJSON reads strict JSON. Where a member has both keys, the short one counts.
func (a *BatchAck) UnmarshalJSON(text []byte) error {
	var long batchAckLong
	if err := json.Unmarshal(text, &long); err != nil {
		return err
	}
	in := batchAckShort(long)
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*a = BatchAck{
		ConsumerGroup:   string(in.ConsumerGroup),
		Topic:           string(in.Topic),
		Retry:           string(in.Retry),
		StartOffset:     int64(in.StartOffset),
		QueueID:         int32(in.QueueID),
		ReviveQueueID:   int32(in.ReviveQueueID),
		PoppedAt:        int64(in.PopTime),
		InvisibleMillis: int64(in.InvisibleTime),
		Bits:            in.BitSet,
	}
	return nil
}
