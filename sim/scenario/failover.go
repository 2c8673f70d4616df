package scenario

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/controller"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/sim/fault"
	"github.com/gantrymq/gantry/store"
)

// electedMarks are places that each of the scenarios here must reach.
var electedMarks = []string{
	"send acknowledged", "send refused", "pull found messages", "commit acknowledged", "a second master was elected", "a copy was taken into the in-sync set",
	"a master was followed at once",
}

var failoverScenario = Scenario{
	Name:  "failover",
	About: "producers and consumers use a group of brokers whose master controllers elect, under all faults",
	Marks: append([]string{"a master with a full disk was followed"}, electedMarks...), Costly: true,
	run: func(r *run) { runElected(r, &failover{kinds: fault.Kinds(), fills: true}) },
}

var splitBrainScenario = Scenario{
	Name:  "split-brain",
	About: "the same, when brokers, controllers and clients cannot hear each other, one way or both, or stand still",
	Marks: append([]string{"a master was cut off"}, electedMarks...), Costly: true,
	run: func(r *run) {
		runElected(r, &failover{operate: (*failover).cutOff, kinds: []fault.Kind{
			fault.PartitionOneWay, fault.PartitionBroker, fault.ClogLink, fault.PauseBroker, fault.PauseNameServer, fault.BadLinks, fault.ResetConnection, fault.StepWallClock,
		}})
	},
}

var rollingRestartScenario = Scenario{
	Name:  "rolling-restart",
	About: "the same, when an operator restarts all brokers one after the other, again and again",
	Marks: append([]string{"all brokers were restarted", "a master was drained", "a broker was started twice"}, electedMarks...), Costly: true,
	run: func(r *run) {
		runElected(r, &failover{operate: (*failover).restartAll, kinds: []fault.Kind{
			fault.KillNameServer, fault.SlowDisk, fault.StuckSync, fault.ResetConnection, fault.ClogLink, fault.PauseClient, fault.SlowAccept,
		}})
	},
}

var replaceDiskScenario = Scenario{
	Name:  "replace-disk",
	About: "the same, when an operator puts empty disks into brokers, one at a time while others are in sync",
	Marks: append([]string{"a disk was replaced", "a disk was lost and the power of all", "all brokers lost their power right after an acknowledgement"}, electedMarks...), Costly: true,
	run: func(r *run) {
		runElected(r, &failover{operate: (*failover).replaceDisks, kinds: []fault.Kind{
			fault.KillNameServer, fault.SlowDisk, fault.ResetConnection, fault.ClogLink, fault.PauseClient, fault.PartitionOneWay, fault.FullDisk,
		}})
	},
}

var migrateScenario = Scenario{
	Name:  "migrate",
	About: "a master and its slaves, which were configured, get controllers that elect one of them",
	Marks: append([]string{"controllers were given the say"}, electedMarks[:3]...), Costly: true,
	run: func(r *run) {
		runElected(r, &failover{configured: true, operate: (*failover).migrate, kinds: []fault.Kind{
			fault.KillBroker, fault.PowerLossBroker, fault.RestartBroker, fault.ResetConnection, fault.ClogLink, fault.PauseClient, fault.SlowDisk,
		}})
	},
}

// failover is the state of one run. The clients and their judge are those of pubsub.
type failover struct {
	*pubsub
	kinds      []fault.Kind
	operate    func(f *failover) // what the operator does meanwhile, or nil
	operated   bool              // he has done
	configured bool              // the group begins with roles that are configured
	masters    map[int32]string  // by epoch: who was seen as master
	minInSync  int
	inSync     int  // copies of what a configured master acknowledges
	alone      bool // the configured master is to be the first elected one, alone at first: others may lack what it has acknowledged
	migrating  bool
	fills      bool   // in the end the disk of the master is full for a while
	unclean    bool   // for a time only one broker is left: it must be enough, and the run waits for the operator
	verdict    func() // judges the history, if not nil
}

func runElected(r *run, f *failover) {
	f.pubsub, f.masters = &pubsub{run: r}, map[int32]string{}
	f.buildFailover()
	f.cluster.Start()
	if !f.until("start", time.Minute, func() bool { return f.allReady() && f.serving() != nil }) {
		f.failLiveness("the cluster did not start: %v, and no broker serves", f.notReady())
		return
	}
	if !f.createTopics() {
		return
	}
	if f.configured && !f.until("copies of the topics", time.Minute, func() bool { return topicsCopied(f.pubsub) }) {
		f.failLiveness("slaves do not have the topics of their master")
		return
	}
	f.startClients()
	f.watch()
	f.injector.Run(f.Schedule)
	if f.operate != nil {
		f.busy++
		f.observer.Tasks.Go("operator", func() {
			f.operate(f)
			f.operated = true
			f.busy--
		})
	}
	f.until("safety", f.work.for_, func() bool { return false })
	if (f.unclean || f.alone) && !f.until("operator", 3*time.Minute, func() bool { return f.operated }) {
		f.failLiveness("the operator does not come to an end: %s", f.describe())
	}
	f.stopped = true
	f.injector.Heal()
	f.Faults = f.injector.Log
	if f.kernel.Failure() == nil {
		f.demandMaster()
	}
	if f.kernel.Failure() == nil && !f.configured {
		f.demandFailOver()
	}
	if f.kernel.Failure() == nil && f.fills {
		f.demandSpace()
	}
	if f.kernel.Failure() == nil {
		f.demandProgress()
	}
	if f.kernel.Failure() == nil {
		f.demandEqual()
	}
	f.Faults = f.injector.Log
	switch {
	case f.kernel.Failure() != nil:
	case f.verdict != nil:
		f.verdict()
	default:
		f.judge()
	}
}

// buildFailover draws the options and sets the machines up.
func (f *failover) buildFailover() {
	d := f.draw
	f.work = workload{
		producers: int(d.number("producers", 1, 3)), consumers: int(d.number("consumers", 1, 3)), tasks: 1,
		queuesPerTopic: int(d.number("queues of a topic", 1, 3)),
		for_:           d.duration("safety phase", 5*time.Second, 25*time.Second),
		think:          d.duration("think time", 0, 20*time.Millisecond),
		bodyMax:        d.number("largest body", 0, 3000),
		equalSizes:     d.chance("bodies of one size", 0.3),
		batches:        d.share("batches", 0.3),
		retries:        d.share("sends that retry", 0.3),
		rewinds:        d.share("rewinds of consumers", 0.2),
		hold:           d.duration("hold of pulls", 0, 400*time.Millisecond),
	}
	f.topics = []string{"topic0"}
	copies := int(d.number("copies", 1, 4))
	options, flush := f.brokerOptions()
	options.Replication = broker.Replication{
		BatchBytes: int(d.number("bytes of a frame", 1024, 64<<10)),
		MinInSync:  int(d.number("copies that must be in sync", 1, f.minInSyncMax(copies))),
		BehindFor:  d.duration("behind for", 500*time.Millisecond, 3*time.Second),
		SilenceMax: 6 * time.Second,
	}
	f.inSync = copies + 1
	if f.alone = f.configured && d.chance("the old master starts alone", 0.7); f.alone {
		f.inSync = int(d.number("copies of what is acknowledged", 2, int64(copies)+1))
	}
	// The slaves of a configured master have its offsets a little later.
	f.uncommitted = f.configured
	f.minInSync = options.Replication.MinInSync
	options.Store.ReplicaTimeout = d.duration("wait for copies", 300*time.Millisecond, 3*time.Second)
	f.storeOptions = options.Store
	f.cluster = cluster.New(f.kernel, cluster.Config{
		NameServers: 2, Controllers: int(d.number("controllers", 1, 2))*2 - 1, Brokers: 1, Slaves: copies, Elected: !f.configured, Broker: options,
		Vary: f.vary, Controller: controller.Options{},
	})
	f.populate(f.mayHappen(flush), d.duration("time between faults", 200*time.Millisecond, 3*time.Second))
}

func (f *failover) minInSyncMax(copies int) int64 {
	if f.unclean {
		return 1
	}
	return int64(min(copies, 3))
}

// mayHappen are the kinds of faults of this scenario that may happen in this run.
func (f *failover) mayHappen(flush store.FlushMode) []fault.Kind {
	return slices.DeleteFunc(f.faultKinds(flush), func(k fault.Kind) bool { return !slices.Contains(f.kinds, k) })
}

// vary gives brokers their roles where these are configured.
func (f *failover) vary(n *cluster.Node, _ int, o *broker.Options) {
	switch {
	case n.Elected && n.ID == 0:
		// As the documents say: who was master before knows best what groups have committed.
		o.Membership.Priority = 1
	case n.Elected:
	case n.ID > 0:
		o.Role = broker.Slave
	default:
		o.Role, o.Replication.InSync = broker.SyncMaster, f.inSync
	}
	if !n.Elected {
		o.Replication.MinInSync = 1
	}
}

// serving is the node that serves as master, nil if none does.
func (f *failover) serving() *cluster.Node {
	for _, n := range f.cluster.Brokers {
		if b := n.Broker(); b != nil && b.Store() != nil && b.Serving() {
			return n
		}
	}
	return nil
}

// watch looks now and then who is master, and how far copies are.
func (f *failover) watch() {
	f.observer.Tasks.Go("watch", func() {
		for !f.stopped {
			f.observer.Tasks.Sleep(10 * time.Millisecond)
			for _, n := range f.cluster.Brokers {
				if b := n.Broker(); b != nil && b.Leader() != nil {
					f.see(n, b)
				}
			}
		}
	})
}

func (f *failover) see(n *cluster.Node, b *broker.Broker) {
	l := b.Leader()
	epoch := int32(l.Epoch())
	if who, known := f.masters[epoch]; known && who != n.String() {
		f.failSafety("%s and %s are both master in epoch %d", who, n, epoch)
	}
	f.masters[epoch] = n.String()
	if len(f.masters) > 1 {
		f.kernel.Mark("a second master was elected")
	}
	if set, _ := l.Set(); len(set) > 1 {
		f.kernel.Mark("a copy was taken into the in-sync set")
	}
}

// masterWithin is how long a healed group may take to serve again, when its brokers and controllers run. The controllers may have to elect one of
// themselves, which waits for the leases of the one before and hears from all brokers; then a master is elected, and its copies confirm its log.
const masterWithin = 3 * time.Second

// demandMaster waits until a master serves.
func (f *failover) demandMaster() {
	if !f.until("restart", restartWithin, func() bool { f.restartFenced(); return f.allReady() && f.injector.Over() }) {
		f.failLiveness("after everything healed, nodes do not run within %s: %v", restartWithin, f.notReady())
		return
	}
	if !f.until("master", masterWithin, func() bool { return f.serving() != nil }) {
		f.failLiveness("%s after all nodes run, no broker serves: %s", masterWithin, f.describe())
	}
}

// demandFailOver lets the machines of a name server and then of the master lose their power, and demands that a copy takes over soon. Nobody there answers
// any more, not even that the port is closed.
func (f *failover) demandFailOver() {
	if f.minInSync > len(f.cluster.Brokers)-1 {
		return
	}
	// What the master asked for while it did not hear the copies may still be under way: then the controllers think it alone in sync.
	f.until("requests under way", time.Second, func() bool { return false })
	if !f.until("copies in sync", copiesWithin, f.whole) {
		f.failLiveness("after everything healed, not all copies are in sync within %s: %s", copiesWithin, f.describe())
		return
	}
	random := f.kernel.Stream("fail-over")
	f.cluster.NameServers[random.IntN(len(f.cluster.NameServers))].Crash(sim.PowerLoss)
	// By and by brokers notice, and dial it in vain.
	f.until("silence of a name server", time.Duration(random.Between(0, int64(12*time.Second))), func() bool { return false })
	master := f.serving()
	if master == nil {
		f.failLiveness("a name server is gone, and no broker serves any more: %s", f.describe())
		return
	}
	f.kernel.Note("fault the machine of %s is gone, as that of a name server is", master)
	f.kernel.Mark("a master was followed at once")
	master.Crash(sim.PowerLoss)
	if !f.until("fail-over", masterWithin, func() bool { return f.serving() != nil }) {
		f.failLiveness("%s after the machines of the master and of a name server were gone, no broker serves: %s", masterWithin, f.describe())
		return
	}
	f.cluster.Start()
	if !f.until("restart", restartWithin, f.allReady) {
		f.failLiveness("after everything healed, nodes do not run within %s: %v", restartWithin, f.notReady())
	}
	// A name server that was told by the old master only may have told clients, who look again after a second.
	f.until("routes", 2*time.Second, func() bool { return false })
}

func (f *failover) describe() string {
	var lines []string
	for _, n := range f.cluster.Brokers {
		switch b := n.Broker(); {
		case b == nil:
			lines = append(lines, fmt.Sprintf("%s changes its role, and waits for %v", n, n.Machine.TaskNames()))
		case b.Leader() != nil:
			lines = append(lines, fmt.Sprintf("%s: %v, %v", n, b.Leader(), b.Store()))
		default:
			lines = append(lines, fmt.Sprintf("%s: %v, %v, %v", n, b.Role(), b.Epochs(), b.Store()))
		}
	}
	return strings.Join(lines, "; ")
}

// demandEqual waits until all copies have the log of the master, and compares them.
func (f *failover) demandEqual() {
	if !f.until("copies", copiesWithin, func() bool { return f.unequal() == "" }) {
		f.failLiveness("after everything healed, within %s: %s; %s", copiesWithin, f.unequal(), f.describe())
		return
	}
	master := f.serving().Machine.Disk()
	for _, n := range f.cluster.Brokers {
		for _, path := range master.Paths() {
			if !strings.HasPrefix(path, "commitlog/") {
				continue
			}
			own, ok := n.Machine.Disk().Content(path)
			theirs, _ := master.Content(path)
			if ok && !bytes.Equal(own, theirs) {
				f.failSafety("%s has other bytes in %s than the master", n, path)
			}
		}
	}
}

// unequal says which copy lacks what, "" if none does.
func (f *failover) unequal() string {
	master := f.serving()
	if master == nil {
		return "no broker serves"
	}
	m := master.Broker()
	if set, _ := m.Leader().Set(); len(set) != len(f.cluster.Brokers) {
		return fmt.Sprintf("in sync are %v", set)
	}
	for _, n := range f.cluster.Brokers {
		b := n.Broker()
		switch {
		case b == nil || b.Store() == nil:
			return fmt.Sprintf("%s does not run", n)
		case b.Store().Confirmed() != m.Store().Confirmed() || m.Store().Confirmed() != m.Store().End():
			return fmt.Sprintf("%s has not the same as the master", n)
		}
	}
	return ""
}
