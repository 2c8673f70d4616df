package env

import (
	"errors"
	"net/netip"
)

// Errors of Network, Listener and Conn; worlds wrap them with addresses.
// The end of a stream that the peer closed in order is io.EOF.
var (
	// ErrDeadline: the deadline passed first. Nothing is known of the peer.
	ErrDeadline = errors.New("deadline passed")
	// ErrConnClosed: this side closed the connection or listener.
	ErrConnClosed = errors.New("connection is closed")
	// ErrReset: the peer or the network broke the connection.
	ErrReset = errors.New("connection was reset")
	// ErrRefused: nobody listens at that address.
	ErrRefused = errors.New("connection refused")
	// ErrAddressInUse: another listener has the port.
	ErrAddressInUse = errors.New("address is in use")
	// ErrUnknownHost: the name has no address.
	ErrUnknownHost = errors.New("unknown host")
)

// Network makes and accepts byte streams.
type Network interface {
	// Listen opens a port on this machine. The address is host:port; an empty host
	// means all addresses, port 0 means any free one.
	Listen(address string) (Listener, error)
	// Dial connects to host:port before the deadline.
	Dial(address string, deadline Instant) (Conn, error)
}

// Listener accepts connections.
type Listener interface {
	// Accept waits for the next connection, or fails with ErrConnClosed after Close.
	// Other errors are passing: wait a little and call again.
	Accept() (Conn, error)
	// Addr is the address it listens on, with the real port.
	Addr() netip.AddrPort
	// Close stops listening and wakes Accept. Accepted connections live on.
	Close() error
}

// Conn is an ordered stream of bytes both ways. One task may read while another
// writes; two tasks must not do the same at once. After any error but
// ErrDeadline of a Read the connection is of no more use.
type Conn interface {
	// Read waits for at least one byte, puts what has arrived into p, at most len(p) bytes, and
	// returns their number. If then is not nil it is called with that number before
	// the baton is taken back: the place for decoding. then may touch only what the
	// calling task owns. It is not called on an error.
	Read(p []byte, then func(n int)) (int, error)
	// Write sends all the slices in order, as one system call where possible, and
	// waits while the peer does not take them. After an error an unknown part was sent.
	Write(slices ...[]byte) error
	// SetReadDeadline and SetWriteDeadline end calls under way and to come with
	// ErrDeadline. Never removes the deadline.
	SetReadDeadline(deadline Instant)
	SetWriteDeadline(deadline Instant)
	// Local and Remote are the two ends.
	Local() netip.AddrPort
	Remote() netip.AddrPort
	// Close ends the connection at once and wakes its reader and writer with ErrConnClosed.
	// Bytes already accepted by Write may still arrive; the peer then reads io.EOF.
	Close() error
}

// Certified is a Conn whose peer may have shown who it is.
type Certified interface {
	// Certificate is the name in a certificate that was verified, "" if the peer has shown none.
	Certificate() string
}
