package env_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// constant is a source that always gives the same value.
type constant uint64

func (c constant) Uint64() uint64         { return uint64(c) }
func (c constant) Stream(string) env.Rand { return c }

// seeded is a source like those of the worlds.
type seeded struct{ *rand.PCG }

func (s seeded) Stream(string) env.Rand { return s }

func newSeeded(seed uint64) env.Rand { return seeded{rand.NewPCG(seed, 0)} }

func TestIntNStaysBelowItsBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value, n := rapid.Uint64().Draw(t, "value"), rapid.IntRange(1, 1<<62).Draw(t, "n")
		drawn := env.IntN(constant(value), n)
		require.GreaterOrEqual(t, drawn, 0)
		require.Less(t, drawn, n)
	})
}

func TestIntNReachesEveryValue(t *testing.T) {
	r, seen := newSeeded(1), map[int]bool{}
	for range 200 {
		seen[env.IntN(r, 6)] = true
	}
	require.Len(t, seen, 6)
}

func TestIntNNeedsAPositiveBound(t *testing.T) {
	require.Panics(t, func() { env.IntN(constant(7), 0) })
	require.Panics(t, func() { env.IntN(constant(7), -1) })
}

func TestChanceZeroNeverAndChanceOneAlwaysHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := constant(rapid.Uint64().Draw(t, "value"))
		require.False(t, env.Chance(r, 0))
		require.True(t, env.Chance(r, 1))
	})
}

func TestChanceComparesTheUpperBitsWithTheProbability(t *testing.T) {
	require.True(t, env.Chance(constant(1<<62), 0.26), "a quarter is below 0.26")
	require.False(t, env.Chance(constant(1<<62), 0.25), "a quarter is not below itself")
}

func TestChanceHappensAboutAsOftenAsItsProbability(t *testing.T) {
	r, happened := newSeeded(2), 0
	for range 10_000 {
		if env.Chance(r, 0.3) {
			happened++
		}
	}
	require.InDelta(t, 3_000, happened, 300)
}

func TestShufflePermutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := rapid.SliceOf(rapid.Int()).Draw(t, "elements")
		after := slices.Clone(before)
		r := newSeeded(rapid.Uint64().Draw(t, "seed"))
		env.Shuffle(r, len(after), func(i, j int) { after[i], after[j] = after[j], after[i] })
		require.ElementsMatch(t, before, after)
	})
}

// All 6 orders of 3 elements come up, each about as often as the others.
func TestShuffleReachesEveryOrderAlike(t *testing.T) {
	r, counts := newSeeded(3), map[[3]int]int{}
	for range 6_000 {
		order := [3]int{0, 1, 2}
		env.Shuffle(r, 3, func(i, j int) { order[i], order[j] = order[j], order[i] })
		counts[order]++
	}
	require.Len(t, counts, 6)
	for order, count := range counts {
		require.InDelta(t, 1_000, count, 200, "order %v", order)
	}
}
