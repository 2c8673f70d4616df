package sim

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
)

// task is a coroutine of one machine's incarnation.
type task struct {
	kernel   *Kernel
	machine  *Machine
	name     string
	id       uint64
	next     func() (struct{}, bool)
	stop     func()
	yield    func(struct{}) bool
	wait     uint64 // number of the wait under way; wakes for another number are stale
	woken    bool   // a wake is under way for the current wait: its deadline no longer counts
	timedOut bool   // how the last wait ended
	done     bool
}

// String names the task in traces.
func (t *task) String() string { return fmt.Sprintf("%s/%s#%d", t.machine.name, t.name, t.id) }

// start makes a task and schedules its first step.
func (k *Kernel) start(m *Machine, name string, fn func()) {
	k.tasks++
	t := &task{kernel: k, machine: m, name: name, id: k.tasks}
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		defer t.finish()
		fn()
	})
	m.tasks = append(m.tasks, t)
	k.push(event{at: k.now, task: t, wait: t.wait})
}

// finish ends a task: in order, by a crash of its machine, or by a panic that fails the run.
func (t *task) finish() {
	t.done = true
	recovered := recover()
	if recovered == nil || env.IsCrash(recovered) {
		return
	}
	k := t.kernel
	if k.failure == nil {
		err, ok := recovered.(error)
		if !ok {
			err = fmt.Errorf("%w: %v", errPanic, recovered)
		}
		k.Fail(FailurePanic, err)
		k.failure.Stack = string(debug.Stack())
	}
}

// resume runs a task until it waits or ends.
func (k *Kernel) resume(t *task) {
	before := k.current
	k.current = t
	t.next()
	k.current = before
	if t.done {
		t.machine.forget(t)
	}
}

// kill unwinds a task that waits.
func (k *Kernel) kill(t *task) {
	if t.done {
		return
	}
	before := k.current
	k.current = t
	t.stop()
	k.current = before
	t.done = true
}

// park gives control to the kernel until an event with the task's wait number comes. It
// reports whether the wait ended by its deadline.
func (t *task) park() (timedOut bool) {
	if !t.yield(struct{}{}) {
		panic(env.Crash{Machine: t.machine.name})
	}
	t.wait++
	t.woken = false
	return t.timedOut
}

// wakeAt schedules the end of the wait that the task is in or about to begin.
func (t *task) wakeAt(at env.Instant, timeout bool) {
	t.kernel.push(event{at: at, task: t, wait: t.wait, timeout: timeout})
}

// pause parks the task for d.
func (t *task) pause(d time.Duration) {
	t.wakeAt(t.kernel.now.Add(d), true)
	t.park()
}

// world is what one incarnation of a machine may do: the Env's implementation.
type world struct {
	kernel      *Kernel
	machine     *Machine
	incarnation int
	sleeps      *Stream // how far sleeps overshoot
}

// check panics if the machine has crashed since this world was made.
func (w *world) check() {
	if w.machine.incarnation != w.incarnation || !w.machine.up {
		panic(env.Crash{Machine: w.machine.name})
	}
}

// running returns the task that calls. Waiting calls from elsewhere are mistakes of the scenario.
func (w *world) running() *task {
	w.check()
	t := w.kernel.current
	if t == nil || t.machine != w.machine {
		panic(fmt.Sprintf("sim: a waiting call on machine %s by %v, which is not its task", w.machine.name, t))
	}
	return t
}

type simTasks struct{ *world }

func (s simTasks) Go(name string, fn func()) {
	s.check()
	s.kernel.start(s.machine, name, fn)
}

// Sleep overshoots a little, as real sleeps do.
func (s simTasks) Sleep(d time.Duration) {
	s.running().pause(max(d, 0) + time.Duration(s.sleeps.Between(0, 50_000)))
}

func (s simTasks) Yield() { s.running().pause(0) }

// Offload takes a turn, so that others run meanwhile, and then runs fn.
func (s simTasks) Offload(fn func()) {
	s.running().pause(time.Duration(s.sleeps.Between(0, 2_000)))
	fn()
	s.check()
}

// Stacks names the tasks: their stacks would differ from run to run.
func (s simTasks) Stacks(limit int) string {
	s.check()
	var text strings.Builder
	for _, name := range s.machine.TaskNames() {
		if text.Len()+len(name)+1 > limit {
			break
		}
		text.WriteString(name + "\n")
	}
	return text.String()
}

func (s simTasks) NewCond() env.Cond { return &cond{world: s.world} }

// cond keeps its waiters in the order they came; a Signal draws one of them.
type cond struct {
	world   *world
	waiters []waiter
}

type waiter struct {
	task *task
	wait uint64
}

func (c *cond) Wait() { c.WaitUntil(env.Never) }

func (c *cond) WaitUntil(deadline env.Instant) bool {
	t := c.world.running()
	if deadline.Reached(t.kernel.now) {
		return false
	}
	c.dropStale()
	c.waiters = append(c.waiters, waiter{t, t.wait})
	if deadline != env.Never {
		t.wakeAt(deadline, true)
	}
	return !t.park()
}

// dropStale removes waiters whose wait ended otherwise.
func (c *cond) dropStale() {
	kept := c.waiters[:0]
	for _, w := range c.waiters {
		if !w.task.done && w.task.wait == w.wait {
			kept = append(kept, w)
		}
	}
	clear(c.waiters[len(kept):])
	c.waiters = kept
}

func (c *cond) Signal() {
	c.world.check()
	c.dropStale()
	if len(c.waiters) == 0 {
		return
	}
	i := 0
	if len(c.waiters) > 1 {
		i = c.world.kernel.schedule.IntN(len(c.waiters))
	}
	c.waiters[i].wake()
	c.waiters = append(c.waiters[:i], c.waiters[i+1:]...)
}

func (c *cond) Broadcast() {
	c.world.check()
	for _, w := range c.waiters {
		w.wake()
	}
	c.waiters = c.waiters[:0]
}

func (w waiter) wake() {
	if w.task != nil && !w.task.done && w.task.wait == w.wait {
		w.task.woken = true
		w.task.wakeAt(w.task.kernel.now, false)
	}
}

type simDoor struct{ *world }

// Enter only wraps the calling task: in the simulator everyone is a task. A
// deadline of ctx counts on the simulated calendar, which begins at Epoch.
func (d simDoor) Enter(ctx context.Context) (*env.Call, error) {
	d.running()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	deadline := env.Never
	if at, ok := ctx.Deadline(); ok {
		deadline = env.Instant(at.Sub(Epoch.Time())) + 1
	}
	return env.NewCall(deadline, nil), nil
}
