package transport_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// newTLS is newTCP for encrypted connections. The server takes nothing else, and makes its own certificate.
func newTLS(t testing.TB, n int, options transport.ServerOptions, clients transport.ClientOptions) *tcp {
	t.Helper()
	return newTCPIn(t, n, options, clients, osenv.Options{
		ServerTLS: &osenv.ServerTLS{Mode: osenv.TLSEnforcing}, ClientTLS: &osenv.ClientTLS{AnyServer: true},
	})
}

func TestOverTLSAnswersFindTheirCalls(t *testing.T) {
	noLeak(t)
	requireAnswersFindTheirCalls(t, newTLS(t, 2, transport.ServerOptions{Handler: transport.HandlerFunc(echo)}, transport.ClientOptions{}))
}

func TestOverTLSTheLargestFramePasses(t *testing.T) {
	noLeak(t)
	p := newTLS(t, 1, transport.ServerOptions{Handler: transport.HandlerFunc(detachedEcho)}, transport.ClientOptions{})
	body := bytes.Repeat([]byte("0123456789abcdef"), (wire.MaxFrameSize-512)/16)
	var answer *wire.Command
	var err error
	p.on(0, func(_ env.Env, c *transport.Client) {
		answer, err = c.Call(nil, p.address, request(string(body)), time.Minute)
	})
	require.NoError(t, err)
	require.True(t, bytes.Equal(body, answer.Body))
}

// detachedEcho answers with a slice of its own, as answers to pulls do.
func detachedEcho(in *transport.Incoming) {
	in.Reply().SendDetached(0, "", nil, bytes.Clone(in.Command.Body), func() {})
}

func TestOverTLSManyMovesGoBothWaysAtOnce(t *testing.T) {
	noLeak(t)
	p := newTLS(t, 1, transport.ServerOptions{Handler: transport.HandlerFunc(detachedEcho)}, transport.ClientOptions{})
	const calls = 40
	var all sync.WaitGroup
	failures := make(chan error, calls)
	for i := range calls {
		all.Go(func() {
			p.on(0, func(_ env.Env, c *transport.Client) {
				body := bytes.Repeat([]byte{byte(i)}, i*40_000)
				answer, err := c.Call(nil, p.address, request(string(body)), time.Minute)
				if err == nil && !bytes.Equal(answer.Body, body) {
					err = errors.New("another body came back")
				}
				failures <- err
			})
		})
	}
	all.Wait()
	for range calls {
		require.NoError(t, <-failures)
	}
}

func TestOverTLSClosingTheServerEndsTheCalls(t *testing.T) {
	noLeak(t)
	p := newTLS(t, 1, transport.ServerOptions{Handler: transport.HandlerFunc(silent)}, transport.ClientOptions{})
	time.AfterFunc(50*time.Millisecond, func() { p.worlds[0].Run(func(env.Env) { p.server.Close() }) })
	var err error
	p.on(0, func(_ env.Env, c *transport.Client) { _, err = c.Call(nil, p.address, request(""), time.Minute) })
	require.ErrorIs(t, err, transport.ErrClosed)
}

func TestOverTLSAServerThatIsNotTrustedGetsNoRequest(t *testing.T) {
	noLeak(t)
	p := newTCPIn(t, 1, transport.ServerOptions{Handler: transport.HandlerFunc(echo)}, transport.ClientOptions{}, osenv.Options{
		ServerTLS: &osenv.ServerTLS{Mode: osenv.TLSEnforcing}, ClientTLS: &osenv.ClientTLS{},
	})
	var err error
	p.on(0, func(_ env.Env, c *transport.Client) { _, err = c.Call(nil, p.address, request(""), time.Minute) })
	require.ErrorIs(t, err, transport.ErrNotSent)
	require.ErrorIs(t, err, osenv.ErrTLS)
	require.False(t, transport.MaybeCarriedOut(err))
}
