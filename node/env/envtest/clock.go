package envtest

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/assert"
)

// TestClock holds a world to env.Clock.
func TestClock(t *testing.T, w World) {
	check(t, w, []clause{
		{"Now is greater than zero", nowIsPositive},
		{"Now never goes back", nowNeverGoesBack},
		{"Now moves on by at least the time slept", sleepMovesNow},
		{"Wall is calendar time and moves on too", sleepMovesWall},
	})
}

func nowIsPositive(t T, e env.Env) {
	assert.Greater(t, e.Clock.Now(), env.Instant(0), "zero would mean Never")
}

// The latest instant is shared by all tasks, since they may run on several processors.
func nowNeverGoesBack(t T, e env.Env) {
	latest := e.Clock.Now()
	c := newCrew(e)
	c.startMany(4, "clock reader", func(int) {
		for range 200 {
			now := e.Clock.Now()
			if now < latest {
				assert.GreaterOrEqual(t, now, latest)
				return
			}
			latest = now
			e.Tasks.Yield()
		}
	})
	c.join(t)
}

func sleepMovesNow(t T, e env.Env) {
	for _, pause := range []time.Duration{time.Microsecond, time.Millisecond, 7 * time.Millisecond} {
		before := e.Clock.Now()
		e.Tasks.Sleep(pause)
		assert.GreaterOrEqual(t, e.Clock.Now().Sub(before), pause)
	}
}

// The bound is loose: the two clocks are read at different times, and the calendar
// counts whole milliseconds.
func sleepMovesWall(t T, e env.Env) {
	before := e.Clock.Wall()
	assert.Greater(t, before, env.WallMillis(0), "the calendar of a machine is past 1970")
	e.Tasks.Sleep(30 * time.Millisecond)
	assert.GreaterOrEqual(t, e.Clock.Wall(), before+20)
}
