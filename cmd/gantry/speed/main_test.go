package speed_test

import (
	"os"
	"testing"

	"github.com/gantrymq/gantry/internal/processtest"
)

func TestMain(m *testing.M) {
	if os.Getenv(yardstickVariable) != "" {
		yardstick()
		return
	}
	code := m.Run()
	built.Remove()
	os.Exit(code)
}

// built is the binary.
var built = processtest.NewBinary()
