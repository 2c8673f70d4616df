package scenario

import (
	"errors"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/controller"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/store"
)

// What operators do to a group of brokers while it is used.

// every lets the operator act now and then until the safety phase is over.
func (f *failover) every(name string, least, most time.Duration, act func(random *sim.Stream)) {
	random := f.kernel.Stream(name)
	for !f.stopped {
		f.observer.Tasks.Sleep(time.Duration(random.Between(int64(least), int64(most))))
		if !f.stopped {
			act(random)
		}
	}
}

// cutOff parts the master from some of the others: from controllers, from copies, from clients, or from all but the clients.
func (f *failover) cutOff() {
	f.every("cut off", 500*time.Millisecond, 4*time.Second, func(random *sim.Stream) {
		master := f.serving()
		if master == nil {
			return
		}
		f.kernel.Mark("a master was cut off")
		mode := random.IntN(5)
		f.kernel.Note("fault %s is cut off (%d)", master, mode)
		var blocked []*sim.Machine
		for _, m := range f.kernel.Machines() {
			if m != master.Machine && f.parted(mode, m, random) {
				blocked = append(blocked, m)
			}
		}
		n := f.kernel.Network()
		oneWay := random.Chance(0.3)
		for _, m := range blocked {
			n.Block(master.Machine, m)
			if !oneWay {
				n.Block(m, master.Machine)
			}
		}
		f.observer.Tasks.Sleep(time.Duration(random.Between(int64(200*time.Millisecond), int64(6*time.Second))))
		if mode == cutFromCopies && random.Chance(0.5) && !f.stopped {
			f.enterUnheard(master, random)
		}
		for _, m := range blocked {
			n.Unblock(master.Machine, m)
			n.Unblock(m, master.Machine)
		}
	})
}

// cutFromCopies is a mode of cutOff.
const cutFromCopies = 1

// enterUnheard lets copies come back to a master that does not hear the controllers. So they may enter the in-sync set, and it does not know; then it is cut off
// from them and from the controllers, which may elect one of them.
func (f *failover) enterUnheard(master *cluster.Node, random *sim.Stream) {
	f.kernel.Mark("a copy came back while the controllers were not heard")
	n := f.kernel.Network()
	for _, c := range f.cluster.Controllers {
		n.Block(c.Machine, master.Machine)
	}
	f.eachOther(master, n.Unblock)
	f.observer.Tasks.Sleep(time.Duration(random.Between(int64(50*time.Millisecond), int64(600*time.Millisecond))))
	if f.stopped {
		return // everything has healed meanwhile
	}
	f.eachOther(master, n.Block)
	for _, c := range f.cluster.Controllers {
		n.Block(master.Machine, c.Machine)
	}
	f.observer.Tasks.Sleep(time.Duration(random.Between(int64(time.Second), int64(4*time.Second))))
	for _, c := range f.cluster.Controllers {
		n.Unblock(c.Machine, master.Machine)
		n.Unblock(master.Machine, c.Machine)
	}
}

// eachOther does something to the links between a broker and the others of its group, both ways.
func (f *failover) eachOther(n *cluster.Node, do func(from, to *sim.Machine)) {
	for _, other := range f.cluster.Brokers {
		if other != n {
			do(n.Machine, other.Machine)
			do(other.Machine, n.Machine)
		}
	}
}

func (f *failover) parted(mode int, m *sim.Machine, random *sim.Stream) bool {
	isOne := func(nodes []*cluster.Node) bool {
		for _, n := range nodes {
			if n.Machine == m {
				return true
			}
		}
		return false
	}
	switch mode {
	case 0:
		return isOne(f.cluster.Controllers)
	case cutFromCopies:
		return isOne(f.cluster.Brokers)
	case 2:
		return isOne(f.cluster.Controllers) || isOne(f.cluster.Brokers)
	case 3:
		return isOne(f.cluster.NameServers) || isOne(f.cluster.Controllers)
	}
	return random.Chance(0.5)
}

// restartAll restarts one broker after the other in order, and waits until each follows or serves again. Some are drained first, as an operator would who
// has read about it.
func (f *failover) restartAll() {
	f.every("restarts", 200*time.Millisecond, 2*time.Second, func(random *sim.Stream) {
		for _, n := range f.cluster.Brokers {
			if f.stopped {
				return
			}
			if random.Chance(0.4) && f.drain(n) {
				f.observer.Tasks.Sleep(time.Duration(random.Between(0, int64(time.Second))))
			}
			if random.Chance(0.2) && n.Ready() {
				f.startTwice(n)
			}
			f.kernel.Note("fault %s is restarted", n)
			// An error of Close is a slow disk's; what was acknowledged is there all the same.
			_ = n.Stop(f.observer, f.observer.Clock.Now().Add(10*time.Second))
			n.Start()
			f.await(5*time.Second, func() bool { return f.whole() })
		}
		f.kernel.Mark("all brokers were restarted")
	})
}

// drain has a broker hand over before it is stopped, and reports whether it did.
func (f *failover) drain(n *cluster.Node) bool {
	elected, ok := n.Drain(f.observer, f.observer.Clock.Now().Add(5*time.Second))
	if !ok {
		return false
	}
	f.kernel.Mark("a master was drained")
	if elected == n.MemberID() {
		f.failSafety("%s was drained, and the answer says that it is master", n)
	}
	return true
}

// startTwice starts a broker once more while it runs. The second process must not get beyond the locks.
func (f *failover) startTwice(n *cluster.Node) {
	err, answered := n.StartTwice(f.observer, f.observer.Clock.Now().Add(5*time.Second))
	if !answered {
		return
	}
	f.kernel.Mark("a broker was started twice")
	if !errors.Is(err, env.ErrLocked) {
		f.failSafety("a second process over the directory of %s got beyond the locks: %v", n, err)
	}
}

// whole reports whether a master serves and has all brokers in sync.
func (f *failover) whole() bool {
	n := f.serving()
	if n == nil || n.Broker() == nil || n.Broker().Leader() == nil {
		return false
	}
	set, _ := n.Broker().Leader().Set()
	// A disk that was replaced leaves a number behind that nobody has any more.
	inSync := map[int64]bool{}
	for _, id := range set {
		inSync[int64(id)] = true
	}
	return !slices.ContainsFunc(f.cluster.Brokers, func(n *cluster.Node) bool { return !inSync[n.MemberID()] })
}

// await waits until something is so, or for some time.
func (f *failover) await(limit time.Duration, so func() bool) bool {
	deadline := f.observer.Clock.Now().Add(limit)
	for !so() && !deadline.Reached(f.observer.Clock.Now()) {
		f.observer.Tasks.Sleep(20 * time.Millisecond)
	}
	return so()
}

// replaceDisks takes a broker off the net, makes sure that the group does not depend on it alone, puts an empty disk into it, and waits until it
// has copied everything.
func (f *failover) replaceDisks() {
	f.every("disks", time.Second, 4*time.Second, func(random *sim.Stream) {
		if !f.await(5*time.Second, f.whole) || f.stopped {
			return
		}
		n := f.cluster.Brokers[random.IntN(len(f.cluster.Brokers))]
		others := f.membersBut(n)
		if f.storeOptions.Flush == store.SyncFlush && random.Chance(0.3) {
			f.losePowerAtAcknowledgement()
		}
		if f.stopped {
			return
		}
		style := sim.PowerLoss
		if f.storeOptions.Flush == store.AsyncFlush {
			// It may be the only one in sync, though its group looked whole to who followed an older master: then what only its memory has is needed.
			style = sim.KillProcess
		}
		n.Crash(style)
		// What it asked the controllers for just before may still be under way: that nobody else is in sync, for one.
		f.observer.Tasks.Sleep(time.Duration(random.Between(int64(50*time.Millisecond), int64(300*time.Millisecond))))
		if n.Machine.Up() {
			return // everything has healed meanwhile
		}
		if !f.anyInSync(others) {
			f.kernel.Mark("a disk was kept because no other is in sync")
			f.startAll()
			return
		}
		f.kernel.Note("fault %s gets an empty disk", n)
		f.kernel.Mark("a disk was replaced")
		n.Machine.ReplaceDisk()
		if f.storeOptions.Flush == store.SyncFlush && random.Chance(0.5) {
			// The others lose their power with it: what only their memory had is gone.
			f.kernel.Mark("a disk was lost and the power of all")
			for _, other := range f.cluster.Brokers {
				other.Crash(sim.PowerLoss)
			}
		}
		f.startAll()
	})
}

func (f *failover) startAll() {
	for _, n := range f.cluster.Brokers {
		n.Start()
	}
}

// losePowerAtAcknowledgement lets all brokers lose their power right after a send was acknowledged, if one is soon.
func (f *failover) losePowerAtAcknowledgement() {
	lost := false
	f.injector.AtAcknowledgement(func() {
		if f.stopped {
			return
		}
		f.kernel.Mark("all brokers lost their power right after an acknowledgement")
		for _, n := range f.cluster.Brokers {
			n.Crash(sim.PowerLoss)
		}
		lost = true
	})
	f.await(time.Second, func() bool { return lost })
	f.injector.AtAcknowledgement(nil)
}

// membersBut are the numbers that controllers know the brokers by, but for one of them.
func (f *failover) membersBut(n *cluster.Node) (ids []int64) {
	for _, other := range f.cluster.Brokers {
		if id := other.MemberID(); other != n && id != 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// anyInSync reports whether one of some members is in the in-sync set, as far as the controller knows that has carried out the most.
func (f *failover) anyInSync(ids []int64) bool {
	var newest controller.Status
	for _, c := range f.cluster.Controllers {
		if s := c.Controller(); s != nil && s.Applied() >= newest.Applied {
			newest = s.Status()
		}
	}
	for _, g := range newest.Groups {
		for _, id := range ids {
			if slices.Contains(g.InSync, id) {
				return true
			}
		}
	}
	return false
}

// migrate stops the whole group in order, and starts it with controllers. Where not all copies have what was acknowledged the old master comes first, and alone.
func (f *failover) migrate() {
	random := f.kernel.Stream("migration")
	f.observer.Tasks.Sleep(time.Duration(random.Between(int64(f.work.for_/4), int64(f.work.for_/2))))
	f.migrating = true
	for _, n := range f.cluster.Brokers {
		_ = n.Stop(f.observer, f.observer.Clock.Now().Add(10*time.Second))
	}
	for _, n := range f.cluster.Brokers {
		n.Crash(sim.KillProcess)
		n.Elected = true
	}
	if first := f.cluster.Brokers[0]; f.alone {
		first.Start()
		f.await(time.Minute, func() bool { return first.Broker() != nil && first.Broker().Leader() != nil })
	}
	f.startAll()
	f.kernel.Note("fault the group has controllers now")
	f.kernel.Mark("controllers were given the say")
}
