package envtest

import (
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/assert"
)

// T is the part of testing.T that a task may use: it reports, and never stops
// the goroutine it is called on. A *testing.T is one. It may be used with or
// without the baton.
type T interface {
	assert.TestingT
	Helper()
}

// World is one implementation of package env under test. It injects no
// faults while the suite runs: no crash, no reset, no jump of the calendar.
type World interface {
	// Run makes a fresh node with an empty disk, calls task as a task of it, and
	// returns when task has returned. Only after a failure does the node still have other
	// tasks then; the world ends them, or abandons them if it cannot. Each clause calls it once, in a
	// subtest of its own.
	Run(t *testing.T, task func(t T, e env.Env))
	// RunPair makes two fresh nodes on two machines that can reach each other, and
	// returns when the tasks on both have returned. The listener's task starts
	// first. It calls ready at most once, with a port; ready does not wait. Only then the
	// dialer's task starts, on the other node, and address is the "host:port" of that port on
	// the listener's machine, as the dialer has to write it. If the listener's task
	// returns without calling ready, the dialer's is never run.
	RunPair(t *testing.T,
		dialer func(t T, e env.Env, address string),
		listener func(t T, e env.Env, ready func(port uint16)))
}

// Outside is a World in which goroutines that are not tasks can come in
// through the Door. TestDoor looks for it; a world without such goroutines just
// does not implement it.
type Outside interface {
	World
	// RunOutside makes a fresh node, calls visitor on so many new goroutines at
	// once, none of them a task, with the numbers from 0, and returns when all have returned.
	RunOutside(t *testing.T, goroutines int, visitor func(t T, e env.Env, number int))
}

// TestAll runs the whole contract against a world.
func TestAll(t *testing.T, w World) {
	t.Run("Clock", func(t *testing.T) { TestClock(t, w) })
	t.Run("Rand", func(t *testing.T) { TestRand(t, w) })
	t.Run("Tasks", func(t *testing.T) { TestTasks(t, w) })
	t.Run("Cond", func(t *testing.T) { TestCond(t, w) })
	t.Run("Queue", func(t *testing.T) { TestQueue(t, w) })
	t.Run("Door", func(t *testing.T) { TestDoor(t, w) })
	t.Run("Disk", func(t *testing.T) { TestDisk(t, w) })
	t.Run("Network", func(t *testing.T) { TestNetwork(t, w) })
}

// clause is one sentence of the contract and the task that holds the world to it.
type clause struct {
	sentence string
	holds    func(t T, e env.Env)
}

// check gives each clause a subtest and a fresh node.
func check(t *testing.T, w World, clauses []clause) {
	t.Helper()
	for _, c := range clauses {
		t.Run(c.sentence, func(t *testing.T) { w.Run(t, c.holds) })
	}
}
