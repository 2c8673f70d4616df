package segment_test

import (
	"net/netip"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/stretchr/testify/require"
)

// world is one simulated machine whose disk outlives crashes.
type world struct {
	kernel  *sim.Kernel
	machine *sim.Machine
}

func newWorld(seed uint64) *world {
	k := sim.New(seed, sim.Options{})
	return &world{k, k.AddMachine("a", netip.MustParseAddr("10.0.0.1"))}
}

// start boots the machine if it is down and starts a task. The result tells whether it has ended.
func (w *world) start(task func(disk env.Disk) error) (ended func() bool, failure func() error) {
	if !w.machine.Up() {
		w.machine.Boot("node")
	}
	e := w.machine.Node("node", ".")
	var err error
	done := false
	e.Tasks.Go("test", func() { err, done = task(e.Disk), true })
	return func() bool { return done }, func() error { return err }
}

// do runs a task to its end.
func (w *world) do(t require.TestingT, task func(disk env.Disk) error) {
	ended, failure := w.start(task)
	require.True(t, w.kernel.Run(env.Never, ended), "%v", w.kernel.Failure())
	require.NoError(t, failure())
}
