package osenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/gantrymq/gantry/node/env"
)

// network is the machine's. What it dials is encrypted if sealed is set.
type network struct {
	*World
	sealed *clientTLS
}

func (n network) Listen(address string) (env.Listener, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, fmt.Errorf("listen %q: want host:port: %w", address, err)
	}
	var l net.Listener
	var err error
	n.outside(func() { l, err = net.Listen("tcp", address) })
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen %s: %w", address, env.ErrAddressInUse)
	}
	if err != nil {
		return nil, err
	}
	if n.secrets != nil {
		return newSealedListener(n.World, l.(*net.TCPListener), n.secrets), nil
	}
	return &listener{world: n.World, tcp: l.(*net.TCPListener)}, nil
}

func (n network) Dial(address string, deadline env.Instant) (env.Conn, error) {
	var c env.Conn
	var err error
	n.outside(func() { c, err = n.dial(address, deadline) })
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	return c, nil
}

// dial runs without the baton.
func (n network) dial(address string, deadline env.Instant) (env.Conn, error) {
	ctx := context.Background()
	if deadline != env.Never {
		limited, cancel := context.WithDeadline(ctx, at(deadline))
		defer cancel()
		ctx = limited
	}
	dialer := net.Dialer{KeepAlive: 30 * time.Second}
	c, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, explainDial(err)
	}
	tcp := c.(*net.TCPConn)
	if n.sealed == nil {
		return newConn(n.World, tcp), nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errors.Join(err, tcp.Close())
	}
	stream, below, err := n.sealed.seal(ctx, tcp, host)
	if err != nil {
		return nil, err
	}
	return newSealedConn(n.World, tcp, stream, below), nil
}

func explainDial(err error) error {
	var timeout net.Error
	var lookup *net.DNSError
	switch {
	case errors.As(err, &lookup):
		return fmt.Errorf("%w: %w", env.ErrUnknownHost, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return env.ErrRefused
	case errors.As(err, &timeout) && timeout.Timeout():
		return env.ErrDeadline
	}
	return err
}

// listener is an open TCP port.
type listener struct {
	world *World
	tcp   *net.TCPListener
}

func (l *listener) Accept() (env.Conn, error) {
	var c *net.TCPConn
	var err error
	l.world.outside(func() { c, err = l.tcp.AcceptTCP() })
	if errors.Is(err, net.ErrClosed) {
		return nil, fmt.Errorf("accept on %s: %w", l.Addr(), env.ErrConnClosed)
	}
	if err != nil {
		return nil, err
	}
	return newConn(l.world, c), nil
}

func (l *listener) Addr() netip.AddrPort { return plain(l.tcp.Addr()) }

func (l *listener) Close() error {
	err := l.tcp.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// plain is a TCP address without the mapping of IPv4 into IPv6.
func plain(a net.Addr) netip.AddrPort {
	tcp := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(tcp.Addr().Unmap(), tcp.Port())
}
