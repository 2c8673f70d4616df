package guard

import (
	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
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
func (g *Guard) Touches(in *transport.Incoming, resource access.Resource, actions access.Actions) bool {
	if g.Open() {
		return true
	}
	d := g.rules.Touch(in.Command, in.Conn.Remote().Addr(), access.Need{Resource: resource, Actions: actions})
	if !d.Allowed {
		g.record(in, &d)
		in.Reply().Error(proto.RespNoPermission, d.Remark())
	}
	return d.Allowed
}

// isSuper reports whether a request that was admitted is that of a super user. proven is false where everybody may do everything.
func (g *Guard) isSuper(in *transport.Incoming) (super, proven bool) {
	if g.Open() {
		return true, false
	}
	d := g.rules.Decide(in.Command, in.Conn.Remote().Addr())
	return d.Super, d.Super
}
