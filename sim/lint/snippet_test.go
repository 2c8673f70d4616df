package lint

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// module of the small trees.
const snippetModule = "example.org/m"

// treeOf parses sources given as name, content, name, content …
func treeOf(t *testing.T, namesAndContents ...string) *Tree {
	t.Helper()
	var texts []Text
	for i := 0; i < len(namesAndContents); i += 2 {
		texts = append(texts, Text{Name: namesAndContents[i], Content: namesAndContents[i+1]})
	}
	tree, err := NewTree(snippetModule, texts)
	require.NoError(t, err)
	return tree
}

// printed are the findings as one text, a line for each.
func printed(findings []Finding) string {
	var lines []string
	for _, finding := range findings {
		lines = append(lines, finding.String())
	}
	return strings.Join(lines, "\n")
}

// mustReject fails unless there is exactly one finding, at the place and with the words.
func mustReject(t *testing.T, findings []Finding, where, words string) {
	t.Helper()
	require.Len(t, findings, 1, "wanted one finding at %s that says %q, got:\n%s", where, words, printed(findings))
	require.Equal(t, where, findings[0].Where)
	require.Contains(t, findings[0].What, words)
}

func mustAccept(t *testing.T, findings []Finding) {
	t.Helper()
	require.Empty(t, printed(findings))
}
