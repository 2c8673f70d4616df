package envtest

import (
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/assert"
)

func semaphoreClauses() []clause {
	return []clause{
		{"Never more tasks than permits, and all get their turn", semaphoreLimits},
		{"Acquire reports that it got none at the deadline", semaphoreDeadline},
		{"Acquire takes a free permit even after the deadline", semaphoreIsLateButFree},
		{"Acquire ends when its call is cancelled", semaphoreCancelled},
		{"Permits given back in one step wake as many waiters", semaphoreWakesMany},
	}
}

// The workers wait in different ways inside, so that their turns overlap.
func semaphoreLimits(t T, e env.Env) {
	const permits, workers = 3, 12
	s := env.NewSemaphore(e.Tasks, permits)
	inside, most, done := 0, 0, 0
	c := newCrew(e)
	c.startMany(workers, "worker", func(number int) {
		for round := range 5 {
			if !assert.True(t, s.Acquire(nil, soon(e))) {
				return
			}
			inside++
			most = max(most, inside)
			e.Tasks.Sleep(time.Duration((number+round)%3) * 100 * time.Microsecond)
			inside--
			s.Release()
		}
		done++
	})
	c.join(t)
	assert.Equal(t, workers, done)
	assert.LessOrEqual(t, most, permits)
	assert.Greater(t, most, 1, "no two tasks ever held permits together")
}

func semaphoreDeadline(t T, e env.Env) {
	s := env.NewSemaphore(e.Tasks, 1)
	assert.True(t, s.Acquire(nil, env.Never))
	deadline := e.Clock.Now().Add(3 * time.Millisecond)
	assert.False(t, s.Acquire(nil, deadline))
	assert.True(t, deadline.Reached(e.Clock.Now()))
	s.Release()
	assert.True(t, s.Acquire(nil, env.Never), "the one who left took the permit along")
}

func semaphoreIsLateButFree(t T, e env.Env) {
	s := env.NewSemaphore(e.Tasks, 1)
	e.Tasks.Sleep(time.Millisecond)
	assert.True(t, s.Acquire(nil, e.Clock.Now()))
}

func semaphoreCancelled(t T, e env.Env) {
	s := env.NewSemaphore(e.Tasks, 0)
	call := env.NewCall(env.Never, nil)
	c := newCrew(e)
	c.start("waiter", func() { assert.False(t, s.Acquire(call, env.Never)) })
	e.Tasks.Sleep(2 * time.Millisecond)
	call.Cancel(errGaveUp)
	c.join(t)
}

func semaphoreWakesMany(t T, e env.Env) {
	s := env.NewSemaphore(e.Tasks, 0)
	c := newCrew(e)
	c.startMany(4, "waiter", func(int) { assert.True(t, s.Acquire(nil, soon(e))) })
	e.Tasks.Sleep(2 * time.Millisecond)
	for range 4 {
		s.Release()
	}
	before := e.Clock.Now()
	c.join(t)
	assert.Less(t, e.Clock.Now().Sub(before), patience/2, "waiters only woke at their deadline")
}

func groupClauses() []clause {
	return []clause{
		{"Wait waits until all tasks have ended", groupWaits},
		{"Wait of a group without tasks returns", groupIsEmpty},
		{"Several tasks may wait for one group", groupHasManyWaiters},
	}
}

func groupWaits(t T, e env.Env) {
	g := env.NewGroup(e.Tasks)
	ended := 0
	for number := range 6 {
		g.Go("member", func() {
			e.Tasks.Sleep(time.Duration(number) * time.Millisecond)
			ended++
		})
	}
	g.Wait()
	assert.Equal(t, 6, ended)
	// A group can be used again.
	g.Go("late member", func() { ended++ })
	g.Wait()
	assert.Equal(t, 7, ended)
}

func groupIsEmpty(t T, e env.Env) {
	before := e.Clock.Now()
	env.NewGroup(e.Tasks).Wait()
	assert.Less(t, e.Clock.Now().Sub(before), patience)
}

func groupHasManyWaiters(t T, e env.Env) {
	g := env.NewGroup(e.Tasks)
	ended := false
	g.Go("member", func() {
		e.Tasks.Sleep(3 * time.Millisecond)
		ended = true
	})
	c := newCrew(e)
	c.startMany(3, "waiter", func(int) {
		g.Wait()
		assert.True(t, ended)
	})
	c.join(t)
}
