package osenv_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/envtest"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheProductionWorldKeepsTheContract(t *testing.T) { envtest.TestAll(t, world{}) }

// world runs the suite's tasks as goroutines of this process.
type world struct{}

func fresh(t *testing.T, node string) *osenv.World {
	t.Helper()
	w, err := osenv.New(osenv.Options{Node: node, Root: t.TempDir()})
	require.NoError(t, err)
	return w
}

// wait ends the test if a clause that failed has left a task behind.
func wait(t *testing.T, w *osenv.World) {
	t.Helper()
	ended := make(chan struct{})
	go func() { w.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Errorf("node %s still has tasks", w.Node)
	}
}

func (world) Run(t *testing.T, task func(t envtest.T, e env.Env)) {
	t.Helper()
	w := fresh(t, "node")
	w.Run(func(e env.Env) { task(t, e) })
	wait(t, w)
}

func (world) RunPair(t *testing.T, dialer func(t envtest.T, e env.Env, address string), listener func(t envtest.T, e env.Env, ready func(uint16))) {
	t.Helper()
	runPair(t, fresh(t, "a"), fresh(t, "b"), dialer, listener)
}

func (world) RunOutside(t *testing.T, goroutines int, visitor func(t envtest.T, e env.Env, number int)) {
	t.Helper()
	w := fresh(t, "node")
	var all sync.WaitGroup
	for n := range goroutines {
		all.Go(func() { visitor(t, w.Env, n) })
	}
	all.Wait()
	wait(t, w)
}

func TestAViewOfATruncatedFileIsAnErrorAndNotACrash(t *testing.T) {
	root := t.TempDir()
	w, err := osenv.New(osenv.Options{Node: "node", Root: root})
	require.NoError(t, err)
	w.Run(func(e env.Env) {
		f, err := e.Disk.Create("log")
		require.NoError(t, err)
		require.NoError(t, f.WriteAt(make([]byte, 64<<10), 0))
		require.NoError(t, f.View(0, 1, func([]byte) {}))
		// Somebody else cuts the file under the mapping.
		require.NoError(t, os.Truncate(filepath.Join(root, "log"), 0))
		sum := 0
		err = f.View(32<<10, 4096, func(p []byte) {
			for _, b := range p {
				sum += int(b)
			}
		})
		require.ErrorIs(t, err, env.ErrIO)
		require.NoError(t, f.Close())
	})
}

func TestACancelledContextWakesAWaitingCall(t *testing.T) {
	w := fresh(t, "node")
	ctx, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("the user pressed stop")
	time.AfterFunc(20*time.Millisecond, func() { cancel(reason) })
	call, err := w.Door.Enter(ctx)
	require.NoError(t, err)
	defer call.Leave()
	future := env.NewFuture[int](w.Tasks)
	_, ok := future.Wait(call, env.Never)
	require.False(t, ok)
	require.ErrorIs(t, call.Err(), reason)
}

func TestASecondProcessWorthOfLocksIsRefused(t *testing.T) {
	root := t.TempDir()
	first, err := osenv.New(osenv.Options{Root: root})
	require.NoError(t, err)
	second, err := osenv.New(osenv.Options{Root: root})
	require.NoError(t, err)
	var lock env.Lock
	first.Run(func(e env.Env) { lock, err = e.Disk.Lock("lock") })
	require.NoError(t, err)
	second.Run(func(e env.Env) { _, err = e.Disk.Lock("lock") })
	require.ErrorIs(t, err, env.ErrLocked)
	require.NoError(t, lock.Unlock())
}
