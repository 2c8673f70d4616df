package client_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// These tests use real goroutines and TCP.

// loopback is a name server and a broker on this machine.
type loopback struct {
	world *osenv.World
	names *nameServer
	a     *broker
}

func newLoopback(t testing.TB) *loopback {
	t.Helper()
	r := &loopback{world: newWorldOf(t, "servers")}
	r.names, r.a = newNameServer(r.world.Env), newBroker(r.world.Env, "a", 0)
	r.world.Run(func(env.Env) {
		r.names.address = listen(t, r.names.server)
		r.a.address = listen(t, r.a.server)
		r.a.host = netip.MustParseAddrPort(r.a.address)
		r.names.routes["orders"] = route(4, r.a)
	})
	t.Cleanup(func() {
		r.world.Run(func(env.Env) {
			r.names.server.Close()
			r.a.server.Close()
		})
		r.world.Wait()
	})
	return r
}

func listen(t testing.TB, s *transport.Server) string {
	t.Helper()
	l, err := s.Listen("127.0.0.1:0")
	require.NoError(t, err)
	return l.Addr().String()
}

func newWorldOf(t testing.TB, node string) *osenv.World {
	t.Helper()
	w, err := osenv.New(osenv.Options{Node: node})
	require.NoError(t, err)
	return w
}

// intercept sets an interceptor of the broker.
func (r *loopback) intercept(fn func(in *transport.Incoming) bool) {
	r.world.Run(func(env.Env) { r.a.intercept = fn })
}

func (r *loopback) producer(t testing.TB, options ...client.ProducerOption) *client.Producer {
	t.Helper()
	p, err := client.NewProducer(newWorldOf(t, "app").Env, append([]client.ProducerOption{
		client.WithGroup("producers"), client.WithNameServers(r.names.address),
	}, options...)...)
	require.NoError(t, err)
	return p
}

func TestManyGoroutinesSendAtOnce(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	r := newLoopback(t)
	p := r.producer(t)
	const goroutines, each = 32, 20
	var mutex sync.Mutex
	ids := map[string]bool{}
	var group sync.WaitGroup
	for range goroutines {
		group.Go(func() {
			for range each {
				result, err := p.Send(background, hello())
				if err != nil {
					t.Error(err)
					return
				}
				mutex.Lock()
				ids[result.UniqueID] = true
				mutex.Unlock()
			}
		})
	}
	group.Wait()
	require.NoError(t, p.Close(background))
	require.Len(t, ids, goroutines*each)
}

func TestACancelledContextEndsASend(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	r := newLoopback(t)
	arrived := make(chan bool, 1)
	r.intercept(func(in *transport.Incoming) bool {
		if in.Command.Code == proto.ReqSendMessageV2 {
			arrived <- true
			return true
		}
		return false
	})
	p := r.producer(t, client.WithSendTimeout(time.Minute))
	ctx, cancel := context.WithCancelCause(background)
	outcome := make(chan error)
	go func() {
		_, err := p.Send(ctx, hello())
		outcome <- err
	}()
	<-arrived
	reason := fmt.Errorf("the user went home")
	cancel(reason)
	err := <-outcome
	require.ErrorIs(t, err, reason)
	var failed *client.SendError
	require.ErrorAs(t, err, &failed)
	require.True(t, failed.MaybeStored)
	_, err = p.Send(ctx, hello())
	require.ErrorIs(t, err, context.Canceled, "a context that is done does not even enter")

	ctx, cancelLater := context.WithTimeout(background, 50*time.Millisecond)
	defer cancelLater()
	_, err = p.Send(ctx, hello())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	r.intercept(nil)
	_, err = p.Send(background, hello())
	require.NoError(t, err, "the producer goes on")
	require.NoError(t, p.Close(background))
}

func TestACancelledContextEndsAPull(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	r := newLoopback(t)
	arrived := make(chan bool, 1)
	r.intercept(func(in *transport.Incoming) bool {
		if in.Command.Code == proto.ReqPullMessage {
			arrived <- true
			return true
		}
		return false
	})
	c, err := client.NewPullConsumer(newWorldOf(t, "app").Env, client.WithGroup("g"), client.WithNameServers(r.names.address))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(background)
	go func() {
		<-arrived
		cancel()
	}()
	_, err = c.Pull(ctx, first, 0, 1)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, c.Close(background))
}

func TestCallbacksRunOnGoroutinesOfTheirOwn(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	r := newLoopback(t)
	p := r.producer(t, client.WithWindow(10, 1<<20))
	var group sync.WaitGroup
	for range 100 {
		group.Add(1)
		require.NoError(t, p.SendAsync(background, hello(), func(_ client.SendResult, err error) {
			defer group.Done()
			if err == nil {
				_, err = p.Send(background, hello())
			}
			if err != nil {
				t.Error(err)
			}
		}))
	}
	group.Wait()
	require.NoError(t, p.Close(background))
	r.world.Run(func(env.Env) { require.Len(t, r.a.sends, 200) })
}

func TestCloseReturnsAlthoughACallbackBlocks(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	r := newLoopback(t)
	p := r.producer(t)
	inside, release := make(chan bool), make(chan bool)
	require.NoError(t, p.SendAsync(background, hello(), func(client.SendResult, error) {
		close(inside)
		<-release
	}))
	<-inside
	ctx, cancel := context.WithTimeout(background, 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, p.Close(ctx), context.DeadlineExceeded)
	close(release)
}

// echo answers sends as cheaply as a test can, so that a benchmark shows the client's own cost.
type echo struct{ response proto.SendMessageResponse }

// Serve is part of transport.Handler.
func (e *echo) Serve(in *transport.Incoming) {
	if in.Command.Code != proto.ReqSendMessageV2 {
		in.Reply().Success(nil)
		return
	}
	e.response.QueueOffset++
	in.Reply().Send(proto.RespSuccess, &e.response, nil)
}

func newEcho(b *testing.B) *loopback {
	b.Helper()
	r := newLoopback(b)
	id := message.OffsetID{StoreHost: netip.MustParseAddrPort("127.0.0.1:10911")}.String()
	server := transport.NewServer(r.world.Env, transport.ServerOptions{Handler: &echo{proto.SendMessageResponse{
		OffsetID: id, TransactionID: "7F0000010BB80BFE8BB48F2D4CF00001",
	}}})
	r.world.Run(func(env.Env) {
		r.a.address = listen(b, server)
		r.names.routes["orders"] = route(4, r.a)
	})
	b.Cleanup(func() { r.world.Run(func(env.Env) { server.Close() }) })
	return r
}

func BenchmarkSend(b *testing.B) {
	for _, goroutines := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			p := newEcho(b).producer(b)
			defer func() { require.NoError(b, p.Close(background)) }()
			m := client.NewMessage("orders", make([]byte, 128), client.Tag("t"), client.Keys("order-17"))
			_, err := p.Send(background, m)
			require.NoError(b, err)
			b.ReportAllocs()
			b.ResetTimer()
			var group sync.WaitGroup
			for g := range goroutines {
				group.Go(func() {
					for i := g; i < b.N; i += goroutines {
						if _, err := p.Send(background, m); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
		})
	}
}
