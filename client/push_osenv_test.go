package client_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// newGroupLoopback is a loopback whose broker serves groups and has some messages.
func newGroupLoopback(t testing.TB, messages int) *loopback {
	t.Helper()
	r := newLoopback(t)
	r.world.Run(func(env.Env) {
		r.a.groups = newGroups(r.a)
		r.names.routes[proto.RetryTopic("consumers")] = route(1, r.a)
		for id := range int32(4) {
			r.a.put(orders(id), messages/4)
		}
	})
	return r
}

func (r *loopback) push(t testing.TB, options ...client.PushOption) *client.PushConsumer {
	t.Helper()
	w, err := osenv.New(osenv.Options{Node: "app", Root: t.TempDir()})
	require.NoError(t, err)
	p, err := client.NewPushConsumer(w.Env, append([]client.PushOption{
		client.WithGroup("consumers"), client.WithNameServers(r.names.address),
		client.WithSubscription("orders", client.Tags("*")), client.WithConsumeFrom(client.FromFirst),
	}, options...)...)
	require.NoError(t, err)
	require.NoError(t, p.Start(background))
	return p
}

// tally counts messages from many goroutines.
type tally struct {
	mutex sync.Mutex
	seen  map[string]int
	all   chan bool // closed when there are as many different ones as wanted
	want  int
}

func newTally(want int) *tally {
	return &tally{seen: map[string]int{}, all: make(chan bool), want: want}
}

func (c *tally) add(m *client.Received) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.seen[string(m.Body)]++
	if len(c.seen) == c.want && c.seen[string(m.Body)] == 1 {
		close(c.all)
	}
}

func (c *tally) wait(t testing.TB) {
	t.Helper()
	select {
	case <-c.all:
	case <-time.After(20 * time.Second):
		t.Fatalf("only %d of %d messages came", len(c.seen), c.want)
	}
}

func TestHandlersRunOnGoroutinesOfTheirOwnAndNothingRunsAfterClose(t *testing.T) {
	for name, option := range map[string]func(client.Handler) []client.PushOption{
		"concurrently": func(h client.Handler) []client.PushOption { return []client.PushOption{client.WithHandler(h)} },
		"in order":     func(h client.Handler) []client.PushOption { return []client.PushOption{client.WithOrderlyHandler(h)} },
		"broadcasting": func(h client.Handler) []client.PushOption {
			return []client.PushOption{client.WithHandler(h), client.WithModel(client.Broadcasting)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() { goleak.VerifyNone(t) })
			r := newGroupLoopback(t, 400)
			got := newTally(400)
			var p *client.PushConsumer
			ready := make(chan bool)
			p = r.push(t, option(func(ctx context.Context, messages []*client.Received) error {
				<-ready
				// A handler may use its consumer.
				if _, err := p.Assigned(ctx); err != nil {
					return err
				}
				for _, m := range messages {
					got.add(m)
				}
				return nil
			})...)
			close(ready)
			got.wait(t)
			require.NoError(t, p.Close(background))
			for body, times := range got.seen {
				require.Equal(t, 1, times, body)
			}
		})
	}
}

func TestLoopsInManyGoroutinesShareTheMessages(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	r := newGroupLoopback(t, 400)
	got := newTally(400)
	p := r.push(t)
	ctx, cancel := context.WithCancel(background)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for m, err := range p.Messages(ctx) {
				if err != nil {
					return
				}
				got.add(m.Received)
			}
		})
	}
	got.wait(t)
	cancel()
	group.Wait()
	require.NoError(t, p.Close(background))
}

func TestAConsumerThatIsClosedAtOnceLeavesNothing(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	r := newGroupLoopback(t, 40)
	for i := range 10 {
		p := r.push(t, client.WithHandler(func(context.Context, []*client.Received) error { return nil }))
		time.Sleep(time.Duration(i) * time.Millisecond)
		require.NoError(t, p.Close(background))
		require.NoError(t, p.Close(background))
		require.ErrorIs(t, p.Start(background), client.ErrClosed)
	}
}

func BenchmarkPushConsumer(b *testing.B) {
	for _, batch := range []int{1, 32} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			const messages = 4000
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				r := newGroupLoopback(b, messages)
				got := newTally(messages)
				b.StartTimer()
				p := r.push(b, client.WithBatchSize(batch), client.WithHandler(func(_ context.Context, all []*client.Received) error {
					for _, m := range all {
						got.add(m)
					}
					return nil
				}))
				got.wait(b)
				require.NoError(b, p.Close(background))
			}
			b.ReportMetric(float64(messages*b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}
