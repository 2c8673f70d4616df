package proto

import (
	"fmt"

	"github.com/gantrymq/gantry/transport/wire"
)

// PeekMessage is the header of ReqPeekMessage (class PeekMessageRequestHeader, since 5.0): look at the next messages of a group, and leave them. The answer
// is a PopMessageResponse.
type PeekMessage struct {
	ConsumerGroup string // consumerGroup
	Topic         string // topic
	QueueID       int32  // queueId: -1 all queues of the broker
	MaxMessages   int32  // maxMsgNums: at most 32
}

// EncodeFields writes the header.
func (h *PeekMessage) EncodeFields(e *wire.Encoder) {
	e.String("consumerGroup", h.ConsumerGroup)
	e.String("topic", h.Topic)
	e.Int("queueId", int64(h.QueueID))
	e.Int("maxMsgNums", int64(h.MaxMessages))
}

// DecodeFields reads the header.
func (h *PeekMessage) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = PeekMessage{
		ConsumerGroup: r.needText("consumerGroup"), Topic: r.needText("topic"),
		QueueID: r.needInt32("queueId"), MaxMessages: r.needInt32("maxMsgNums"),
	}
	return r.err
}

// String shows who looks at what.
func (h *PeekMessage) String() string {
	return fmt.Sprintf("peek by %s at %s queue %d, at most %d", h.ConsumerGroup, h.Topic, h.QueueID, h.MaxMessages)
}

// PollingInfo is the header of ReqPollingInfo (class PollingInfoRequestHeader, since 5.0): how many pops are held?
type PollingInfo struct {
	ConsumerGroup string // consumerGroup
	Topic         string // topic
	QueueID       int32  // queueId: -1 all queues of the broker
}

// EncodeFields writes the header.
func (h *PollingInfo) EncodeFields(e *wire.Encoder) {
	e.String("consumerGroup", h.ConsumerGroup)
	e.String("topic", h.Topic)
	e.Int("queueId", int64(h.QueueID))
}

// DecodeFields reads the header.
func (h *PollingInfo) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = PollingInfo{ConsumerGroup: r.needText("consumerGroup"), Topic: r.needText("topic"), QueueID: r.needInt32("queueId")}
	return r.err
}

// PollingInfoResponse is the header of its answer (class PollingInfoResponseHeader).
type PollingInfoResponse struct {
	Polls int32 // pollingNum
}

// EncodeFields writes the header.
func (h *PollingInfoResponse) EncodeFields(e *wire.Encoder) {
	e.Int("pollingNum", int64(h.Polls))
}

// DecodeFields reads the header.
func (h *PollingInfoResponse) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = PollingInfoResponse{Polls: r.needInt32("pollingNum")}
	return r.err
}
