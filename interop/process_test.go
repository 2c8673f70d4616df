//go:build interop

package interop_test

import (
	"io"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/stretchr/testify/require"
)

// patience bounds every wait.
const patience = processtest.Patience

// process is a program under test, the binary or a peer, with its standard input.
type process struct {
	*processtest.Process
	in io.WriteCloser
}

// launch starts a program. It is killed at the end of the test.
func launch(t *testing.T, command *exec.Cmd) *process {
	t.Helper()
	in, err := command.StdinPipe()
	require.NoError(t, err)
	p, err := processtest.Start(command)
	require.NoError(t, err)
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%q said\n%s\n%s", command.Args, shortened(p.Out.String()), shortened(p.Err.String()))
		}
	})
	return &process{p, in}
}

// shortened keeps the end, which tells most: peers say a line of every message.
func shortened(text string) string {
	const kept = 2 << 10
	if len(text) <= kept {
		return text
	}
	return "…" + text[len(text)-kept:]
}

// stop asks it to end, and demands that it does so in order.
func (p *process) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, p.Command.Process.Signal(syscall.SIGTERM))
	p.requireEnd(t)
}

// finish ends its input, and demands that it ends in order.
func (p *process) finish(t *testing.T) {
	t.Helper()
	require.NoError(t, p.in.Close())
	p.requireEnd(t)
}

func (p *process) requireEnd(t *testing.T) {
	t.Helper()
	code, err := p.Code()
	require.NoError(t, err)
	require.Zero(t, code, "%q failed", p.Command.Args)
}

// announced waits for a line and returns the first group of the pattern.
func (p *process) announced(t *testing.T, pattern string) string {
	t.Helper()
	found, err := p.Says(pattern)
	require.NoError(t, err)
	return found
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}
