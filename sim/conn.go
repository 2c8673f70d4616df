package sim

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/gantrymq/gantry/node/env"
)

// conn is one end of a simulated stream.
type conn struct {
	*world
	network       *Network
	local, remote netip.AddrPort
	peer          *conn
	in            *stream // bytes towards this end
	closed        bool    // by this side
	broken        bool    // a reset has arrived here
	gone          bool    // the machine crashed: bytes that arrive find nobody
	readable      cond
	writable      cond
	readDeadline  env.Instant
	writeDeadline env.Instant
}

// stream is one direction of a connection. Bytes are under way, then buffered at
// the receiver, then read.
type stream struct {
	from, to    *conn
	underWay    []piece
	buffered    []byte
	outstanding int // bytes under way and buffered; the writer waits at the window
	lastArrival env.Instant
	delivering  bool        // an arrival is scheduled
	giveUpAt    env.Instant // when the sender of a held-up head piece gives up; Never if it is not held
	ended       bool        // the end of the stream has arrived
}

// piece is a range of bytes that arrives at once, or the end of the stream.
type piece struct {
	bytes  []byte
	arrive env.Instant
	end    bool
}

// connect makes both ends of a new connection.
func (n *Network) connect(from *world, l *listener) (client, server *conn) {
	near := netip.AddrPortFrom(from.machine.address, n.freePort(from.machine.address))
	client = &conn{world: from, network: n, local: near, remote: l.at}
	server = &conn{world: l.world, network: n, local: l.at, remote: near}
	client.peer, server.peer = server, client
	for _, c := range []*conn{client, server} {
		c.readable.world, c.writable.world = c.world, c.world
		c.in = &stream{from: c.peer, to: c}
	}
	n.conns = append(n.conns, client, server)
	n.kernel.trace.add(n.kernel.now, traceConnect, uint64(near.Port()), uint64(l.at.Port()))
	n.kernel.trace.line(n.kernel.now, traceConnect, "%s -> %s", near, l.at)
	return client, server
}

func (c *conn) alive() bool { return !c.closed && !c.broken && !c.gone }

func (c *conn) String() string { return fmt.Sprintf("%s -> %s", c.local, c.remote) }

func (c *conn) fail(operation string, err error) error {
	return fmt.Errorf("%s %s: %w", operation, c, err)
}

func (c *conn) Read(p []byte, then func(n int)) (int, error) {
	t := c.running()
	// Data may wait already; others get their turn all the same.
	t.pause(0)
	for {
		if !c.closed && c.readDeadline.Reached(c.kernel.now) {
			return 0, c.fail("read", env.ErrDeadline)
		}
		if n, err, ready := c.tryRead(p); ready {
			if err == nil && then != nil {
				then(n)
			}
			return n, err
		}
		c.readable.WaitUntil(c.readDeadline)
	}
}

func (c *conn) tryRead(p []byte) (n int, err error, ready bool) {
	switch {
	case c.closed:
		return 0, c.fail("read", env.ErrConnClosed), true
	case c.broken:
		return 0, c.fail("read", env.ErrReset), true
	case len(c.in.buffered) > 0:
		n = copy(p, c.in.buffered)
		c.in.buffered = c.in.buffered[n:]
		c.in.outstanding -= n
		// An end that is not alive has no writer, and its machine may be down.
		if c.peer.alive() {
			c.peer.writable.Broadcast()
		}
		return n, nil, true
	case c.in.ended:
		return 0, io.EOF, true
	}
	return 0, nil, false
}

func (c *conn) Write(slices ...[]byte) error {
	t := c.running()
	t.pause(time.Duration(c.network.random.Between(0, 2_000)))
	for _, p := range slices {
		for len(p) > 0 {
			n, err := c.writeSome(p)
			if err != nil {
				return err
			}
			p = p[n:]
		}
	}
	return nil
}

// writeSome sends as much of p as the window takes, waiting for room for at least one byte.
func (c *conn) writeSome(p []byte) (int, error) {
	out := c.peer.in
	for {
		switch {
		case c.closed:
			return 0, c.fail("write", env.ErrConnClosed)
		case c.broken:
			return 0, c.fail("write", env.ErrReset)
		case c.writeDeadline.Reached(c.kernel.now):
			return 0, c.fail("write", env.ErrDeadline)
		}
		// A few bytes of room are not used alone, as TCP avoids it too.
		if room := c.network.links.Window - out.outstanding; room >= max(1, min(len(p), c.network.links.Window/4)) {
			n := min(room, len(p))
			out.send(p[:n])
			return n, nil
		}
		c.writable.WaitUntil(c.writeDeadline)
	}
}

func (c *conn) SetReadDeadline(deadline env.Instant) {
	c.check()
	c.readDeadline = deadline
	c.readable.Broadcast()
}

func (c *conn) SetWriteDeadline(deadline env.Instant) {
	c.check()
	c.writeDeadline = deadline
	c.writable.Broadcast()
}

func (c *conn) Local() netip.AddrPort  { return c.local }
func (c *conn) Remote() netip.AddrPort { return c.remote }

func (c *conn) Close() error {
	c.check()
	if c.closed {
		return nil
	}
	c.closed = true
	c.wake()
	switch {
	case c.broken:
	case len(c.in.buffered) > 0:
		// Bytes that nobody will read: TCP tells the sender with a reset.
		c.peer.breakLater()
	default:
		c.peer.in.sendEnd()
	}
	c.network.forget(c)
	return nil
}

func (c *conn) wake() {
	c.readable.Broadcast()
	c.writable.Broadcast()
}

// breakNow makes this end see a reset, if there is still somebody to see it.
func (c *conn) breakNow() {
	if c.closed || c.broken || c.gone {
		return
	}
	c.broken = true
	c.in.buffered, c.in.underWay = nil, nil
	c.network.forget(c)
	k := c.kernel
	k.trace.add(k.now, traceBreak, uint64(c.local.Port()), uint64(c.remote.Port()))
	k.trace.line(k.now, traceBreak, "%s", c)
	c.wake()
}

// breakLater lets a reset travel to this end. A partition holds it up, and a long one loses it: then this end is half-open.
func (c *conn) breakLater() {
	k, n := c.kernel, c.network
	lostAt := k.now.Add(n.links.BreakAfterMax)
	var arrive func()
	arrive = func() {
		cut, until := n.cut(c.peer.machine, c.machine)
		switch {
		case !cut:
			c.breakNow()
		case c.alive() && k.now < lostAt:
			k.push(event{at: until.Add(n.latency()), act: arrive})
		}
	}
	k.After(n.latency(), arrive)
}

// giveUpLater breaks the end of a sender whose bytes nobody confirms.
func (c *conn) giveUpLater() {
	n := c.network
	c.kernel.After(time.Duration(n.random.Between(int64(n.links.BreakAfterMin), int64(n.links.BreakAfterMax))), c.breakNow)
}

// vanish is the crash of this end's machine.
func (c *conn) vanish(tellPeer bool) {
	c.gone = true
	c.network.forget(c)
	if tellPeer {
		c.peer.breakLater()
	}
}

// send puts bytes under way, in one piece or several.
func (s *stream) send(p []byte) {
	n := s.to.network
	s.outstanding += len(p)
	for len(p) > 0 {
		size := len(p)
		if size > 1 && n.random.Chance(n.links.Pieces) {
			size = 1 + n.random.IntN(size-1)
		}
		s.enqueue(piece{bytes: append([]byte(nil), p[:size]...)}, n)
		p = p[size:]
	}
}

func (s *stream) sendEnd() { s.enqueue(piece{end: true}, s.to.network) }

func (s *stream) enqueue(p piece, n *Network) {
	now := n.kernel.now
	arrive := now.Add(n.latency())
	if n.random.Chance(n.links.Loss) {
		arrive = arrive.Add(n.links.RetransmitAfter)
	}
	if n.links.BytesPerSecond > 0 {
		arrive = max(arrive, s.lastArrival)
		arrive = arrive.Add(time.Duration(int64(len(p.bytes)) * int64(time.Second) / n.links.BytesPerSecond))
	}
	p.arrive = max(arrive, s.lastArrival)
	s.lastArrival = p.arrive
	s.underWay = append(s.underWay, p)
	s.schedule()
}

func (s *stream) schedule() {
	if s.delivering || len(s.underWay) == 0 {
		return
	}
	s.delivering = true
	s.to.kernel.push(event{at: s.underWay[0].arrive, act: s.deliver})
}

// deliver hands over the pieces that are due, or finds that they cannot pass.
func (s *stream) deliver() {
	s.delivering = false
	k, n := s.to.kernel, s.to.network
	if s.to.broken || s.to.closed || s.to.gone || len(s.underWay) == 0 {
		s.refuse()
		return
	}
	if cut, until := n.cut(s.from.machine, s.to.machine); cut {
		s.hold(until)
		return
	}
	s.giveUpAt = env.Never
	arrived := false
	for len(s.underWay) > 0 && s.underWay[0].arrive <= k.now {
		p := s.underWay[0]
		s.underWay = s.underWay[1:]
		s.buffered = append(s.buffered, p.bytes...)
		s.ended = s.ended || p.end
		k.trace.add(k.now, traceDeliver, uint64(s.to.local.Port())<<16|uint64(s.to.remote.Port()), hashBytes(p.bytes))
		arrived = true
	}
	if arrived {
		k.trace.line(k.now, traceDeliver, "%s: %d bytes wait", s.to, len(s.buffered))
		s.to.readable.Broadcast()
	}
	s.schedule()
}

// hold keeps the pieces until the link may be free again, or gives the connection up.
func (s *stream) hold(until env.Instant) {
	k, n := s.to.kernel, s.to.network
	if s.giveUpAt == env.Never {
		s.giveUpAt = k.now.Add(time.Duration(n.random.Between(int64(n.links.BreakAfterMin), int64(n.links.BreakAfterMax))))
	}
	if s.giveUpAt.Reached(k.now) {
		// The sender gives up. The other end learns nothing: it is half-open.
		s.from.breakNow()
		return
	}
	s.delivering = true
	k.push(event{at: until.Add(n.latency()), act: s.deliver})
}

// refuse answers bytes for an end that is not there any more.
func (s *stream) refuse() {
	s.buffered = nil
	if len(s.underWay) == 0 {
		return
	}
	s.underWay = nil
	if s.to.gone && !s.to.machine.up {
		// Nobody answers: the sender sees a reset only after it has given up.
		s.from.giveUpLater()
		return
	}
	if cut, _ := s.to.network.cut(s.to.machine, s.from.machine); cut {
		// The answer may never come.
		s.from.giveUpLater()
	}
	s.from.breakLater()
}
