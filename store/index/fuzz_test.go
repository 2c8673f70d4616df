package index_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/index"
	"github.com/stretchr/testify/require"
)

// Invariants for any bytes of a file, alone or behind a good one: opening, inspecting, walking, verifying and searching end
// without a panic; a cursor finds no more items than have room; searches follow no chain further than that; the memory taken is at
// most the size of the files and a constant; and what Open left of an index with a mark takes new items, which
// survive a crash once they are saved.
func FuzzFiles(f *testing.F) {
	for _, d := range damages {
		content := unhexFull(f)
		copy(content[d.at:], d.bytes)
		f.Add(content, uint8(0))
		f.Add(content, uint8(7))
	}
	f.Add(unhexFull(f), uint8(3))
	f.Add(make([]byte, tiny.FileSize()), uint8(1))
	f.Add([]byte{}, uint8(2))
	f.Fuzz(func(t *testing.T, content []byte, how uint8) {
		if how&8 > 0 { // most inputs have the right length
			content = append(content, make([]byte, tiny.FileSize())...)[:tiny.FileSize()]
		}
		files := [][]byte{content}
		if how&1 > 0 {
			files = [][]byte{unhexFull(t), content}
		}
		w := newWorld(1)
		defer w.kernel.Close()
		w.calls = &calls{}
		w.do(t, func(disk env.Disk) error {
			for i, content := range files {
				require.NoError(t, put(disk, javaPath(i), content))
			}
			before := allocated()
			inspect(t, disk)
			require.Less(t, allocated()-before, uint64(1<<20))
			open(t, disk, how)
			return nil
		})
		require.Zero(t, w.calls.open)
	})
}

func unhexFull(t testing.TB) []byte {
	t.Helper()
	var content []byte
	for _, f := range javaFiles(tiny, fullItems) {
		content = append(content, f.bytes...)
	}
	return content
}

// fullItems are those of fullFile.
var fullItems = []index.Item{
	key("A", 256, 1700000000000), key("B", 256, 1700000000000), key("E", 592, 1700000001999), key("E", 593, 1699999995000), key("A", 1000, 1700000061999),
}

// allocated is how many bytes were ever taken.
func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

func inspect(t *testing.T, disk env.Disk) {
	t.Helper()
	x, err := index.Inspect(disk, tiny)
	if err != nil {
		require.ErrorIs(t, err, index.ErrForeign)
		return
	}
	defer func() { require.NoError(t, x.Close()) }()
	_, err = x.Verify()
	require.NoError(t, err)
	require.LessOrEqual(t, searchAll(x), 2*6*4*5)
	items := 0
	for c := x.Cursor(); ; items++ {
		_, _, ok, err := c.Next()
		require.NoError(t, err)
		if !ok {
			break
		}
	}
	require.LessOrEqual(t, items, 2*5)
}

func open(t *testing.T, disk env.Disk, how uint8) {
	t.Helper()
	options := index.Options{Sizes: tiny, Clean: how&2 > 0, CompleteAt: 1700000061999}
	if how&4 > 0 {
		options.Mark = &index.Mark{Log: 1000, File: 20231114221320000 + int64(how&1), Count: 6, EndAt: 1700000061999}
	}
	x, err := index.Open(disk, options)
	if err != nil {
		require.ErrorIs(t, err, index.ErrForeign)
		return
	}
	searchAll(x)
	// Any item that comes next can be added, unless a Java broker's item says that the log is longer.
	_, err = x.Add([]index.Item{{Hash: 5, Log: 1 << 62, StoredAt: noon}}, 1<<62+1, noon)
	if err == nil {
		err = x.Save()
	}
	mark := x.Durable()
	err = errors.Join(err, x.Close())
	if options.Mark == nil {
		return
	}
	require.NoError(t, err)
	if !options.Clean {
		x, err = index.Open(disk, index.Options{Sizes: tiny, Mark: &mark})
		require.NoError(t, err)
		require.Equal(t, mark, x.Durable(), "what was saved is kept")
		require.NoError(t, x.Close())
	}
}
