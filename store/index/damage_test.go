package index_test

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

func TestForeignFilesAreRefusedAndNotTouched(t *testing.T) {
	const good = "index/20231114221320000"
	whole := make([]byte, tiny.FileSize())
	for what, files := range map[string]map[string][]byte{
		"a name that is no number":    {"index/2023111422132000x": whole},
		"a name that is too short":    {"index/2023111422132000": whole},
		"a name that is too long":     {"index/202311142213200000": whole},
		"a name with a sign":          {"index/+2023111422132000": whole},
		"a negative name":             {"index/-2023111422132000": whole},
		"a name of zeros":             {"index/00000000000000000": whole},
		"a hidden file":               {"index/.nfs0000000000000": whole},
		"another extension":           {good: whole, good + ".tmp": whole},
		"a file that is too long":     {good: append(whole[:len(whole):len(whole)], 0)},
		"files of other sizes":        {good: make([]byte, small.FileSize()), "index/20231114221320001": make([]byte, small.FileSize())},
		"a short file amid the rest":  {good: whole[:100], "index/20231114221320001": whole},
		"an empty file amid the rest": {good: nil, "index/20231114221320001": whole},
	} {
		for _, options := range []index.Options{
			{Sizes: tiny}, {Sizes: tiny, Clean: true}, {Sizes: tiny, Mark: &index.Mark{Count: 1}}, {Sizes: tiny, Mark: &index.Mark{Count: 1}, Clean: true},
		} {
			w := newWorld(1)
			w.calls = &calls{}
			w.do(t, func(disk env.Disk) error {
				for path, content := range files {
					require.NoError(t, put(disk, path, content))
				}
				_, err := index.Open(disk, options)
				require.ErrorIs(t, err, index.ErrForeign, what)
				require.ErrorContains(t, err, "index/", what)
				_, err = index.Inspect(disk, tiny)
				require.ErrorIs(t, err, index.ErrForeign, what)
				return nil
			})
			require.Zero(t, w.calls.open, what)
			after := w.files()
			for path, content := range files {
				require.Equal(t, string(content), after[path], what)
			}
			w.kernel.Close()
		}
	}
}

func TestAShortNewestFileIsForeignIfThereWasNoCrash(t *testing.T) {
	w := newWorld(1)
	defer w.kernel.Close()
	w.do(t, func(disk env.Disk) error {
		require.NoError(t, put(disk, javaPath(0), make([]byte, 175)))
		_, err := index.Open(disk, index.Options{Sizes: tiny, Clean: true})
		require.ErrorIs(t, err, index.ErrForeign)
		require.ErrorContains(t, err, "175 bytes, 4 slots and 6 items take 176: no sizes are known that fit it: set the sizes (maxHashSlotNum, maxIndexNum)")
		return nil
	})
}

func TestAShortNewestFileIsRemovedAfterACrash(t *testing.T) {
	for _, size := range []int{0, 39, 40, 175} {
		for _, mark := range []*index.Mark{nil, {Count: 1}, {File: 20231114221320000, Count: 1}, {File: 20231114221320000, Count: 6}, {File: 20231114221320000, Count: -6}} {
			w := newWorld(1)
			w.do(t, func(disk env.Disk) error {
				require.NoError(t, put(disk, javaPath(0), make([]byte, size)))
				x, err := index.Open(disk, index.Options{Sizes: tiny, Mark: mark})
				require.NoError(t, err, "%d bytes, %v", size, mark)
				require.Zero(t, x.Next())
				return errors.Join(x.Close(), verify(disk, tiny))
			})
			w.kernel.Close()
		}
	}
}

func TestDirectoriesAreIgnored(t *testing.T) {
	w := newWorld(1)
	defer w.kernel.Close()
	w.do(t, func(disk env.Disk) error {
		require.NoError(t, put(disk, "index/zzz/file", nil))
		x, err := index.Open(disk, index.Options{Sizes: tiny})
		require.NoError(t, err)
		return x.Close()
	})
}

// patch changes bytes of a file, durably.
func patch(disk env.Disk, path string, at int64, p []byte) error {
	f, err := disk.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.WriteAt(p, at), f.Sync(at, at+int64(len(p))), f.Close())
}

func word(value uint32) []byte { return binary.BigEndian.AppendUint32(nil, value) }
func long(value uint64) []byte { return binary.BigEndian.AppendUint64(nil, value) }

// damages are changes of a full file of fullFile's shape, and what Verify says of each.
var damages = []struct {
	what  string
	at    int64
	bytes []byte
	says  string
}{
	{"begin offset", 16, long(255), "the header says"},
	{"negative begin offset", 16, long(1 << 63), "the header says log"},
	{"end offset", 24, long(5000), "the header says"},
	{"end offset before the begin", 24, long(5), "the header says log [256, 5]"},
	{"used slots", 32, word(3), "the header says"},
	{"index count too small", 36, word(5), "the header says"},
	{"index count zero", 36, word(0), "the header says"},
	{"index count negative", 36, word(math.MaxUint32), "the header says"},
	{"index count too large", 36, word(7), "counts items up to 6, there is room up to 5"},
	{"index count huge", 36, word(math.MaxInt32), "there is room up to 5"},
	{"a slot that is used and says empty", 40 + 8, word(0), "slot 2 has item 0, its newest item is 5"},
	{"a slot that is empty and says used", 40 + 4, word(3), "slot 1 has item 3, its newest item is 0"},
	{"a slot behind the items", 40 + 8, word(99), "slot 2 has item 99"},
	{"a negative slot", 40 + 8, word(math.MaxUint32 - 3), "slot 2 has item"},
	{"an item of another slot", 56 + 2*20, word(0x13FD0), "slot 0 has item 0, its newest item is 2"},
	{"an item with a negative hash", 56 + 20, word(1 << 31), "there can be no item 1"},
	{"an item before the one before it", 56 + 3*20 + 4, long(5), "item 3 follows"},
	{"an item behind the one behind it", 56 + 3*20 + 4, long(5000), "item 4 follows"},
	{"a negative offset", 56 + 3*20 + 4, long(1 << 63), "there can be no item 3"},
	{"negative seconds", 56 + 3*20 + 12, word(1 << 31), "there can be no item 3"},
	{"a chain that goes on ahead", 56 + 3*20 + 16, word(5), "item 3 follows item 5"},
	{"a chain that is a circle", 56 + 3*20 + 16, word(3), "item 3 follows item 3"},
	{"a chain that is broken", 56 + 5*20 + 16, word(0), "item 5 follows item 0"},
	{"a negative chain", 56 + 5*20 + 16, word(1 << 31), "item 5 follows"},
}

// twoFiles places the files of the golden test.
func twoFiles(t *testing.T, disk env.Disk) {
	t.Helper()
	require.NoError(t, put(disk, javaPath(0), unhex(t, fullFile)))
	require.NoError(t, put(disk, javaPath(1), unhex(t, secondFile)))
}

// twoFilesMark is the mark of those files.
var twoFilesMark = index.Mark{Log: 1100, File: 20231114221320001, Count: 2, EndAt: 1700000062000}

func TestVerifyNamesWhatIsWrongAndSearchesEnd(t *testing.T) {
	for _, d := range damages {
		w := newWorld(1)
		w.do(t, func(disk env.Disk) error {
			twoFiles(t, disk)
			require.NoError(t, verify(disk, tiny))
			require.NoError(t, patch(disk, javaPath(0), d.at, d.bytes))
			x, err := index.Inspect(disk, tiny)
			require.NoError(t, err, d.what)
			findings, err := x.Verify()
			require.NoError(t, err, d.what)
			require.Len(t, findings, 1, d.what)
			require.Contains(t, findings[0], javaPath(0), d.what)
			require.Contains(t, findings[0], d.says, d.what)
			require.LessOrEqual(t, searchAll(x), 2*6*5, d.what)
			require.LessOrEqual(t, readAll(t, x), 6, d.what)
			return x.Close()
		})
		w.kernel.Close()
	}
}

// searchAll searches some hashes in all times, also of items that may be damaged, and counts what is found.
func searchAll(x *index.Index) (found int) {
	for _, hash := range []int32{0, 0x13FD2, 0x13FD3, 0x13FD6, math.MaxInt32, -1} {
		for _, window := range [][2]int64{{0, math.MaxInt64}, {math.MinInt64, math.MaxInt64}, {1700000000000, 1700000001000}, {5, 3}} {
			// A search of a damaged file may fail, and must end.
			_ = x.Search(hash, window[0], window[1], func(message.LogOffset) (bool, error) { found++; return true, nil })
		}
	}
	return found
}

// readAll counts the items that a cursor finds.
func readAll(t require.TestingT, x *index.Index) (items int) {
	for c := x.Cursor(); ; items++ {
		_, _, ok, err := c.Next()
		require.NoError(t, err)
		if !ok {
			return items
		}
	}
}

// A damaged older file is seen when the index is opened only if its header cannot be.
func TestAnIndexWithAHeaderThatCannotBeIsMadeAgain(t *testing.T) {
	for _, d := range damages {
		if !errorsAtOpen(d.what) {
			continue
		}
		for _, file := range []int{0, 1} {
			for _, options := range []index.Options{{Clean: true, Mark: &twoFilesMark}, {Mark: &twoFilesMark}, {Clean: true}, {CompleteAt: math.MaxInt64}} {
				w := newWorld(1)
				w.do(t, func(disk env.Disk) error {
					twoFiles(t, disk)
					require.NoError(t, patch(disk, javaPath(file), d.at, d.bytes))
					options.Sizes = tiny
					x, err := index.Open(disk, options)
					require.NoError(t, err, d.what)
					again := x.Next() == 0 && len(x.Files()) == 0
					dropped := options.Mark == nil && !options.Clean && file == 1 && len(x.Files()) == 1
					repaired := options.Mark != nil && file == 1 && x.Next() == 1100
					require.True(t, again || dropped || repaired, "%s in file %d, %+v: %v", d.what, file, options, x)
					return errors.Join(x.Close(), verify(disk, tiny))
				})
				w.kernel.Close()
			}
		}
	}
}

func errorsAtOpen(what string) bool {
	switch what {
	case "negative begin offset", "end offset before the begin", "index count too large", "index count huge":
		return true
	}
	return false
}

// After a crash every item of the newest file is read.
func TestANewestFileThatIsDamagedIsMadeAgainOrRepairedAfterACrash(t *testing.T) {
	mark := index.Mark{Log: 1000, File: 20231114221320000, Count: 6, EndAt: 1700000061999}
	for _, d := range damages {
		w := newWorld(1)
		w.do(t, func(disk env.Disk) error {
			require.NoError(t, put(disk, javaPath(0), unhex(t, fullFile)))
			require.NoError(t, patch(disk, javaPath(0), d.at, d.bytes))
			x, err := index.Open(disk, index.Options{Sizes: tiny, Mark: &mark})
			require.NoError(t, err, d.what)
			if len(x.Files()) > 0 {
				require.EqualValues(t, 1000, x.Next(), d.what)
				require.Equal(t, 5, readAll(t, x), d.what)
			} else {
				require.Zero(t, x.Next(), d.what)
			}
			return errors.Join(x.Close(), verify(disk, tiny))
		})
		w.kernel.Close()
	}
}

func TestAMarkThatFitsNoFileMakesTheIndexAgain(t *testing.T) {
	for what, mark := range map[string]index.Mark{
		"no file":             {Log: 1100, Count: 1},
		"another file":        {Log: 1100, File: 20231114221320002, Count: 2, EndAt: 1700000062000},
		"more items":          {Log: 1100, File: 20231114221320001, Count: 3, EndAt: 1700000062000},
		"more items than fit": {Log: 1100, File: 20231114221320001, Count: 7, EndAt: 1700000062000},
		"a negative count":    {Log: 1100, File: 20231114221320001, Count: -2, EndAt: 1700000062000},
		"another time":        {Log: 1100, File: 20231114221320001, Count: 2, EndAt: 1700000090000},
	} {
		for _, clean := range []bool{true, false} {
			w := newWorld(1)
			w.do(t, func(disk env.Disk) error {
				twoFiles(t, disk)
				x, err := index.Open(disk, index.Options{Sizes: tiny, Mark: &mark, Clean: clean})
				require.NoError(t, err)
				if clean && what == "another time" {
					// Nothing is read that a clean end vouches for.
					return x.Close()
				}
				require.Empty(t, x.Files(), what)
				if mark.File > 0 {
					require.Zero(t, x.Next(), what)
				}
				return errors.Join(x.Close(), verify(disk, tiny))
			})
			w.kernel.Close()
		}
	}
}

func TestForgetLeavesOutWhatTheNextStartRemoves(t *testing.T) {
	for _, c := range []struct {
		mark  index.Mark
		items int
	}{{twoFilesMark, 6}, {index.Mark{File: 20231114221320000, Count: 3}, 2}, {index.Mark{Count: 1}, 0}, {index.Mark{File: 20231114221320001, Count: 99}, 5}} {
		w := newWorld(1)
		w.calls = &calls{}
		w.do(t, func(disk env.Disk) error {
			twoFiles(t, disk)
			before := w.files()
			x, err := index.Inspect(disk, tiny)
			require.NoError(t, err)
			x.Forget(c.mark)
			require.Equal(t, c.items, readAll(t, x), "%v", c.mark)
			require.Equal(t, before, w.files())
			return x.Close()
		})
		require.Zero(t, w.calls.open)
		w.kernel.Close()
	}
}

func TestAShortNewestFileIsAFindingAndCanBeRead(t *testing.T) {
	for size := range tiny.FileSize() {
		w := newWorld(1)
		w.do(t, func(disk env.Disk) error {
			require.NoError(t, put(disk, javaPath(0), unhex(t, fullFile)))
			require.NoError(t, put(disk, javaPath(1), unhex(t, secondFile)[:size]))
			x, err := index.Inspect(disk, tiny)
			require.NoError(t, err)
			findings, err := x.Verify()
			require.NoError(t, err)
			if size < 40 {
				require.Empty(t, findings, "it was being made")
				require.Len(t, x.Files(), 1)
			} else {
				require.Len(t, findings, 1)
				require.Contains(t, findings[0], "bytes")
			}
			searchAll(x)
			want := 5
			if size >= 40+16+2*20 {
				want = 6 // a repair that erases the rest leaves this
			}
			require.Equal(t, want, readAll(t, x))
			x.Forget(twoFilesMark)
			require.Equal(t, want, readAll(t, x))
			return x.Close()
		})
		w.kernel.Close()
	}
}
