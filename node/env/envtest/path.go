package envtest

import (
	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/assert"
)

func pathClauses() []clause {
	return []clause{
		{"A path above the root is refused", func(t T, e env.Env) { pathIsRefused(t, e, "../outside") }},
		{"A path that leaves the root on its way is refused", func(t T, e env.Env) {
			pathIsRefused(t, e, "dir/../../outside")
		}},
		{"An absolute path is refused", func(t T, e env.Env) { pathIsRefused(t, e, "/outside") }},
		{"Errors of every call name the path", errorsNameThePath},
	}
}

// pathIsRefused tries a path with every call that takes one. A missing file would be the
// wrong reason: it would mean that the world looked there.
func pathIsRefused(t T, e env.Env, bad string) {
	store(t, e, "dir/file", "content")
	calls := []struct {
		name string
		err  error
	}{
		{"Open", closing(e.Disk.Open(bad))},
		{"Create", closing(e.Disk.Create(bad))},
		{"Rename from", e.Disk.Rename(bad, "dir/new")},
		{"Rename to", e.Disk.Rename("dir/file", bad)},
		{"Remove", e.Disk.Remove(bad)},
		{"List", second(e.Disk.List(bad))},
		{"SyncDir", e.Disk.SyncDir(bad)},
		{"Lock", second(e.Disk.Lock(bad))},
	}
	for _, call := range calls {
		if assert.Error(t, call.err, "%s accepted %q", call.name, bad) {
			assert.NotErrorIs(t, call.err, env.ErrNotExist, "%s looked for %q", call.name, bad)
			assert.Contains(t, call.err.Error(), bad, "the error of %s names the path", call.name)
		}
	}
	assert.Equal(t, "content", load(t, e, "dir/file"))
	assertNames(t, e, ".", "dir")
	assertNames(t, e, "dir", "file")
}

// closing closes the file that a call should not have returned.
func closing(f env.File, err error) error {
	if err == nil {
		f.Close()
	}
	return err
}

// second is the error of a call that returns something else, too.
func second[V any](_ V, err error) error { return err }

func errorsNameThePath(t T, e env.Env) {
	l, err := e.Disk.Lock("the lock")
	if assert.NoError(t, err) {
		defer l.Unlock()
	}
	calls := []struct {
		err  error
		path string
	}{
		{closing(e.Disk.Open("missing/file")), "missing/file"},
		{e.Disk.Rename("missing/old", "new"), "missing/old"},
		{e.Disk.Remove("missing/entry"), "missing/entry"},
		{second(e.Disk.Lock("the lock")), "the lock"},
	}
	for _, call := range calls {
		assert.ErrorContains(t, call.err, call.path)
	}
	store(t, e, "closed file", "content")
	f, err := e.Disk.Open("closed file")
	if assert.NoError(t, err) {
		f.Close()
		assert.ErrorContains(t, f.WriteAt([]byte("x"), 0), "closed file")
	}
}
