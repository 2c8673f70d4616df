package transport

import "github.com/gantrymq/gantry/transport/wire"

// Signer proves who sends a request. signature.Credentials are one.
type Signer interface {
	// Sign returns what has to be added to the fields of a request. It must not keep what it is given.
	Sign(fields wire.Fields, body []byte) wire.Fields
}

// signed is what a request carries beside its typed header, with its signature if there is a signer. A signature is over the fields as the peer reads them,
// so they are written, and read again, before they are signed.
func (c *Conn) signed(request *Request) (wire.Fields, error) {
	if c.signer == nil {
		return request.Fields, nil
	}
	frame := wire.Begin(c.draft[:0], &wire.Header{Encoding: request.Encoding})
	if request.Header != nil {
		request.Header.EncodeFields(&frame)
	}
	for _, f := range request.Fields {
		frame.Bytes(string(f.Key), f.Value)
	}
	c.draft = frame.End(nil)
	if err := c.limits.Wire.Decode(c.draft, &c.drafted); err != nil {
		return nil, err
	}
	fields := append(wire.Fields(nil), request.Fields...)
	return append(fields, c.signer.Sign(c.drafted.Fields, request.Body)...), nil
}
