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
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := saveResults(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		if madeIn != "" {
			_ = os.RemoveAll(madeIn)
		}
		os.Exit(code)
	}))
}

// madeIn is the directory of built programs, once a test has needed it.
var madeIn string

// workshop makes that directory, with the binary and links that carry the names of RocketMQ's tools.
var workshop = sync.OnceValues(func() (string, error) {
	directory, err := os.MkdirTemp("", "gantry-interop-")
	if err != nil {
		return "", err
	}
	madeIn = directory
	binary := filepath.Join(directory, "gantry")
	// Members of broadcasting groups keep their offsets there, not in the user's home.
	if err := os.Setenv(gantry.EnvironmentOffsets, filepath.Join(directory, "offsets")); err != nil {
		return "", err
	}
	if err := run("..", "go", "build", "-o", binary, "./cmd/gantry"); err != nil {
		return "", err
	}
	for _, name := range []string{"mqnamesrv", "mqbroker"} {
		if err := os.Symlink(binary, filepath.Join(directory, name)); err != nil {
			return "", err
		}
	}
	return directory, nil
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
