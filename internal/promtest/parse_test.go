package promtest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExpressionsAreTakenApart(t *testing.T) {
	e, err := Parse(`histogram_quantile(0.99, sum by (le, node_id) (rate(flush_bucket{node_id=~"a|b", x!=''}[5m]))) > 0.5 # slow
		and on (node_id) group_left(cluster) up == bool 1`)
	require.NoError(t, err)
	require.Equal(t, []Selector{{"flush_bucket", []Matcher{{"node_id", "=~", "a|b"}, {"x", "!=", ""}}}, {"up", nil}}, e.Selectors)
	require.Equal(t, []string{"le", "node_id", "node_id", "cluster"}, e.Labels)
}

func TestWhatTheLanguageTakesIsTaken(t *testing.T) {
	for _, text := range []string{
		"1", "-1 ^ 2", "1.5e3 * (2 - 3) % 4", "up", "-up", "{job=\"a\"}", "up offset 5m", "up offset -1h30m", "max_over_time(rate(a[1m])[1h:5m])",
		"sum(a) by (b)", "sum without (b) (a)", "topk(3, a)", `count_values("v", a)`, "a / ignoring(b) c", "a unless b or c", "time() - a",
		"round(a)", "round(a, 0.1)", "vector(1)", `label_replace(a, "x", "$1", "y", "(.*)")`, "sum", "absent(a)", "a > bool 1", "a{b='c',}",
	} {
		_, err := Parse(text)
		require.NoError(t, err, text)
	}
}

func TestMistakesAreNamedWithTheirPlace(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "want a number, a metric, a function or a bracket, not the end",
		"rate(a)":                 "rate wants a range vector, not an instant vector",
		"rate(a[5m)":              `want "]"`,
		"a[5m] > 1":               "> cannot be applied to a range vector",
		"rate(a[5x])":             `"5x" is neither a number nor a duration`,
		"rates(a[5m])":            "there is no function rates",
		"sum(a":                   `want "," or ")", not the end`,
		"a b":                     "at byte 2: want an operator or the end",
		`a{b=~"("}`:               "missing closing )",
		"a{b=c}":                  "want a string",
		"a{b>1}":                  "want =, !=, =~ or !~",
		"{}":                      "a selector names a metric or a label",
		"1 and 2":                 "and cannot be applied to a scalar",
		"clamp_max(a)":            "clamp_max takes 2 arguments, not 1",
		"abs(a, b)":               "abs takes 1 arguments",
		`"text" + 1`:              "+ cannot be applied to a string",
		"histogram_quantile(a,b)": "histogram_quantile wants a scalar",
		"a $ b":                   `"$" is no word`,
		`a{b="c}`:                 "is no word",
	} {
		_, err := Parse(text)
		require.ErrorContains(t, err, want, text)
	}
}

func FuzzParseNeverPanics(f *testing.F) {
	f.Add(`sum by (a) (rate(b{c="d"}[5m] offset 1m)) > 1`)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		require.True(t, (e == nil) == (err != nil))
	})
}
