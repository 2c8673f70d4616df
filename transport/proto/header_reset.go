package proto

import (
	"fmt"

	"github.com/gantrymq/gantry/transport/wire"
)

// ResetOffset is the header of ReqInvokeBrokerToResetOffset and ReqResetConsumerClientOffset
// (class ResetOffsetRequestHeader): a group is to consume a topic from somewhere else. The
// former has no body and is answered by a ResetOffsets; the latter has one as its body.
type ResetOffset struct {
	Topic     string // topic
	Group     string // group
	Timestamp int64  // timestamp: wall milliseconds of storing; -1: behind the newest message
	Force     bool   // isForce: also to a greater offset than the group has
	// QueueID (queueId, since 5.0) is the one queue that is meant. Absent, or -1 as Java
	// peers write it, means all.
	QueueID Maybe[int32]
	// Offset (offset, since 5.0) is where to go, whatever Timestamp says. It counts only
	// with QueueID.
	Offset Maybe[int64]
}

// EncodeFields writes the header.
func (h *ResetOffset) EncodeFields(e *wire.Encoder) {
	e.String("topic", h.Topic)
	e.String("group", h.Group)
	e.Int("timestamp", h.Timestamp)
	e.Bool("isForce", h.Force)
	e.Int("queueId", int64(h.QueueID.Or(-1)))
	encodeMaybe(e, "offset", h.Offset)
}

// DecodeFields reads the header.
func (h *ResetOffset) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = ResetOffset{
		Topic:     r.needText("topic"),
		Group:     r.needText("group"),
		Timestamp: r.needInteger("timestamp"),
		Force:     r.needFlag("isForce"),
		QueueID:   r.maybeInt32("queueId"),
		Offset:    r.maybeInt64("offset"),
	}
	if h.QueueID.Value < 0 {
		h.QueueID = Maybe[int32]{}
	}
	return r.err
}

// String shows who goes where.
func (h *ResetOffset) String() string {
	return fmt.Sprintf("reset of %s on %s to the time %d, force %v", h.Group, h.Topic, h.Timestamp, h.Force)
}
