package broker

import "fmt"

// What monitoring asks of a member. While its role changes it is asked of the broker that ran last.

// Measure gathers what monitoring shows. It does not wait.
func (m *Member) Measure() *Measurement { return m.shown.Measure() }

// NotReady tells why the broker does not do what its role asks for, or "". It does not wait.
func (m *Member) NotReady() string {
	switch {
	case m.closing:
		return "the broker is shutting down"
	case !m.registered:
		return fmt.Sprintf("no controller has registered this broker yet: see that those in controllerAddr (%v) run and can be reached", m.membership.Controllers)
	case m.broker == nil:
		return "its role changes"
	case !m.role.master && m.role.masterHA == "":
		return "the group has no master that this broker could follow: start its other brokers"
	}
	return m.broker.NotReady()
}

// Fenced tells why the log takes no more messages until a restart, or nil. It does not wait.
func (m *Member) Fenced() error { return m.shown.Fenced() }
