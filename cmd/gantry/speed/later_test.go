package speed_test

import (
	"context"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/stretchr/testify/require"
)

// pendingTimers is how many messages wait for a time of their own; with GANTRY_BENCH=full as many as a broker is meant for.
func pendingTimers() int {
	if os.Getenv("GANTRY_BENCH") == "full" {
		return 1_000_000
	}
	return 50_000
}

// startAgainIn starts the broker of a node in a directory, or starts it there again.
func (n *node) startAgainIn(b *testing.B, directory string, more ...string) {
	b.Helper()
	n.process, n.broker = launch(b, processtest.BrokerStarted("a"),
		"broker", processtest.BrokerOptions("a", n.names, directory, "0", append([]string{"--flushDiskType", "ASYNC_FLUSH"}, more...)...)...)
}

// startIn is start with a directory that outlives the broker's process.
func startIn(b *testing.B, directory string, more ...string) *node {
	b.Helper()
	n := &node{}
	_, n.names = launch(b, processtest.NameServerStarted, "namesrv", processtest.NameServerOptions(b.TempDir())...)
	n.startAgainIn(b, directory, more...)
	return n
}

// sendEach sends messages that make makes, with many goroutines.
func sendEach(b *testing.B, all []*client.Producer, goroutines, messages int, make func(i int) *client.Message) time.Duration {
	b.Helper()
	began := time.Now()
	var group sync.WaitGroup
	for i := range len(all) * goroutines {
		group.Go(func() {
			for k := range share(messages, len(all)*goroutines, i) {
				if _, err := all[i%len(all)].Send(context.Background(), make(k)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	return time.Since(began)
}

// fillWithTimers sends messages that are due between an hour and a day from now, and waits until the broker has sorted them in.
func (n *node) fillWithTimers(b *testing.B, topic string, count int) {
	b.Helper()
	body := make([]byte, 100)
	sendEach(b, n.producers(b, 8), 64, count, func(i int) *client.Message {
		return client.NewMessage(topic, body, client.DelayFor(time.Hour+time.Duration(i%82_800)*time.Second))
	})
	n.awaitTimers(b, count)
}

// awaitTimers waits until the broker knows of so many messages when they are due.
func (n *node) awaitTimers(b *testing.B, count int) {
	b.Helper()
	n.admin(b, func(ctx context.Context, admin *client.Admin) {
		for {
			info, err := admin.RuntimeInfo(ctx, n.broker)
			require.NoError(b, err)
			if info["timerCongestNum"] == strconv.Itoa(count) && info["timerOffsetBehind"] == "0" {
				return
			}
			time.Sleep(2 * time.Millisecond)
		}
	})
}

// Sends to a broker in which a million messages wait for times of their own, and to one in which none does.
func BenchmarkSendsBesideTimers(b *testing.B) {
	const turn = 50_000
	count := pendingTimers()
	with, without := start(b), start(b)
	for _, n := range []*node{with, without} {
		n.makeTopic(b, "orders", 8)
	}
	with.fillWithTimers(b, "orders", count)
	here, there := with.producers(b, 8), without.producers(b, 8)
	sendAll(b, here, 32, "orders", turn/10)
	sendAll(b, there, 32, "orders", turn/10)
	var loaded, empty time.Duration
	turns := 0
	for b.Loop() {
		loaded += sendAll(b, here, 32, "orders", turn)
		empty += sendAll(b, there, 32, "orders", turn)
		turns++
	}
	b.ReportMetric(float64(turns*turn)/loaded.Seconds(), "messages/s")
	b.ReportMetric(float64(turns*turn)/empty.Seconds(), "without/s")
	b.ReportMetric(empty.Seconds()/loaded.Seconds(), "of-without")
	b.ReportMetric(float64(count), "timers")
	b.ReportMetric(0, "ns/op")
}

// Messages that wait for a time of their own, compared with those that wait for nothing: each is stored twice, but here none is due.
func BenchmarkTimersComparedWithSends(b *testing.B) {
	const turn = 20_000
	n := start(b)
	n.makeTopic(b, "orders", 8)
	producers, body := n.producers(b, 8), make([]byte, 1<<10)
	var timers, sends time.Duration
	turns := 0
	for b.Loop() {
		timers += sendEach(b, producers, 32, turn, func(i int) *client.Message {
			return client.NewMessage("orders", body, client.DelayFor(time.Hour+time.Duration(i)*time.Second))
		})
		sends += sendEach(b, producers, 32, turn, func(int) *client.Message { return client.NewMessage("orders", body) })
		turns++
	}
	b.ReportMetric(float64(turns*turn)/timers.Seconds(), "timers/s")
	b.ReportMetric(float64(turns*turn)/sends.Seconds(), "messages/s")
	b.ReportMetric(sends.Seconds()/timers.Seconds(), "of-sends")
	b.ReportMetric(0, "ns/op")
}

// Transactions that do nothing, each of which is a half message and a commit, compared with sends.
func BenchmarkTransactionsComparedWithSends(b *testing.B) {
	const turn = 20_000
	n := start(b)
	n.makeTopic(b, "orders", 8)
	producers, body := n.producers(b, 8), make([]byte, 1<<10)
	var transactions, sends time.Duration
	turns := 0
	for b.Loop() {
		transactions += transactAll(b, producers, 32, client.NewMessage("orders", body), turn)
		sends += sendAll(b, producers, 32, "orders", turn)
		turns++
	}
	b.ReportMetric(float64(turns*turn)/transactions.Seconds(), "transactions/s")
	b.ReportMetric(float64(turns*turn)/sends.Seconds(), "messages/s")
	b.ReportMetric(sends.Seconds()/transactions.Seconds(), "of-sends")
	b.ReportMetric(0, "ns/op")
}

func transactAll(b *testing.B, all []*client.Producer, goroutines int, m *client.Message, count int) time.Duration {
	b.Helper()
	began := time.Now()
	var group sync.WaitGroup
	for i := range len(all) * goroutines {
		group.Go(func() {
			for range share(count, len(all)*goroutines, i) {
				if _, err := all[i%len(all)].Transaction(context.Background(), m, func(*client.Tx) error { return nil }); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	return time.Since(began)
}

// The time from the start of the process until the broker serves, and until it knows of all messages that wait when they are due; after an orderly end
// and after a kill, with the log in the cache.
func BenchmarkStartWithTimers(b *testing.B) {
	for name, end := range map[string]func(b *testing.B, n *node){
		"closed": func(b *testing.B, n *node) {
			_, err := n.process.Stop(syscall.SIGTERM)
			require.NoError(b, err)
		},
		"killed": func(_ *testing.B, n *node) { n.process.Kill() },
	} {
		b.Run(name, func(b *testing.B) {
			count, directory := pendingTimers(), b.TempDir()
			n := startIn(b, directory)
			n.makeTopic(b, "orders", 8)
			n.fillWithTimers(b, "orders", count)
			var serves, knows time.Duration
			turns := 0
			for b.Loop() {
				end(b, n)
				began := time.Now()
				n.startAgainIn(b, directory)
				serves += time.Since(began)
				n.awaitTimers(b, count)
				knows += time.Since(began)
				turns++
			}
			b.ReportMetric(float64(serves.Milliseconds())/float64(turns), "ms-to-serve")
			b.ReportMetric(float64(knows.Milliseconds())/float64(turns), "ms-to-know-all")
			b.ReportMetric(float64(count), "timers")
			b.ReportMetric(0, "ns/op")
		})
	}
}
