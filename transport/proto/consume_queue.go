package proto

import (
	"encoding/json"
	"fmt"
)

// ConsumeQueuePart is a part of one consume queue, as it is kept (class QueryConsumeQueueResponseBody): the body of the answer
// to ReqQueryConsumeQueue.
type ConsumeQueuePart struct {
	Min int64 // minQueueIndex: the first message
	Max int64 // maxQueueIndex: one past the last
	// Entries (queueData) are those from the wanted index on. nil: there is no message with this number.
	Entries []ConsumeQueueEntry
	// Subscription (subscriptionData) is what the group that was named subscribes of the topic; nil if it is not online, or none was named.
	Subscription *SubscriptionData
	// FilterData (filterData) is for people: how the broker filters for the group, as JSON, or that the group is not online.
	FilterData string
}

// ConsumeQueueEntry says where one record stands (class ConsumeQueueData). Not written is which message it is: they follow each
// other from the wanted index on, but that a record of a topic of type BatchCQ may hold several.
type ConsumeQueueEntry struct {
	LogOffset int64 // physicOffset
	Size      int32 // physicSize: of the record in bytes
	TagHash   int64 // tagsCode; for a delayed message when it is due, wall milliseconds
	// Extension (extendDataJson) and FilterBits (bitMap, of 0 and 1) are of brokers that keep more about each message
	// (enableConsumeQueueExt), and so is Matches (eval): whether the group's filter takes it.
	Extension, FilterBits string
	Matches               bool
	Note                  string // msg: what is unusual about the entry
}

// MessagesNote is the Note of an entry that may hold several messages: those from first on and before end.
func MessagesNote(first, end int64) string { return fmt.Sprintf(messagesNote, first, end) }

const messagesNote = "messages [%d, %d)"

// Numbers are those of the first messages of all entries, if the first entry holds message from. Brokers that say in Note which messages an
// entry holds are believed; of others each entry is taken to hold one.
func (p *ConsumeQueuePart) Numbers(from int64) []int64 {
	numbers := make([]int64, len(p.Entries))
	for i := range p.Entries {
		var first, end int64
		if _, err := fmt.Sscanf(p.Entries[i].Note, messagesNote, &first, &end); err != nil {
			first, end = from, from+1
		}
		numbers[i], from = first, end
	}
	return numbers
}

// String shows the range and the number of entries.
func (p *ConsumeQueuePart) String() string {
	return fmt.Sprintf("%d entries of a queue with [%d, %d)", len(p.Entries), p.Min, p.Max)
}

// String shows the place.
func (e ConsumeQueueEntry) String() string {
	return fmt.Sprintf("%d bytes at %d, tag %d", e.Size, e.LogOffset, e.TagHash)
}

// Marshal writes the body.
func (p *ConsumeQueuePart) Marshal() []byte {
	var w writer
	w.open('{')
	w.optionalMember("filterData", p.FilterData)
	w.integerMember("maxQueueIndex", p.Max)
	w.integerMember("minQueueIndex", p.Min)
	if p.Entries != nil {
		w.key("queueData")
		w.open('[')
		for i := range p.Entries {
			w.consumeQueueEntry(&p.Entries[i])
		}
		w.close(']')
	}
	w.subscriptionMember("subscriptionData", p.Subscription)
	w.close('}')
	return w.text
}

func (w *writer) consumeQueueEntry(e *ConsumeQueueEntry) {
	w.open('{')
	w.optionalMember("bitMap", e.FilterBits)
	w.booleanMember("eval", e.Matches)
	w.optionalMember("extendDataJson", e.Extension)
	w.optionalMember("msg", e.Note)
	w.integerMember("physicOffset", e.LogOffset)
	w.integerMember("physicSize", int64(e.Size))
	w.integerMember("tagsCode", e.TagHash)
	w.close('}')
}

// optionalMember leaves out an empty text, as Java peers leave out null.
func (w *writer) optionalMember(name, value string) {
	if value != "" {
		w.stringMember(name, value)
	}
}

// UnmarshalConsumeQueuePart reads the body. The error is ErrBody.
func UnmarshalConsumeQueuePart(body []byte) (*ConsumeQueuePart, error) {
	var in struct {
		MinQueueIndex    looseInt64          `json:"minQueueIndex"`
		MaxQueueIndex    looseInt64          `json:"maxQueueIndex"`
		QueueData        []ConsumeQueueEntry `json:"queueData"`
		SubscriptionData *SubscriptionData   `json:"subscriptionData"`
		FilterData       looseString         `json:"filterData"`
	}
	if err := unmarshal("QueryConsumeQueueResponseBody", body, &in); err != nil {
		return nil, err
	}
	return &ConsumeQueuePart{
		Min: int64(in.MinQueueIndex), Max: int64(in.MaxQueueIndex), Entries: in.QueueData,
		Subscription: in.SubscriptionData, FilterData: string(in.FilterData),
	}, nil
}

// UnmarshalJSON reads strict JSON.
func (e *ConsumeQueueEntry) UnmarshalJSON(text []byte) error {
	var in struct {
		PhysicOffset   looseInt64  `json:"physicOffset"`
		PhysicSize     looseInt32  `json:"physicSize"`
		TagsCode       looseInt64  `json:"tagsCode"`
		ExtendDataJSON looseString `json:"extendDataJson"`
		BitMap         looseString `json:"bitMap"`
		Eval           looseBool   `json:"eval"`
		Msg            looseString `json:"msg"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*e = ConsumeQueueEntry{
		LogOffset: int64(in.PhysicOffset), Size: int32(in.PhysicSize), TagHash: int64(in.TagsCode),
		Extension: string(in.ExtendDataJSON), FilterBits: string(in.BitMap), Matches: bool(in.Eval), Note: string(in.Msg),
	}
	return nil
}
