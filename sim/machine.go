package sim

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Machine is a simulated computer: an address, a disk that outlives crashes, and
// the tasks of the nodes that run on it.
type Machine struct {
	kernel      *Kernel
	name        string
	number      int
	address     netip.Addr
	disk        *Disk
	up          bool
	incarnation int // grows with each Boot; calls of an older one panic with env.Crash
	tasks       []*task
	pausedUntil env.Instant
	wallSkew    time.Duration
	boots       *Stream
}

// Name is unique in the world.
func (m *Machine) Name() string { return m.name }

// Address is the machine's IP address.
func (m *Machine) Address() netip.Addr { return m.address }

// Disk is the machine's disk.
func (m *Machine) Disk() *Disk { return m.disk }

// Up reports whether the machine runs.
func (m *Machine) Up() bool { return m.up }

// Paused reports whether the machine runs but makes no step just now.
func (m *Machine) Paused() bool { return m.pausedUntil > m.kernel.now }

// String names the machine and its state.
func (m *Machine) String() string {
	state := "down"
	if m.up {
		state = "up"
	}
	return fmt.Sprintf("%s %s (%s, boot %d)", m.name, m.address, state, m.incarnation)
}

// Boot switches the machine on and returns the world for the node that will run
// on it. A second node on the same machine gets its own from Node.
func (m *Machine) Boot(node string) env.Env {
	if m.up {
		panic("sim: machine " + m.name + " is up already")
	}
	m.up = true
	m.incarnation++
	m.pausedUntil = 0
	m.kernel.trace.add(m.kernel.now, traceBoot, uint64(m.number), uint64(m.incarnation))
	m.kernel.trace.line(m.kernel.now, traceBoot, "%s", m)
	return m.Node(node, ".")
}

// Node returns a world for one more node of this boot. Its files live under root.
func (m *Machine) Node(node, root string) env.Env {
	random := m.kernel.Stream(fmt.Sprintf("node/%s/%s/%d", m.name, node, m.incarnation))
	w := &world{kernel: m.kernel, machine: m, incarnation: m.incarnation, sleeps: random.Derive("sleeps")}
	m.disk.makeDirs(path.Clean(root))
	return env.Env{
		Node:    node,
		Clock:   simClock{w},
		Rand:    random.Derive("node"),
		Tasks:   simTasks{w},
		Door:    simDoor{w},
		Disk:    nodeDisk{w, m.disk, root},
		Network: nodeNetwork{w},
		Log:     m.logger(node),
	}
}

func (m *Machine) logger(node string) *zap.Logger {
	if !m.kernel.options.Logging {
		return zap.NewNop()
	}
	format := zap.NewDevelopmentEncoderConfig()
	format.EncodeTime = zapcore.ISO8601TimeEncoder
	core := zapcore.NewCore(zapcore.NewConsoleEncoder(format), logSink{m.kernel}, m.kernel.options.LogLevel)
	return zap.New(core, zap.WithClock(logClock{m})).Named(node)
}

// CrashStyle says what becomes of the machine's connections.
type CrashStyle int

// Styles of a crash.
const (
	// KillProcess: the operating system lives on. Nothing written is lost, and peers see
	// their connections reset at once.
	KillProcess CrashStyle = iota
	// PowerLoss: unsynced writes are lost, kept or torn. Peers see silence until they send
	// to the machine after it is up again.
	PowerLoss
)

// String names the style.
func (c CrashStyle) String() string {
	if c == PowerLoss {
		return "power loss"
	}
	return "process killed"
}

// Crash ends every task of the machine at once. It must not be called by a task of this machine.
func (m *Machine) Crash(style CrashStyle) {
	if !m.up {
		return
	}
	if t := m.kernel.current; t != nil && t.machine == m {
		panic("sim: a task cannot crash its own machine")
	}
	k := m.kernel
	k.trace.add(k.now, traceCrash, uint64(m.number), uint64(style))
	k.trace.line(k.now, traceCrash, "%s: %s", m.name, style)
	m.up = false
	m.killTasks()
	k.network.machineDown(m, style)
	m.disk.crash(style)
}

// Shutdown ends what is left of the machine's nodes after they were closed in
// order. Nothing on the disk is lost.
func (m *Machine) Shutdown() {
	if m.up {
		m.Crash(KillProcess)
	}
}

// ReplaceDisk puts an empty disk into a machine that is down.
func (m *Machine) ReplaceDisk() {
	if m.up {
		panic("sim: machine " + m.name + " must be down to replace its disk")
	}
	m.disk = newDisk(m)
}

// Pause freezes the machine's tasks for d, as a long stop of the process would; packets still arrive.
func (m *Machine) Pause(d time.Duration) {
	m.pausedUntil = max(m.pausedUntil, m.kernel.now.Add(d))
	m.kernel.trace.add(m.kernel.now, traceFault, uint64(m.number), uint64(d))
	m.kernel.trace.line(m.kernel.now, traceFault, "%s pauses for %s", m.name, d)
}

// StepWall moves the machine's calendar by d, either way.
func (m *Machine) StepWall(d time.Duration) {
	m.wallSkew += d
	m.kernel.trace.add(m.kernel.now, traceFault, uint64(m.number), uint64(d))
	m.kernel.trace.line(m.kernel.now, traceFault, "%s wall clock steps by %s", m.name, d)
}

// Wall is what the machine believes the calendar says.
func (m *Machine) Wall() env.WallMillis {
	return Epoch + env.WallMillis((time.Duration(m.kernel.now) + m.wallSkew).Milliseconds())
}

func (m *Machine) killTasks() {
	victims := m.tasks
	m.tasks = nil
	for _, t := range victims {
		m.kernel.kill(t)
	}
}

func (m *Machine) forget(t *task) {
	if i := slices.Index(m.tasks, t); i >= 0 {
		m.tasks = slices.Delete(m.tasks, i, i+1)
	}
}

// TaskNames lists the tasks that are alive, for leak checks and failures.
func (m *Machine) TaskNames() []string {
	names := make([]string, len(m.tasks))
	for i, t := range m.tasks {
		names[i] = t.name
	}
	return names
}

type simClock struct{ *world }

func (c simClock) Now() env.Instant     { return c.kernel.now }
func (c simClock) Wall() env.WallMillis { return c.machine.Wall() }

// logClock gives zap the machine's calendar.
type logClock struct{ machine *Machine }

func (c logClock) Now() time.Time { return c.machine.Wall().Time() }

// NewTicker exists for zap's interface; only its buffered writer, which is not
// used here, would call it.
func (c logClock) NewTicker(time.Duration) *time.Ticker {
	panic("sim: loggers have no ticker")
}
