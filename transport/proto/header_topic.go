package proto

import (
	"fmt"

	"github.com/gantrymq/gantry/transport/wire"
)

// UpdateAndCreateTopic is the header of ReqUpdateAndCreateTopic and
// ReqUpdateAndCreateStaticTopic (class CreateTopicRequestHeader).
type UpdateAndCreateTopic struct {
	Topic        string              // topic
	DefaultTopic string              // defaultTopic: unused by brokers, but required
	ReadQueues   int32               // readQueueNums
	WriteQueues  int32               // writeQueueNums
	Perm         Perm                // perm
	FilterType   TopicFilterType     // topicFilterType, by name
	SysFlags     Maybe[TopicSysFlag] // topicSysFlag
	Ordered      bool                // order
	// Attributes (attributes, since 5.0) are changes, "+key=value" or "-key", joined by
	// commas. Creation allows only +.
	Attributes string
	Force      bool // force
}

// EncodeFields writes the header.
func (h *UpdateAndCreateTopic) EncodeFields(e *wire.Encoder) {
	e.String("topic", h.Topic)
	e.String("defaultTopic", h.DefaultTopic)
	e.Int("readQueueNums", int64(h.ReadQueues))
	e.Int("writeQueueNums", int64(h.WriteQueues))
	e.Int("perm", int64(h.Perm))
	e.String("topicFilterType", h.FilterType.String())
	if h.SysFlags.Set {
		e.Int("topicSysFlag", int64(h.SysFlags.Value))
	}
	e.Bool("order", h.Ordered)
	encodeText(e, "attributes", h.Attributes)
	if h.Force {
		e.Bool("force", true)
	}
}

// DecodeFields reads the header.
func (h *UpdateAndCreateTopic) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = UpdateAndCreateTopic{
		Topic:        r.needText("topic"),
		DefaultTopic: r.needText("defaultTopic"),
		ReadQueues:   r.needInt32("readQueueNums"),
		WriteQueues:  r.needInt32("writeQueueNums"),
		Perm:         Perm(r.needInt32("perm")),
		FilterType:   r.needFilterType("topicFilterType"),
		Ordered:      r.flag("order", false),
		Attributes:   r.text("attributes"),
		Force:        r.flag("force", false),
	}
	if flags := r.maybeInt32("topicSysFlag"); flags.Set {
		h.SysFlags = Some(TopicSysFlag(flags.Value))
	}
	return r.err
}

func (r *fieldReader) needFilterType(key string) TopicFilterType {
	text := r.needText(key)
	kind, ok := parseTopicFilterType(text)
	if !ok {
		r.fail(&FieldError{Field: key, Value: shorten([]byte(text)), Want: "SINGLE_TAG or MULTI_TAG"})
	}
	return kind
}

// String shows what is wanted.
func (h *UpdateAndCreateTopic) String() string {
	return fmt.Sprintf("topic %s: %d read queues, %d write queues, %s", h.Topic, h.ReadQueues, h.WriteQueues, h.Perm)
}

// DeleteTopicInBroker is the header of ReqDeleteTopicInBroker (class
// DeleteTopicRequestHeader).
type DeleteTopicInBroker struct {
	Topic string // topic
}

// EncodeFields writes the header.
func (h *DeleteTopicInBroker) EncodeFields(e *wire.Encoder) { e.String("topic", h.Topic) }

// DecodeFields reads the header.
func (h *DeleteTopicInBroker) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = DeleteTopicInBroker{Topic: r.needText("topic")}
	return r.err
}

// DeleteTopicInNameServer is the header of ReqDeleteTopicInNameServer (class
// DeleteTopicFromNamesrvRequestHeader).
type DeleteTopicInNameServer struct {
	Topic       string // topic
	ClusterName string // clusterName; "": in all clusters
}

// EncodeFields writes the header.
func (h *DeleteTopicInNameServer) EncodeFields(e *wire.Encoder) {
	e.String("topic", h.Topic)
	encodeText(e, "clusterName", h.ClusterName)
}

// DecodeFields reads the header.
func (h *DeleteTopicInNameServer) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = DeleteTopicInNameServer{Topic: r.needText("topic"), ClusterName: r.text("clusterName")}
	return r.err
}

// GetTopicStatsInfo is the header of ReqGetTopicStatsInfo (class
// GetTopicStatsInfoRequestHeader). The answer's body is a TopicStatsTable.
type GetTopicStatsInfo struct {
	Topic string // topic
}

// EncodeFields writes the header.
func (h *GetTopicStatsInfo) EncodeFields(e *wire.Encoder) { e.String("topic", h.Topic) }

// DecodeFields reads the header.
func (h *GetTopicStatsInfo) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetTopicStatsInfo{Topic: r.needText("topic")}
	return r.err
}

// GetBrokerConfigResponse is the header of the answer to ReqGetBrokerConfig (class
// GetBrokerConfigResponseHeader), whose body is ConfigText.
type GetBrokerConfigResponse struct {
	Version DataVersion // version, as JSON text
}

// EncodeFields writes the header.
func (h *GetBrokerConfigResponse) EncodeFields(e *wire.Encoder) {
	e.Bytes("version", h.Version.Marshal())
}

// DecodeFields reads the header.
func (h *GetBrokerConfigResponse) DecodeFields(f wire.Fields) error {
	*h = GetBrokerConfigResponse{}
	value, ok := f.Get("version")
	if !ok {
		return nil
	}
	version, err := UnmarshalDataVersion(value)
	if err != nil {
		return &FieldError{Field: "version", Value: shorten(value), Want: "a DataVersion as JSON text"}
	}
	h.Version = version
	return nil
}
