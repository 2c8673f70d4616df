package scenario

import (
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/sim/cluster"
)

// masterFullFor is how long the disk of the master is full in the end.
const masterFullFor = 10 * time.Second

// demandSpace fills the disk of the master for a while, and demands that messages are taken all the time but for one fail-over.
func (f *failover) demandSpace() {
	if f.minInSync > len(f.cluster.Brokers)-1 {
		return // without the master too few would be in sync
	}
	if !f.until("copies in sync", copiesWithin, f.whole) {
		f.failLiveness("after a fail-over, not all copies are in sync within %s: %s", copiesWithin, f.describe())
		return
	}
	full := f.serving()
	usual := full.Machine.Disk().Options()
	filled := usual
	filled.Full = true
	f.kernel.Note("fault the disk of %s is full", full)
	full.Machine.Disk().SetOptions(filled)
	ended := false
	f.observer.Tasks.Go("sender", func() {
		f.sendMeanwhile(full)
		ended = true
	})
	f.until("full disk", 2*masterFullFor, func() bool { return ended })
	full.Machine.Disk().SetOptions(usual)
	if f.kernel.Failure() == nil && !f.until("restart", restartWithin, f.allReady) {
		f.failLiveness("after a disk was full, nodes do not run within %s: %v", restartWithin, f.notReady())
	}
}

// sendMeanwhile sends while the disk of a master is full, and demands that messages are taken. Files that have room may take some, so nobody need take over.
func (f *failover) sendMeanwhile(full *cluster.Node) {
	e := f.observer
	sender := &pubsubClient{p: f.pubsub, number: len(f.clients) + 1, env: e, random: f.kernel.Stream("full disk")}
	var err error
	sender.steady, err = client.NewProducer(e, client.WithNameServers(f.cluster.NameServerAddresses()...), client.WithGroup("filler"),
		client.WithSendTimeout(time.Second), client.WithRouteRefresh(time.Second), client.WithRetries(0, 0))
	if err != nil {
		f.failSafety("the producer for the full disk could not be made: %v", err)
		return
	}
	end, taken := e.Clock.Now().Add(masterFullFor), e.Clock.Now()
	for !end.Reached(e.Clock.Now()) && f.kernel.Failure() == nil {
		if sender.sendTo(f.queues[0]) {
			taken = e.Clock.Now()
			if n := f.serving(); n != nil && n != full {
				f.kernel.Mark("a master with a full disk was followed")
			}
		}
		if e.Clock.Now().Sub(taken) > masterWithin {
			f.failLiveness("for %s no message is taken while the disk of %s is full: %v; %s", masterWithin, full, sender.refusal, f.describe())
			return
		}
		e.Tasks.Sleep(20 * time.Millisecond)
	}
}
