package sim

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/node/env"
)

// LinkOptions describe how bytes travel between any two machines.
type LinkOptions struct {
	LatencyMin, LatencyMax time.Duration
	BytesPerSecond         int64   // 0 means unlimited
	Loss                   float64 // share of pieces that are sent again, seen as delay
	RetransmitAfter        time.Duration
	Window                 int     // bytes under way or unread before the writer waits
	Pieces                 float64 // share of writes that arrive in several pieces
	BreakAfterMin          time.Duration
	BreakAfterMax          time.Duration // a stream that makes no progress this long is reset
}

// DefaultLinks is a calm local network.
func DefaultLinks() LinkOptions {
	return LinkOptions{
		LatencyMin: 50 * time.Microsecond, LatencyMax: 300 * time.Microsecond,
		RetransmitAfter: 200 * time.Millisecond,
		Window:          256 << 10,
		BreakAfterMin:   8 * time.Second, BreakAfterMax: 30 * time.Second,
	}
}

// Network is the modelled network: links between machines, listeners, and connections.
// Faults are set by the scenario; they change nothing that has already arrived.
type Network struct {
	kernel    *Kernel
	random    *Stream
	links     LinkOptions
	listeners map[netip.AddrPort]*listener
	conns     []*conn // open ends, in order of creation
	ports     uint16
	blocked   map[[2]int]bool        // one-way partitions, by machine numbers
	clogged   map[[2]int]env.Instant // no delivery before this instant
	slow      map[int]env.Instant    // machines whose listeners do not answer before this instant
}

func newNetwork(k *Kernel) *Network {
	return &Network{
		kernel:    k,
		random:    k.Stream("network"),
		links:     DefaultLinks(),
		listeners: map[netip.AddrPort]*listener{},
		blocked:   map[[2]int]bool{},
		clogged:   map[[2]int]env.Instant{},
		slow:      map[int]env.Instant{},
		ports:     20000,
	}
}

// SetLinks changes how bytes travel from now on.
func (n *Network) SetLinks(options LinkOptions) { n.links = options }

// Links is how bytes travel now.
func (n *Network) Links() LinkOptions { return n.links }

// Block stops delivery from one machine to another, one way, until Unblock.
func (n *Network) Block(from, to *Machine) {
	n.blocked[[2]int{from.number, to.number}] = true
	n.fault("block %s -> %s", from, to)
}

// Unblock undoes Block.
func (n *Network) Unblock(from, to *Machine) {
	delete(n.blocked, [2]int{from.number, to.number})
	n.fault("unblock %s -> %s", from, to)
}

// Clog delays delivery from one machine to another by d.
func (n *Network) Clog(from, to *Machine, d time.Duration) {
	n.clogged[[2]int{from.number, to.number}] = n.kernel.now.Add(d)
	n.fault("clog %s -> %s", from, to)
}

// SlowAccept makes a machine answer new connections only after d.
func (n *Network) SlowAccept(m *Machine, d time.Duration) {
	n.slow[m.number] = n.kernel.now.Add(d)
	n.fault("slow accept %s%s", m, nil)
}

// Heal removes all blocks and clogs.
func (n *Network) Heal() {
	clear(n.blocked)
	clear(n.clogged)
	clear(n.slow)
	n.kernel.trace.line(n.kernel.now, traceFault, "network heals")
}

func (n *Network) fault(format string, from, to *Machine) {
	peer, number := "", 0
	if to != nil {
		peer, number = to.name, to.number
	}
	n.kernel.trace.add(n.kernel.now, traceFault, uint64(from.number), uint64(number))
	n.kernel.trace.line(n.kernel.now, traceFault, format, from.name, peer)
}

// ResetOne breaks one connection of a machine, both ends, with bytes lost on the way. It
// reports whether there was one.
func (n *Network) ResetOne(m *Machine, random *Stream) bool {
	var open []*conn
	for _, c := range n.conns {
		if c.machine == m && c.alive() {
			open = append(open, c)
		}
	}
	if len(open) == 0 {
		return false
	}
	c := open[random.IntN(len(open))]
	n.fault("reset %s %s", m, nil)
	c.breakNow()
	c.peer.breakNow()
	return true
}

// cut reports whether nothing passes from one machine to another now, and when to try again.
func (n *Network) cut(from, to *Machine) (bool, env.Instant) {
	key := [2]int{from.number, to.number}
	if n.blocked[key] {
		return true, n.kernel.now.Add(n.links.RetransmitAfter)
	}
	if until := n.clogged[key]; until > n.kernel.now {
		return true, n.tryAgain(until)
	}
	return false, 0
}

// tryAgain is when a sender tries again that cannot succeed before an instant: it does not know that, and the
// network may heal earlier.
func (n *Network) tryAgain(until env.Instant) env.Instant {
	return min(until, n.kernel.now.Add(n.links.RetransmitAfter))
}

func (n *Network) latency() time.Duration {
	return time.Duration(n.random.Between(int64(n.links.LatencyMin), int64(n.links.LatencyMax)))
}

// machineDown forgets the machine's sockets. Peers are told at once, or not at all.
func (n *Network) machineDown(m *Machine, style CrashStyle) {
	// order does not matter: entries are only deleted
	for at, l := range n.listeners {
		if l.machine == m {
			delete(n.listeners, at)
		}
	}
	gone := n.conns[:0:0]
	for _, c := range n.conns {
		if c.machine == m {
			gone = append(gone, c)
		}
	}
	for _, c := range gone {
		c.vanish(style == KillProcess)
	}
}

func (n *Network) forget(c *conn) {
	for i, other := range n.conns {
		if other == c {
			n.conns = append(n.conns[:i], n.conns[i+1:]...)
			return
		}
	}
}

func (n *Network) machineAt(address netip.Addr) *Machine {
	for _, m := range n.kernel.machines {
		if m.address == address {
			return m
		}
	}
	return nil
}

// resolve turns host:port into an address; hosts are machine names or IP addresses.
func (n *Network) resolve(from *Machine, address string) (netip.AddrPort, error) {
	host, port, err := splitHostPort(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if host == "" || host == "localhost" || host == "127.0.0.1" || host == "0.0.0.0" {
		return netip.AddrPortFrom(from.address, port), nil
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return netip.AddrPortFrom(ip, port), nil
	}
	for _, m := range n.kernel.machines {
		if m.name == host {
			return netip.AddrPortFrom(m.address, port), nil
		}
	}
	return netip.AddrPort{}, fmt.Errorf("dial %s: %w", address, env.ErrUnknownHost)
}

func splitHostPort(address string) (string, uint16, error) {
	for i := len(address) - 1; i >= 0; i-- {
		if address[i] != ':' {
			continue
		}
		port, err := strconv.ParseUint(address[i+1:], 10, 16)
		if err != nil {
			return "", 0, fmt.Errorf("address %q: the port must be a number up to 65535", address)
		}
		return address[:i], uint16(port), nil
	}
	return "", 0, fmt.Errorf("address %q: want host:port", address)
}

// nodeNetwork is the network as one incarnation of a machine sees it.
type nodeNetwork struct{ *world }

func (w nodeNetwork) Listen(address string) (env.Listener, error) {
	w.check()
	n := w.kernel.network
	at, err := n.resolve(w.machine, address)
	if err != nil {
		return nil, err
	}
	if at.Addr() != w.machine.address {
		return nil, fmt.Errorf("listen %s: %w: not an address of machine %s", address, env.ErrUnknownHost, w.machine.name)
	}
	if at.Port() == 0 {
		at = netip.AddrPortFrom(at.Addr(), n.freePort(at.Addr()))
	}
	if n.listeners[at] != nil {
		return nil, fmt.Errorf("listen %s: %w", address, env.ErrAddressInUse)
	}
	l := &listener{world: w.world, at: at}
	l.arrived.world = w.world
	n.listeners[at] = l
	return l, nil
}

func (n *Network) freePort(ip netip.Addr) uint16 {
	for {
		n.ports++
		if n.ports < 20000 {
			n.ports = 20000
		}
		if n.listeners[netip.AddrPortFrom(ip, n.ports)] == nil {
			return n.ports
		}
	}
}

// Dial sends a knock and waits for the answer. A knock that cannot pass is repeated, as TCP does.
func (w nodeNetwork) Dial(address string, deadline env.Instant) (env.Conn, error) {
	w.running()
	n := w.kernel.network
	to, err := n.resolve(w.machine, address)
	if err != nil {
		return nil, err
	}
	d := &dial{network: n, from: w.world, to: to}
	d.answered.world = w.world
	d.knock()
	// Without a deadline a system gives up after some minutes.
	limit := deadline.Sooner(n.kernel.now.Add(127 * time.Second))
	for d.conn == nil && d.err == nil && d.answered.WaitUntil(limit) {
	}
	d.over = true
	if d.conn != nil {
		return d.conn, nil
	}
	if d.err == nil {
		d.err = env.ErrDeadline
	}
	return nil, fmt.Errorf("dial %s: %w", address, d.err)
}

// dial is a connection being made.
type dial struct {
	network  *Network
	from     *world
	to       netip.AddrPort
	answered cond
	conn     *conn
	err      error
	over     bool // nobody waits any more
}

func (d *dial) knock() {
	d.network.kernel.After(d.network.latency(), d.arrive)
}

// arrive is the knock at the target machine.
func (d *dial) arrive() {
	n := d.network
	if d.over || d.from.machine.incarnation != d.from.incarnation || !d.from.machine.up {
		return
	}
	target := n.machineAt(d.to.Addr())
	if target == nil || !target.up {
		n.kernel.After(n.links.RetransmitAfter*5, d.arrive)
		return
	}
	if d.delayed(target) {
		return
	}
	l := n.listeners[d.to]
	if l == nil {
		d.answer(nil, env.ErrRefused)
		return
	}
	client, server := n.connect(d.from, l)
	l.backlog = append(l.backlog, server)
	l.arrived.Signal()
	d.answer(client, nil)
}

// delayed reschedules a knock that cannot pass now, or whose answer cannot.
func (d *dial) delayed(target *Machine) bool {
	n := d.network
	until := n.tryAgain(n.slow[target.number])
	for _, way := range [][2]*Machine{{d.from.machine, target}, {target, d.from.machine}} {
		if cut, at := n.cut(way[0], way[1]); cut {
			until = max(until, at, n.kernel.now.Add(n.links.RetransmitAfter))
		}
	}
	if until <= n.kernel.now {
		return false
	}
	n.kernel.push(event{at: until.Add(n.latency()), act: d.arrive})
	return true
}

func (d *dial) answer(c *conn, err error) {
	n := d.network
	n.kernel.After(n.latency(), func() {
		if d.from.machine.incarnation != d.from.incarnation || !d.from.machine.up {
			// The crash has dealt with this end.
			return
		}
		if d.over {
			if c != nil {
				c.breakNow()
				c.peer.breakLater()
			}
			return
		}
		d.conn, d.err = c, err
		d.answered.Broadcast()
	})
}

// listener is an open port.
type listener struct {
	*world
	at      netip.AddrPort
	backlog []*conn
	arrived cond
	closed  bool
}

func (l *listener) Accept() (env.Conn, error) {
	l.running()
	for len(l.backlog) == 0 && !l.closed {
		l.arrived.Wait()
	}
	if l.closed {
		return nil, fmt.Errorf("accept on %s: %w", l.at, env.ErrConnClosed)
	}
	c := l.backlog[0]
	l.backlog = l.backlog[1:]
	return c, nil
}

func (l *listener) Addr() netip.AddrPort { return l.at }

func (l *listener) Close() error {
	l.check()
	if l.closed {
		return nil
	}
	l.closed = true
	delete(l.kernel.network.listeners, l.at)
	for _, c := range l.backlog {
		c.breakNow()
		c.peer.breakLater()
	}
	l.backlog = nil
	l.arrived.Broadcast()
	return nil
}
