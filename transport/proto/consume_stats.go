package proto

import (
	"encoding/json"
	"fmt"
)

// ConsumeStats tells how far a group is behind (class ConsumeStats): the body of the answer to
// ReqGetConsumeStats, and a part of ConsumeStatsList. Its JSON has queues, whole objects, as
// keys.
type ConsumeStats struct {
	Queues            []QueueProgress // offsetTable; in the order of queues when read, each queue once
	ConsumedPerSecond float64         // consumeTps: messages
}

// QueueProgress is one entry of ConsumeStats.Queues (class OffsetWrapper).
type QueueProgress struct {
	Queue          Queue
	BrokerOffset   int64 // brokerOffset: one past the last message
	ConsumerOffset int64 // consumerOffset: the next to consume, as committed
	PullOffset     int64 // pullOffset, since 5.0: the next to pull; 0 from brokers before
	// ConsumedTo (lastTimestamp) is when the last consumed message was stored, in wall milliseconds;
	// 0 if unknown.
	ConsumedTo int64
}

// Behind is how many messages are not consumed yet.
func (s *ConsumeStats) Behind() int64 {
	var behind int64
	for i := range s.Queues {
		behind += s.Queues[i].BrokerOffset - s.Queues[i].ConsumerOffset
	}
	return behind
}

// String shows the number of queues and how much is left.
func (s *ConsumeStats) String() string {
	return fmt.Sprintf("%d queues, %d behind, %.1f messages a second", len(s.Queues), s.Behind(), s.ConsumedPerSecond)
}

// String shows the queue and its offsets.
func (q QueueProgress) String() string {
	return fmt.Sprintf("%s %d of %d", q.Queue, q.ConsumerOffset, q.BrokerOffset)
}

// Marshal writes the body. All tools read FormFastJSON, those from 4.7.1 on also FormStrict.
func (s *ConsumeStats) Marshal(form Form) []byte {
	w := writer{form: form}
	w.consumeStats(s)
	return w.text
}

func (w *writer) consumeStats(s *ConsumeStats) {
	w.open('{')
	w.decimalMember("consumeTps", s.ConsumedPerSecond)
	w.key("offsetTable")
	w.open('{')
	for i := range s.Queues {
		w.queueKey(s.Queues[i].Queue)
		w.progress(&s.Queues[i])
	}
	w.close('}')
	w.close('}')
}

func (w *writer) progress(q *QueueProgress) {
	w.open('{')
	w.integerMember("brokerOffset", q.BrokerOffset)
	w.integerMember("consumerOffset", q.ConsumerOffset)
	w.integerMember("lastTimestamp", q.ConsumedTo)
	w.integerMember("pullOffset", q.PullOffset)
	w.close('}')
}

// UnmarshalConsumeStats reads the body in either form. The error is ErrBody.
func UnmarshalConsumeStats(body []byte) (*ConsumeStats, error) {
	s := new(ConsumeStats)
	if err := unmarshal("ConsumeStats", body, s); err != nil {
		return nil, err
	}
	return s, nil
}

// UnmarshalJSON reads strict JSON.
func (s *ConsumeStats) UnmarshalJSON(text []byte) error {
	var in struct {
		OffsetTable map[queueKey]QueueProgress `json:"offsetTable"`
		ConsumeTps  looseFloat                 `json:"consumeTps"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*s = ConsumeStats{ConsumedPerSecond: float64(in.ConsumeTps)}
	for _, key := range sortedQueues(in.OffsetTable) {
		progress := in.OffsetTable[key]
		progress.Queue = key.queue
		s.Queues = append(s.Queues, progress)
	}
	return nil
}

// UnmarshalJSON reads strict JSON. The queue is in the key, which is not seen here.
func (q *QueueProgress) UnmarshalJSON(text []byte) error {
	var in struct {
		BrokerOffset   looseInt64 `json:"brokerOffset"`
		ConsumerOffset looseInt64 `json:"consumerOffset"`
		PullOffset     looseInt64 `json:"pullOffset"`
		LastTimestamp  looseInt64 `json:"lastTimestamp"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*q = QueueProgress{
		BrokerOffset:   int64(in.BrokerOffset),
		ConsumerOffset: int64(in.ConsumerOffset),
		PullOffset:     int64(in.PullOffset),
		ConsumedTo:     int64(in.LastTimestamp),
	}
	return nil
}
