package transport_test

import (
	"sync"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/transport"
	"github.com/stretchr/testify/require"
)

// tcp is a server and some clients, each a node of its own, over the loopback interface.
type tcp struct {
	server  *transport.Server
	address string
	worlds  []*osenv.World // of the server first
	world   osenv.Options  // of each of them
	clients []*transport.Client
}

// newTCP starts a server and n clients. They end with the test.
func newTCP(t testing.TB, n int, options transport.ServerOptions, clients transport.ClientOptions) *tcp {
	t.Helper()
	return newTCPIn(t, n, options, clients, osenv.Options{})
}

// newTCPIn makes the worlds with options of their own.
func newTCPIn(t testing.TB, n int, options transport.ServerOptions, clients transport.ClientOptions, worlds osenv.Options) *tcp {
	t.Helper()
	p := &tcp{world: worlds}
	p.node(t).Run(func(e env.Env) {
		p.server = transport.NewServer(e, options)
		listener, err := p.server.Listen("127.0.0.1:0")
		require.NoError(t, err)
		p.address = listener.Addr().String()
	})
	for range n {
		p.node(t).Run(func(e env.Env) { p.clients = append(p.clients, transport.NewClient(e, clients)) })
	}
	t.Cleanup(p.close)
	return p
}

func (p *tcp) node(t testing.TB) *osenv.World {
	t.Helper()
	w, err := osenv.New(p.world)
	require.NoError(t, err)
	p.worlds = append(p.worlds, w)
	return w
}

// on runs fn as a task of a client.
func (p *tcp) on(client int, fn func(e env.Env, c *transport.Client)) {
	p.worlds[client+1].Run(func(e env.Env) { fn(e, p.clients[client]) })
}

func (p *tcp) close() {
	for i := range p.clients {
		p.on(i, func(_ env.Env, c *transport.Client) { c.Close() })
	}
	p.worlds[0].Run(func(env.Env) { p.server.Close() })
	for _, w := range p.worlds {
		w.Wait()
	}
}

// benchmarkEcho makes b.N calls with bodies of 1 KiB: some connections, each with some callers.
func benchmarkEcho(b *testing.B, conns, callers int) {
	benchmarkEchoOver(b, newTCP(b, conns, transport.ServerOptions{Handler: transport.HandlerFunc(echo)}, transport.ClientOptions{}), conns, callers)
}

func benchmarkEchoOver(b *testing.B, p *tcp, conns, callers int) {
	body := string(make([]byte, 1<<10))
	for i := range conns {
		p.on(i, func(_ env.Env, c *transport.Client) {
			_, err := c.Call(nil, p.address, request(body), time.Minute)
			require.NoError(b, err)
		})
	}
	b.ReportAllocs()
	b.ResetTimer()
	var all sync.WaitGroup
	for n := range conns * callers {
		calls := b.N/(conns*callers) + min(1, max(0, b.N%(conns*callers)-n))
		all.Go(func() {
			p.on(n%conns, func(_ env.Env, c *transport.Client) {
				question := request(body)
				for range calls {
					if _, err := c.Call(nil, p.address, question, time.Minute); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
	all.Wait()
}

func BenchmarkEcho1Connection1Call(b *testing.B)    { benchmarkEcho(b, 1, 1) }
func BenchmarkEcho8Connections32Calls(b *testing.B) { benchmarkEcho(b, 8, 32) }
func BenchmarkEcho64Connections1Call(b *testing.B)  { benchmarkEcho(b, 64, 1) }

func BenchmarkEchoOverTLS8Connections32Calls(b *testing.B) {
	p := newTLS(b, 8, transport.ServerOptions{Handler: transport.HandlerFunc(echo)}, transport.ClientOptions{})
	benchmarkEchoOver(b, p, 8, 32)
}
