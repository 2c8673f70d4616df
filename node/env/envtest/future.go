package envtest

import (
	"errors"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/assert"
)

// errGaveUp is why the calls of this suite are cancelled.
var errGaveUp = errors.New("the caller gave up")

func futureClauses() []clause {
	return []clause{
		{"The first value stays", firstValueStays},
		{"Set wakes all waiters", futureWakesAll},
		{"Wait reports that there is no value at the deadline", futureDeadline},
		{"Wait returns a value even after the deadline", futureIsLateButSet},
		{"Wait ends when its call is cancelled", futureCancelled},
	}
}

func firstValueStays(t T, e env.Env) {
	f := env.NewFuture[string](e.Tasks)
	_, set := f.Value()
	assert.False(t, set)
	assert.True(t, f.Set("first"))
	assert.False(t, f.Set("second"))
	value, set := f.Value()
	assert.True(t, set)
	assert.Equal(t, "first", value)
}

func futureWakesAll(t T, e env.Env) {
	f := env.NewFuture[int](e.Tasks)
	c := newCrew(e)
	c.startMany(5, "waiter", func(int) {
		value, ok := f.Wait(nil, soon(e))
		assert.True(t, ok)
		assert.Equal(t, 42, value)
	})
	e.Tasks.Sleep(2 * time.Millisecond)
	f.Set(42)
	c.join(t)
}

func futureDeadline(t T, e env.Env) {
	f := env.NewFuture[int](e.Tasks)
	deadline := e.Clock.Now().Add(3 * time.Millisecond)
	_, ok := f.Wait(nil, deadline)
	assert.False(t, ok)
	assert.True(t, deadline.Reached(e.Clock.Now()))
}

func futureIsLateButSet(t T, e env.Env) {
	f := env.NewFuture[int](e.Tasks)
	f.Set(7)
	e.Tasks.Sleep(time.Millisecond)
	value, ok := f.Wait(nil, e.Clock.Now())
	assert.True(t, ok)
	assert.Equal(t, 7, value)
}

func futureCancelled(t T, e env.Env) {
	f := env.NewFuture[int](e.Tasks)
	call := env.NewCall(soon(e), nil)
	c := newCrew(e)
	c.start("waiter", func() {
		_, ok := f.Wait(call, env.Never)
		assert.False(t, ok)
		assert.ErrorIs(t, call.Err(), errGaveUp)
	})
	e.Tasks.Sleep(2 * time.Millisecond)
	call.Cancel(errGaveUp)
	c.join(t)
}
