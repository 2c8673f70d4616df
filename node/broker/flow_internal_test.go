package broker

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// at is an instant of a test.
func at(d time.Duration) env.Instant { return env.Instant(time.Hour) + env.Instant(d) }

func TestAFlowTellsWhatCameInTheLastMinuteHourAndDay(t *testing.T) {
	f := newFlow(at(0))
	f.add(at(0), amounts{messages: 100, bytes: 1000, calls: 10})
	minute := f.lastMinute(at(5 * time.Second))
	require.EqualValues(t, 100, minute.messages)
	require.InDelta(t, 10, minute.perSecond(minute.messages), 0, "what has just begun counts as ten seconds")
	require.InDelta(t, 10, minute.perCall(minute.messages), 0)
	require.EqualValues(t, 100, f.lastMinute(at(69*time.Second)).messages)
	require.Zero(t, f.lastMinute(at(71*time.Second)).messages)

	hour := f.lastHour(at(69 * time.Minute))
	require.EqualValues(t, 1000, hour.bytes)
	require.InDelta(t, 1000.0/(69*60), hour.perSecond(hour.bytes), 1e-9)
	require.Zero(t, f.lastHour(at(71*time.Minute)).bytes)

	require.EqualValues(t, 10, f.lastDay(at(24*time.Hour+59*time.Minute)).calls)
	require.Zero(t, f.lastDay(at(25*time.Hour+time.Minute)).calls)
	require.EqualValues(t, 100, f.total.messages, "the total stays")
}

func TestAFlowThatIsNotThereCountsNothing(t *testing.T) {
	var f *flow
	f.add(at(0), amounts{messages: 1})
	require.Zero(t, f.lastDay(at(0)))
	require.Zero(t, f.lastDay(at(0)).perSecond(1))
}

// TestAWindowIsTheSumOfWhatCameSinceItsOldestPeriodBegan compares with a list of all that came.
func TestAWindowIsTheSumOfWhatCameSinceItsOldestPeriodBegan(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		type event struct {
			at env.Instant
			n  int64
		}
		now := env.Instant(rapid.Int64Range(1, int64(3*time.Hour)).Draw(r, "start"))
		f, born := newFlow(now), now
		var events []event
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int64{0, 1, 1e9, 9e9, 10e9, 61e9, 600e9, 3600e9, 90_000e9}).Draw(r, "pause")))
			if rapid.Bool().Draw(r, "adds") {
				e := event{now, rapid.Int64Range(0, 100).Draw(r, "n")}
				events = append(events, e)
				f.add(now, amounts{messages: e.n, calls: 1})
			}
			for _, w := range []struct {
				got            recently
				period, length time.Duration
			}{
				{f.lastMinute(now), 10 * time.Second, time.Minute},
				{f.lastHour(now), 10 * time.Minute, time.Hour},
				{f.lastDay(now), time.Hour, 24 * time.Hour},
			} {
				began := now - now%env.Instant(w.period) - env.Instant(w.length)
				want := amounts{}
				for _, e := range events {
					if e.at >= began {
						want = want.plus(amounts{messages: e.n, calls: 1})
					}
				}
				require.Equal(r, want, w.got.amounts, "%v at %v", w.length, now)
				require.Equal(r, max(now.Sub(max(began, born)), w.period), w.got.over)
			}
		}
	})
}

func TestCountingAllocatesNothing(t *testing.T) {
	s := newStatistics(at(0), func(string) bool { return false })
	key, q := queueKey("orders", 1), groupQueue{"g", "orders", 1}
	now := at(0)
	count := func() {
		now = now.Add(7 * time.Second)
		s.sent(s.sendsTo(key, now), now, 1, 100, time.Millisecond)
		s.pulled(q, now, 1, 100, time.Millisecond)
	}
	count()
	require.Zero(t, testing.AllocsPerRun(1000, count))
}

func BenchmarkCountASend(b *testing.B) {
	s := newStatistics(at(0), func(string) bool { return false })
	key, now := queueKey("orders", 1), at(0)
	for b.Loop() {
		now += 1000
		s.sent(s.sendsTo(key, now), now, 1, 100, time.Millisecond)
	}
}
