package scenario

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
)

var replicationScenario = Scenario{
	Name:  "replication",
	About: "producers and consumers use a master that was configured and its slaves, of which one takes its place when its disk is lost",
	Marks: []string{
		"send acknowledged", "send refused", "pull found messages", "a slave took the place of its master", "a slave was read", "copies were too few",
	},
	run: runReplication,
}

// replication is the state of one run. The clients and their judge are those of pubsub.
type replication struct {
	*pubsub
	promote  bool
	observed map[observation]linearizability.Hash // what slaves have shown
	serving  int                                  // the brokers' index of the master
}

// observation is a place of a queue that a slave has shown.
type observation struct {
	queue  string
	offset int64
}

func runReplication(r *run) {
	p := &replication{pubsub: &pubsub{run: r}, observed: map[observation]linearizability.Hash{}}
	p.buildReplication()
	p.cluster.Start()
	if !p.until("start", time.Minute, p.allReady) {
		p.failLiveness("the cluster did not start: %v", p.notReady())
		return
	}
	if !p.createTopics() {
		return
	}
	if !p.until("copies of the topics", time.Minute, func() bool { return topicsCopied(p.pubsub) }) {
		p.failLiveness("slaves do not have the topics of their master")
		return
	}
	p.startClients()
	p.readSlaves()
	p.injector.Run(p.Schedule)
	if p.promote {
		p.observer.Tasks.Go("lose a disk", p.loseMaster)
	}
	p.until("safety", p.work.for_, func() bool { return false })
	p.stopped = true
	p.injector.Heal()
	p.Faults = p.injector.Log
	if p.kernel.Failure() == nil {
		p.demandProgress()
	}
	if p.kernel.Failure() == nil {
		p.demandCopies()
	}
	p.Faults = p.injector.Log
	if p.kernel.Failure() == nil {
		p.judge()
		p.judgeObserved()
	}
}

// buildReplication draws the options and sets the machines up.
func (p *replication) buildReplication() {
	d := p.draw
	p.work = workload{
		producers: int(d.number("producers", 1, 3)), consumers: int(d.number("consumers", 1, 3)), tasks: 1,
		queuesPerTopic: int(d.number("queues of a topic", 1, 3)),
		for_:           d.duration("safety phase", 3*time.Second, 15*time.Second),
		think:          d.duration("think time", 0, 20*time.Millisecond),
		bodyMax:        d.number("largest body", 0, 3000),
		equalSizes:     d.chance("bodies of one size", 0.3),
		batches:        d.share("batches", 0.3),
		retries:        d.share("sends that retry", 0.3),
		rewinds:        d.share("rewinds of consumers", 0.2),
		hold:           d.duration("hold of pulls", 0, 400*time.Millisecond),
	}
	p.topics = []string{"topic0"}
	slaves := int(d.number("slaves", 1, 3))
	options, flush := p.brokerOptions()
	options = p.copiesOptions(options, slaves)
	p.storeOptions = options.Store
	p.cluster = cluster.New(p.kernel, cluster.Config{NameServers: 2, Brokers: 1, Slaves: slaves, Broker: options, Vary: p.vary})
	p.populate(p.faultKinds(flush), d.duration("time between faults", 100*time.Millisecond, 2*time.Second))
}

// copiesOptions draws what the group promises.
func (p *replication) copiesOptions(o broker.Options, slaves int) broker.Options {
	d := p.draw
	o.SlaveRead = d.chance("slaves are read", 0.4)
	o.Replication = broker.Replication{
		BatchBytes: int(d.number("bytes of a frame", 1024, 64<<10)),
		SignOfLife: d.duration("sign of life", 50*time.Millisecond, 2*time.Second),
		CopyTables: d.duration("tables copied every", 50*time.Millisecond, 2*time.Second),
	}
	// Links lose pieces all the time, and send them again after 200 ms: that is no silence.
	o.Replication.SilenceMax = 3*o.Replication.SignOfLife + 500*time.Millisecond
	if d.chance("the master waits for copies", 0.7) {
		o.Role = broker.SyncMaster
		o.Replication.InSync = int(d.number("copies of what is acknowledged", 2, int64(slaves)+1))
		o.Replication.MinInSync = int(d.number("copies that must keep up", 1, int64(o.Replication.InSync)))
		o.Store.ReplicaTimeout = d.duration("wait for copies", 100*time.Millisecond, 3*time.Second)
		p.promote = d.chance("the master's disk is lost", 0.5)
	}
	p.stale, p.uncommitted = o.SlaveRead, o.SlaveRead || p.promote
	return o
}

// topicsCopied reports whether all slaves have the topics in their directories: until then a master that is lost takes them along.
func topicsCopied(p *pubsub) bool {
	for _, n := range p.cluster.Brokers {
		content, _ := n.Machine.Disk().Content("config/topics.json")
		if !bytes.Contains(content, []byte(p.topics[0])) {
			return false
		}
	}
	return true
}

// vary gives each node the role that it has now.
func (p *replication) vary(n *cluster.Node, _ int, o *broker.Options) {
	if n.ID > 0 {
		o.Role = broker.Slave
	}
}

// master is the node that was configured as one.
func (p *replication) master() *cluster.Node { return p.cluster.Brokers[p.serving] }

// loseMaster does what happens to an operator: the disk of the master is lost for good. The slave that has the most takes its place, and the old
// master becomes a slave with an empty disk.
func (p *replication) loseMaster() {
	e := p.observer
	e.Tasks.Sleep(time.Duration(p.kernel.Stream("loss").Between(int64(p.work.for_/4), int64(p.work.for_))))
	if p.stopped {
		return
	}
	old := p.master()
	old.Crash(sim.PowerLoss)
	old.Machine.ReplaceDisk()
	p.kernel.Note("fault the disk of %s is lost", old)
	for !p.replaceMaster(old) {
		p.kernel.Mark("the new master lost its power before it served")
	}
}

// replaceMaster makes the slave that has the most master, and reports whether it serves. If it loses its power before that, another one may have more.
func (p *replication) replaceMaster(old *cluster.Node) bool {
	for _, n := range p.cluster.Brokers {
		n.Crash(sim.KillProcess)
	}
	best, before := p.longest(old), p.master()
	chosen := p.cluster.Brokers[best]
	p.kernel.Note("fault %s takes the place of the master", chosen)
	p.kernel.Mark("a slave took the place of its master")
	before.ID, chosen.ID = chosen.ID, before.ID
	p.serving = best
	for _, n := range p.cluster.Brokers {
		n.Start()
	}
	for starts := chosen.Starts(); chosen.Starts() == starts && chosen.Machine.Up(); {
		if chosen.Ready() {
			return true
		}
		p.observer.Tasks.Sleep(time.Millisecond)
	}
	// What it has lost shows once it has recovered: until then torn records stand in its files.
	for !chosen.Ready() {
		p.observer.Tasks.Sleep(time.Millisecond)
	}
	return false
}

// longest finds the slave whose log goes furthest, by the bytes of its files.
func (p *replication) longest(old *cluster.Node) int {
	best, most := -1, int64(-1)
	for i, n := range p.cluster.Brokers {
		if n == old {
			continue
		}
		if end := logEnd(n.Machine.Disk()); end > most {
			best, most = i, end
		}
	}
	return best
}

// logEnd is the last byte of the log's files that is not zero.
func logEnd(disk *sim.Disk) int64 {
	end := int64(0)
	for _, path := range disk.Paths() {
		name, ok := strings.CutPrefix(path, "commitlog/")
		if !ok {
			continue
		}
		var start int64
		if _, err := fmt.Sscanf(name, "%d", &start); err != nil {
			continue
		}
		content, _ := disk.Content(path)
		if n := len(bytes.TrimRight(content, "\x00")); n > 0 {
			end = max(end, start+int64(n))
		}
	}
	return end
}

// readSlaves pulls from slaves directly, now and then, and remembers what they have shown.
func (p *replication) readSlaves() {
	if !p.stale {
		return
	}
	reader := &pubsubClient{p: p.pubsub, number: 90, env: p.observer, random: p.kernel.Stream("slave reader")}
	p.busy++
	p.observer.Tasks.Go("read slaves", func() {
		defer func() { p.busy-- }()
		for number := 1; !p.stopped; number++ {
			p.observer.Tasks.Sleep(time.Duration(reader.random.Between(0, int64(300*time.Millisecond))))
			p.readSlave(reader, number)
		}
	})
}

// readSlave looks at the store of a slave as its pulls do.
func (p *replication) readSlave(c *pubsubClient, number int) {
	n := p.cluster.Brokers[c.random.IntN(len(p.cluster.Brokers))]
	b := n.Broker()
	if b == nil || n.ID == 0 || b.Store() == nil {
		return
	}
	queue := c.queue()
	line, err := openLine(p.observer, fmt.Sprintf("%s:10911", n.Machine.Address()), number, func(*rawAnswer) {})
	if err != nil {
		return
	}
	defer line.close()
	from := int64(0)
	_, end := b.Store().Bounds(store.QueueKey{Topic: queue.Topic, ID: queue.QueueID})
	if end > 0 {
		from = int64(c.random.IntN(int(end) + 1))
	}
	answer := line.ask(11, map[string]string{
		"consumerGroup": fmt.Sprintf("group%d", p.work.producers), "topic": queue.Topic, "queueId": fmt.Sprint(queue.QueueID), "queueOffset": fmt.Sprint(from),
		"maxMsgNums": "32", "sysFlag": "4", "commitOffset": "0", "suspendTimeoutMillis": "0", "subscription": "*", "subVersion": "0", "expressionType": "TAG",
	}, nil, time.Second)
	if answer == nil || answer.Code != 0 {
		return
	}
	for m, err := range message.DecodeRecords(answer.body, false) {
		if err != nil {
			p.failSafety("%s: a slave sends what is no record: %v", queue, err)
			return
		}
		p.kernel.Mark("a slave was read")
		place := observation{queue.String(), int64(m.QueueOffset)}
		hash := linearizability.HashOf(m.Body)
		if before, seen := p.observed[place]; seen && before != hash {
			p.failSafety("%v: slaves have shown two messages", place)
		}
		p.observed[place] = hash
	}
}

// copiesWithin bounds how long slaves take to have all that their master has, when nothing is wrong.
const copiesWithin = 30 * time.Second

// demandCopies waits until all slaves have the log and the tables of their master, and compares them.
func (p *replication) demandCopies() {
	if !p.until("copies", copiesWithin, func() bool { return p.behind() == "" }) {
		p.failLiveness("after everything healed, within %s: %s", copiesWithin, p.behind())
		return
	}
	master := p.master().Machine.Disk()
	for _, n := range p.cluster.Brokers {
		for _, path := range master.Paths() {
			if !strings.HasPrefix(path, "commitlog/") {
				continue
			}
			own, ok := n.Machine.Disk().Content(path)
			theirs, _ := master.Content(path)
			if ok && !bytes.Equal(own, theirs) {
				p.failSafety("%s has other bytes in %s than its master", n, path)
			}
		}
	}
}

// behind says which slave lacks what, "" if none does.
func (p *replication) behind() string {
	m := p.master().Broker()
	if m == nil {
		return "the master does not run"
	}
	for _, n := range p.cluster.Brokers {
		b := n.Broker()
		switch {
		case b == nil:
			return fmt.Sprintf("%s does not run", n)
		case b.Store().Confirmed() != m.Store().Confirmed() || m.Store().Confirmed() != m.Store().End():
			return fmt.Sprintf("%s has %v, the master %v", n, b.Store(), m.Store())
		}
		// The offsets of a master are in its files when it has saved them.
		if n.ID > 0 && !slices.Equal(b.Offsets(), m.Offsets()) {
			return fmt.Sprintf("%s has other offsets than its master: %v and %v", n, b.Offsets(), m.Offsets())
		}
	}
	return ""
}

// judgeObserved compares what slaves have shown with the final logs: nothing that anybody has seen is gone.
func (p *replication) judgeObserved() {
	final := map[observation]linearizability.Hash{}
	// order does not matter: entries are only copied
	for name, log := range p.Logs {
		for _, entry := range log.Entries {
			final[observation{name, entry.Offset}] = entry.Hash
		}
	}
	places := slices.SortedFunc(maps.Keys(p.observed), func(a, b observation) int {
		return cmp.Or(cmp.Compare(a.queue, b.queue), cmp.Compare(a.offset, b.offset))
	})
	for _, place := range places {
		if final[place] != p.observed[place] {
			p.failSafety("a slave has shown message %d of %s, which is another one at the end, or none", place.offset, place.queue)
			return
		}
	}
}
