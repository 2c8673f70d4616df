package env

// Future is a value that one task sets once and others wait for.
type Future[T any] struct {
	value T
	set   bool
	cond  Cond
}

// NewFuture returns a future that is not set.
func NewFuture[T any](tasks Tasks) *Future[T] {
	return &Future[T]{cond: tasks.NewCond()}
}

// Set gives the value and wakes the waiters. The first value stays; Set reports
// whether it was this one.
func (f *Future[T]) Set(value T) bool {
	if f.set {
		return false
	}
	f.value, f.set = value, true
	f.cond.Broadcast()
	return true
}

// Value returns the value and whether it is set.
func (f *Future[T]) Value() (T, bool) { return f.value, f.set }

// Wait waits for the value until the deadline, or until the call, if one is
// given, is cancelled. It reports whether there is a value.
func (f *Future[T]) Wait(call *Call, deadline Instant) (T, bool) {
	for !f.set && call.Wait(f.cond, deadline) {
	}
	return f.value, f.set
}

// Semaphore limits how many tasks do something at once.
type Semaphore struct {
	free int // >= 0
	cond Cond
}

// NewSemaphore returns a semaphore with n permits.
func NewSemaphore(tasks Tasks, n int) *Semaphore {
	return &Semaphore{free: n, cond: tasks.NewCond()}
}

// Acquire waits for a permit until the deadline or until the call, if one is given, is
// cancelled. It reports whether it got one.
func (s *Semaphore) Acquire(call *Call, deadline Instant) bool {
	for s.free == 0 {
		if !call.Wait(s.cond, deadline) && s.free == 0 {
			return false
		}
	}
	s.free--
	return true
}

// Release gives a permit back.
func (s *Semaphore) Release() {
	s.free++
	s.cond.Signal()
}

// Group waits for tasks to end.
type Group struct {
	tasks   Tasks
	running int // >= 0
	cond    Cond
}

// NewGroup returns a group of no tasks.
func NewGroup(tasks Tasks) *Group { return &Group{tasks: tasks, cond: tasks.NewCond()} }

// Go starts a task that Wait waits for.
func (g *Group) Go(name string, fn func()) {
	g.running++
	g.tasks.Go(name, func() {
		defer g.done()
		fn()
	})
}

func (g *Group) done() {
	g.running--
	if g.running == 0 {
		g.cond.Broadcast()
	}
}

// Wait waits until all tasks have ended.
func (g *Group) Wait() {
	for g.running > 0 {
		g.cond.Wait()
	}
}
