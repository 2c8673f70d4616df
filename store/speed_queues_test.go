package store_test

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// queuesPerTopic of a broker with many topics.
const queuesPerTopic = 8

// crowd is a directory with many queues, each of which has a file.
type crowd struct {
	b     *testing.B
	root  string
	count int
}

// newCrowd makes 2000 queues, or 50 000 of them, with a message each.
func newCrowd(b *testing.B) *crowd {
	b.Helper()
	c := &crowd{b: b, root: b.TempDir(), count: scaled(2000, 50_000)}
	onStore(b, c.root, c.options(), c.appendToEach)
	return c
}

func (c *crowd) key(i int) store.QueueKey {
	return store.QueueKey{Topic: fmt.Sprintf("topic-%d", i/queuesPerTopic), ID: int32(i % queuesPerTopic)}
}

// options leave the files of queues alone until the benchmark asks for a checkpoint.
func (c *crowd) options() store.Options {
	options := production(store.AsyncFlush)
	options.SaveQueuesEvery, options.CheckpointEvery = time.Hour, time.Hour
	return options
}

func (c *crowd) appendToEach(e env.Env, s *store.Store) {
	appendAll(c.b, e, s, c.count, func(i int) message.Record { return recordOf(c.key(i), make([]byte, 100)) })
}

// entrySize is how many bytes of a file the yardsticks use: one entry.
const entrySize = 20

// each is the yardstick: it opens the file of each queue, reads the first entry, and closes it again; with rewrite it also writes that
// entry as it is and syncs the file.
func (c *crowd) each(disk env.Disk, rewrite bool) {
	c.b.Helper()
	var p [entrySize]byte
	for i := range c.count {
		key := c.key(i)
		path := fmt.Sprintf("consumequeue/%s/%d/%020d", key.Topic, key.ID, 0)
		file, err := disk.Open(path)
		if err == nil {
			_, err = file.ReadAt(p[:], 0)
		}
		if err == nil && rewrite {
			err = file.WriteAt(p[:], 0)
		}
		if err == nil && rewrite {
			err = file.Sync(0, entrySize)
		}
		if err == nil {
			err = file.Close()
		}
		if err != nil {
			c.b.Fatal(err)
		}
	}
}

// footprint is what the process uses.
type footprint struct{ heap, resident, files int }

func measureFootprint(b *testing.B) footprint {
	b.Helper()
	// Twice: the first round runs finalizers, and what they let go is free only after the second one.
	debug.FreeOSMemory()
	debug.FreeOSMemory()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	open, err := os.ReadDir("/proc/self/fd")
	require.NoError(b, err)
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(b, err)
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	resident, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(b, err)
	return footprint{heap: int(stats.HeapAlloc), resident: resident << 10, files: len(open)}
}

// report tells what has come since.
func (m footprint) report(b *testing.B, since footprint, queues int) {
	b.Helper()
	b.ReportMetric(float64(m.heap-since.heap)/float64(queues), "heap-B/queue")
	b.ReportMetric(float64(m.resident-since.resident)/float64(queues), "resident-B/queue")
	b.ReportMetric(float64(m.files-since.files), "open-files")
}

// An operation opens a store, that was closed in an orderly way, of 2000 queues, in full 50 000. The yardstick opens the file of each
// queue and reads one entry. The memory and the files are those that the store takes when it is open.
func BenchmarkStartWithManyQueuesComparedWithOpeningTheirFiles(b *testing.B) {
	c := newCrowd(b)
	onFiles(b, c.root, func(e env.Env) {
		before := measureFootprint(b)
		var after footprint
		r := startRace(b, "open-files", c.count, "queue")
		for b.Loop() {
			var s *store.Store
			r.turn(func() {
				var err error
				if s, err = store.Open(e, c.options()); err != nil {
					b.Fatal(err)
				}
			}, func() { c.each(e.Disk, false) })
			r.aside(func() {
				after = measureFootprint(b)
				require.Len(b, s.Queues(), c.count)
				require.NoError(b, s.Close())
			})
		}
		r.report()
		after.report(b, before, c.count)
	})
}

// An operation is the checkpoint after each of the queues got a message. The yardstick writes one entry to the file of each queue and syncs it. The memory
// is that with the new entries, before the checkpoint, and the files are those that the checkpoint leaves open.
func BenchmarkCheckpointOfManyQueuesComparedWithSyncingTheirFiles(b *testing.B) {
	c := newCrowd(b)
	before := measureFootprint(b)
	onStore(b, c.root, c.options(), func(e env.Env, s *store.Store) {
		var after footprint
		r := startRace(b, "sync-files", c.count, "queue")
		for b.Loop() {
			r.aside(func() {
				c.appendToEach(e, s)
				after = measureFootprint(b)
			})
			r.turn(func() { require.NoError(b, store.Checkpoint(s)) }, func() { c.each(e.Disk, true) })
			after.files = before.files + store.OpenFiles(s)
		}
		r.report()
		after.report(b, before, c.count)
	})
}
