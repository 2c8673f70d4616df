package broker

import (
	"errors"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/node/replica"
)

// What monitoring asks of a member. While its role changes it is asked of the broker that ran last.

// Measure gathers what monitoring shows. It waits, as that of a Broker does.
func (m *Member) Measure() *Measurement {
	measured := m.shown.Measure()
	measured.ready = m.NotReady()
	return measured
}

// NotReady tells why the broker does not do what its role asks for, or "". It does not wait.
func (m *Member) NotReady() string {
	switch {
	case m.closing:
		return "the broker is shutting down"
	case !m.registered && m.unheard != nil && !errors.Is(m.unheard, errNoController):
		return fmt.Sprintf("the controllers do not register this broker: %v", m.unheard)
	case !m.registered:
		return fmt.Sprintf("no controller has registered this broker yet: see that those in controllerAddr (%v) run and can be reached", m.membership.Controllers)
	case m.broker == nil && m.trouble != nil:
		return fmt.Sprintf("this broker cannot take its role, and tries again: %v", m.trouble)
	case m.broker == nil || m.wanted != m.role:
		return "its role changes"
	case !m.role.master && m.role.masterHA == "":
		return "the group has no master that this broker could follow: start its other brokers"
	}
	if why := m.broker.NotReady(); why != "" || m.role.master || m.options.Replication.Learner {
		return why
	}
	return m.notInSync()
}

// notInSync tells why a copy that follows could not take its master's place, or "". Who stops one broker after the other waits for each to be ready: were
// a copy ready before that, the only broker that has all that was acknowledged would be stopped next.
func (m *Member) notInSync() string {
	silent := m.env.Clock.Now().Sub(m.heardAt)
	switch {
	case silent > m.membership.DeadAfter:
		// They take this broker for dead, and elect somebody else. The set that was heard last may have changed.
		return fmt.Sprintf("the controllers have not answered this copy for %s, so they would not let it take the place of its master: see that those in controllerAddr (%v) run and can be reached",
			silent.Round(time.Millisecond), m.membership.Controllers)
	case !m.inSync.Has(replica.BrokerID(m.identity.id)):
		return fmt.Sprintf("this copy is not in the in-sync set of its master, and could not take its place: it lacks %d bytes of the log. Stop no other broker of %s before it has caught up; "+
			"gantry admin haStatus shows how far it is", m.lacks(), m.options.Name)
	}
	return ""
}

// lacks is how many bytes of the master's log a copy did not have when it last heard of it.
func (m *Member) lacks() int64 {
	b := m.broker
	return max(int64(b.slave.seen.masterEnd-b.store.Durable()), 0)
}

// Fenced tells why the log takes no more messages until a restart, or nil. It does not wait.
func (m *Member) Fenced() error { return m.shown.Fenced() }
