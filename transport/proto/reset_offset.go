package proto

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/transport/wire"
)

// ResetOffsets is a table of offsets by queue (class ResetOffsetBody): the body of
// ReqResetConsumerClientOffset, and of the answer to ReqInvokeBrokerToResetOffset. A Java
// consumer that broadcasts keeps its own offsets in a file of the same layout (class
// OffsetSerializeWrapper).
type ResetOffsets struct {
	Offsets []QueueOffset // offsetTable; in the order of queues when read
}

// QueueOffset is one entry of ResetOffsets.Offsets.
type QueueOffset struct {
	Queue  Queue
	Offset int64
}

// String shows the queue and the offset.
func (o QueueOffset) String() string { return fmt.Sprintf("%s=%d", o.Queue, o.Offset) }

// String shows the number of queues.
func (r *ResetOffsets) String() string { return fmt.Sprintf("offsets of %d queues", len(r.Offsets)) }

// Marshal writes the body for one reader. C++ clients want an array of records (class
// ResetOffsetBodyForC). All others get fastjson's form, with queues as keys; Go clients cut it
// apart by hand and need it exactly so.
func (r *ResetOffsets) Marshal(reader wire.Language) []byte {
	var w writer
	w.open('{')
	w.key("offsetTable")
	if reader == wire.LanguageCPP {
		w.offsetRecords(r.Offsets)
	} else {
		w.offsetsByQueue(r.Offsets)
	}
	w.close('}')
	return w.text
}

func (w *writer) offsetsByQueue(offsets []QueueOffset) {
	w.open('{')
	for _, o := range offsets {
		w.queueKey(o.Queue)
		w.integer(o.Offset)
	}
	w.close('}')
}

func (w *writer) offsetRecords(offsets []QueueOffset) {
	w.open('[')
	for _, o := range offsets {
		w.open('{')
		w.stringMember("brokerName", o.Queue.BrokerName)
		w.integerMember("offset", o.Offset)
		w.integerMember("queueId", int64(o.Queue.QueueID))
		w.stringMember("topic", o.Queue.Topic)
		w.close('}')
	}
	w.close(']')
}

// UnmarshalResetOffsets reads the body in every form there is: queues as keys, an array of
// records, and the array of pairs [queue, offset] that Go clients also read. The error is
// ErrBody.
func UnmarshalResetOffsets(body []byte) (*ResetOffsets, error) {
	var in struct {
		OffsetTable offsetTable `json:"offsetTable"`
	}
	if err := unmarshal("ResetOffsetBody", body, &in); err != nil {
		return nil, err
	}
	return &ResetOffsets{Offsets: in.OffsetTable}, nil
}

// offsetTable reads any of the forms.
type offsetTable []QueueOffset

// UnmarshalJSON reads strict JSON.
func (t *offsetTable) UnmarshalJSON(text []byte) error {
	*t = nil
	if bytes.HasPrefix(text, []byte("[")) {
		var elements []offsetElement
		if err := json.Unmarshal(text, &elements); err != nil {
			return err
		}
		for _, element := range elements {
			*t = append(*t, QueueOffset(element))
		}
	} else {
		var table map[queueKey]looseInt64
		if err := json.Unmarshal(text, &table); err != nil {
			return err
		}
		// order does not matter: the table is sorted below
		for key, offset := range table {
			*t = append(*t, QueueOffset{Queue: key.queue, Offset: int64(offset)})
		}
	}
	slices.SortStableFunc(*t, func(a, b QueueOffset) int { return a.Queue.Compare(b.Queue) })
	return nil
}

// offsetElement reads a record or a pair.
type offsetElement QueueOffset

// UnmarshalJSON reads strict JSON.
func (e *offsetElement) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(text, []byte("{")) {
		var record struct {
			Offset looseInt64 `json:"offset"`
		}
		if err := json.Unmarshal(text, &record); err != nil {
			return err
		}
		e.Offset = int64(record.Offset)
		return json.Unmarshal(text, &e.Queue)
	}
	var offset looseInt64
	pair := []any{&e.Queue, &offset}
	if err := json.Unmarshal(text, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("a pair of %d elements", len(pair))
	}
	e.Offset = int64(offset)
	return nil
}
