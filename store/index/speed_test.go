package index_test

import (
	"math"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// full are the sizes of a broker's files. They are sparse.
var full = index.Sizes{Slots: 5_000_000, Items: 20_000_000}

// onRealFiles runs a benchmark as a task of a node with a directory of its own.
func onRealFiles(b *testing.B, task func(disk env.Disk)) {
	b.Helper()
	w, err := osenv.New(osenv.Options{Node: "bench", Root: b.TempDir()})
	require.NoError(b, err)
	w.Run(func(e env.Env) { task(e.Disk) })
	w.Wait()
}

// spread adds items of random hashes, 200 at once, and writes and saves now and then as a store does.
func spread(b *testing.B, x *index.Index, count int) {
	b.Helper()
	random := sim.NewStream(1)
	items := make([]index.Item, 200)
	for n := 0; n < count; n += len(items) {
		for i := range items {
			items[i] = index.Item{Hash: int32(random.Uint64() >> 33), Log: message.LogOffset((n + i) * recordSize), StoredAt: noon + int64(n/100)}
		}
		_, err := x.Add(items, message.LogOffset((n+len(items))*recordSize), noon)
		if err == nil && x.Unwritten() > 8<<20 {
			err = x.Write()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func openFull(b *testing.B, disk env.Disk, clean bool, mark index.Mark) *index.Index {
	b.Helper()
	x, err := index.Open(disk, index.Options{Sizes: full, Zone: time.UTC, Clean: clean, Mark: &mark})
	require.NoError(b, err)
	return x
}

// Each operation is one item, of a random hash; the last save is counted too.
func BenchmarkAdd(b *testing.B) {
	onRealFiles(b, func(disk env.Disk) {
		x := openFull(b, disk, true, index.Mark{Count: 1})
		b.ReportAllocs()
		b.ResetTimer()
		spread(b, x, b.N)
		require.NoError(b, x.Save())
		b.StopTimer()
		require.NoError(b, x.Close())
	})
}

// Each operation is one search in a file with two million items.
func BenchmarkSearch(b *testing.B) {
	onRealFiles(b, func(disk env.Disk) {
		x := openFull(b, disk, true, index.Mark{Count: 1})
		spread(b, x, 2_000_000)
		// Two saves, so that no slots are kept in memory.
		require.NoError(b, x.Save())
		require.NoError(b, x.Save())
		random := sim.NewStream(1)
		found := 0
		b.ReportAllocs()
		b.ResetTimer()
		for n := range b.N {
			if n%1_900_000 == 0 {
				random = sim.NewStream(1)
			}
			err := x.Search(int32(random.Uint64()>>33), 0, math.MaxInt64, func(message.LogOffset) (bool, error) { found++; return true, nil })
			if err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		require.GreaterOrEqual(b, found, b.N)
		require.NoError(b, x.Close())
	})
}

// Each operation opens an index of two million items after a crash.
func BenchmarkRepair(b *testing.B) {
	onRealFiles(b, func(disk env.Disk) {
		x := openFull(b, disk, true, index.Mark{Count: 1})
		spread(b, x, 2_000_000)
		require.NoError(b, x.Save())
		require.NoError(b, x.Close())
		b.ReportAllocs()
		b.ResetTimer()
		for range b.N {
			again := openFull(b, disk, false, x.Durable())
			require.NoError(b, again.Close())
		}
	})
}
