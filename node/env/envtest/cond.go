package envtest

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/assert"
)

// TestCond holds a world to env.Cond. Wakes may be spurious, so no clause relies
// on a wake that does not come: all waits are loops around a predicate.
func TestCond(t *testing.T, w World) {
	check(t, w, []clause{
		{"Signal wakes one waiter", signalWakesOne},
		{"So many signals wake as many waiters", signalsWakeDifferentWaiters},
		{"Broadcast wakes all waiters", broadcastWakesAll},
		{"A signal without a waiter is lost", signalIsLost},
		{"Signal and Broadcast keep the baton", wakersKeepTheBaton},
		{"No wake is lost between two tasks that wait for each other", pingPong},
		{"WaitUntil reports true if it was woken first", waitUntilIsWoken},
		{"WaitUntil reports false if the deadline passed first", waitUntilEnds},
		{"WaitUntil with a deadline that has passed returns false", waitUntilThePast},
		{"WaitUntil Never is Wait", waitUntilNever},
		{"Each of several waiters has its own deadline", deadlinesAreSeparate},
		{"A waiter whose deadline passed takes no signal from others", expiredWaiterTakesNothing},
		{"A signal at the moment of a deadline is not lost", signalAtTheDeadline},
		{"A signal between a deadline and the baton is not lost", signalBeforeTheBaton},
	})
}

// gate is a condition with its predicate: a number of tickets, each of which lets one
// waiter through.
type gate struct {
	cond    env.Cond
	tickets int
	waiting int // tasks that have come to pass
	passed  int // tasks that have passed
}

func newGate(e env.Env) *gate { return &gate{cond: e.Tasks.NewCond()} }

// pass waits for a ticket. Coming and waiting is one atomic step, so who sees the
// waiting counted knows that the task is parked.
func (g *gate) pass() {
	g.waiting++
	for g.tickets == 0 {
		g.cond.Wait()
	}
	g.tickets--
	g.passed++
}

// crowd starts tasks that pass the gate and waits until they are parked.
func (g *gate) crowd(t T, c *crew, count int) bool {
	t.Helper()
	c.startMany(count, "waiter", func(int) { g.pass() })
	return assert.True(t, eventually(c.e, func() bool { return g.waiting == count }))
}

func signalWakesOne(t T, e env.Env) {
	g, c := newGate(e), newCrew(e)
	if !g.crowd(t, c, 3) {
		return
	}
	for number := range 3 {
		g.tickets++
		g.cond.Signal()
		woken := eventually(e, func() bool { return g.passed == number+1 })
		assert.True(t, woken, "signal %d woke nobody", number+1)
	}
	c.join(t)
}

// A semaphore that gets two permits back in one step signals twice without
// giving up the baton. The second signal must not go to the waiter that the first one chose.
func signalsWakeDifferentWaiters(t T, e env.Env) {
	g, c := newGate(e), newCrew(e)
	if !g.crowd(t, c, 5) {
		return
	}
	g.tickets = 3
	for range 3 {
		g.cond.Signal()
	}
	assert.True(t, eventually(e, func() bool { return g.passed == 3 }),
		"3 signals woke %d waiters", g.passed)
	g.tickets += 2
	g.cond.Broadcast()
	c.join(t)
}

func broadcastWakesAll(t T, e env.Env) {
	g, c := newGate(e), newCrew(e)
	if !g.crowd(t, c, 10) {
		return
	}
	g.tickets = 10
	g.cond.Broadcast()
	c.join(t)
}

// One wait of many that nobody wakes shows it; each single one might be woken for nothing.
func signalIsLost(t T, e env.Env) {
	cond := e.Tasks.NewCond()
	for range 20 {
		cond.Signal()
		cond.Broadcast()
		if !cond.WaitUntil(e.Clock.Now().Add(time.Millisecond)) {
			return
		}
	}
	t.Errorf("a signal without a waiter was kept for the next one")
}

func wakersKeepTheBaton(t T, e env.Env) {
	g, c := newGate(e), newCrew(e)
	if !g.crowd(t, c, 2) {
		return
	}
	g.tickets = 2
	for _, wake := range []func(){g.cond.Signal, g.cond.Broadcast} {
		wake()
		for range 200 {
			think()
		}
		assert.Zero(t, g.passed, "a waiter ran while its waker held the baton")
	}
	c.join(t)
}

func pingPong(t T, e env.Env) {
	const rounds = 500
	conds := []env.Cond{e.Tasks.NewCond(), e.Tasks.NewCond()}
	turn := 0
	c := newCrew(e)
	c.startMany(2, "player", func(number int) {
		for range rounds {
			for turn%2 != number {
				conds[number].Wait()
			}
			turn++
			conds[1-number].Signal()
		}
	})
	c.join(t)
	assert.Equal(t, 2*rounds, turn)
}

func waitUntilIsWoken(t T, e env.Env) {
	cond, open := e.Tasks.NewCond(), false
	c := newCrew(e)
	c.start("opener", func() {
		e.Tasks.Sleep(2 * time.Millisecond)
		open = true
		cond.Signal()
	})
	limit, woken := soon(e), true
	for !open && woken {
		woken = cond.WaitUntil(limit)
	}
	assert.True(t, woken, "the deadline passed first")
	assert.False(t, limit.Reached(e.Clock.Now()))
	c.join(t)
}

func waitUntilEnds(t T, e env.Env) {
	cond := e.Tasks.NewCond()
	deadline := e.Clock.Now().Add(5 * time.Millisecond)
	for cond.WaitUntil(deadline) {
	}
	assert.True(t, deadline.Reached(e.Clock.Now()), "it ended before its deadline %v", deadline)
}

func waitUntilThePast(t T, e env.Env) {
	cond := e.Tasks.NewCond()
	e.Tasks.Sleep(time.Millisecond)
	before := e.Clock.Now()
	for _, deadline := range []env.Instant{1, before} {
		for cond.WaitUntil(deadline) {
		}
	}
	assert.Less(t, e.Clock.Now().Sub(before), patience)
}

func waitUntilNever(t T, e env.Env) {
	cond, open, ended := e.Tasks.NewCond(), false, false
	c := newCrew(e)
	c.start("waiter", func() {
		for !open && !ended {
			ended = !cond.WaitUntil(env.Never)
		}
	})
	e.Tasks.Sleep(5 * time.Millisecond)
	open = true
	cond.Signal()
	c.join(t)
	assert.False(t, ended, "Never came")
}

// The last to come has the first deadline. Sharing one condition, they must not end each
// other.
func deadlinesAreSeparate(t T, e env.Env) {
	cond := e.Tasks.NewCond()
	start := e.Clock.Now()
	c := newCrew(e)
	c.startMany(6, "waiter", func(number int) {
		deadline := start.Add(time.Duration(6-number) * 3 * time.Millisecond)
		for cond.WaitUntil(deadline) {
		}
		assert.True(t, deadline.Reached(e.Clock.Now()), "waiter %d ended early", number)
	})
	c.join(t)
}

func expiredWaiterTakesNothing(t T, e env.Env) {
	g, c := newGate(e), newCrew(e)
	for g.cond.WaitUntil(e.Clock.Now().Add(time.Millisecond)) {
	}
	if !g.crowd(t, c, 1) {
		return
	}
	g.tickets = 1
	g.cond.Signal()
	c.join(t)
}

// A round is one chance in several for a world that gets it wrong.
func signalAtTheDeadline(t T, e env.Env) {
	own := e.Tasks.NewCond()
	for range 60 {
		sleep := func(deadline env.Instant) {
			for own.WaitUntil(deadline) {
			}
		}
		if !signalAfter(t, e, sleep) {
			return
		}
	}
}

// Where time passes while a task computes, the waiter learns of its deadline then but lacks
// the baton. Under a virtual clock the deadline does not come, which is as good.
func signalBeforeTheBaton(t T, e env.Env) {
	for range 5 {
		compute := func(deadline env.Instant) {
			late := deadline.Add(time.Millisecond)
			for range 5000 {
				if late.Reached(e.Clock.Now()) {
					return
				}
				think()
			}
		}
		if !signalAfter(t, e, compute) {
			return
		}
	}
}

// signalAfter parks two waiters, lets the deadline of one pass, and signals once. Either the
// signal chose that waiter, which then reports true, or it was for the other one.
func signalAfter(t T, e env.Env, pass func(deadline env.Instant)) bool {
	cond, deadline := e.Tasks.NewCond(), e.Clock.Now().Add(time.Millisecond)
	parked, hurried, patient := 0, false, false
	c := newCrew(e)
	park := func(count int) { repeatUntil(e, e.Tasks.Yield, func() bool { return parked == count }) }
	// The one with the deadline comes first, since many worlds wake the oldest.
	c.start("waiter with the deadline", func() {
		parked++
		hurried = cond.WaitUntil(deadline)
	})
	park(1)
	c.start("waiter without", func() {
		parked++
		cond.Wait()
		patient = true
	})
	park(2)
	pass(deadline)
	cond.Signal()
	woken := eventually(e, func() bool { return hurried || patient })
	assert.True(t, woken, "the waiter without a deadline sleeps on, the other reports its deadline")
	cond.Broadcast()
	return c.join(t) && woken
}
