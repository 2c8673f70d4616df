package speed_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/stretchr/testify/require"
)

// newWorld is the machine as a client sees it. Each client has connections of its own.
func newWorld(b *testing.B) *osenv.World {
	b.Helper()
	w, err := osenv.New(osenv.Options{Node: "client"})
	require.NoError(b, err)
	return w
}

// producers is a number of producers, each with a connection.
func (n *node) producers(b *testing.B, count int) []*client.Producer {
	b.Helper()
	var all []*client.Producer
	for range count {
		p, err := client.NewProducer(newWorld(b).Env, client.WithNameServers(n.names), client.WithGroup("senders"), client.WithSendTimeout(time.Minute))
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, p.Close(context.Background())) })
		all = append(all, p)
	}
	return all
}

// sendAll sends messages with several goroutines for each producer.
func sendAll(b *testing.B, all []*client.Producer, goroutines int, topic string, messages int) time.Duration {
	b.Helper()
	body := make([]byte, 1<<10)
	began := time.Now()
	var group sync.WaitGroup
	for i := range len(all) * goroutines {
		group.Go(func() {
			m := client.NewMessage(topic, body)
			for range share(messages, len(all)*goroutines, i) {
				if _, err := all[i%len(all)].Send(context.Background(), m); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	return time.Since(began)
}

func BenchmarkSendComparedWithAnEcho(b *testing.B) {
	n := start(b)
	n.makeTopic(b, "orders", 8)
	asked, answered := call(b, dial(b, n.broker), sendRequest("orders", 0))
	for _, connections := range []int{1, 8, 64} {
		for _, inFlight := range []int{1, 32} {
			b.Run(fmt.Sprintf("connections=%d/inFlight=%d", connections, inFlight), func(b *testing.B) {
				const turn = 20_000
				producers, yardstick := n.producers(b, connections), newEcho(b, connections, inFlight, asked, answered)
				sendAll(b, producers, inFlight, "orders", turn/10)
				var r race
				for b.Loop() {
					r.ours += sendAll(b, producers, inFlight, "orders", turn)
					r.echo += yardstick.turn(b, turn)
					r.messages, r.echoes = r.messages+turn, r.echoes+turn
				}
				r.report(b, 1)
			})
		}
	}
}
