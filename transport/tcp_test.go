package transport_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// These tests run over real TCP connections. goleak looks, after each of them, for goroutines that were left behind.

func noLeak(t *testing.T) {
	t.Helper()
	ignore := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, ignore) })
}

func TestOverTCPAnswersFindTheirCalls(t *testing.T) {
	noLeak(t)
	requireAnswersFindTheirCalls(t, newTCP(t, 2, transport.ServerOptions{Handler: transport.HandlerFunc(echo)}, transport.ClientOptions{}))
}

// requireAnswersFindTheirCalls makes calls of many goroutines over the connections of two clients.
func requireAnswersFindTheirCalls(t *testing.T, p *tcp) {
	t.Helper()
	const goroutines, calls = 32, 50
	var wrong atomic.Int64
	var all sync.WaitGroup
	for n := range goroutines {
		all.Go(func() {
			p.on(n%2, func(_ env.Env, c *transport.Client) {
				for i := range calls {
					body := fmt.Sprint("goroutine ", n, " call ", i)
					if text(c.Call(nil, p.address, request(body), time.Minute)) != body {
						wrong.Add(1)
					}
				}
			})
		})
	}
	all.Wait()
	require.Zero(t, wrong.Load())
	require.Len(t, p.server.Conns(), 2)
}

func TestOverTCPAContextEndsACall(t *testing.T) {
	noLeak(t)
	p := newTCP(t, 1, transport.ServerOptions{Handler: transport.HandlerFunc(silent)}, transport.ClientOptions{})
	ctx, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("the user pressed stop")
	time.AfterFunc(50*time.Millisecond, func() { cancel(reason) })
	call, err := p.worlds[1].Door.Enter(ctx)
	require.NoError(t, err)
	_, err = p.clients[0].Call(call, p.address, request(""), time.Minute)
	call.Leave()
	require.ErrorIs(t, err, transport.ErrCancelled)
	require.ErrorIs(t, err, reason)
}

func TestOverTCPACallEndsAtItsDeadlineThoughItCannotBeWritten(t *testing.T) {
	noLeak(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	p := newTCP(t, 1, transport.ServerOptions{}, transport.ClientOptions{})
	began := time.Now()
	p.on(0, func(_ env.Env, c *transport.Client) {
		// The system takes some of it, and the connection is in the queue of a listener that never accepts.
		_, err = c.Call(nil, listener.Addr().String(), request(string(make([]byte, 15<<20))), 200*time.Millisecond)
	})
	require.ErrorIs(t, err, transport.ErrTimeout)
	require.Less(t, time.Since(began), 5*time.Second)
}

func TestOverTCPTheLargestFramePasses(t *testing.T) {
	noLeak(t)
	p := newTCP(t, 1, transport.ServerOptions{Handler: transport.HandlerFunc(echo)}, transport.ClientOptions{})
	body := bytes.Repeat([]byte("0123456789abcdef"), (wire.MaxFrameSize-512)/16)
	var answer *wire.Command
	var err error
	p.on(0, func(_ env.Env, c *transport.Client) {
		answer, err = c.Call(nil, p.address, request(string(body)), time.Minute)
	})
	require.NoError(t, err)
	require.True(t, bytes.Equal(body, answer.Body))
}

func TestOverTCPTwoEndsThatWriteMuchDoNotWaitForEachOther(t *testing.T) {
	noLeak(t)
	const underWay, calls = 6, 24
	p := newTCP(t, 1, transport.ServerOptions{Handler: transport.HandlerFunc(echo)}, transport.ClientOptions{})
	ended := make(chan error, calls)
	p.on(0, func(e env.Env, c *transport.Client) {
		conn, err := c.Conn(nil, p.address, env.Never)
		if err != nil {
			ended <- err
			return
		}
		started := 0
		var start func()
		start = func() {
			started++
			// Larger than what the system buffers at both ends together.
			question := request(string(make([]byte, 12<<20)))
			err := conn.Start(question, env.Never, completion(func(_ *wire.Command, err error) {
				ended <- err
				if err == nil && started < calls {
					start()
				}
			}))
			if err != nil {
				ended <- err
			}
		}
		for range underWay - 1 {
			start()
		}
	})
	for range calls {
		select {
		case err := <-ended:
			require.NoError(t, err)
		case <-time.After(20 * time.Second):
			require.Fail(t, "nothing moves any more")
		}
	}
}

func TestOverTCPAPeerThatBreaksOffEndsItsConnectionOnly(t *testing.T) {
	noLeak(t)
	var ends atomic.Int64
	p := newTCP(t, 1, transport.ServerOptions{
		Handler: transport.HandlerFunc(echo), OnClose: func(*transport.Conn) { ends.Add(1) },
	}, transport.ClientOptions{})
	for i := range 10 {
		peer, err := net.Dial("tcp", p.address)
		require.NoError(t, err)
		whole := frame(1, "hello")
		_, err = peer.Write(whole[:i*len(whole)/10])
		require.NoError(t, err)
		if i%2 == 0 {
			require.NoError(t, peer.(*net.TCPConn).SetLinger(0))
		}
		require.NoError(t, peer.Close())
	}
	require.Eventually(t, func() bool { return ends.Load() == 10 }, 5*time.Second, time.Millisecond)
	var answer string
	p.on(0, func(_ env.Env, c *transport.Client) { answer = text(c.Call(nil, p.address, request("x"), time.Minute)) })
	require.Equal(t, "x", answer)
}

func TestOverTCPClosingTheServerEndsTheCalls(t *testing.T) {
	noLeak(t)
	p := newTCP(t, 1, transport.ServerOptions{Handler: transport.HandlerFunc(silent)}, transport.ClientOptions{})
	time.AfterFunc(50*time.Millisecond, func() { p.worlds[0].Run(func(env.Env) { p.server.Close() }) })
	var err error
	p.on(0, func(_ env.Env, c *transport.Client) { _, err = c.Call(nil, p.address, request(""), time.Minute) })
	require.ErrorIs(t, err, transport.ErrClosed)
}

func TestOverTCPAServerThatShutsDownAnswersWhatIsUnderWay(t *testing.T) {
	noLeak(t)
	kept := &keepReplies{}
	p := newTCP(t, 1, transport.ServerOptions{Handler: kept}, transport.ClientOptions{})
	server := p.worlds[0]
	var all sync.WaitGroup
	all.Go(func() {
		server.Run(func(e env.Env) {
			for len(kept.replies) == 0 {
				e.Tasks.Sleep(time.Millisecond)
			}
			p.server.Shutdown(time.Minute)
		})
	})
	all.Go(func() {
		server.Run(func(e env.Env) {
			for len(kept.replies) == 0 {
				e.Tasks.Sleep(time.Millisecond)
			}
			e.Tasks.Sleep(100 * time.Millisecond)
			kept.replies[0].Success([]byte("done"))
		})
	})
	var answer string
	p.on(0, func(_ env.Env, c *transport.Client) { answer = text(c.Call(nil, p.address, request(""), time.Minute)) })
	all.Wait()
	require.Equal(t, "done", answer)
}
