package sim_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
)

// busyWorld has machines that exchange data, write to their disks, crash, and are disturbed in every way that there is.
type busyWorld struct {
	kernel *sim.Kernel
	random *sim.Stream
}

const (
	busyMachines = 4
	busyPort     = 9000
	busyFor      = 3 * time.Second
)

// runBusyWorld runs one to its end and returns it closed.
func runBusyWorld(t *testing.T, seed uint64, options sim.Options) *sim.Kernel {
	t.Helper()
	k := sim.New(seed, options)
	defer k.Close()
	w := &busyWorld{k, k.Stream("scenario")}
	links := sim.DefaultLinks()
	links.Pieces, links.Loss, links.BytesPerSecond, links.Window = 0.3, 0.02, 50<<20, 64<<10
	links.BreakAfterMin, links.BreakAfterMax = 200*time.Millisecond, time.Second
	k.Network().SetLinks(links)
	for n := range busyMachines {
		m := machine(k, n+1)
		disk := sim.DefaultDisk()
		disk.WriteError, disk.SyncError = 0.05, 0.05
		m.Disk().SetOptions(disk)
		w.boot(m)
	}
	w.disturbLater()
	k.Run(env.Instant(busyFor), nil)
	require.Nil(t, k.Failure())
	return k
}

func (w *busyWorld) boot(m *sim.Machine) {
	e := m.Boot("node")
	e.Tasks.Go("listen", func() { echoAll(e) })
	for n := range 3 {
		e.Tasks.Go(fmt.Sprint("talk ", n), func() { talk(e) })
	}
	e.Tasks.Go("write", func() { writeForEver(e) })
}

// echoAll sends back what comes on each connection.
func echoAll(e env.Env) {
	listener, err := e.Network.Listen(fmt.Sprint(":", busyPort))
	for err == nil {
		var conn env.Conn
		if conn, err = listener.Accept(); err != nil {
			return
		}
		e.Tasks.Go("echo", func() {
			room := make([]byte, 4096)
			for {
				n, err := conn.Read(room, nil)
				if err != nil || conn.Write(room[:n]) != nil {
					_ = conn.Close()
					return
				}
			}
		})
	}
}

// talk sends to one machine after the other and reads what comes back.
func talk(e env.Env) {
	random := e.Rand.Stream("talk")
	for {
		e.Tasks.Sleep(time.Duration(env.IntN(random, 20)) * time.Millisecond)
		to := fmt.Sprintf("machine%d:%d", 1+env.IntN(random, busyMachines), busyPort)
		conn, err := e.Network.Dial(to, e.Clock.Now().Add(300*time.Millisecond))
		if err != nil {
			e.Log.Warn("no connection", zap.Error(err))
			continue
		}
		conn.SetReadDeadline(e.Clock.Now().Add(200 * time.Millisecond))
		room := make([]byte, 10_000)
		for range env.IntN(random, 10) {
			if conn.Write(room[:1+env.IntN(random, len(room))]) != nil {
				break
			}
			if _, err := conn.Read(room, nil); err != nil {
				e.Log.Info("the other end is gone", zap.Error(err))
				break
			}
		}
		_ = conn.Close()
	}
}

// writeForEver makes files and syncs them now and then.
func writeForEver(e env.Env) {
	random := e.Rand.Stream("write")
	for n := 0; ; n++ {
		f, err := e.Disk.Create(fmt.Sprintf("log/%d-%d", e.Clock.Now(), n))
		for i := int64(0); err == nil && i < 20; i++ {
			if err = f.WriteAt(make([]byte, 700), i*700); err == nil && env.Chance(random, 0.3) {
				err = f.Sync(0, 1<<20)
			}
		}
		if err == nil {
			err = e.Disk.SyncDir("log")
		}
		if err != nil {
			e.Log.Error("the disk failed", zap.Error(err))
		}
		e.Tasks.Sleep(10 * time.Millisecond)
	}
}

// disturbLater does something bad every few milliseconds.
func (w *busyWorld) disturbLater() {
	w.kernel.After(time.Duration(w.random.Between(1, 30))*time.Millisecond, func() {
		machines, network := w.kernel.Machines(), w.kernel.Network()
		a, b := machines[w.random.IntN(busyMachines)], machines[w.random.IntN(busyMachines)]
		switch w.random.IntN(9) {
		case 0:
			w.crash(a, sim.PowerLoss)
		case 1:
			w.crash(a, sim.KillProcess)
		case 2:
			a.Pause(40 * time.Millisecond)
		case 3:
			a.StepWall(-time.Hour)
		case 4:
			network.Block(a, b)
		case 5:
			network.Heal()
		case 6:
			network.Clog(a, b, 50*time.Millisecond)
		case 7:
			network.SlowAccept(a, 30*time.Millisecond)
		default:
			network.ResetOne(a, w.random)
		}
		w.disturbLater()
	})
}

func (w *busyWorld) crash(m *sim.Machine, style sim.CrashStyle) {
	if m.Up() {
		m.Crash(style)
		w.kernel.After(50*time.Millisecond, func() { w.boot(m) })
	}
}

func TestOneSeedGivesOneHistory(t *testing.T) {
	for seed := range uint64(3) {
		var traces, logs [2]bytes.Buffer
		var hashes, steps [2]uint64
		for i := range 2 {
			k := runBusyWorld(t, seed, sim.Options{Logging: true, Trace: &traces[i], Log: &logs[i]})
			hashes[i], steps[i] = k.TraceHash(), k.Step()
		}
		require.Equal(t, hashes[0], hashes[1])
		require.Equal(t, steps[0], steps[1])
		require.Greater(t, steps[0], uint64(5_000), "the world was not busy")
		require.True(t, bytes.Equal(traces[0].Bytes(), traces[1].Bytes()))
		require.True(t, bytes.Equal(logs[0].Bytes(), logs[1].Bytes()))
		for _, kind := range []string{"resume", "deliver", "connect", "break", "write", "sync", "crash", "boot", "fault", "log"} {
			require.Contains(t, traces[0].String(), "s "+kind+" ", "the world did not do everything")
		}
	}
}

func TestOneSeedGivesOneHistoryAtEveryGOMAXPROCS(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	hashes := map[int]uint64{}
	for _, procs := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(procs)
		hashes[procs] = runBusyWorld(t, 7, sim.Options{Logging: true}).TraceHash()
	}
	require.Equal(t, hashes[1], hashes[2])
	require.Equal(t, hashes[1], hashes[8])
}

func TestListeningToATraceDoesNotChangeIt(t *testing.T) {
	var lines bytes.Buffer
	unheard, heard := runBusyWorld(t, 3, sim.Options{}), runBusyWorld(t, 3, sim.Options{Trace: &lines, Logging: true})
	require.Equal(t, unheard.TraceHash(), heard.TraceHash())
	require.Equal(t, unheard.Step(), heard.Step())
	require.Contains(t, lines.String(), "s log ", "nobody has logged")
}

func TestDifferentSeedsGiveDifferentHistories(t *testing.T) {
	seen := map[uint64]uint64{}
	for seed := range uint64(6) {
		hash := runBusyWorld(t, seed, sim.Options{}).TraceHash()
		require.NotContains(t, seen, hash)
		seen[hash] = seed
	}
}

func TestTheOrderOfTasksThatStartTogetherDependsOnTheSeed(t *testing.T) {
	orders := map[string]bool{}
	for seed := range uint64(30) {
		k := sim.New(seed, sim.Options{})
		e := machine(k, 1).Boot("node")
		order := ""
		for _, name := range []string{"a", "b", "c"} {
			e.Tasks.Go(name, func() { order += name })
		}
		k.Run(env.Never, nil)
		k.Close()
		orders[order] = true
	}
	require.Len(t, orders, 6, "every order comes up: %v", orders)
}

func TestANoteIsPartOfTheHistory(t *testing.T) {
	a, b, c := sim.New(1, sim.Options{}), sim.New(1, sim.Options{}), sim.New(1, sim.Options{})
	a.Note("round %d", 1)
	b.Note("round %d", 1)
	c.Note("round %d", 2)
	require.Equal(t, a.TraceHash(), b.TraceHash())
	require.NotEqual(t, a.TraceHash(), c.TraceHash())
}

// failsIn runs a task on one machine and returns the failure of the run.
func failsIn(t *testing.T, task func(e env.Env)) *sim.Failure {
	t.Helper()
	k := sim.New(1, sim.Options{})
	t.Cleanup(k.Close)
	e := machine(k, 1).Boot("node")
	e.Tasks.Go("worker", func() { task(e) })
	require.False(t, k.Run(env.Never, func() bool { return false }))
	return k.Failure()
}

// explode is a name to look for in stacks.
func explode(value any) { panic(value) }

func TestAPanicNamesMachineTaskStepTimeAndPlace(t *testing.T) {
	f := failsIn(t, func(e env.Env) {
		e.Tasks.Sleep(2 * time.Second)
		explode("the assertion broke")
	})
	require.NotNil(t, f)
	require.Equal(t, sim.FailurePanic, f.Kind)
	require.Equal(t, "machine1", f.Machine)
	require.Equal(t, "worker", f.Task)
	require.NotZero(t, f.Step)
	require.GreaterOrEqual(t, f.At, env.Instant(2*time.Second))
	require.Contains(t, f.Stack, "explode")
	for _, part := range []string{"panic", "worker", "machine1", fmt.Sprint("step ", f.Step), "2.0", "the assertion broke"} {
		require.Contains(t, f.Error(), part)
	}
}

func TestAPanicWithAnErrorKeepsIt(t *testing.T) {
	cause := errors.New("the log has a hole")
	require.ErrorIs(t, failsIn(t, func(env.Env) { explode(fmt.Errorf("recovery: %w", cause)) }), cause)
}

func TestARuntimeErrorIsAFailureToo(t *testing.T) {
	f := failsIn(t, func(env.Env) {
		var missing map[string]int
		missing["x"] = 1
	})
	require.Equal(t, sim.FailurePanic, f.Kind)
	require.Contains(t, f.Error(), "nil map")
}

func TestAPanicIsTheFirstFailureAndTheLastStep(t *testing.T) {
	k := sim.New(1, sim.Options{})
	defer k.Close()
	e := machine(k, 1).Boot("node")
	ran := 0
	for i := range 5 {
		e.Tasks.Go(fmt.Sprint("task ", i), func() { ran++; explode(i) })
	}
	require.False(t, k.Run(env.Never, nil))
	first := k.Failure()
	require.False(t, k.Run(env.Never, func() bool { return true }), "a failed run stays failed")
	k.Fail(sim.FailureSafety, errors.New("later"))
	require.Same(t, first, k.Failure())
	require.Equal(t, 1, ran)
}

func TestAFailureOutsideOfTasksNamesNone(t *testing.T) {
	k := sim.New(1, sim.Options{})
	defer k.Close()
	k.After(time.Second, func() { k.Fail(sim.FailureSafety, errors.New("two masters")) })
	require.False(t, k.Run(env.Never, nil))
	require.Empty(t, k.Failure().Machine)
	require.Empty(t, k.Failure().Task)
	require.Contains(t, k.Failure().Error(), "safety at step 0, 1.000000s: two masters")
}

func TestARunThatDoesNotComeToRestFails(t *testing.T) {
	k := sim.New(1, sim.Options{StepsMax: 1000})
	defer k.Close()
	e := machine(k, 1).Boot("node")
	e.Tasks.Go("busy", func() {
		for {
			e.Tasks.Yield()
		}
	})
	require.False(t, k.Run(env.Never, nil))
	require.Equal(t, sim.FailureLiveness, k.Failure().Kind)
	require.Contains(t, k.Failure().Error(), "1000 steps")
	require.EqualValues(t, 1000, k.Step())
}

func TestARunEndsAtItsDeadline(t *testing.T) {
	k := sim.New(1, sim.Options{})
	defer k.Close()
	e := machine(k, 1).Boot("node")
	ticks := 0
	e.Tasks.Go("tick", func() {
		for {
			e.Tasks.Sleep(time.Second)
			ticks++
		}
	})
	require.False(t, k.Run(env.Instant(10*time.Second+500*time.Millisecond), nil))
	require.Equal(t, env.Instant(10*time.Second+500*time.Millisecond), k.Now())
	require.Equal(t, 10, ticks)
	k.Run(k.Now().Add(10*time.Second), nil)
	require.Equal(t, 20, ticks, "it can go on")
}

func TestTimeDoesNotGoBackToADeadlineThatHasPassed(t *testing.T) {
	k := sim.New(1, sim.Options{})
	defer k.Close()
	e := machine(k, 1).Boot("node")
	e.Tasks.Go("sleep", func() { e.Tasks.Sleep(time.Hour) })
	k.Run(env.Instant(time.Minute), nil)
	k.Run(env.Instant(time.Second), nil)
	require.Equal(t, env.Instant(time.Minute), k.Now())
}

func TestARunEndsWhenItIsDoneAndWhenNothingIsLeft(t *testing.T) {
	k := sim.New(1, sim.Options{})
	defer k.Close()
	require.True(t, k.Run(env.Never, func() bool { return true }))
	require.False(t, k.Run(env.Never, func() bool { return false }))
	happened := 0
	for range 3 {
		k.After(time.Second, func() { happened++ })
	}
	require.True(t, k.Run(env.Never, func() bool { return happened == 2 }))
	require.Equal(t, 2, happened)
	require.False(t, k.Run(env.Never, nil))
	require.Equal(t, 3, happened)
}

func TestEventsHappenInTheOrderOfTheirTimes(t *testing.T) {
	k := sim.New(1, sim.Options{})
	defer k.Close()
	var order []int
	for _, n := range []int{5, 1, 4, 2, 3} {
		k.After(time.Duration(n)*time.Millisecond, func() { order = append(order, n) })
	}
	k.Run(env.Never, nil)
	require.Equal(t, []int{1, 2, 3, 4, 5}, order)
}

func TestClosingEndsEveryTaskWhereverItIs(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	k := sim.New(1, sim.Options{})
	e, waits := machine(k, 1).Boot("node"), everyWait()
	unwound := startWaits(e, waits)
	k.Run(env.Instant(time.Second), nil)
	e.Tasks.Go("never begins", func() {})
	k.Close()
	k.Close()
	require.Equal(t, len(waits), *unwound)
	goleak.VerifyNone(t, ignore)
}

func TestADeferredFunctionCannotStartATaskWhenAllIsClosed(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	k := sim.New(1, sim.Options{})
	e := machine(k, 1).Boot("node")
	e.Tasks.Go("task", func() {
		defer e.Tasks.Go("another", func() {})
		e.Tasks.Sleep(time.Hour)
	})
	k.Run(env.Instant(time.Second), nil)
	k.Close()
	goleak.VerifyNone(t, ignore)
}

func TestMachinesHaveNamesAndAddressesOfTheirOwn(t *testing.T) {
	k := sim.New(1, sim.Options{})
	defer k.Close()
	m := machine(k, 1)
	require.Panics(t, func() { machine(k, 1) })
	require.Panics(t, func() { k.AddMachine("other", m.Address()) })
	require.Equal(t, []*sim.Machine{m}, k.Machines())
	require.False(t, m.Up())
	m.Boot("node")
	require.Panics(t, func() { m.Boot("node") })
	require.True(t, strings.Contains(m.String(), "machine1") && strings.Contains(m.String(), "up"))
}

func TestStreamsOfOneNameAreEqualAndOthersAreIndependent(t *testing.T) {
	draw := func(s env.Rand) (values [20]uint64) {
		for i := range values {
			values[i] = s.Uint64()
		}
		return values
	}
	k, other := sim.New(1, sim.Options{}), sim.New(2, sim.Options{})
	want := draw(k.Stream("disk"))
	draw(k.Stream("network"))
	k.Stream("network").Derive("disk").Uint64()
	require.Equal(t, want, draw(k.Stream("disk")), "what others draw does not shift it")
	require.NotEqual(t, want, draw(k.Stream("network")))
	require.NotEqual(t, want, draw(k.Stream("dis").Derive("k")))
	require.NotEqual(t, want, draw(other.Stream("disk")))
	require.NotEqual(t, draw(k.Stream("")), draw(other.Stream("")))

	// A stream that has been drawn from derives what it derived before.
	parent := k.Stream("parent")
	before := draw(parent.Derive("child"))
	draw(parent)
	require.Equal(t, before, draw(parent.Derive("child")))
}

func TestOneMoreNodeDoesNotShiftTheRandomValuesOfAnother(t *testing.T) {
	first := func(nodes ...string) uint64 {
		k := sim.New(1, sim.Options{})
		defer k.Close()
		m := machine(k, 1)
		e := m.Boot("broker")
		for _, node := range nodes {
			m.Node(node, node).Rand.Uint64()
		}
		return e.Rand.Uint64()
	}
	require.Equal(t, first(), first("name server", "console"))
}

func TestBetweenReachesBothEndsAndChanceItsShare(t *testing.T) {
	s := sim.NewStream(1)
	seen, hits := map[int64]int{}, 0
	for range 10_000 {
		seen[s.Between(-2, 2)]++
		if s.Chance(0.25) {
			hits++
		}
	}
	require.Len(t, seen, 5)
	for value, times := range seen {
		require.InDelta(t, 2000, times, 200, "value %d", value)
	}
	require.InDelta(t, 2500, hits, 200)
	require.EqualValues(t, 7, s.Between(7, 7))
	require.EqualValues(t, 7, s.Between(7, 3))
	require.False(t, s.Chance(0))
	require.True(t, s.Chance(1))
}
