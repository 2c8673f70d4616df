package filter_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gantrymq/gantry/node/filter"
)

func requireLimit(t *testing.T, isWithin bool, expressionType, expression string) {
	t.Helper()
	compiled, err := filter.Compile(expressionType, expression)
	if !isWithin {
		require.ErrorIs(t, err, filter.ErrLimit)
		return
	}
	require.NoError(t, err)
	again, err := filter.Compile(expressionType, compiled.String())
	require.NoError(t, err, "the canonical form is within the limits too")
	require.Equal(t, compiled.String(), again.String())
	compiled.Matches(nil)
}

func TestAnExpressionHasALargestLength(t *testing.T) {
	for _, expressionType := range []string{filter.TypeTag, filter.TypeSQL92} {
		text := "a = '" + strings.Repeat("x", filter.LengthMax-6) + "'"
		requireLimit(t, true, expressionType, text)
		requireLimit(t, false, expressionType, text+" ")
	}
	// With blanks around the sign it is too long.
	requireLimit(t, false, filter.TypeSQL92, "a='"+strings.Repeat("x", filter.LengthMax-4)+"'")
}

func TestAnExpressionHasALargestDepth(t *testing.T) {
	nested := func(begin, end string, count int) string {
		return strings.Repeat(begin, count) + "a" + strings.Repeat(end, count)
	}
	// The innermost operand counts as one.
	for _, c := range []struct{ begin, end string }{
		{"(", ")"}, {"NOT ", ""}, {"NOT (", ")"}, {"+", ""}, {"", " IS NULL"}, {"", " CONTAINS 'x'"}, {"", " = b"},
	} {
		perLevel := strings.Count(c.begin, "(") + strings.Count(c.begin, "NOT")
		most := (filter.DepthMax - 1) / max(perLevel, 1)
		requireLimit(t, true, filter.TypeSQL92, nested(c.begin, c.end, most))
		requireLimit(t, false, filter.TypeSQL92, nested(c.begin, c.end, most+1))
	}
	requireLimit(t, false, filter.TypeSQL92, nested("(", "", filter.LengthMax-1))
	requireLimit(t, false, filter.TypeSQL92, "a = "+nested("- ", "", 10_000))
	requireLimit(t, false, filter.TypeSQL92, nested("b = (", ")", 5000))
}

func TestAChainIsNotDeep(t *testing.T) {
	for _, operator := range []string{"OR", "AND"} {
		requireLimit(t, true, filter.TypeSQL92, "a"+strings.Repeat(" "+operator+" a", 8000))
	}
	// What stands in it may be.
	postfix := strings.Repeat(" IS NULL", filter.DepthMax/2)
	requireLimit(t, true, filter.TypeSQL92, "a OR a"+postfix+" OR a"+postfix)
	requireLimit(t, false, filter.TypeSQL92, "(a OR a"+postfix+" OR b)"+postfix)
	requireLimit(t, false, filter.TypeSQL92, "(a"+postfix+" OR a)"+postfix)
	// OR and AND inside each other, in brackets, are.
	requireLimit(t, false, filter.TypeSQL92, strings.Repeat("a OR (a AND (", 150)+"a"+strings.Repeat("))", 150))
}

func TestAnExpressionHasALargestNumberOfTerms(t *testing.T) {
	list := func(count int) string { return "a IN ('x'" + strings.Repeat(",'x'", count-1) + ")" }
	requireLimit(t, true, filter.TypeSQL92, list(filter.TermsMax-2)) // and the property, and IN
	requireLimit(t, false, filter.TypeSQL92, list(filter.TermsMax-1))
	requireLimit(t, false, filter.TypeSQL92, "a"+strings.Repeat(" OR a", filter.TermsMax))
	tags := func(count int) string {
		var text strings.Builder
		for i := range count {
			text.WriteString(strconv.FormatInt(int64(i), 36) + "||")
		}
		return text.String()
	}
	requireLimit(t, true, filter.TypeTag, tags(filter.TermsMax))
	requireLimit(t, false, filter.TypeTag, tags(filter.TermsMax+1))
}
