package speed_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

// poppers are pop consumers of one group, each with a connection.
func (n *node) poppers(b *testing.B, topic, group string, count int) (all []*client.PopConsumer) {
	b.Helper()
	for range count {
		c, err := client.NewPopConsumer(newWorld(b).Env, client.WithNameServers(n.names), client.WithGroup(group), client.WithSubscription(topic, client.Tags("*")),
			client.WithConsumeFrom(client.FromFirst), client.WithInvisibleTime(5*time.Minute), client.WithHold(time.Second))
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, c.Close(context.Background())) })
		all = append(all, c)
	}
	return all
}

// popAll pops and acknowledges so many messages: one by one, each waiting for its answer, or with one request for all of a pop.
func popAll(b *testing.B, all []*client.PopConsumer, messages int64, together bool) time.Duration {
	b.Helper()
	began := time.Now()
	var came atomic.Int64
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var group sync.WaitGroup
	for _, c := range all {
		group.Go(func() {
			for came.Load() < messages {
				popped, err := c.Pop(ctx, 32)
				if err != nil {
					return // all have come
				}
				acknowledge(b, c, popped, together)
				if came.Add(int64(len(popped))) >= messages {
					cancel()
				}
			}
		})
	}
	group.Wait()
	return time.Since(began)
}

func acknowledge(b *testing.B, c *client.PopConsumer, popped []*client.PoppedMessage, together bool) {
	b.Helper()
	if together {
		if err := c.AckAll(context.Background(), popped); err != nil {
			b.Error(err)
		}
		return
	}
	var group sync.WaitGroup
	for _, m := range popped {
		group.Go(func() {
			if err := c.Ack(context.Background(), m); err != nil {
				b.Error(err)
			}
		})
	}
	group.Wait()
}

// A turn consumes the same messages three times: by pops whose messages are acknowledged one by one, by pops with one acknowledgement for all of a pop, and
// by push consumers that pull and commit. Each has 8 connections.
func BenchmarkPopComparedWithPull(b *testing.B) {
	const connections, turn = 8, 32_000
	n := start(b)
	n.makeTopic(b, "orders", 16)
	producers := n.producers(b, 8)
	pulling := n.consume(b, "orders", "pulling", connections, true)
	pulling.held(b, 16)
	single, together := n.poppers(b, "orders", "single", connections), n.poppers(b, "orders", "together", connections)
	var one, many, pulled time.Duration
	turns := 0
	for b.Loop() {
		pulling.suspend(b, true)
		sendAll(b, producers, 32, "orders", turn)
		one += popAll(b, single, turn, false)
		many += popAll(b, together, turn, true)
		before, began := pulling.came.Load(), time.Now()
		pulling.suspend(b, false)
		pulling.reach(b, before+turn)
		pulled += time.Since(began)
		turns++
	}
	total := float64(turns * turn)
	b.ReportMetric(total/one.Seconds(), "popped/s")
	b.ReportMetric(total/many.Seconds(), "popped-together/s")
	b.ReportMetric(total/pulled.Seconds(), "pulled/s")
	b.ReportMetric(pulled.Seconds()/one.Seconds(), "pop-of-pull")
	b.ReportMetric(pulled.Seconds()/many.Seconds(), "together-of-pull")
	b.ReportMetric(0, "ns/op")
}
