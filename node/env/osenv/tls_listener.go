package osenv

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// sealedListener is a port whose connections are greeted first: goroutines of its own find out whether they are encrypted and do the
// handshakes, and Accept gets the ready ones. A slow or silent client holds up nobody.
type sealedListener struct {
	listener
	tls      *serverTLS
	arrivals chan arrival
	closing  chan struct{} // closed by Close

	mutex    sync.Mutex
	greeting map[*net.TCPConn]struct{} // nil once closed
}

// arrival is what Accept returns.
type arrival struct {
	conn env.Conn
	err  error
}

// greetingsMax bounds the connections whose handshakes are under way: further ones are closed.
const greetingsMax = 4096

// handshakeByte is the first one of a TLS connection: the type of a record that belongs to a handshake. A frame cannot begin with
// it: it would be longer than allowed.
const handshakeByte = 0x16

func newSealedListener(w *World, tcp *net.TCPListener, secrets *serverTLS) *sealedListener {
	l := &sealedListener{
		listener: listener{world: w, tcp: tcp}, tls: secrets,
		arrivals: make(chan arrival), closing: make(chan struct{}), greeting: map[*net.TCPConn]struct{}{},
	}
	w.started.Go(l.acceptAll)
	w.started.Go(l.watchFiles)
	return l
}

func (l *sealedListener) Accept() (env.Conn, error) {
	a := arrival{}
	l.world.outside(func() {
		select {
		case <-l.closing:
		case a = <-l.arrivals:
		}
	})
	select {
	case <-l.closing:
		if a.conn != nil {
			_ = a.conn.Close()
		}
		return nil, fmt.Errorf("accept on %s: %w", l.Addr(), env.ErrConnClosed)
	default:
		return a.conn, a.err
	}
}

// Close ends the handshakes under way, too.
func (l *sealedListener) Close() error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.greeting == nil {
		return nil
	}
	close(l.closing)
	for tcp := range l.greeting {
		// Its goroutine sees the failure.
		_ = tcp.Close()
	}
	l.greeting = nil
	return l.listener.Close()
}

// acceptAll is a goroutine of its own: it has a goroutine greet each connection.
func (l *sealedListener) acceptAll() {
	for {
		tcp, err := l.tcp.AcceptTCP()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			l.deliver(arrival{err: err})
		case !l.begin(tcp):
			_ = tcp.Close()
			l.tls.log.warn("a connection was closed because too many handshakes are under way", zap.Int("most", greetingsMax))
		default:
			l.world.started.Go(func() { l.greet(tcp) })
		}
	}
}

func (l *sealedListener) begin(tcp *net.TCPConn) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.greeting == nil || len(l.greeting) >= greetingsMax {
		return false
	}
	l.greeting[tcp] = struct{}{}
	return true
}

func (l *sealedListener) end(tcp *net.TCPConn) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	delete(l.greeting, tcp)
}

// greet makes a connection ready and hands it over.
func (l *sealedListener) greet(tcp *net.TCPConn) {
	conn, err := l.prepare(tcp)
	l.end(tcp)
	if err == nil {
		l.deliver(arrival{conn: conn})
		return
	}
	_ = tcp.Close()
	select {
	case <-l.closing:
	default:
		l.tls.refused(tcp.RemoteAddr(), err)
	}
}

// deliver waits for Accept.
func (l *sealedListener) deliver(a arrival) {
	select {
	case l.arrivals <- a:
	case <-l.closing:
		if a.conn != nil {
			// Nobody has seen it. Its own Close would need the baton.
			_ = l.tcpOf(a.conn).Close()
		}
	}
}

func (l *sealedListener) tcpOf(c env.Conn) *net.TCPConn {
	if sealed, ok := c.(*sealedConn); ok {
		return sealed.tcp
	}
	return c.(*conn).tcp
}

// watchFiles sees changed certificates soon, also while nobody connects.
func (l *sealedListener) watchFiles() {
	ticks := time.NewTicker(l.tls.files.every)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			l.tls.files.current()
		case <-l.closing:
			return
		}
	}
}

var (
	errPlain  = errors.New("the first byte is not that of a TLS handshake")
	errSilent = errors.New("it ended without a byte")
)

// prepare finds out what a connection is, and does the handshake of one that is encrypted. It runs without the baton.
func (l *sealedListener) prepare(tcp *net.TCPConn) (env.Conn, error) {
	o := l.tls.options
	enforcing, wait := o.Mode == TLSEnforcing, o.Patience
	if enforcing {
		wait = o.HandshakeTimeout
	}
	if err := tcp.SetDeadline(time.Now().Add(wait)); err != nil {
		return nil, err
	}
	first, err := firstByte(tcp)
	switch {
	case err == nil && first == handshakeByte:
		return l.handshake(tcp)
	case enforcing && err == nil:
		return nil, errPlain
	case enforcing:
		return nil, err
	}
	// Whatever is wrong with a plain connection, who reads it is told.
	if err := tcp.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	return newConn(l.world, tcp), nil
}

func (l *sealedListener) handshake(tcp *net.TCPConn) (env.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), l.tls.options.HandshakeTimeout)
	defer cancel()
	if err := tcp.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	below := &hurriedTCP{TCPConn: tcp}
	stream := tls.Server(below, l.tls.files.current())
	if err := stream.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return newSealedConn(l.world, tcp, stream, below), nil
}

// firstByte waits for a byte and leaves it where it is.
func firstByte(tcp *net.TCPConn) (byte, error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, err
	}
	var first [1]byte
	var n int
	var failed error
	err = raw.Read(func(descriptor uintptr) bool {
		for failed = unix.EINTR; failed == unix.EINTR; {
			n, _, failed = unix.Recvfrom(int(descriptor), first[:], unix.MSG_PEEK)
		}
		return failed != unix.EAGAIN
	})
	switch {
	case err != nil:
		return 0, err
	case failed != nil:
		return 0, failed
	case n == 0:
		return 0, fmt.Errorf("%w: %w", errSilent, io.EOF)
	}
	return first[0], nil
}
