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
	config.Broker.Store.ReplicaTimeout = d.duration("wait for copies", 300*time.Millisecond, 3*time.Second)
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

// masters are the brokers that serve as masters now; all brokers where nobody elects.
func (p *pubsub) masters() (masters []*cluster.Node) {
	for _, n := range p.cluster.Brokers {
		if b := n.Broker(); !n.Elected || b != nil && b.Store() != nil && b.Serving() {
			masters = append(masters, n)
		}
	}
	return masters
}

// allServe reports whether each group has a master that serves.
func (p *pubsub) allServe() bool { return len(p.masters()) == len(p.cluster.Groups) }

// goesOnWithin is how long members may take to consume from a new master, and to commit that. They find it by the route, which they look up again and again, and
// try again after a second what has failed; offsets are stored every five seconds at most. A member of which the new master had not heard yet may have lent its
// queue to another one: then its commits count again with its next pull, and one pull may be held first.
const goesOnWithin = 10 * time.Second

// demandGoingOn lets the machine of a master lose its power where nothing else is broken, and demands that members consume soon what is sent to the next one.
func (f *fleet) demandGoingOn(probe *pubsubClient) {
	if !f.until("copies in sync", copiesWithin, f.inSync) {
		f.failLiveness("after everything healed, not all copies are in sync within %s", copiesWithin)
		return
	}
	masters := f.masters()
	gone := masters[f.kernel.Stream("the last fail-over").IntN(len(masters))]
	f.kernel.Note("fault the machine of %s is gone", gone)
	gone.Crash(sim.PowerLoss)
	if !f.until("fail-over", masterWithin, f.allServe) {
		f.failLiveness("%s after the machine of %s was gone, its group has no master", masterWithin, gone)
		return
	}
	done := false
	f.observer.Tasks.Go("probe", func() {
		deadline := f.observer.Clock.Now().Add(serveWithin)
		for _, queue := range f.queues {
			for queue.BrokerName == gone.Group && !probe.sendTo(queue) && !deadline.Reached(f.observer.Clock.Now()) {
				f.observer.Tasks.Sleep(100 * time.Millisecond)
			}
		}
		for _, queue := range f.queues {
			// What it pulls from may be the master that is gone.
			for !probe.canRead(queue) && !deadline.Reached(f.observer.Clock.Now()) {
				f.observer.Tasks.Sleep(100 * time.Millisecond)
			}
			probe.readAll(queue)
		}
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
	f.cluster.Start()
	if !f.until("restart", restartWithin, func() bool { return f.allReady() && f.inSync() }) {
		f.failLiveness("after everything healed, nodes do not run within %s: %v", restartWithin, f.notReady())
	}
}

// canRead reports whether a queue can be read now.
func (c *pubsubClient) canRead(queue client.Queue) bool {
	_, err := c.consumer.Pull(context.Background(), queue, 0, 1)
	return err == nil
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
