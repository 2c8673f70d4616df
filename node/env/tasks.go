package env

import "time"

// Tasks starts and parks the tasks of one node.
type Tasks interface {
	// Go starts a task. It runs fn later, with the baton, never before the caller
	// gives the baton up. The name appears in traces and failures. A panic in fn stops
	// the node: in production the process, in the simulator the run.
	Go(name string, fn func())
	// Sleep waits for at least d.
	Sleep(d time.Duration)
	// Yield gives other tasks of the node a turn.
	Yield()
	// NewCond returns a condition of this node.
	NewCond() Cond
	// Offload runs fn without the baton and returns when fn has. fn may touch only
	// what the calling task owns or what no task changes any more, and
	// must not call this package, with one exception: it may enter the node
	// again through the Door.
	Offload(fn func())
	// Stacks tells people what goes on, in whole lines of at most so many bytes: in production the stacks of all goroutines of the
	// process, those of the application included; in the simulator the names of the machine's tasks. Nobody may decide by it. It does
	// not wait, but in production it stops everything else for some milliseconds.
	Stacks(limit int) string
}

// Cond is a place where tasks wait until another task of the same node says
// that something may have changed. Wakes may be spurious: always wait in a loop
// around the predicate.
type Cond interface {
	// Wait parks the task until a Signal chooses it or a Broadcast.
	Wait()
	// WaitUntil is Wait with a deadline. It reports false if the deadline passed first.
	// WaitUntil(Never) is Wait.
	WaitUntil(deadline Instant) bool
	// Signal wakes one waiter, if there is one. A signal without a waiter is lost.
	Signal()
	// Broadcast wakes all waiters.
	Broadcast()
}

// Crash is the value with which the simulator unwinds the tasks of a crashed machine.
type Crash struct{ Machine string }

// String names the machine.
func (c Crash) String() string { return "machine " + c.Machine + " crashed" }

// IsCrash reports whether a recovered value says that the machine of the task
// is gone. Such a value must be passed on with panic.
func IsCrash(recovered any) bool {
	_, ok := recovered.(Crash)
	return ok
}
