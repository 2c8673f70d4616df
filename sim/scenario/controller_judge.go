package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/cluster"
)

// demandMasters is the liveness phase. Most controllers run, and of each group one in-sync broker at least: soon each group has a master.
func (c *controllersRun) demandMasters() {
	// The links of some runs lose much all the time. How soon something happens can be demanded only where they lose nothing.
	c.kernel.Network().SetLinks(sim.DefaultLinks())
	c.until("calmer", time.Second, c.look)
	c.observer.Tasks.Go("mend", c.mend)
	if !c.until("calm", time.Minute, func() bool { c.look(); return c.injector.Over() && c.noneBroken() }) {
		if c.kernel.Failure() == nil {
			c.failLiveness("the controllers do not all run a minute after everything has healed: %s", c.brokenOnes())
		}
		return
	}
	c.calm = true
	random := c.kernel.Stream("liveness")
	c.leaveSomeDown(random)
	// What the dead have asked for last may still be carried out.
	c.until("settle", time.Second, c.look)
	c.wakeNeeded(random)
	if !c.until("leader", leaderWithin, func() bool { c.look(); return c.leader() >= 0 }) {
		c.failLivenessOnce("no controller leads within %s although most of them run", leaderWithin)
		return
	}
	if !c.until("masters", c.masterWithin(), func() bool { c.look(); return len(c.masterless(true)) == 0 }) {
		c.failLivenessOnce("%s after a controller leads, these have no master with a lease: %s", c.masterWithin(), strings.Join(c.masterless(true), "; "))
		return
	}
	if !c.until("first masters", firstWithin, func() bool { c.look(); return len(c.masterless(false)) == 0 }) {
		c.failLivenessOnce("%s later, these have no master with a lease: %s", firstWithin, strings.Join(c.masterless(false), "; "))
		return
	}
	c.until("afterwards", 2*time.Second, c.look)
}

// failLivenessOnce does not hide a failure that came first.
func (c *controllersRun) failLivenessOnce(format string, args ...any) {
	if c.kernel.Failure() == nil {
		c.failLiveness(format, args...)
	}
}

// Bounds of the liveness phase. An election among controllers takes one to two of their timeouts, which are half a second, and once more if
// votes are split.
const leaderWithin = 3 * time.Second

// masterWithin is the longest lease, and three times what brokers need to ask.
func (c *controllersRun) masterWithin() time.Duration {
	longest := 1500 * time.Millisecond
	for _, g := range c.groups {
		longest = max(longest, g.timeout)
	}
	return longest + 1500*time.Millisecond
}

func (c *controllersRun) noneBroken() bool {
	return !slices.ContainsFunc(c.cluster.Controllers, func(n *cluster.Node) bool { return !n.Ready() || n.Broken() != nil })
}

// mend starts again what its disk has stopped, as an operator would.
func (c *controllersRun) mend() {
	for !c.calm {
		for _, n := range c.cluster.Controllers {
			if n.Broken() != nil || n.StartError != nil {
				n.Crash(sim.KillProcess)
			}
			n.Start()
		}
		c.observer.Tasks.Sleep(200 * time.Millisecond)
	}
}

func (c *controllersRun) brokenOnes() string {
	var all []string
	for _, n := range c.cluster.Controllers {
		if !n.Ready() {
			all = append(all, fmt.Sprintf("%s: %v", n, n.StartError))
		}
	}
	return strings.Join(all, "; ")
}

// leaveSomeDown leaves a minority of controllers down, and brokers as long as one of each in-sync set is there.
func (c *controllersRun) leaveSomeDown(random *sim.Stream) {
	controllers := slices.Clone(c.cluster.Controllers)
	for range random.IntN((len(controllers)-1)/2 + 1) {
		i := random.IntN(len(controllers))
		controllers[i].Crash(sim.CrashStyle(random.IntN(2)))
		controllers = slices.Delete(controllers, i, i+1)
	}
	for _, g := range c.groups {
		needed := g.needed(random)
		for _, m := range g.members {
			if needed == nil || m == needed || random.Chance(0.5) {
				m.boot()
			} else {
				m.crash(sim.KillProcess)
			}
		}
	}
}

// wakeNeeded starts a broker of each group of whose in-sync set nobody is there any more.
func (c *controllersRun) wakeNeeded(random *sim.Stream) {
	for _, g := range c.groups {
		there := slices.ContainsFunc(g.members, func(m *replica) bool { return m.machine.Up() && m.wholeNow && slices.Contains(g.agreed.InSync, m.id) })
		for _, m := range g.members {
			if needed := g.needed(random); !there && (needed == nil || needed == m) {
				m.boot()
			}
		}
	}
}

// needed is a member of the in-sync set that can be elected if it comes back alone; nil: nobody can, or the group has not begun.
func (g *replicaGroup) needed(random *sim.Stream) *replica {
	// It is asked for with each member, and chooses alike.
	random = random.Derive(g.name)
	var able []*replica
	for _, id := range g.agreed.InSync {
		if m := g.memberWith(id); m != nil && m.wholeNow {
			able = append(able, m)
		}
	}
	if len(able) == 0 {
		return nil
	}
	return able[random.IntN(len(able))]
}

// leader is the place of the controller that leads, or -1.
func (c *controllersRun) leader() int {
	for i, n := range c.cluster.Controllers {
		if s := n.Controller(); s != nil && s.Leads() {
			return i
		}
	}
	return -1
}

// firstWithin is for groups that begin, perhaps because tools have forgotten them: their brokers have to find that out, to get ids, and to
// register, and then the first election waits.
const firstWithin = 10 * time.Second

// masterless lists groups without a master that may serve: those that have an in-sync set, or all.
func (c *controllersRun) masterless(begun bool) []string {
	var without []string
	now := c.kernel.Now()
	for _, g := range c.groups {
		if begun && len(g.agreed.InSync) == 0 {
			continue
		}
		if !slices.ContainsFunc(g.leases, func(l *lease) bool { return l.valid(now) }) {
			without = append(without, g.String())
		}
	}
	return without
}

// judge looks at all that was answered.
func (c *controllersRun) judge() {
	for _, g := range c.groups {
		verdict := linearizability.CheckGroup(g.name, g.operations, linearizability.GroupRules{Unclean: c.unclean || c.cleaning})
		switch verdict.Result {
		case linearizability.Illegal:
			c.failSafety("%s", verdict)
			return
		case linearizability.Unknown:
			c.Undecided = verdict.String()
		}
	}
	for _, n := range c.cluster.Controllers {
		if s := n.Controller(); s != nil {
			for _, cause := range slices.Sorted(maps.Keys(s.Status().Counts.Elections)) {
				// Those from outside the set are noticed when they happen.
				if cause != "unclean" {
					c.kernel.Mark("elected: " + cause)
				}
			}
		}
	}
}
