package proto

import (
	"fmt"

	"github.com/gantrymq/gantry/transport/wire"
)

// RecallMessage is the header of ReqRecallMessage (class RecallMessageRequestHeader, since 5.3.2): a message that waits for its time is
// not to be delivered.
type RecallMessage struct {
	ProducerGroup string // producerGroup
	Topic         string // topic
	Handle        string // recallHandle: what the send was answered with
}

// EncodeFields writes the header.
func (h *RecallMessage) EncodeFields(e *wire.Encoder) {
	encodeText(e, "producerGroup", h.ProducerGroup)
	e.String("topic", h.Topic)
	e.String("recallHandle", h.Handle)
}

// DecodeFields reads the header.
func (h *RecallMessage) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = RecallMessage{
		ProducerGroup: f.String("producerGroup"),
		Topic:         r.needText("topic"),
		Handle:        r.needText("recallHandle"),
	}
	return r.err
}

// String shows the request.
func (h *RecallMessage) String() string {
	return fmt.Sprintf("recall of %s by %s: %s", h.Topic, h.ProducerGroup, h.Handle)
}

// RecallMessageResponse is the header of its answer (class RecallMessageResponseHeader).
type RecallMessageResponse struct {
	UniqueID string // msgId: of the message that was recalled
}

// EncodeFields writes the header.
func (h *RecallMessageResponse) EncodeFields(e *wire.Encoder) { e.String("msgId", h.UniqueID) }

// DecodeFields reads the header.
func (h *RecallMessageResponse) DecodeFields(f wire.Fields) error {
	h.UniqueID = f.String("msgId")
	return nil
}
