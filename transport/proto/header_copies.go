package proto

import "github.com/gantrymq/gantry/transport/wire"

// ExchangeHAInfo is the header of ReqExchangeBrokerHAInfo, and of its answer (classes ExchangeHAInfoRequestHeader and ExchangeHAInfoResponseHeader). Without a
// replication address it asks a master for its own; with one a master tells a slave where it is.
type ExchangeHAInfo struct {
	MasterHAAddress string       // masterHaAddress: the master's replication port, host:port
	MasterFlushed   Maybe[int64] // masterFlushOffset: up to where the master's log is durable
	MasterAddress   string       // masterAddress: the master's main port, host:port
}

// EncodeFields writes the header.
func (h *ExchangeHAInfo) EncodeFields(e *wire.Encoder) {
	encodeText(e, "masterHaAddress", h.MasterHAAddress)
	encodeMaybe(e, "masterFlushOffset", h.MasterFlushed)
	encodeText(e, "masterAddress", h.MasterAddress)
}

// DecodeFields reads the header.
func (h *ExchangeHAInfo) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = ExchangeHAInfo{MasterHAAddress: r.text("masterHaAddress"), MasterFlushed: r.maybeInt64("masterFlushOffset"), MasterAddress: r.text("masterAddress")}
	return r.err
}
