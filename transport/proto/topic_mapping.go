package proto

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// TopicMapping tells which queues of a static topic one broker name leads (class
// TopicQueueMappingInfo). A static topic has logical queues that may move between brokers.
type TopicMapping struct {
	Topic       string        // topic
	Scope       string        // scope, usually "__global__"
	TotalQueues int32         // totalQueues: logical queues of the topic on all brokers
	BrokerName  string        // bname
	Epoch       int64         // epoch: the greater one is the newer mapping
	Dirty       bool          // dirty
	Current     []QueueIDPair // currIdMap; by logical id when read
}

// QueueIDPair is one entry of TopicMapping.Current.
type QueueIDPair struct {
	Logical  int32 // id of the queue to clients
	Physical int32 // id of the queue at the broker that leads it
}

// MappingDetail is a TopicMapping with the history of its queues (class
// TopicQueueMappingDetail).
type MappingDetail struct {
	TopicMapping
	Hosted []HostedQueue // hostedQueues; by logical id when read
}

// HostedQueue is one entry of MappingDetail.Hosted.
type HostedQueue struct {
	Logical int32         // id of the queue to clients
	Items   []MappingItem // oldest first
}

// MappingItem is a stretch of a logical queue that lives in one physical queue (class
// LogicQueueMappingItem). Times are wall milliseconds.
type MappingItem struct {
	Generation  int32  // gen
	QueueID     int32  // queueId: the physical queue
	BrokerName  string // bname
	LogicOffset int64  // logicOffset: what StartOffset is to clients
	StartOffset int64  // startOffset
	EndOffset   int64  // endOffset; -1: open
	TimeOfStart int64  // timeOfStart; -1: unknown
	TimeOfEnd   int64  // timeOfEnd; -1: open
}

// String shows the topic, the broker name and the epoch.
func (m *TopicMapping) String() string {
	return fmt.Sprintf("static topic %s at %s epoch %d, %d of %d queues", m.Topic, m.BrokerName, m.Epoch, len(m.Current), m.TotalQueues)
}

// mappingJSON is both classes as they are written.
type mappingJSON struct {
	Topic        looseString             `json:"topic"`
	Scope        looseString             `json:"scope"`
	TotalQueues  looseInt32              `json:"totalQueues"`
	Bname        looseString             `json:"bname"`
	Epoch        looseInt64              `json:"epoch"`
	Dirty        looseBool               `json:"dirty"`
	CurrIDMap    map[int32]looseInt32    `json:"currIdMap"`
	HostedQueues map[int32][]MappingItem `json:"hostedQueues"`
}

// UnmarshalJSON reads strict JSON.
func (m *TopicMapping) UnmarshalJSON(text []byte) error {
	var in mappingJSON
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*m = in.info()
	return nil
}

func (in *mappingJSON) info() TopicMapping {
	m := TopicMapping{
		Topic:       string(in.Topic),
		Scope:       string(in.Scope),
		TotalQueues: int32(in.TotalQueues),
		BrokerName:  string(in.Bname),
		Epoch:       int64(in.Epoch),
		Dirty:       bool(in.Dirty),
	}
	for _, id := range slices.Sorted(maps.Keys(in.CurrIDMap)) {
		m.Current = append(m.Current, QueueIDPair{Logical: id, Physical: int32(in.CurrIDMap[id])})
	}
	return m
}

// UnmarshalJSON reads strict JSON.
func (d *MappingDetail) UnmarshalJSON(text []byte) error {
	var in mappingJSON
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*d = MappingDetail{TopicMapping: in.info()}
	for _, id := range slices.Sorted(maps.Keys(in.HostedQueues)) {
		d.Hosted = append(d.Hosted, HostedQueue{Logical: id, Items: in.HostedQueues[id]})
	}
	return nil
}

// UnmarshalJSON reads strict JSON.
func (i *MappingItem) UnmarshalJSON(text []byte) error {
	in := struct {
		Gen         looseInt32  `json:"gen"`
		QueueID     looseInt32  `json:"queueId"`
		Bname       looseString `json:"bname"`
		LogicOffset looseInt64  `json:"logicOffset"`
		StartOffset looseInt64  `json:"startOffset"`
		EndOffset   looseInt64  `json:"endOffset"`
		TimeOfStart looseInt64  `json:"timeOfStart"`
		TimeOfEnd   looseInt64  `json:"timeOfEnd"`
	}{EndOffset: -1, TimeOfStart: -1, TimeOfEnd: -1}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*i = MappingItem{
		Generation:  int32(in.Gen),
		QueueID:     int32(in.QueueID),
		BrokerName:  string(in.Bname),
		LogicOffset: int64(in.LogicOffset),
		StartOffset: int64(in.StartOffset),
		EndOffset:   int64(in.EndOffset),
		TimeOfStart: int64(in.TimeOfStart),
		TimeOfEnd:   int64(in.TimeOfEnd),
	}
	return nil
}

func (w *writer) mapping(m *TopicMapping) {
	w.open('{')
	w.mappingHead(m)
	w.mappingTail(m)
	w.close('}')
}

func (w *writer) mappingDetail(d *MappingDetail) {
	w.open('{')
	w.mappingHead(&d.TopicMapping)
	// hostedQueues stands between epoch and scope in the alphabet.
	w.key("hostedQueues")
	w.open('{')
	for _, hosted := range d.Hosted {
		w.numberKey(int64(hosted.Logical))
		w.open('[')
		for i := range hosted.Items {
			w.mappingItem(&hosted.Items[i])
		}
		w.close(']')
	}
	w.close('}')
	w.mappingTail(&d.TopicMapping)
	w.close('}')
}

func (w *writer) mappingHead(m *TopicMapping) {
	w.stringMember("bname", m.BrokerName)
	w.key("currIdMap")
	w.open('{')
	for _, pair := range m.Current {
		w.numberKey(int64(pair.Logical))
		w.integer(int64(pair.Physical))
	}
	w.close('}')
	w.booleanMember("dirty", m.Dirty)
	w.integerMember("epoch", m.Epoch)
}

func (w *writer) mappingTail(m *TopicMapping) {
	if m.Scope != "" {
		w.stringMember("scope", m.Scope)
	}
	w.stringMember("topic", m.Topic)
	w.integerMember("totalQueues", int64(m.TotalQueues))
}

func (w *writer) mappingItem(i *MappingItem) {
	w.open('{')
	w.stringMember("bname", i.BrokerName)
	w.integerMember("endOffset", i.EndOffset)
	w.integerMember("gen", int64(i.Generation))
	w.integerMember("logicOffset", i.LogicOffset)
	w.integerMember("queueId", int64(i.QueueID))
	w.integerMember("startOffset", i.StartOffset)
	w.integerMember("timeOfEnd", i.TimeOfEnd)
	w.integerMember("timeOfStart", i.TimeOfStart)
	w.close('}')
}
