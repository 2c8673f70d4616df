package scenario

import (
	"context"
	"slices"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/cluster"
)

// inGroups is a scenario of clients with brokers that come in groups and elect their masters: whatever they do goes on through fail-overs.
func inGroups(s Scenario) Scenario {
	play := s.run
	s.Name += "-failover"
	s.About += " Brokers come in groups of two or three, and elect their masters."
	s.Costly, s.Marks = true, []string{"a second master was elected", "consumers went on at the next master"}
	s.run = func(r *run) {
		r.elected = true
		play(r)
	}
	return s
}

// electing draws how brokers come in groups, and changes what a cluster consists of.
func (f *fleet) electing(config *cluster.Config) {
	d := f.draw
	config.Elected, config.Controllers = true, 3
	config.Brokers, config.Slaves = int(d.number("groups of brokers", 1, 2)), int(d.number("copies", 1, 2))
	config.Broker.Replication = broker.Replication{MinInSync: 1, BehindFor: d.duration("behind for", 500*time.Millisecond, 3*time.Second), SilenceMax: 6 * time.Second}
	f.waitsForCopies = d.duration("wait for copies", 300*time.Millisecond, 3*time.Second)
	config.Broker.Store.ReplicaTimeout = f.waitsForCopies
}

// watchMasters looks now and then which brokers are masters.
func (f *fleet) watchMasters() {
	f.observer.Tasks.Go("watch", func() {
		first := map[string]*cluster.Node{}
		for !f.stopped {
			f.observer.Tasks.Sleep(10 * time.Millisecond)
			for _, n := range f.masters() {
				if first[n.Group] == nil {
					first[n.Group] = n
				} else if first[n.Group] != n {
					f.kernel.Mark("a second master was elected")
				}
			}
		}
	})
}

// masters are the brokers that serve as masters now, for each group the one that was elected last; all brokers where nobody elects.
func (p *pubsub) masters() (masters []*cluster.Node) {
	for _, n := range p.cluster.Brokers {
		later := func(other *cluster.Node) bool { return other.Group == n.Group && servesSince(other) > servesSince(n) }
		if !n.Elected || servesSince(n) > 0 && !slices.ContainsFunc(p.cluster.Brokers, later) {
			masters = append(masters, n)
		}
	}
	return masters
}

// servesSince is the epoch in which an elected master serves, 0 for others.
func servesSince(n *cluster.Node) int64 {
	if b := n.Broker(); b != nil && b.Store() != nil && b.Serving() && b.Leader() != nil {
		return int64(b.Leader().Epoch())
	}
	return 0
}

// allServe reports whether each group has a master that serves.
func (p *pubsub) allServe() bool { return len(p.masters()) == len(p.cluster.Groups) }

// goesOnWithin is how long members may take to consume from a new master, and to commit that. They find it by the route, which they look up again and again, and
// try again after a second what has failed; offsets are stored every five seconds at most. A member of which the new master had not heard yet may have lent its
// queue to another one: then its commits count again with its next pull, and one pull may be held first.
const goesOnWithin = 10 * time.Second

// demandGoingOn takes a master away where nothing else is broken, and demands that members consume soon what is sent to the next one.
func (f *fleet) demandGoingOn(probe *pubsubClient) {
	if !f.until("copies in sync", copiesWithin, f.inSync) {
		f.failLiveness("after everything healed, not all copies are in sync within %s", copiesWithin)
		return
	}
	masters, random := f.masters(), f.kernel.Stream("the last fail-over")
	gone := masters[random.IntN(len(masters))]
	comesBack := f.takeAway(gone, random.Chance(0.5))
	if !f.until("fail-over", masterWithin, func() bool { return f.allServe() && !slices.Contains(f.masters(), gone) }) {
		f.failLiveness("%s after %s was gone, its group has no other master", masterWithin, gone)
		return
	}
	done := false
	f.observer.Tasks.Go("probe", func() {
		f.probeAgain(probe, gone.Group)
		done = true
	})
	if !f.until("probe", 2*serveWithin, func() bool { return done }) {
		f.failLiveness("after a fail-over, the probe does not end within %s", 2*serveWithin)
		return
	}
	within := max(goesOnWithin+f.work.hold, f.fails)
	if f.kernel.Failure() == nil && !f.until("consume", within, func() bool { return f.caughtUp() == "" }) {
		f.failLiveness("%s after messages were sent to the next master, not all are consumed: %s", within, f.caughtUp())
		return
	}
	f.kernel.Mark("consumers went on at the next master")
	comesBack()
	if !f.until("restart", restartWithin, func() bool { return f.allReady() && f.inSync() }) {
		f.failLiveness("after everything healed, nodes do not run within %s: %v", restartWithin, f.notReady())
	}
}

// takeAway lets the machine of a master lose its power, or cuts a master off from all but the clients, so that it still answers them. It returns what undoes that.
func (f *fleet) takeAway(master *cluster.Node, cutOff bool) (comesBack func()) {
	if !cutOff {
		f.kernel.Note("fault the machine of %s is gone", master)
		master.Crash(sim.PowerLoss)
		return f.cluster.Start
	}
	f.kernel.Note("fault %s is cut off from all but the clients", master)
	n := f.kernel.Network()
	for _, other := range f.cluster.Nodes() {
		if other != master {
			n.Block(master.Machine, other.Machine)
			n.Block(other.Machine, master.Machine)
		}
	}
	return n.Heal
}

// probeAgain sends to all queues of a group and reads all queues whole once more.
func (f *fleet) probeAgain(probe *pubsubClient, group string) {
	deadline := f.observer.Clock.Now().Add(serveWithin)
	try := func(what string, queue client.Queue, done func() bool) {
		for !done() {
			if deadline.Reached(f.observer.Clock.Now()) {
				f.failLiveness("after a fail-over, %v cannot be %s within %s: %v", queue, what, serveWithin, probe.refusal)
				return
			}
			f.observer.Tasks.Sleep(100 * time.Millisecond)
		}
	}
	newest := map[client.Queue]client.QueueOffset{}
	for _, queue := range f.queues {
		if queue.BrokerName == group {
			try("sent to", queue, func() bool { return probe.sendTo(queue) })
			newest[queue] = probe.newest
		}
	}
	for _, queue := range f.queues {
		// What it pulls from may be the master that was taken away, which does not have what was sent to the next one.
		try("read", queue, func() bool { return probe.canRead(queue, newest[queue]) })
		probe.readAll(queue)
	}
}

// canRead reports whether a message of a queue can be read now.
func (c *pubsubClient) canRead(queue client.Queue, offset client.QueueOffset) bool {
	result, err := c.consumer.Pull(context.Background(), queue, offset, 1)
	c.refusal = err
	return err == nil && len(result.Messages) > 0
}

// inSync reports whether each group has a master, and all its brokers are in sync.
func (f *fleet) inSync() bool {
	masters := f.masters()
	for _, n := range masters {
		set, _ := n.Broker().Leader().Set()
		ids := map[int64]bool{}
		for _, id := range set {
			ids[int64(id)] = true
		}
		if slices.ContainsFunc(f.cluster.Brokers, func(member *cluster.Node) bool { return member.Group == n.Group && !ids[member.MemberID()] }) {
			return false
		}
	}
	return len(masters) == len(f.cluster.Groups)
}

// lookEvery is how often the committed offset of some queue is looked at: so often that after a fail-over all are within moments.
func (f *fleet) lookEvery(usually time.Duration) time.Duration {
	if f.elected {
		return usually / 10
	}
	return usually
}

// refreshEvery is how often members ask for routes if nothing is wrong: where brokers are elected as rarely as they usually do, so that nobody relies on it.
func (f *fleet) refreshEvery() time.Duration {
	if f.elected {
		return 30 * time.Second
	}
	return 5 * time.Second
}

// pullTimeout is how long members wait for the answer to a pull. Where brokers are elected it is so long that nobody can wait for one that is gone.
func (f *fleet) pullTimeout() time.Duration {
	if f.elected {
		return f.work.hold + 30*time.Second
	}
	return f.work.hold + 2*time.Second
}
