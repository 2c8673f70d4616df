package store_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/stretchr/testify/require"
)

const (
	firstLog   = "commitlog/00000000000000000000"
	lastLog    = "commitlog/00000000000000196608"
	firstQueue = "consumequeue/topic/0/00000000000000000000"
)

// contents are all files of the machine's disk.
func (w *world) contents() map[string]string {
	found := map[string]string{}
	for _, name := range w.machine.Disk().Paths() {
		p, _ := w.machine.Disk().Content(name)
		found[name] = string(p)
	}
	return found
}

func TestCheckCountsWhatIsThere(t *testing.T) {
	w := filled(t)
	report, err := w.check()
	require.NoError(t, err)
	require.True(t, report.Clean)
	require.EqualValues(t, 28, report.Records)
	require.EqualValues(t, 28, report.Entries)
	require.Equal(t, 4, report.Queues)
	require.Equal(t, report.End, report.Saved)
	require.Empty(t, report.Findings())
	require.Contains(t, report.String(), "closed store: log [0, ")
}

func TestCheckOfAnEmptyDirectoryFindsNothing(t *testing.T) {
	w := newWorld(1, small(store.SyncFlush))
	defer w.kernel.Close()
	report, err := w.check()
	require.NoError(t, err)
	require.Equal(t, store.CheckReport{Clean: true, Saved: -1}, report)
}

func TestCheckTellsItsProgress(t *testing.T) {
	w := filled(t)
	var steps []int64
	require.NoError(t, w.do(func(e env.Env) error {
		_, err := store.Check(e, w.options, func(done, total int64) {
			require.LessOrEqual(t, done, total)
			steps = append(steps, done)
		})
		return err
	}))
	require.Len(t, steps, 28)
	require.True(t, slices.IsSorted(steps))
}

func TestCheckFindsDamageAndSaysWhere(t *testing.T) {
	for _, c := range []struct {
		what   string
		damage func(w *world)
		says   []string
	}{
		{"a byte of a body", func(w *world) { w.machine.Disk().Corrupt(firstLog, 700, 1) },
			[]string{"commit log [652, 9795): no valid record: log offset 652: body checksum differs", "queue topic-0: entries [0, 1) fit no record; the first one is of message 1"}},
		{"a byte of a property", func(w *world) { w.machine.Disk().Corrupt(firstLog, 130, 1) },
			[]string{"commit log [0, 163): no valid record"}},
		{"the size of a record", func(w *world) { w.machine.Disk().Corrupt(firstLog, 652, 0x40) },
			[]string{"commit log [652, 9795): no valid record: log offset 652: a size of"}},
		{"the position of a record", func(w *world) { w.machine.Disk().Corrupt(firstLog, 652+35, 1) },
			[]string{"commit log [652, 9795): no valid record: log offset 652: the record says that it stands at 653"}},
		{"a byte behind the end", func(w *world) { w.machine.Disk().Corrupt(lastLog, 98_000, 1) },
			[]string{"commit log [294608, 294609): bytes behind the end of the log at 233180 are not zero"}},
		{"the place in an entry", func(w *world) { w.machine.Disk().Corrupt(firstQueue, 2*20+7, 1) },
			[]string{"queue topic-0: messages [2, 3), of records from 37224 on, have entries that do not fit their records"}},
		{"the size in an entry", func(w *world) { w.machine.Disk().Corrupt(firstQueue, 11, 1) },
			[]string{"queue topic-0: messages [0, 1), of records from 652 on, have entries that do not fit their records"}},
		{"the tag in two entries", func(w *world) {
			w.machine.Disk().Corrupt(firstQueue, 20+19, 1)
			w.machine.Disk().Corrupt(firstQueue, 40+19, 1)
		},
			[]string{"queue topic-0: messages [1, 3), of records from 18938 on, have entries that do not fit their records"}},
		{"an entry behind the end", func(w *world) { w.machine.Disk().Corrupt("consumequeue/topic/0/00000000000000000140", 6*20, 1) },
			[]string{"queue topic-0: entries [13, 14) point to no record"}},
		{"an entry that is gone", func(w *world) { w.overwrite(t, firstQueue, 20, make([]byte, 20)) },
			[]string{"queue topic-0: messages [1, 2), of records from 18938 on, have no entry"}},
		{"a queue file of a wrong size", func(w *world) { w.overwrite(t, firstQueue, 140, []byte{0}) },
			[]string{"queue topic-0: consumequeue/topic/0/00000000000000000000: not a row of files: the file has 141 bytes"}},
		{"a short last file of the log", func(w *world) { w.truncate(t, lastLog, 60_000) },
			[]string{"the last file of the commit log lacks its last 38304 bytes"}},
		{"a short last file of a queue", func(w *world) { w.truncate(t, "consumequeue/quiet/0/00000000000000000000", 60) },
			[]string{"queue quiet-0: its last file lacks its last 80 bytes"}},
		{"a file of the log", func(w *world) { w.remove(t, "commitlog/00000000000000098304") },
			[]string{"the file before 00000000000000196608 is missing"}},
		{"the end of the log", func(w *world) { w.remove(t, lastLog) },
			[]string{"commit log [196608, 233180): the files are missing"}},
		{"a checkpoint inside a record", func(w *world) {
			w.overwrite(t, "checkpoint", 0, store.EncodeCheckpoint(w.content("checkpoint"), 0, 653, 4))
		},
			[]string{"the checkpoint says 653, where no record begins"}},
		{"a checkpoint of the future", func(w *world) {
			w.overwrite(t, "checkpoint", 0, store.EncodeCheckpoint(w.content("checkpoint"), int64(w.machine.Wall())+4000, 233180, 28))
		},
			[]string{"are ahead of the newest record's"}},
	} {
		w := filled(t)
		c.damage(w)
		before := w.contents()
		report, err := w.check()
		require.NoError(t, err, c.what)
		for _, sentence := range c.says {
			require.Contains(t, report.Findings(), "damage: ", c.what)
			require.Contains(t, report.Findings(), sentence, c.what)
		}
		require.Empty(t, report.Repairs, c.what)
		require.True(t, maps.Equal(before, w.contents()), "%s: Check changed something", c.what)
	}
}

// Queues and key index are derived: the next start makes what is missing again, and an operator need do nothing.
func TestCheckCallsFilesThatAreMadeAgainNoDamage(t *testing.T) {
	for _, prefix := range []string{"consumequeue/", "consumequeue/quiet/0/", "index/"} {
		w := filled(t)
		require.Positive(t, w.remove(t, prefix))
		report, err := w.check()
		require.NoError(t, err)
		require.Empty(t, report.Damage, prefix)
		require.Len(t, report.Repairs, 1, prefix)
		require.Contains(t, w.repair(t, store.BridgeDamage).String(), "nothing is to be repaired: the next start", prefix)
		w.complete(t)
	}
}

func (w *world) truncate(t *testing.T, name string, size int64) {
	t.Helper()
	require.NoError(t, w.do(func(e env.Env) error {
		f, err := e.Disk.Open(name)
		if err == nil {
			err = f.Truncate(size)
		}
		if err == nil {
			err = f.Sync(0, size)
		}
		return err
	}))
}

// After a crash, what stands behind the checkpoint is for the next start to put in order.
func TestCheckTellsDamageFromWhatACrashLeaves(t *testing.T) {
	w := filled(t)
	w.overwrite(t, "abort", 0, nil)
	w.overwrite(t, "checkpoint", 0, store.EncodeCheckpoint(nil, 0, 196608, 20))
	w.machine.Disk().Corrupt(lastLog, 20_000, 1)
	w.overwrite(t, "consumequeue/topic/1/00000000000000000140", 4*20, make([]byte, 20))
	report, err := w.check()
	require.NoError(t, err)
	require.Empty(t, report.Damage)
	require.Contains(t, report.Findings(), "repair: the log ends at a record in doubt: log offset 214894: body checksum differs")
	require.Contains(t, report.Findings(), "repair: queue topic-0: entries [11, 12) point to no record")
	w.machine.Disk().Corrupt(firstLog, 700, 1)
	report, err = w.check()
	require.NoError(t, err)
	require.Contains(t, report.Findings(), "damage: commit log [652, 9795)")
}

func TestCheckBoundsItsFindings(t *testing.T) {
	options := small(store.AsyncFlush)
	options.QueueSegmentEntries = 3000
	w := newWorld(1, options)
	defer w.kernel.Close()
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		for range 25 {
			w.ledger.Send(e, s, key0, make([]int, 100)...)
		}
		return nil
	}))
	for n := int64(0); n < 2500; n += 2 {
		w.machine.Disk().Corrupt(firstQueue, n*20, 1)
	}
	report, err := w.check()
	require.NoError(t, err)
	require.LessOrEqual(t, len(report.Damage), 1001)
	require.Greater(t, len(report.Damage), 900)
}

func TestCheckNamesTheDiskThatCannotBeRead(t *testing.T) {
	w := filled(t)
	o := sim.DefaultDisk()
	o.ReadError = 1
	w.machine.Disk().SetOptions(o)
	_, err := w.check()
	require.ErrorIs(t, err, env.ErrIO)
	w.machine.Disk().SetOptions(sim.DefaultDisk())
	require.NoError(t, w.expectOrder(), "the lock was released")
}
