package transport_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// address is where the server of a world listens.
const address = "10.0.0.1:10911"

// world is a server machine and a client machine in a quiet simulated network.
type world struct {
	t      *testing.T
	kernel *sim.Kernel

	far, near           *sim.Machine // of the server, of the client
	farEnv, nearEnv     env.Env
	farWatch, nearWatch *watched
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{t: t, kernel: sim.New(seed, sim.Options{})}
	t.Cleanup(w.kernel.Close)
	w.far = w.kernel.AddMachine("server", netip.MustParseAddr("10.0.0.1"))
	w.near = w.kernel.AddMachine("client", netip.MustParseAddr("10.0.0.2"))
	w.bootFar()
	w.nearEnv, w.nearWatch = watch(w.near.Boot("client"))
	return w
}

func (w *world) bootFar() { w.farEnv, w.farWatch = watch(w.far.Boot("server")) }

// serve starts a server on the far machine.
func (w *world) serve(options transport.ServerOptions) *transport.Server {
	w.t.Helper()
	server := transport.NewServer(w.farEnv, options)
	_, err := server.Listen(address)
	require.NoError(w.t, err)
	return server
}

// serveFunc is serve for a function and no other option.
func (w *world) serveFunc(handle transport.HandlerFunc) *transport.Server {
	w.t.Helper()
	return w.serve(transport.ServerOptions{Handler: handle})
}

// client makes a client on the near machine.
func (w *world) client(options transport.ClientOptions) *transport.Client {
	return transport.NewClient(w.nearEnv, options)
}

// on runs fn as a task of a node to its end. fn must not end the test: it is a coroutine.
func (w *world) on(e env.Env, fn func()) {
	w.t.Helper()
	done := false
	e.Tasks.Go("test", func() { fn(); done = true })
	w.kernel.Run(w.kernel.Now().Add(10*time.Minute), func() bool { return done })
	if f := w.kernel.Failure(); f != nil {
		w.t.Fatalf("%v\n%s", f, f.Stack)
	}
	require.True(w.t, done, "still alive: server %v, client %v", w.far.TaskNames(), w.near.TaskNames())
}

// run is on for the client's machine.
func (w *world) run(fn func()) { w.t.Helper(); w.on(w.nearEnv, fn) }

// together runs fn in n tasks of the client's machine and waits for all of them.
func (w *world) together(n int, fn func(i int)) {
	w.t.Helper()
	w.run(func() {
		group := env.NewGroup(w.nearEnv.Tasks)
		for i := range n {
			group.Go(fmt.Sprint("caller ", i), func() { fn(i) })
		}
		group.Wait()
	})
}

// pass lets the world go on for d.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	w.kernel.Run(w.kernel.Now().Add(d), nil)
	if f := w.kernel.Failure(); f != nil {
		w.t.Fatalf("%v\n%s", f, f.Stack)
	}
}

// in is the instant that far from now.
func (w *world) in(d time.Duration) env.Instant { return w.kernel.Now().Add(d) }

// dial connects a client to the server.
func (w *world) dial(client *transport.Client) *transport.Conn {
	w.t.Helper()
	var conn *transport.Conn
	var err error
	w.run(func() { conn, err = client.Conn(nil, address, w.in(5*time.Second)) })
	require.NoError(w.t, err)
	return conn
}

// raw connects by hand.
func (w *world) raw() *rawPeer {
	w.t.Helper()
	var conn env.Conn
	var err error
	w.run(func() { conn, err = w.nearEnv.Network.Dial(address, w.in(5*time.Second)) })
	require.NoError(w.t, err)
	return &rawPeer{Conn: conn, in: make([]byte, 0, 64<<10)}
}

// accept starts a server by hand: a task serves each connection.
func (w *world) accept(serve func(peer *rawPeer)) {
	w.t.Helper()
	listener, err := w.farEnv.Network.Listen(address)
	require.NoError(w.t, err)
	w.farEnv.Tasks.Go("accept", func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			w.farEnv.Tasks.Go("serve by hand", func() { serve(&rawPeer{Conn: conn}) })
		}
	})
}

// rawPeer speaks frames over a plain connection.
type rawPeer struct {
	env.Conn
	in []byte // arrived and not yet returned by next
}

// next waits for a frame.
func (p *rawPeer) next() (*wire.Command, error) {
	limits := wire.Limits{}
	room := make([]byte, 64<<10)
	for {
		size, err := limits.FrameSize(p.in)
		if err != nil {
			return nil, err
		}
		if size > 0 && size <= len(p.in) {
			command := &wire.Command{}
			err := limits.Decode(p.in[:size:size], command)
			p.in = p.in[size:]
			return command.Clone(), err
		}
		n, err := p.Read(room, nil)
		if err != nil {
			return nil, err
		}
		p.in = append(p.in, room[:n]...)
	}
}

// frame is a request by hand.
func frame(opaque int32, body string) []byte {
	return frameOf(wire.Header{Code: proto.ReqSendMessage, Opaque: opaque, Version: wire.OwnVersion}, body)
}

// answerTo is a response by hand.
func answerTo(request *wire.Command, body string) []byte {
	return frameOf(wire.Header{Opaque: request.Opaque, Flags: wire.FlagResponse, Version: wire.OwnVersion}, body)
}

func frameOf(h wire.Header, body string) []byte {
	e := wire.Begin(nil, &h)
	return e.End([]byte(body))
}

// request is a call with a body.
func request(body string) *transport.Request {
	return &transport.Request{Code: proto.ReqSendMessage, Body: []byte(body)}
}

// echo answers with the body that came.
func echo(in *transport.Incoming) { in.Reply().Success(in.Command.Body) }

// silent never answers.
func silent(*transport.Incoming) {}

// completion is a function as a transport.Completion.
type completion func(response *wire.Command, err error)

func (c completion) Complete(response *wire.Command, err error) { c(response, err) }

// watched counts what passes through the connections of a node.
type watched struct {
	env.Network
	dials  int
	writes []int // bytes of each Write
	rooms  []int // bytes that each Read had room for
}

func watch(e env.Env) (env.Env, *watched) {
	w := &watched{Network: e.Network}
	e.Network = w
	return e, w
}

func (w *watched) Dial(address string, deadline env.Instant) (env.Conn, error) {
	w.dials++
	conn, err := w.Network.Dial(address, deadline)
	if err != nil {
		return nil, err
	}
	return &watchedConn{conn, w}, nil
}

func (w *watched) Listen(address string) (env.Listener, error) {
	l, err := w.Network.Listen(address)
	if err != nil {
		return nil, err
	}
	return &watchedListener{l, w}, nil
}

type watchedListener struct {
	env.Listener
	watched *watched
}

func (l *watchedListener) Accept() (env.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &watchedConn{conn, l.watched}, nil
}

type watchedConn struct {
	env.Conn
	watched *watched
}

func (c *watchedConn) Write(slices ...[]byte) error {
	size := 0
	for _, p := range slices {
		size += len(p)
	}
	c.watched.writes = append(c.watched.writes, size)
	return c.Conn.Write(slices...)
}

func (c *watchedConn) Read(p []byte, then func(n int)) (int, error) {
	c.watched.rooms = append(c.watched.rooms, len(p))
	return c.Conn.Read(p, then)
}

// text is the body of an answer, or the error.
func text(response *wire.Command, err error) string {
	if err != nil {
		return err.Error()
	}
	return string(response.Body)
}

// errorsAre reports for each error whether it is the wanted one.
func errorsAre(found []error, want error) []bool {
	are := make([]bool, len(found))
	for i, err := range found {
		are[i] = errors.Is(err, want)
	}
	return are
}
