package filter_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gantrymq/gantry/node/filter"
)

// valuesOfA are the columns of meanings: what the property a of a message may be. The first is none.
var valuesOfA = []string{"", "", "abc", "true", "5", "5.0", "-5", "3000000000"}

// meanings say for each column whether an expression is true, false, unknown (?) or cannot be
// evaluated (E). The property "absent" is absent from all. Java brokers give the same table.
var meanings = []struct{ expression, results string }{
	// Equality. The constant decides as what a property is read; an absent left side is
	// unknown, an absent right side is unequal.
	{"a = 5", "? E E E T E F E"},
	{"a <> 5", "? E E E F E T E"},
	{"a = 3000000000", "? E E E F E F T"},
	{"a <> 3000000000", "? E E E T E T F"},
	{"a = 5.0", "? E E E T T F F"},
	{"a <> 5.0", "? E E E F F T T"},
	{"a = '5'", "? F F F T F F F"},
	{"a <> '5'", "? T T T F T T T"},
	{"a = TRUE", "? F F T F F F F"},
	{"a <> TRUE", "? T T F T T T T"},
	{"a = a", "T T T T T T T T"},
	{"a <> a", "F F F F F F F F"},
	{"a = absent", "T F F F F F F F"},
	{"a <> absent", "F T T T T T T T"},
	{"absent = a", "T ? ? ? ? ? ? ?"},
	{"absent <> a", "F ? ? ? ? ? ? ?"},
	// The other way round. A condition on the left of a text cannot be evaluated.
	{"5 = a", "F E E E T E F E"},
	{"3000000000 = a", "F E E E F E F T"},
	{"5.0 = a", "F E E E T T F F"},
	{"'5' = a", "F F F F T F F F"},
	{"(a IS NULL) = a", "F E E E E E E E"},
	{"(a IS NULL) = TRUE", "T F F F F F F F"},
	{"(a IS NULL) = 5", "F F F F F F F F"},
	{"a = (a IS NULL)", "? T T F T T T T"},
	// Order. Two texts are read as doubles; a right side is not looked at if the left is absent.
	{"a < 5", "? E E E F E T E"},
	{"a <= 5", "? E E E T E T E"},
	{"a > 5", "? E E E F E F E"},
	{"a >= 5", "? E E E T E F E"},
	{"a > 3000000000", "? E E E F E F F"},
	{"a <= 3000000000", "? E E E T E T T"},
	{"a > 5.0", "? E E E F F F T"},
	{"a <= 5.0", "? E E E T T T F"},
	{"5 > a", "? E E E F E T E"},
	{"5.0 > a", "? E E E F F T F"},
	{"a < a", "? E E E F F F F"},
	{"a >= a", "? E E E T T T T"},
	{"a < absent", "? ? ? ? ? ? ? ?"},
	{"absent < a", "? ? ? ? ? ? ? ?"},
	{"absent < -(a > 5)", "? ? ? ? ? ? ? ?"},
	{"a < -(a > 5)", "? E E E ? E ? E"},
	{"absent = (a > 5)", "T E E E ? E ? E"},
	// BETWEEN is two comparisons, the second of which may not be needed.
	{"a BETWEEN 5 AND 7", "? E E E T E F E"},
	{"a NOT BETWEEN 5 AND 7", "? E E E F E T E"},
	{"a BETWEEN -5.5 AND 5.5", "? E E E T T T F"},
	{"a NOT BETWEEN -5.5 AND 5.5", "? E E E F F F T"},
	{"a BETWEEN absent AND 4.0", "? E E E F F ? F"},
	{"a NOT BETWEEN absent AND 4.0", "? E E E T T ? T"},
	{"a BETWEEN 6.0 AND absent", "? E E E F F F ?"},
	{"6 BETWEEN a AND 7", "? E E E T E T E"},
	{"5.0 BETWEEN 1 AND a", "? E E E T T F T"},
	{"absent BETWEEN a AND 7", "? ? ? ? ? ? ? ?"},
	// Lists of texts, and the tests that are never unknown.
	{"a IN ('5', 'abc')", "? F T F T F F F"},
	{"a NOT IN ('5', 'abc')", "? T F T F T T T"},
	{"a IN ('')", "? T F F F F F F"},
	{"a IS NULL", "T F F F F F F F"},
	{"a IS NOT NULL", "F T T T T T T T"},
	{"5 IS NULL", "F F F F F F F F"},
	{"NULL IS NULL", "T T T T T T T T"},
	{"(a > 5) IS NULL", "T E E E F E F E"},
	{"(a > 5) IS NOT NULL", "F E E E T E T E"},
	// Searches are never unknown, and false where there is nothing to search, even with NOT.
	{"a CONTAINS '5'", "F F F F T T T F"},
	{"a NOT CONTAINS '5'", "F T T T F F F T"},
	{"a STARTSWITH '5'", "F F F F T T F F"},
	{"a NOT STARTSWITH '5'", "F T T T F F T T"},
	{"a ENDSWITH '0'", "F F F F F T F T"},
	{"a NOT ENDSWITH '0'", "F T T T T F T F"},
	{"a CONTAINS ''", "F F F F F F F F"},
	{"a NOT CONTAINS ''", "F F F F F F F F"},
	{"a NOT STARTSWITH ''", "F F F F F F F F"},
	{"a NOT ENDSWITH ''", "F F F F F F F F"},
	{"'x5' CONTAINS '5'", "T T T T T T T T"},
	{"5 CONTAINS '5'", "F F F F F F F F"},
	{"5 NOT CONTAINS '5'", "F F F F F F F F"},
	// A property is no boolean; NOT and the sign bind tighter than everything else.
	{"a", "? F F F F F F F"},
	{"NOT a", "? T T T T T T T"},
	{"a AND TRUE", "? F F F F F F F"},
	{"a OR TRUE", "T T T T T T T T"},
	{"NOT a = 5", "? F F F F F F F"},
	{"(NOT a) = FALSE", "? F F F F F F F"},
	{"-a = 5", "? ? ? ? ? ? ? ?"},
	{"-a IS NULL", "T T T T T T T T"},
	{"a = -5", "? E E E F E T E"},
	{"a = - -5", "? E E E T E F E"},
	{"a > -5.0", "? E E E T T F T"},
	{"-3000000000 = a", "F E E E F E F F"},
	{"a = +5", "? E E E T E F E"},
	// Constants.
	{"TRUE", "T T T T T T T T"},
	{"FALSE", "F F F F F F F F"},
	{"NULL", "? ? ? ? ? ? ? ?"},
	{"NOT NULL", "? ? ? ? ? ? ? ?"},
	{"5 > 4", "T T T T T T T T"},
	{"5 = 5.0", "T T T T T T T T"},
	{"5 = TRUE", "F F F F F F F F"},
	{"'true' = TRUE", "T T T T T T T T"},
	{"'5' = 5", "T T T T T T T T"},
	// What cannot be evaluated discards the whole, unless something was decided before it.
	{"a > 5 OR a = 'abc'", "? E E E F E F E"},
	{"a = 'abc' OR a > 5", "? E T E F E F E"},
	{"a > 5 AND a = 'abc'", "? E E E F E F E"},
	{"a = 'abc' AND a > 5", "? F E F F F F F"},
	{"NOT (a > 5)", "? E E E T E T E"},
	{"a IS NOT NULL AND a > 5.0", "F E E E F F F T"},
}

func TestTheTableOfMeaningsHolds(t *testing.T) {
	for _, row := range meanings {
		compiled, err := filter.Compile(filter.TypeSQL92, row.expression)
		require.NoError(t, err, row.expression)
		var results []string
		for column, a := range valuesOfA {
			results = append(results, resultFor(t, compiled, func(name string) (string, bool) {
				return a, name == "a" && column > 0
			}))
		}
		require.Equal(t, row.results, strings.Join(results, " "), row.expression)
	}
}

// resultFor is the letter of the table.
func resultFor(t *testing.T, compiled *filter.Filter, lookup filter.Lookup) string {
	t.Helper()
	truth, err := compiled.Evaluate(lookup)
	require.Equal(t, truth == filter.True, compiled.Matches(lookup))
	if err != nil {
		require.ErrorIs(t, err, filter.ErrValue)
		require.Equal(t, filter.Unknown, truth)
		return "E"
	}
	return map[filter.Truth]string{filter.True: "T", filter.False: "F", filter.Unknown: "?"}[truth]
}

func TestLogicHasThreeValues(t *testing.T) {
	// The operands are conditions of every kind that can be evaluated, and what they give.
	operands := map[string]string{"TRUE": "T", "FALSE": "F", "NULL": "?",
		"'5' = 5": "T", "5 < 4": "F", "absent > 1": "?", "absent": "?", "absent IS NULL": "T"}
	and := map[string]string{"TT": "T", "TF": "F", "FT": "F", "FF": "F", "T?": "?", "?T": "?", "F?": "F", "?F": "F", "??": "?"}
	or := map[string]string{"TT": "T", "TF": "T", "FT": "T", "FF": "F", "T?": "T", "?T": "T", "F?": "?", "?F": "?", "??": "?"}
	not := map[string]string{"T": "F", "F": "T", "?": "?"}
	for left, l := range operands {
		requireResult(t, not[l], fmt.Sprintf("NOT (%s)", left))
		for right, r := range operands {
			requireResult(t, and[l+r], fmt.Sprintf("%s AND %s", left, right))
			requireResult(t, or[l+r], fmt.Sprintf("%s OR %s", left, right))
			requireResult(t, not[and[l+r]], fmt.Sprintf("NOT (%s AND %s)", left, right))
		}
	}
}

func requireResult(t *testing.T, wanted, expression string) {
	t.Helper()
	compiled, err := filter.Compile(filter.TypeSQL92, expression)
	require.NoError(t, err, expression)
	require.Equal(t, wanted, resultFor(t, compiled, nil), expression)
}

func TestAValueThatCannotBeComparedIsNamedWithItsOperator(t *testing.T) {
	compiled, err := filter.Compile(filter.TypeSQL92, "colour IS NULL OR größe > 5")
	require.Error(t, err, "names are ASCII")
	compiled, err = filter.Compile(filter.TypeSQL92, "colour IS NULL OR size > 5")
	require.NoError(t, err)
	_, err = compiled.Evaluate(lookupIn(map[string]string{"colour": "red", "size": "5.5"}))
	var failure *filter.ValueError
	require.ErrorAs(t, err, &failure)
	require.Equal(t, 24, failure.Position)
	require.Equal(t, "5.5", failure.Value)
	require.EqualError(t, err, `property value cannot be compared: character 24: "5.5" is not an integer of 32 bits, `+
		`as the number it is compared with: write that with a point, as in 5.0, to compare as doubles`)
}

func TestALongValueIsCutInAnError(t *testing.T) {
	compiled, err := filter.Compile(filter.TypeSQL92, "a > 5.0")
	require.NoError(t, err)
	_, err = compiled.Evaluate(lookupIn(map[string]string{"a": strings.Repeat("é", 5000)}))
	require.ErrorIs(t, err, filter.ErrValue)
	require.Less(t, len(err.Error()), 200)
	require.Contains(t, err.Error(), "é…")
}
