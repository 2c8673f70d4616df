package transport

import (
	"fmt"
	"net/netip"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/wire"
)

// Conn is one connection. Both ends are alike: either may send requests, and
// answers the other's. All methods need the baton of the node that owns it.
type Conn struct {
	env     env.Env
	tasks   *env.Group // of the owner, which waits for it when it closes
	raw     env.Conn
	id      uint64
	address string // as dialled, or the peer's address
	limits  Limits
	handler Handler
	hooks   hooks

	// Reading; owned by the reader task.
	in       []byte // read buffer; in[:inEnd] has arrived and is not handled
	inEnd    int
	commands []wire.Command // decoded from in[:decoded]
	count    int            // commands of this burst; <= len(commands)
	decoded  int            // <= inEnd
	broken   error          // why decoding cannot go on
	decode   func(n int)
	incoming Incoming // reused for each request

	// Writing.
	out         output
	writing     bool     // a task writes, or is about to
	readsAlways bool     // the reader leaves writing to others, so that it never waits for the peer to read
	bursting    bool     // the reader handles a burst and will write afterwards; it does not wait
	burst       uint64   // number of the burst under way, or 0
	bursts      uint64   // number of the last one
	progress    env.Cond // set once the reader had to wait for another task to write
	spare       output   // empty: memory for the output while another is written
	encoder     wire.Encoder
	header      wire.Header
	signer      Signer       // of own requests; nil: they are not signed
	draft       []byte       // memory for a request that is being signed
	drafted     wire.Command // the same, as the peer will read it

	// Calls of this side.
	pending    map[int32]pendingCall
	lastOpaque int32
	together   int      // about how many calls were under way at once lately
	expiry     env.Cond // set while a task watches the deadlines

	unanswered  int         // requests of the peer without an answer yet
	waitedSince env.Instant // since when there are some
	lastActive  env.Instant
	goingAway   bool // accepted connection: answer new requests with GO_AWAY
	retired     bool // dialled connection: no new calls, and close after the last one
	closed      bool
	cause       error // why it ended
}

// hooks are what the owner of a connection wants to know.
type hooks struct {
	afterBurst func()
	onClose    func(*Conn)
	refused    func()
	answered   func(Answered)
}

func newConn(e env.Env, tasks *env.Group, raw env.Conn, id uint64, address string, limits Limits, handler Handler, h hooks) *Conn {
	c := &Conn{
		env: e, tasks: tasks, raw: raw, id: id, address: address,
		limits: limits, handler: handler, hooks: h,
		pending:    map[int32]pendingCall{},
		lastActive: e.Clock.Now(),
	}
	c.decode = c.decodeArrived
	return c
}

// ID is unique among the connections of one Server or Client, ascending.
func (c *Conn) ID() uint64 { return c.id }

// Remote is the peer's address, Local this side's.
func (c *Conn) Remote() netip.AddrPort { return c.raw.Remote() }

// Local is this side's address.
func (c *Conn) Local() netip.AddrPort { return c.raw.Local() }

// Address is the address that was dialled, or the peer's.
func (c *Conn) Address() string { return c.address }

// Certificate is the name that the peer's certificate gives it, "" without a certificate that was verified.
func (c *Conn) Certificate() string {
	if certified, ok := c.raw.(env.Certified); ok {
		return certified.Certificate()
	}
	return ""
}

// Closed reports whether the connection has ended.
func (c *Conn) Closed() bool { return c.closed }

// Unanswered is the number of requests of the peer that wait for an answer.
func (c *Conn) Unanswered() int { return c.unanswered }

// String names the connection and its ends.
func (c *Conn) String() string {
	return fmt.Sprintf("connection %d %s -> %s", c.id, c.raw.Local(), c.raw.Remote())
}

// Close ends the connection. Calls under way fail with ErrClosed.
func (c *Conn) Close() { c.end(env.ErrConnClosed) }

// retire lets calls under way end and the output be written, and then ends the connection.
func (c *Conn) retire() {
	c.retired = true
	c.closeIfRetired()
}

func (c *Conn) closeIfRetired() {
	if c.retired && len(c.pending) == 0 && c.out.empty() && !c.writing {
		c.Close()
	}
}

// end is the one place where a connection dies.
func (c *Conn) end(cause error) {
	if c.closed {
		return
	}
	c.closed, c.cause = true, cause
	// Nothing to do about a failure: the connection is given up.
	_ = c.raw.Close()
	c.out.drop()
	c.failPending(cause)
	if c.expiry != nil {
		c.expiry.Broadcast()
	}
	if c.progress != nil {
		c.progress.Broadcast()
	}
	if c.hooks.onClose != nil {
		c.hooks.onClose(c)
	}
}
