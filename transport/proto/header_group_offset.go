package proto

import "github.com/gantrymq/gantry/transport/wire"

// GetConsumerStatus is the header of ReqInvokeBrokerToGetConsumerStatus and
// ReqGetConsumerStatusFromClient (class GetConsumerStatusRequestHeader). The answer's body is a
// ConsumerStatus: the broker fills Consumers, a client Queues.
type GetConsumerStatus struct {
	Topic         string // topic
	Group         string // group
	ClientAddress string // clientAddr, optional: only this member, "": all
}

// EncodeFields writes the header.
func (h *GetConsumerStatus) EncodeFields(e *wire.Encoder) {
	e.String("topic", h.Topic)
	e.String("group", h.Group)
	encodeText(e, "clientAddr", h.ClientAddress)
}

// DecodeFields reads the header.
func (h *GetConsumerStatus) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetConsumerStatus{
		Topic:         r.needText("topic"),
		Group:         r.needText("group"),
		ClientAddress: r.text("clientAddr"),
	}
	return r.err
}

// CloneGroupOffset is the header of ReqCloneGroupOffset (class
// CloneGroupOffsetRequestHeader): give a group the offsets of another.
type CloneGroupOffset struct {
	FromGroup string // srcGroup
	ToGroup   string // destGroup
	Topic     string // topic, optional; "": all topics of FromGroup
	Offline   bool   // offline: also topics that no living member of FromGroup subscribes to; absent reads as false
}

// EncodeFields writes the header.
func (h *CloneGroupOffset) EncodeFields(e *wire.Encoder) {
	e.String("srcGroup", h.FromGroup)
	e.String("destGroup", h.ToGroup)
	encodeText(e, "topic", h.Topic)
	e.Bool("offline", h.Offline)
}

// DecodeFields reads the header.
func (h *CloneGroupOffset) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = CloneGroupOffset{
		FromGroup: r.needText("srcGroup"),
		ToGroup:   r.needText("destGroup"),
		Topic:     r.text("topic"),
		Offline:   r.flag("offline", false),
	}
	return r.err
}

// QueryCorrectionOffset is the header of ReqQueryCorrectionOffset (class
// QueryCorrectionOffsetHeader): the smallest offset that any group has, for each queue of a
// topic. The answer's body is a CorrectionOffsets.
type QueryCorrectionOffset struct {
	IgnoredGroups []string // filterGroups, optional, joined by commas: do not count; Java brokers also forget their offsets
	Group         string   // compareGroup: where it is behind that smallest offset, the answer is math.MaxInt64
	Topic         string   // topic
}

// EncodeFields writes the header.
func (h *QueryCorrectionOffset) EncodeFields(e *wire.Encoder) {
	encodeList(e, "filterGroups", h.IgnoredGroups, ",")
	e.String("compareGroup", h.Group)
	e.String("topic", h.Topic)
}

// DecodeFields reads the header.
func (h *QueryCorrectionOffset) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = QueryCorrectionOffset{
		IgnoredGroups: r.list("filterGroups", ","),
		Group:         r.needText("compareGroup"),
		Topic:         r.needText("topic"),
	}
	return r.err
}
