package sim_test

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/stretchr/testify/require"
)

// oneDisk is a world with one machine.
type oneDisk struct {
	kernel  *sim.Kernel
	machine *sim.Machine
}

func newOneDisk(t *testing.T, seed uint64) *oneDisk {
	t.Helper()
	k := sim.New(seed, sim.Options{})
	t.Cleanup(k.Close)
	return &oneDisk{k, k.AddMachine("a", netip.MustParseAddr("10.0.0.1"))}
}

// run boots the machine if it is down and runs a task to its end.
func (w *oneDisk) run(t *testing.T, task func(e env.Env) error) {
	t.Helper()
	e := w.start()
	var err error
	done := false
	e.Tasks.Go("test", func() { err, done = task(e), true })
	require.True(t, w.kernel.Run(env.Never, func() bool { return done }), "%v", w.kernel.Failure())
	require.NoError(t, err)
}

func (w *oneDisk) start() env.Env {
	if w.machine.Up() {
		return w.machine.Node("node", ".")
	}
	return w.machine.Boot("node")
}

// write makes a file with some bytes and returns it open.
func write(e env.Env, path, content string) (env.File, error) {
	f, err := e.Disk.Create(path)
	if err == nil {
		err = f.WriteAt([]byte(content), 0)
	}
	return f, err
}

// writeDurably also syncs the file and its name.
func writeDurably(e env.Env, path, content string) error {
	f, err := write(e, path, content)
	if err == nil {
		err = f.Sync(0, int64(len(content)))
	}
	if err == nil {
		err = e.Disk.SyncDir(".")
	}
	return err
}

func TestAKilledProcessLosesNothingThatItWrote(t *testing.T) {
	w := newOneDisk(t, 1)
	w.run(t, func(e env.Env) error {
		_, err := write(e, "dir/file", "content")
		return err
	})
	w.machine.Crash(sim.KillProcess)
	content, ok := w.machine.Disk().Content("dir/file")
	require.True(t, ok)
	require.Equal(t, "content", string(content))
}

func TestWhatAKillLeftInTheCacheALaterPowerLossMayTakeAway(t *testing.T) {
	lost := 0
	for seed := range uint64(20) {
		w := newOneDisk(t, seed)
		w.run(t, func(e env.Env) error {
			_, err := write(e, "file", "content")
			return err
		})
		w.machine.Crash(sim.KillProcess)
		w.run(t, func(e env.Env) error { return nil })
		w.machine.Crash(sim.PowerLoss)
		if _, there := w.machine.Disk().Content("file"); !there {
			lost++
		}
	}
	require.NotZero(t, lost, "a name that was never synced survived every power loss")
	require.Less(t, lost, 20)
}

func TestWhatWasSyncedSurvivesAPowerLoss(t *testing.T) {
	for seed := range uint64(20) {
		w := newOneDisk(t, seed)
		w.run(t, func(e env.Env) error { return writeDurably(e, "file", "content") })
		w.machine.Crash(sim.PowerLoss)
		content, _ := w.machine.Disk().Content("file")
		require.Equal(t, "content", string(content), "seed %d", seed)
	}
}

func TestAnUnsyncedRemovalMayBeUndone(t *testing.T) {
	undone := 0
	for seed := range uint64(20) {
		w := newOneDisk(t, seed)
		w.run(t, func(e env.Env) error {
			if err := writeDurably(e, "file", "content"); err != nil {
				return err
			}
			return e.Disk.Remove("file")
		})
		w.machine.Crash(sim.PowerLoss)
		if content, ok := w.machine.Disk().Content("file"); ok {
			require.Equal(t, "content", string(content))
			undone++
		}
	}
	require.NotZero(t, undone)
	require.Less(t, undone, 20)
}

// The second directory sync ends first and takes a change out of the list of
// changes to undo. The first one must not take a newer change for an older one.
func TestASyncOfADirectoryDoesNotCoverNamesMadeWhileItRuns(t *testing.T) {
	survived := 0
	for seed := range uint64(40) {
		w := newOneDisk(t, seed)
		w.run(t, func(e env.Env) error {
			for _, path := range []string{"other/one", "other/two", "dir/old"} {
				if _, err := write(e, path, path); err != nil {
					return err
				}
			}
			e.Tasks.Go("sync dir", func() { _ = e.Disk.SyncDir("dir") })
			e.Tasks.Go("sync other", func() { _ = e.Disk.SyncDir("other") })
			e.Tasks.Sleep(40 * time.Microsecond)
			_, err := write(e, "dir/new", "new")
			e.Tasks.Sleep(time.Millisecond)
			return err
		})
		w.machine.Crash(sim.PowerLoss)
		_, ok := w.machine.Disk().Content("dir/old")
		require.True(t, ok, "seed %d: the directory was synced after the file was made", seed)
		if _, ok := w.machine.Disk().Content("dir/new"); ok {
			survived++
		}
	}
	require.Less(t, survived, 20, "names that no sync covered survive as if it had")
}

func TestAFullDiskTakesWhatFitsAndSaysSo(t *testing.T) {
	parts := map[int]bool{}
	for seed := range uint64(30) {
		w := newOneDisk(t, seed)
		w.run(t, func(e env.Env) error {
			f, err := write(e, "file", "0123456789")
			if err != nil {
				return err
			}
			o := sim.DefaultDisk()
			o.Capacity = 8192
			w.machine.Disk().SetOptions(o)
			big := bytes.Repeat([]byte{'x'}, 10_000)
			require.ErrorIs(t, f.WriteAt(big, 10), env.ErrNoSpace)
			require.NoError(t, f.WriteAt(big[:4000], 10), "what fits is taken")
			return nil
		})
		content, _ := w.machine.Disk().Content("file")
		require.LessOrEqual(t, len(content), 8192)
		parts[len(content)] = true
		used, total := usage(t, w)
		require.LessOrEqual(t, used, total)
	}
	require.Greater(t, len(parts), 3, "the part that is written varies")
}

func usage(t *testing.T, w *oneDisk) (used, total int64) {
	t.Helper()
	w.run(t, func(e env.Env) (err error) {
		used, total, err = e.Disk.Usage()
		return err
	})
	return used, total
}

func TestAHoleTakesNoSpaceAndAnAllocationDoes(t *testing.T) {
	w := newOneDisk(t, 1)
	w.run(t, func(e env.Env) error {
		f, err := e.Disk.Create("file")
		require.NoError(t, err)
		require.NoError(t, f.Truncate(1<<20))
		used, _, err := e.Disk.Usage()
		require.NoError(t, err)
		require.Zero(t, used)
		require.NoError(t, f.Allocate(2<<20))
		used, _, err = e.Disk.Usage()
		require.NoError(t, err)
		require.EqualValues(t, 2<<20, used)
		require.NoError(t, f.Truncate(0))
		used, _, err = e.Disk.Usage()
		require.Zero(t, used)
		return err
	})
}

func TestAStuckDiskHoldsSyncsUntilItIsFree(t *testing.T) {
	w := newOneDisk(t, 1)
	w.run(t, func(e env.Env) error {
		f, err := write(e, "file", "content")
		require.NoError(t, err)
		o := sim.DefaultDisk()
		o.StuckUntil = e.Clock.Now().Add(time.Minute)
		w.machine.Disk().SetOptions(o)
		require.NoError(t, f.Sync(0, 7))
		require.GreaterOrEqual(t, e.Clock.Now(), o.StuckUntil)
		return nil
	})
}

func TestACrashReleasesLocks(t *testing.T) {
	w := newOneDisk(t, 1)
	lock := func(e env.Env) error {
		_, err := e.Disk.Lock("lock")
		return err
	}
	w.run(t, lock)
	w.run(t, func(e env.Env) error {
		require.ErrorIs(t, lock(e), env.ErrLocked)
		return nil
	})
	w.machine.Crash(sim.KillProcess)
	w.run(t, lock)
}

func TestACorruptedByteIsShownAndSurvives(t *testing.T) {
	w := newOneDisk(t, 1)
	w.run(t, func(e env.Env) error { return writeDurably(e, "file", "content") })
	require.True(t, w.machine.Disk().Corrupt("file", 0, 0x20))
	require.False(t, w.machine.Disk().Corrupt("file", 7, 1), "behind the end")
	w.machine.Crash(sim.PowerLoss)
	content, _ := w.machine.Disk().Content("file")
	require.Equal(t, "Content", string(content))
}
