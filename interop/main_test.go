//go:build interop

package interop_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/internal/processtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := saveResults(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		built.Remove()
		os.Exit(code)
	}))
}

// built is the binary, with links that carry the names of RocketMQ's tools.
var built = processtest.NewBinary("mqnamesrv", "mqbroker")

// madeIn is the directory of the binary and of the other programs that are built, once a test has needed it.
var madeIn string

// workshop makes that directory.
var workshop = sync.OnceValues(func() (directory string, err error) {
	if madeIn, err = built.Directory(); err != nil {
		return "", err
	}
	// Members of broadcasting groups keep their offsets there, not in the user's home.
	return madeIn, os.Setenv(gantry.EnvironmentOffsets, filepath.Join(madeIn, "offsets"))
})

// run runs a tool to its end. The error has what it printed.
func run(directory, program string, arguments ...string) error {
	command := exec.Command(program, arguments...)
	command.Dir = directory
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q in %s: %w\n%s", program, arguments, directory, err, output)
	}
	return nil
}

// takesMinutes leaves out, with GANTRY_INTEROP_SHORT=1, what mostly waits for the clocks of Apache's broker.
func takesMinutes(t *testing.T) {
	t.Helper()
	if os.Getenv("GANTRY_INTEROP_SHORT") != "" {
		t.Skip("waits for minutes, and GANTRY_INTEROP_SHORT is set: make interop runs it")
	}
}
