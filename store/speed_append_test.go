package store_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// senders append a record each, all at once, and wait for all answers, as the sends that one read of a connection brings.
type senders struct {
	b       *testing.B
	s       *store.Store
	done    *counting
	keys    []store.QueueKey
	records [][]message.Record
	size    int // bytes of a record in the log
}

func newSenders(b *testing.B, e env.Env, s *store.Store, count int) *senders {
	b.Helper()
	n := &senders{b: b, s: s, done: &counting{changed: e.Tasks.NewCond()}}
	for i := range count {
		n.keys, n.records = append(n.keys, benchKey(i)), append(n.records, []message.Record{kilobyte(benchKey(i))})
	}
	before := s.Written()
	n.burst()
	n.size = int(s.Written()-before) / count
	return n
}

// burst appends a record of each sender and waits for all answers.
func (n *senders) burst() {
	target := n.done.answers + len(n.keys)
	for i, key := range n.keys {
		n.s.Append(key, n.records[i], n.done)
	}
	n.s.Kick()
	n.done.reach(target)
}

// awaitIndex waits until every message is found by key. A search waits for that, but not for ever.
func awaitIndex(b *testing.B, s *store.Store) {
	b.Helper()
	for {
		result, err := s.FindByKey(store.KeyQuery{Topic: "none", Key: "none", To: math.MaxInt64})
		if err != nil {
			b.Fatal(err)
		}
		if result.Complete {
			return
		}
	}
}

// appendedPerTurn is how many records of 1 KiB are appended in one turn. That takes less than the pause between syncs, so the disk is left alone.
const appendedPerTurn = 64 << 10

// The yardstick is one task that writes as many bytes to a file like the log's, with one pwrite for each batch. Each connection is a task that appends
// a batch and waits for its answers; while one of them is in the system, another one can work. With the key index, which has
// a task of its own, the store's time ends when the index is as far as the log: so that is the whole price of a message.
func BenchmarkAppendsOf1KiBComparedWithPlainWrites(b *testing.B) {
	for _, index := range []bool{false, true} {
		for _, shape := range []struct{ connections, batch int }{{1, 1}, {1, 32}, {1, 128}, {4, 32}, {4, 128}} {
			b.Run(fmt.Sprintf("index=%t/connections=%d/batch=%d", index, shape.connections, shape.batch), func(b *testing.B) {
				options := production(store.AsyncFlush)
				options.DisableIndex = !index
				onStore(b, b.TempDir(), options, func(e env.Env, s *store.Store) { raceAppends(b, e, s, shape.connections, shape.batch, index) })
			})
		}
	}
}

func raceAppends(b *testing.B, e env.Env, s *store.Store, connections, batch int, index bool) {
	b.Helper()
	all, bare := make([]*senders, connections), newBareLog(b, e)
	for i := range all {
		all[i] = newSenders(b, e, s, batch)
	}
	piece := make([]byte, batch*all[0].size)
	b.SetBytes(int64(appendedPerTurn * all[0].size))
	r := startRace(b, "pwrite", appendedPerTurn, "record")
	for b.Loop() {
		r.turn(func() {
			appendTogether(e, all, appendedPerTurn/batch/connections)
			if index {
				awaitIndex(b, s)
			}
		}, func() {
			for range appendedPerTurn / batch {
				bare.write(piece)
			}
		})
		// A sync under way must slow down neither.
		r.aside(func() {
			require.NoError(b, s.Flush())
			bare.sync()
		})
	}
	for _, n := range all {
		require.Zero(b, n.done.failed)
	}
	bare.close()
	r.report()
}

// appendTogether lets each connection send so many bursts.
func appendTogether(e env.Env, all []*senders, bursts int) {
	group := env.NewGroup(e.Tasks)
	for _, n := range all {
		group.Go("connection", func() {
			for range bursts {
				n.burst()
			}
		})
	}
	group.Wait()
}

// commitsPerTurn is how many syncs of the log a turn takes at least.
const commitsPerTurn = 64

// The yardstick writes as many bytes, and syncs them, once for all senders: the rate of the device times the senders. At once: one task appends
// the records of all senders, as the task of a connection does. A task each: every sender is a task that waits for its own answer before it
// sends again, so what comes while a sync is under way waits for the next one.
func BenchmarkSyncedAppendsComparedWithSyncsOfTheDevice(b *testing.B) {
	for _, count := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("at-once/senders=%d", count), func(b *testing.B) {
			onStore(b, b.TempDir(), production(store.SyncFlush), func(e env.Env, s *store.Store) {
				n := newSenders(b, e, s, count)
				raceSyncs(b, e, count, n.size, func() {
					for range commitsPerTurn {
						n.burst()
					}
				})
				require.Zero(b, n.done.failed)
			})
		})
		b.Run(fmt.Sprintf("a-task-each/senders=%d", count), func(b *testing.B) {
			onStore(b, b.TempDir(), production(store.SyncFlush), func(e env.Env, s *store.Store) {
				size := newSenders(b, e, s, count).size
				raceSyncs(b, e, count, size, func() { sendAsTasks(b, e, s, count) })
			})
		})
	}
}

func raceSyncs(b *testing.B, e env.Env, count, size int, ours func()) {
	b.Helper()
	bare := newBareLog(b, e)
	piece := make([]byte, count*size)
	b.SetBytes(int64(commitsPerTurn * len(piece)))
	r := startRace(b, "fdatasync", commitsPerTurn*count, "record")
	for b.Loop() {
		r.turn(ours, func() {
			for range commitsPerTurn {
				bare.write(piece)
				bare.sync()
			}
		})
	}
	bare.close()
	r.report()
}

// sendAsTasks starts a task for each sender, and waits until all have sent what is theirs in a turn.
func sendAsTasks(b *testing.B, e env.Env, s *store.Store, count int) {
	b.Helper()
	group := env.NewGroup(e.Tasks)
	for i := range count {
		group.Go("sender", func() {
			records := []message.Record{kilobyte(benchKey(i))}
			done := &counting{changed: e.Tasks.NewCond()}
			for sent := range commitsPerTurn {
				s.Append(benchKey(i), records, done)
				s.Kick()
				done.reach(sent + 1)
			}
			if done.failed.Status != store.AppendOK {
				b.Error(done.failed)
			}
		})
	}
	group.Wait()
}
