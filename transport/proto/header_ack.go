package proto

import (
	"fmt"

	"github.com/gantrymq/gantry/transport/wire"
)

// AckMessage is the header of ReqAckMessage (class AckMessageRequestHeader, since 5.0): a popped
// message has been consumed.
type AckMessage struct {
	ConsumerGroup string // consumerGroup
	Topic         string // topic: that the message was read from, so it may be a retry topic
	QueueID       int32  // queueId
	CheckPoint    string // extraInfo: the property POP_CK of the message
	QueueOffset   int64  // offset: of the message
}

// EncodeFields writes the header.
func (h *AckMessage) EncodeFields(e *wire.Encoder) {
	e.String("consumerGroup", h.ConsumerGroup)
	e.String("topic", h.Topic)
	e.Int("queueId", int64(h.QueueID))
	e.String("extraInfo", h.CheckPoint)
	e.Int("offset", h.QueueOffset)
}

// DecodeFields reads the header.
func (h *AckMessage) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = AckMessage{
		ConsumerGroup: r.needText("consumerGroup"),
		Topic:         r.needText("topic"),
		QueueID:       r.needInt32("queueId"),
		CheckPoint:    r.needText("extraInfo"),
		QueueOffset:   r.needInteger("offset"),
	}
	return r.err
}

// String shows what is acknowledged.
func (h *AckMessage) String() string {
	return fmt.Sprintf("%s has consumed %d of %s queue %d", h.ConsumerGroup, h.QueueOffset, h.Topic, h.QueueID)
}

// ChangeMessageInvisibleTime is the header of ReqChangeMessageInvisibleTime (class
// ChangeInvisibleTimeRequestHeader, since 5.0): hide a popped message for so long from now on.
type ChangeMessageInvisibleTime struct {
	ConsumerGroup   string // consumerGroup
	Topic           string // topic: that the message was read from, so it may be a retry topic
	QueueID         int32  // queueId
	CheckPoint      string // extraInfo: the property POP_CK of the message
	QueueOffset     int64  // offset: of the message
	InvisibleMillis int64  // invisibleTime
}

// EncodeFields writes the header.
func (h *ChangeMessageInvisibleTime) EncodeFields(e *wire.Encoder) {
	e.String("consumerGroup", h.ConsumerGroup)
	e.String("topic", h.Topic)
	e.Int("queueId", int64(h.QueueID))
	e.String("extraInfo", h.CheckPoint)
	e.Int("offset", h.QueueOffset)
	e.Int("invisibleTime", h.InvisibleMillis)
}

// DecodeFields reads the header.
func (h *ChangeMessageInvisibleTime) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = ChangeMessageInvisibleTime{
		ConsumerGroup:   r.needText("consumerGroup"),
		Topic:           r.needText("topic"),
		QueueID:         r.needInt32("queueId"),
		CheckPoint:      r.needText("extraInfo"),
		QueueOffset:     r.needInteger("offset"),
		InvisibleMillis: r.needInteger("invisibleTime"),
	}
	return r.err
}

// String shows what is hidden for how long.
func (h *ChangeMessageInvisibleTime) String() string {
	return fmt.Sprintf("%s hides %d of %s queue %d for %d ms",
		h.ConsumerGroup, h.QueueOffset, h.Topic, h.QueueID, h.InvisibleMillis)
}

// ChangeMessageInvisibleTimeResponse is the header of its answer (class
// ChangeInvisibleTimeResponseHeader). The client makes the next POP_CK of it.
type ChangeMessageInvisibleTimeResponse struct {
	PoppedAt        int64 // popTime: wall milliseconds of the broker
	InvisibleMillis int64 // invisibleTime
	ReviveQueueID   int32 // reviveQid: queue of the revive topic that has the check point
}

// EncodeFields writes the header.
func (h *ChangeMessageInvisibleTimeResponse) EncodeFields(e *wire.Encoder) {
	e.Int("popTime", h.PoppedAt)
	e.Int("invisibleTime", h.InvisibleMillis)
	e.Int("reviveQid", int64(h.ReviveQueueID))
}

// DecodeFields reads the header.
func (h *ChangeMessageInvisibleTimeResponse) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = ChangeMessageInvisibleTimeResponse{
		PoppedAt:        r.needInteger("popTime"),
		InvisibleMillis: r.needInteger("invisibleTime"),
		ReviveQueueID:   r.needInt32("reviveQid"),
	}
	return r.err
}
