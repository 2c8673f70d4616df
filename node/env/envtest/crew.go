package envtest

import (
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/assert"
)

// patience is how long a clause waits for what must happen. No clause that
// holds comes near it, so a slow machine does not make the suite fail.
const patience = 30 * time.Second

// tick is the pause in loops that run beside other tasks. A virtual clock stands still
// while any task can run, so a loop without a pause could keep the others waiting for ever.
const tick = 50 * time.Microsecond

// manySteps bounds loops that wait by a call which need not let time pass.
const manySteps = 5_000_000

// soon is the deadline for what must happen.
func soon(e env.Env) env.Instant { return e.Clock.Now().Add(patience) }

// eventually sleeps until the predicate holds and reports whether it came to.
func eventually(e env.Env, holds func() bool) bool {
	limit := soon(e)
	for !holds() {
		if limit.Reached(e.Clock.Now()) {
			return false
		}
		e.Tasks.Sleep(time.Millisecond)
	}
	return true
}

// repeatUntil waits by calling step and nothing else that waits, to show that step
// gives up the baton.
func repeatUntil(e env.Env, step func(), holds func() bool) bool {
	limit := soon(e)
	for range manySteps {
		if holds() {
			return true
		}
		if limit.Reached(e.Clock.Now()) {
			return false
		}
		step()
	}
	return false
}

// crew starts tasks and waits for them. It needs only Go and Sleep of the world
// and has no unlimited wait, unlike env.Group, which is itself under test.
type crew struct {
	e       env.Env
	running []string // names of the tasks that have not ended
}

// newCrew returns a crew without tasks.
func newCrew(e env.Env) *crew { return &crew{e: e} }

// start starts a task that join waits for.
func (c *crew) start(name string, fn func()) {
	c.running = append(c.running, name)
	c.e.Tasks.Go(name, func() {
		defer c.ended(name)
		fn()
	})
}

// startMany starts so many tasks of one kind; fn gets their numbers.
func (c *crew) startMany(count int, name string, fn func(number int)) {
	for number := range count {
		c.start(name, func() { fn(number) })
	}
}

func (c *crew) ended(name string) {
	at := slices.Index(c.running, name)
	c.running = slices.Delete(c.running, at, at+1)
}

// join waits for the tasks, and names those that do not end.
func (c *crew) join(t T) bool {
	t.Helper()
	return assert.True(t, eventually(c.e, func() bool { return len(c.running) == 0 }),
		"these tasks wait for ever: %v", c.running)
}

// think takes about a microsecond of processor time without a call of env, so
// that a world without a baton gets the chance to show it.
//
//go:noinline
func think() uint64 {
	x := uint64(0x9e3779b97f4a7c15)
	for range 400 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}
