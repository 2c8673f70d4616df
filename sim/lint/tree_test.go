package lint

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestATreeHoldsSourcesAndTextsButNothingThatToolsMade(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod":                "module example.org/m\n\ngo 1.26\n",
		"a/a.go":                "package a\n",
		"a/testdata/b.go":       "this is not Go",
		"_drafts/c.go":          "nor is this",
		"README.md":             "text\n",
		"picture":               "\x00\x01",
		"bin/notes.txt":         "made by a tool",
		"x/node_modules/d.go":   "package d\n",
		"a/testdata/script.txt": "text too\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	tree, err := ReadTree(dir)
	require.NoError(t, err)
	require.Equal(t, "example.org/m", tree.Module)
	require.Len(t, tree.Packages, 1)
	require.Equal(t, "a", tree.Packages[0].Path)
	require.Len(t, tree.Packages[0].Files, 1)
	var names []string
	for _, text := range tree.Texts {
		names = append(names, text.Name)
	}
	require.Equal(t, []string{"README.md", "_drafts/c.go", "a/a.go", "a/testdata/b.go", "a/testdata/script.txt", "go.mod"}, names)
}

func TestASourceThatDoesNotParseIsNamed(t *testing.T) {
	_, err := NewTree(snippetModule, []Text{{"a/a.go", "package"}})
	require.ErrorContains(t, err, "a/a.go")
}

func TestFindingsAreSortedAndEachIsToldOnce(t *testing.T) {
	findings := inOrder([]Finding{{"b", "2"}, {"a", "1"}, {"b", "2"}, {"b", "1"}})
	require.Equal(t, "a: 1\nb: 1\nb: 2", printed(findings))
}
