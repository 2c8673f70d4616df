package lint

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// This file applies the rules to the repository. The other tests apply them to
// small sources that they must reject.

const root = "../.."

var (
	readRepository = sync.OnceValues(func() (*Tree, error) { return ReadTree(root) })
	askGoOnce      = sync.OnceValues(func() (*World, error) { return AskGo(root) })
)

func repository(t *testing.T) *Tree {
	t.Helper()
	tree, err := readRepository()
	require.NoError(t, err)
	return tree
}

func compiled(t *testing.T) *World {
	t.Helper()
	world, err := askGoOnce()
	require.NoError(t, err)
	return world
}

// reportAll fails with one line for each finding.
func reportAll(t *testing.T, findings []Finding) {
	t.Helper()
	for _, finding := range findings {
		t.Error(finding)
	}
}

func writtenPolicy(t *testing.T, text string) *Lattice {
	t.Helper()
	lattice, err := ParseLattice(text)
	require.NoError(t, err)
	return lattice
}

func TestImportsFollowThePolicy(t *testing.T) {
	tree, outside := repository(t), compiled(t).Imports
	written := writtenPolicy(t, policy)
	reportAll(t, written.CheckImports(tree))
	reportAll(t, written.CheckBarriers(tree, outside))
	reportAll(t, writtenPolicy(t, testPolicy).CheckTestBarriers(tree, outside))
}

func TestThePolicyNamesOnlyPackagesItDeclares(t *testing.T) {
	written := writtenPolicy(t, policy)
	require.Empty(t, written.Undeclared(written))
	require.Empty(t, writtenPolicy(t, testPolicy).Undeclared(written))
}

func TestNodeCodeIsDeterministic(t *testing.T) {
	tree, excuses := repository(t), NewExcuses(exceptions)
	reportAll(t, CheckUses(tree, excuses))
	reportAll(t, CheckTypedUses(tree, compiled(t), excuses))
	reportAll(t, excuses.Unneeded(tree))
}

func TestFunctionsAndFilesAreShort(t *testing.T) {
	reportAll(t, CheckSizes(repository(t), longFunctions, longFiles))
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	reportAll(t, CheckDocuments(repository(t)))
}

func TestHelpersCallHelper(t *testing.T) {
	reportAll(t, CheckHelpers(repository(t)))
}

func TestNothingIsLeftBehind(t *testing.T) {
	reportAll(t, CheckWords(repository(t).Texts))
}

func TestDependenciesAreAgreedUpon(t *testing.T) {
	output, err := runGo(root, "mod", "edit", "-json")
	require.NoError(t, err)
	required, err := Required(output)
	require.NoError(t, err)
	require.NotEmpty(t, required)
	reportAll(t, CheckRequired(required, dependencies))
	reportAll(t, CheckDependencyUse(repository(t), dependencies))
}

func TestEveryExceptionAndDependencyHasItsReason(t *testing.T) {
	for _, row := range append(worlds, exceptions...) {
		require.NotEmpty(t, row.reason, row.pkg)
	}
	for _, row := range dependencies {
		require.NotEmpty(t, row.reason, row.path)
	}
}
