package sim_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/stretchr/testify/require"
)

// everyWait names the calls in which a task may be when its machine crashes.
func everyWait() map[string]func(e env.Env) {
	listen := func(e env.Env, address string) env.Listener {
		l, err := e.Network.Listen(address)
		if err != nil {
			panic(err)
		}
		return l
	}
	return map[string]func(e env.Env){
		"sleep": func(e env.Env) { e.Tasks.Sleep(time.Hour) },
		"yield": func(e env.Env) {
			for {
				e.Tasks.Yield()
				e.Tasks.Sleep(time.Millisecond)
			}
		},
		"offload": func(e env.Env) {
			for {
				e.Tasks.Offload(func() {})
				e.Tasks.Sleep(time.Millisecond)
			}
		},
		"wait":       func(e env.Env) { e.Tasks.NewCond().Wait() },
		"wait until": func(e env.Env) { e.Tasks.NewCond().WaitUntil(env.Instant(time.Hour)) },
		"accept":     func(e env.Env) { _, _ = listen(e, ":1").Accept() },
		"dial":       func(e env.Env) { _, _ = e.Network.Dial("10.9.9.9:1", env.Never) },
		"read":       func(e env.Env) { _, _ = connectToSelf(e, listen(e, ":2")).Read(make([]byte, 1), nil) },
		"write":      func(e env.Env) { _ = connectToSelf(e, listen(e, ":3")).Write(make([]byte, 10<<20)) },
		"a group": func(e env.Env) {
			g := env.NewGroup(e.Tasks)
			g.Go("member", func() { e.Tasks.Sleep(time.Hour) })
			g.Wait()
		},
		"a queue":         func(e env.Env) { env.NewQueue[int](e.Tasks, 1).Pop() },
		"a stuck machine": func(e env.Env) { e.Tasks.Sleep(2 * time.Second) },
	}
}

func connectToSelf(e env.Env, l env.Listener) env.Conn {
	conn, err := e.Network.Dial(l.Addr().String(), env.Never)
	if err != nil {
		panic(err)
	}
	return conn
}

// startWaits starts a task for each wait and counts those whose deferred functions ran.
func startWaits(e env.Env, waits map[string]func(e env.Env)) (unwound *int) {
	unwound = new(int)
	for name, wait := range waits {
		e.Tasks.Go(name, func() {
			defer func() { *unwound++ }()
			wait(e)
		})
	}
	return unwound
}

func TestACrashUnwindsEveryTaskWhereverItIs(t *testing.T) {
	for _, style := range []sim.CrashStyle{sim.KillProcess, sim.PowerLoss} {
		k := sim.New(1, sim.Options{})
		m, waits := machine(k, 1), everyWait()
		e := m.Boot("node")
		unwound := startWaits(e, waits)
		k.Run(env.Instant(time.Second), nil)
		require.Zero(t, *unwound)
		e.Tasks.Go("never begins", func() { *unwound += 100 })
		m.Crash(style)
		require.Equal(t, len(waits), *unwound)
		require.Empty(t, m.TaskNames())
		k.Run(env.Instant(10*time.Second), nil)
		require.Nil(t, k.Failure())
		k.Close()
	}
}

func TestACrashWhileASyncIsStuckUnwindsIt(t *testing.T) {
	k := sim.New(1, sim.Options{})
	defer k.Close()
	m := machine(k, 1)
	disk := sim.DefaultDisk()
	disk.StuckUntil = env.Instant(time.Hour)
	m.Disk().SetOptions(disk)
	e := m.Boot("node")
	unwound := false
	e.Tasks.Go("sync", func() {
		defer func() { unwound = true }()
		if f, err := e.Disk.Create("f"); err == nil {
			_ = f.Sync(0, 1)
		}
	})
	k.Run(env.Instant(time.Second), nil)
	require.False(t, unwound)
	m.Crash(sim.PowerLoss)
	require.True(t, unwound)
}

// handles are what a node holds of the world.
type handles struct {
	listener env.Listener
	conn     env.Conn
	file     env.File
	lock     env.Lock
	cond     env.Cond
	err      error
}

func take(e env.Env) (h handles) {
	var errs [4]error
	h.listener, errs[0] = e.Network.Listen(":7")
	h.conn = connectToSelf(e, h.listener)
	h.file, errs[1] = e.Disk.Create("file")
	h.lock, errs[2] = e.Disk.Lock("lock")
	h.cond = e.Tasks.NewCond()
	h.err = errors.Join(errs[:]...)
	return h
}

// calls are the ways to reach the world, through the env and through the handles.
func (h *handles) calls(e env.Env) map[string]func() {
	return map[string]func(){
		"Tasks.Go":              func() { e.Tasks.Go("new", func() {}) },
		"Tasks.Sleep":           func() { e.Tasks.Sleep(0) },
		"Tasks.Yield":           func() { e.Tasks.Yield() },
		"Tasks.Offload":         func() { e.Tasks.Offload(func() {}) },
		"Door.Enter":            func() { _, _ = e.Door.Enter(nil) },
		"Network.Listen":        func() { _, _ = e.Network.Listen(":8") },
		"Network.Dial":          func() { _, _ = e.Network.Dial("10.0.0.1:7", env.Never) },
		"Disk.Create":           func() { _, _ = e.Disk.Create("new") },
		"Disk.Open":             func() { _, _ = e.Disk.Open("file") },
		"Disk.List":             func() { _, _ = e.Disk.List(".") },
		"Disk.SyncDir":          func() { _ = e.Disk.SyncDir(".") },
		"Disk.Lock":             func() { _, _ = e.Disk.Lock("other") },
		"Disk.Usage":            func() { _, _, _ = e.Disk.Usage() },
		"Listener.Accept":       func() { _, _ = h.listener.Accept() },
		"Listener.Close":        func() { _ = h.listener.Close() },
		"Conn.Read":             func() { _, _ = h.conn.Read(make([]byte, 1), nil) },
		"Conn.Write":            func() { _ = h.conn.Write([]byte("x")) },
		"Conn.Close":            func() { _ = h.conn.Close() },
		"Conn.SetReadDeadline":  func() { h.conn.SetReadDeadline(1) },
		"Conn.SetWriteDeadline": func() { h.conn.SetWriteDeadline(1) },
		"File.WriteAt":          func() { _ = h.file.WriteAt([]byte("x"), 0) },
		"File.ReadAt":           func() { _, _ = h.file.ReadAt(make([]byte, 1), 0) },
		"File.View":             func() { _ = h.file.View(0, 1, func([]byte) {}) },
		"File.Sync":             func() { _ = h.file.Sync(0, 1) },
		"File.Size":             func() { h.file.Size() },
		"File.Allocate":         func() { _ = h.file.Allocate(1) },
		"File.Truncate":         func() { _ = h.file.Truncate(1) },
		"File.Close":            func() { _ = h.file.Close() },
		"Lock.Unlock":           func() { _ = h.lock.Unlock() },
		"Cond.Wait":             func() { h.cond.Wait() },
		"Cond.WaitUntil":        func() { h.cond.WaitUntil(1) },
		"Cond.Signal":           func() { h.cond.Signal() },
		"Cond.Broadcast":        func() { h.cond.Broadcast() },
	}
}

// survivors names the calls that do not panic with the crash.
func survivors(calls map[string]func()) (names []string) {
	for name, call := range calls {
		func() {
			defer func() {
				if !env.IsCrash(recover()) {
					names = append(names, name)
				}
			}()
			call()
		}()
	}
	slices.Sort(names)
	return names
}

func TestDeferredFunctionsOfACrashedTaskCannotReachTheWorld(t *testing.T) {
	k := sim.New(1, sim.Options{})
	defer k.Close()
	m := machine(k, 1)
	e := m.Boot("node")
	var h handles
	left := []string{"the deferred function did not run"}
	e.Tasks.Go("task", func() {
		h = take(e)
		defer func() { left = survivors(h.calls(e)) }()
		e.Tasks.Sleep(time.Hour)
	})
	k.Run(env.Instant(time.Second), nil)
	require.NoError(t, h.err)
	m.Crash(sim.PowerLoss)
	require.Empty(t, left)
	require.Nil(t, k.Failure())
}

func TestTheHandlesOfACrashedMachineStayDeadAfterItsReturn(t *testing.T) {
	k := sim.New(1, sim.Options{})
	defer k.Close()
	m := machine(k, 1)
	old := m.Boot("node")
	var h handles
	old.Tasks.Go("task", func() { h = take(old) })
	k.Run(env.Instant(time.Second), nil)
	m.Crash(sim.KillProcess)
	require.Empty(t, survivors(h.calls(old)), "down")
	left := []string{"the task did not run"}
	e := m.Boot("node")
	e.Tasks.Go("task", func() { left = survivors(h.calls(old)) })
	k.Run(env.Instant(2*time.Second), nil)
	require.Empty(t, left, "up again")
	var again handles
	e.Tasks.Go("take again", func() {
		again.listener, again.err = e.Network.Listen(":7")
		if again.err == nil {
			again.lock, again.err = e.Disk.Lock("lock")
		}
	})
	k.Run(env.Instant(3*time.Second), nil)
	require.NoError(t, again.err, "the port and the lock are free")
}

func TestCodeThatRecoversMayPassACrashOn(t *testing.T) {
	k := sim.New(1, sim.Options{})
	defer k.Close()
	m := machine(k, 1)
	e := m.Boot("node")
	var seen any
	after := false
	e.Tasks.Go("task", func() {
		defer func() { after = true }()
		func() {
			defer func() {
				if seen = recover(); env.IsCrash(seen) {
					panic(seen)
				}
			}()
			e.Tasks.Sleep(time.Hour)
		}()
		seen = "went on"
	})
	k.Run(env.Instant(time.Second), nil)
	m.Crash(sim.KillProcess)
	require.Equal(t, env.Crash{Machine: "machine1"}, seen)
	require.True(t, after)
	require.Nil(t, k.Failure())
}

func TestCodeThatSwallowsACrashDiesAtItsNextCall(t *testing.T) {
	k := sim.New(1, sim.Options{})
	defer k.Close()
	m := machine(k, 1)
	e := m.Boot("node")
	swallowed := 0
	e.Tasks.Go("task", func() {
		for range 2 {
			func() {
				defer func() {
					if recover() != nil {
						swallowed++
					}
				}()
				e.Tasks.Sleep(time.Hour)
			}()
		}
		e.Tasks.Sleep(time.Hour)
		swallowed = -1
	})
	k.Run(env.Instant(time.Second), nil)
	m.Crash(sim.KillProcess)
	require.Equal(t, 2, swallowed)
	require.Empty(t, m.TaskNames())
	require.Nil(t, k.Failure())
}

func TestAnotherPanicDuringACrashIsAFailure(t *testing.T) {
	k := sim.New(1, sim.Options{})
	defer k.Close()
	m := machine(k, 1)
	e := m.Boot("node")
	e.Tasks.Go("careless", func() {
		defer explode("deferred functions must not panic")
		e.Tasks.Sleep(time.Hour)
	})
	k.Run(env.Instant(time.Second), nil)
	m.Crash(sim.KillProcess)
	require.NotNil(t, k.Failure())
	require.Equal(t, "careless", k.Failure().Task)
	require.Equal(t, "machine1", k.Failure().Machine)
}

func TestATaskCannotCrashItsOwnMachine(t *testing.T) {
	k := sim.New(1, sim.Options{})
	defer k.Close()
	m := machine(k, 1)
	m.Boot("node").Tasks.Go("task", func() { m.Crash(sim.KillProcess) })
	k.Run(env.Never, nil)
	require.NotNil(t, k.Failure())
	require.Contains(t, k.Failure().Error(), "own machine")
}

func TestATaskMayCrashAnotherMachine(t *testing.T) {
	k := sim.New(1, sim.Options{})
	defer k.Close()
	a, b := machine(k, 1), machine(k, 2)
	e, unwound := a.Boot("node"), startWaits(b.Boot("node"), everyWait())
	finished := false
	e.Tasks.Go("task", func() {
		e.Tasks.Sleep(time.Second)
		b.Crash(sim.KillProcess)
		e.Tasks.Sleep(time.Second)
		finished = true
	})
	k.Run(env.Instant(10*time.Second), nil)
	require.True(t, finished)
	require.Equal(t, len(everyWait()), *unwound)
	require.Empty(t, b.TaskNames())
}

func TestAWaitingCallFromElsewhereIsAMistake(t *testing.T) {
	k := sim.New(1, sim.Options{})
	defer k.Close()
	a, b := machine(k, 1).Boot("a"), machine(k, 2).Boot("b")
	require.Panics(t, func() { a.Tasks.Sleep(1) }, "the test is no task")
	a.Tasks.Go("lost", func() { b.Tasks.Sleep(1) })
	k.Run(env.Never, nil)
	require.NotNil(t, k.Failure())
	require.Contains(t, k.Failure().Error(), "not its task")
}

func TestAPausedMachineDoesEverythingAfterwards(t *testing.T) {
	k := sim.New(1, sim.Options{})
	defer k.Close()
	paused, other := machine(k, 1), machine(k, 2)
	ticks := map[string][]env.Instant{}
	for name, m := range map[string]*sim.Machine{"paused": paused, "other": other} {
		e := m.Boot(name)
		for _, every := range []time.Duration{10 * time.Millisecond, 70 * time.Millisecond} {
			e.Tasks.Go("tick", func() {
				for {
					e.Tasks.Sleep(every)
					ticks[name] = append(ticks[name], e.Clock.Now())
				}
			})
		}
	}
	begin, end := env.Instant(time.Second), env.Instant(2*time.Second)
	k.Run(begin, nil)
	paused.Pause(time.Second)
	require.True(t, paused.Paused())
	k.Run(env.Instant(1500*time.Millisecond), nil)
	paused.Pause(time.Millisecond)
	k.Run(env.Instant(3*time.Second), nil)
	require.False(t, paused.Paused())

	within := func(name string) (n int) {
		for _, at := range ticks[name] {
			if at > begin && at < end {
				n++
			}
		}
		return n
	}
	require.Zero(t, within("paused"))
	require.Greater(t, within("other"), 100)
	missed := 0
	for _, at := range ticks["paused"] {
		if at == end {
			missed++
		}
	}
	require.Equal(t, 2, missed, "both tasks go on at the same instant")
}

func TestWhatArrivesAtAPausedMachineWaitsThere(t *testing.T) {
	k := sim.New(1, sim.Options{})
	defer k.Close()
	p := newPipe(t, k)
	p.far.Pause(time.Second)
	paused := k.Now()
	p.on(p.nearEnv, func() {
		for range 5 {
			_ = p.near.Write([]byte("x"))
			p.nearEnv.Tasks.Sleep(10 * time.Millisecond)
		}
	})
	var n int
	p.on(p.farEnv, func() { n, _ = p.accepted.Read(make([]byte, 100), nil) })
	require.Equal(t, 5, n, "all has arrived meanwhile")
	require.Equal(t, paused.Add(time.Second), k.Now())
}

func TestAStepOfTheCalendarDoesNotMoveTime(t *testing.T) {
	k := sim.New(1, sim.Options{})
	defer k.Close()
	a, b := machine(k, 1), machine(k, 2)
	e, other := a.Boot("node"), b.Boot("node")
	woke := env.Never
	e.Tasks.Go("sleep", func() { e.Tasks.Sleep(10 * time.Second); woke = e.Clock.Now() })
	k.Run(env.Instant(5*time.Second), nil)
	require.Equal(t, sim.Epoch+5000, e.Clock.Wall())
	a.StepWall(time.Hour)
	require.Equal(t, sim.Epoch+3_605_000, e.Clock.Wall())
	require.Equal(t, env.Instant(5*time.Second), e.Clock.Now())
	require.Equal(t, sim.Epoch+5000, other.Clock.Wall())
	a.StepWall(-2 * time.Hour)
	require.Equal(t, sim.Epoch-3_595_000, e.Clock.Wall())
	k.Run(env.Instant(time.Minute), nil)
	require.InDelta(t, float64(10*time.Second), float64(woke), float64(time.Millisecond))
}

func TestTheCalendarOutlivesACrash(t *testing.T) {
	k := sim.New(1, sim.Options{})
	defer k.Close()
	m := machine(k, 1)
	m.Boot("node")
	m.StepWall(time.Hour)
	m.Crash(sim.PowerLoss)
	require.Equal(t, sim.Epoch+3_600_000, m.Boot("node").Clock.Wall())
}

func TestAReplacedDiskIsEmpty(t *testing.T) {
	w := newOneDisk(t, 1)
	w.run(t, func(e env.Env) error { return writeDurably(e, "file", "content") })
	require.Panics(t, w.machine.ReplaceDisk)
	w.machine.Shutdown()
	w.machine.Shutdown()
	w.machine.ReplaceDisk()
	w.run(t, func(e env.Env) error {
		_, err := e.Disk.Open("file")
		require.ErrorIs(t, err, env.ErrNotExist)
		return nil
	})
}
