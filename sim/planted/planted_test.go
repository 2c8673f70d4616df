//go:build planted

package planted_test

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gantrymq/gantry/sim/planted"
	"github.com/stretchr/testify/require"
)

// TestPlantedBugsAreFound builds the simulator with each bug and hunts.
func TestPlantedBugsAreFound(t *testing.T) {
	for _, b := range planted.Bugs {
		t.Run(b.Name, func(t *testing.T) {
			binary := filepath.Join(t.TempDir(), "gantrysim")
			build := exec.Command("go", "build", "-overlay", overlay(t, b), "-o", binary, "./cmd/gantrysim")
			build.Dir = root(t)
			output, err := build.CombinedOutput()
			require.NoError(t, err, string(output))
			output, err = exec.Command(binary, "hunt", b.Scenario, "--from", "1", "--seeds", fmt.Sprint(b.Seeds), "--for", "0").CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit, "no seed of %d found it:\n%s", b.Seeds, output)
			require.True(t, errors.As(err, &exit) && exit.ExitCode() >= 2, "the hunt could not run:\n%s", output)
			require.Contains(t, string(output), "FAILED:", "the simulator itself broke")
			t.Log(string(output))
		})
	}
}
