package transport

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// ClientOptions describe a client. All fields are optional.
type ClientOptions struct {
	// Handler serves requests that peers send over the client's connections.
	Handler Handler
	Limits  Limits
	// DialTimeout bounds connecting; 0 means 3 s.
	DialTimeout time.Duration
	// OnClose tells of a connection that ended. It must not wait.
	OnClose func(*Conn)
	// Signer proves to servers who sends a request; nil leaves requests unsigned.
	Signer Signer
}

// Client keeps one connection to each address and sends requests over them.
type Client struct {
	env     env.Env
	options ClientOptions
	conns   map[string]*Conn
	open    []*Conn                         // all that have not ended, retired ones too, in order of their IDs
	dials   map[string]*env.Future[dialled] // under way: callers share one
	lastID  uint64
	tasks   *env.Group
	closed  bool
}

type dialled struct {
	conn *Conn
	err  error
}

// NewClient returns a client without connections.
func NewClient(e env.Env, options ClientOptions) *Client {
	if options.DialTimeout <= 0 {
		options.DialTimeout = 3 * time.Second
	}
	options.Limits = options.Limits.withDefaults()
	return &Client{
		env: e, options: options, conns: map[string]*Conn{},
		dials: map[string]*env.Future[dialled]{}, tasks: env.NewGroup(e.Tasks),
	}
}

// Conn returns the connection to an address and makes it if there is none.
func (c *Client) Conn(call *env.Call, address string, deadline env.Instant) (*Conn, error) {
	if conn := c.conns[address]; conn != nil && !conn.closed && !conn.retired {
		return conn, nil
	}
	if c.closed {
		return nil, fmt.Errorf("dial %s: %w: %w", address, ErrNotSent, errClosed)
	}
	pending := c.dials[address]
	if pending == nil {
		pending = env.NewFuture[dialled](c.env.Tasks)
		c.dials[address] = pending
		// Not one of the tasks that Close waits for: a machine that is gone answers nobody, and nobody can end a dial before its time.
		c.env.Tasks.Go("dial "+address, func() { c.dial(address, pending) })
	}
	result, ok := pending.Wait(call, deadline)
	switch {
	case !ok && call.Err() != nil:
		return nil, fmt.Errorf("dial %s: %w: %w", address, ErrNotSent, call.Err())
	case !ok:
		return nil, fmt.Errorf("dial %s: %w: %w", address, ErrNotSent, env.ErrDeadline)
	case result.err != nil:
		return nil, fmt.Errorf("%w: %w", ErrNotSent, result.err)
	}
	return result.conn, nil
}

func (c *Client) dial(address string, pending *env.Future[dialled]) {
	raw, err := c.env.Network.Dial(address, c.env.Clock.Now().Add(c.options.DialTimeout))
	delete(c.dials, address)
	if c.closed {
		if err == nil {
			_ = raw.Close()
		}
		return
	}
	if err != nil {
		pending.Set(dialled{err: err})
		return
	}
	c.lastID++
	conn := newConn(c.env, c.tasks, raw, c.lastID, address, c.options.Limits, c.options.Handler, hooks{onClose: c.ended})
	conn.readsAlways, conn.signer = true, c.options.Signer
	c.conns[address] = conn
	c.open = append(c.open, conn)
	c.tasks.Go("read "+address, conn.readLoop)
	pending.Set(dialled{conn: conn})
}

func (c *Client) ended(conn *Conn) {
	if c.conns[conn.address] == conn {
		delete(c.conns, conn.address)
	}
	if i := slices.Index(c.open, conn); i >= 0 {
		c.open = slices.Delete(c.open, i, i+1)
	}
	if c.options.OnClose != nil {
		c.options.OnClose(conn)
	}
}

// Call sends a request to an address and waits for a successful response, which the caller owns. A
// response with another code is a *ResponseError. A peer that is shutting down
// is asked once more over a new connection.
func (c *Client) Call(call *env.Call, address string, request *Request, timeout time.Duration) (*wire.Command, error) {
	deadline := c.env.Clock.Now().Add(timeout)
	for attempt := 0; ; attempt++ {
		conn, err := c.Conn(call, address, deadline)
		if err != nil {
			return nil, err
		}
		response, err := conn.Call(call, request, deadline)
		if err != nil {
			return nil, err
		}
		if response.Code == proto.RespGoAway && attempt == 0 {
			conn.retire()
			continue
		}
		return response, Check(request.Code, address, response)
	}
}

// Oneway sends a request that gets no answer. It waits only for the connection to be made.
func (c *Client) Oneway(call *env.Call, address string, request *Request, timeout time.Duration) error {
	conn, err := c.Conn(call, address, c.env.Clock.Now().Add(timeout))
	if err != nil {
		return err
	}
	return conn.Oneway(request)
}

// Addresses lists the peers with an open connection, sorted.
func (c *Client) Addresses() []string {
	addresses := make([]string, 0, len(c.conns))
	for address := range c.conns {
		addresses = append(addresses, address)
	}
	slices.Sort(addresses)
	return addresses
}

// errClosed is the outcome of what Close ends.
var errClosed = errors.New("this client is closed")

// Close ends all connections and returns when all the client's tasks have ended, but for dials: those are not waited for. They end at the latest after
// DialTimeout, and their connections are closed at once.
func (c *Client) Close() {
	c.closed = true
	for _, address := range slices.Sorted(maps.Keys(c.dials)) {
		c.dials[address].Set(dialled{err: errClosed})
	}
	for _, conn := range slices.Clone(c.open) {
		conn.Close()
	}
	c.tasks.Wait()
}
