package proto

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ConsumerOffsetTable is all offsets that groups have at a broker (class
// ConsumerOffsetSerializeWrapper): the body of the answer to ReqGetAllConsumerOffset, and
// the file consumerOffset.json. Java brokers from 5.0 on add "groupTopicMap", which nobody reads.
type ConsumerOffsetTable struct {
	Version Maybe[DataVersion] // dataVersion, since 5.0
	Entries []GroupOffsets     // offsetTable; by topic@group when read, each pair once
}

// GroupOffsets is one entry of ConsumerOffsetTable.Entries. Its key is topic@group, and neither
// name may hold an @.
type GroupOffsets struct {
	Topic, Group string
	Offsets      []NumberedOffset // by queue id when read
}

// NumberedOffset is the offset of something that has a number: a queue of a topic, or a
// delay level.
type NumberedOffset struct {
	Number int32
	Offset int64 // the next to consume
}

// String shows the number of entries.
func (t *ConsumerOffsetTable) String() string {
	return fmt.Sprintf("offsets of %d groups on topics", len(t.Entries))
}

// Marshal writes the body.
func (t *ConsumerOffsetTable) Marshal() []byte {
	var w writer
	w.open('{')
	w.maybeVersion(t.Version)
	w.key("offsetTable")
	w.open('{')
	for _, entry := range t.Entries {
		w.key(entry.Topic + "@" + entry.Group)
		w.numberedOffsets(entry.Offsets)
	}
	w.close('}')
	w.close('}')
	return w.text
}

// UnmarshalConsumerOffsetTable reads the body. A key without @ is taken for a topic. The error
// is ErrBody.
func UnmarshalConsumerOffsetTable(body []byte) (*ConsumerOffsetTable, error) {
	var in struct {
		DataVersion *DataVersion               `json:"dataVersion"`
		OffsetTable map[string]numberedOffsets `json:"offsetTable"`
	}
	if err := unmarshal("ConsumerOffsetSerializeWrapper", body, &in); err != nil {
		return nil, err
	}
	t := &ConsumerOffsetTable{Version: maybe(in.DataVersion)}
	for _, key := range sortedKeys(in.OffsetTable) {
		topic, group, _ := strings.Cut(key, "@")
		t.Entries = append(t.Entries, GroupOffsets{Topic: topic, Group: group, Offsets: in.OffsetTable[key].sorted()})
	}
	return t, nil
}

// DelayOffsetTable tells how far a broker has delivered each delay level (class
// DelayOffsetSerializeWrapper): the body of the answer to ReqGetAllDelayOffset, and the file
// delayOffset.json.
type DelayOffsetTable struct {
	Version Maybe[DataVersion] // dataVersion, since 5.0
	Levels  []NumberedOffset   // offsetTable; by level, from 1, when read
}

// String shows the number of levels.
func (t *DelayOffsetTable) String() string {
	return fmt.Sprintf("offsets of %d delay levels", len(t.Levels))
}

// Marshal writes the body.
func (t *DelayOffsetTable) Marshal() []byte {
	var w writer
	w.open('{')
	w.maybeVersion(t.Version)
	w.key("offsetTable")
	w.numberedOffsets(t.Levels)
	w.close('}')
	return w.text
}

// UnmarshalDelayOffsetTable reads the body. The error is ErrBody.
func UnmarshalDelayOffsetTable(body []byte) (*DelayOffsetTable, error) {
	var in struct {
		DataVersion *DataVersion    `json:"dataVersion"`
		OffsetTable numberedOffsets `json:"offsetTable"`
	}
	if err := unmarshal("DelayOffsetSerializeWrapper", body, &in); err != nil {
		return nil, err
	}
	return &DelayOffsetTable{Version: maybe(in.DataVersion), Levels: in.OffsetTable.sorted()}, nil
}

// numberedOffsets is a map from numbers as encoding/json reads it.
type numberedOffsets map[int32]looseInt64

func (o numberedOffsets) sorted() []NumberedOffset {
	var offsets []NumberedOffset
	for _, number := range slices.Sorted(maps.Keys(o)) {
		offsets = append(offsets, NumberedOffset{Number: number, Offset: int64(o[number])})
	}
	return offsets
}

func (w *writer) numberedOffsets(offsets []NumberedOffset) {
	w.open('{')
	for _, o := range offsets {
		w.numberKey(int64(o.Number))
		w.integer(o.Offset)
	}
	w.close('}')
}

func (w *writer) maybeVersion(version Maybe[DataVersion]) {
	if version.Set {
		w.key("dataVersion")
		w.dataVersion(version.Value)
	}
}

// maybe is the value behind a pointer, absent if it is nil.
func maybe[T any](value *T) Maybe[T] {
	if value == nil {
		return Maybe[T]{}
	}
	return Some(*value)
}
