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

type network struct{ *World }

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
	return &listener{world: n.World, tcp: l.(*net.TCPListener)}, nil
}

func (n network) Dial(address string, deadline env.Instant) (env.Conn, error) {
	var c net.Conn
	var err error
	n.outside(func() {
		dialer := net.Dialer{Deadline: at(deadline), KeepAlive: 30 * time.Second}
		c, err = dialer.DialContext(context.Background(), "tcp", address)
	})
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, explainDial(err))
	}
	return newConn(n.World, c.(*net.TCPConn)), nil
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
