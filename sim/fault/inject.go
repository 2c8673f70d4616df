package fault

import (
	"fmt"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/cluster"
)

// Injector carries out a schedule.
type Injector struct {
	kernel  *sim.Kernel
	cluster *cluster.Cluster
	clients []*sim.Machine
	random  *sim.Stream
	env     env.Env // of a machine that no fault touches
	healed  bool
	links   sim.LinkOptions
	disks   sim.DiskOptions

	stuck     env.Instant // when the last stuck sync is over
	ackVictim bool        // the broker of the next acknowledgement loses its power
	atAck     func()      // happens with the next acknowledgement, nil: nothing
	// Log lists what was done.
	Log []string
}

// NewInjector returns an injector that acts through e, the world of a machine of its own. Links and disks are what healing goes back to.
func NewInjector(c *cluster.Cluster, clients []*sim.Machine, e env.Env, links sim.LinkOptions, disks sim.DiskOptions) *Injector {
	return &Injector{
		kernel: c.Kernel, cluster: c, clients: clients, random: c.Kernel.Stream("injector"), env: e, links: links, disks: disks,
	}
}

// Run carries out the schedule as tasks.
func (i *Injector) Run(schedule Schedule) {
	start := i.env.Clock.Now()
	for _, f := range schedule {
		random := i.random.Derive(fmt.Sprint(f.Number))
		i.env.Tasks.Go("fault "+f.Kind.String(), func() {
			i.env.Tasks.Sleep(start.Add(f.At).Sub(i.env.Clock.Now()))
			if i.healed {
				return
			}
			i.note("%s", f)
			i.kernel.Mark("fault: " + f.Kind.String())
			i.inject(f, random)
		})
	}
}

func (i *Injector) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	i.Log = append(i.Log, fmt.Sprintf("%s %s", i.env.Clock.Now(), text))
	i.kernel.Note("fault %s", text)
}

func pick[T any](random *sim.Stream, of []T) T { return of[random.IntN(len(of))] }

// inject begins a fault, waits, and heals it.
func (i *Injector) inject(f Fault, random *sim.Stream) {
	broker := pick(random, i.cluster.Victims())
	switch f.Kind {
	case KillBroker:
		i.crash(broker, sim.KillProcess, f.For)
	case PowerLossBroker:
		i.crash(broker, sim.PowerLoss, f.For)
	case PowerLossAll:
		i.powerLossAll(f.For)
	case PowerLossAfterAck:
		i.ackVictim = true
	case KillWhileRecovering:
		i.killWhileRecovering(broker, f.For, random)
	case KillNameServer:
		i.crash(pick(random, i.cluster.NameServers), sim.KillProcess, f.For)
	case RestartBroker:
		i.restart(broker)
	case PauseBroker:
		broker.Machine.Pause(f.For)
	case PauseNameServer:
		pick(random, i.cluster.NameServers).Machine.Pause(f.For)
	case PauseClient:
		pick(random, i.clients).Pause(f.For)
	case StepWallClock:
		pick(random, i.cluster.Nodes()).Machine.StepWall(time.Duration(random.Between(-int64(time.Hour), int64(time.Hour))))
	case SlowDisk, StuckSync, FailSync, FailWrite, FullDisk:
		i.sicken(broker, f, random)
	default:
		i.disturb(broker, f, random)
	}
}

// disturb is about the network.
func (i *Injector) disturb(broker *cluster.Node, f Fault, random *sim.Stream) {
	n := i.kernel.Network()
	others := i.kernel.Machines()
	switch f.Kind {
	case PartitionOneWay:
		from, to := broker.Machine, pick(random, others)
		if random.Chance(0.5) {
			from, to = to, from
		}
		n.Block(from, to)
		i.env.Tasks.Sleep(f.For)
		i.unblock(from, to)
	case PartitionBroker:
		for _, m := range others {
			n.Block(m, broker.Machine)
			n.Block(broker.Machine, m)
		}
		i.env.Tasks.Sleep(f.For)
		for _, m := range others {
			i.unblock(m, broker.Machine)
			i.unblock(broker.Machine, m)
		}
	case ClogLink:
		n.Clog(broker.Machine, pick(random, others), f.For)
	case ResetConnection:
		n.ResetOne(pick(random, others), random)
	case SlowAccept:
		n.SlowAccept(pick(random, i.cluster.Nodes()).Machine, f.For)
	case BadLinks:
		links := i.links
		links.Loss, links.Pieces = 0.05, 0.4
		links.LatencyMax = 30 * time.Millisecond
		links.BytesPerSecond = random.Between(200<<10, 4<<20)
		n.SetLinks(links)
		i.env.Tasks.Sleep(f.For)
		n.SetLinks(i.links)
	}
}

// sicken makes a disk behave badly for a while. A broker that was fenced by it is restarted, as an operator would.
func (i *Injector) sicken(broker *cluster.Node, f Fault, random *sim.Stream) {
	o := i.disks
	switch f.Kind {
	case SlowDisk:
		o.SyncMax, o.WriteMax = 60*time.Millisecond, 3*time.Millisecond
	case StuckSync:
		o.StuckUntil = i.env.Clock.Now().Add(f.For)
		i.stuck = max(i.stuck, o.StuckUntil)
	case FailSync:
		o.SyncError = 0.2
	case FailWrite:
		o.WriteError = 0.05
	case FullDisk:
		o.Full = true
	}
	broker.Machine.Disk().SetOptions(o)
	i.env.Tasks.Sleep(f.For)
	broker.Machine.Disk().SetOptions(i.disks)
	if broker.Broken() != nil {
		i.kernel.Mark("a " + broker.Kind() + " was fenced")
		style := sim.KillProcess
		if random.Chance(0.3) {
			style = sim.PowerLoss
		}
		i.crash(broker, style, time.Duration(random.Between(0, int64(time.Second))))
		return
	}
	if broker.StartError != nil {
		i.crash(broker, sim.KillProcess, 0)
	}
}

// crash takes a node down and starts it again after d.
func (i *Injector) crash(n *cluster.Node, style sim.CrashStyle, d time.Duration) {
	if !n.Machine.Up() || i.healed {
		return
	}
	i.note("%s: %s", n, style)
	n.Crash(style)
	i.env.Tasks.Sleep(d)
	i.startAgain(n)
}

// startAgain starts a node, unless Heal has done it already: what is down after that is meant to be.
func (i *Injector) startAgain(n *cluster.Node) {
	if !i.healed {
		n.Start()
	}
}

// unblock ends a partition, unless Heal has done it already: what is blocked after that is meant to be.
func (i *Injector) unblock(from, to *sim.Machine) {
	if !i.healed {
		i.kernel.Network().Unblock(from, to)
	}
}

func (i *Injector) powerLossAll(d time.Duration) {
	for _, n := range i.cluster.Nodes() {
		n.Crash(sim.PowerLoss)
	}
	i.env.Tasks.Sleep(d)
	for _, n := range i.cluster.Nodes() {
		i.startAgain(n)
	}
}

func (i *Injector) killWhileRecovering(n *cluster.Node, d time.Duration, random *sim.Stream) {
	style := sim.CrashStyle(random.IntN(2))
	i.crash(n, style, d)
	for range 1 + random.IntN(3) {
		i.env.Tasks.Sleep(time.Duration(random.Between(0, int64(3*time.Millisecond))))
		if !n.Ready() {
			i.kernel.Mark("crash while recovering")
		}
		i.crash(n, sim.CrashStyle(random.IntN(2)), time.Duration(random.Between(0, int64(100*time.Millisecond))))
	}
}

func (i *Injector) restart(n *cluster.Node) {
	if !n.Ready() {
		return
	}
	// An error of Close is a disk fault's; what was acknowledged must survive all the same.
	_ = n.Stop(i.env, i.env.Clock.Now().Add(10*time.Second))
	// Also after Heal, which found it closing and left it alone.
	n.Start()
}

// AtAcknowledgement has something happen right after the next acknowledgement, once. nil takes that back.
func (i *Injector) AtAcknowledgement(act func()) { i.atAck = act }

// Acknowledged is called by the scenario at each acknowledgement: the worst moment for a crash.
func (i *Injector) Acknowledged(broker string) {
	if act := i.atAck; act != nil && !i.healed {
		i.atAck = nil
		i.env.Tasks.Go("at an acknowledgement", act)
	}
	if !i.ackVictim || i.healed {
		return
	}
	for _, n := range i.cluster.Brokers {
		if n.Machine.Name() != broker || !n.Machine.Up() {
			continue
		}
		i.ackVictim = false
		style := sim.PowerLoss
		i.kernel.Mark("power loss right after an acknowledgement")
		i.env.Tasks.Go("crash after acknowledgement", func() { i.crash(n, style, 200*time.Millisecond) })
	}
}

// Heal ends all faults and starts whatever is down: the beginning of the liveness phase.
//
// A sync that is stuck already stays so for its time, and a machine that pauses: see Over.
func (i *Injector) Heal() {
	i.healed, i.ackVictim, i.atAck = true, false, nil
	i.note("everything heals")
	i.kernel.Network().Heal()
	i.kernel.Network().SetLinks(i.links)
	for _, n := range i.cluster.Nodes() {
		n.Machine.Disk().SetOptions(i.disks)
		// A full disk that has space again needs no restart.
		if n.StartError != nil || n.Broken() != nil {
			n.Crash(sim.KillProcess)
		}
	}
	i.cluster.Start()
}

// Over reports whether nothing is left of the faults, once Heal was called.
func (i *Injector) Over() bool {
	paused := slices.ContainsFunc(i.kernel.Machines(), (*sim.Machine).Paused)
	return i.healed && i.env.Clock.Now() >= i.stuck && !paused
}
