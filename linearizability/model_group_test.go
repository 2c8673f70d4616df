package linearizability

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func view(master int64, epoch, setEpoch int32, inSync ...int64) GroupView {
	return GroupView{Master: master, Epoch: epoch, SetEpoch: setEpoch, InSync: inSync}
}

// saw is an answer at [from, to].
func saw(from, to int64, v GroupView) GroupOperation {
	return GroupOperation{Call: from, Return: to, View: v, Deed: "look"}
}

func TestAGroupThatChangesByTheRulesIsLegal(t *testing.T) {
	for name, operations := range map[string][]GroupOperation{
		"nothing":                                nil,
		"election":                               {saw(0, 1, view(0, 0, 0)), saw(2, 3, view(1, 1, 1, 1))},
		"answers that overlap come in any order": {saw(0, 9, view(1, 1, 2, 1, 2)), saw(1, 8, view(1, 1, 1, 1))},
		"a master that starts again":             {saw(0, 1, view(1, 1, 2, 1, 2)), saw(2, 3, view(0, 1, 2, 1, 2)), saw(4, 5, view(2, 2, 3, 1, 2))},
		"a set that was asked for": {saw(0, 1, view(1, 1, 1, 1)),
			{Call: 2, Return: 3, View: view(1, 1, 2, 1, 2), Alters: true, Base: 1, Deed: "alter"}},
		"what was not seen may have been anything": {saw(0, 1, view(1, 1, 1, 1)), saw(2, 3, view(3, 7, 20, 3))},
	} {
		require.Equal(t, OK, CheckGroup("g", operations, GroupRules{}).Result, name)
	}
}

func TestAGroupThatBreaksARuleIsIllegal(t *testing.T) {
	for name, operations := range map[string][]GroupOperation{
		"an older state after a newer one":   {saw(0, 1, view(1, 1, 2, 1, 2)), saw(2, 3, view(1, 1, 1, 1))},
		"two masters in one epoch":           {saw(0, 9, view(1, 1, 1, 1)), saw(0, 9, view(2, 1, 2, 1, 2))},
		"two sets of one epoch":              {saw(0, 9, view(1, 1, 2, 1, 2)), saw(0, 9, view(1, 1, 2, 1, 3))},
		"a master that is not in sync":       {saw(0, 1, view(3, 1, 1, 1, 2))},
		"an election that adds to the set":   {saw(0, 1, view(1, 1, 2, 1, 2)), saw(2, 3, view(2, 2, 3, 1, 2, 3))},
		"the election of an outsider":        {saw(0, 1, view(1, 1, 2, 1, 2)), saw(2, 3, view(3, 2, 3, 1, 2, 3))},
		"a master again without an election": {saw(0, 1, view(0, 1, 2, 1, 2)), saw(2, 3, view(1, 1, 2, 1, 2))},
		"nobody in sync":                     {saw(0, 1, view(1, 1, 1, 1)), saw(2, 3, view(0, 1, 2))},
		"a set carried out on another one": {saw(0, 1, view(1, 1, 4, 1)),
			{Call: 2, Return: 3, View: view(1, 1, 6, 1, 2), Alters: true, Base: 4, Deed: "alter"}},
	} {
		v := CheckGroup("g", operations, GroupRules{})
		require.Equal(t, Illegal, v.Result, name)
		require.NotEmpty(t, v.Sentence, name)
	}
}

func TestUncleanElectionsAreLegalWhereTheyAreAllowed(t *testing.T) {
	operations := []GroupOperation{saw(0, 1, view(1, 1, 2, 1, 2)), saw(2, 3, view(3, 2, 3, 3))}
	require.Equal(t, OK, CheckGroup("g", operations, GroupRules{Unclean: true}).Result)
	require.Equal(t, Illegal, CheckGroup("g", operations, GroupRules{}).Result)
}

func TestASearchThatGivesUpSaysSo(t *testing.T) {
	operations := []GroupOperation{saw(0, 9, view(1, 1, 1, 1)), saw(0, 9, view(1, 1, 2, 1, 2)), saw(0, 9, view(1, 1, 3, 1))}
	require.Equal(t, Unknown, CheckGroup("g", operations, GroupRules{SearchLimit: 1}).Result)
}
