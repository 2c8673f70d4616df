package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/controller"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/sim/fault"
)

var controllerScenario = Scenario{
	Name: "controller-chaos",
	About: "one, three or five controllers say who is master of several groups; brokers made by hand register, copy logs, change their in-sync sets, hand over, die and come back with less " +
		"than they had, and tools elect and clean, under all faults",
	Marks: []string{
		"elected: first", "elected: dead", "elected: designated", "elected: handover", "elected: unclean", "a set grew", "a set shrank",
		"who was not whole left the set", "a master started again", "a change without an answer had happened", "records were confirmed", "what was confirmed was lost by all",
		"a longer lease was granted", "no lease while an election is under way", "handed over at once", "a group was cleaned", "a member was cleaned", "asked who does not lead",
		"a controller was fenced", "a snapshot was sent", "everything lost its power",
	},
	run: runControllers,
}

// controllersRun is the state of one run.
type controllersRun struct {
	*run
	cluster  *cluster.Cluster
	observer env.Env
	injector *fault.Injector
	groups   []*replicaGroup
	stopped  bool
	calm     bool // all controllers run again
	// unclean: members outside the set are elected if nobody else is left. cleaning: tools forget brokers.
	unclean, cleaning bool
	flushFirst        float64 // how often brokers flush before they tell what they have
	pace              time.Duration
	work              time.Duration
	// applied is what each controller has carried out, as far as it was looked at.
	applied []appliedAt
	states  map[uint64]string // by index
	newest  uint64
	now     []controller.GroupStatus // after the newest index
}

// appliedAt is how far a controller is, and in which life.
type appliedAt struct {
	index  uint64
	reigns uint64
	term   uint64
}

func runControllers(r *run) {
	c := &controllersRun{run: r, states: map[uint64]string{}}
	c.drawCluster()
	c.drawGroups()
	c.addFaults()
	c.play()
}

func (c *controllersRun) drawCluster() {
	d := c.draw
	c.unclean = d.chance("unclean elections", 0.5)
	c.cleaning = d.chance("tools clean", 0.3)
	c.work = d.duration("safety phase", 5*time.Second, 40*time.Second)
	c.pace = d.duration("pace of brokers", 20*time.Millisecond, 400*time.Millisecond)
	c.flushFirst = 1
	if d.chance("brokers tell before they flush", 0.5) {
		c.flushFirst = 0.5
	}
	options := controller.Options{
		Heartbeat: d.duration("heartbeat of controllers", 40*time.Millisecond, 120*time.Millisecond), CompactAt: 1 << d.number("compact at (power of two)", 9, 16),
		Settings: controller.Settings{ElectUnclean: c.unclean && d.chance("unclean by itself", 0.5), NoNotify: d.chance("no notices", 0.2)},
	}
	controllers := []int{1, 3, 3, 5}[d.number("controllers (1, 3, 3, 5)", 0, 3)]
	c.cluster = cluster.New(c.kernel, cluster.Config{Controllers: controllers, Controller: options})
	c.applied = make([]appliedAt, controllers)
	links := sim.DefaultLinks()
	links.Pieces = d.share("writes in pieces", 0.5)
	links.Loss = d.share("loss", 0.02)
	c.kernel.Network().SetLinks(links)
	c.observer = c.kernel.AddMachine("observer", observerAddress).Boot("observer")
}

func (c *controllersRun) drawGroups() {
	for i := range c.draw.number("groups", 1, 4) {
		g := &replicaGroup{c: c, name: fmt.Sprint("group", i), ids: map[int64]string{}}
		name := func(text string) string { return text + " of " + g.name }
		if c.draw.chance(name("own timeout"), 0.4) {
			g.timeout = c.draw.duration(name("timeout"), 350*time.Millisecond, 2500*time.Millisecond)
		}
		for n := range c.draw.number(name("brokers"), 1, 4) {
			machine, _ := c.cluster.AddClient()
			m := &replica{g: g, number: int(n), machine: machine, random: c.kernel.Stream(fmt.Sprint("replica ", i, " ", n)), wholeNow: true}
			m.checkCode = fmt.Sprint(m.address(), ";", n)
			g.members = append(g.members, m)
			machine.Crash(sim.KillProcess) // boot counts its starts
		}
		c.groups = append(c.groups, g)
	}
}

func (c *controllersRun) addFaults() {
	var machines []*sim.Machine
	for _, g := range c.groups {
		for _, m := range g.members {
			machines = append(machines, m.machine)
		}
	}
	c.injector = fault.NewInjector(c.cluster, machines, c.observer, c.kernel.Network().Links(), sim.DefaultDisk())
	var kinds []fault.Kind
	for _, kind := range controllerFaults {
		if c.draw.chance(kind.String(), 0.6) {
			kinds = append(kinds, kind)
		}
	}
	c.Schedule = fault.Draw(c.kernel.Stream("schedule of faults"), fault.Options{
		Kinds: kinds, Every: c.draw.duration("time between faults", 200*time.Millisecond, 4*time.Second), Within: c.work, Drop: c.options.Drop,
	})
}

// controllerFaults are those of controllers, which are the victims where there are no brokers, and of the links and the machines of brokers.
var controllerFaults = []fault.Kind{
	fault.KillBroker, fault.PowerLossBroker, fault.PowerLossAll, fault.KillWhileRecovering, fault.RestartBroker, fault.PauseBroker, fault.PauseClient,
	fault.PartitionOneWay, fault.PartitionBroker, fault.ClogLink, fault.ResetConnection, fault.SlowAccept, fault.SlowDisk, fault.StuckSync, fault.FailSync,
	fault.FailWrite, fault.FullDisk, fault.StepWallClock, fault.BadLinks,
}

// play is the whole run.
func (c *controllersRun) play() {
	c.cluster.Start()
	for _, g := range c.groups {
		for _, m := range g.members {
			m.boot()
		}
	}
	c.injector.Run(c.Schedule)
	c.observer.Tasks.Go("disturb brokers", c.disturb)
	c.observer.Tasks.Go("part controllers", c.part)
	c.addTools()
	c.until("safety", c.work, c.look)
	c.stopped = true
	c.injector.Heal()
	if c.kernel.Failure() == nil {
		c.demandMasters()
	}
	c.Faults = c.injector.Log
	if c.kernel.Failure() == nil {
		c.judge()
	}
}

// disturb lets brokers die and come back, one or all of them, alone or with all controllers.
func (c *controllersRun) disturb() {
	random := c.kernel.Stream("disturb brokers")
	every := c.draw.random.Derive("deaths of brokers").Between(int64(300*time.Millisecond), int64(8*time.Second))
	for !c.stopped {
		c.observer.Tasks.Sleep(time.Duration(random.Between(0, 2*every)))
		style := sim.CrashStyle(random.IntN(2))
		switch g := c.groups[random.IntN(len(c.groups))]; {
		case c.stopped:
		case random.Chance(0.05):
			c.loseAll(random)
		case random.Chance(0.1):
			for _, m := range g.members {
				c.crash(m, style, random)
			}
		default:
			c.crash(g.members[random.IntN(len(g.members))], style, random)
		}
	}
}

// part cuts one controller off from some or all of the others, in one direction or both, while brokers still reach it.
func (c *controllersRun) part() {
	random, all := c.kernel.Stream("part controllers"), c.cluster.Controllers
	every := c.draw.random.Derive("partitions of controllers").Between(int64(500*time.Millisecond), int64(10*time.Second))
	for !c.stopped && len(all) > 1 {
		c.observer.Tasks.Sleep(time.Duration(random.Between(0, 2*every)))
		one, there, back := all[random.IntN(len(all))], random.Chance(0.8), random.Chance(0.8)
		var cut []*cluster.Node
		for _, other := range all {
			if other != one && random.Chance(0.8) && !c.stopped {
				cut = append(cut, other)
			}
		}
		c.setLinks(one, cut, there, back, c.kernel.Network().Block)
		c.observer.Tasks.Sleep(time.Duration(random.Between(0, int64(3*time.Second))))
		c.setLinks(one, cut, there, back, c.kernel.Network().Unblock)
	}
}

func (c *controllersRun) setLinks(one *cluster.Node, others []*cluster.Node, there, back bool, set func(from, to *sim.Machine)) {
	for _, other := range others {
		if there {
			set(one.Machine, other.Machine)
		}
		if back {
			set(other.Machine, one.Machine)
		}
	}
}

func (c *controllersRun) crash(m *replica, style sim.CrashStyle, random *sim.Stream) {
	m.crash(style)
	down := time.Duration(random.Between(0, int64(200*time.Millisecond)))
	if random.Chance(0.4) {
		down = time.Duration(random.Between(0, int64(5*time.Second)))
	}
	c.observer.Tasks.Go("boot "+m.machine.Name(), func() {
		c.observer.Tasks.Sleep(down)
		if !c.stopped {
			m.boot()
		}
	})
}

// loseAll takes the power from brokers and controllers at once.
func (c *controllersRun) loseAll(random *sim.Stream) {
	c.kernel.Mark("everything lost its power")
	for _, n := range c.cluster.Controllers {
		n.Crash(sim.PowerLoss)
	}
	for _, g := range c.groups {
		for _, m := range g.members {
			c.crash(m, sim.PowerLoss, random)
		}
	}
	c.observer.Tasks.Sleep(time.Duration(random.Between(0, int64(500*time.Millisecond))))
	if !c.stopped {
		c.cluster.Start()
	}
}

// look compares what the controllers have agreed upon, whenever one of them has carried something out. It never says that it is enough.
func (c *controllersRun) look() bool {
	for i, n := range c.cluster.Controllers {
		s := n.Controller()
		if s == nil {
			c.applied[i] = appliedAt{}
			continue
		}
		if at := s.Applied(); at != c.applied[i].index {
			c.applied[i].index = at
			c.compare(n, at, s.Status())
		}
	}
	return false
}

// compare demands that all controllers are in the same state after the same change.
func (c *controllersRun) compare(n *cluster.Node, index uint64, status controller.Status) {
	if before := c.applied[slices.Index(c.cluster.Controllers, n)]; status.Reigns > before.reigns+1 && before.term == status.Term && before.reigns > 0 {
		c.kernel.Mark("a leader began anew in the same term")
	}
	for i := range c.applied {
		if c.cluster.Controllers[i] == n {
			c.applied[i].reigns, c.applied[i].term = status.Reigns, status.Term
		}
	}
	if status.Snapshots > 0 {
		c.kernel.Mark("a snapshot was sent")
	}
	var lines []string
	for i := range status.Groups {
		lines = append(lines, status.Groups[i].String())
	}
	state := strings.Join(lines, "\n")
	if other, known := c.states[index]; known && other != state {
		c.failSafety("%s is in another state after change %d than another controller:\n%s\nand not\n%s", n, index, state, other)
	}
	c.states[index] = state
	if index > c.newest {
		c.newest = index
		c.agreed(&status)
	}
}

// agreed takes over what was agreed upon.
func (c *controllersRun) agreed(status *controller.Status) {
	c.now = status.Groups
	for _, g := range c.groups {
		view := linearizability.GroupView{}
		if s := c.status(g.name); s != nil {
			view = viewOf(s)
		} else if i := slices.IndexFunc(status.Forgotten, func(s controller.GroupStatus) bool { return s.BrokerName == g.name }); i >= 0 {
			g.c.kernel.Mark("a group was cleaned")
			view = viewOf(&status.Forgotten[i])
		}
		g.agree(view)
	}
}

// status is what was agreed upon of a group, or nil.
func viewOf(s *controller.GroupStatus) linearizability.GroupView {
	return linearizability.GroupView{Master: s.MasterID, Epoch: s.MasterEpoch, SetEpoch: s.SetEpoch, InSync: s.InSync}
}

func (c *controllersRun) status(name string) *controller.GroupStatus {
	i := slices.IndexFunc(c.now, func(s controller.GroupStatus) bool { return s.BrokerName == name })
	if i < 0 {
		return nil
	}
	return &c.now[i]
}
