package client

import (
	"math"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// draws gives the same number again and again.
type draws uint64

func (d draws) Uint64() uint64         { return uint64(d) }
func (d draws) Stream(string) env.Rand { return d }

func TestTheBackOffDoublesUpToItsBound(t *testing.T) {
	b := backOff{first: 20 * time.Millisecond, max: time.Second}
	for n, want := range map[int]int{1: 20, 2: 40, 3: 80, 6: 640, 7: 1000, 8: 1000, 1000: 1000} {
		require.Equal(t, time.Duration(want)*time.Millisecond, b.delay(n, draws(0)), "%d", n)
	}
	require.Zero(t, backOff{}.delay(5, draws(3)), "switched off")
}

func TestPropHalfOfTheBackOffIsDrawn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := backOff{first: time.Duration(rapid.Int64Range(1, 1e12).Draw(t, "first"))}
		b.max = b.first + time.Duration(rapid.Int64Range(0, math.MaxInt64-1e12).Draw(t, "more"))
		n := rapid.IntRange(1, 100).Draw(t, "n")
		longest := b.delay(n, draws(0))
		require.LessOrEqual(t, longest, b.max)
		require.GreaterOrEqual(t, longest, b.first)
		delay := b.delay(n, draws(rapid.Uint64().Draw(t, "drawn")))
		require.LessOrEqual(t, delay, longest)
		require.GreaterOrEqual(t, delay, longest/2)
		require.LessOrEqual(t, longest, b.delay(n+1, draws(0)), "it does not get shorter")
	})
}
