package filter_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gantrymq/gantry/node/filter"
)

// Whatever the text is: no panic; an error is one of the four, short, and points into the text; what
// compiles has a canonical form that compiles to itself and means the same.
func FuzzCompile(f *testing.F) {
	for _, row := range meanings {
		f.Add(row.expression, "5.5")
	}
	for _, row := range refusals {
		f.Add(row.expression, "abc")
	}
	for _, text := range []string{"", "*", "A || B", " * ", "a||||b", "|", "a IN ('x','y''z')", "a = 1 /* x */ -- y", "- - - -1 > a",
		strings.Repeat("(", 300), strings.Repeat("NOT ", 300) + "a", "a = 'ö\xff'", "1e20 > a"} {
		f.Add(text, "abc")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		for _, expressionType := range []string{filter.TypeTag, filter.TypeSQL92} {
			compiled, err := filter.Compile(expressionType, text)
			if err != nil {
				var failure *filter.CompileError
				require.ErrorAs(t, err, &failure)
				require.Contains(t, []error{filter.ErrSyntax, filter.ErrOperand, filter.ErrLimit}, failure.Kind)
				require.GreaterOrEqual(t, failure.Position, 1)
				require.LessOrEqual(t, failure.Position, len([]rune(text))+1)
				require.Less(t, len(err.Error()), 600)
				continue
			}
			requireItself(t, compiled, value)
		}
	})
}

func requireItself(t *testing.T, compiled *filter.Filter, value string) {
	t.Helper()
	again, err := filter.Compile(compiled.Type(), compiled.String())
	require.NoError(t, err)
	require.Equal(t, compiled.String(), again.String())
	for _, lookup := range []filter.Lookup{nil, func(string) (string, bool) { return value, true }} {
		truth, failure := compiled.Evaluate(lookup)
		truthAgain, failureAgain := again.Evaluate(lookup)
		require.Equal(t, truth, truthAgain)
		require.Equal(t, failure == nil, failureAgain == nil)
		require.Equal(t, truth == filter.True, compiled.Matches(lookup))
	}
}
