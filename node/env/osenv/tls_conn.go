package osenv

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gantrymq/gantry/node/env"
)

// sealedConn is an encrypted stream over TCP.
type sealedConn struct {
	conn
	stream          *tls.Conn
	below           *hurriedTCP
	readBy, writeBy env.Instant
	closed          bool
}

func newSealedConn(w *World, tcp *net.TCPConn, stream *tls.Conn, below *hurriedTCP) *sealedConn {
	return &sealedConn{conn: *newConn(w, tcp), stream: stream, below: below}
}

func (c *sealedConn) Read(p []byte, then func(n int)) (int, error) {
	// What was decrypted and not yet read is given out without a look at deadlines.
	if c.closed || c.readBy.Reached(now()) {
		return 0, c.ended("read")
	}
	c.world.baton.Unlock()
	n, err := c.stream.Read(p)
	if n > 0 {
		// The end of the stream may come with the last bytes; the next call tells of it.
		err = nil
		if then != nil {
			then(n)
		}
	}
	c.world.baton.Lock()
	if err != nil {
		return 0, c.explain("read", err)
	}
	return n, nil
}

func (c *sealedConn) Write(slices ...[]byte) error {
	// A record that is cut off would leave a connection of no use, so none is begun that is late.
	if c.closed || c.writeBy.Reached(now()) {
		return c.ended("write")
	}
	c.world.baton.Unlock()
	err := c.send(slices)
	c.world.baton.Lock()
	if err != nil {
		return c.explain("write", err)
	}
	return nil
}

// Certificate is the name in the peer's certificate: that of its subject, else the first that it is for.
func (c *sealedConn) Certificate() string {
	// The handshake is over, so this does not wait.
	chains := c.stream.ConnectionState().VerifiedChains
	if len(chains) == 0 {
		return ""
	}
	shown := chains[0][0]
	switch {
	case shown.Subject.CommonName != "":
		return shown.Subject.CommonName
	case len(shown.DNSNames) > 0:
		return shown.DNSNames[0]
	case len(shown.URIs) > 0:
		return shown.URIs[0].String()
	}
	return shown.Subject.String()
}

// records are as large as the plain text of a TLS record can be.
var records = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// send gathers small slices: each call of the stream is a record and a system call.
func (c *sealedConn) send(slices [][]byte) error {
	record := records.Get().(*[16 << 10]byte)
	defer records.Put(record)
	used := 0
	for _, rest := range slices {
		for len(rest) > 0 {
			if whole := len(rest) / len(record) * len(record); used == 0 && whole > 0 {
				if _, err := c.stream.Write(rest[:whole]); err != nil {
					return err
				}
				rest = rest[whole:]
				continue
			}
			n := copy(record[used:], rest)
			used, rest = used+n, rest[n:]
			if used == len(record) {
				if _, err := c.stream.Write(record[:]); err != nil {
					return err
				}
				used = 0
			}
		}
	}
	if used == 0 {
		return nil
	}
	_, err := c.stream.Write(record[:used])
	return err
}

func (c *sealedConn) ended(operation string) error {
	cause := env.ErrDeadline
	if c.closed {
		cause = env.ErrConnClosed
	}
	return fmt.Errorf("%s %s -> %s: %w", operation, c.local, c.remote, cause)
}

// explain is that of plain connections, with advice where the peer has refused this side.
func (c *sealedConn) explain(operation string, err error) error {
	if c.closed {
		return c.ended(operation)
	}
	return c.conn.explain(operation, explainAlert(err))
}

func (c *sealedConn) SetReadDeadline(deadline env.Instant) {
	c.readBy = deadline
	c.conn.SetReadDeadline(deadline)
}

func (c *sealedConn) SetWriteDeadline(deadline env.Instant) {
	c.writeBy = deadline
	c.conn.SetWriteDeadline(deadline)
}

// Close tells the peer that the end is an orderly one, if that is possible at once.
func (c *sealedConn) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	c.below.hurry()
	err := c.stream.Close()
	if errors.Is(err, net.ErrClosed) || isTimeout(err) {
		return nil
	}
	return err
}

// farewell bounds the write of the alert that ends a stream, which must not hold up the node.
const farewell = time.Millisecond

// hurriedTCP is what the TLS stream writes to. Once hurried, no deadline is later than a moment: the library's own, for
// the last alert, would be seconds.
type hurriedTCP struct {
	*net.TCPConn
	hurried atomic.Bool
}

// hurry also ends a write under way, which would make the stream wait for its lock.
func (t *hurriedTCP) hurry() {
	t.hurried.Store(true)
	// It can only fail on a closed connection.
	_ = t.TCPConn.SetWriteDeadline(time.Now().Add(farewell))
}

// SetWriteDeadline is called by the TLS stream.
func (t *hurriedTCP) SetWriteDeadline(deadline time.Time) error {
	if t.hurried.Load() {
		deadline = time.Now().Add(farewell)
	}
	return t.TCPConn.SetWriteDeadline(deadline)
}
