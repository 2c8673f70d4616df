package proto

import (
	"encoding/json"
	"fmt"
	"maps"
)

// TopicConfig is what a broker knows of one topic (class TopicConfig).
type TopicConfig struct {
	Name        string            // topicName
	ReadQueues  int32             // readQueueNums: consumers pull from queues below
	WriteQueues int32             // writeQueueNums: producers send to queues below
	Perm        Perm              // perm
	FilterType  TopicFilterType   // topicFilterType
	SysFlags    TopicSysFlag      // topicSysFlag
	Ordered     bool              // order
	Attributes  map[string]string // attributes, since 5.0; nil and empty are the same
}

// NewTopicConfig returns the settings of a topic of which nothing but the name is known:
// 16 queues, readable and writable.
func NewTopicConfig(name string) TopicConfig {
	return TopicConfig{Name: name, ReadQueues: 16, WriteQueues: 16, Perm: PermReadWrite}
}

// Equal reports whether both say the same.
func (t *TopicConfig) Equal(other *TopicConfig) bool {
	return t.Name == other.Name && t.ReadQueues == other.ReadQueues && t.WriteQueues == other.WriteQueues &&
		t.Perm == other.Perm && t.FilterType == other.FilterType && t.SysFlags == other.SysFlags &&
		t.Ordered == other.Ordered && maps.Equal(t.Attributes, other.Attributes)
}

// Clone returns a copy that shares no map.
func (t *TopicConfig) Clone() TopicConfig {
	clone := *t
	clone.Attributes = maps.Clone(t.Attributes)
	return clone
}

// String shows name, queues and permissions.
func (t *TopicConfig) String() string {
	return fmt.Sprintf("topic %s: %d read queues, %d write queues, %s", t.Name, t.ReadQueues, t.WriteQueues, t.Perm)
}

// Marshal writes the settings as one JSON object.
func (t *TopicConfig) Marshal() []byte {
	var w writer
	w.topicConfig(t)
	return w.text
}

// UnmarshalTopicConfig reads what Marshal writes. The error is ErrBody.
func UnmarshalTopicConfig(body []byte) (TopicConfig, error) {
	var t TopicConfig
	err := unmarshal("TopicConfig", body, &t)
	return t, err
}

// UnmarshalJSON reads strict JSON. What is absent has the value of NewTopicConfig.
func (t *TopicConfig) UnmarshalJSON(text []byte) error {
	var in topicConfigJSON
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*t = in.config(string(in.TopicName))
	return nil
}

// topicConfigJSON is the class as it is written. Tables use it too: a method that
// encoding/json calls for each topic would scan each topic several times.
type topicConfigJSON struct {
	TopicName       looseString     `json:"topicName"`
	ReadQueueNums   looseMaybe      `json:"readQueueNums"`
	WriteQueueNums  looseMaybe      `json:"writeQueueNums"`
	Perm            looseMaybe      `json:"perm"`
	TopicFilterType TopicFilterType `json:"topicFilterType"`
	TopicSysFlag    looseInt32      `json:"topicSysFlag"`
	Order           looseBool       `json:"order"`
	Attributes      looseTable      `json:"attributes"`
}

func (in *topicConfigJSON) config(name string) TopicConfig {
	standard := NewTopicConfig(name)
	return TopicConfig{
		Name:        name,
		ReadQueues:  in.ReadQueueNums.or(standard.ReadQueues),
		WriteQueues: in.WriteQueueNums.or(standard.WriteQueues),
		Perm:        Perm(in.Perm.or(int32(standard.Perm))),
		FilterType:  in.TopicFilterType,
		SysFlags:    TopicSysFlag(in.TopicSysFlag),
		Ordered:     bool(in.Order),
		Attributes:  in.Attributes.plain(),
	}
}

func (w *writer) topicConfig(t *TopicConfig) {
	w.open('{')
	w.tableMember("attributes", t.Attributes)
	w.topicConfigRest(t)
	w.close('}')
}

// topicConfigRest is what follows the attributes, between which subclasses have their members.
func (w *writer) topicConfigRest(t *TopicConfig) {
	w.booleanMember("order", t.Ordered)
	w.integerMember("perm", int64(t.Perm))
	w.integerMember("readQueueNums", int64(t.ReadQueues))
	w.stringMember("topicFilterType", t.FilterType.String())
	w.stringMember("topicName", t.Name)
	w.integerMember("topicSysFlag", int64(t.SysFlags))
	w.integerMember("writeQueueNums", int64(t.WriteQueues))
}
