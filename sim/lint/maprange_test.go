package lint

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// loopsIn checks the body of one function that has a map from names to
// numbers, and some variables to play with. The body begins on line 10.
func loopsIn(t *testing.T, body string) []Finding {
	t.Helper()
	source := `package store
import ("maps"; "slices"; "sort"; "strings"; "time"; "reflect")
var _, _, _, _, _, _ = maps.Keys[map[int]int], slices.Sort[[]int], sort.Ints, strings.ToLower, time.Now, reflect.ValueOf
type names map[string]int
type table struct { entries names; total int; size float64 }
func effect(string) bool
func sortOurs([]string)
func count[M ~map[string]int](of M) {}
func f[M ~map[string]int, C chan int](m map[string]int, tab *table, generic M, channel C, keys []string) {
` + body + "\n}\n"
	return CheckTypedUses(treeOf(t, "store/a.go", source), compiled(t), NewExcuses(nil))
}

func TestALoopWhoseOrderMayReachAnEffectIsRejected(t *testing.T) {
	for why, body := range map[string]string{
		"calls a function":                    `for k := range m { effect(k) }`,
		"of a named type":                     `for k := range tab.entries { effect(k) }`,
		"of a type parameter":                 `for k := range generic { effect(k) }`,
		"with a label":                        `again: for k := range m { if effect(k) { continue again } }`,
		"in a case":                           `switch { case true: effect(""); for k := range m { effect(k) } }`,
		"returns whichever is first":          `for range m { return }`,
		"collects and does not sort":          `for k := range m { keys = append(keys, k) }; effect(keys[0])`,
		"sorts another slice":                 `other := keys; for k := range m { keys = append(keys, k) }; sort.Strings(other)`,
		"sorts too late":                      `for k := range m { keys = append(keys, k) }; effect(keys[0]); sort.Strings(keys)`,
		"collects what calls return":          `for k := range m { if effect(k) { keys = append(keys, k) } }; sort.Strings(keys)`,
		"collects until there are enough":     `for k := range m { if len(keys) < 3 { keys = append(keys, k) } }; sort.Strings(keys)`,
		"deletes until few are left":          `for k := range m { if len(m) > 3 { delete(m, k) } }`,
		"deletes what a call chooses":         `for k := range m { if effect(k) { delete(m, k) } }`,
		"adds floating-point numbers":         `for range m { tab.size += 0.1 }`,
		"joins strings":                       `all := ""; for k := range m { all += k }; _ = all`,
		"counts up to a limit":                `for range m { if tab.total < 3 { tab.total++ } }`,
		"one sum feeds the other":             `n := 0; for _, v := range m { n += v; tab.total += n }`,
		"stops at the first":                  `for range m { tab.total++; break }`,
		"keeps the last":                      `last := ""; for k := range m { last = k }; _ = last`,
		"the reason is on the line but one":   "\n// order does not matter: no\n\nfor k := range m { effect(k) }",
		"a loop inside an acceptable one":     "// order does not matter: no\nfor range m {\nfor k := range m { effect(k) } }",
		"the other branch has another effect": `for k := range m { if k == "" { delete(m, k) } else { effect(k) } }`,
	} {
		findings := loopsIn(t, body)
		require.Len(t, findings, 1, "%s: %s\n%s", why, body, printed(findings))
		require.Contains(t, findings[0].What, "a loop over a map is not deterministic: use slices.Sorted(maps.Keys(…))", why)
	}
}

func TestALoopWhoseOrderReachesNothingIsAccepted(t *testing.T) {
	for _, body := range []string{
		`for k := range m { keys = append(keys, k) }; sort.Strings(keys)`,
		`for k := range m { keys = append(keys, k) }; slices.Sort(keys)`,
		`for k, v := range m { if v == 0 { continue }; keys = append(keys, k) }; slices.SortFunc(keys, strings.Compare)`,
		`for k, v := range m { if v > 0 { keys = append(keys, string(k)) } }; sortOurs(keys)`,
		`for k, v := range m { if v == 0 { delete(m, k) } }`,
		`for range m { tab.total++ }`,
		`for k, v := range m { tab.total += v * len(k) }`,
		`for _, v := range m { if v > 3 { tab.total -= v }; tab.entries["sum"] += v }`,
		"// order does not matter: each is told once, and none knows of the others\nfor k := range m { effect(k) }",
		"// Each is told once: the order\n// does not matter.\nfor k := range m { effect(k) }",
		`for _, k := range slices.Sorted(maps.Keys(m)) { effect(k) }`,
		`for i := range 3 { keys[i] = "" }; for _, k := range keys { effect(k) }; for range "text" { effect("") }`,
	} {
		findings := loopsIn(t, body)
		require.Empty(t, printed(findings), body)
	}
}

func TestOtherThingsThatOnlyTypesShowAreRejected(t *testing.T) {
	for body, words := range map[string]string{
		`for range channel { effect("") }`:                   "a loop over a channel",
		`for range missing { effect("") }`:                   "unknown type",
		`_ = time.Time{}.Local()`:                            "(time.Time).Local",
		`_ = reflect.ValueOf(m).MapKeys()`:                   "(reflect.Value).MapKeys",
		`type mine struct{ time.Time }; _ = mine{}.Local()`:  "(time.Time).Local",
		`it := reflect.ValueOf(m).MapRange; _ = it().Next()`: "(reflect.Value).MapRange",
	} {
		mustReject(t, loopsIn(t, body), "store/a.go:10", words)
	}
}

func TestFilesBehindABuildConstraintAreChecked(t *testing.T) {
	tree := treeOf(t, "store/a.go", "//go:build !planted\n\npackage store\n\nvar m []int\n",
		"store/b.go", "//go:build planted\n\npackage store\n\nvar m map[int]int\n",
		"store/c.go", "package store\n\nfunc f() {\n\tfor range m {\n\t\tf()\n\t}\n}\n")
	mustReject(t, CheckTypedUses(tree, compiled(t), NewExcuses(nil)), "store/c.go:4", "a loop over a map")
}
