package envtest

import (
	"encoding/binary"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/assert"
)

func fileClauses() []clause {
	return []clause{
		{"WriteAt grows the file as needed", writeGrows},
		{"WriteAt beyond the end leaves zeros in between", writeLeavesZeros},
		{"WriteAt overwrites in place", writeOverwrites},
		{"WriteAt does not keep the slice", writeKeepsNothing},
		{"Written bytes are visible to every handle at once", handlesShareBytes},
		{"Writes of one task are seen in program order", writesAreOrdered},
		{"Calls on one file may overlap", callsOverlap},
		{"ReadAt reads fewer bytes only at the end", readIsShortAtTheEnd},
		{"View shows the bytes of its range", viewShowsRange},
		{"View is clipped to the size of the file", viewIsClipped},
		{"View sees a write at once, however the file grew", viewSeesWrites},
		{"View holds the baton while it is in use", viewHoldsTheBaton},
		{"Sync succeeds for every range within the file", syncSucceeds},
		{"Allocate gives the file at least the size, filled with zeros", allocateGrows},
		{"Allocate never shrinks or changes bytes", allocateKeepsBytes},
		{"Truncate cuts", truncateCuts},
		{"Truncate extends with zeros, not with old bytes", truncateExtends},
		{"An open file stays readable after Remove", removedFileIsReadable},
		{"Calls after Close fail with ErrFileClosed", closedFileRefuses},
		{"Close of one handle leaves the others open", closeIsForOneHandle},
		{"Size, Name and Close keep the baton", someFileCallsKeepTheBaton},
	}
}

// readAt reads up to n bytes.
func readAt(t T, f env.File, offset int64, n int) string {
	t.Helper()
	p := make([]byte, n)
	n, err := f.ReadAt(p, offset)
	assert.NoError(t, err, "ReadAt(%d, %d bytes)", offset, len(p))
	return string(p[:n])
}

// view copies what View shows, and checks that it shows it once.
func view(t T, f env.File, offset int64, n int) string {
	t.Helper()
	shown, times := "", 0
	err := f.View(offset, n, func(p []byte) {
		shown = string(p)
		times++
	})
	assert.NoError(t, err, "View(%d, %d)", offset, n)
	assert.Equal(t, 1, times, "View(%d, %d) calls use once", offset, n)
	return shown
}

// assertContent checks the whole file by every way of reading it.
func assertContent(t T, f env.File, expected string) {
	t.Helper()
	assert.Equal(t, int64(len(expected)), f.Size(), "Size")
	assert.Equal(t, expected, content(t, f), "ReadAt")
	assert.Equal(t, expected, view(t, f, 0, len(expected)+8), "View")
}

func writeGrows(t T, e env.Env) {
	withFile(t, e, "file", "", func(f env.File) {
		assert.NoError(t, f.WriteAt([]byte("abc"), 0))
		assertContent(t, f, "abc")
		assert.NoError(t, f.WriteAt([]byte("cdef"), 2))
		assertContent(t, f, "abcdef")
		assertListedSize(t, e, "file", 6)
	})
}

// assertListedSize checks that a directory listing knows the size of an open file.
func assertListedSize(t T, e env.Env, name string, size int64) {
	t.Helper()
	entries, err := e.Disk.List(".")
	assert.NoError(t, err)
	assert.Equal(t, []env.Entry{{Name: name, Size: size}}, entries)
}

func writeLeavesZeros(t T, e env.Env) {
	withFile(t, e, "file", "ab", func(f env.File) {
		assert.NoError(t, f.WriteAt([]byte("z"), 10_000))
		assertContent(t, f, "ab"+strings.Repeat("\x00", 9_998)+"z")
	})
}

func writeOverwrites(t T, e env.Env) {
	withFile(t, e, "file", "0123456789", func(f env.File) {
		assert.NoError(t, f.WriteAt([]byte("abc"), 4))
		assertContent(t, f, "0123abc789")
	})
}

func writeKeepsNothing(t T, e env.Env) {
	withFile(t, e, "file", "", func(f env.File) {
		own := []byte("written")
		assert.NoError(t, f.WriteAt(own, 0))
		copy(own, "changed")
		assertContent(t, f, "written")
	})
}

func handlesShareBytes(t T, e env.Env) {
	withFile(t, e, "file", "first", func(f env.File) {
		other, err := e.Disk.Open("file")
		if !assert.NoError(t, err) {
			return
		}
		defer other.Close()
		assert.NoError(t, f.WriteAt([]byte("second try"), 0))
		assert.Equal(t, "second try", content(t, other), "ReadAt of another handle")
		assert.NoError(t, other.WriteAt([]byte("S"), 0))
		assert.Equal(t, "Second try", content(t, f), "ReadAt of the first handle")
	})
}

// The writer counts up first at one place, then at another. Who reads the places
// in the opposite order never finds the first behind the second.
func writesAreOrdered(t T, e env.Env) {
	const first, second, last = 0, 4096, 60
	withFile(t, e, "file", strings.Repeat("\x00", second+8), func(f env.File) {
		number := func(at int64) uint64 {
			return binary.BigEndian.Uint64([]byte(readAt(t, f, at, 8)))
		}
		c := newCrew(e)
		c.start("writer", func() {
			for i := uint64(1); i <= last; i++ {
				p := binary.BigEndian.AppendUint64(nil, i)
				assert.NoError(t, f.WriteAt(p, first))
				assert.NoError(t, f.WriteAt(p, second))
			}
		})
		for len(c.running) > 0 {
			later := number(second)
			if !assert.GreaterOrEqual(t, number(first), later) {
				break
			}
			e.Tasks.Sleep(tick)
		}
		c.join(t)
		assert.Equal(t, uint64(last), number(second))
	})
}

// Each task writes and reads its own range, and the ranges make up the file.
func callsOverlap(t T, e env.Env) {
	const tasks, size = 8, 5_000
	expected := ""
	withFile(t, e, "file", "", func(f env.File) {
		c := newCrew(e)
		for number := range tasks {
			own := strings.Repeat(string(rune('a'+number)), size)
			expected += own
			c.start("file user", func() {
				at := int64(number) * size
				for range 5 {
					assert.NoError(t, f.WriteAt([]byte(own), at))
					assert.Equal(t, own, readAt(t, f, at, size))
					assert.NoError(t, f.Sync(at, at+size))
				}
			})
		}
		c.join(t)
		assertContent(t, f, expected)
	})
}

func readIsShortAtTheEnd(t T, e env.Env) {
	withFile(t, e, "file", "0123456789", func(f env.File) {
		assert.Equal(t, "0123456789", readAt(t, f, 0, 10))
		assert.Equal(t, "345", readAt(t, f, 3, 3))
		assert.Equal(t, "789", readAt(t, f, 7, 5), "across the end")
		assert.Equal(t, "", readAt(t, f, 10, 5), "at the end")
		assert.Equal(t, "", readAt(t, f, 1_000_000, 5), "beyond the end")
		assert.Equal(t, "", readAt(t, f, 3, 0), "nothing")
	})
}

func viewShowsRange(t T, e env.Env) {
	withFile(t, e, "file", "0123456789", func(f env.File) {
		assert.Equal(t, "0123456789", view(t, f, 0, 10))
		assert.Equal(t, "345", view(t, f, 3, 3))
		assert.Equal(t, "", view(t, f, 3, 0))
	})
}

func viewIsClipped(t T, e env.Env) {
	withFile(t, e, "file", "0123456789", func(f env.File) {
		assert.Equal(t, "789", view(t, f, 7, 100), "across the end")
		assert.Equal(t, "", view(t, f, 10, 5), "at the end")
		assert.Equal(t, "", view(t, f, 1_000_000, 5), "beyond the end")
		assert.NoError(t, f.Truncate(4))
		assert.Equal(t, "23", view(t, f, 2, 100), "after Truncate")
	})
	withFile(t, e, "empty", "", func(f env.File) {
		assert.Equal(t, "", view(t, f, 0, 10), "of an empty file")
	})
}

// The file grows by odd pieces through many pages, as a mapping must follow.
func viewSeesWrites(t T, e env.Env) {
	const pieces, size = 40, 30_001
	withFile(t, e, "file", "", func(f env.File) {
		for number := range pieces {
			piece := strings.Repeat(string(rune('A'+number)), size)
			at := int64(number) * size
			assert.NoError(t, f.WriteAt([]byte(piece), at))
			if !assert.Equal(t, piece, view(t, f, at, size)) {
				return
			}
		}
		assert.Equal(t, "AB", view(t, f, size-1, 2), "across two pieces")
		assert.NoError(t, f.WriteAt([]byte("new"), 0))
		assert.Equal(t, "newA", view(t, f, 0, 4), "an overwrite")
	})
}

// The other task counts whenever it gets the baton; during use it must not.
func viewHoldsTheBaton(t T, e env.Env) {
	withFile(t, e, "file", "bytes", func(f env.File) {
		turns, done := 0, false
		c := newCrew(e)
		c.start("counter", func() {
			for !done {
				turns++
				e.Tasks.Sleep(tick)
			}
		})
		for range 20 {
			assert.NoError(t, f.View(0, 5, func([]byte) {
				before := turns
				for range 100 {
					think()
				}
				assert.Equal(t, before, turns, "another task ran during use")
			}))
			e.Tasks.Sleep(tick)
		}
		done = true
		c.join(t)
	})
}

func syncSucceeds(t T, e env.Env) {
	withFile(t, e, "file", strings.Repeat("x", 10_000), func(f env.File) {
		for _, r := range [][2]int64{{0, 10_000}, {1, 2}, {5_000, 9_999}, {0, 0}, {10_000, 10_000}} {
			assert.NoError(t, f.Sync(r[0], r[1]), "Sync(%d, %d)", r[0], r[1])
		}
		assert.Equal(t, int64(10_000), f.Size())
	})
}

func allocateGrows(t T, e env.Env) {
	withFile(t, e, "file", "", func(f env.File) {
		assert.NoError(t, f.Allocate(50_000))
		assert.GreaterOrEqual(t, f.Size(), int64(50_000))
		zeros := strings.Repeat("\x00", 50_000)
		assert.Equal(t, zeros, readAt(t, f, 0, 50_000))
		assert.Equal(t, zeros, view(t, f, 0, 50_000))
		assert.NoError(t, f.WriteAt([]byte("abc"), 40_000))
		assert.Equal(t, "\x00abc\x00", view(t, f, 39_999, 5))
	})
}

func allocateKeepsBytes(t T, e env.Env) {
	withFile(t, e, "file", "content", func(f env.File) {
		assert.NoError(t, f.Allocate(3))
		assertContent(t, f, "content")
		assert.NoError(t, f.Allocate(100))
		assert.Equal(t, "content\x00", readAt(t, f, 0, 8))
	})
}

func truncateCuts(t T, e env.Env) {
	withFile(t, e, "file", "0123456789", func(f env.File) {
		assert.NoError(t, f.Truncate(4))
		assertContent(t, f, "0123")
		assert.NoError(t, f.WriteAt([]byte("ab"), 4))
		assertContent(t, f, "0123ab")
		assert.NoError(t, f.Truncate(0))
		assertContent(t, f, "")
	})
}

func truncateExtends(t T, e env.Env) {
	withFile(t, e, "file", strings.Repeat("old", 5_000), func(f env.File) {
		assert.NoError(t, f.Truncate(3))
		assert.NoError(t, f.Truncate(9_000))
		assertContent(t, f, "old"+strings.Repeat("\x00", 8_997))
	})
}

func removedFileIsReadable(t T, e env.Env) {
	withFile(t, e, "dir/file", "content", func(f env.File) {
		assert.NoError(t, f.View(0, 7, func([]byte) {}))
		assert.NoError(t, e.Disk.Remove("dir/file"))
		assertContent(t, f, "content")
		assertNames(t, e, "dir")
		store(t, e, "dir/file", "another file")
		assertContent(t, f, "content")
	})
}

func closedFileRefuses(t T, e env.Env) {
	store(t, e, "file", "content")
	f, err := e.Disk.Open("file")
	if !assert.NoError(t, err) {
		return
	}
	assert.NoError(t, f.Close())
	_, err = f.ReadAt(make([]byte, 3), 0)
	assert.ErrorIs(t, err, env.ErrFileClosed, "ReadAt")
	assert.ErrorIs(t, f.WriteAt([]byte("x"), 0), env.ErrFileClosed, "WriteAt")
	assert.ErrorIs(t, f.Sync(0, 7), env.ErrFileClosed, "Sync")
	assert.ErrorIs(t, f.Allocate(100), env.ErrFileClosed, "Allocate")
	assert.ErrorIs(t, f.Truncate(1), env.ErrFileClosed, "Truncate")
	err = f.View(0, 3, func([]byte) { t.Errorf("View of a closed file called use") })
	assert.ErrorIs(t, err, env.ErrFileClosed, "View")
	assert.Equal(t, "content", load(t, e, "file"))
}

func closeIsForOneHandle(t T, e env.Env) {
	withFile(t, e, "file", "content", func(f env.File) {
		other, err := e.Disk.Open("file")
		if assert.NoError(t, err) {
			assert.NoError(t, other.Close())
		}
		assertContent(t, f, "content")
	})
}

func someFileCallsKeepTheBaton(t T, e env.Env) {
	withFile(t, e, "file", "content", func(f env.File) {
		intruded := false
		c := newCrew(e)
		c.start("intruder", func() { intruded = true })
		for range 300 {
			f.Size()
			f.Name()
			think()
		}
		assert.NoError(t, f.Close())
		assert.False(t, intruded, "Size, Name or Close gave up the baton")
		c.join(t)
	})
}
