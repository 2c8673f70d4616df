package client_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func (r *loopback) lite(t testing.TB, options ...client.LitePullOption) *client.LitePullConsumer {
	t.Helper()
	w, err := osenv.New(osenv.Options{Node: "app", Root: t.TempDir()})
	require.NoError(t, err)
	p, err := client.NewLitePullConsumer(w.Env, append([]client.LitePullOption{
		client.WithGroup("consumers"), client.WithNameServers(r.names.address), client.WithConsumeFrom(client.FromFirst),
	}, options...)...)
	require.NoError(t, err)
	return p
}

func TestManyGoroutinesPollAndNothingRunsAfterClose(t *testing.T) {
	for name, options := range map[string][]client.LitePullOption{
		"clustering":   nil,
		"broadcasting": {client.WithModel(client.Broadcasting)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() { goleak.VerifyNone(t) })
			r := newGroupLoopback(t, 400)
			got := newTally(400)
			p := r.lite(t, append(options, client.WithAutoCommit(0))...)
			require.NoError(t, p.Subscribe(background, "orders", client.Tags("*")))
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() {
					for {
						messages, err := p.Poll(background, 5)
						if err != nil {
							if !errors.Is(err, client.ErrClosed) {
								t.Error(err)
							}
							return
						}
						for _, m := range messages {
							got.add(m)
						}
					}
				})
			}
			got.wait(t)
			require.NoError(t, p.Commit(background))
			require.NoError(t, p.Close(background))
			group.Wait()
			for body, times := range got.seen {
				require.Equal(t, 1, times, body)
			}
		})
	}
}

func TestCancelEndsAPollAndAPanicInALoopHarmsNothing(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	r := newGroupLoopback(t, 4)
	p := r.lite(t)
	require.NoError(t, p.Assign(background, orders(0)))
	require.PanicsWithValue(t, "a bug of the application", func() {
		for range p.Messages(background) {
			panic("a bug of the application")
		}
	})
	ctx, cancel := context.WithCancel(background)
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := p.Poll(ctx, 1)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, p.Close(background))
	require.NoError(t, p.Close(background))
	require.ErrorIs(t, p.Assign(background, orders(0)), client.ErrClosed)
	require.ErrorIs(t, p.Commit(background), client.ErrClosed)
}

func TestASlowListenerHoldsUpCloseOnlyAsLongAsItsContext(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	r := newGroupLoopback(t, 4)
	begun, release := make(chan bool), make(chan bool)
	p := r.lite(t, client.WithQueueListener(func(string, []client.Queue, []client.Queue) {
		close(begun)
		<-release
	}))
	require.NoError(t, p.Subscribe(background, "orders", client.Tags("*")))
	select {
	case <-begun:
	case <-time.After(20 * time.Second):
		t.Fatal("the listener is not called")
	}
	ctx, cancel := context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, p.Close(ctx), context.DeadlineExceeded)
	close(release)
}

func TestALitePullConsumerThatIsClosedAtOnceLeavesNothing(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	r := newGroupLoopback(t, 40)
	for i := range 10 {
		p := r.lite(t)
		require.NoError(t, p.Subscribe(background, "orders", client.Tags("*")))
		time.Sleep(time.Duration(i) * time.Millisecond)
		require.NoError(t, p.Close(background))
	}
	require.NoError(t, r.lite(t).Close(background), "also if it never began")
}
