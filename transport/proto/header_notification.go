package proto

import "github.com/gantrymq/gantry/transport/wire"

// Notification is the header of ReqNotification (class NotificationRequestHeader, since 5.0): wait
// until there is something to pop.
type Notification struct {
	ConsumerGroup string // consumerGroup
	Topic         string // topic
	QueueID       int32  // queueId: -1 all queues of the broker
	HoldForMillis int64  // pollTime
	BornAt        int64  // bornTime: wall milliseconds of the client
	Ordered       bool   // order: absent reads as false
	AttemptID     string // attemptId, optional
}

// EncodeFields writes the header.
func (h *Notification) EncodeFields(e *wire.Encoder) {
	e.String("consumerGroup", h.ConsumerGroup)
	e.String("topic", h.Topic)
	e.Int("queueId", int64(h.QueueID))
	e.Int("pollTime", h.HoldForMillis)
	e.Int("bornTime", h.BornAt)
	e.Bool("order", h.Ordered)
	encodeText(e, "attemptId", h.AttemptID)
}

// DecodeFields reads the header.
func (h *Notification) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = Notification{
		ConsumerGroup: r.needText("consumerGroup"),
		Topic:         r.needText("topic"),
		QueueID:       r.needInt32("queueId"),
		HoldForMillis: r.needInteger("pollTime"),
		BornAt:        r.needInteger("bornTime"),
		Ordered:       r.flag("order", false),
		AttemptID:     r.text("attemptId"),
	}
	return r.err
}

// NotificationResponse is the header of its answer (class NotificationResponseHeader).
type NotificationResponse struct {
	HasMessage  bool // hasMsg
	PollingFull bool // pollingFull: the broker holds too many already; absent reads as false
}

// EncodeFields writes the header.
func (h *NotificationResponse) EncodeFields(e *wire.Encoder) {
	e.Bool("hasMsg", h.HasMessage)
	e.Bool("pollingFull", h.PollingFull)
}

// DecodeFields reads the header.
func (h *NotificationResponse) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = NotificationResponse{HasMessage: r.needFlag("hasMsg"), PollingFull: r.flag("pollingFull", false)}
	return r.err
}
