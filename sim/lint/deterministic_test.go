package lint

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// usesIn checks the body of one function in package store. The imports, separated by semicolons, are line 3, the body line 5.
func usesIn(t *testing.T, imports, body string) []Finding {
	t.Helper()
	source := "package store\n\nimport (" + imports + ")\nfunc f() {\n" + body + "\n}\n"
	return CheckUses(treeOf(t, "store/a.go", source), NewExcuses(nil))
}

func TestForbiddenUsesAreRejectedWithTheirReplacement(t *testing.T) {
	cases := []struct{ imports, body, words string }{
		{`"time"`, `_ = time.Now()`, "time.Now is not deterministic: use env.Clock.Now"},
		{`"time"`, `now := time.Now; now()`, "time.Now"},
		{`"time"`, `time.Sleep(1)`, "env.Tasks.Sleep"},
		{`"time"`, `time.AfterFunc(1, nil)`, "time.AfterFunc"},
		{`"time"`, `_ = time.UnixMilli(1)`, "add .UTC()"},
		{`"time"`, `_ = time.UnixMilli(1).Local()`, "add .UTC()"},
		{`"context"`, `context.WithTimeout(nil, 1)`, "env.Instant"},
		{`"context"`, `context.WithCancel(nil)`, "env.Call"},
		{`"fmt"`, `fmt.Println()`, "env.Env.Log"},
		{`"fmt"`, `_ = fmt.Sprintf("%p", f)`, "addresses differ"},
		{`"fmt"`, `_ = fmt.Sprintf("%d %#12p", 1, f)`, "addresses differ"},
		{`"iter"`, `iter.Pull[int](nil)`, "env.Tasks.Go"},
		{`"maps"`, `_ = maps.Keys(m)`, "slices.Sorted"},
		{`"maps"; "slices"`, `_ = slices.Collect(maps.Keys(m))`, "slices.Sorted"},
		{``, `go f()`, "env.Tasks.Go"},
		{``, `var c chan int; _ = c`, "a channel type"},
		{``, `c <- 1`, "a channel send"},
		{``, `<-c`, "a channel receive"},
		{``, `select {}`, "env.Cond"},
	}
	for _, c := range cases {
		mustReject(t, usesIn(t, c.imports, c.body), "store/a.go:5", c.words)
	}
}

func TestAForbiddenNameIsFoundBehindARenamedImport(t *testing.T) {
	findings := CheckUses(treeOf(t, "store/a.go", "package store\n\nimport clock \"time\"\n\nvar now = clock.Now\n"), NewExcuses(nil))
	mustReject(t, findings, "store/a.go:5", "time.Now")
}

func TestForbiddenImportsAreRejectedWithTheirReplacement(t *testing.T) {
	cases := []struct{ imported, words string }{
		{"math/rand", "env.Rand"}, {"math/rand/v2", "env.Rand"}, {"crypto/rand", "env.Rand"},
		{"hash/maphash", "without a random seed"}, {"os", "env.Disk"}, {"os/exec", "env.Disk"},
		{"net", "env.Network"}, {"net/http", "env.Network"}, {"runtime", "leave the Go runtime"},
		{"runtime/debug", "leave the Go runtime"}, {"sync", "env.Cond"}, {"sync/atomic", "env.Cond"},
		{"unsafe", "plain Go"}, {"log", "env.Env.Log"}, {"flag", "Options"}, {"path/filepath", "env.Disk"},
	}
	for _, c := range cases {
		mustReject(t, usesIn(t, `"`+c.imported+`"`, ""), "store/a.go:3", c.words)
	}
	mustReject(t, usesIn(t, `. "time"`, ""), "store/a.go:3", "a dot import of time")
}

func TestHarmlessUsesAreAccepted(t *testing.T) {
	cases := []struct{ imports, body string }{
		{`"time"`, `_ = time.UnixMilli(1).UTC().Add(time.Second)`},
		{`"time"`, `_ = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)`},
		{`"net/netip"; "net/url"`, ``},
		{`"context"`, `_ = context.Background()`},
		{`"maps"; "slices"`, `_ = slices.Sorted(maps.Keys(m))`},
		{`"maps"`, "// Each entry is independent of the others: the\n// order does not matter.\nfor k := range maps.Keys(m) { _ = k }"},
		{`"fmt"`, `_ = fmt.Sprintf("%d%%p, 20% path", 1)`},
		{``, `clock.Now(); var time T; _ = time`},
	}
	for _, c := range cases {
		mustAccept(t, usesIn(t, c.imports, c.body))
	}
}

func TestTestsAndWorldsMayUseEverything(t *testing.T) {
	const source = "package x\n\nimport \"time\"\n\nvar now = time.Now()\n"
	tree := treeOf(t, "store/a_test.go", source, "node/env/osenv/a.go", source, "cmd/gantry/main.go", source, "interop/npm/a.go", source)
	mustAccept(t, CheckUses(tree, NewExcuses(nil)))
}

func TestTheRootAndTheSimulatorAreDeterministic(t *testing.T) {
	for _, packagePath := range []string{".", "sim", "sim/cluster", "node/env", "node/env/envtest", "client", "linearizability"} {
		require.True(t, Deterministic(packagePath), packagePath)
	}
}

func TestAnExceptionAllowsOneUseInOnePackage(t *testing.T) {
	const source = "package x\n\nimport \"runtime/debug\"\n\nvar stack = debug.Stack\n"
	excuses := NewExcuses([]exception{{"sim", "runtime/debug", "a reason"}})
	mustReject(t, CheckUses(treeOf(t, "sim/a.go", source, "store/a.go", source), excuses), "store/a.go:3", "runtime/debug")
	mustReject(t, CheckUses(treeOf(t, "sim/a.go", "package sim\n\nimport _ \"unsafe\"\n"), excuses), "sim/a.go:3", "unsafe")
}

func TestAnExceptionNobodyNeedsIsAFinding(t *testing.T) {
	excuses := NewExcuses([]exception{{"sim", "runtime/debug", "a reason"}, {"absent", "unsafe", "a package to come"}})
	tree := treeOf(t, "sim/a.go", "package sim\n")
	mustAccept(t, CheckUses(tree, excuses))
	mustReject(t, excuses.Unneeded(tree), "sim/lint/exceptions.go", "strike the row")
}
