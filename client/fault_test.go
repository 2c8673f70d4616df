package client

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// at is an instant so long after the world began.
func at(d time.Duration) env.Instant { return env.Instant(1).Add(d) }

// The table of Java clients from 5.1.4 on, in milliseconds: the highest threshold that the latency reaches counts.
func TestTheRestOfABrokerIsThatOfJava(t *testing.T) {
	f := newFaults(DefaultFaultSteps())
	for latency, rest := range map[int]int{
		0: 0, 49: 0, 50: 0, 100: 0, 549: 0, 550: 2000, 1799: 2000, 1800: 5000, 2999: 5000, 3000: 6000, 4999: 6000,
		5000: 10_000, 10_000: 10_000, 14_999: 10_000, 15_000: 30_000, 600_000: 30_000,
	} {
		got := f.rest(time.Duration(latency) * time.Millisecond)
		require.Equal(t, time.Duration(rest)*time.Millisecond, got, "after %d ms", latency)
	}
}

func TestABrokerRestsUntilItsTimeIsOver(t *testing.T) {
	f := newFaults(DefaultFaultSteps())
	require.True(t, f.available("a", at(0)), "nothing is known of it")
	f.note("a", outcome{isolated, reachable}, at(0))
	require.False(t, f.available("a", at(10*time.Second-1)))
	require.True(t, f.available("a", at(10*time.Second)))
	f.note("a", outcome{time.Millisecond, reachable}, at(time.Second))
	require.False(t, f.available("a", at(2*time.Second)), "a good try does not end the rest")
	require.True(t, f.available("b", at(0)))
	f.forget("a")
	require.True(t, f.available("a", at(0)))
}

func TestPropTheRestOfABrokerNeverGetsShorter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFaults(DefaultFaultSteps())
		now, restsUntil := at(0), env.Never
		for range rapid.IntRange(1, 30).Draw(t, "tries") {
			now = now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "later")) * time.Millisecond)
			latency := time.Duration(rapid.IntRange(0, 20_000).Draw(t, "latency")) * time.Millisecond
			f.note("a", outcome{latency, rapid.SampledFrom([]reach{reachAsBefore, reachable, unreachable}).Draw(t, "reach")}, now)
			restsUntil = max(restsUntil, now.Add(f.rest(latency)))
			require.Equal(t, now >= restsUntil, f.available("a", now))
			require.True(t, f.available("a", restsUntil))
			if restsUntil > now {
				require.False(t, f.available("a", restsUntil-1))
			}
		}
	})
}

func TestOnlyUnreachableBrokersAreDueForACheckAndNotTooOften(t *testing.T) {
	f := newFaults(DefaultFaultSteps())
	for _, name := range []string{"c", "a", "b"} {
		f.note(name, outcome{isolated, unreachable}, at(0))
	}
	f.note("b", outcome{time.Millisecond, reachable}, at(0))
	require.Equal(t, []string{"a", "c"}, f.due(2*time.Second, at(3*time.Second)))
	require.Empty(t, f.due(2*time.Second, at(5*time.Second-1)))
	f.recovered("a")
	require.True(t, f.reachable("a"))
	require.Equal(t, []string{"c"}, f.due(2*time.Second, at(5*time.Second)))
	f.note("c", outcome{time.Second, reachAsBefore}, at(5*time.Second))
	require.False(t, f.reachable("c"), "a try that tells nothing leaves it so")
}

func TestWhatATryTellsAboutItsBroker(t *testing.T) {
	const took = 70 * time.Millisecond
	answer := func(code int32) error { return fmt.Errorf("wrapped: %w", &ResponseError{Code: code}) }
	for name, try := range map[string]struct {
		err       error
		detecting bool
		gaveUp    bool
		want      outcome
	}{
		"success":                      {nil, false, false, outcome{took, reachable}},
		"no connection":                {transport.ErrNotSent, false, false, outcome{isolated, reachable}},
		"no connection, with detector": {transport.ErrNotSent, true, false, outcome{isolated, unreachable}},
		"no answer":                    {ErrTimeout, true, false, outcome{isolated, unreachable}},
		"no answer yet":                {ErrTimeout, true, true, outcome{took, reachAsBefore}},
		"cancelled":                    {transport.ErrCancelled, true, false, outcome{took, reachAsBefore}},
		"no master":                    {ErrNoBroker, true, false, outcome{took, reachAsBefore}},
		"busy":                         {answer(proto.RespSystemBusy), false, false, outcome{isolated, unreachable}},
		"wrong message":                {answer(proto.RespMessageIllegal), true, false, outcome{took, reachable}},
		"nonsense":                     {errors.New("unreadable"), false, false, outcome{isolated, reachable}},
	} {
		got, tells := outcomeOf(took, try.err, defaultRetryCodes(), try.detecting, try.gaveUp)
		require.True(t, tells, name)
		require.Equal(t, try.want, got, name)
	}
	for _, err := range []error{transport.ErrBusy, ErrClosed} {
		_, tells := outcomeOf(took, err, defaultRetryCodes(), true, false)
		require.False(t, tells, "%v is about this process", err)
	}
}
