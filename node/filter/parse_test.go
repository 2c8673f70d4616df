package filter_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gantrymq/gantry/node/filter"
)

func TestExpressionsHaveACanonicalForm(t *testing.T) {
	cases := []struct{ written, canonical string }{
		{"a=1", "a = 1"},
		{"a != 1", "a <> 1"},
		{"a<>-1", "a <> -1"},
		{"((a)) = ((1))", "a = 1"},
		{"a = 1 or b = 2 And c = 3", "a = 1 OR b = 2 AND c = 3"},
		{"(a = 1 OR b = 2) AND c = 3", "(a = 1 OR b = 2) AND c = 3"},
		{"(a = 1 OR b = 2) OR (c = 3 OR d = 4)", "a = 1 OR b = 2 OR c = 3 OR d = 4"},
		{"a = 1 AND (b = 2 AND c = 3)", "a = 1 AND b = 2 AND c = 3"},
		{"NOT (a = 1)", "NOT (a = 1)"},
		{"NOT a = 1", "NOT a = 1"},
		{"(NOT a) = 1", "NOT a = 1"},
		{"not not a", "NOT NOT a"},
		{"a = b = c", "a = b = c"},
		{"a = (b = c)", "a = (b = c)"},
		{"a = b > 1", "a = b > 1"},
		{"(a = b) = (c > 1)", "a = b = c > 1"},
		{"a > - -1", "a > - -1"},
		{"a > +1", "a > 1"},
		{"a > -(1)", "a > -1"},
		{"a > -(b = 1)", "a > -(b = 1)"},
		{"a is  null", "a IS NULL"},
		{"a IS NOT NULL IS NULL", "a IS NOT NULL IS NULL"},
		{"a between 1 and 2 and b", "a BETWEEN 1 AND 2 AND b"},
		{"a NOT BETWEEN -2 AND (b)", "a NOT BETWEEN -2 AND b"},
		{"a in('x','y')", "a IN ('x', 'y')"},
		{"+a NOT IN ('x')", "a NOT IN ('x')"},
		{"a contains 'x' contains 'y'", "a CONTAINS 'x' CONTAINS 'y'"},
		{"a NOT startswith 'x'", "a NOT STARTSWITH 'x'"},
		{"(a = 1) endswith 'x'", "(a = 1) ENDSWITH 'x'"},
		{"a = 'it''s'", "a = 'it''s'"},
		{"a = ''''", "a = ''''"},
		{"a = 5L", "a = 5"},
		{"a = 0L", "a = 0"},
		{"a = 9223372036854775807l", "a = 9223372036854775807"},
		{"a = 5.", "a = 5.0"},
		{"a = .5e1", "a = 5.0"},
		{"a = 00.5E+1", "a = 5.0"},
		{"a = 1e300", "a = 1e+300"},
		{"a = 4.9e-324", "a = 5e-324"},
		{"a = 5AND b=6", "a = 5 AND b = 6"},
		{"$a_1 = 1 -- the end", "$a_1 = 1"},
		{"a /* one **/ = -- two\r 1 /**/", "a = 1"},
		{"a -- '\n= 1", "a = 1"},
		{"true", "TRUE"},
		{"nUll", "NULL"},
		{"now", "now"},
	}
	for _, c := range cases {
		compiled, err := filter.Compile(filter.TypeSQL92, c.written)
		require.NoError(t, err, c.written)
		require.Equal(t, filter.TypeSQL92, compiled.Type())
		require.Equal(t, c.canonical, compiled.String(), c.written)
		again, err := filter.Compile(filter.TypeSQL92, c.canonical)
		require.NoError(t, err, c.canonical)
		require.Equal(t, c.canonical, again.String())
	}
}

// refusals say where an error is, of which kind, and some of its words.
var refusals = []struct {
	expression string
	position   int
	kind       error
	words      string
}{
	{"", 1, filter.ErrSyntax, "the end of the expression: write the missing piece"},
	{"  -- nothing", 13, filter.ErrSyntax, "the end of the expression"},
	{"a =", 4, filter.ErrSyntax, "the end of the expression"},
	{"a == 1", 4, filter.ErrSyntax, "write one = to compare"},
	{"a = 1 AND", 10, filter.ErrSyntax, "write the missing piece"},
	{"(a = 1", 7, filter.ErrSyntax, "close the bracket"},
	{"a = 1)", 6, filter.ErrSyntax, "leave the rest out"},
	{"a = 1 b = 2", 7, filter.ErrSyntax, "join conditions with AND or OR"},
	{"a LIKE 'x%'", 3, filter.ErrSyntax, "write CONTAINS, STARTSWITH or ENDSWITH"},
	{"a NOT LIKE 'x%'", 7, filter.ErrSyntax, "BETWEEN, IN, CONTAINS"},
	{"a NOT 'IN' ('x')", 7, filter.ErrSyntax, "BETWEEN, IN, CONTAINS"},
	{"a IS 1", 6, filter.ErrSyntax, "write IS NULL or IS NOT NULL"},
	{"a IS NULL CONTAINS 'x'", 11, filter.ErrSyntax, "could have ended here"},
	{"a BETWEEN 1 OR 2", 13, filter.ErrSyntax, "write BETWEEN low AND high"},
	{"a IN 'x'", 6, filter.ErrSyntax, "write IN ('a', 'b')"},
	{"a IN ()", 7, filter.ErrSyntax, "IN takes texts only and there is )"},
	{"a IN ('x' 'y')", 11, filter.ErrSyntax, "write , between the texts"},
	{"a IN (1)", 7, filter.ErrSyntax, "write it in single quotes"},
	{"a CONTAINS b", 12, filter.ErrSyntax, "CONTAINS takes texts only"},
	{"in = 1", 1, filter.ErrSyntax, "keywords cannot be names"},
	{"a && b", 3, filter.ErrSyntax, "write AND"},
	{"a || b", 3, filter.ErrSyntax, "write OR"},
	{"!a", 1, filter.ErrSyntax, "write NOT"},
	{`a = "x"`, 5, filter.ErrSyntax, "write single quotes"},
	{"`a` = 1", 1, filter.ErrSyntax, "without quotes"},
	{"a = 1;", 6, filter.ErrSyntax, "leave it out"},
	{"a * 2 = 1", 3, filter.ErrSyntax, "no arithmetic"},
	{"a + 2 = 1", 3, filter.ErrSyntax, "could have ended here"},
	{"a.b = 1", 2, filter.ErrSyntax, "names of properties"},
	{"größe = 1", 3, filter.ErrSyntax, `'ö' cannot stand here`},
	{"a = 'ö' AND b = 'ö", 17, filter.ErrSyntax, "this text does not end"},
	{"a = 1 /* ö", 7, filter.ErrSyntax, "this comment does not end"},
	{"a = 007", 5, filter.ErrSyntax, "leave the zeros"},
	{"a = 0x10", 6, filter.ErrSyntax, "could have ended here"},
	{"a = 'ö\xff'", 7, filter.ErrSyntax, "not UTF-8"},

	{"'a' > 'b'", 1, filter.ErrOperand, "'a' is a text, and > orders numbers: write = or <>, or a number without quotes"},
	{"a <= 'b'", 6, filter.ErrOperand, "'b' is a text"},
	{"TRUE > 1", 1, filter.ErrOperand, "TRUE is a condition"},
	{"a >= NULL", 6, filter.ErrOperand, "NULL is a condition"},
	{"a > 1 > 2", 3, filter.ErrOperand, "a > 1 is a condition, and > orders numbers"},
	{"NOT a > 1", 1, filter.ErrOperand, "NOT binds tighter than >: write NOT (a > 1)"},
	{"NOT a IN ('x')", 1, filter.ErrOperand, "write a NOT IN ('x')"},
	{"5 IN ('x')", 1, filter.ErrOperand, "IN needs a property on its left and there is 5"},
	{"a = NULL", 5, filter.ErrOperand, "write IS NULL"},
	{"NULL <> a", 1, filter.ErrOperand, "write IS NULL"},
	{"TRUE = 'true'", 8, filter.ErrOperand, "'true' cannot be compared with TRUE"},
	{"FALSE <> 0", 10, filter.ErrOperand, "0 cannot be compared with FALSE"},
	{"a BETWEEN 2 AND 1", 11, filter.ErrOperand, "2 is above 1"},
	{"a BETWEEN 3000000000 AND 2.5", 11, filter.ErrOperand, "nothing lies between them"},
	{"a BETWEEN 'a' AND 'b'", 11, filter.ErrOperand, "'a' is a text"},
	{"a BETWEEN 1 AND NULL", 17, filter.ErrOperand, "NULL is a condition"},
	{"TRUE NOT BETWEEN 1 AND 2", 1, filter.ErrOperand, "TRUE is a condition"},
	{"5", 1, filter.ErrOperand, "5 is neither true nor false: compare it"},
	{"a = 1 OR 'x'", 10, filter.ErrOperand, "'x' is neither true nor false"},
	{"'x' AND a = 1", 1, filter.ErrOperand, "'x' is neither true nor false"},
	{"NOT -a", 5, filter.ErrOperand, "-a is neither true nor false"},
	{"a > 9223372036854775808", 5, filter.ErrOperand, "does not fit 64 bits"},
	{"a > -9223372036854775808", 6, filter.ErrOperand, "does not fit 64 bits"},
	{"a > 0.0", 5, filter.ErrOperand, "is zero, or below the range of a double"},
	{"a > 1e-400", 5, filter.ErrOperand, "below the range of a double"},
	{"a > 1e400", 5, filter.ErrOperand, "above the range of a double"},
}

func TestAnErrorNamesThePlaceAndWhatToWrite(t *testing.T) {
	for _, c := range refusals {
		_, err := filter.Compile(filter.TypeSQL92, c.expression)
		var failure *filter.CompileError
		require.ErrorAs(t, err, &failure, c.expression)
		require.ErrorIs(t, err, c.kind, c.expression)
		require.Equal(t, c.position, failure.Position, "%s: %v", c.expression, err)
		require.Contains(t, err.Error(), c.words, c.expression)
	}
}

func TestAnErrorIsOneShortLine(t *testing.T) {
	_, err := filter.Compile(filter.TypeSQL92, "a > '"+strings.Repeat("é", 10_000)+"'")
	require.EqualError(t, err, "operator and operand do not fit: character 5: '"+strings.Repeat("é", 39)+
		"… is a text, and > orders numbers: write = or <>, or a number without quotes")
}

func TestNotBetweenTakesBoundsInAnyOrder(t *testing.T) {
	_, err := filter.Compile(filter.TypeSQL92, "a NOT BETWEEN 2 AND 1")
	require.NoError(t, err)
	_, err = filter.Compile(filter.TypeSQL92, "a BETWEEN 2 AND -1")
	require.NoError(t, err, "a sign makes a bound an expression, which is not compared")
}

func TestTheTypeOfAnExpressionIsTagOrSQL92(t *testing.T) {
	for _, expressionType := range []string{"", filter.TypeTag} {
		compiled, err := filter.Compile(expressionType, "*")
		require.NoError(t, err)
		require.Equal(t, filter.TypeTag, compiled.Type())
	}
	for _, expressionType := range []string{"tag", "sql92", "SQL", " TAG", "CLASS"} {
		_, err := filter.Compile(expressionType, "*")
		require.ErrorIs(t, err, filter.ErrExpressionType)
		require.Contains(t, err.Error(), "write TAG or SQL92")
	}
}
