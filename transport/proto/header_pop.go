package proto

import (
	"fmt"

	"github.com/gantrymq/gantry/transport/wire"
)

// Where a group without offsets begins to pop (class ConsumeInitMode).
const (
	PopFromMin = 0 // MIN: at the oldest message
	PopFromMax = 1 // MAX: behind the newest message
)

// PopMessage is the header of ReqPopMessage (class PopMessageRequestHeader, since 5.0): take
// messages that stay invisible to the rest of the group for a while. The answer's body is stored
// messages, one after the other.
type PopMessage struct {
	ConsumerGroup   string // consumerGroup
	Topic           string // topic
	QueueID         int32  // queueId: -1 all queues of the broker
	MaxMessages     int32  // maxMsgNums: at most 32
	InvisibleMillis int64  // invisibleTime
	HoldForMillis   int64  // pollTime: how long to wait for a message; 0: not at all
	BornAt          int64  // bornTime: wall milliseconds of the client
	From            int32  // initMode: where a group without offsets begins, PopFromMin or PopFromMax
	ExpressionType  string // expType, optional: ExpressionTag or ExpressionSQL
	Expression      string // exp, optional
	Ordered         bool   // order: in order of the queue; absent reads as false
	AttemptID       string // attemptId, optional: makes a repeated ordered pop give the same messages
}

// EncodeFields writes the header.
func (h *PopMessage) EncodeFields(e *wire.Encoder) {
	e.String("consumerGroup", h.ConsumerGroup)
	e.String("topic", h.Topic)
	e.Int("queueId", int64(h.QueueID))
	e.Int("maxMsgNums", int64(h.MaxMessages))
	e.Int("invisibleTime", h.InvisibleMillis)
	e.Int("pollTime", h.HoldForMillis)
	e.Int("bornTime", h.BornAt)
	e.Int("initMode", int64(h.From))
	encodeText(e, "expType", h.ExpressionType)
	encodeText(e, "exp", h.Expression)
	e.Bool("order", h.Ordered)
	encodeText(e, "attemptId", h.AttemptID)
}

// DecodeFields reads the header.
func (h *PopMessage) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = PopMessage{
		ConsumerGroup:   r.needText("consumerGroup"),
		Topic:           r.needText("topic"),
		QueueID:         r.needInt32("queueId"),
		MaxMessages:     r.needInt32("maxMsgNums"),
		InvisibleMillis: r.needInteger("invisibleTime"),
		HoldForMillis:   r.needInteger("pollTime"),
		BornAt:          r.needInteger("bornTime"),
		From:            r.needInt32("initMode"),
		ExpressionType:  r.text("expType"),
		Expression:      r.text("exp"),
		Ordered:         r.flag("order", false),
		AttemptID:       r.text("attemptId"),
	}
	return r.err
}

// String shows who pops what.
func (h *PopMessage) String() string {
	return fmt.Sprintf("pop by %s of %s queue %d, at most %d, invisible for %d ms",
		h.ConsumerGroup, h.Topic, h.QueueID, h.MaxMessages, h.InvisibleMillis)
}

// PopMessageResponse is the header of its answer (class PopMessageResponseHeader).
type PopMessageResponse struct {
	PoppedAt        int64  // popTime: wall milliseconds of the broker
	InvisibleMillis int64  // invisibleTime
	ReviveQueueID   int32  // reviveQid: queue of the revive topic that has the check point; 999 for ordered pops
	Left            int64  // restNum: messages that are left
	StartOffsets    string // startOffsetInfo, optional: "retry queueId firstOffset", joined by semicolons
	MessageOffsets  string // msgOffsetInfo, optional: "retry queueId offset,offset,…", joined by semicolons
	// OrderCounts (orderCountInfo), optional: "retry queueId count" or "retry qo<queueId>%<offset> count",
	// joined by semicolons.
	OrderCounts string
}

// EncodeFields writes the header.
func (h *PopMessageResponse) EncodeFields(e *wire.Encoder) {
	e.Int("popTime", h.PoppedAt)
	e.Int("invisibleTime", h.InvisibleMillis)
	e.Int("reviveQid", int64(h.ReviveQueueID))
	e.Int("restNum", h.Left)
	encodeText(e, "startOffsetInfo", h.StartOffsets)
	encodeText(e, "msgOffsetInfo", h.MessageOffsets)
	encodeText(e, "orderCountInfo", h.OrderCounts)
}

// DecodeFields reads the header.
func (h *PopMessageResponse) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = PopMessageResponse{
		PoppedAt:        r.needInteger("popTime"),
		InvisibleMillis: r.needInteger("invisibleTime"),
		ReviveQueueID:   r.needInt32("reviveQid"),
		Left:            r.needInteger("restNum"),
		StartOffsets:    r.text("startOffsetInfo"),
		MessageOffsets:  r.text("msgOffsetInfo"),
		OrderCounts:     r.text("orderCountInfo"),
	}
	return r.err
}

// String shows how much is left.
func (h *PopMessageResponse) String() string {
	return fmt.Sprintf("popped at %d, %d left", h.PoppedAt, h.Left)
}
