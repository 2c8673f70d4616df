package segment_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/stretchr/testify/require"
)

// rowsOf makes rows of one file each, among the same handles.
func rowsOf(handles *segment.Handles, count int) ([]*segment.Row, error) {
	rows := make([]*segment.Row, count)
	for i := range rows {
		rows[i] = segment.New(handles, fmt.Sprintf("row%03d", i), size)
		if err := rows[i].Create(0); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// watched runs a task over a watched disk and expects that it leaves no file open.
func watched(t *testing.T, seed uint64, task func(w *world, seen *watch, disk env.Disk)) {
	t.Helper()
	w := newWorld(seed)
	defer w.kernel.Close()
	seen := newWatch()
	w.do(t, func(disk env.Disk) error {
		task(w, seen, seen.over(disk))
		return nil
	})
	require.Zero(t, seen.open, "files that stayed open: %v", seen.byPath)
}

func closeAll(t *testing.T, rows ...*segment.Row) {
	t.Helper()
	for _, r := range rows {
		require.NoError(t, r.Close())
	}
}

func TestTheLimitHoldsWithManyRows(t *testing.T) {
	watched(t, 1, func(w *world, seen *watch, disk env.Disk) {
		handles := segment.NewHandles(disk, 5)
		rows, err := rowsOf(handles, 40)
		require.NoError(t, err)
		random := w.kernel.Stream("test")
		for range 500 {
			r, at := rows[random.IntN(len(rows))], int64(random.IntN(size))
			switch random.IntN(3) {
			case 0:
				require.NoError(t, r.WriteAt([]byte("x"), at))
			case 1:
				require.NoError(t, r.ReadAt(make([]byte, 1), at))
			default:
				require.NoError(t, r.Sync(0, size))
			}
			require.LessOrEqual(t, handles.Open(), 5)
			require.Equal(t, seen.open, handles.Open())
		}
		require.LessOrEqual(t, seen.most, 6, "one more while room is made")
		require.Empty(t, seen.lost, "closed with unsynced bytes")
		require.NoError(t, handles.Failed())
		for _, r := range rows {
			require.NoError(t, r.Sync(0, size))
		}
		closeAll(t, rows...)
	})
}

// Only writers sync to make room, so readers must find a file that needs none, however many others do.
func TestTheLimitHoldsForReadersWhenMostFilesAreUnsynced(t *testing.T) {
	watched(t, 1, func(_ *world, _ *watch, disk env.Disk) {
		handles := segment.NewHandles(disk, 40)
		rows, err := rowsOf(handles, 150)
		require.NoError(t, err)
		for _, r := range rows[:39] {
			require.NoError(t, r.WriteAt([]byte("x"), 0))
		}
		for _, r := range rows[39:] {
			require.NoError(t, r.ReadAt(make([]byte, 1), 0))
			require.LessOrEqual(t, handles.Open(), 40)
		}
		closeAll(t, rows...)
	})
}

func TestMakingManyFilesKeepsTheLimit(t *testing.T) {
	watched(t, 1, func(_ *world, seen *watch, disk env.Disk) {
		handles := segment.NewHandles(disk, 3)
		rows, err := rowsOf(handles, 30)
		require.NoError(t, err)
		require.LessOrEqual(t, seen.most, 4)
		closeAll(t, rows...)
	})
}

func TestTheFileUsedLastStaysOpen(t *testing.T) {
	watched(t, 1, func(_ *world, seen *watch, disk env.Disk) {
		handles := segment.NewHandles(disk, 2)
		rows, err := rowsOf(handles, 3)
		require.NoError(t, err)
		read := func(r *segment.Row) { require.NoError(t, r.ReadAt(make([]byte, 1), 0)) }
		read(rows[0])
		read(rows[1])
		read(rows[0])
		read(rows[2])
		require.Equal(t, []int{1, 0, 1}, []int{seen.byPath["row000/"+name(0)[4:]], seen.byPath["row001/"+name(0)[4:]], seen.byPath["row002/"+name(0)[4:]]})
		closeAll(t, rows...)
	})
}

func TestAFileIsSyncedBeforeItIsClosedToMakeRoom(t *testing.T) {
	for seed := range uint64(10) {
		w := newWorld(seed)
		seen := newWatch()
		w.do(t, func(disk env.Disk) error {
			rows, err := rowsOf(segment.NewHandles(seen.over(disk), 2), 8)
			require.NoError(t, err)
			for _, r := range rows {
				require.NoError(t, r.WriteAt([]byte("bytes"), 3))
			}
			require.Empty(t, seen.lost)
			// Those that were closed need nothing more.
			for _, r := range rows {
				require.NoError(t, r.Sync(3, 8))
			}
			return nil
		})
		w.machine.Crash(sim.PowerLoss)
		for i := range 8 {
			content, _ := w.machine.Disk().Content(fmt.Sprintf("row%03d/%020d", i, 0))
			require.Equal(t, "bytes", string(content[3:8]), "row %d, seed %d", i, seed)
		}
		w.kernel.Close()
	}
}

// A sync of some bytes says nothing of the others: the file must be synced again before it is closed.
func TestASyncOfAPartDoesNotMakeTheFileSynced(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(seed)
		w.do(t, func(disk env.Disk) error {
			rows, err := rowsOf(segment.NewHandles(disk, 1), 2)
			require.NoError(t, err)
			require.NoError(t, rows[0].WriteAt([]byte("first"), 0))
			require.NoError(t, rows[0].WriteAt([]byte("second"), 600))
			require.NoError(t, rows[0].Sync(0, 5))
			require.NoError(t, rows[1].WriteAt([]byte("other"), 0), "closes the first file")
			return rows[0].Sync(600, 606)
		})
		w.machine.Crash(sim.PowerLoss)
		content, _ := w.machine.Disk().Content(fmt.Sprintf("row000/%020d", 0))
		require.Equal(t, "second", string(content[600:606]), "seed %d", seed)
		w.kernel.Close()
	}
}

// What a process that was killed wrote is in the cache only, and a sync of a file that was not opened yet, or was
// closed again, must reach it.
func TestASyncReachesWhatAKilledProcessWrote(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(seed)
		w.do(t, func(disk env.Disk) error {
			r := segment.New(segment.NewHandles(disk, 4), "row", size)
			return errors.Join(r.Create(0), r.Create(size), r.WriteAt([]byte("bytes"), 10), r.WriteAt([]byte("bytes"), size+10))
		})
		w.machine.Crash(sim.KillProcess)
		w.do(t, func(disk env.Disk) error {
			r, err := segment.Open(segment.NewHandles(disk, 1), "row", size, true)
			require.NoError(t, err)
			// The first file is closed when the second is read.
			p := make([]byte, 5)
			require.NoError(t, r.ReadAt(p, 10))
			require.NoError(t, r.ReadAt(p, size+10))
			return errors.Join(r.Sync(0, 2*size), r.Close())
		})
		w.machine.Crash(sim.PowerLoss)
		for _, start := range []int64{0, size} {
			content, _ := w.machine.Disk().Content(name(start))
			require.Equal(t, "bytes", string(content[10:15]), "file %d, seed %d", start, seed)
		}
		w.kernel.Close()
	}
}

func TestAFailedSyncToMakeRoomFailsEveryLaterSync(t *testing.T) {
	watched(t, 1, func(_ *world, seen *watch, disk env.Disk) {
		handles := segment.NewHandles(disk, 2)
		rows, err := rowsOf(handles, 4)
		require.NoError(t, err)
		for _, r := range rows[:2] {
			require.NoError(t, r.WriteAt([]byte("x"), 0))
		}
		seen.syncing = func(string) error { return env.ErrIO }
		require.NoError(t, rows[2].WriteAt([]byte("x"), 0), "this file is well")
		seen.syncing = nil
		require.ErrorIs(t, handles.Failed(), env.ErrIO)
		require.ErrorContains(t, handles.Failed(), "row000/")
		for _, r := range rows {
			require.ErrorIs(t, r.Sync(0, size), env.ErrIO)
			require.NoError(t, r.ReadAt(make([]byte, 1), 0), "reading goes on")
		}
		require.NoError(t, rows[3].WriteAt([]byte("x"), 0))
		require.ErrorIs(t, rows[3].Sync(0, size), env.ErrIO)
		closeAll(t, rows...)
	})
}

// While a file is synced to make room, its owner may sync it too. The system reports a failure to
// one of the two, and both must know.
func TestASyncThatOverlapsAFailedSyncToMakeRoomFails(t *testing.T) {
	w := newWorld(1)
	defer w.kernel.Close()
	seen := newWatch()
	e := w.machine.Boot("node")
	var handles *segment.Handles
	var overlapping error
	done := 0
	e.Tasks.Go("writer", func() {
		defer func() { done++ }()
		handles = segment.NewHandles(seen.over(e.Disk), 1)
		rows, err := rowsOf(handles, 2)
		require.NoError(t, err)
		require.NoError(t, rows[0].WriteAt([]byte("x"), 0))
		calls := 0
		seen.syncing = func(string) error {
			if calls++; calls > 1 {
				return nil
			}
			e.Tasks.Go("owner", func() {
				overlapping = rows[0].Sync(0, 1)
				done++
			})
			// This one takes long and is told of the failure, so the other one, which is quick, is not.
			e.Tasks.Sleep(10 * time.Millisecond)
			return env.ErrIO
		}
		require.NoError(t, rows[1].WriteAt([]byte("x"), 0))
	})
	require.True(t, w.kernel.Run(env.Never, func() bool { return done == 2 }), "%v", w.kernel.Failure())
	require.ErrorIs(t, handles.Failed(), env.ErrIO)
	require.ErrorIs(t, overlapping, env.ErrIO)
}

func TestAFileThatIsRemovedDuringAReadIsReadToItsEnd(t *testing.T) {
	watched(t, 1, func(w *world, seen *watch, disk env.Disk) {
		r := segment.New(segment.NewHandles(disk, 2), "row", size)
		require.NoError(t, r.Create(0))
		require.NoError(t, r.Create(size))
		require.NoError(t, r.WriteAt(letters(0, size), 0))
		removed := false
		seen.reading = func(string) {
			if !removed {
				removed = true
				require.NoError(t, r.RemoveFirst())
				require.Equal(t, 1, seen.byPath[name(0)], "somebody reads it")
			}
		}
		p := make([]byte, size)
		require.NoError(t, r.ReadAt(p, 0))
		require.Equal(t, letters(0, size), p)
		require.Zero(t, seen.byPath[name(0)], "closed after its last reader")
		require.ErrorIs(t, r.ReadAt(p, 0), segment.ErrGap)
		closeAll(t, r)
	})
}

// Whenever a reader comes while the file is removed, it gets the bytes or learns that they are gone, and no error
// that looks like a sick disk.
func TestAReaderDuringARemovalGetsBytesOrAGap(t *testing.T) {
	gaps, reads := 0, 0
	for seed := range uint64(60) {
		w := newWorld(seed)
		seen := newWatch()
		e := w.machine.Boot("node")
		random := w.kernel.Stream("test")
		seen.removed = func(string) { e.Tasks.Sleep(time.Duration(random.IntN(300_000))) }
		running := 1
		e.Tasks.Go("test", func() {
			defer func() { running-- }()
			handles := segment.NewHandles(seen.over(e.Disk), 1)
			r := segment.New(handles, "row", size)
			for start := range int64(4) {
				require.NoError(t, r.Create(start*size))
				require.NoError(t, r.WriteAt(letters(start*size, size), start*size))
			}
			for range 3 {
				running++
				e.Tasks.Go("reader", func() {
					defer func() { running-- }()
					for r.Start() < 2*size {
						e.Tasks.Sleep(time.Duration(random.IntN(50_000)))
						p, at := make([]byte, 100), int64(random.IntN(19))*100
						err := r.ReadAt(p, at)
						if errors.Is(err, segment.ErrGap) {
							gaps++
							continue
						}
						require.NoError(t, err, "seed %d", seed)
						require.Equal(t, letters(at, 100), p)
						reads++
					}
				})
			}
			for range 2 {
				e.Tasks.Sleep(time.Duration(random.IntN(1_000_000)))
				require.NoError(t, r.RemoveFirst())
			}
			e.Tasks.Sleep(time.Second)
			require.NoError(t, r.Close())
		})
		require.True(t, w.kernel.Run(env.Never, func() bool { return running == 0 }), "%v", w.kernel.Failure())
		require.Zero(t, seen.open)
		w.kernel.Close()
	}
	require.Greater(t, gaps, 10)
	require.Greater(t, reads, 1000)
}

func TestTwoTasksThatOpenAFileAtOnceShareOneHandle(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(seed)
		seen := newWatch()
		w.do(t, func(disk env.Disk) error { return place(disk, name(0), size) })
		e := w.machine.Node("node", ".")
		running := 1
		e.Tasks.Go("test", func() {
			defer func() { running-- }()
			handles := segment.NewHandles(seen.over(e.Disk), 2)
			r, err := segment.Open(handles, "row", size, false)
			require.NoError(t, err)
			for range 4 {
				running++
				e.Tasks.Go("reader", func() {
					defer func() { running-- }()
					require.NoError(t, r.ReadAt(make([]byte, 10), 0))
				})
			}
			e.Tasks.Sleep(time.Millisecond)
			require.Greater(t, seen.most, 1, "nobody met another")
			require.Equal(t, 1, seen.open)
			require.Equal(t, 1, handles.Open())
			require.NoError(t, r.Close())
		})
		require.True(t, w.kernel.Run(env.Never, func() bool { return running == 0 }), "%v", w.kernel.Failure())
		require.Zero(t, seen.open)
		w.kernel.Close()
	}
}

func TestAFileThatIsDroppedWhileItIsOpenedIsClosed(t *testing.T) {
	watched(t, 1, func(_ *world, seen *watch, disk env.Disk) {
		require.NoError(t, place(disk, "file", 10))
		f := segment.NewHandles(disk, 2).File("file")
		seen.opened = func(string) { require.NoError(t, f.Drop()) }
		_, err := f.ReadAt(make([]byte, 1), 0)
		require.ErrorIs(t, err, segment.ErrGap)
		require.True(t, f.Removed())
		seen.opened = nil
		require.NoError(t, disk.Remove("file"))
		_, err = f.ReadAt(make([]byte, 1), 0)
		require.ErrorIs(t, err, segment.ErrGap, "and not an error of the disk")
		require.ErrorContains(t, err, "file")
	})
}

func TestAFailedCreateOfAFileLeavesNothingOpen(t *testing.T) {
	watched(t, 1, func(w *world, seen *watch, disk env.Disk) {
		handles := segment.NewHandles(disk, 2)
		seen.syncing = func(string) error { return env.ErrNoSpace }
		_, err := handles.Create("dir/file", "dir", size)
		require.ErrorIs(t, err, env.ErrNoSpace)
		seen.syncing = nil
		require.Zero(t, handles.Open())
		f, err := handles.Create("dir/file", "dir", size)
		require.NoError(t, err, "the name is free")
		n, err := f.Size()
		require.NoError(t, err)
		require.EqualValues(t, size, n)
		require.NoError(t, f.Drop())
	})
}

func TestEraseMakesTheRestZeroDurably(t *testing.T) {
	for seed := range uint64(10) {
		w := newWorld(seed)
		w.do(t, func(disk env.Disk) error {
			f, err := segment.NewHandles(disk, 2).Create("dir/file", "dir", size)
			require.NoError(t, err)
			return errors.Join(f.WriteAt(letters(0, size), 0), f.Sync(0, size), f.Erase(400, size), f.Drop())
		})
		w.machine.Crash(sim.PowerLoss)
		content, _ := w.machine.Disk().Content("dir/file")
		require.Equal(t, append(letters(0, 400), make([]byte, size-400)...), content)
		w.kernel.Close()
	}
}
