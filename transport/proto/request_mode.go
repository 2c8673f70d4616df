package proto

import "fmt"

// MessageRequestMode is how the members of a group get messages of a topic (class
// MessageRequestMode).
type MessageRequestMode int8

// The modes.
const (
	ModePull MessageRequestMode = 0 // PULL
	ModePop  MessageRequestMode = 1 // POP
)

var messageRequestModes = enumeration{"PULL", "POP"}

// String returns the protocol's name.
func (m MessageRequestMode) String() string { return messageRequestModes.name(int8(m)) }

// UnmarshalJSON reads a name or an ordinal. Anything else reads as ModePull.
func (m *MessageRequestMode) UnmarshalJSON(text []byte) error {
	*m = MessageRequestMode(max(messageRequestModes.read(text), int8(ModePull)))
	return nil
}

// SetMessageRequestMode is the body of ReqSetMessageRequestMode (class
// SetMessageRequestModeRequestBody, since 5.0): how a group gets messages of a topic from now on.
type SetMessageRequestMode struct {
	Topic         string             // topic; no retry topic
	ConsumerGroup string             // consumerGroup
	Mode          MessageRequestMode // mode; absent reads as ModePull
	// PopShareQueues (popShareQueueNum) is how many members share a queue in ModePop; <= 0: all
	// members have all queues.
	PopShareQueues int32
}

// String shows what is set.
func (m *SetMessageRequestMode) String() string {
	return fmt.Sprintf("%s gets %s by %s", m.ConsumerGroup, m.Topic, m.Mode)
}

// Marshal writes the body.
func (m *SetMessageRequestMode) Marshal() []byte {
	var w writer
	w.open('{')
	w.stringMember("consumerGroup", m.ConsumerGroup)
	w.stringMember("mode", m.Mode.String())
	w.integerMember("popShareQueueNum", int64(m.PopShareQueues))
	w.stringMember("topic", m.Topic)
	w.close('}')
	return w.text
}

// UnmarshalSetMessageRequestMode reads the body. The error is ErrBody.
func UnmarshalSetMessageRequestMode(body []byte) (*SetMessageRequestMode, error) {
	var in struct {
		Topic            looseString        `json:"topic"`
		ConsumerGroup    looseString        `json:"consumerGroup"`
		Mode             MessageRequestMode `json:"mode"`
		PopShareQueueNum looseInt32         `json:"popShareQueueNum"`
	}
	if err := unmarshal("SetMessageRequestModeRequestBody", body, &in); err != nil {
		return nil, err
	}
	return &SetMessageRequestMode{
		Topic:          string(in.Topic),
		ConsumerGroup:  string(in.ConsumerGroup),
		Mode:           in.Mode,
		PopShareQueues: int32(in.PopShareQueueNum),
	}, nil
}
