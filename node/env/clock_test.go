package env_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func instants(t *rapid.T, label string) env.Instant {
	return env.Instant(rapid.Int64Range(0, 1<<50).Draw(t, label))
}

func TestAddAndSubAreInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i := instants(t, "instant")
		d := time.Duration(rapid.Int64Range(0, 1<<50).Draw(t, "duration"))
		require.Equal(t, d, i.Add(d).Sub(i))
		require.Equal(t, -d, i.Sub(i.Add(d)))
	})
}

func TestADeadlineIsReachedFromItsInstantOn(t *testing.T) {
	require.False(t, env.Instant(100).Reached(99))
	require.True(t, env.Instant(100).Reached(100))
	require.True(t, env.Instant(100).Reached(101))
}

func TestNeverIsNeverReached(t *testing.T) {
	for _, now := range []env.Instant{0, 1, 1 << 62} {
		require.False(t, env.Never.Reached(now))
	}
}

func TestSoonerPicksTheEarlierDeadline(t *testing.T) {
	require.Equal(t, env.Instant(3), env.Instant(3).Sooner(5))
	require.Equal(t, env.Instant(3), env.Instant(5).Sooner(3))
	require.Equal(t, env.Instant(5), env.Instant(5).Sooner(env.Never))
	require.Equal(t, env.Instant(5), env.Never.Sooner(5))
	require.Equal(t, env.Never, env.Never.Sooner(env.Never))
}

// The sooner of two deadlines has been reached exactly when one of them has.
func TestSoonerIsReachedWithEitherDeadline(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.Map(rapid.Int64Range(0, 4), func(i int64) env.Instant { return env.Instant(i) })
		a, b, now := small.Draw(t, "a"), small.Draw(t, "b"), small.Draw(t, "now")
		require.Equal(t, a.Reached(now) || b.Reached(now), a.Sooner(b).Reached(now))
	})
}

func TestInstantPrintsSecondsAndMicroseconds(t *testing.T) {
	require.Equal(t, "0.000000s", env.Instant(999).String())
	require.Equal(t, "0.000001s", env.Instant(1_000).String())
	require.Equal(t, "12.345678s", env.Instant(12_345_678_901).String())
}

func TestWallMillisConvertsToUTC(t *testing.T) {
	expected := time.Date(2026, time.January, 1, 0, 0, 0, 5_000_000, time.UTC)
	require.Equal(t, expected, env.WallMillis(1_767_225_600_005).Time())
	require.Equal(t, time.UTC, env.WallMillis(0).Time().Location())
}
