package envtest

import (
	"context"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/assert"
)

// testOutside holds a world to the Door as the goroutines of an application see it.
func testOutside(t *testing.T, w Outside) {
	t.Run("Goroutines inside hold the baton one at a time", func(t *testing.T) {
		visitorsTakeTurns(t, w)
	})
	t.Run("A context cancelled while its call waits ends the wait", func(t *testing.T) {
		cancelledContextEndsWait(t, w)
	})
	t.Run("The deadline of the context is the deadline of the call", func(t *testing.T) {
		w.RunOutside(t, 1, contextDeadlineIsTheCalls)
	})
	t.Run("A context that is done keeps its goroutine out", func(t *testing.T) {
		w.RunOutside(t, 1, doneContextStaysOut)
	})
}

func visitorsTakeTurns(t *testing.T, w Outside) {
	const goroutines, rounds = 8, 100
	counter := 0
	w.RunOutside(t, goroutines, func(t T, e env.Env, _ int) {
		for range rounds {
			visit(t, e, context.Background(), func(*env.Call) {
				read := counter
				think()
				counter = read + 1
			})
		}
	})
	assert.Equal(t, goroutines*rounds, counter, "increments were lost")
}

// The first visitor waits. The second sees to it, inside, that the first is parked, and
// cancels from outside, as applications do.
func cancelledContextEndsWait(t *testing.T, w Outside) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	parked := false
	w.RunOutside(t, 2, func(t T, e env.Env, number int) {
		if number == 0 {
			visit(t, e, ctx, func(call *env.Call) {
				cond, limit := e.Tasks.NewCond(), soon(e)
				parked = true
				for call.Wait(cond, limit) {
				}
				assert.ErrorIs(t, call.Err(), context.Canceled)
			})
			return
		}
		visit(t, e, context.Background(), func(*env.Call) {
			assert.True(t, eventually(e, func() bool { return parked }))
		})
		cancel()
	})
}

// contextUntil is a context with a deadline on the calendar of the world, which the
// standard library's contexts do not know.
type contextUntil struct {
	context.Context
	deadline time.Time
}

// Deadline is part of context.Context.
func (c contextUntil) Deadline() (time.Time, bool) { return c.deadline, true }

// contextFor returns a context that ends so much later. The calendar is read inside, because
// only a task may.
func contextFor(t T, e env.Env, wait time.Duration) context.Context {
	ctx := context.Background()
	visit(t, e, ctx, func(*env.Call) {
		ctx = contextUntil{ctx, e.Clock.Wall().Time().Add(wait)}
	})
	return ctx
}

// The calendar counts whole milliseconds, and time passes between the readings, so
// the bounds are loose.
func contextDeadlineIsTheCalls(t T, e env.Env, _ int) {
	visit(t, e, contextFor(t, e, time.Hour), func(call *env.Call) {
		remaining := call.Deadline().Sub(e.Clock.Now())
		assert.Greater(t, remaining, time.Hour-patience)
		assert.LessOrEqual(t, remaining, time.Hour)
	})
	visit(t, e, contextFor(t, e, 20*time.Millisecond), func(call *env.Call) {
		cond := e.Tasks.NewCond()
		for call.Wait(cond, soon(e)) {
		}
		assert.True(t, call.Deadline().Reached(e.Clock.Now()))
	})
}

func doneContextStaysOut(t T, e env.Env, _ int) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	call, err := e.Door.Enter(ctx)
	assert.ErrorIs(t, err, context.Canceled)
	if err == nil {
		call.Leave()
	}
}
