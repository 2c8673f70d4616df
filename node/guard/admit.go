package guard

import (
	"errors"

	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/signature"
)

// Await runs what waits on behalf of a request.
type Await func(in *transport.Incoming, work func())

// offBaton is the size of a body, in bytes, from which on its signature is computed without the baton.
const offBaton = 16 << 10

// Admit reports whether a request may be carried out. One that may not is answered (NO_PERMISSION) and recorded. It waits only for the
// signature of a large body.
func (g *Guard) Admit(in *transport.Incoming) bool {
	if g.Open() && !access.Changes(in.Command.Code) {
		return true
	}
	d := g.decide(in)
	g.record(in, &d)
	if !d.Allowed {
		in.Reply().Error(proto.RespNoPermission, d.Remark())
	}
	return d.Allowed
}

func (g *Guard) decide(in *transport.Incoming) (d access.Decision) {
	// Rules are never changed, so they decide without the baton as well.
	rules, command, source := g.rules, in.Command, in.Conn.Remote().Addr()
	if len(command.Body) < offBaton || rules.Open() {
		return rules.Decide(command, source)
	}
	g.await(in, func() {
		g.env.Tasks.Offload(func() { d = rules.Decide(command, source) })
	})
	if g.rules != rules {
		// They are others by now, and what is carried out must be allowed when it begins.
		return g.rules.Decide(command, source)
	}
	return d
}

func (g *Guard) await(in *transport.Incoming, work func()) {
	if g.place.Await == nil {
		work()
		return
	}
	g.place.Await(in, work)
}

// Touches is for handlers that find out only while they work what a request is about: whether one of some actions on a resource is allowed. If it
// is not, the request is answered and recorded as by Admit.
func (g *Guard) Touches(in *transport.Incoming, need access.Need) bool {
	err := g.Touch(in, need)
	if err != nil {
		in.Reply().Error(proto.RespNoPermission, err.Error())
	}
	return err == nil
}

// Touch is Touches for who answers by itself: the error is ErrDenied, wrapped with the remark of the answer, and is recorded.
func (g *Guard) Touch(in *transport.Incoming, need access.Need) error {
	if g.Open() {
		return nil
	}
	d := g.rules.Touch(in.Command, in.Conn.Remote().Addr(), need)
	if d.Allowed {
		return nil
	}
	g.record(in, &d)
	return &deniedError{d.Remark()}
}

// ErrDenied: the rights of an account do not suffice.
var ErrDenied = errors.New("no permission")

// deniedError tells who lacks which right.
type deniedError struct{ remark string }

// Error is the remark of the answer.
func (e *deniedError) Error() string { return e.remark }

// Unwrap returns ErrDenied.
func (e *deniedError) Unwrap() error { return ErrDenied }

// Account is who has sent a request that was admitted, to be asked about with Allows; "" for nobody in particular.
func Account(in *transport.Incoming) string {
	return in.Command.Fields.String(signature.FieldAccessKey)
}

// Allows reports whether an account would be allowed a request now, over a connection on which it has proven who it is. Nothing is recorded.
func (g *Guard) Allows(account string, conn *transport.Conn, code int32, need access.Need) bool {
	if g.Open() {
		return true
	}
	d := g.rules.Later(code, account, conn.Remote().Addr(), need)
	return d.Allowed
}

// Generation counts the changes of rules. A handler that has waited compares it with what it was when its request was admitted.
func (g *Guard) Generation() uint64 { return g.generation }

// isSuper reports whether a request that was admitted is that of a super user. proven is false where everybody may do everything.
func (g *Guard) isSuper(in *transport.Incoming) (super, proven bool) {
	if g.Open() {
		return true, false
	}
	d := g.rules.Decide(in.Command, in.Conn.Remote().Addr())
	return d.Super, d.Super
}
