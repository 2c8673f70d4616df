package proto

import (
	"fmt"

	"github.com/gantrymq/gantry/transport/wire"
)

// PushReplyMessage is the header of ReqPushReplyMessageToClient (class
// ReplyMessageRequestHeader): a broker hands an answer, which came with ReqSendReplyMessage or
// ReqSendReplyMessageV2, to the client that asked. The body is the message's, compressed if
// SysFlags say so. The client finds the question by CORRELATION_ID in Properties.
type PushReplyMessage struct {
	ProducerGroup string // producerGroup: of who answered
	Topic         string // topic
	DefaultTopic  string // defaultTopic
	DefaultQueues int32  // defaultTopicQueueNums
	QueueID       int32  // queueId
	SysFlags      int32  // sysFlag
	BornAt        int64  // bornTimestamp: wall milliseconds of who answered
	UserFlags     int32  // flag
	Properties    string // properties, optional: name \x01 value \x02 …
	Redeliveries  int32  // reconsumeTimes, optional
	UnitMode      bool   // unitMode
	BornHost      string // bornHost: ip:port of who answered
	StoreHost     string // storeHost: ip:port of the broker
	StoredAt      int64  // storeTimestamp: wall milliseconds of the broker
}

// EncodeFields writes the header.
func (h *PushReplyMessage) EncodeFields(e *wire.Encoder) {
	e.String("producerGroup", h.ProducerGroup)
	e.String("topic", h.Topic)
	e.String("defaultTopic", h.DefaultTopic)
	e.Int("defaultTopicQueueNums", int64(h.DefaultQueues))
	e.Int("queueId", int64(h.QueueID))
	e.Int("sysFlag", int64(h.SysFlags))
	e.Int("bornTimestamp", h.BornAt)
	e.Int("flag", int64(h.UserFlags))
	encodeText(e, "properties", h.Properties)
	e.Int("reconsumeTimes", int64(h.Redeliveries))
	e.Bool("unitMode", h.UnitMode)
	e.String("bornHost", h.BornHost)
	e.String("storeHost", h.StoreHost)
	e.Int("storeTimestamp", h.StoredAt)
}

// DecodeFields reads the header.
func (h *PushReplyMessage) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = PushReplyMessage{
		ProducerGroup: r.needText("producerGroup"),
		Topic:         r.needText("topic"),
		DefaultTopic:  r.needText("defaultTopic"),
		DefaultQueues: r.needInt32("defaultTopicQueueNums"),
		QueueID:       r.needInt32("queueId"),
		SysFlags:      r.needInt32("sysFlag"),
		BornAt:        r.needInteger("bornTimestamp"),
		UserFlags:     r.needInt32("flag"),
		Properties:    r.text("properties"),
		Redeliveries:  r.int32("reconsumeTimes"),
		UnitMode:      r.flag("unitMode", false),
		BornHost:      r.needText("bornHost"),
		StoreHost:     r.needText("storeHost"),
		StoredAt:      r.needInteger("storeTimestamp"),
	}
	return r.err
}

// String shows what identifies the answer; not the properties, which may be long.
func (h *PushReplyMessage) String() string {
	return fmt.Sprintf("answer on %s by %s at %s, born %d", h.Topic, h.ProducerGroup, h.BornHost, h.BornAt)
}
