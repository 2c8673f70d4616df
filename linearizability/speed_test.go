package linearizability

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// longRun makes a legal history of clients that each have one operation open, spread over
// queues, half of them reads near the end.
func longRun(operations, clients, queues int) (History, map[string]Log) {
	random := rand.New(rand.NewPCG(1, 2))
	logs := make([]Log, queues)
	names := make([]string, queues)
	for i := range names {
		names[i] = fmt.Sprintf("orders/broker-a/%d", i)
	}
	history := make(History, 0, operations)
	type effect struct {
		instant int64
		index   int
		queue   int
	}
	var effects []effect
	free := make([]int64, clients)
	for i := range operations {
		client := i % clients
		call := free[client] + random.Int64N(20)
		instant := call + random.Int64N(100)
		queue := random.IntN(queues)
		o := Operation{Client: client, Queue: names[queue], Kind: KindSend, Outcome: OutcomeDone, Call: call,
			Return: instant + random.Int64N(100), Hash: Hash(i + 1), End: OffsetNone}
		if random.IntN(2) == 0 {
			o.Kind, o.Hash = KindRead, 0
		}
		free[client] = o.Return + 1
		history = append(history, o)
		effects = append(effects, effect{instant, i, queue})
	}
	slices.SortStableFunc(effects, func(a, b effect) int { return compare(a.instant, b.instant) })
	for _, e := range effects {
		o, log := &history[e.index], &logs[e.queue]
		end := int64(len(log.Entries))
		if o.Kind == KindSend {
			o.Offset = end
			log.Entries = append(log.Entries, Entry{end, o.Hash})
			continue
		}
		o.Offset, o.End = max(0, end-int64(random.IntN(3))), end
		for _, entry := range log.Entries[o.Offset:] {
			o.Hashes = append(o.Hashes, entry.Hash)
		}
	}
	byName := map[string]Log{}
	for i, name := range names {
		byName[name] = logs[i]
	}
	return history, byName
}

func TestAMillionOperationsAreJudgedQuickly(t *testing.T) {
	if testing.Short() {
		return
	}
	history, logs := longRun(1_000_000, 32, 8)
	before := time.Now()
	require.Equal(t, "ok", Check(history, Options{Logs: logs, SkipSearch: true}).String())
	require.Less(t, time.Since(before), 5*time.Second, "it is linear: this takes a fraction of a second")
}

func TestALongRunOfFewClientsIsSearched(t *testing.T) {
	history, logs := longRun(10_000, 8, 1)
	require.Equal(t, "ok", Check(history, Options{Logs: logs}).String())
}

func benchmarkCheck(b *testing.B, operations, clients, queues int, options func(map[string]Log) Options) {
	history, logs := longRun(operations, clients, queues)
	b.ReportAllocs()
	for b.Loop() {
		if v := Check(history, options(logs)); v.Result != OK {
			b.Fatal(v)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(operations), "ns/operation")
}

func interval(logs map[string]Log) Options { return Options{Logs: logs, SkipSearch: true} }
func both(logs map[string]Log) Options     { return Options{Logs: logs} }

func BenchmarkInterval1MOperations32Clients1Queue(b *testing.B) {
	benchmarkCheck(b, 1_000_000, 32, 1, interval)
}

func BenchmarkInterval1MOperations32Clients16Queues(b *testing.B) {
	benchmarkCheck(b, 1_000_000, 32, 16, interval)
}
func BenchmarkSearch1000Operations8Clients(b *testing.B)    { benchmarkCheck(b, 1000, 8, 1, both) }
func BenchmarkSearch10000Operations8Clients(b *testing.B)   { benchmarkCheck(b, 10_000, 8, 1, both) }
func BenchmarkSearch2000Operations16Clients(b *testing.B)   { benchmarkCheck(b, 2000, 16, 1, both) }
func BenchmarkSearch16QueuesOf2000By16Clients(b *testing.B) { benchmarkCheck(b, 32_000, 16, 16, both) }
