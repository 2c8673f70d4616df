package client_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// These tests use real goroutines and TCP.

func TestHooksOfManyGoroutinesRunAtOnce(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	r := newLoopback(t)
	var before, after atomic.Int64
	var together sync.WaitGroup
	together.Add(8)
	p := r.producer(t, client.WithSendHook(client.SendHook{
		Name: "count",
		Before: func(client.SendAttempt) {
			if before.Add(1) <= 8 {
				// Nobody gets past here unless eight are inside.
				together.Done()
				together.Wait()
			}
		},
		After: func(client.SendAttempt, client.SendResult, error) { after.Add(1) },
	}))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				if _, err := p.Send(background, hello()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	require.NoError(t, p.Close(background))
	require.EqualValues(t, 160, before.Load())
	require.EqualValues(t, 160, after.Load())
}

func TestTracesAndDetectorsEndWithTheirProducer(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	r := newLoopback(t)
	r.world.Run(func(env.Env) { r.names.routes[traceTopic] = route(1, r.a) })
	p := r.producer(t, client.WithTrace(client.TraceOptions{}), client.WithDetector(2*time.Second, 200*time.Millisecond))
	const sends = 105
	var group sync.WaitGroup
	for range sends {
		group.Go(func() {
			if _, err := p.Send(background, hello()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	require.NoError(t, p.Close(background))
	traced := 0
	r.world.Run(func(env.Env) {
		for _, s := range r.a.sends {
			if s.header.Topic == traceTopic {
				traced += strings.Count(string(s.body), "\x02")
			}
		}
	})
	require.Equal(t, sends, traced, "Close sends what is left")
}
