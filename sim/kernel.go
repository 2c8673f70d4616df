package sim

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"go.uber.org/zap/zapcore"
)

// Epoch is the calendar time at which every simulated world begins.
const Epoch env.WallMillis = 1_767_225_600_000 // 2026-01-01T00:00:00Z

// Options of a kernel. The zero value is a quiet world.
type Options struct {
	// Log receives the nodes' log lines; nil drops them.
	Log io.Writer
	// LogLevel is the lowest level that nodes write.
	LogLevel zapcore.Level
	// Logging switches the nodes' logs on, into the trace and Log. Formatting them takes about as
	// long as everything else.
	Logging bool
	// Trace receives one line for each step; nil drops them.
	Trace io.Writer
	// StepsMax ends a run that does not come to rest; 0 means no limit.
	StepsMax uint64
}

// Kernel runs a simulated world: one task at a time, in an order that the seed
// decides. It is not safe for use by several goroutines, and needs none.
type Kernel struct {
	seed     uint64
	options  Options
	now      env.Instant
	events   eventHeap
	sequence uint64
	schedule *Stream // decides the order of events of one instant
	streams  *Stream
	trace    trace
	current  *task // nil while the kernel itself acts
	tasks    uint64
	machines []*Machine
	network  *Network
	marks    map[string]int
	failure  *Failure
	closed   bool
}

// New returns a world in which nothing happens yet.
func New(seed uint64, options Options) *Kernel {
	root := NewStream(seed)
	k := &Kernel{
		seed:     seed,
		options:  options,
		now:      1,
		schedule: root.Derive("schedule"),
		streams:  root,
		marks:    map[string]int{},
	}
	k.trace.lines = options.Trace
	k.trace.hash = mix(seed)
	k.network = newNetwork(k)
	return k
}

// Seed is what the world was made from.
func (k *Kernel) Seed() uint64 { return k.seed }

// Now is the virtual time.
func (k *Kernel) Now() env.Instant { return k.now }

// Step is the number of trace entries so far.
func (k *Kernel) Step() uint64 { return k.trace.step }

// TraceHash is the fingerprint of everything that has happened so far.
func (k *Kernel) TraceHash() uint64 { return k.trace.hash }

// Stream returns the random stream of a purpose.
func (k *Kernel) Stream(name string) *Stream { return k.streams.Derive(name) }

// Network is the modelled network.
func (k *Kernel) Network() *Network { return k.network }

// Machines are all machines in the order they were added.
func (k *Kernel) Machines() []*Machine { return k.machines }

// AddMachine adds a machine that is switched off. Name and address must be new.
func (k *Kernel) AddMachine(name string, address netip.Addr) *Machine {
	for _, m := range k.machines {
		if m.name == name || m.address == address {
			panic(fmt.Sprintf("sim: machine %s %s clashes with %s %s", name, address, m.name, m.address))
		}
	}
	m := &Machine{kernel: k, name: name, address: address, number: len(k.machines)}
	m.disk = newDisk(m)
	k.machines = append(k.machines, m)
	return m
}

// After runs act in the kernel after d. act must not make waiting calls.
func (k *Kernel) After(d time.Duration, act func()) {
	k.push(event{at: k.now.Add(d), act: act})
}

// Note puts a line of the scenario into the trace.
func (k *Kernel) Note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	k.trace.add(k.now, traceScenario, hashString(text), 0)
	k.trace.line(k.now, traceScenario, "%s", text)
}

// Mark counts that an interesting place was reached.
func (k *Kernel) Mark(name string) { k.marks[name]++ }

// Marks are the counts of the places reached.
func (k *Kernel) Marks() map[string]int { return k.marks }

// Run lets the world go on until done reports true, nothing is left to happen, a failure, or the
// deadline. It reports whether done did.
func (k *Kernel) Run(deadline env.Instant, done func() bool) bool {
	for k.failure == nil && len(k.events) > 0 {
		if done != nil && done() {
			return true
		}
		if deadline != env.Never && k.events[0].at > deadline {
			k.now = max(k.now, deadline)
			return false
		}
		k.step()
	}
	return done != nil && k.failure == nil && done()
}

// step carries out the next event.
func (k *Kernel) step() {
	e := k.events.pop()
	if e.at > k.now {
		k.now = e.at
	}
	if e.task == nil {
		e.act()
		return
	}
	t := e.task
	if t.done || t.wait != e.wait {
		return
	}
	if until := t.machine.pausedUntil; until > k.now {
		e.at = until
		k.push(e)
		return
	}
	if k.options.StepsMax != 0 && k.trace.step >= k.options.StepsMax {
		k.Fail(FailureLiveness, fmt.Errorf("the run did not come to rest within %d steps", k.options.StepsMax))
		return
	}
	k.trace.add(k.now, traceResume, t.id, uint64(t.machine.number))
	k.trace.line(k.now, traceResume, "%s", t)
	t.timedOut = e.timeout && !t.woken
	k.resume(t)
}

func (k *Kernel) push(e event) {
	k.sequence++
	e.sequence = k.sequence
	if e.priority == 0 {
		e.priority = k.schedule.Uint64()
	}
	k.events.push(e)
}

// Close ends every task. The kernel is of no more use.
func (k *Kernel) Close() {
	if k.closed {
		return
	}
	k.closed = true
	for _, m := range k.machines {
		// First, so that deferred functions reach nothing any more.
		m.up = false
		m.killTasks()
	}
	k.events = nil
}

// FailureKind says what sort of promise a failed run broke. It is also the
// exit code of the simulator.
type FailureKind int

// Kinds of failure.
const (
	FailureSafety           FailureKind = 2 // something happened that never may
	FailureLiveness         FailureKind = 3 // something did not happen that must
	FailurePanic            FailureKind = 4 // a panic or a broken assertion in a task
	FailureNotDeterministic FailureKind = 5 // one seed gave two histories
)

// String names the kind.
func (f FailureKind) String() string {
	switch f {
	case FailureSafety:
		return "safety"
	case FailureLiveness:
		return "liveness"
	case FailurePanic:
		return "panic"
	case FailureNotDeterministic:
		return "not deterministic"
	}
	return "failure"
}

// Failure is the first thing that went wrong in a run.
type Failure struct {
	Kind    FailureKind
	Step    uint64
	At      env.Instant
	Machine string // of the task that panicked
	Task    string
	Err     error
	Stack   string
}

// Error tells the failure in one line; the stack is apart.
func (f *Failure) Error() string {
	where := ""
	if f.Task != "" {
		where = fmt.Sprintf(" in task %s on machine %s", f.Task, f.Machine)
	}
	return fmt.Sprintf("%s at step %d, %s%s: %v", f.Kind, f.Step, f.At, where, f.Err)
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Fail records a failure and stops the run. Only the first one counts.
func (k *Kernel) Fail(kind FailureKind, err error) {
	if k.failure != nil {
		return
	}
	k.failure = &Failure{Kind: kind, Step: k.trace.step, At: k.now, Err: err}
	if t := k.current; t != nil {
		k.failure.Machine, k.failure.Task = t.machine.name, t.name
	}
}

// Failure is what went wrong, or nil.
func (k *Kernel) Failure() *Failure { return k.failure }

// errPanic wraps what a task panicked with.
var errPanic = errors.New("panic")
