package osenv

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"

	"github.com/gantrymq/gantry/node/env"
)

// conn is a TCP stream. The concrete type of tcp matters: only with it does
// net.Buffers become one writev.
type conn struct {
	world         *World
	tcp           *net.TCPConn
	local, remote netip.AddrPort
	vector        net.Buffers // reused by Write
}

func newConn(w *World, tcp *net.TCPConn) *conn {
	// Replies are gathered by the transport, so waiting for more (Nagle) only delays. It
	// is Go's default; a failure would cost time, not bytes.
	_ = tcp.SetNoDelay(true)
	return &conn{world: w, tcp: tcp, local: plain(tcp.LocalAddr()), remote: plain(tcp.RemoteAddr())}
}

func (c *conn) Read(p []byte, then func(n int)) (int, error) {
	c.world.baton.Unlock()
	n, err := c.tcp.Read(p)
	if err == nil && then != nil {
		then(n)
	}
	c.world.baton.Lock()
	if err != nil {
		return 0, c.explain("read", err)
	}
	return n, nil
}

func (c *conn) Write(slices ...[]byte) error {
	var err error
	if len(slices) == 1 {
		c.world.baton.Unlock()
		_, err = c.tcp.Write(slices[0])
		c.world.baton.Lock()
	} else {
		c.vector = append(c.vector[:0], slices...)
		all := c.vector
		c.world.baton.Unlock()
		_, err = all.WriteTo(c.tcp)
		c.world.baton.Lock()
		clear(c.vector)
	}
	if err != nil {
		return c.explain("write", err)
	}
	return nil
}

// explain gives the network's errors the names of package env.
func (c *conn) explain(operation string, err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = env.ErrDeadline
	case errors.Is(err, net.ErrClosed):
		err = env.ErrConnClosed
	default:
		err = fmt.Errorf("%w: %w", env.ErrReset, err)
	}
	return fmt.Errorf("%s %s -> %s: %w", operation, c.local, c.remote, err)
}

// A deadline can only fail to be set on a closed connection, whose calls fail anyway.

func (c *conn) SetReadDeadline(deadline env.Instant)  { _ = c.tcp.SetReadDeadline(at(deadline)) }
func (c *conn) SetWriteDeadline(deadline env.Instant) { _ = c.tcp.SetWriteDeadline(at(deadline)) }

func (c *conn) Local() netip.AddrPort  { return c.local }
func (c *conn) Remote() netip.AddrPort { return c.remote }

func (c *conn) Close() error {
	err := c.tcp.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
