package osenv_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A child process has the parent's handles from its birth until it runs its own program.
func TestALockIsFreeAfterUnlockThoughANewbornProcessHoldsItsHandle(t *testing.T) {
	root := t.TempDir()
	w, err := osenv.New(osenv.Options{Root: root})
	require.NoError(t, err)
	w.Run(func(e env.Env) {
		lock, err := e.Disk.Lock("lock")
		require.NoError(t, err)
		inherited, err := unix.Dup(handleOf(t, filepath.Join(root, "lock")))
		require.NoError(t, err)
		defer unix.Close(inherited)
		_, err = e.Disk.Lock("lock")
		require.ErrorIs(t, err, env.ErrLocked)
		require.NoError(t, lock.Unlock())
		lock, err = e.Disk.Lock("lock")
		require.NoError(t, err)
		require.NoError(t, lock.Unlock())
	})
}

// handleOf finds the handle with which this process has a file open.
func handleOf(t *testing.T, path string) int {
	t.Helper()
	const handles = "/proc/self/fd"
	entries, err := os.ReadDir(handles)
	require.NoError(t, err)
	for _, entry := range entries {
		if target, _ := os.Readlink(filepath.Join(handles, entry.Name())); target == path {
			handle, err := strconv.Atoi(entry.Name())
			require.NoError(t, err)
			return handle
		}
	}
	require.Fail(t, "the file is not open", path)
	return -1
}
