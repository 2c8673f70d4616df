package proto

import (
	"fmt"

	"github.com/gantrymq/gantry/transport/wire"
)

// ConsumerSendMessageBack is the header of ReqConsumerSendMessageBack (class
// ConsumerSendMsgBackRequestHeader): a consumer could not consume a message and wants it
// again later. The broker stores a copy in RetryTopic(Group), or in
// DeadLetterTopic(Group) if it was delivered too often. There is no body.
type ConsumerSendMessageBack struct {
	LogOffset   int64  // offset: where the record of the message begins in the commit log
	Group       string // group
	DelayLevel  int32  // delayLevel: < 0 dead letter at once, 0 the broker picks 3 + redeliveries, else that level
	OffsetID    string // originMsgId, optional: the offset id of the message
	OriginTopic string // originTopic, optional
	UnitMode    bool   // unitMode
	// RedeliveriesMax (maxReconsumeTimes) counts instead of the group's setting if the asker's
	// version is wire.V3_4_9 or later.
	RedeliveriesMax Maybe[int32]
}

// EncodeFields writes the header.
func (h *ConsumerSendMessageBack) EncodeFields(e *wire.Encoder) {
	e.Int("offset", h.LogOffset)
	e.String("group", h.Group)
	e.Int("delayLevel", int64(h.DelayLevel))
	encodeText(e, "originMsgId", h.OffsetID)
	encodeText(e, "originTopic", h.OriginTopic)
	e.Bool("unitMode", h.UnitMode)
	encodeMaybe(e, "maxReconsumeTimes", h.RedeliveriesMax)
}

// DecodeFields reads the header.
func (h *ConsumerSendMessageBack) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = ConsumerSendMessageBack{
		LogOffset:       r.needInteger("offset"),
		Group:           r.needText("group"),
		DelayLevel:      r.needInt32("delayLevel"),
		OffsetID:        r.text("originMsgId"),
		OriginTopic:     r.text("originTopic"),
		UnitMode:        r.flag("unitMode", false),
		RedeliveriesMax: r.maybeInt32("maxReconsumeTimes"),
	}
	return r.err
}

// String shows which message comes back to whom.
func (h *ConsumerSendMessageBack) String() string {
	return fmt.Sprintf("message at %d comes back to %s, delay level %d", h.LogOffset, h.Group, h.DelayLevel)
}
