package speed_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

// consumers are push consumers that count.
type consumers struct {
	all  []*client.PushConsumer
	came atomic.Int64
}

// consume starts consumers of a topic, each with a connection: in one group, or each in one of its own.
func (n *node) consume(b *testing.B, topic, group string, count int, shared bool) *consumers {
	b.Helper()
	c := &consumers{}
	for i := range count {
		name := group
		if !shared {
			name = fmt.Sprintf("%s-%d", group, i)
		}
		p, err := client.NewPushConsumer(newWorld(b).Env, client.WithNameServers(n.names), client.WithGroup(name),
			client.WithInstanceName(fmt.Sprintf("%s-%d", group, i)), client.WithSubscription(topic, client.Tags("*")), client.WithConsumeFrom(client.FromFirst),
			client.WithBatchSize(32), client.WithHandler(func(_ context.Context, messages []*client.Received) error {
				c.came.Add(int64(len(messages)))
				return nil
			}))
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, p.Close(context.Background())) })
		require.NoError(b, p.Start(context.Background()))
		c.all = append(c.all, p)
	}
	return c
}

// reach waits until so many messages have come.
func (c *consumers) reach(b *testing.B, messages int64) {
	b.Helper()
	for until := time.Now().Add(2 * time.Minute); c.came.Load() < messages; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			b.Fatalf("%d of %d messages came within 2 minutes", c.came.Load(), messages)
		}
	}
}

// held waits until all queues of a topic are shared out.
func (c *consumers) held(b *testing.B, queues int) {
	b.Helper()
	for until := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		sum := 0
		for _, p := range c.all {
			mine, err := p.Assigned(context.Background())
			require.NoError(b, err)
			for _, q := range mine {
				if q.Topic[0] != '%' {
					sum++
				}
			}
		}
		if sum == queues {
			return
		}
		require.True(b, time.Now().Before(until), "%d of %d queues are shared out", sum, queues)
	}
}

func (c *consumers) suspend(b *testing.B, yes bool) {
	b.Helper()
	for _, p := range c.all {
		if yes {
			require.NoError(b, p.Suspend(context.Background()))
		} else {
			require.NoError(b, p.Resume(context.Background()))
		}
	}
}

// A turn consumes what was sent while the consumers were suspended.
func BenchmarkPushConsumeComparedWithAnEcho(b *testing.B) {
	n := start(b)
	n.makeTopic(b, "orders", 64)
	n.makeTopic(b, "sample", 1)
	producers := n.producers(b, 8)
	sendAll(b, producers, 32, "sample", 32)
	asked, answered := call(b, dial(b, n.broker), pullRequest("sample", 0, 0))
	for _, connections := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("connections=%d", connections), func(b *testing.B) {
			const turn = 64_000
			c := n.consume(b, "orders", fmt.Sprintf("group-%d-%d", connections, time.Now().UnixNano()), connections, true)
			c.held(b, 64)
			yardstick := newEcho(b, connections, max(1, 64/connections), asked, answered)
			c.drain(b)
			var r race
			for b.Loop() {
				c.suspend(b, true)
				sendAll(b, producers, 32, "orders", turn)
				before, began := c.came.Load(), time.Now()
				c.suspend(b, false)
				c.reach(b, before+turn)
				r.ours += time.Since(began)
				r.echo += yardstick.turn(b, turn/32)
				r.messages, r.echoes = r.messages+turn, r.echoes+turn/32
			}
			r.report(b, 32)
		})
	}
}

// drain waits until nothing comes any more.
func (c *consumers) drain(b *testing.B) {
	b.Helper()
	for before := int64(-1); before != c.came.Load(); time.Sleep(time.Second) {
		before = c.came.Load()
	}
}

// Each message goes to 100 groups while it is sent. A delivery counts as a message.
func BenchmarkFanOutTo100Groups(b *testing.B) {
	const groups, turn = 100, 2000
	n := start(b)
	n.makeTopic(b, "orders", 4)
	producers := n.producers(b, 1)
	sendAll(b, producers, 32, "orders", 32*4)
	asked, answered := call(b, dial(b, n.broker), pullRequest("orders", 0, 0))
	c := n.consume(b, "orders", "group", groups, false)
	c.held(b, 4*groups)
	c.drain(b)
	yardstick := newEcho(b, groups, 4, asked, answered)
	var r race
	for b.Loop() {
		before, began := c.came.Load(), time.Now()
		sendAll(b, producers, 32, "orders", turn)
		c.reach(b, before+groups*turn)
		r.ours += time.Since(began)
		r.echo += yardstick.turn(b, groups*turn/32)
		r.messages, r.echoes = r.messages+groups*turn, r.echoes+groups*turn/32
	}
	r.report(b, 32)
}
