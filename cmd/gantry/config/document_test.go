package config

import (
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

var rewrite = flag.Bool("rewrite", false, "write CONFIG.md anew")

func TestTheDocumentIsThatOfTheKeys(t *testing.T) {
	const path = "../CONFIG.md"
	if *rewrite {
		require.NoError(t, os.WriteFile(path, []byte(Document()), 0o644))
	}
	written, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, Document(), string(written), "the keys have changed: run make rewrite")
}
