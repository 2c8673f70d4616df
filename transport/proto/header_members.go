package proto

import "github.com/gantrymq/gantry/transport/wire"

// GetConsumerConnectionList is the header of ReqGetConsumerConnectionList (class
// GetConsumerConnectionListRequestHeader). The answer's body is a ConsumerConnection;
// RespConsumerNotOnline means that the group has no members.
type GetConsumerConnectionList struct {
	ConsumerGroup string // consumerGroup
}

// EncodeFields writes the header.
func (h *GetConsumerConnectionList) EncodeFields(e *wire.Encoder) {
	e.String("consumerGroup", h.ConsumerGroup)
}

// DecodeFields reads the header.
func (h *GetConsumerConnectionList) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetConsumerConnectionList{ConsumerGroup: r.needText("consumerGroup")}
	return r.err
}

// GetProducerConnectionList is the header of ReqGetProducerConnectionList (class
// GetProducerConnectionListRequestHeader). The answer's body is a ProducerConnection.
// (ReqGetAllProducerInfo has no header; its answer's body is a ProducerTable.)
type GetProducerConnectionList struct {
	ProducerGroup string // producerGroup
}

// EncodeFields writes the header.
func (h *GetProducerConnectionList) EncodeFields(e *wire.Encoder) {
	e.String("producerGroup", h.ProducerGroup)
}

// DecodeFields reads the header.
func (h *GetProducerConnectionList) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetProducerConnectionList{ProducerGroup: r.needText("producerGroup")}
	return r.err
}

// GetConsumerRunningInfo is the header of ReqGetConsumerRunningInfo (class
// GetConsumerRunningInfoRequestHeader). Brokers hand it on to the client. The answer's body
// is a ConsumerRunningInfo.
type GetConsumerRunningInfo struct {
	ConsumerGroup string // consumerGroup
	ClientID      string // clientId
	StackDump     bool   // jstackEnable: with ConsumerRunningInfo.StackDump; absent reads as false
}

// EncodeFields writes the header.
func (h *GetConsumerRunningInfo) EncodeFields(e *wire.Encoder) {
	e.String("consumerGroup", h.ConsumerGroup)
	e.String("clientId", h.ClientID)
	e.Bool("jstackEnable", h.StackDump)
}

// DecodeFields reads the header.
func (h *GetConsumerRunningInfo) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetConsumerRunningInfo{
		ConsumerGroup: r.needText("consumerGroup"),
		ClientID:      r.needText("clientId"),
		StackDump:     r.flag("jstackEnable", false),
	}
	return r.err
}

// ConsumeMessageDirectly is the header of ReqConsumeMessageDirectly (class
// ConsumeMessageDirectlyResultRequestHeader): have one client consume one message now. A tool
// sends it without a body; the broker adds BrokerName, the flags and, as the body, the stored
// message that OffsetID tells, and hands it on. The answer's body is a ConsumeMessageDirectlyResult.
type ConsumeMessageDirectly struct {
	ConsumerGroup string       // consumerGroup
	ClientID      string       // clientId, optional
	OffsetID      string       // msgId, optional: the offset id of the message
	BrokerName    string       // brokerName, optional
	Topic         string       // topic, since 5.0, optional
	TopicSysFlags Maybe[int32] // topicSysFlag, since 5.0; see TopicSysFlag
	GroupSysFlags Maybe[int32] // groupSysFlag, since 5.0
}

// EncodeFields writes the header.
func (h *ConsumeMessageDirectly) EncodeFields(e *wire.Encoder) {
	e.String("consumerGroup", h.ConsumerGroup)
	encodeText(e, "clientId", h.ClientID)
	encodeText(e, "msgId", h.OffsetID)
	encodeText(e, "brokerName", h.BrokerName)
	encodeText(e, "topic", h.Topic)
	encodeMaybe(e, "topicSysFlag", h.TopicSysFlags)
	encodeMaybe(e, "groupSysFlag", h.GroupSysFlags)
}

// DecodeFields reads the header.
func (h *ConsumeMessageDirectly) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = ConsumeMessageDirectly{
		ConsumerGroup: r.needText("consumerGroup"),
		ClientID:      r.text("clientId"),
		OffsetID:      r.text("msgId"),
		BrokerName:    r.text("brokerName"),
		Topic:         r.text("topic"),
		TopicSysFlags: r.maybeInt32("topicSysFlag"),
		GroupSysFlags: r.maybeInt32("groupSysFlag"),
	}
	return r.err
}
