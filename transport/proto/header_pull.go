package proto

import (
	"fmt"

	"github.com/gantrymq/gantry/transport/wire"
)

// PullFlags are the bits of PullMessage.Flags (class PullSysFlag).
type PullFlags int32

// The bits of PullFlags.
const (
	PullCommit       PullFlags = 1  // COMMIT_OFFSET: store CommitOffset as well
	PullHold         PullFlags = 2  // SUSPEND: hold the request while there is nothing
	PullSubscription PullFlags = 4  // SUBSCRIPTION: Expression replaces the registered one
	PullClassFilter  PullFlags = 8  // CLASS_FILTER: historical
	PullLite         PullFlags = 16 // LITE_PULL: sent by a consumer that assigns queues by hand
)

// Has reports whether all the given bits are set.
func (f PullFlags) Has(bits PullFlags) bool { return f&bits == bits }

// PullMessage is the header of ReqPullMessage and ReqLitePullMessage (class
// PullMessageRequestHeader).
type PullMessage struct {
	ConsumerGroup  string    // consumerGroup
	Topic          string    // topic
	QueueID        int32     // queueId, 0 ≤ id < read queues
	QueueOffset    int64     // queueOffset: the first wanted
	MaxMessages    int32     // maxMsgNums
	Flags          PullFlags // sysFlag
	CommitOffset   int64     // commitOffset: counts only with PullCommit
	HoldForMillis  int64     // suspendTimeoutMillis: counts only with PullHold
	Expression     string    // subscription: counts only with PullSubscription
	Version        int64     // subVersion: of the client's subscription
	ExpressionType string    // expressionType; "" reads as ExpressionTag
	MaxBytes       int32     // maxMsgBytes, since 5.0; 0: no wish
	// RequestSource tells who asks, since 5.0 (requestSource): -1 a client, 0 to 2 a
	// proxy (for ordered, broadcast and streamed consumption).
	RequestSource Maybe[int32]
	ProxyClientID string // proxyFrowardClientId (spelled so): the client a proxy asks for
}

// EncodeFields writes the header.
func (h *PullMessage) EncodeFields(e *wire.Encoder) {
	e.String("consumerGroup", h.ConsumerGroup)
	e.String("topic", h.Topic)
	e.Int("queueId", int64(h.QueueID))
	e.Int("queueOffset", h.QueueOffset)
	e.Int("maxMsgNums", int64(h.MaxMessages))
	e.Int("sysFlag", int64(h.Flags))
	e.Int("commitOffset", h.CommitOffset)
	e.Int("suspendTimeoutMillis", h.HoldForMillis)
	encodeText(e, "subscription", h.Expression)
	e.Int("subVersion", h.Version)
	encodeText(e, "expressionType", h.ExpressionType)
	encodeInteger(e, "maxMsgBytes", int64(h.MaxBytes))
	encodeMaybe(e, "requestSource", h.RequestSource)
	encodeText(e, "proxyFrowardClientId", h.ProxyClientID)
}

// DecodeFields reads the header.
func (h *PullMessage) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = PullMessage{
		ConsumerGroup:  r.needText("consumerGroup"),
		Topic:          r.needText("topic"),
		QueueID:        r.needInt32("queueId"),
		QueueOffset:    r.needInteger("queueOffset"),
		MaxMessages:    r.needInt32("maxMsgNums"),
		Flags:          PullFlags(r.needInt32("sysFlag")),
		CommitOffset:   r.needInteger("commitOffset"),
		HoldForMillis:  r.needInteger("suspendTimeoutMillis"),
		Expression:     r.text("subscription"),
		Version:        r.needInteger("subVersion"),
		ExpressionType: internExpressionType(r.fields),
		MaxBytes:       r.int32("maxMsgBytes"),
		RequestSource:  r.maybeInt32("requestSource"),
		ProxyClientID:  r.text("proxyFrowardClientId"),
	}
	return r.err
}

// internExpressionType saves a copy for the two types that exist.
func internExpressionType(f wire.Fields) string {
	value, _ := f.Get("expressionType")
	switch string(value) {
	case "", ExpressionTag:
		return ExpressionTag
	case ExpressionSQL:
		return ExpressionSQL
	}
	return string(value)
}

// String shows who pulls what.
func (h *PullMessage) String() string {
	return fmt.Sprintf("pull by %s of %s queue %d from %d, at most %d, flags %#x",
		h.ConsumerGroup, h.Topic, h.QueueID, h.QueueOffset, h.MaxMessages, int32(h.Flags))
}

// PullMessageResponse is the header of the answer to a pull (class
// PullMessageResponseHeader). Clients need its first four fields with RespSuccess,
// RespPullNotFound, RespPullRetryImmediately and RespPullOffsetMoved alike.
type PullMessageResponse struct {
	SuggestedBrokerID int64 // suggestWhichBrokerId: whom to pull from next time, 0 the master
	Next              int64 // nextBeginOffset: the offset to pull next
	Min               int64 // minOffset of the queue
	Max               int64 // maxOffset of the queue, one past the last; Min ≤ Max
	OffsetDelta       int64 // offsetDelta: static topics, to be added to the offsets of the messages
	TopicSysFlags     int32 // topicSysFlag, since 5.0
	GroupSysFlags     int32 // groupSysFlag, since 5.0
	ForbiddenType     int32 // forbiddenType: with RespNoPermission, one of the Forbidden constants, else 0
}

// Why a pull was answered with RespNoPermission (class ForbiddenType).
const (
	ForbiddenBroker       = 1
	ForbiddenGroup        = 2
	ForbiddenTopic        = 3
	ForbiddenBroadcast    = 4
	ForbiddenSubscription = 5
)

// EncodeFields writes the header.
func (h *PullMessageResponse) EncodeFields(e *wire.Encoder) {
	e.Int("suggestWhichBrokerId", h.SuggestedBrokerID)
	e.Int("nextBeginOffset", h.Next)
	e.Int("minOffset", h.Min)
	e.Int("maxOffset", h.Max)
	encodeInteger(e, "offsetDelta", h.OffsetDelta)
	encodeInteger(e, "topicSysFlag", int64(h.TopicSysFlags))
	encodeInteger(e, "groupSysFlag", int64(h.GroupSysFlags))
	encodeInteger(e, "forbiddenType", int64(h.ForbiddenType))
}

// DecodeFields reads the header.
func (h *PullMessageResponse) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = PullMessageResponse{
		SuggestedBrokerID: r.needInteger("suggestWhichBrokerId"),
		Next:              r.needInteger("nextBeginOffset"),
		Min:               r.needInteger("minOffset"),
		Max:               r.needInteger("maxOffset"),
		OffsetDelta:       r.integer("offsetDelta"),
		TopicSysFlags:     r.int32("topicSysFlag"),
		GroupSysFlags:     r.int32("groupSysFlag"),
		ForbiddenType:     r.int32("forbiddenType"),
	}
	return r.err
}

// String shows where the queue stands.
func (h *PullMessageResponse) String() string {
	return fmt.Sprintf("next %d of [%d, %d) at broker %d", h.Next, h.Min, h.Max, h.SuggestedBrokerID)
}
