package filtertest

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func property(name string) *Tree  { return &Tree{Operator: "property", Name: name} }
func constant(constant any) *Tree { return &Tree{Operator: "constant", Constant: constant} }

func tree(operator string, operands ...*Tree) *Tree {
	return &Tree{Operator: operator, Operands: operands}
}

func TestTheOracleKnowsWhatTheReferenceStates(t *testing.T) {
	size := map[string]string{"size": "5.5"}
	cases := []struct {
		tree    *Tree
		message map[string]string
		result  any
		isError bool
	}{
		{tree("<>", property("a"), constant("x")), nil, nil, false},
		{tree("=", constant("x"), property("a")), nil, false, false},
		{tree("=", property("a"), property("b")), nil, true, false},
		{tree(">", property("size"), constant(int64(5))), size, nil, true},
		{tree(">", property("size"), constant(5.0)), size, true, false},
		{tree("NOT BETWEEN", property("size"), constant(int64(1)), constant(6.0)), size, nil, true},
		{tree("OR", constant(true), tree(">", property("size"), constant(int64(5)))), size, true, false},
		{&Tree{Operator: "NOT CONTAINS", Operands: []*Tree{property("a")}, Texts: []string{"x"}}, nil, false, false},
		{&Tree{Operator: "NOT IN", Operands: []*Tree{property("a")}, Texts: []string{"x"}}, nil, nil, false},
		{property("size"), size, false, false},
		{tree("IS NULL", tree("-", property("size"))), size, true, false},
	}
	for _, c := range cases {
		require.Empty(t, c.tree.Refused())
		result, err := c.tree.Evaluate(c.message)
		require.Equal(t, c.isError, err != nil, "%+v", c.tree)
		if err == nil {
			require.Equal(t, c.result, result, "%+v", c.tree)
		}
		require.Equal(t, c.result == true, c.tree.Matches(c.message))
	}
}

func TestTheOracleRefusesWhatTheReferenceStates(t *testing.T) {
	for _, refused := range []*Tree{
		constant("x"),
		tree("=", property("a"), constant(nil)),
		tree("=", constant(true), constant("x")),
		tree(">", constant("a"), constant("b")),
		tree(">", constant(true), constant(int64(1))),
		tree("BETWEEN", property("a"), constant(int64(2)), constant(1.5)),
		tree("AND", property("a"), tree("NOT", constant(int64(5)))),
		{Operator: "IN", Operands: []*Tree{constant("a")}, Texts: []string{"a"}},
	} {
		require.NotEmpty(t, refused.Refused(), "%+v", refused)
	}
}

func TestTagsAreComparedAsTheyAre(t *testing.T) {
	require.True(t, MatchesTags("*", "", false))
	require.True(t, MatchesTags("A || B", "B", true))
	require.False(t, MatchesTags("A || B", "b", true))
	require.False(t, MatchesTags("Aa", "BB", true))
	require.False(t, MatchesTags("||", "", false))
}

func TestTheSameChoicesGiveTheSameExpression(t *testing.T) {
	draw := func() (string, map[string]string) {
		chance := rand.New(rand.NewPCG(7, 7))
		return Generate(chance.IntN, 5).Text(chance.IntN), Message(chance.IntN)
	}
	text, message := draw()
	for range 20 {
		again, messageAgain := draw()
		require.Equal(t, text, again)
		require.Equal(t, message, messageAgain)
	}
}

func TestMostExpressionsCanBeCompiledAndEveryOperatorIsDrawn(t *testing.T) {
	chance := rand.New(rand.NewPCG(3, 4))
	seen, refused := map[string]bool{}, 0
	for range 2000 {
		drawn := Generate(chance.IntN, 5)
		if drawn.Refused() != "" {
			refused++
		}
		var visit func(*Tree)
		visit = func(t *Tree) {
			seen[t.Operator] = true
			for _, operand := range t.Operands {
				visit(operand)
			}
		}
		visit(drawn)
	}
	require.Less(t, refused, 1200)
	require.Positive(t, refused)
	for _, operators := range operatorsOfLevel {
		for _, operator := range operators {
			require.True(t, seen[operator], operator)
		}
	}
}
