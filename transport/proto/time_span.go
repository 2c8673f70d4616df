package proto

import (
	"encoding/json"
	"fmt"
)

// ConsumeTimeSpans tells how far a group is by time (class QueryConsumeTimeSpanBody): the body of
// the answer to ReqQueryConsumeTimeSpan.
type ConsumeTimeSpans struct {
	Spans []QueueTimeSpan // consumeTimeSpanSet; a list
}

// QueueTimeSpan is one entry of ConsumeTimeSpans.Spans (class QueueTimeSpan). Times are wall
// milliseconds of storing. Java peers also write three of them as texts ("minTimeStampStr"
// and so on), which nobody reads.
type QueueTimeSpan struct {
	Queue       Queue // messageQueue
	Min         int64 // minTimeStamp: of the oldest message
	Max         int64 // maxTimeStamp: of the newest message
	ConsumedTo  int64 // consumeTimeStamp: of the last consumed message
	DelayMillis int64 // delayTime: since the first message that is not consumed was stored, 0 if there is none
}

// String shows the number of queues.
func (s *ConsumeTimeSpans) String() string {
	return fmt.Sprintf("time spans of %d queues", len(s.Spans))
}

// String shows the queue and the delay.
func (s QueueTimeSpan) String() string {
	return fmt.Sprintf("%s consumed to %d, %d ms late", s.Queue, s.ConsumedTo, s.DelayMillis)
}

// Marshal writes the body.
func (s *ConsumeTimeSpans) Marshal() []byte {
	var w writer
	w.open('{')
	w.key("consumeTimeSpanSet")
	w.open('[')
	for _, span := range s.Spans {
		w.open('{')
		w.integerMember("consumeTimeStamp", span.ConsumedTo)
		w.integerMember("delayTime", span.DelayMillis)
		w.integerMember("maxTimeStamp", span.Max)
		w.key("messageQueue")
		w.queue(span.Queue)
		w.integerMember("minTimeStamp", span.Min)
		w.close('}')
	}
	w.close(']')
	w.close('}')
	return w.text
}

// UnmarshalConsumeTimeSpans reads the body. The error is ErrBody.
func UnmarshalConsumeTimeSpans(body []byte) (*ConsumeTimeSpans, error) {
	var in struct {
		ConsumeTimeSpanSet []QueueTimeSpan `json:"consumeTimeSpanSet"`
	}
	if err := unmarshal("QueryConsumeTimeSpanBody", body, &in); err != nil {
		return nil, err
	}
	return &ConsumeTimeSpans{Spans: in.ConsumeTimeSpanSet}, nil
}

// UnmarshalJSON reads strict JSON.
func (s *QueueTimeSpan) UnmarshalJSON(text []byte) error {
	var in struct {
		MessageQueue     Queue      `json:"messageQueue"`
		MinTimeStamp     looseInt64 `json:"minTimeStamp"`
		MaxTimeStamp     looseInt64 `json:"maxTimeStamp"`
		ConsumeTimeStamp looseInt64 `json:"consumeTimeStamp"`
		DelayTime        looseInt64 `json:"delayTime"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*s = QueueTimeSpan{
		Queue:       in.MessageQueue,
		Min:         int64(in.MinTimeStamp),
		Max:         int64(in.MaxTimeStamp),
		ConsumedTo:  int64(in.ConsumeTimeStamp),
		DelayMillis: int64(in.DelayTime),
	}
	return nil
}
