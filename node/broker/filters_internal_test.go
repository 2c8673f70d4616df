package broker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/node/filter"
	"github.com/stretchr/testify/require"
)

func TestWhatExpressionsCompileToIsRememberedWithinLimits(t *testing.T) {
	table := newFilterTable(&Broker{})
	often := table.compile(expression{filter.TypeSQL92, "often > 1"})
	require.NoError(t, often.err)
	wrong := table.compile(expression{filter.TypeSQL92, "often >"})
	require.ErrorIs(t, wrong.err, filter.ErrSyntax)
	for n := range 5 * filtersMax {
		require.NoError(t, table.compile(expression{filter.TypeSQL92, fmt.Sprintf("a > %d", n)}).err)
		require.Same(t, often, table.compile(expression{filter.TypeSQL92, "often > 1"}), "what is in use stays")
		require.Same(t, wrong, table.compile(expression{filter.TypeSQL92, "often >"}), "what is wrong, too")
		require.LessOrEqual(t, len(table.fresh), filtersMax)
		require.LessOrEqual(t, len(table.old), filtersMax)
	}
	require.Nil(t, table.known(expression{filter.TypeSQL92, "a > 1"}))
}

func TestTheTextsOfRememberedExpressionsHaveALimit(t *testing.T) {
	table := newFilterTable(&Broker{})
	for n := range 100 {
		require.NoError(t, table.compile(expression{filter.TypeSQL92, "a IN ('" + strings.Repeat("x", 60<<10) + fmt.Sprint(n) + "')"}).err)
		bytes := 0
		for e := range table.fresh {
			bytes += len(e.text) + len(e.kind)
		}
		require.Equal(t, bytes, table.freshBytes)
		require.LessOrEqual(t, bytes, filterBytesMax)
	}
	before := len(table.fresh)
	require.ErrorIs(t, table.compile(expression{filter.TypeSQL92, strings.Repeat("x", 1<<20)}).err, filter.ErrLimit)
	require.Len(t, table.fresh, before, "what is too long is not kept")
}

func TestExpressionsThatSayTheSameHaveTheSameMeaning(t *testing.T) {
	table := newFilterTable(&Broker{})
	same := func(kind, a, b string) bool {
		return table.meaning(expression{kind, a}) == table.meaning(expression{kind, b})
	}
	require.True(t, same("TAG", "a || b", "b||a||b"))
	require.True(t, same("TAG", "", "*"))
	require.False(t, same("TAG", "*", " * "), "that is a tag")
	require.False(t, same("TAG", "a", "b"))
	require.True(t, same("SQL92", "a>1 and b=2", "( a > 1 ) AND b = 2"))
	require.False(t, same("SQL92", "a>1", "a>2"))
	require.False(t, same("SQL92", "a >", "a <"), "two that are wrong")
}
