package proto

import (
	"fmt"
	"strings"

	"github.com/gantrymq/gantry/transport/wire"
)

// QueryConsumerOffset is the header of ReqQueryConsumerOffset (class
// QueryConsumerOffsetRequestHeader), answered by OffsetResponse or RespQueryNotFound.
type QueryConsumerOffset struct {
	ConsumerGroup string // consumerGroup
	Topic         string // topic
	QueueID       int32  // queueId
	// ZeroIfUnknown (setZeroIfNotFound, since 5.0) allows the broker to answer 0 for a
	// group without an offset while the queue still starts at 0. Absent means yes.
	ZeroIfUnknown Maybe[bool]
}

// EncodeFields writes the header.
func (h *QueryConsumerOffset) EncodeFields(e *wire.Encoder) {
	e.String("consumerGroup", h.ConsumerGroup)
	e.String("topic", h.Topic)
	e.Int("queueId", int64(h.QueueID))
	encodeMaybeFlag(e, "setZeroIfNotFound", h.ZeroIfUnknown)
}

// DecodeFields reads the header.
func (h *QueryConsumerOffset) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = QueryConsumerOffset{
		ConsumerGroup: r.needText("consumerGroup"),
		Topic:         r.needText("topic"),
		QueueID:       r.needInt32("queueId"),
		ZeroIfUnknown: r.maybeFlag("setZeroIfNotFound"),
	}
	return r.err
}

// UpdateConsumerOffset is the header of ReqUpdateConsumerOffset (class
// UpdateConsumerOffsetRequestHeader), mostly sent one-way.
type UpdateConsumerOffset struct {
	ConsumerGroup string // consumerGroup
	Topic         string // topic
	QueueID       int32  // queueId
	CommitOffset  int64  // commitOffset: the next to consume; some clients send -1 for "nothing yet"
	// ClientID (clientId) is Gantry's own: the member that has consumed so far. Other brokers ignore it. Tools name none.
	ClientID string
}

// EncodeFields writes the header.
func (h *UpdateConsumerOffset) EncodeFields(e *wire.Encoder) {
	e.String("consumerGroup", h.ConsumerGroup)
	e.String("topic", h.Topic)
	e.Int("queueId", int64(h.QueueID))
	e.Int("commitOffset", h.CommitOffset)
	if h.ClientID != "" {
		e.String("clientId", h.ClientID)
	}
}

// DecodeFields reads the header.
func (h *UpdateConsumerOffset) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = UpdateConsumerOffset{
		ConsumerGroup: r.needText("consumerGroup"),
		Topic:         r.needText("topic"),
		QueueID:       r.needInt32("queueId"),
		CommitOffset:  r.needInteger("commitOffset"),
		ClientID:      f.String("clientId"),
	}
	return r.err
}

// String shows the commit.
func (h *UpdateConsumerOffset) String() string {
	return fmt.Sprintf("commit %d by %s on %s queue %d", h.CommitOffset, h.ConsumerGroup, h.Topic, h.QueueID)
}

// GetMaxOffset is the header of ReqGetMaxOffset (class GetMaxOffsetRequestHeader),
// answered by OffsetResponse: one past the last message, 0 for unknown queues.
type GetMaxOffset struct {
	Topic   string // topic
	QueueID int32  // queueId
	// Committed (committed, since 5.0): count only what consumers may see. Absent means yes.
	Committed Maybe[bool]
}

// EncodeFields writes the header.
func (h *GetMaxOffset) EncodeFields(e *wire.Encoder) {
	e.String("topic", h.Topic)
	e.Int("queueId", int64(h.QueueID))
	encodeMaybeFlag(e, "committed", h.Committed)
}

// DecodeFields reads the header.
func (h *GetMaxOffset) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetMaxOffset{Topic: r.needText("topic"), QueueID: r.needInt32("queueId"), Committed: r.maybeFlag("committed")}
	return r.err
}

// GetMinOffset is the header of ReqGetMinOffset (class GetMinOffsetRequestHeader),
// answered by OffsetResponse.
type GetMinOffset struct {
	Topic   string // topic
	QueueID int32  // queueId
}

// EncodeFields writes the header.
func (h *GetMinOffset) EncodeFields(e *wire.Encoder) {
	e.String("topic", h.Topic)
	e.Int("queueId", int64(h.QueueID))
}

// DecodeFields reads the header.
func (h *GetMinOffset) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetMinOffset{Topic: r.needText("topic"), QueueID: r.needInt32("queueId")}
	return r.err
}

// SearchOffsetByTimestamp is the header of ReqSearchOffsetByTimestamp (class
// SearchOffsetRequestHeader), answered by OffsetResponse.
type SearchOffsetByTimestamp struct {
	Topic     string // topic
	QueueID   int32  // queueId
	Timestamp int64  // timestamp: wall milliseconds of storing
	// Upper (boundaryType "UPPER", since 5.0) asks for the last message stored at or before
	// Timestamp, instead of the first one stored at or after it ("LOWER").
	Upper bool
}

// EncodeFields writes the header.
func (h *SearchOffsetByTimestamp) EncodeFields(e *wire.Encoder) {
	e.String("topic", h.Topic)
	e.Int("queueId", int64(h.QueueID))
	e.Int("timestamp", h.Timestamp)
	boundary := "LOWER"
	if h.Upper {
		boundary = "UPPER"
	}
	e.String("boundaryType", boundary)
}

// DecodeFields reads the header.
func (h *SearchOffsetByTimestamp) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	boundary, _ := f.Get("boundaryType")
	*h = SearchOffsetByTimestamp{
		Topic:     r.needText("topic"),
		QueueID:   r.needInt32("queueId"),
		Timestamp: r.needInteger("timestamp"),
		Upper:     len(boundary) == 5 && strings.EqualFold(string(boundary), "upper"),
	}
	return r.err
}

// OffsetResponse is the header of the answer to ReqQueryConsumerOffset, ReqGetMaxOffset,
// ReqGetMinOffset and ReqSearchOffsetByTimestamp (classes
// QueryConsumerOffsetResponseHeader, GetMaxOffsetResponseHeader,
// GetMinOffsetResponseHeader, SearchOffsetResponseHeader).
type OffsetResponse struct {
	Offset int64 // offset
}

// EncodeFields writes the header.
func (h *OffsetResponse) EncodeFields(e *wire.Encoder) { e.Int("offset", h.Offset) }

// DecodeFields reads the header.
func (h *OffsetResponse) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = OffsetResponse{Offset: r.needInteger("offset")}
	return r.err
}

// GetEarliestMessageStoreTime is the header of ReqGetEarliestMessageStoreTime (class
// GetEarliestMsgStoretimeRequestHeader), answered by TimestampResponse.
type GetEarliestMessageStoreTime struct {
	Topic   string // topic
	QueueID int32  // queueId
}

// EncodeFields writes the header.
func (h *GetEarliestMessageStoreTime) EncodeFields(e *wire.Encoder) {
	e.String("topic", h.Topic)
	e.Int("queueId", int64(h.QueueID))
}

// DecodeFields reads the header.
func (h *GetEarliestMessageStoreTime) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetEarliestMessageStoreTime{Topic: r.needText("topic"), QueueID: r.needInt32("queueId")}
	return r.err
}

// TimestampResponse is the header of the answer to ReqGetEarliestMessageStoreTime (class
// GetEarliestMsgStoretimeResponseHeader).
type TimestampResponse struct {
	Timestamp int64 // timestamp: wall milliseconds, -1 if the queue holds nothing
}

// EncodeFields writes the header.
func (h *TimestampResponse) EncodeFields(e *wire.Encoder) { e.Int("timestamp", h.Timestamp) }

// DecodeFields reads the header.
func (h *TimestampResponse) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = TimestampResponse{Timestamp: r.needInteger("timestamp")}
	return r.err
}
