package client_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// Whatever kind of consumer it is: a panic of the application's code is logged, consumption goes on, and Close leaves nothing running.
func TestPanicsOfEveryKindOfConsumerAreContainedAndReported(t *testing.T) {
	type calls struct{ count atomic.Int32 }
	panicsOnce := func(c *calls) client.Handler {
		return func(context.Context, []*client.Received) error {
			if c.count.Add(1) == 1 {
				panic("a bug of the application")
			}
			return nil
		}
	}
	for name, options := range map[string]func(c *calls) []client.PushOption{
		"concurrently": func(c *calls) []client.PushOption { return []client.PushOption{client.WithHandler(panicsOnce(c))} },
		"in order": func(c *calls) []client.PushOption {
			return []client.PushOption{client.WithOrderlyHandler(panicsOnce(c)), client.WithSuspendTime(10 * time.Millisecond)}
		},
		"with manual commits": func(c *calls) []client.PushOption {
			return []client.PushOption{client.WithOrderlyHandler(panicsOnce(c)), client.WithManualCommit(), client.WithSuspendTime(10 * time.Millisecond)}
		},
		"broadcasting": func(c *calls) []client.PushOption {
			return []client.PushOption{client.WithHandler(panicsOnce(c)), client.WithModel(client.Broadcasting)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() { goleak.VerifyNone(t) })
			r := newGroupLoopback(t, 8)
			core, logs := observer.New(zap.ErrorLevel)
			w, err := osenv.New(osenv.Options{Node: "app", Root: t.TempDir(), Log: zap.New(core)})
			require.NoError(t, err)
			var called calls
			p, err := client.NewPushConsumer(w.Env, append([]client.PushOption{
				client.WithGroup("consumers"), client.WithNameServers(r.names.address), client.WithSubscription("orders", client.Tags("*")),
				client.WithConsumeFrom(client.FromFirst),
			}, options(&called)...)...)
			require.NoError(t, err)
			require.NoError(t, p.Start(background))
			require.Eventually(t, func() bool { return called.count.Load() >= 8 }, 20*time.Second, time.Millisecond)
			require.NoError(t, p.Close(background))
			require.Equal(t, 1, logs.FilterMessageSnippet("the handler panicked").Len())
		})
	}
}

func TestAPanicOfAListenerOfALitePullConsumerIsContainedAndReported(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	r := newGroupLoopback(t, 8)
	core, logs := observer.New(zap.ErrorLevel)
	w, err := osenv.New(osenv.Options{Node: "app", Log: zap.New(core)})
	require.NoError(t, err)
	p, err := client.NewLitePullConsumer(w.Env, client.WithGroup("consumers"), client.WithNameServers(r.names.address),
		client.WithConsumeFrom(client.FromFirst), client.WithQueueListener(func(string, []client.Queue, []client.Queue) { panic("a bug") }))
	require.NoError(t, err)
	require.NoError(t, p.Subscribe(background, "orders", client.Tags("*")))
	for range 8 {
		_, err := p.Poll(background, 1)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return logs.FilterMessageSnippet("a listener panicked").Len() > 0 }, 20*time.Second, time.Millisecond)
	require.NoError(t, p.Close(background))
}
