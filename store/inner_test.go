package store_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// batchKey names a queue whose records may hold several messages. Of the messages that the ledger sends, the first, fifth and so on are
// single ones, the others inner batches of 3, 6 and 9.
var batchKey = store.QueueKey{Topic: "batch", ID: 1}

const batchFile = "batchconsumequeue/batch/1/00000000000000000000"

func TestAnInnerBatchHasAnEntryOf46BytesAndCountsAsSeveralMessages(t *testing.T) {
	w := newWorld(1, small(store.SyncFlush))
	defer w.kernel.Close()
	var wall int64
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, batchKey, 20))
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, batchKey, 20))
		at, ok, err := s.StoredAt(batchKey, 3)
		require.NoError(t, err)
		require.True(t, ok)
		wall = at
		raw, err := s.RecordBytes(w.ledger.Messages[1].Place.Log)
		require.NoError(t, err)
		require.Contains(t, string(raw), "\x02INNER_NUM\x013\x02INNER_BASE\x011\x02__CRC32#\x01")
		return nil
	}))
	second := w.ledger.Messages[1]
	entry := w.content(batchFile)[46:92]
	var want []byte
	want = binary.BigEndian.AppendUint64(want, uint64(second.Place.Log))                    // log offset
	want = binary.BigEndian.AppendUint32(want, uint32(second.RecordSize()))                 // size of the record
	want = binary.BigEndian.AppendUint64(want, uint64(message.TagHash([]byte(second.Tag)))) // tag hash
	want = binary.BigEndian.AppendUint64(want, uint64(wall))                                // store time
	want = append(want, 0, 0, 0, 0, 0, 0, 0, 1)                                             // number of its first message
	want = append(want, 0, 3)                                                               // how many messages
	want = append(want, 0xff, 0xff, 0xff, 0xff)                                             // no place in a compacted log
	want = append(want, 0, 0, 0, 0)                                                         // reserved
	require.Equal(t, want, entry)
	require.Len(t, w.content(batchFile), 6*46)
	require.NoError(t, w.expectOrder())
}

func TestReadsOfAQueueOfBatches(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		// Numbers: 0 | 1-3 | 4-9 | 10-18 | 19 | 20-22 | 23-28 | 29-37
		for range 8 {
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, batchKey, 100))
			e.Tasks.Sleep(10 * time.Millisecond)
		}
		for _, c := range []struct{ from, countMax, first, next, count int }{
			{0, 1, 0, 1, 1},
			{0, 4, 0, 4, 4},
			{0, 5, 0, 4, 4}, // the next one would be too many
			{1, 1, 1, 4, 3}, // the first one is returned whatever its size
			{3, 1, 1, 4, 3}, // a batch is returned whole
			{18, 32, 10, 38, 28},
			{29, 9, 29, 38, 9},
			{37, 9, 29, 38, 9},
		} {
			got, err := s.Read(store.ReadRequest{Queue: batchKey, From: message.QueueOffset(c.from), CountMax: c.countMax, BytesMax: 1 << 20}, nil)
			require.NoError(t, err)
			require.Equal(t, store.ReadFound, got.Status)
			first, _ := message.PeekQueueOffset(got.Bytes)
			require.Equal(t, [3]int{c.first, c.next, c.count}, [3]int{int(first), int(got.Next), got.Count}, "%+v", c)
		}
		require.Equal(t, store.ReadOffsetOverflowOne, read(t, s, batchKey, 38).Status)
		require.Equal(t, store.ReadOffsetOverflowBadly, read(t, s, batchKey, 39).Status)
		for n, m := range w.ledger.Messages {
			wall, ok, err := s.StoredAt(batchKey, m.Place.Queue+message.QueueOffset(span(m))-1)
			require.NoError(t, err)
			require.True(t, ok)
			at, err := s.OffsetAt(batchKey, wall, false)
			require.NoError(t, err)
			require.Equal(t, m.Place.Queue, at, "message %d", n)
			at, err = s.OffsetAt(batchKey, wall, true)
			require.NoError(t, err)
			require.Equal(t, m.Place.Queue+message.QueueOffset(span(m)), at, "message %d", n)
		}
	})
}

func TestArrivedTellsOfTheLastMessageOfABatch(t *testing.T) {
	options := small(store.SyncFlush)
	var told []message.QueueOffset
	options.Arrived = func(_ store.QueueKey, offset message.QueueOffset, _ int64) { told = append(told, offset) }
	opened(t, options, func(w *world, e env.Env, s *store.Store) {
		for range 3 {
			w.ledger.Send(e, s, batchKey, 20)
		}
		require.Equal(t, []message.QueueOffset{0, 3, 9}, told)
	})
}

func TestWhatIsNoInnerBatchIsRefusedWithAReason(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		for _, c := range []struct {
			topic      string
			flags      message.SysFlags
			properties string
			says       string
		}{
			{"topic", message.FlagInnerBatch, "INNER_NUM\x013\x02", "topic topic takes no inner batches: its queue.type is not BatchCQ"},
			{"batch", message.FlagInnerBatch, "", "lacks the property INNER_NUM"},
			{"batch", message.FlagInnerBatch, "INNER_NUM\x01x\x02", `INNER_NUM "x": it must be a number from 1 to 32767`},
			{"batch", message.FlagInnerBatch, "INNER_NUM\x010\x02", `INNER_NUM "0": it must be`},
			{"batch", message.FlagInnerBatch, "INNER_NUM\x0132768\x02", `INNER_NUM "32768": it must be`},
			{"batch", message.FlagInnerBatch, "INNER_NUM\x013\x02INNER_BASE\x013\x02", "INNER_BASE is set by the broker"},
			{"batch", 0, "INNER_NUM\x013\x02", "must have its flag (128)"},
			{"topic", 0, "INNER_BASE\x013\x02", "INNER_BASE is set by the broker"},
		} {
			m := &oracle.Sent{Key: store.QueueKey{Topic: c.topic}, Body: "body"}
			r := oracle.RecordOf(m)
			r.SysFlags, r.Properties = c.flags, []byte(c.properties)
			a := answered(t, e, s, m.Key, r)
			require.Equal(t, store.AppendIllegal, a.Status)
			require.Contains(t, a.Reason, c.says)
		}
		// INNER_BASE counts in the limit of the properties.
		m := &oracle.Sent{Key: batchKey, Body: "body", Inner: 3}
		r := oracle.RecordOf(m)
		r.Properties = append(r.Properties, "\x02p\x01"+strings.Repeat("x", 32767-len(r.Properties)-20-30-4)...)
		require.Equal(t, store.AppendPropertiesTooLarge, answered(t, e, s, m.Key, r).Status)
	})
}

// filledWithBatches has a closed store whose log has three files and whose queue of batches has several.
func filledWithBatches(t *testing.T) *world {
	t.Helper()
	w := newWorld(3, small(store.SyncFlush))
	t.Cleanup(w.kernel.Close)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		for range 36 {
			if status := w.ledger.Send(e, s, batchKey, 6000); status != store.AppendOK {
				return fmt.Errorf("%v", status)
			}
		}
		return nil
	}))
	return w
}

func TestAQueueOfBatchesIsBuiltAgainFromTheLog(t *testing.T) {
	for _, clean := range []bool{true, false} {
		w := filledWithBatches(t)
		require.Positive(t, w.remove(t, "batchconsumequeue"))
		if !clean {
			w.overwrite(t, "abort", 0, nil)
		}
		require.NoError(t, w.repaired(sim.KillProcess))
		require.NoError(t, w.use(w.again))
		require.NoError(t, w.repaired(sim.KillProcess))
	}
}

// The numbers of a queue whose first records are gone are known from the entries, and after these were lost from the log.
func TestAQueueOfBatchesKeepsItsNumbersWhenItsFirstFilesAreGone(t *testing.T) {
	for _, lost := range []string{"", "batchconsumequeue"} {
		w := filledWithBatches(t)
		w.tidy()
		w.machine.StepWall(2 * time.Hour)
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			s.CleanNow()
			rounds(e)
			require.Equal(t, lastFile, s.Start())
			w.loseBefore(lastFile)
			first, _ := s.Bounds(batchKey)
			for _, m := range w.ledger.Messages {
				if m.Place.Log == lastFile {
					require.Equal(t, m.Place.Queue, first)
				}
			}
			return nil
		}))
		_, there := w.machine.Disk().Content(batchFile)
		require.False(t, there, "the first file of the queue")
		require.NoError(t, w.expectOrder())
		if lost != "" {
			require.Positive(t, w.remove(t, lost))
			w.overwrite(t, "abort", 0, nil)
		}
		require.NoError(t, w.repaired(sim.KillProcess))
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			end := endOf(w.ledger.Messages)
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, batchKey, 20))
			require.Equal(t, end, w.ledger.Messages[len(w.ledger.Messages)-1].Place.Queue)
			return nil
		}))
		require.NoError(t, w.repaired(sim.KillProcess))
	}
}

func TestATopicOfBatchesThatWasRemovedLeavesNoDirectory(t *testing.T) {
	w := filledWithBatches(t)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		if err := w.ledger.Drop(s, batchKey.Topic); err != nil {
			return err
		}
		for _, found := range must(e.Disk.List("batchconsumequeue/batch")) {
			t.Errorf("%s is left, and no Java broker would start", found.Name)
		}
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, batchKey, 20))
		return nil
	}))
	require.NoError(t, w.repaired(sim.KillProcess))
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func TestAQueueThatHasFilesOfBothKindsIsNotOpened(t *testing.T) {
	w := filledWithBatches(t)
	w.overwrite(t, "consumequeue/batch/1/00000000000000000000", 0, make([]byte, 7*20))
	require.ErrorContains(t, w.openError(t), "queue batch-1: it has files in consumequeue/batch/1 and in batchconsumequeue/batch/1: remove the directory that does not fit the topic's queue.type")
	report, err := w.check()
	require.NoError(t, err)
	require.Contains(t, report.Findings(), "damage: queue batch-1: it has files in")
}

func TestDamagedEntriesOfBatchesAreFound(t *testing.T) {
	for _, field := range []struct {
		name string
		at   int
	}{{"log offset", 7}, {"size", 11}, {"tag", 19}, {"store time", 27}, {"number", 35}, {"count", 37}} {
		w := filledWithBatches(t)
		w.machine.Disk().Corrupt(batchFile, int64(3*46+field.at), 1)
		report, err := w.check()
		require.NoError(t, err)
		require.Contains(t, report.Findings(), "damage: queue batch-1: messages [10, 19), ", field.name)
	}
}

func TestAQueueOfBatchesCanBeInspected(t *testing.T) {
	w := filledWithBatches(t)
	w.inspect(t, func(i *store.Inspector) {
		require.Equal(t, []store.QueueKey{batchKey}, must(i.Queues()))
		info := must(i.Queue(batchKey))
		require.True(t, info.Batch)
		require.EqualValues(t, 0, info.First)
		require.Equal(t, endOf(w.ledger.Messages), info.End)
		n := 3
		require.NoError(t, i.Entries(batchKey, 12, func(e store.Entry) bool {
			m := w.ledger.Messages[n]
			require.Equal(t, store.Entry{
				Number: m.Place.Queue, Count: int32(span(m)), Log: m.Place.Log, Size: int32(m.RecordSize()), TagHash: message.TagHash([]byte(m.Tag)),
			}, e)
			n++
			return true
		}))
		require.Equal(t, len(w.ledger.Messages), n)
	})
	require.NoError(t, w.do(func(e env.Env) error {
		options := must(store.WithSizesOf(e, store.Options{}))
		require.EqualValues(t, 6, options.BatchSegmentEntries)
		return nil
	}))
}
