package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if directory := builtIn; directory != "" {
			_ = os.RemoveAll(directory)
		}
		os.Exit(code)
	}))
}

// builtIn is the directory of the binary, once a test has needed it.
var builtIn string

// build makes the binary once for all tests, with links that carry the names of RocketMQ's tools.
var build = sync.OnceValues(func() (string, error) {
	directory, err := os.MkdirTemp("", "gantry-e2e-")
	if err != nil {
		return "", err
	}
	builtIn = directory
	binary := filepath.Join(directory, "gantry")
	if output, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, output)
	}
	for _, name := range []string{"mqnamesrv", "mqbroker", "mqadmin"} {
		if err := os.Symlink(binary, filepath.Join(directory, name)); err != nil {
			return "", err
		}
	}
	return directory, nil
})

// process is a program under test.
type process struct {
	command  *exec.Cmd
	out, err transcript
	exited   chan struct{} // closed when it has ended
}

// launch starts a program of the binary: "gantry", or the name of a link. It is killed at the end of the test.
func launch(t *testing.T, program string, arguments ...string) *process {
	t.Helper()
	directory, err := build()
	require.NoError(t, err)
	p := &process{command: exec.Command(filepath.Join(directory, program), arguments...), exited: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = &p.out, &p.err
	p.command.Env = append(os.Environ(), "NAMESRV_ADDR=", "HOME="+t.TempDir())
	require.NoError(t, p.command.Start())
	go func() {
		// How it ended is asked of ProcessState.
		_ = p.command.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.kill(t)
		if t.Failed() {
			t.Logf("%s %q said\n%s\n%s", program, arguments, p.out.String(), p.err.String())
		}
	})
	return p
}

// kill ends the process as a crash does, and waits until it is gone.
func (p *process) kill(t *testing.T) {
	t.Helper()
	// A process that has ended already cannot be killed, and need not be.
	_ = p.command.Process.Kill()
	<-p.exited
}

// stop sends a signal and returns the exit code.
func (p *process) stop(t *testing.T, signal os.Signal) int {
	t.Helper()
	require.NoError(t, p.command.Process.Signal(signal))
	return p.code(t)
}

// code waits for the end and returns the exit code.
func (p *process) code(t *testing.T) int {
	t.Helper()
	select {
	case <-p.exited:
		return p.command.ProcessState.ExitCode()
	case <-time.After(20 * time.Second):
		// Its goroutines say what it waits for.
		_ = p.command.Process.Signal(syscall.SIGQUIT)
		<-p.exited
		t.Fatalf("the process does not end:\n%s\n%s", p.out.String(), p.err.String())
		return 0
	}
}

// nameServerProcess starts a name server on a free port and returns its address.
func nameServerProcess(t *testing.T) (*process, string) {
	t.Helper()
	p := launch(t, "mqnamesrv", "--bindAddress", loopback, "--listenPort", "0", "--kvConfigPath", filepath.Join(t.TempDir(), "kv.json"))
	return p, p.out.waitFor(t, `The Name Server boot success\. serializeType=JSON, address (\S+)`)
}

// brokerProcess starts a broker and returns its address.
func brokerProcess(t *testing.T, name, nameServers, directory, port string) (*process, string) {
	t.Helper()
	p := launch(t, "mqbroker", "-n", nameServers, "--brokerName", name, "--bindAddress", loopback, "--listenPort", port,
		"--storePathRootDir", directory, "--maxMessageSize", "65536", "--mappedFileSizeCommitLog", "1048576",
		// The port less 2 may be another test's.
		"--fastListenEnable", "false", "--log-level", "warn")
	return p, p.out.waitFor(t, `The broker\[`+name+`, (\S+)\] boot success\. serializeType=JSON and name server is `)
}
