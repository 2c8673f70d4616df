package store_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/stretchr/testify/require"
)

// A file of somebody else where only ours can be: the error has its path, and nothing is touched.
func TestAForeignFileIsNamedAndNothingIsTouched(t *testing.T) {
	for _, name := range []string{
		"commitlog/notes.txt", "commitlog/00000000000000000000.bak", "commitlog/00000000000000000001", "commitlog/7",
		"consumequeue/topic/0/notes.txt", "consumequeue/topic/0/00000000000000000141", "consumequeue/quiet/11/.hidden",
		"index/notes.txt", "index/777", "index/20260101000000999.tmp",
	} {
		w := filled(t)
		w.overwrite(t, name, 0, []byte("mine"))
		before := w.contents()
		err := w.openError(t)
		require.ErrorContains(t, err, name)
		unchanged(t, before, w.contents())
		report, err := w.check()
		require.NoError(t, err)
		require.Contains(t, report.Findings(), name)
		unchanged(t, before, w.contents())
		w.remove(t, name)
		w.complete(t)
	}
}

// Every call that would change a directory in which nothing may be changed fails at once.
func TestADirectoryThatCannotBeWrittenIsNotTakenForOneInUse(t *testing.T) {
	for _, filledBefore := range []bool{false, true} {
		w := newWorld(1, small(store.SyncFlush))
		if filledBefore {
			w.kernel.Close()
			w = filled(t)
		}
		before := w.contents()
		w.meddler = &meddler{disk: w.machine.Disk(), changes: true, before: func(_ int, call string) error {
			return fmt.Errorf("%s: %w", call, fs.ErrPermission)
		}}
		err := w.openError(t)
		require.ErrorIs(t, err, fs.ErrPermission)
		require.NotErrorIs(t, err, env.ErrLocked)
		require.NotContains(t, err.Error(), "in use")
		require.ErrorContains(t, err, "lock")
		_, err = w.check()
		require.ErrorIs(t, err, fs.ErrPermission)
		require.NotContains(t, err.Error(), "closed store")
		w.meddler = nil
		unchanged(t, before, w.contents())
		w.complete(t)
		w.kernel.Close()
	}
}

// The lock can be had, and nothing else.
func TestADirectoryThatBecomesUnwritableFailsWithThePath(t *testing.T) {
	w := filled(t)
	w.meddler = &meddler{disk: w.machine.Disk(), changes: true, before: func(_ int, call string) error {
		if strings.HasPrefix(call, "lock") {
			return nil
		}
		return fmt.Errorf("%s: %w", call, fs.ErrPermission)
	}}
	err := w.openError(t)
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, "abort")
	w.meddler = nil
	w.complete(t)
}
