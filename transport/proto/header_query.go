package proto

import (
	"fmt"

	"github.com/gantrymq/gantry/transport/wire"
)

// ViewMessageByID is the header of ReqViewMessageByID (class ViewMessageRequestHeader).
// The answer's body is one stored message.
type ViewMessageByID struct {
	Offset int64  // offset: where the record begins in the commit log
	Topic  string // topic, optional
}

// EncodeFields writes the header.
func (h *ViewMessageByID) EncodeFields(e *wire.Encoder) {
	e.Int("offset", h.Offset)
	encodeText(e, "topic", h.Topic)
}

// DecodeFields reads the header.
func (h *ViewMessageByID) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = ViewMessageByID{Offset: r.needInteger("offset"), Topic: r.text("topic")}
	return r.err
}

// QueryMessage is the header of ReqQueryMessage (class QueryMessageRequestHeader). The answer's body is stored
// messages, one after the other.
type QueryMessage struct {
	Topic string // topic
	Key   string // key: a word of KEYS, or a UNIQ_KEY
	Max   int32  // maxNum: of messages
	Begin int64  // beginTimestamp: wall milliseconds, stored then or later
	End   int64  // endTimestamp: wall milliseconds, stored then or before
	// UniqueKey (_UNIQUE_KEY_QUERY): Key is a UNIQ_KEY, and Max does not count.
	UniqueKey bool
}

// EncodeFields writes the header.
func (h *QueryMessage) EncodeFields(e *wire.Encoder) {
	e.String("topic", h.Topic)
	e.String("key", h.Key)
	e.Int("maxNum", int64(h.Max))
	e.Int("beginTimestamp", h.Begin)
	e.Int("endTimestamp", h.End)
	e.Bool("_UNIQUE_KEY_QUERY", h.UniqueKey)
}

// DecodeFields reads the header.
func (h *QueryMessage) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = QueryMessage{
		Topic:     r.needText("topic"),
		Key:       r.needText("key"),
		Max:       r.needInt32("maxNum"),
		Begin:     r.needInteger("beginTimestamp"),
		End:       r.needInteger("endTimestamp"),
		UniqueKey: r.flag("_UNIQUE_KEY_QUERY", false),
	}
	return r.err
}

// String shows what is looked for.
func (h *QueryMessage) String() string {
	return fmt.Sprintf("query of %s for key %s, unique %v, at most %d, stored in [%d, %d]", h.Topic, h.Key, h.UniqueKey, h.Max, h.Begin, h.End)
}

// QueryMessageResponse is the header of the answer to ReqQueryMessage (class QueryMessageResponseHeader): how far the
// broker's index of keys is.
type QueryMessageResponse struct {
	IndexedAt int64 // indexLastUpdateTimestamp: wall milliseconds
	IndexedTo int64 // indexLastUpdatePhyoffset: place in the commit log
}

// EncodeFields writes the header.
func (h *QueryMessageResponse) EncodeFields(e *wire.Encoder) {
	e.Int("indexLastUpdateTimestamp", h.IndexedAt)
	e.Int("indexLastUpdatePhyoffset", h.IndexedTo)
}

// DecodeFields reads the header.
func (h *QueryMessageResponse) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = QueryMessageResponse{IndexedAt: r.needInteger("indexLastUpdateTimestamp"), IndexedTo: r.needInteger("indexLastUpdatePhyoffset")}
	return r.err
}
