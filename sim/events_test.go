package sim

import (
	"sort"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawEvent makes events that often agree in time and priority.
func drawEvent(t *rapid.T, sequence uint64) event {
	return event{
		at:       env.Instant(rapid.IntRange(0, 5).Draw(t, "at")),
		priority: uint64(rapid.IntRange(0, 3).Draw(t, "priority")),
		sequence: sequence,
	}
}

func TestPropEventsLeaveTheHeapInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var heap eventHeap
		var model []event
		for sequence := range uint64(rapid.IntRange(0, 200).Draw(t, "operations")) {
			if len(model) > 0 && rapid.IntRange(0, 2).Draw(t, "push or pop") == 0 {
				require.Equal(t, model[0], heap.pop())
				model = model[1:]
				continue
			}
			e := drawEvent(t, sequence)
			heap.push(e)
			model = append(model, e)
			sort.SliceStable(model, func(i, j int) bool { return model[i].before(&model[j]) })
		}
		for _, e := range model {
			require.Equal(t, e, heap.pop())
		}
		require.Empty(t, heap)
	})
}

func TestPropBeforeIsAStrictOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawEvent(t, 1), drawEvent(t, 2), drawEvent(t, 3)
		require.False(t, a.before(&a))
		require.NotEqual(t, a.before(&b), b.before(&a), "two events are never equal")
		if a.before(&b) && b.before(&c) {
			require.True(t, a.before(&c))
		}
	})
}

func TestAPoppedEventIsNotKeptAlive(t *testing.T) {
	var heap eventHeap
	heap.push(event{at: 1, act: func() {}})
	heap.pop()
	require.Nil(t, heap[:1][0].act)
}
