package proto

import (
	"strconv"
	"strings"
)

// Enumerations travel as names. Some clients write them as ordinals or in other case,
// and peers read those too. An unknown name reads as Unknown, which stands for Java's null.

// ConsumeType is how a consumer gets its messages (class ConsumeType).
type ConsumeType int8

// The ways to consume.
const (
	ConsumeUnknown ConsumeType = -1
	ConsumePull    ConsumeType = 0 // CONSUME_ACTIVELY
	ConsumePush    ConsumeType = 1 // CONSUME_PASSIVELY
	ConsumePop     ConsumeType = 2 // CONSUME_POP
)

var consumeTypes = enumeration{"CONSUME_ACTIVELY", "CONSUME_PASSIVELY", "CONSUME_POP"}

// String returns the protocol's name.
func (t ConsumeType) String() string { return consumeTypes.name(int8(t)) }

// UnmarshalJSON reads a name or an ordinal.
func (t *ConsumeType) UnmarshalJSON(text []byte) error {
	*t = ConsumeType(consumeTypes.read(text))
	return nil
}

// MessageModel is how the members of a group share messages (class MessageModel).
type MessageModel int8

// The ways to share.
const (
	ModelUnknown MessageModel = -1
	Broadcasting MessageModel = 0 // BROADCASTING: each member gets every message
	Clustering   MessageModel = 1 // CLUSTERING: each message goes to one member
)

var messageModels = enumeration{"BROADCASTING", "CLUSTERING"}

// String returns the protocol's name.
func (m MessageModel) String() string { return messageModels.name(int8(m)) }

// UnmarshalJSON reads a name or an ordinal.
func (m *MessageModel) UnmarshalJSON(text []byte) error {
	*m = MessageModel(messageModels.read(text))
	return nil
}

// ConsumeFrom is where a group without an offset begins (class ConsumeFromWhere).
type ConsumeFrom int8

// The places to begin. The three in the middle are historical.
const (
	FromUnknown     ConsumeFrom = -1
	FromLastOffset  ConsumeFrom = 0 // CONSUME_FROM_LAST_OFFSET
	FromLastOrMin   ConsumeFrom = 1 // CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST
	FromMinOffset   ConsumeFrom = 2 // CONSUME_FROM_MIN_OFFSET
	FromMaxOffset   ConsumeFrom = 3 // CONSUME_FROM_MAX_OFFSET
	FromFirstOffset ConsumeFrom = 4 // CONSUME_FROM_FIRST_OFFSET
	FromTimestamp   ConsumeFrom = 5 // CONSUME_FROM_TIMESTAMP
)

var consumeFroms = enumeration{
	"CONSUME_FROM_LAST_OFFSET", "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST",
	"CONSUME_FROM_MIN_OFFSET", "CONSUME_FROM_MAX_OFFSET", "CONSUME_FROM_FIRST_OFFSET", "CONSUME_FROM_TIMESTAMP",
}

// String returns the protocol's name.
func (c ConsumeFrom) String() string { return consumeFroms.name(int8(c)) }

// UnmarshalJSON reads a name or an ordinal.
func (c *ConsumeFrom) UnmarshalJSON(text []byte) error {
	*c = ConsumeFrom(consumeFroms.read(text))
	return nil
}

// TopicFilterType tells whether messages of a topic have one tag or several (class
// TopicFilterType).
type TopicFilterType int8

// The filter types.
const (
	SingleTag TopicFilterType = 0 // SINGLE_TAG
	MultiTag  TopicFilterType = 1 // MULTI_TAG
)

var topicFilterTypes = enumeration{"SINGLE_TAG", "MULTI_TAG"}

// String returns the protocol's name.
func (t TopicFilterType) String() string { return topicFilterTypes.name(int8(t)) }

// UnmarshalJSON reads a name or an ordinal. Anything else reads as SingleTag.
func (t *TopicFilterType) UnmarshalJSON(text []byte) error {
	*t = TopicFilterType(max(topicFilterTypes.read(text), int8(SingleTag)))
	return nil
}

func parseTopicFilterType(text string) (TopicFilterType, bool) {
	ordinal := topicFilterTypes.parse(text)
	return TopicFilterType(max(ordinal, int8(SingleTag))), ordinal >= 0
}

// enumeration lists the names of a Java enum by ordinal.
type enumeration []string

// name returns the name of an ordinal, "UNKNOWN" if there is none.
func (e enumeration) name(ordinal int8) string {
	if ordinal < 0 || int(ordinal) >= len(e) {
		return "UNKNOWN"
	}
	return e[ordinal]
}

// read takes a JSON string or number. It returns -1 for what it does not know.
func (e enumeration) read(text []byte) int8 {
	return e.parse(strings.Trim(string(text), `"`))
}

func (e enumeration) parse(text string) int8 {
	for i, name := range e {
		if strings.EqualFold(name, text) {
			return int8(i)
		}
	}
	if ordinal, err := strconv.Atoi(text); err == nil && ordinal >= 0 && ordinal < len(e) {
		return int8(ordinal)
	}
	return -1
}
