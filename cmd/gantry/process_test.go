package main

import (
	"os"
	"testing"

	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		built.Remove()
		os.Exit(code)
	}))
}

// built is the binary, with links that carry the names of RocketMQ's tools.
var built = processtest.NewBinary("mqnamesrv", "mqbroker", "mqadmin")

// process is a run of the binary.
type process struct{ *processtest.Process }

// launch starts a program of the binary: "gantry", or the name of a link. It is killed at the end of the test.
func launch(t *testing.T, program string, arguments ...string) process {
	t.Helper()
	command, err := built.Command(t.TempDir(), program, arguments...)
	require.NoError(t, err)
	return process{processtest.Launch(t, command)}
}

// says waits until it has printed what the pattern matches, and returns the first group.
func (p process) says(t *testing.T, pattern string) string {
	t.Helper()
	found, err := p.Says(pattern)
	require.NoError(t, err)
	return found
}

// stop sends a signal and returns the exit code.
func (p process) stop(t *testing.T, signal os.Signal) int {
	t.Helper()
	code, err := p.Stop(signal)
	require.NoError(t, err)
	return code
}

// code waits for the end and returns the exit code.
func (p process) code(t *testing.T) int {
	t.Helper()
	code, err := p.Code()
	require.NoError(t, err)
	return code
}

// nameServerProcess starts a name server on a free port and returns its address.
func nameServerProcess(t *testing.T) (process, string) {
	t.Helper()
	p := launch(t, "mqnamesrv", processtest.NameServerOptions(t.TempDir())...)
	return p, p.says(t, processtest.NameServerStarted)
}

// brokerProcess starts a broker and returns its address.
func brokerProcess(t *testing.T, name, nameServers, directory, port string) (process, string) {
	t.Helper()
	p := launch(t, "mqbroker", processtest.BrokerOptions(name, nameServers, directory, port,
		"--maxMessageSize", "65536", "--mappedFileSizeCommitLog", "1048576", "--log-level", "warn")...)
	return p, p.says(t, processtest.BrokerStarted(name)+`\. serializeType=JSON and name server is `)
}
