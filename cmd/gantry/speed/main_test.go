package speed_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

func TestMain(m *testing.M) {
	if os.Getenv(yardstickVariable) != "" {
		yardstick()
		return
	}
	code := m.Run()
	if builtIn != "" {
		_ = os.RemoveAll(builtIn)
	}
	os.Exit(code)
}

// builtIn is the directory of the binary, once it is built.
var builtIn string

// build makes the binary once.
var build = sync.OnceValues(func() (string, error) {
	directory, err := os.MkdirTemp("", "gantry-speed-")
	if err != nil {
		return "", err
	}
	builtIn = directory
	binary := filepath.Join(directory, "gantry")
	if output, err := exec.Command("go", "build", "-o", binary, "github.com/gantrymq/gantry/cmd/gantry").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, output)
	}
	return binary, nil
})
