package sim_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/envtest"
	"github.com/gantrymq/gantry/sim"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheSimulatedWorldKeepsTheContract(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { envtest.TestAll(t, world{seed: seed}) })
	}
}

func TestTheSimulatedWorldKeepsTheContractWhenBytesArriveInPieces(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { envtest.TestNetwork(t, world{seed: seed, pieces: true}) })
	}
}

// world runs the suite's tasks on one or two simulated machines.
type world struct {
	seed   uint64
	pieces bool
}

func (w world) kernel() *sim.Kernel {
	k := sim.New(w.seed, sim.Options{})
	if w.pieces {
		links := sim.DefaultLinks()
		links.Pieces, links.Loss, links.BytesPerSecond, links.Window = 0.5, 0.05, 100<<20, 16<<10
		k.Network().SetLinks(links)
	}
	return k
}

func machine(k *sim.Kernel, n int) *sim.Machine {
	return k.AddMachine(fmt.Sprintf("machine%d", n), netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}))
}

func finish(t *testing.T, k *sim.Kernel, done func() bool) {
	t.Helper()
	ok := k.Run(env.Instant(10*time.Minute), done)
	if f := k.Failure(); f != nil {
		t.Errorf("%v\n%s", f, f.Stack)
	} else if !ok {
		for _, m := range k.Machines() {
			t.Errorf("not done at %v: %v", k.Now(), m.TaskNames())
		}
	}
	k.Close()
}

func (w world) Run(t *testing.T, task func(t envtest.T, e env.Env)) {
	t.Helper()
	k := w.kernel()
	e := machine(k, 1).Boot("node")
	done := false
	e.Tasks.Go("main", func() { task(t, e); done = true })
	finish(t, k, func() bool { return done })
}

func (w world) RunPair(t *testing.T, dialer func(t envtest.T, e env.Env, address string), listener func(t envtest.T, e env.Env, ready func(uint16))) {
	t.Helper()
	k := w.kernel()
	a, b := machine(k, 1).Boot("a"), machine(k, 2).Boot("b")
	left, started := 1, false
	b.Tasks.Go("listener", func() {
		listener(t, b, func(port uint16) {
			left, started = left+1, true
			a.Tasks.Go("dialer", func() { dialer(t, a, fmt.Sprintf("machine2:%d", port)); left-- })
		})
		left--
	})
	finish(t, k, func() bool { return left == 0 })
	if !started {
		t.Errorf("the listener was never ready")
	}
}
