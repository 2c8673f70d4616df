package filter_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gantrymq/gantry/node/filter"
)

// Expressions of the kinds that people write, and properties they are asked about.
var (
	usual = map[string]string{
		"Tags":     "TagA || TagB || TagC",
		"Integer":  "size > 5",
		"Double":   "size BETWEEN 0.5 AND 99.5",
		"Text":     "region = 'hangzhou'",
		"Failure":  "region > 5",
		"Combined": "(TAGS IS NOT NULL AND TAGS IN ('TagA', 'TagB')) AND (size BETWEEN 0 AND 3 OR region <> 'shanghai')",
	}
	someProperties = []struct{ name, value string }{
		{"KEYS", "order-1"}, {"UNIQ_KEY", "7F0000010001"}, {"size", "42"}, {"TAGS", "TagB"}, {"region", "hangzhou"}}
)

func someProperty(name string) (string, bool) {
	for _, p := range someProperties {
		if p.name == name {
			return p.value, true
		}
	}
	return "", false
}

func compileUsual(t testing.TB, name, expression string) *filter.Filter {
	t.Helper()
	expressionType := filter.TypeSQL92
	if name == "Tags" {
		expressionType = filter.TypeTag
	}
	compiled, err := filter.Compile(expressionType, expression)
	require.NoError(t, err)
	return compiled
}

func TestMatchingDoesNotAllocate(t *testing.T) {
	for name, expression := range usual {
		compiled := compileUsual(t, name, expression)
		asked := 0
		require.Zero(t, testing.AllocsPerRun(100, func() {
			// A function that holds on to something of its caller, as that of a broker does.
			compiled.Matches(func(name string) (string, bool) {
				asked++
				return someProperty(name)
			})
			compiled.MatchesTagHash(2598919)
		}), name)
		require.Positive(t, asked)
	}
}

func BenchmarkMatches(b *testing.B) {
	for name, expression := range usual {
		compiled := compileUsual(b, name, expression)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				compiled.Matches(someProperty)
			}
		})
	}
}

func BenchmarkMatchesTagHash(b *testing.B) {
	compiled := compileUsual(b, "Tags", usual["Tags"])
	for b.Loop() {
		compiled.MatchesTagHash(2598920)
	}
}

func BenchmarkCompile(b *testing.B) {
	for name, expression := range usual {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				compileUsual(b, name, expression)
			}
		})
	}
}

func BenchmarkCompileTheLargest(b *testing.B) {
	expression := "a = '1'" + strings.Repeat(" OR a = '1'", filter.TermsMax/3-1)
	b.SetBytes(int64(len(expression)))
	for b.Loop() {
		compileUsual(b, "", expression)
	}
}

// BenchmarkIn shows from which length a list is worth an index.
func BenchmarkIn(b *testing.B) {
	for _, length := range []int{2, 4, 8, 9, 16, 1000} {
		var list []string
		for i := range length {
			list = append(list, "'region-"+strconv.Itoa(i)+"'")
		}
		compiled := compileUsual(b, "", "region IN ("+strings.Join(list, ", ")+")")
		b.Run(strconv.Itoa(length), func(b *testing.B) {
			for b.Loop() {
				compiled.Matches(func(string) (string, bool) { return "region-x", true })
			}
		})
	}
}
