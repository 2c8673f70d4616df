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
	w.requestMode(m)
	return w.text
}

func (w *writer) requestMode(m *SetMessageRequestMode) {
	w.open('{')
	w.stringMember("consumerGroup", m.ConsumerGroup)
	w.stringMember("mode", m.Mode.String())
	w.integerMember("popShareQueueNum", int64(m.PopShareQueues))
	w.stringMember("topic", m.Topic)
	w.close('}')
}

// requestModeJSON is the class as it is written.
type requestModeJSON struct {
	Topic            looseString        `json:"topic"`
	ConsumerGroup    looseString        `json:"consumerGroup"`
	Mode             MessageRequestMode `json:"mode"`
	PopShareQueueNum looseInt32         `json:"popShareQueueNum"`
}

func (in *requestModeJSON) mode() SetMessageRequestMode {
	return SetMessageRequestMode{
		Topic: string(in.Topic), ConsumerGroup: string(in.ConsumerGroup), Mode: in.Mode, PopShareQueues: int32(in.PopShareQueueNum),
	}
}

// UnmarshalSetMessageRequestMode reads the body. The error is ErrBody.
func UnmarshalSetMessageRequestMode(body []byte) (*SetMessageRequestMode, error) {
	var in requestModeJSON
	if err := unmarshal("SetMessageRequestModeRequestBody", body, &in); err != nil {
		return nil, err
	}
	mode := in.mode()
	return &mode, nil
}

// RequestModeTable is what was set by SetMessageRequestMode: the file messageRequestMode.json, and the body of the answer to
// ReqGetAllMessageRequestMode (class MessageRequestModeSerializeWrapper).
type RequestModeTable struct {
	Modes []SetMessageRequestMode // messageRequestModeMap; by topic and group when read, each pair once
}

// String shows the number of entries.
func (t *RequestModeTable) String() string { return fmt.Sprintf("%d request modes", len(t.Modes)) }

// Marshal writes the table. Entries of one topic must be neighbours.
func (t *RequestModeTable) Marshal() []byte {
	var w writer
	w.open('{')
	w.key("messageRequestModeMap")
	w.open('{')
	for i := range t.Modes {
		m := &t.Modes[i]
		if i == 0 || t.Modes[i-1].Topic != m.Topic {
			w.key(m.Topic)
			w.open('{')
		}
		w.key(m.ConsumerGroup)
		w.requestMode(m)
		if i == len(t.Modes)-1 || t.Modes[i+1].Topic != m.Topic {
			w.close('}')
		}
	}
	w.close('}')
	w.close('}')
	return w.text
}

// UnmarshalRequestModeTable reads what Marshal and Java peers write. The error is ErrBody.
func UnmarshalRequestModeTable(body []byte) (*RequestModeTable, error) {
	var in struct {
		Map map[string]map[string]*requestModeJSON `json:"messageRequestModeMap"`
	}
	if err := unmarshal("MessageRequestModeSerializeWrapper", body, &in); err != nil {
		return nil, err
	}
	t := new(RequestModeTable)
	for _, topic := range sortedKeys(in.Map) {
		for _, group := range sortedKeys(in.Map[topic]) {
			if entry := in.Map[topic][group]; entry != nil {
				mode := entry.mode()
				// The keys count; the names inside are a repetition.
				mode.Topic, mode.ConsumerGroup = topic, group
				t.Modes = append(t.Modes, mode)
			}
		}
	}
	return t, nil
}
