//go:build interop

package interop_test

import (
	"bytes"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience bounds every wait. When a broker goes away, the official client waits up to 30 s for the answer to a pull
// that it will never get.
const patience = 60 * time.Second

// transcript is what a process prints. It may be read while the process writes.
type transcript struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (tr *transcript) Write(p []byte) (int, error) {
	tr.mutex.Lock()
	defer tr.mutex.Unlock()
	return tr.text.Write(p)
}

func (tr *transcript) String() string {
	tr.mutex.Lock()
	defer tr.mutex.Unlock()
	return tr.text.String()
}

// lines are the complete lines from the nth on.
func (tr *transcript) lines(n int) []string {
	all := strings.SplitAfter(tr.String(), "\n")
	// What follows the last line end is not complete.
	return all[min(n, len(all)-1) : len(all)-1]
}

// process is a program under test: the binary, or a peer.
type process struct {
	command  *exec.Cmd
	in       io.WriteCloser
	out, err transcript
	exited   chan struct{} // closed when it has ended
}

// launch starts a program. It is killed at the end of the test.
func launch(t *testing.T, command *exec.Cmd) *process {
	t.Helper()
	p := &process{command: command, exited: make(chan struct{})}
	in, err := command.StdinPipe()
	require.NoError(t, err)
	p.in, command.Stdout, command.Stderr = in, &p.out, &p.err
	require.NoError(t, command.Start())
	go func() {
		// How it ended is asked of ProcessState.
		_ = command.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%q said\n%s\n%s", command.Args, shortened(p.out.String()), shortened(p.err.String()))
		}
	})
	return p
}

// shortened keeps the end, which tells most.
func shortened(text string) string {
	const kept = 2 << 10
	if len(text) <= kept {
		return text
	}
	return "…" + text[len(text)-kept:]
}

// kill ends the process as a crash does, and waits until it is gone.
func (p *process) kill() {
	// A process that has ended already cannot be killed, and need not be.
	_ = p.command.Process.Kill()
	<-p.exited
}

// stop asks it to end, and demands that it does so in order.
func (p *process) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, p.command.Process.Signal(syscall.SIGTERM))
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
	select {
	case <-p.exited:
		require.Zero(t, p.command.ProcessState.ExitCode(), "%q failed", p.command.Args)
	case <-time.After(patience):
		t.Fatalf("%q does not end", p.command.Args)
	}
}

// announced waits for a line and returns the first group of the pattern.
func (p *process) announced(t *testing.T, pattern string) string {
	t.Helper()
	wanted := regexp.MustCompile(pattern)
	var found []string
	eventually(t, "the line "+pattern, func() bool {
		found = wanted.FindStringSubmatch(p.out.String())
		return found != nil || p.ended()
	})
	require.NotNil(t, found, "%q ended before it said %s", p.command.Args, pattern)
	return found[1]
}

func (p *process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
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
