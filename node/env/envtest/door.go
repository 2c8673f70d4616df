package envtest

import (
	"context"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/assert"
)

// TestDoor holds a world to env.Door and env.Call: from code run by Offload in all
// worlds, and from foreign goroutines where the world is an Outside.
func TestDoor(t *testing.T, w World) {
	check(t, w, []clause{
		{"Code run by Offload may enter", offloadedCodeEnters},
		{"It may enter again after it left", offloadedCodeEntersAgain},
		{"Inside it holds the baton", visitHoldsTheBaton},
		{"Inside it may wait, and other tasks run", visitMayWait},
		{"Enter fails if the context is already done", enterFailsWhenDone},
		{"A visit without a deadline has the deadline Never", visitHasNoDeadline},
		{"A nil call waits like a plain task", nilCallWaits},
		{"Wait ends at the deadline of the call", callDeadlineEndsWait},
		{"Wait ends at the earlier of both deadlines", earlierDeadlineEndsWait},
		{"Cancel wakes the call, and the first reason stays", cancelWakes},
		{"A cancelled call does not wait", cancelledCallDoesNotWait},
	})
	if outside, ok := w.(Outside); ok {
		t.Run("From outside", func(t *testing.T) { testOutside(t, outside) })
	}
}

// visit enters the node, calls inside with the baton, and leaves. It is called without the
// baton.
func visit(t T, e env.Env, ctx context.Context, inside func(call *env.Call)) {
	t.Helper()
	call, err := e.Door.Enter(ctx)
	if !assert.NoError(t, err) {
		return
	}
	defer call.Leave()
	inside(call)
}

// visitFromOffload gives up the baton and comes back through the Door.
func visitFromOffload(t T, e env.Env, inside func(call *env.Call)) {
	t.Helper()
	e.Tasks.Offload(func() { visit(t, e, context.Background(), inside) })
}

func offloadedCodeEnters(t T, e env.Env) {
	entered := false
	visitFromOffload(t, e, func(call *env.Call) {
		entered = true
		assert.NoError(t, call.Err())
	})
	assert.True(t, entered)
}

func offloadedCodeEntersAgain(t T, e env.Env) {
	visits := 0
	e.Tasks.Offload(func() {
		for range 5 {
			visit(t, e, context.Background(), func(*env.Call) { visits++ })
			think()
		}
	})
	assert.Equal(t, 5, visits)
}

// Visitors and plain tasks share one unprotected counter.
func visitHoldsTheBaton(t T, e env.Env) {
	const tasks, rounds = 6, 50
	counter := 0
	increment := func() {
		read := counter
		think()
		counter = read + 1
	}
	c := newCrew(e)
	c.startMany(tasks, "visitor", func(int) {
		for range rounds {
			increment()
			visitFromOffload(t, e, func(*env.Call) { increment() })
		}
	})
	c.join(t)
	assert.Equal(t, 2*tasks*rounds, counter, "increments were lost")
}

func visitMayWait(t T, e env.Env) {
	cond, open, opened := e.Tasks.NewCond(), false, false
	c := newCrew(e)
	c.start("opener", func() {
		for !open {
			cond.Wait()
		}
		opened = true
		cond.Broadcast()
	})
	visitFromOffload(t, e, func(call *env.Call) {
		e.Tasks.Sleep(time.Millisecond)
		open = true
		cond.Broadcast()
		for !opened && call.Wait(cond, soon(e)) {
		}
		assert.True(t, opened, "the other task did not run")
	})
	c.join(t)
}

func enterFailsWhenDone(t T, e env.Env) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	e.Tasks.Offload(func() {
		call, err := e.Door.Enter(ctx)
		assert.ErrorIs(t, err, context.Canceled)
		if err == nil {
			call.Leave()
		}
	})
}

func visitHasNoDeadline(t T, e env.Env) {
	visitFromOffload(t, e, func(call *env.Call) {
		assert.Equal(t, env.Never, call.Deadline())
	})
}

func nilCallWaits(t T, e env.Env) {
	var call *env.Call
	assert.Equal(t, env.Never, call.Deadline())
	assert.NoError(t, call.Err())
	cond, deadline := e.Tasks.NewCond(), e.Clock.Now().Add(2*time.Millisecond)
	for call.Wait(cond, deadline) {
	}
	assert.True(t, deadline.Reached(e.Clock.Now()))
}

func callDeadlineEndsWait(t T, e env.Env) {
	deadline := e.Clock.Now().Add(3 * time.Millisecond)
	call := env.NewCall(deadline, nil)
	cond := e.Tasks.NewCond()
	for call.Wait(cond, env.Never) {
	}
	assert.True(t, deadline.Reached(e.Clock.Now()))
	assert.NoError(t, call.Err())
}

func earlierDeadlineEndsWait(t T, e env.Env) {
	cond := e.Tasks.NewCond()
	for _, callIsEarlier := range []bool{true, false} {
		early, late := e.Clock.Now().Add(3*time.Millisecond), soon(e)
		own, given := late, early
		if callIsEarlier {
			own, given = early, late
		}
		call := env.NewCall(own, nil)
		for call.Wait(cond, given) {
		}
		assert.True(t, early.Reached(e.Clock.Now()))
		assert.False(t, late.Reached(e.Clock.Now()), "it waited for the later deadline")
	}
}

func cancelWakes(t T, e env.Env) {
	call, cond := env.NewCall(env.Never, nil), e.Tasks.NewCond()
	c := newCrew(e)
	c.start("caller", func() {
		for call.Wait(cond, env.Never) {
		}
	})
	e.Tasks.Sleep(2 * time.Millisecond)
	call.Cancel(errGaveUp)
	call.Cancel(context.Canceled)
	c.join(t)
	assert.Equal(t, errGaveUp, call.Err())
}

func cancelledCallDoesNotWait(t T, e env.Env) {
	call, cond := env.NewCall(env.Never, nil), e.Tasks.NewCond()
	call.Cancel(errGaveUp)
	assert.False(t, call.Wait(cond, soon(e)))
}
