package proto

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// TopicStatsTable tells how far the queues of a topic reach (class TopicStatsTable): the body
// of the answer to ReqGetTopicStatsInfo. Its JSON has queues, whole objects, as keys.
type TopicStatsTable struct {
	Queues       []QueueStats // offsetTable; in the order of queues when read
	PutPerSecond float64      // topicPutTps, since 5.0: messages
}

// QueueStats is one entry of TopicStatsTable.Queues (class TopicOffset).
type QueueStats struct {
	Queue     Queue
	Min       int64 // minOffset
	Max       int64 // maxOffset, one past the last; Min ≤ Max
	UpdatedAt int64 // lastUpdateTimestamp: wall milliseconds of the last message, 0 if none
}

// String shows the number of queues.
func (t *TopicStatsTable) String() string {
	return fmt.Sprintf("%d queues, %.1f messages a second", len(t.Queues), t.PutPerSecond)
}

// String shows the queue and its bounds.
func (q QueueStats) String() string { return fmt.Sprintf("%s [%d, %d)", q.Queue, q.Min, q.Max) }

// Marshal writes the body. All tools read FormFastJSON, those from 4.7.1 on also FormStrict.
func (t *TopicStatsTable) Marshal(form Form) []byte {
	w := writer{form: form}
	w.open('{')
	w.key("offsetTable")
	w.open('{')
	for _, q := range t.Queues {
		w.queueKey(q.Queue)
		w.open('{')
		w.integerMember("lastUpdateTimestamp", q.UpdatedAt)
		w.integerMember("maxOffset", q.Max)
		w.integerMember("minOffset", q.Min)
		w.close('}')
	}
	w.close('}')
	w.key("topicPutTps")
	w.decimal(t.PutPerSecond)
	w.close('}')
	return w.text
}

// UnmarshalTopicStatsTable reads the body in either form. The error is ErrBody.
func UnmarshalTopicStatsTable(body []byte) (*TopicStatsTable, error) {
	var in struct {
		OffsetTable map[queueKey]QueueStats `json:"offsetTable"`
		TopicPutTps looseFloat              `json:"topicPutTps"`
	}
	if err := unmarshal("TopicStatsTable", body, &in); err != nil {
		return nil, err
	}
	t := &TopicStatsTable{PutPerSecond: float64(in.TopicPutTps)}
	for _, key := range sortedQueues(in.OffsetTable) {
		stats := in.OffsetTable[key]
		stats.Queue = key.queue
		t.Queues = append(t.Queues, stats)
	}
	return t, nil
}

func sortedQueues[V any](table map[queueKey]V) []queueKey {
	return slices.SortedFunc(maps.Keys(table), func(a, b queueKey) int { return a.queue.Compare(b.queue) })
}

// UnmarshalJSON reads strict JSON. The queue is in the key, which is not seen here.
func (q *QueueStats) UnmarshalJSON(text []byte) error {
	var in struct {
		MinOffset           looseInt64 `json:"minOffset"`
		MaxOffset           looseInt64 `json:"maxOffset"`
		LastUpdateTimestamp looseInt64 `json:"lastUpdateTimestamp"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*q = QueueStats{Min: int64(in.MinOffset), Max: int64(in.MaxOffset), UpdatedAt: int64(in.LastUpdateTimestamp)}
	return nil
}
