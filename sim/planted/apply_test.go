package planted_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/sim/planted"
	"github.com/stretchr/testify/require"
)

// root is the module's directory.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	require.NoError(t, err)
	return dir
}

// overlay writes the edited files and the overlay of a bug into a directory, and returns the overlay's path.
func overlay(t *testing.T, b planted.Bug) string {
	t.Helper()
	base, dir := root(t), t.TempDir()
	read := func(path string) (string, error) {
		content, err := os.ReadFile(filepath.Join(base, path))
		return string(content), err
	}
	write := func(path, content string) (string, error) {
		// Two packages may have files of one name.
		target := filepath.Join(dir, strings.ReplaceAll(path, "/", "_"))
		return target, os.WriteFile(target, []byte(content), 0o644)
	}
	content, err := planted.Overlay(b, base, read, write)
	require.NoError(t, err)
	path := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(path, content, 0o644))
	return path
}

func TestEveryPlantedBugFitsTheCodeAsItIs(t *testing.T) {
	for _, b := range planted.Bugs {
		t.Run(b.Name, func(t *testing.T) { overlay(t, b) })
	}
}

func TestEachOfTheTwentyWaysHasAPlantedBug(t *testing.T) {
	known := map[string]bool{}
	for _, b := range planted.Bugs {
		known[b.Name] = true
	}
	page, err := os.ReadFile(filepath.Join(root(t), "sim", "README.md"))
	require.NoError(t, err)
	for number := 1; number <= 20; number++ {
		_, row, found := strings.Cut(string(page), fmt.Sprintf("\n| %d | ", number))
		require.True(t, found, "number %d is not in the table", number)
		row, _, _ = strings.Cut(row, " |\n")
		name := row[strings.LastIndex(row, "| ")+2:]
		require.True(t, known[name], "number %d: there is no planted bug %q", number, name)
	}
}
