package filter_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gantrymq/gantry/node/filter"
)

func compileTags(t *testing.T, expression string) *filter.Filter {
	t.Helper()
	compiled, err := filter.Compile(filter.TypeTag, expression)
	require.NoError(t, err)
	return compiled
}

func withTag(tag string) filter.Lookup {
	return func(name string) (string, bool) { return tag, name == "TAGS" }
}

func TestAStarAndNothingAreEveryMessage(t *testing.T) {
	for _, expression := range []string{"", "*"} {
		everything := compileTags(t, expression)
		require.True(t, everything.MatchesEverything())
		require.True(t, everything.Matches(nil))
		require.True(t, everything.Matches(withTag("A")))
		require.True(t, everything.MatchesTagHash(-1))
		require.Empty(t, everything.Tags())
		require.Empty(t, everything.TagHashes())
		require.Equal(t, "*", everything.String())
	}
}

func TestTagsAreTrimmedAndKeptOnce(t *testing.T) {
	tags := compileTags(t, " TagB ||TagA|| \t||TagB||订单")
	require.Equal(t, []string{"TagB", "TagA", "订单"}, tags.Tags())
	require.Equal(t, []int32{1129459, 2598919, 2598920}, tags.TagHashes())
	require.Equal(t, "TagB || TagA || 订单", tags.String())
	require.False(t, tags.MatchesEverything())
	for _, tag := range tags.Tags() {
		require.True(t, tags.Matches(withTag(tag)))
	}
	require.False(t, tags.Matches(withTag("tagA")))
	require.False(t, tags.Matches(withTag("")))
	require.False(t, tags.Matches(nil), "a message without a tag")
}

func TestTheHashLetsThroughWhatTheTagDoesNot(t *testing.T) {
	// Aa and BB have the same hash.
	tags := compileTags(t, "Aa")
	require.True(t, tags.MatchesTagHash(2112))
	require.True(t, tags.MatchesTagHash(1<<32|2112), "only 32 bits count")
	require.False(t, tags.MatchesTagHash(0), "no tag")
	require.True(t, tags.Matches(withTag("Aa")))
	require.False(t, tags.Matches(withTag("BB")))
}

func TestANegativeHashIsFound(t *testing.T) {
	tags := compileTags(t, "polygenelubricants") // its hash is the lowest of all
	require.Equal(t, []int32{-1 << 31}, tags.TagHashes())
	require.True(t, tags.MatchesTagHash(-1<<31))
}

func TestALoneStarBetweenBlanksIsATagOfThatName(t *testing.T) {
	tags := compileTags(t, " * ")
	require.False(t, tags.MatchesEverything())
	require.True(t, tags.Matches(withTag("*")))
	require.False(t, tags.Matches(withTag("A")))
	require.Equal(t, tags, compileTags(t, tags.String()))
}

func TestManyTagsAreFoundAsFewAre(t *testing.T) {
	tags := compileTags(t, "a||b||c||d||e||f||g||h||i||j||k||l")
	for _, tag := range tags.Tags() {
		require.True(t, tags.Matches(withTag(tag)))
	}
	require.False(t, tags.Matches(withTag("m")))
}

func TestAnExpressionThatNamesNoTagIsRefused(t *testing.T) {
	for _, expression := range []string{" ", "||", " || \n||"} {
		_, err := filter.Compile(filter.TypeTag, expression)
		require.ErrorIs(t, err, filter.ErrSyntax)
		require.Contains(t, err.Error(), "write * for every message")
	}
}

func TestSQLSaysNothingAboutHashesAndTags(t *testing.T) {
	compiled, err := filter.Compile(filter.TypeSQL92, "TAGS = 'A'")
	require.NoError(t, err)
	require.True(t, compiled.MatchesTagHash(0))
	require.False(t, compiled.MatchesEverything())
	require.Empty(t, compiled.Tags())
	require.True(t, compiled.Matches(withTag("A")))
	require.False(t, compiled.Matches(withTag("B")))
}
