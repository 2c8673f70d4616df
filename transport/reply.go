package transport

import (
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// Reply is the right to answer one request, once. It is a small value that may be kept
// and used later, by any task of the node. Answering a request
// whose connection has ended, or that wants no answer, does nothing.
type Reply struct {
	conn     *Conn
	opaque   int32
	encoding wire.Encoding
	oneway   bool
	held     bool
	request  int32
	arrived  env.Instant
}

// Reply returns the right to answer this request.
func (in *Incoming) Reply() Reply {
	h := &in.Command.Header
	return Reply{conn: in.Conn, opaque: h.Opaque, encoding: h.Encoding, oneway: h.IsOneway(), request: h.Code, arrived: in.Arrived}
}

// Held is the same right, for a request that is kept until there is something to answer (long polling). That its answer takes long
// is no fault: ServerOptions.Answered is told of it.
func (r Reply) Held() Reply {
	r.held = true
	return r
}

// Conn is the connection of the request.
func (r Reply) Conn() *Conn { return r.conn }

// Oneway reports whether the request wants no answer.
func (r Reply) Oneway() bool { return r.oneway }

// Alive reports whether an answer would still be sent.
func (r Reply) Alive() bool { return !r.oneway && !r.conn.closed }

// Send answers. header may be nil; body is copied. It does not wait.
func (r Reply) Send(code int32, header FieldEncoder, body []byte) {
	r.send(code, "", header, nil, body, nil)
}

// SendFields answers with further fields and a remark. It does not wait.
func (r Reply) SendFields(code int32, remark string, header FieldEncoder, fields wire.Fields, body []byte) {
	r.send(code, remark, header, fields, body, nil)
}

// SendDetached answers with a body that is not copied: it must not change until release is
// called, which happens once, when the body is written or will never be.
func (r Reply) SendDetached(code int32, remark string, header FieldEncoder, body []byte, release func()) {
	if !r.Alive() {
		r.send(code, remark, nil, nil, nil, nil)
		release()
		return
	}
	r.send(code, remark, header, nil, body, release)
}

// Error answers with a code and the explanation that the user will see.
func (r Reply) Error(code int32, remark string) { r.send(code, remark, nil, nil, nil, nil) }

// Success answers that all is well, without a header.
func (r Reply) Success(body []byte) { r.send(proto.RespSuccess, "", nil, nil, body, nil) }

func (r Reply) send(code int32, remark string, header FieldEncoder, fields wire.Fields, body []byte, release func()) {
	r.tell(code)
	if r.oneway {
		return
	}
	c := r.conn
	c.unanswered--
	if c.closed {
		return
	}
	c.header = wire.Header{
		Encoding: r.encoding, Code: code, Language: wire.LanguageGo, Version: wire.OwnVersion,
		Opaque: r.opaque, Flags: wire.FlagResponse, Remark: remark,
	}
	if err := c.append(&c.header, header, fields, body, release); err != nil {
		c.answerTooLarge(err, release)
	}
	c.changed()
}

// tell tells the owner of the connection what is answered.
func (r Reply) tell(code int32) {
	c := r.conn
	if c == nil || c.hooks.answered == nil {
		return
	}
	c.hooks.answered(Answered{
		Request: r.request, Response: code, Took: c.env.Clock.Now().Sub(r.arrived), Held: r.held, Oneway: r.oneway, Gone: c.closed,
	})
}

// answerTooLarge tells the peer that it would refuse the answer.
func (c *Conn) answerTooLarge(cause error, release func()) {
	if release != nil {
		release()
	}
	c.header.Code, c.header.Remark = proto.RespSystemError, "the answer is too large: "+cause.Error()
	if err := c.append(&c.header, nil, nil, nil, nil); err != nil {
		c.end(err)
	}
}
