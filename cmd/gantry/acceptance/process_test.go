package acceptance_test

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/stretchr/testify/require"
)

// patience bounds every wait for something that ought to be there soon. The machine may be busy with other tests.
const patience = 40 * time.Second

// glance is the pause between looks at something that will be there soon.
const glance = 20 * time.Millisecond

// built is the binary.
var built = processtest.NewBinary()

// binaryPath is its path.
func binaryPath(t *testing.T) string {
	t.Helper()
	directory, err := built.Directory()
	require.NoError(t, err)
	return filepath.Join(directory, "gantry")
}

// launch starts the binary. home is where it keeps what nobody told it to keep elsewhere. Whoever launches it kills it.
func launch(home string, arguments ...string) (*processtest.Process, error) {
	command, err := built.Command(home, "gantry", arguments...)
	if err != nil {
		return nil, err
	}
	return processtest.Start(command)
}

// stop ends a process in order.
func stop(t *testing.T, p *processtest.Process) {
	t.Helper()
	code, err := p.Stop(syscall.SIGTERM)
	require.NoError(t, err)
	require.Zero(t, code, p)
}
