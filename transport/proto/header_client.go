package proto

import (
	"fmt"

	"github.com/gantrymq/gantry/transport/wire"
)

// HeartbeatResponse is the header of the answer to ReqHeartbeat. The version in the
// frame around it matters too: Java clients send only tag expressions to brokers
// below wire.V4_1_0_SNAPSHOT.
type HeartbeatResponse struct {
	// HeartbeatV2 (IS_SUPPORT_HEART_BEAT_V2): clients may leave out subscriptions
	// that have not changed.
	HeartbeatV2 bool
	// SubscriptionsChanged (IS_SUB_CHANGE) is true for whole heartbeats, and for short
	// ones whose fingerprint differs from the last one seen.
	SubscriptionsChanged bool
	// SendWindow (gantrySendWindow, Gantry's own) is how many sends of each producer the broker knows again when they are repeated. 0: none.
	SendWindow int32
}

// EncodeFields writes the header.
func (h *HeartbeatResponse) EncodeFields(e *wire.Encoder) {
	e.Bool("IS_SUPPORT_HEART_BEAT_V2", h.HeartbeatV2)
	e.Bool("IS_SUB_CHANGE", h.SubscriptionsChanged)
	if h.SendWindow != 0 {
		e.Int("gantrySendWindow", int64(h.SendWindow))
	}
}

// DecodeFields reads the header. Brokers before 5.1.3 send none, which reads as false.
func (h *HeartbeatResponse) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = HeartbeatResponse{
		HeartbeatV2:          r.flag("IS_SUPPORT_HEART_BEAT_V2", false),
		SubscriptionsChanged: r.flag("IS_SUB_CHANGE", false),
		SendWindow:           r.int32("gantrySendWindow"),
	}
	return r.err
}

// UnregisterClient is the header of ReqUnregisterClient (class
// UnregisterClientRequestHeader): a client leaves a group.
type UnregisterClient struct {
	ClientID      string // clientID
	ProducerGroup string // producerGroup, optional
	ConsumerGroup string // consumerGroup, optional
}

// EncodeFields writes the header.
func (h *UnregisterClient) EncodeFields(e *wire.Encoder) {
	e.String("clientID", h.ClientID)
	encodeText(e, "producerGroup", h.ProducerGroup)
	encodeText(e, "consumerGroup", h.ConsumerGroup)
}

// DecodeFields reads the header.
func (h *UnregisterClient) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = UnregisterClient{
		ClientID:      r.needText("clientID"),
		ProducerGroup: r.text("producerGroup"),
		ConsumerGroup: r.text("consumerGroup"),
	}
	return r.err
}

// String shows who leaves what.
func (h *UnregisterClient) String() string {
	return fmt.Sprintf("%s leaves producer group %q, consumer group %q", h.ClientID, h.ProducerGroup, h.ConsumerGroup)
}

// GetConsumerListByGroup is the header of ReqGetConsumerListByGroup (class
// GetConsumerListByGroupRequestHeader). The answer's body is a ConsumerList.
type GetConsumerListByGroup struct {
	ConsumerGroup string // consumerGroup
}

// EncodeFields writes the header.
func (h *GetConsumerListByGroup) EncodeFields(e *wire.Encoder) {
	e.String("consumerGroup", h.ConsumerGroup)
}

// DecodeFields reads the header.
func (h *GetConsumerListByGroup) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetConsumerListByGroup{ConsumerGroup: r.needText("consumerGroup")}
	return r.err
}

// NotifyConsumerIDsChanged is the header of ReqNotifyConsumerIDsChanged (class
// NotifyConsumerIdsChangedRequestHeader), sent one-way by a broker to the members of a
// group, which then assign their queues anew.
type NotifyConsumerIDsChanged struct {
	ConsumerGroup string // consumerGroup
}

// EncodeFields writes the header.
func (h *NotifyConsumerIDsChanged) EncodeFields(e *wire.Encoder) {
	e.String("consumerGroup", h.ConsumerGroup)
}

// DecodeFields reads the header.
func (h *NotifyConsumerIDsChanged) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = NotifyConsumerIDsChanged{ConsumerGroup: r.needText("consumerGroup")}
	return r.err
}
