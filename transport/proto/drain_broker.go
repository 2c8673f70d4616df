package proto

import "github.com/gantrymq/gantry/transport/wire"

// DrainBroker is the header of ReqDrainBroker, Gantry's own. That of the answer is a MasterInfo: who is master now, as far as the broker knows.
type DrainBroker struct {
	Over bool // over: maintenance is over, and the broker may be elected like any other
}

// EncodeFields writes the header.
func (h *DrainBroker) EncodeFields(e *wire.Encoder) { e.Bool("over", h.Over) }

// DecodeFields reads the header.
func (h *DrainBroker) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = DrainBroker{Over: r.flag("over", false)}
	return r.err
}
