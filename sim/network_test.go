package sim_test

import (
	"io"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/stretchr/testify/require"
)

// pipe is a connection between two machines. The near one has dialled.
type pipe struct {
	t               *testing.T
	kernel          *sim.Kernel
	home, far       *sim.Machine
	nearEnv, farEnv env.Env
	near, accepted  env.Conn
	listener        env.Listener
}

func newPipe(t *testing.T, k *sim.Kernel) *pipe {
	t.Helper()
	p := &pipe{t: t, kernel: k, home: machine(k, 1), far: machine(k, 2)}
	p.nearEnv = p.home.Boot("near")
	p.bootFar()
	p.connect()
	return p
}

// bootFar starts the far machine and opens its port.
func (p *pipe) bootFar() {
	p.t.Helper()
	p.farEnv = p.far.Boot("far")
	var err error
	p.listener, err = p.farEnv.Network.Listen(":5000")
	require.NoError(p.t, err)
}

// connect makes a new connection.
func (p *pipe) connect() {
	p.t.Helper()
	var err error
	p.on(p.nearEnv, func() { p.near, err = p.nearEnv.Network.Dial("machine2:5000", env.Never) })
	require.NoError(p.t, err)
	p.on(p.farEnv, func() { p.accepted, err = p.listener.Accept() })
	require.NoError(p.t, err)
}

// on runs a task to its end. It must not end the test: it is a coroutine.
func (p *pipe) on(e env.Env, task func()) {
	p.t.Helper()
	done := false
	e.Tasks.Go("test", func() { task(); done = true })
	p.kernel.Run(p.kernel.Now().Add(10*time.Minute), func() bool { return done })
	require.Nil(p.t, p.kernel.Failure())
	require.True(p.t, done, "the task did not come to its end")
}

func (p *pipe) pass(d time.Duration) { p.kernel.Run(p.kernel.Now().Add(d), nil) }

// write sends text and fails the test if that fails.
func (p *pipe) write(e env.Env, c env.Conn, text string) {
	p.t.Helper()
	var err error
	p.on(e, func() { err = c.Write([]byte(text)) })
	require.NoError(p.t, err)
}

// read returns what arrives within d, and how the reading ended.
func (p *pipe) read(e env.Env, c env.Conn, d time.Duration) (text string, err error) {
	p.t.Helper()
	p.on(e, func() {
		c.SetReadDeadline(e.Clock.Now().Add(d))
		room := make([]byte, 1000)
		for err == nil {
			var n int
			n, err = c.Read(room, nil)
			text += string(room[:n])
		}
		c.SetReadDeadline(env.Never)
	})
	return text, err
}

func newKernel(t *testing.T) *sim.Kernel {
	t.Helper()
	k := sim.New(1, sim.Options{})
	t.Cleanup(k.Close)
	return k
}

func TestAPowerLossLeavesThePeerHalfOpenUntilItSends(t *testing.T) {
	p := newPipe(t, newKernel(t))
	p.far.Crash(sim.PowerLoss)
	_, err := p.read(p.nearEnv, p.near, 5*time.Minute)
	require.ErrorIs(t, err, env.ErrDeadline, "silence says nothing")

	p.bootFar()
	_, err = p.read(p.nearEnv, p.near, 5*time.Minute)
	require.ErrorIs(t, err, env.ErrDeadline, "not even that the machine is back")
	p.write(p.nearEnv, p.near, "are you there?")
	began := p.kernel.Now()
	_, err = p.read(p.nearEnv, p.near, 5*time.Minute)
	require.ErrorIs(t, err, env.ErrReset)
	require.Less(t, p.kernel.Now().Sub(began), time.Second)
}

func TestWritingToAMachineWithoutPowerEndsInAResetAfterAWhile(t *testing.T) {
	p := newPipe(t, newKernel(t))
	p.far.Crash(sim.PowerLoss)
	p.write(p.nearEnv, p.near, "are you there?")
	began := p.kernel.Now()
	_, err := p.read(p.nearEnv, p.near, 5*time.Minute)
	require.ErrorIs(t, err, env.ErrReset)
	require.Greater(t, p.kernel.Now().Sub(began), 7*time.Second)
	require.Less(t, p.kernel.Now().Sub(began), 31*time.Second)
}

func TestAKilledProcessResetsItsConnectionsAtOnce(t *testing.T) {
	p := newPipe(t, newKernel(t))
	p.far.Crash(sim.KillProcess)
	began := p.kernel.Now()
	_, err := p.read(p.nearEnv, p.near, 5*time.Minute)
	require.ErrorIs(t, err, env.ErrReset)
	require.Less(t, p.kernel.Now().Sub(began), 10*time.Millisecond)
}

func TestAResetDoesNotPassAPartition(t *testing.T) {
	p := newPipe(t, newKernel(t))
	p.kernel.Network().Block(p.far, p.home)
	p.far.Crash(sim.KillProcess)
	_, err := p.read(p.nearEnv, p.near, 5*time.Second)
	require.ErrorIs(t, err, env.ErrDeadline, "nothing gets here")
	p.kernel.Network().Unblock(p.far, p.home)
	_, err = p.read(p.nearEnv, p.near, 5*time.Second)
	require.ErrorIs(t, err, env.ErrReset)
}

func TestNothingLateReachesTheNextConnectionOfARestartedMachine(t *testing.T) {
	for seed := range uint64(10) {
		k := sim.New(seed, sim.Options{})
		p := newPipe(t, k)
		old := p.near
		for range 20 {
			p.write(p.nearEnv, old, "old")
		}
		p.far.Crash(sim.PowerLoss)
		p.bootFar()
		p.connect()
		p.write(p.nearEnv, p.near, "new")
		text, err := p.read(p.farEnv, p.accepted, time.Second)
		require.Equal(t, "new", text)
		require.ErrorIs(t, err, env.ErrDeadline)
		_, err = p.read(p.nearEnv, old, time.Minute)
		require.ErrorIs(t, err, env.ErrReset, "the old one is dead")
		k.Close()
	}
}

func TestABlockHoldsOneDirection(t *testing.T) {
	p := newPipe(t, newKernel(t))
	p.kernel.Network().Block(p.home, p.far)
	p.write(p.nearEnv, p.near, "held up")
	p.write(p.farEnv, p.accepted, "passes")
	text, err := p.read(p.nearEnv, p.near, 100*time.Millisecond)
	require.Equal(t, "passes", text)
	require.ErrorIs(t, err, env.ErrDeadline)
	text, err = p.read(p.farEnv, p.accepted, 5*time.Second)
	require.Empty(t, text)
	require.ErrorIs(t, err, env.ErrDeadline)
	p.kernel.Network().Unblock(p.home, p.far)
	text, _ = p.read(p.farEnv, p.accepted, time.Second)
	require.Equal(t, "held up", text, "nothing was lost")
}

func TestALongBlockBreaksTheSenderAndLeavesTheOtherEndHalfOpen(t *testing.T) {
	p := newPipe(t, newKernel(t))
	p.kernel.Network().Block(p.home, p.far)
	p.write(p.nearEnv, p.near, "held up")
	began := p.kernel.Now()
	_, err := p.read(p.nearEnv, p.near, 5*time.Minute)
	require.ErrorIs(t, err, env.ErrReset)
	require.GreaterOrEqual(t, p.kernel.Now().Sub(began), 8*time.Second)
	require.Less(t, p.kernel.Now().Sub(began), 31*time.Second)
	p.kernel.Network().Heal()
	text, err := p.read(p.farEnv, p.accepted, time.Minute)
	require.Empty(t, text)
	require.ErrorIs(t, err, env.ErrDeadline)
}

func TestADialWaitsForABlockToEnd(t *testing.T) {
	for _, backwards := range []bool{false, true} {
		k := newKernel(t)
		p := newPipe(t, k)
		from, to := p.home, p.far
		if backwards {
			from, to = to, from
		}
		k.Network().Block(from, to)
		var err error
		p.on(p.nearEnv, func() { _, err = p.nearEnv.Network.Dial("machine2:5000", k.Now().Add(time.Second)) })
		require.ErrorIs(t, err, env.ErrDeadline)
		k.After(3*time.Second, func() { k.Network().Unblock(from, to) })
		began := k.Now()
		p.on(p.nearEnv, func() { _, err = p.nearEnv.Network.Dial("machine2:5000", k.Now().Add(time.Minute)) })
		require.NoError(t, err)
		require.InDelta(t, float64(3*time.Second), float64(k.Now().Sub(began)), float64(500*time.Millisecond))
	}
}

func TestAClogDelaysAndKeepsTheOrder(t *testing.T) {
	p := newPipe(t, newKernel(t))
	began := p.kernel.Now()
	p.kernel.Network().Clog(p.home, p.far, 3*time.Second)
	for _, text := range []string{"one ", "two ", "three"} {
		p.write(p.nearEnv, p.near, text)
		p.pass(100 * time.Millisecond)
	}
	var text string
	var err error
	p.on(p.farEnv, func() {
		room := make([]byte, 100)
		for len(text) < len("one two three") && err == nil {
			var n int
			n, err = p.accepted.Read(room, nil)
			text += string(room[:n])
		}
	})
	require.NoError(t, err)
	require.Equal(t, "one two three", text)
	require.GreaterOrEqual(t, p.kernel.Now().Sub(began), 3*time.Second)
	require.Less(t, p.kernel.Now().Sub(began), 3100*time.Millisecond)
}

func TestHealingEndsAClog(t *testing.T) {
	p := newPipe(t, newKernel(t))
	p.kernel.Network().Clog(p.home, p.far, time.Hour)
	p.write(p.nearEnv, p.near, "stuck")
	p.pass(time.Second)
	p.kernel.Network().Heal()
	text, _ := p.read(p.farEnv, p.accepted, time.Second)
	require.Equal(t, "stuck", text)
}

func TestHealingEndsASlowAccept(t *testing.T) {
	p := newPipe(t, newKernel(t))
	p.kernel.Network().SlowAccept(p.far, time.Hour)
	p.kernel.After(time.Second, p.kernel.Network().Heal)
	var err error
	p.on(p.nearEnv, func() {
		_, err = p.nearEnv.Network.Dial("machine2:5000", p.kernel.Now().Add(2*time.Second))
	})
	require.NoError(t, err)
}

func TestASlowAcceptDelaysDialsOnly(t *testing.T) {
	p := newPipe(t, newKernel(t))
	p.kernel.Network().SlowAccept(p.far, 3*time.Second)
	p.write(p.nearEnv, p.near, "still quick")
	text, _ := p.read(p.farEnv, p.accepted, 100*time.Millisecond)
	require.Equal(t, "still quick", text)
	began := p.kernel.Now()
	var err error
	p.on(p.nearEnv, func() { _, err = p.nearEnv.Network.Dial("machine2:5000", env.Never) })
	require.NoError(t, err)
	require.Greater(t, p.kernel.Now().Sub(began), 2800*time.Millisecond)
	require.Less(t, p.kernel.Now().Sub(began), 3500*time.Millisecond)
}

// What a node has sent before it closed arrives, whatever becomes of its machine then.
func TestBytesOfAnEndThatClosedAndCrashedCanStillBeRead(t *testing.T) {
	for _, style := range []sim.CrashStyle{sim.KillProcess, sim.PowerLoss} {
		p := newPipe(t, newKernel(t))
		p.write(p.nearEnv, p.near, "farewell")
		p.on(p.nearEnv, func() { _ = p.near.Close() })
		p.pass(time.Second)
		p.home.Crash(style)
		text, err := p.read(p.farEnv, p.accepted, time.Minute)
		require.Equal(t, "farewell", text)
		require.ErrorIs(t, err, io.EOF)
	}
}

// The same for an end that saw a reset before its machine crashed.
func TestBytesOfABrokenEndThatCrashedCanStillBeRead(t *testing.T) {
	p := newPipe(t, newKernel(t))
	p.write(p.farEnv, p.accepted, "arrived")
	p.pass(time.Second)
	p.kernel.Network().Block(p.far, p.home)
	p.write(p.farEnv, p.accepted, "never arrives")
	p.pass(time.Minute)
	p.far.Crash(sim.PowerLoss)
	text, _ := p.read(p.nearEnv, p.near, time.Minute)
	require.Equal(t, "arrived", text)
}

func TestAResetBreaksBothEnds(t *testing.T) {
	p := newPipe(t, newKernel(t))
	p.write(p.nearEnv, p.near, "lost")
	random := p.kernel.Stream("test")
	require.True(t, p.kernel.Network().ResetOne(p.far, random))
	for _, end := range []struct {
		e env.Env
		c env.Conn
	}{{p.nearEnv, p.near}, {p.farEnv, p.accepted}} {
		text, err := p.read(end.e, end.c, time.Second)
		require.Empty(t, text)
		require.ErrorIs(t, err, env.ErrReset)
	}
	require.False(t, p.kernel.Network().ResetOne(p.far, random), "there is none left")
}

func TestAFullWindowHoldsTheWriterAndASmallOneStillMoves(t *testing.T) {
	for _, window := range []int{1, 2, 3, 4, 100, 64 << 10} {
		k := newKernel(t)
		links := sim.DefaultLinks()
		links.Window = window
		k.Network().SetLinks(links)
		p := newPipe(t, k)
		written := false
		p.nearEnv.Tasks.Go("write", func() {
			written = p.near.Write(make([]byte, window), []byte("over")) == nil
		})
		p.pass(5 * time.Second)
		require.False(t, written, "window %d", window)
		text, _ := p.read(p.farEnv, p.accepted, 5*time.Second)
		require.True(t, written, "window %d", window)
		require.Len(t, text, window+4)
	}
}

func TestAWriterThatWaitsEndsAtItsDeadline(t *testing.T) {
	p := newPipe(t, newKernel(t))
	began := p.kernel.Now()
	var err error
	p.on(p.nearEnv, func() {
		p.near.SetWriteDeadline(began.Add(time.Second))
		err = p.near.Write(make([]byte, 10<<20))
	})
	require.ErrorIs(t, err, env.ErrDeadline)
	require.Equal(t, time.Second, p.kernel.Now().Sub(began))
}

func TestBandwidthBoundsHowFastBytesArrive(t *testing.T) {
	k := newKernel(t)
	links := sim.DefaultLinks()
	links.BytesPerSecond = 1 << 20
	k.Network().SetLinks(links)
	p := newPipe(t, k)
	p.nearEnv.Tasks.Go("write", func() { _ = p.near.Write(make([]byte, 3<<20)) })
	began, left := k.Now(), 3<<20
	var err error
	p.on(p.farEnv, func() {
		room := make([]byte, 64<<10)
		for left > 0 && err == nil {
			var n int
			n, err = p.accepted.Read(room, nil)
			left -= n
		}
	})
	require.NoError(t, err)
	require.InDelta(t, float64(3*time.Second), float64(k.Now().Sub(began)), float64(200*time.Millisecond))
}

// slowLinks makes everything take 100 ms to the other machine.
func slowLinks(k *sim.Kernel) {
	links := sim.DefaultLinks()
	links.LatencyMin, links.LatencyMax = 100*time.Millisecond, 100*time.Millisecond
	k.Network().SetLinks(links)
}

func TestADialThatIsGivenUpWhileItsAnswerTravelsIsResetAtTheOtherEnd(t *testing.T) {
	p := newPipe(t, newKernel(t))
	slowLinks(p.kernel)
	var dial, end error
	p.on(p.nearEnv, func() {
		_, dial = p.nearEnv.Network.Dial("machine2:5000", p.kernel.Now().Add(150*time.Millisecond))
	})
	require.ErrorIs(t, dial, env.ErrDeadline)
	p.on(p.farEnv, func() {
		var conn env.Conn
		if conn, end = p.listener.Accept(); end == nil {
			_, end = conn.Read(make([]byte, 1), nil)
		}
	})
	require.ErrorIs(t, end, env.ErrReset)
}

func TestAPowerLossWhileTheAnswerToADialTravelsLeavesTheOtherEndHalfOpen(t *testing.T) {
	p := newPipe(t, newKernel(t))
	slowLinks(p.kernel)
	p.nearEnv.Tasks.Go("dial", func() { _, _ = p.nearEnv.Network.Dial("machine2:5000", env.Never) })
	p.kernel.After(150*time.Millisecond, func() { p.home.Crash(sim.PowerLoss) })
	var end error
	p.on(p.farEnv, func() {
		var conn env.Conn
		if conn, end = p.listener.Accept(); end == nil {
			conn.SetReadDeadline(p.kernel.Now().Add(time.Minute))
			_, end = conn.Read(make([]byte, 1), nil)
		}
	})
	require.ErrorIs(t, end, env.ErrDeadline)
}

func TestAPartitionThatLastsLosesAReset(t *testing.T) {
	p := newPipe(t, newKernel(t))
	p.kernel.Network().Block(p.far, p.home)
	p.far.Crash(sim.KillProcess)
	p.pass(time.Minute)
	p.kernel.Network().Heal()
	_, err := p.read(p.nearEnv, p.near, time.Minute)
	require.ErrorIs(t, err, env.ErrDeadline, "half-open: nobody repeats a reset")
	p.write(p.nearEnv, p.near, "are you there?")
	_, err = p.read(p.nearEnv, p.near, time.Minute)
	require.ErrorIs(t, err, env.ErrReset)
}

func TestASenderWhoseRefusalIsHeldUpGivesUp(t *testing.T) {
	p := newPipe(t, newKernel(t))
	p.far.Crash(sim.PowerLoss)
	p.bootFar()
	p.kernel.Network().Block(p.far, p.home)
	p.write(p.nearEnv, p.near, "are you there?")
	began := p.kernel.Now()
	_, err := p.read(p.nearEnv, p.near, time.Minute)
	require.ErrorIs(t, err, env.ErrReset)
	require.GreaterOrEqual(t, p.kernel.Now().Sub(began), 8*time.Second)
}

func TestAClogThatLastsBreaksTheSender(t *testing.T) {
	p := newPipe(t, newKernel(t))
	p.kernel.Network().Clog(p.home, p.far, time.Hour)
	p.write(p.nearEnv, p.near, "held up")
	_, err := p.read(p.nearEnv, p.near, time.Minute)
	require.ErrorIs(t, err, env.ErrReset, "a stream that makes no progress is reset")
}
