package store_test

import (
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// inspect looks at the directory as it is, and sees to it that nothing changes.
func (w *world) inspect(t *testing.T, look func(i *store.Inspector)) {
	t.Helper()
	before := w.contents()
	require.NoError(t, w.do(func(e env.Env) error {
		i, err := store.Inspect(e, w.options)
		require.NoError(t, err)
		look(i)
		return i.Close()
	}))
	unchanged(t, before, w.contents())
}

// look makes every call and compares it with the ledger, of which the first messages up to a number are surely there.
func (w *world) look(t *testing.T, i *store.Inspector, sure int) {
	t.Helper()
	start, end := i.Log()
	require.LessOrEqual(t, start, end)
	count := 0
	at, problem, err := i.Records(start, func(r *message.Record, end message.LogOffset) bool {
		m := w.ledger.Messages[count]
		require.Equal(t, m.Body, string(r.Body))
		record, err := i.Record(r.LogOffset)
		require.NoError(t, err)
		require.Equal(t, m.Body, string(record.Body))
		require.Equal(t, r.LogOffset/secondFile*secondFile, i.FileStart(r.LogOffset))
		_, err = i.Record(r.LogOffset + 1)
		require.ErrorIs(t, err, store.ErrNoRecord)
		next, err := i.NextRecord(r.LogOffset)
		require.NoError(t, err)
		if next%secondFile != 0 && count+1 < sure {
			require.Equal(t, end, next)
		}
		count++
		return true
	})
	require.NoError(t, err)
	require.NoError(t, problem)
	require.GreaterOrEqual(t, count, sure)
	for _, none := range []message.LogOffset{-1, at, end, end + 1, 1 << 62, -1 << 62} {
		_, err = i.Record(none)
		require.ErrorIs(t, err, store.ErrNoRecord, "%d", none)
	}
	stopped := 0
	_, _, err = i.Records(start, func(*message.Record, message.LogOffset) bool { stopped++; return false })
	require.NoError(t, err)
	require.LessOrEqual(t, stopped, 1)
	keys, err := i.Queues()
	require.NoError(t, err)
	for _, key := range keys {
		info, err := i.Queue(key)
		require.NoError(t, err)
		require.Contains(t, info.String(), key.String())
		number := info.First
		require.NoError(t, i.Entries(key, info.First, func(e store.Entry) bool {
			require.Equal(t, number, e.Number)
			r, err := i.Record(e.Log)
			require.NoError(t, err)
			require.Equal(t, number, r.QueueOffset)
			require.Equal(t, e.TagHash, message.TagHash([]byte(w.ledger.Messages[w.numberOf(string(r.Body))].Tag)))
			require.Equal(t, e.Size, r.TotalSize)
			require.False(t, e.Filler)
			number++
			return true
		}))
		require.Equal(t, info.End, number, "%v", key)
		calls := 0
		require.NoError(t, i.Entries(key, -5, func(store.Entry) bool { calls++; return false }))
		require.LessOrEqual(t, calls, 1)
		require.NoError(t, i.Entries(key, 1<<50, func(store.Entry) bool { require.Fail(t, "behind the end"); return false }))
	}
	files, err := i.IndexFiles()
	require.NoError(t, err)
	for _, f := range files {
		require.Contains(t, f.Path, "index/")
	}
	_, err = i.Checkpoint()
	require.NoError(t, err)
	_, err = i.Dropped()
	require.NoError(t, err)
}

func TestAClosedStoreIsInspected(t *testing.T) {
	w := filled(t)
	w.inspect(t, func(i *store.Inspector) {
		w.look(t, i, 28)
		require.Equal(t, "log files [0, 294912)", i.String())
		info, err := i.Queue(key0)
		require.NoError(t, err)
		require.Equal(t, store.QueueInfo{Key: key0, End: 12, Files: 2}, info)
		for n, m := range w.ledger.Messages {
			var places []message.LogOffset
			require.NoError(t, i.Find(m.Key.Topic, m.SearchKey(), func(at message.LogOffset) bool {
				places = append(places, at)
				return true
			}))
			require.Contains(t, places, m.Place.Log, "message %d", n)
		}
		checkpoint, err := i.Checkpoint()
		require.NoError(t, err)
		require.True(t, checkpoint.Own)
		require.False(t, checkpoint.Running)
		require.EqualValues(t, 233180, checkpoint.Saved)
		require.EqualValues(t, 233180, checkpoint.Durable)
		require.EqualValues(t, 28, checkpoint.Entries)
		for _, key := range []store.QueueKey{{Topic: "none"}, {Topic: "../.."}, {Topic: "topic", ID: -1}, {Topic: "topic", ID: 5}, {}} {
			_, err := i.Queue(key)
			require.Error(t, err, "%v", key)
			require.Error(t, i.Entries(key, 0, func(store.Entry) bool { return true }), "%v", key)
		}
	})
}

func TestALiveStoreIsInspectedAndDoesNotNotice(t *testing.T) {
	w := filled(t)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		i, err := store.Inspect(w.machine.Node("tool", "."), w.options)
		require.NoError(t, err)
		w.look(t, i, 28)
		checkpoint, err := i.Checkpoint()
		require.NoError(t, err)
		require.True(t, checkpoint.Running)
		require.NoError(t, i.Close())
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 100))
		require.NoError(t, w.ledger.Drop(s, "quiet"))
		i, err = store.Inspect(w.machine.Node("tool", "."), w.options)
		require.NoError(t, err)
		names, err := i.Dropped()
		require.NoError(t, err)
		require.Equal(t, map[string]message.LogOffset{"quiet": s.Flushed()}, names)
		return i.Close()
	}))
	require.NoError(t, w.recheck(sim.KillProcess))
}

func TestACrashedStoreIsInspectedAsTheCrashLeftIt(t *testing.T) {
	for call := 5; call < 190; call += 9 {
		w := newWorld(uint64(call), small(store.SyncFlush))
		_, err := w.runUntil(call, sim.KillProcess, w.script)
		require.NoError(t, err)
		before := w.contents()
		require.NoError(t, w.do(func(e env.Env) error {
			i, err := store.Inspect(e, w.options)
			require.NoError(t, err)
			start, _ := i.Log()
			found := 0
			_, _, err = i.Records(start, func(*message.Record, message.LogOffset) bool { found++; return true })
			require.NoError(t, err)
			keys, err := i.Queues()
			require.NoError(t, err)
			for _, key := range keys {
				if _, err := i.Queue(key); err != nil {
					require.ErrorIs(t, err, env.ErrNotExist, "%v", key)
				}
				_ = i.Entries(key, 0, func(e store.Entry) bool { return e.String() != "" })
			}
			_, err = i.IndexFiles()
			require.NoError(t, err)
			_, err = i.Checkpoint()
			require.NoError(t, err)
			_, err = i.Dropped()
			require.NoError(t, err)
			return i.Close()
		}), "operation %d", call)
		unchanged(t, before, w.contents())
		w.kernel.Close()
	}
}

func TestAnEmptyDirectoryIsInspected(t *testing.T) {
	w := newWorld(1, small(store.SyncFlush))
	defer w.kernel.Close()
	w.inspect(t, func(i *store.Inspector) {
		w.look(t, i, 0)
		checkpoint, err := i.Checkpoint()
		require.NoError(t, err)
		require.Zero(t, checkpoint)
		keys, err := i.Queues()
		require.NoError(t, err)
		require.Empty(t, keys)
		_, err = i.NextRecord(0)
		require.ErrorIs(t, err, segment.ErrGap)
		require.NoError(t, i.Find("topic", "k", func(message.LogOffset) bool { require.Fail(t, "there is none"); return true }))
	})
}

func TestForeignDirectoriesAreNotTakenForStores(t *testing.T) {
	for _, name := range []string{"commitlog/readme.txt", "commitlog/00000000000000000001", "commitlog/123"} {
		w := newWorld(1, small(store.SyncFlush))
		w.overwrite(t, name, 0, []byte("hello"))
		require.NoError(t, w.do(func(e env.Env) error {
			_, err := store.Inspect(e, w.options)
			require.ErrorIs(t, err, segment.ErrForeign)
			require.ErrorContains(t, err, name)
			return nil
		}))
		w.kernel.Close()
	}
}

func TestTheSizesOfADirectoryAreFoundInItsFiles(t *testing.T) {
	w := filled(t)
	require.NoError(t, w.do(func(e env.Env) error {
		found, err := store.WithSizesOf(e, store.DefaultOptions())
		require.NoError(t, err)
		require.EqualValues(t, 96<<10, found.LogSegmentSize)
		require.EqualValues(t, 7, found.QueueSegmentEntries)
		return nil
	}))
	w = newWorld(1, small(store.SyncFlush))
	defer w.kernel.Close()
	require.NoError(t, w.do(func(e env.Env) error {
		found, err := store.WithSizesOf(e, store.DefaultOptions())
		require.NoError(t, err)
		require.EqualValues(t, 1<<30, found.LogSegmentSize)
		return nil
	}))
}

// A damaged record ends the walk, with a reason, and the next one is found.
func TestAnInspectionNamesADamagedRecordAndGoesOn(t *testing.T) {
	w := filled(t)
	from := w.ledger.Messages[6].Place.Log
	w.logByte(t, from+100, 1)
	w.inspect(t, func(i *store.Inspector) {
		seen := 0
		at, problem, err := i.Records(0, func(*message.Record, message.LogOffset) bool { seen++; return true })
		require.NoError(t, err)
		require.Equal(t, 6, seen)
		require.Equal(t, from, at)
		require.ErrorIs(t, problem, message.ErrChecksum)
		_, err = i.Record(from)
		require.ErrorIs(t, err, store.ErrNoRecord)
		next, err := i.NextRecord(at)
		require.NoError(t, err)
		require.Equal(t, w.ledger.Messages[7].Place.Log, next)
		at, problem, err = i.Records(next, func(*message.Record, message.LogOffset) bool { seen++; return true })
		require.NoError(t, err)
		require.NoError(t, problem)
		require.Equal(t, 27, seen)
		require.EqualValues(t, 233180, at)
	})
}

// The fillers of a bridge are shown as what they are.
func TestAnInspectionShowsFillers(t *testing.T) {
	w := filled(t)
	w.logByte(t, w.ledger.Messages[6].Place.Log+100, 1)
	w.forgive(6)
	w.repair(t, store.BridgeDamage)
	require.NoError(t, w.repaired(sim.KillProcess))
	w.inspect(t, func(i *store.Inspector) {
		var fillers []message.QueueOffset
		require.NoError(t, i.Entries(key0, 0, func(e store.Entry) bool {
			if e.Filler {
				fillers = append(fillers, e.Number)
			}
			return true
		}))
		require.Equal(t, []message.QueueOffset{1}, fillers)
		info, err := i.Queue(key0)
		require.NoError(t, err)
		require.Equal(t, store.QueueInfo{Key: key0, End: 12, Files: 2}, info)
	})
}
