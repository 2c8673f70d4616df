package lint

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func checkImports(t *testing.T, policy string, sources ...string) []Finding {
	t.Helper()
	return writtenPolicy(t, policy).CheckImports(treeOf(t, sources...))
}

func TestAnImportWithoutALineInThePolicyIsRejected(t *testing.T) {
	findings := checkImports(t, "NONE < store, transport;",
		"store/a.go", "package store\n\nimport _ \"example.org/m/transport\"\n",
		"transport/a.go", "package transport\n")
	mustReject(t, findings, "store/a.go:3", "store must not import transport")
}

func TestAnImportWithALineInThePolicyIsAccepted(t *testing.T) {
	mustAccept(t, checkImports(t, "NONE < wire;\n wire < proto;",
		"proto/a.go", "package proto\n\nimport (\n\t_ \"example.org/m/wire\"\n\t_ \"time\"\n)\n",
		"wire/a.go", "package wire\n"))
}

func TestAChainReachesOverItsLevelsAndSeparateLinesDoNot(t *testing.T) {
	sources := []string{"a/a.go", "package a\n", "b/b.go", "package b\n",
		"c/c.go", "package c\n\nimport _ \"example.org/m/a\"\n"}
	mustAccept(t, checkImports(t, "NONE < a < b < c;", sources...))
	mustReject(t, checkImports(t, "NONE < a < b; b < c;", sources...), "c/c.go:3", "c must not import a")
}

func TestAPackageOnTheSameLevelIsNotImported(t *testing.T) {
	findings := checkImports(t, "NONE < a < b, c;", "b/b.go", "package b\n\nimport _ \"example.org/m/c\"\n")
	mustReject(t, findings, "b/b.go:3", "b must not import c")
}

func TestAPackageThePolicyDoesNotKnowIsRejected(t *testing.T) {
	mustReject(t, checkImports(t, "NONE < a;", "util/a.go", "package util\n"), "util", "no line in the policy")
}

func TestTheRootIsAPackageToo(t *testing.T) {
	findings := checkImports(t, "NONE < ., a;", "a/a.go", "package a\n\nimport _ \"example.org/m\"\n")
	mustReject(t, findings, "a/a.go:3", "a must not import .")
}

func TestInternalTestsMayImportWhatTestsMayAndExternalTestsMore(t *testing.T) {
	const written = "NONE < a, b, sim; sim < TESTS;"
	mustAccept(t, checkImports(t, written,
		"a/a_test.go", "package a\n\nimport _ \"example.org/m/sim\"\n",
		"a/x_test.go", "package a_test\n\nimport _ \"example.org/m/b\"\n"))
	mustReject(t, checkImports(t, written, "a/a_test.go", "package a\n\nimport _ \"example.org/m/b\"\n"),
		"a/a_test.go:3", "a must not import b")
}

func TestAMalformedPolicyIsRefused(t *testing.T) {
	for _, text := range []string{"a b < c;", "a;", "a < ;", "a < b !< c;", "< a;"} {
		_, err := ParseLattice(text)
		require.Error(t, err, text)
	}
}

func TestCommentsInAPolicyAreIgnored(t *testing.T) {
	lattice := writtenPolicy(t, "# a < c; no\nNONE < a; # and\na < b;")
	require.True(t, lattice.mayImport("b", "a"))
	require.False(t, lattice.mayImport("c", "a"))
}

func TestAMisspeltNameBehindABarrierIsFound(t *testing.T) {
	lattice := writtenPolicy(t, "NONE < node/a, b; node/... !< bb; \"testing\" !< node/a;")
	require.Equal(t, []string{"bb"}, lattice.Undeclared(lattice))
}

func TestABarrierHoldsAlongAWholeWay(t *testing.T) {
	tree := treeOf(t,
		"cmd/g/main.go", "package main\n\nimport _ \"example.org/m/a\"\n",
		"a/a.go", "package a\n\nimport _ \"example.org/m/b\"\n",
		"b/b.go", "package b\n\nimport _ \"example.org/m/sim/x\"\n",
		"sim/x/x.go", "package x\n")
	findings := writtenPolicy(t, "sim/... !< cmd/g;").CheckBarriers(tree, nil)
	mustReject(t, findings, "cmd/g", "cmd/g -> a -> b -> sim/x")
}

func TestABarrierHoldsThroughPackagesOutsideTheModule(t *testing.T) {
	tree := treeOf(t, "a/a.go", "package a\n\nimport _ \"example.com/other\"\n")
	outside := map[string][]string{"example.com/other": {"testing"}}
	findings := writtenPolicy(t, "\"testing\" !< a;").CheckBarriers(tree, outside)
	mustReject(t, findings, "a", `a -> "example.com/other" -> "testing"`)
}

func TestABarrierForPackagesLeavesTheirTestsAlone(t *testing.T) {
	tree := treeOf(t, "a/a.go", "package a\n", "a/a_test.go", "package a_test\n\nimport _ \"example.org/m/sim\"\n", "sim/s.go", "package sim\n")
	lattice := writtenPolicy(t, "sim !< a;")
	mustAccept(t, lattice.CheckBarriers(tree, nil))
	mustReject(t, lattice.CheckTestBarriers(tree, nil), "a", "a -> sim")
}

func TestTheWrittenPolicyRejectsWhatMustNeverHappen(t *testing.T) {
	cases := []struct{ file, source, where, words string }{
		{"node/broker/a.go", "package broker\n\nimport _ \"example.org/m/node/env/osenv\"\n", "node/broker/a.go:3", "must not import node/env/osenv"},
		{"store/a.go", "package store\n\nimport _ \"example.org/m/transport\"\n", "store/a.go:3", "must not import transport"},
		{"client/a.go", "package client\n\nimport _ \"example.org/m/sim\"\n", "client/a.go:3", "must not import sim"},
		{"cmd/gantry/a.go", "package main\n\nimport _ \"example.org/m/sim\"\n", "cmd/gantry/a.go:3", "must not import sim"},
		{"sim/a.go", "package sim\n\nimport _ \"example.org/m/node/env/osenv\"\n", "sim/a.go:3", "must not import node/env/osenv"},
	}
	for _, c := range cases {
		mustReject(t, checkImports(t, policy, c.file, c.source), c.where, c.words)
	}
}

func TestTheWrittenTestPolicyKeepsTheWorldsApart(t *testing.T) {
	lattice := writtenPolicy(t, testPolicy)
	real := treeOf(t, "sim/scenario/a_test.go", "package scenario_test\n\nimport _ \"example.org/m/node/env/osenv\"\n")
	mustReject(t, lattice.CheckTestBarriers(real, nil), "sim/scenario", "node/env/osenv")
	simulated := treeOf(t, "cmd/gantry/a_test.go", "package main_test\n\nimport _ \"example.org/m/sim/cluster\"\n")
	mustReject(t, lattice.CheckTestBarriers(simulated, nil), "cmd/gantry", "sim/cluster")
}
