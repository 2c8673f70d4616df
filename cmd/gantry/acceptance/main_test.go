package acceptance_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Tests wait most of their time, so more of them run side by side than there are processors.
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(ending{m}, goleak.Cleanup(func(code int) {
		built.Remove()
		os.Exit(code)
	}))
}

// ending ends the shared cluster before leaks are looked for: a process has goroutines that copy what it says.
type ending struct{ tests *testing.M }

func (e ending) Run() int {
	code := e.tests.Run()
	if sharedCluster != nil {
		for _, node := range sharedCluster.nodes {
			node.Kill()
		}
		if code != 0 {
			fmt.Println(sharedCluster.transcripts())
		}
	}
	return code
}

// endToEnd marks a test that runs real processes. Tests run side by side: most of their time is waiting.
func endToEnd(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs real processes")
	}
	t.Parallel()
}

// slow marks a test that waits for times that are usual in production.
func slow(t *testing.T) {
	t.Helper()
	if os.Getenv("GANTRY_E2E") != "all" {
		t.Skip("takes long: make e2e runs it")
	}
}

// sharedCluster is what shared returns, once it was called.
var sharedCluster *cluster

// startShared starts it, in the directory of the binary, which outlives every test.
var startShared = sync.OnceValue(func() error {
	directory, err := built.Directory()
	if err != nil {
		return err
	}
	c := &cluster{directory: filepath.Join(directory, "cluster")}
	sharedCluster = c
	if err := c.startNames(); err != nil {
		return err
	}
	for _, name := range []string{"broker-a", "broker-b"} {
		if err := c.startBroker(name); err != nil {
			return err
		}
	}
	return c.connect()
})
