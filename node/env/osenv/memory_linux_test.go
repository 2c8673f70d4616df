package osenv

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheMachineHasMemory(t *testing.T) {
	require.Greater(t, Memory(), int64(64<<20))
}

func TestALimitOfMemoryIsANumberOrNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "memory.max")
	require.EqualValues(t, 7, limitIn(path, 7), "no file")
	for content, want := range map[string]int64{"1024\n": 1024, "max\n": 7, "": 7, "0": 7} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		require.Equal(t, want, limitIn(path, 7), content)
	}
}
