package proto

import (
	"cmp"
	"slices"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// anyNames are drawn from few characters, of all lengths in UTF-8, so that common beginnings are frequent.
var anyNames = rapid.StringOfN(rapid.SampledFrom([]rune("a@-\u007f\u00e9\u07ff\u65e5\ud7ff\ue000\uffff\U00010000\U0001f680\U0010ffff")), 1, 6, -1)

func TestNamesAreOrderedByTheirUTF16CodeUnits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyNames.Draw(t, "a"), anyNames.Draw(t, "b")
		want := slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
		require.Equal(t, want, CompareNames(a, b))
	})
}

func TestTextThatIsNotUTF8HasItsPlaceToo(t *testing.T) {
	texts := rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 3), func(b []byte) string { return string(b) })
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := texts.Draw(t, "a"), texts.Draw(t, "b"), texts.Draw(t, "c")
		require.Equal(t, a == b, CompareNames(a, b) == 0)
		require.Equal(t, -CompareNames(b, a), CompareNames(a, b))
		sorted := []string{a, b, c}
		slices.SortFunc(sorted, CompareNames)
		require.LessOrEqual(t, CompareNames(sorted[0], sorted[2]), 0)
	})
}

func TestQueuesAreOrderedByTopicThenBrokerThenId(t *testing.T) {
	queue := rapid.Custom(func(t *rapid.T) Queue {
		return Queue{Topic: anyNames.Draw(t, "topic"), BrokerName: anyNames.Draw(t, "broker"), QueueID: rapid.Int32Range(0, 3).Draw(t, "id")}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := queue.Draw(t, "a"), queue.Draw(t, "b")
		want := cmp.Or(CompareNames(a.Topic, b.Topic), CompareNames(a.BrokerName, b.BrokerName), int(a.QueueID-b.QueueID))
		require.Equal(t, cmp.Compare(want, 0), a.Compare(b))
	})
}
