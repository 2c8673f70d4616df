package envtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/assert"
)

// TestDisk holds a world to env.Disk and env.File, without faults and crashes.
func TestDisk(t *testing.T, w World) {
	t.Run("Names", func(t *testing.T) { check(t, w, nameClauses()) })
	t.Run("Files", func(t *testing.T) { check(t, w, fileClauses()) })
	t.Run("Paths", func(t *testing.T) { check(t, w, pathClauses()) })
	t.Run("A node has a root directory of its own", func(t *testing.T) { rootsAreSeparate(t, w) })
}

func nameClauses() []clause {
	return []clause{
		{"Create makes an empty file", createMakesEmptyFile},
		{"Create makes the missing directories above", createMakesDirectories},
		{"Create fails with ErrExist if the name is taken", createRefusesTakenName},
		{"Create below a file fails", createNeedsDirectory},
		{"Open fails with ErrNotExist if there is no such file", openNeedsFile},
		{"Open opens for reading and writing", openedFileIsWritable},
		{"What was written is there after Close and Open", contentsStay},
		{"Rename moves a file", renameMoves},
		{"Rename replaces what had the new name", renameReplaces},
		{"Rename replaces atomically", renameIsAtomic},
		{"Rename does not replace a directory", renameSparesDirectories},
		{"Remove deletes a file", removeDeletes},
		{"Remove deletes only empty directories", removeNeedsEmptyDirectory},
		{"List is sorted by name and tells sizes and directories", listTellsAll},
		{"List of a missing directory is empty", listOfNothing},
		{"SyncDir succeeds for every directory, the root too", syncDirSucceeds},
		{"SyncDir of a missing directory is ErrNotExist", syncDirNeedsDirectory},
		{"Lock excludes another lock of the same path until Unlock", lockExcludes},
		{"Lock creates the file that names it, or takes an old one", lockCreatesFile},
		{"Usage tells how full the file system is", usageIsSane},
	}
}

// withFile creates a file with some content, calls fn, and closes the file.
func withFile(t T, e env.Env, path, content string, fn func(f env.File)) {
	t.Helper()
	f, err := e.Disk.Create(path)
	if !assert.NoError(t, err, "Create(%q)", path) {
		return
	}
	defer f.Close()
	if content == "" || assert.NoError(t, f.WriteAt([]byte(content), 0)) {
		fn(f)
	}
}

// store creates a file with some content and closes it.
func store(t T, e env.Env, path, content string) {
	t.Helper()
	withFile(t, e, path, content, func(env.File) {})
}

// content reads a whole file. The buffer is larger than the file, since a short
// read at the end is not an error.
func content(t T, f env.File) string {
	t.Helper()
	return readAt(t, f, 0, int(f.Size())+8)
}

// load opens a file and reads it whole.
func load(t T, e env.Env, path string) string {
	t.Helper()
	f, err := e.Disk.Open(path)
	if !assert.NoError(t, err, "Open(%q)", path) {
		return ""
	}
	defer f.Close()
	return content(t, f)
}

// assertMissing checks that a path cannot be opened, for the right reason.
func assertMissing(t T, e env.Env, path string) {
	t.Helper()
	err := closing(e.Disk.Open(path))
	if assert.ErrorIs(t, err, env.ErrNotExist, "Open(%q)", path) {
		assert.Contains(t, err.Error(), path, "errors name the path")
	}
}

// assertNames checks the names in a directory.
func assertNames(t T, e env.Env, dir string, expected ...string) {
	t.Helper()
	entries, err := e.Disk.List(dir)
	assert.NoError(t, err, "List(%q)", dir)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name)
	}
	assert.Equal(t, expected, names, "names in %q", dir)
}

func createMakesEmptyFile(t T, e env.Env) {
	withFile(t, e, "file", "", func(f env.File) {
		assert.Equal(t, "file", f.Name())
		assert.Zero(t, f.Size())
		assert.Empty(t, content(t, f))
	})
	assertNames(t, e, ".", "file")
}

func createMakesDirectories(t T, e env.Env) {
	withFile(t, e, "a/b/c/file", "deep", func(f env.File) {
		assert.Equal(t, "a/b/c/file", f.Name())
	})
	assert.Equal(t, "deep", load(t, e, "a/b/c/file"))
	assertNames(t, e, "a/b", "c")
	store(t, e, "a/b/other", "")
	assertNames(t, e, "a/b", "c", "other")
}

func createRefusesTakenName(t T, e env.Env) {
	store(t, e, "dir/file", "first")
	for _, path := range []string{"dir/file", "dir"} {
		err := closing(e.Disk.Create(path))
		if assert.ErrorIs(t, err, env.ErrExist, "Create(%q)", path) {
			assert.Contains(t, err.Error(), path, "errors name the path")
		}
	}
	assert.Equal(t, "first", load(t, e, "dir/file"), "the failed Create changed the file")
}

func createNeedsDirectory(t T, e env.Env) {
	store(t, e, "file", "content")
	assert.Error(t, closing(e.Disk.Create("file/below")))
	assert.Error(t, closing(e.Disk.Create("file/further/below")))
	assertNames(t, e, ".", "file")
	assert.Equal(t, "content", load(t, e, "file"))
}

func openNeedsFile(t T, e env.Env) {
	store(t, e, "dir/file", "")
	assertMissing(t, e, "missing")
	assertMissing(t, e, "dir/missing")
	assertMissing(t, e, "missing/file")
	assert.Error(t, closing(e.Disk.Open("dir")), "a directory was opened as a file")
}

func openedFileIsWritable(t T, e env.Env) {
	store(t, e, "dir/file", "old bytes")
	f, err := e.Disk.Open("dir/file")
	if !assert.NoError(t, err) {
		return
	}
	defer f.Close()
	assert.Equal(t, "dir/file", f.Name())
	assert.Equal(t, int64(9), f.Size())
	assert.NoError(t, f.WriteAt([]byte("new"), 0))
	assert.Equal(t, "new bytes", content(t, f))
}

func contentsStay(t T, e env.Env) {
	store(t, e, "file", strings.Repeat("0123456789", 1000))
	assert.Equal(t, strings.Repeat("0123456789", 1000), load(t, e, "file"))
}

func renameMoves(t T, e env.Env) {
	store(t, e, "one/from", "content")
	store(t, e, "two/other", "")
	assert.NoError(t, e.Disk.Rename("one/from", "one/to"))
	assertMissing(t, e, "one/from")
	assert.NoError(t, e.Disk.Rename("one/to", "two/to"))
	assert.Equal(t, "content", load(t, e, "two/to"))
	assertNames(t, e, "one")
	assert.ErrorIs(t, e.Disk.Rename("missing", "two/to"), env.ErrNotExist)
	assert.Equal(t, "content", load(t, e, "two/to"), "the failed Rename changed the file")
}

func renameReplaces(t T, e env.Env) {
	store(t, e, "old", "old content")
	store(t, e, "new", "new")
	assert.NoError(t, e.Disk.Rename("new", "old"))
	assert.Equal(t, "new", load(t, e, "old"))
	assertNames(t, e, ".", "old")
}

func renameSparesDirectories(t T, e env.Env) {
	store(t, e, "file", "content")
	store(t, e, "dir/inner", "inner content")
	assert.Error(t, e.Disk.Rename("file", "dir"))
	assert.Equal(t, "content", load(t, e, "file"))
	assert.Equal(t, "inner content", load(t, e, "dir/inner"))
	assertNames(t, e, ".", "dir", "file")
}

// A reader that opens the name again and again finds one whole version each time, and never
// none. All versions are 12 bytes.
func renameIsAtomic(t T, e env.Env) {
	const versions = 30
	version := func(number int) string { return fmt.Sprintf("version %04d", number) }
	store(t, e, "current", version(0))
	done := false
	c := newCrew(e)
	c.start("writer", func() {
		defer func() { done = true }()
		for number := 1; number <= versions; number++ {
			store(t, e, "next", version(number))
			if !assert.NoError(t, e.Disk.Rename("next", "current")) {
				return
			}
		}
	})
	latest := ""
	for !done {
		found := load(t, e, "current")
		if !assert.Len(t, found, 12) || !assert.GreaterOrEqual(t, found, latest) {
			break
		}
		latest = found
		e.Tasks.Sleep(tick)
	}
	c.join(t)
	assert.Equal(t, version(versions), load(t, e, "current"))
}

func removeDeletes(t T, e env.Env) {
	store(t, e, "dir/gone", "x")
	store(t, e, "dir/stays", "y")
	assert.NoError(t, e.Disk.Remove("dir/gone"))
	assertMissing(t, e, "dir/gone")
	assertNames(t, e, "dir", "stays")
	assert.ErrorIs(t, e.Disk.Remove("dir/gone"), env.ErrNotExist)
	store(t, e, "dir/gone", "back")
	assert.Equal(t, "back", load(t, e, "dir/gone"))
}

func removeNeedsEmptyDirectory(t T, e env.Env) {
	store(t, e, "dir/file", "x")
	assert.Error(t, e.Disk.Remove("dir"))
	assert.Equal(t, "x", load(t, e, "dir/file"))
	assert.NoError(t, e.Disk.Remove("dir/file"))
	assertNames(t, e, ".", "dir")
	assert.NoError(t, e.Disk.Remove("dir"))
	assertNames(t, e, ".")
	store(t, e, "dir/file", "y")
	assert.Equal(t, "y", load(t, e, "dir/file"))
}

// Sorted means by bytes: digits before capitals before small letters.
func listTellsAll(t T, e env.Env) {
	for _, name := range []string{"b", "a", "9", "sub/inner", "B", "10"} {
		store(t, e, "dir/"+name, strings.Repeat(name, 3))
	}
	entries, err := e.Disk.List("dir")
	assert.NoError(t, err)
	assert.Equal(t, []env.Entry{
		{Name: "10", Size: 6},
		{Name: "9", Size: 3},
		{Name: "B", Size: 3},
		{Name: "a", Size: 3},
		{Name: "b", Size: 3},
		{Name: "sub", IsDir: true},
	}, entries)
}

func listOfNothing(t T, e env.Env) {
	for _, dir := range []string{"missing", "missing/below"} {
		entries, err := e.Disk.List(dir)
		assert.NoError(t, err)
		assert.Empty(t, entries)
	}
	entries, err := e.Disk.List(".")
	assert.NoError(t, err)
	assert.Empty(t, entries, "the disk of a fresh node is not empty")
}

func syncDirSucceeds(t T, e env.Env) {
	store(t, e, "a/b/file", "x")
	assert.NoError(t, e.Disk.Rename("a/b/file", "a/b/renamed"))
	for _, dir := range []string{"a/b", "a", "."} {
		assert.NoError(t, e.Disk.SyncDir(dir), "SyncDir(%q)", dir)
	}
	assert.NoError(t, e.Disk.Remove("a/b/renamed"))
	assert.NoError(t, e.Disk.SyncDir("a/b"))
}

// A directory that is not there cannot be made durable, and a node that thinks it was
// has made a mistake.
func syncDirNeedsDirectory(t T, e env.Env) {
	assert.ErrorIs(t, e.Disk.SyncDir("missing"), env.ErrNotExist)
}

func lockExcludes(t T, e env.Env) {
	first, err := e.Disk.Lock("lock")
	if !assert.NoError(t, err) {
		return
	}
	_, err = e.Disk.Lock("lock")
	assert.ErrorIs(t, err, env.ErrLocked)
	if other, err := e.Disk.Lock("other lock"); assert.NoError(t, err, "another path") {
		assert.NoError(t, other.Unlock())
	}
	assert.NoError(t, first.Unlock())
	if again, err := e.Disk.Lock("lock"); assert.NoError(t, err, "after Unlock") {
		assert.NoError(t, again.Unlock())
	}
}

func lockCreatesFile(t T, e env.Env) {
	store(t, e, "old lock", "")
	for _, path := range []string{"new lock", "old lock"} {
		l, err := e.Disk.Lock(path)
		if !assert.NoError(t, err, "Lock(%q)", path) {
			return
		}
		entries, err := e.Disk.List(".")
		assert.NoError(t, err)
		assert.Contains(t, entries, env.Entry{Name: path})
		assert.NoError(t, l.Unlock())
	}
}

func usageIsSane(t T, e env.Env) {
	store(t, e, "file", "some bytes")
	used, total, err := e.Disk.Usage()
	assert.NoError(t, err)
	assert.Positive(t, total)
	assert.GreaterOrEqual(t, used, int64(0))
	assert.LessOrEqual(t, used, total)
}

// Both nodes create the same name; the second one starts when the first has its file.
func rootsAreSeparate(t *testing.T, w World) {
	w.RunPair(t, func(t T, e env.Env, _ string) {
		assertNames(t, e, ".")
		store(t, e, "dir/file", "the dialer's")
		assert.Equal(t, "the dialer's", load(t, e, "dir/file"))
	}, func(t T, e env.Env, ready func(port uint16)) {
		store(t, e, "dir/file", "the listener's")
		ready(1)
		e.Tasks.Yield()
		assert.Equal(t, "the listener's", load(t, e, "dir/file"))
	})
}
