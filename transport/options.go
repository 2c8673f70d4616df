package transport

import (
	"time"

	"github.com/gantrymq/gantry/transport/wire"
)

// Limits bound what one connection may ask of this process. Zero fields take the
// defaults of DefaultLimits.
type Limits struct {
	// Wire bounds frames and headers.
	Wire wire.Limits
	// Unanswered is the number of requests of the peer that wait for an answer; further ones
	// are answered "busy".
	Unanswered int
	// Pending is the number of own calls that wait for a response; further ones fail with ErrBusy.
	Pending int
	// Output is the number of bytes that wait to be written. A peer that lets answers
	// grow beyond it is cut off; own requests beyond it fail with ErrBusy.
	Output int
	// WriteTimeout cuts off a peer that does not take the next 1 MiB in that time.
	WriteTimeout time.Duration
}

// DefaultLimits suit a broker or a client.
func DefaultLimits() Limits {
	return Limits{Unanswered: 65_536, Pending: 65_536, Output: 64 << 20, WriteTimeout: 30 * time.Second}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	if l.Unanswered <= 0 {
		l.Unanswered = d.Unanswered
	}
	if l.Pending <= 0 {
		l.Pending = d.Pending
	}
	if l.Output <= 0 {
		l.Output = d.Output
	}
	if l.WriteTimeout <= 0 {
		l.WriteTimeout = d.WriteTimeout
	}
	return l
}

// Sizes of a connection's read buffer. It starts small, because many connections are idle,
// grows while reads fill it, and shrinks again after a large frame.
const (
	readBufferMin = 4 << 10
	readBufferMax = 256 << 10
)

// Handler serves the requests of the peers.
type Handler interface {
	// Serve handles one request. It runs as the connection's reader, with the baton. It may wait, and then
	// the connection reads no further; work that can take long is better answered later through
	// in.Reply(). What in borrows is valid until Serve returns.
	Serve(in *Incoming)
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(in *Incoming)

// Serve calls the function.
func (f HandlerFunc) Serve(in *Incoming) { f(in) }
