package segment_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/stretchr/testify/require"
)

const size = 1000

// name is the path of the file that begins at an offset.
func name(start int64) string { return fmt.Sprintf("row/%020d", start) }

// place makes a file of a length, durably.
func place(disk env.Disk, path string, length int64) error {
	f, err := disk.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(length), f.Sync(0, length), f.Close())
}

// openWith opens a row after files of the given names and lengths were put into its directory.
func openWith(t *testing.T, crashed bool, files map[string]int64, check func(disk env.Disk, r *segment.Row, err error)) {
	t.Helper()
	w := newWorld(1)
	defer w.kernel.Close()
	w.do(t, func(disk env.Disk) error {
		for path, length := range files {
			require.NoError(t, place(disk, path, length))
		}
		r, err := segment.Open(segment.NewHandles(disk, 2), "row", size, crashed)
		check(disk, r, err)
		return nil
	})
}

func TestADirectoryThatDoesNotExistIsAnEmptyRow(t *testing.T) {
	openWith(t, true, nil, func(disk env.Disk, r *segment.Row, err error) {
		require.NoError(t, err)
		require.True(t, r.Empty())
		require.Zero(t, r.Start())
		require.Zero(t, r.End())
		require.False(t, r.Has(0))
		require.ErrorIs(t, r.ReadAt(make([]byte, 1), 0), segment.ErrGap)
		require.NoError(t, r.Cut(0))
		require.NoError(t, r.RemoveAll())
	})
}

func TestForeignFilesAreRefused(t *testing.T) {
	for what, files := range map[string]map[string]int64{
		"a name that is no number":     {"row/00000000000000000x00": size},
		"a name of too few digits":     {"row/0": size},
		"a name with a sign":           {"row/+0000000000000000000": size},
		"a negative name":              {"row/-0000000000000001000": size},
		"a name that is no multiple":   {name(500): size},
		"a name at the end of the row": {name(9223372036854775000): size},
		"a gap":                        {name(0): size, name(2000): size},
		"a short file that is not last": {
			name(0): 999, name(1000): size},
		"an empty file that is not last": {name(0): 0, name(1000): size},
		"a file that is too long":        {name(0): size + 1},
		"a file of a larger size":        {name(0): 2 * size},
	} {
		openWith(t, true, files, func(_ env.Disk, _ *segment.Row, err error) {
			require.ErrorIs(t, err, segment.ErrForeign, what)
			require.Contains(t, err.Error(), "row", what)
		})
	}
}

func TestDirectoriesInsideARowAreIgnored(t *testing.T) {
	openWith(t, true, map[string]int64{name(0): size, name(1000): 0, "row/zzz/file": 3, "row/000/file": 3},
		func(_ env.Disk, r *segment.Row, err error) {
			require.NoError(t, err)
			require.EqualValues(t, 1000, r.End(), "the empty last file is removed although a directory sorts behind it")
		})
}

func TestAShortLastFileGetsItsSizeAfterACrash(t *testing.T) {
	openWith(t, true, map[string]int64{name(1000): size, name(2000): 10}, func(disk env.Disk, r *segment.Row, err error) {
		require.NoError(t, err)
		require.EqualValues(t, 1000, r.Start())
		require.EqualValues(t, 3000, r.End())
		require.NoError(t, r.ReadAt(make([]byte, size), 2000))
		entries, err := disk.List("row")
		require.NoError(t, err)
		require.EqualValues(t, size, entries[1].Size)
	})
}

func TestAShortLastFileIsForeignIfThereWasNoCrash(t *testing.T) {
	files := map[string]int64{name(0): 999}
	openWith(t, false, files, func(_ env.Disk, _ *segment.Row, err error) {
		require.ErrorIs(t, err, segment.ErrForeign)
		require.Contains(t, err.Error(), "999")
	})
}

func TestAnEmptyLastFileIsRemovedUnlessItIsTheOnlyOne(t *testing.T) {
	openWith(t, false, map[string]int64{name(0): size, name(1000): 0}, func(disk env.Disk, r *segment.Row, err error) {
		require.NoError(t, err)
		require.EqualValues(t, 1000, r.End())
		_, err = disk.Open(name(1000))
		require.ErrorIs(t, err, env.ErrNotExist)
	})
	openWith(t, false, map[string]int64{name(5000): 0}, func(_ env.Disk, r *segment.Row, err error) {
		require.NoError(t, err)
		require.EqualValues(t, 5000, r.Start(), "the row must not forget where it begins")
		require.EqualValues(t, 6000, r.End())
	})
}

func TestInspectChangesNothing(t *testing.T) {
	w := newWorld(1)
	defer w.kernel.Close()
	w.do(t, func(disk env.Disk) error {
		require.NoError(t, place(disk, name(0), 10))
		before := w.machine.Disk().Stats()
		r, err := segment.Inspect(segment.NewHandles(disk, 2), "row", size)
		require.NoError(t, err)
		require.EqualValues(t, size, r.End())
		require.EqualValues(t, size-10, r.Missing())
		p := []byte("something")
		require.NoError(t, r.ReadAt(p, 5))
		require.Equal(t, make([]byte, 9), p)
		require.Equal(t, before, w.machine.Disk().Stats())
		return r.Close()
	})
	content, _ := w.machine.Disk().Content(name(0))
	require.Len(t, content, 10)
}

func TestCallsOutsideTheRowFailAndSayWhere(t *testing.T) {
	openWith(t, false, map[string]int64{name(1000): size, name(2000): size}, func(_ env.Disk, r *segment.Row, err error) {
		require.NoError(t, err)
		for _, offset := range []int64{-1, 0, 999, 3000} {
			require.ErrorIs(t, r.ReadAt(make([]byte, 1), offset), segment.ErrGap)
			require.ErrorIs(t, r.WriteAt(make([]byte, 1), offset), segment.ErrGap)
		}
		require.ErrorContains(t, r.ReadAt(make([]byte, 2), 1999), "crosses")
		require.ErrorContains(t, r.WriteAt(make([]byte, 1001), 1000), "crosses")
		require.ErrorContains(t, r.Create(4000), "the row ends at 3000")
		require.ErrorContains(t, r.Create(2000), "the row ends at 3000")
		require.ErrorIs(t, r.Sync(0, 3000), segment.ErrGap, "a range that is not there was not synced")
		require.NoError(t, r.Sync(3000, 3000))
	})
}

func TestAnEmptyRowMayBeginAnywhere(t *testing.T) {
	w := newWorld(1)
	defer w.kernel.Close()
	w.do(t, func(disk env.Disk) error {
		r := segment.New(segment.NewHandles(disk, 2), "row", size)
		require.NoError(t, r.Create(7654))
		require.EqualValues(t, 7000, r.Start())
		require.NoError(t, r.Create(8000))
		return r.Close()
	})
}

func TestTheFirstFileSurvivesACutAtItsBeginning(t *testing.T) {
	openWith(t, false, map[string]int64{name(3000): size, name(4000): size}, func(_ env.Disk, r *segment.Row, err error) {
		require.NoError(t, err)
		require.NoError(t, r.WriteAt([]byte("bytes"), 3000))
		require.NoError(t, r.Cut(3000))
		require.EqualValues(t, 3000, r.Start())
		require.EqualValues(t, 4000, r.End())
		p := make([]byte, size)
		require.NoError(t, r.ReadAt(p, 3000))
		require.Equal(t, make([]byte, size), p)
		require.NoError(t, r.Cut(2999))
		require.True(t, r.Empty(), "before its beginning nothing of it stays")
	})
}

func TestRemoveBeforeKeepsTheFileThatHoldsTheOffsetAndTheLast(t *testing.T) {
	files := map[string]int64{name(0): size, name(1000): size, name(2000): size}
	openWith(t, false, files, func(disk env.Disk, r *segment.Row, err error) {
		require.NoError(t, err)
		for _, step := range []struct {
			offset  int64
			removed int
			start   int64
		}{{999, 0, 0}, {1000, 1, 1000}, {1999, 0, 1000}, {9000, 1, 2000}, {9000, 0, 2000}} {
			removed, err := r.RemoveBefore(step.offset)
			require.NoError(t, err)
			require.Equal(t, step.removed, removed, "before %d", step.offset)
			require.Equal(t, step.start, r.Start())
		}
		entries, err := disk.List("row")
		require.NoError(t, err)
		require.Len(t, entries, 1)
	})
}

func TestAFailedCreateLeavesTheNameFree(t *testing.T) {
	w := newWorld(1)
	defer w.kernel.Close()
	w.do(t, func(disk env.Disk) error {
		r := segment.New(segment.NewHandles(disk, 2), "row", size)
		sick := sim.DefaultDisk()
		sick.SyncError = 1
		w.machine.Disk().SetOptions(sick)
		require.ErrorIs(t, r.Create(0), env.ErrIO)
		require.True(t, r.Empty())
		w.machine.Disk().SetOptions(sim.DefaultDisk())
		require.NoError(t, r.Create(0))
		return r.WriteAt([]byte("x"), 0)
	})
}

// A process that is killed while it makes a file leaves a name in the cache only. What is
// written to that file later must not go with it.
func TestNamesFoundAtOpenAreDurableAfterTheFirstSync(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(seed)
		w.do(t, func(disk env.Disk) error { return place(disk, name(0), size) })
		w.machine.Crash(sim.KillProcess)
		w.do(t, func(disk env.Disk) error {
			r, err := segment.Open(segment.NewHandles(disk, 2), "row", size, true)
			require.NoError(t, err)
			return errors.Join(r.WriteAt([]byte("bytes"), 0), r.Sync(0, 5))
		})
		w.machine.Crash(sim.PowerLoss)
		content, ok := w.machine.Disk().Content(name(0))
		require.True(t, ok, "seed %d: the file is gone", seed)
		require.True(t, strings.HasPrefix(string(content), "bytes"))
		w.kernel.Close()
	}
}
