package filter_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gantrymq/gantry/node/filter"
	"github.com/gantrymq/gantry/node/filter/filtertest"
)

func choices(t *rapid.T) filtertest.Choose {
	return func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") }
}

func lookupIn(properties map[string]string) filter.Lookup {
	return func(name string) (string, bool) {
		value, ok := properties[name]
		return value, ok
	}
}

// truthOf puts what the oracle says into our words.
func truthOf(result any) filter.Truth {
	switch result {
	case true:
		return filter.True
	case false:
		return filter.False
	}
	return filter.Unknown
}

// requireAgreement compares what a filter and the oracle say about one message.
func requireAgreement(t require.TestingT, compiled *filter.Filter, tree *filtertest.Tree, properties map[string]string) {
	wanted, failure := tree.Evaluate(properties)
	truth, err := compiled.Evaluate(lookupIn(properties))
	if failure != nil {
		require.ErrorIs(t, err, filter.ErrValue, "%v of %q: %v", compiled, properties, failure)
		wanted = nil
	} else {
		require.NoError(t, err, "%v of %q", compiled, properties)
	}
	require.Equal(t, truthOf(wanted), truth, "%v of %q", compiled, properties)
	require.Equal(t, tree.Matches(properties), compiled.Matches(lookupIn(properties)))
}

func TestExpressionsMeanWhatTheOracleSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		choose := choices(t)
		tree := filtertest.Generate(choose, 1+choose(5))
		text := tree.Text(choose)
		compiled, err := filter.Compile(filter.TypeSQL92, text)
		if reason := tree.Refused(); reason != "" {
			require.ErrorIs(t, err, filter.ErrOperand, "%s: %s", text, reason)
			return
		}
		require.NoError(t, err, text)
		again, err := filter.Compile(filter.TypeSQL92, compiled.String())
		require.NoError(t, err, "%s is the canonical form of %s", compiled, text)
		require.Equal(t, compiled.String(), again.String())
		for range 8 {
			properties := filtertest.Message(choose)
			requireAgreement(t, compiled, tree, properties)
			requireAgreement(t, again, tree, properties)
		}
	})
}

func TestTagExpressionsMeanWhatTheOracleSays(t *testing.T) {
	tags := []string{"A", "B", " C ", "|", "*", "Aa", "BB", "", " ", "订单"}
	rapid.Check(t, func(t *rapid.T) {
		expression := rapid.SampledFrom(tags).Draw(t, "first")
		for _, tag := range rapid.SliceOfN(rapid.SampledFrom(tags), 0, 4).Draw(t, "more") {
			expression += "||" + tag
		}
		compiled, err := filter.Compile(filter.TypeTag, expression)
		if err != nil {
			require.ErrorIs(t, err, filter.ErrSyntax)
			for _, tag := range tags {
				require.False(t, filtertest.MatchesTags(expression, tag, true), "%q: %v", expression, err)
			}
			return
		}
		again, err := filter.Compile(filter.TypeTag, compiled.String())
		require.NoError(t, err)
		require.Equal(t, compiled, again)
		for _, tag := range tags {
			wanted := filtertest.MatchesTags(expression, tag, true)
			require.Equal(t, wanted, compiled.Matches(lookupIn(map[string]string{"TAGS": tag})), "%q of %q", compiled, tag)
		}
		require.Equal(t, filtertest.MatchesTags(expression, "", false), compiled.Matches(nil))
	})
}

// Every text, whatever is in it, can be asked for.
func TestEveryTextCanBeWrittenAsAConstant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		tree := &filtertest.Tree{Operator: "=", Operands: []*filtertest.Tree{
			{Operator: "property", Name: "a"}, {Operator: "constant", Constant: text}}}
		compiled, err := filter.Compile(filter.TypeSQL92, tree.Text(choices(t)))
		require.NoError(t, err)
		again, err := filter.Compile(filter.TypeSQL92, compiled.String())
		require.NoError(t, err)
		for _, f := range []*filter.Filter{compiled, again} {
			require.True(t, f.Matches(lookupIn(map[string]string{"a": text})))
			require.False(t, f.Matches(lookupIn(map[string]string{"a": text + "x"})))
		}
	})
}

// The same comparison without shrinking, and so fast enough for the corners that few expressions reach.
func TestThousandsOfExpressionsMeanWhatTheOracleSays(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	compared := map[filter.Truth]int{}
	for range 10_000 {
		tree := filtertest.Generate(chance.IntN, 1+chance.IntN(5))
		if tree.Refused() != "" {
			continue
		}
		compiled, err := filter.Compile(filter.TypeSQL92, tree.Text(chance.IntN))
		require.NoError(t, err)
		for range 4 {
			properties := filtertest.Message(chance.IntN)
			requireAgreement(t, compiled, tree, properties)
			truth, _ := compiled.Evaluate(lookupIn(properties))
			compared[truth]++
		}
	}
	for _, truth := range []filter.Truth{filter.True, filter.False, filter.Unknown} {
		require.Greater(t, compared[truth], 3000, "%v is not compared often enough", truth)
	}
}
