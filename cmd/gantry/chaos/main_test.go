package chaos_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gantrymq/gantry/internal/processtest"
)

// The variables by which this binary tells itself what it is to be.
const (
	relayVariable  = "GANTRY_CHAOS_RELAY"  // the relay between two interfaces
	insideVariable = "GANTRY_CHAOS_INSIDE" // the test, in the namespace of the client; the value is the prefix of the namespaces
)

var resultsFile = flag.String("results", "", "`file` for the figures as JSON")

var built = processtest.NewBinary()

func TestMain(m *testing.M) {
	flag.Parse()
	switch {
	case os.Getenv(relayVariable) != "":
		os.Exit(exitCode(runRelay(os.Getenv(relayVariable))))
	case scale() == "" || os.Getenv(insideVariable) != "":
		code := m.Run()
		built.Remove()
		os.Exit(code)
	}
	os.Exit(exitCode(outside()))
}

func exitCode(err error) int {
	var ended *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended):
		return ended.ExitCode()
	}
	fmt.Fprintln(os.Stderr, "chaos:", err)
	return 1
}

// outside builds the machines, runs this binary in one of them, and removes them.
func outside() (err error) {
	if err := needs(); err != nil {
		return fmt.Errorf("GANTRY_CHAOS=%s cannot run here:\n%w", scale(), err)
	}
	// The test inside gets the signals of the terminal as well, and ends. Then this tidies up.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	directory, err := os.MkdirTemp("", "gantry-chaos-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	defer func() { err = errors.Join(err, unmountDisks(directory)) }()
	if err := mountDisks(directory); err != nil {
		return err
	}
	n := network{prefix: fmt.Sprintf("gantry%d", os.Getpid())}
	defer func() { err = errors.Join(err, n.remove()) }()
	if err := n.build(); err != nil {
		return err
	}
	return inside(n, directory)
}

// inside runs the tests in the client's namespace.
func inside(n network, directory string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	arguments := append([]string{"netns", "exec", n.space(clientMachine), self}, os.Args[1:]...)
	command := exec.Command("ip", arguments...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.Env = append(os.Environ(), insideVariable+"="+n.prefix+" "+directory)
	return command.Run()
}

// surroundings are what outside has built.
func surroundings() (n network, directory string) {
	n.prefix, directory, _ = strings.Cut(os.Getenv(insideVariable), " ")
	return n, filepath.Clean(directory)
}
