package scenario

import (
	"fmt"
	"slices"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/sim/fault"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/store/index"
)

var pubsubScenario = Scenario{
	Name:  "pubsub",
	About: "producers send to and consumers pull from two brokers by way of two name servers, under all faults",
	Marks: []string{
		"send acknowledged", "send refused", "send without an answer", "batch acknowledged", "pull found messages", "pull was held",
		"commit acknowledged", "offset fetched", "crash while recovering", "power loss right after an acknowledgement", "a broker was fenced",
	},
	run: runPubsub,
}

// pubsub is the state of one run.
type pubsub struct {
	*run
	cluster      *cluster.Cluster
	injector     *fault.Injector
	clients      []*pubsubClient
	recorder     linearizability.Recorder
	topics       []string
	queues       []client.Queue // all that exist, sorted
	work         workload
	stopped      bool
	busy         int // client tasks that have not ended
	observer     env.Env
	storeOptions store.Options
	crowded      bool // too many clients send to one queue at once for the search of linearizability
	// stale says that reads may come from a slave, which knows the end of a queue later than its master; uncommitted that offsets are not judged as
	// registers, because a slave that becomes master may know older ones.
	stale, uncommitted bool
	mayMove            bool // the end of the log may be lost, and then consumers are sent back
}

// workload is what the clients do, drawn from the seed.
type workload struct {
	producers, consumers int
	tasks                int // of each client, over one connection
	queuesPerTopic       int
	for_                 time.Duration
	think                time.Duration
	bodyMax              int64
	equalSizes           bool // records then stand at the same places again after a part of the log was cut off
	batches, oneways     float64
	retries              float64
	rewinds              float64
	hold                 time.Duration
}

func runPubsub(r *run) {
	p := &pubsub{run: r}
	p.build()
	p.cluster.Start()
	if !p.until("start", time.Minute, p.allReady) {
		p.failLiveness("the cluster did not start: %v", p.notReady())
		return
	}
	if !p.createTopics() {
		return
	}
	p.startClients()
	p.injector.Run(p.Schedule)
	p.until("safety", p.work.for_, func() bool { return false })
	p.stopped = true
	p.injector.Heal()
	p.Faults = p.injector.Log
	if p.kernel.Failure() == nil {
		p.demandProgress()
	}
	p.Faults = p.injector.Log
	if p.kernel.Failure() == nil {
		p.judge()
	}
}

// build draws the options and sets the machines up.
func (p *pubsub) build() {
	d := p.draw
	p.work = workload{
		producers:      int(d.number("producers", 1, 4)),
		tasks:          int(d.number("tasks of a client", 1, 2)),
		consumers:      int(d.number("consumers", 1, 4)),
		queuesPerTopic: int(d.number("queues of a topic", 1, 4)),
		for_:           d.duration("safety phase", 2*time.Second, 12*time.Second),
		think:          d.duration("think time", 0, 20*time.Millisecond),
		bodyMax:        d.number("largest body", 0, 3000),
		equalSizes:     d.chance("bodies of one size", 0.3),
		batches:        d.share("batches", 0.3),
		oneways:        d.share("one-way sends", 0.2),
		retries:        d.share("sends that retry", 0.3),
		rewinds:        d.share("rewinds of consumers", 0.2),
		hold:           d.duration("hold of pulls", 0, 400*time.Millisecond),
	}
	for i := range d.number("topics", 1, 2) {
		p.topics = append(p.topics, fmt.Sprintf("topic%d", i))
	}
	options, flush := p.brokerOptions()
	p.storeOptions = options.Store
	p.cluster = cluster.New(p.kernel, cluster.Config{NameServers: 2, Brokers: 2, Broker: options})
	p.populate(p.faultKinds(flush), d.duration("time between faults", 100*time.Millisecond, 2*time.Second))
}

// populate adds the clients, who observes all, and the faults to the cluster.
func (p *pubsub) populate(kinds []fault.Kind, every time.Duration) {
	links := sim.DefaultLinks()
	links.Pieces = p.draw.share("writes in pieces", 0.5)
	links.Loss = p.draw.share("loss", 0.02)
	p.kernel.Network().SetLinks(links)
	p.addClients()
	p.observer = p.kernel.AddMachine("observer", observerAddress).Boot("observer")
	var machines []*sim.Machine
	for _, c := range p.clients {
		machines = append(machines, c.machine)
	}
	p.injector = fault.NewInjector(p.cluster, machines, p.observer, links, sim.DefaultDisk())
	p.Schedule = fault.Draw(p.kernel.Stream("schedule of faults"), fault.Options{Kinds: kinds, Every: every, Within: p.work.for_, Drop: p.run.options.Drop})
}

func (p *pubsub) brokerOptions() (broker.Options, store.FlushMode) {
	d := p.draw
	flush := store.SyncFlush
	if d.chance("asynchronous flush", 0.25) {
		flush = store.AsyncFlush
	}
	return broker.Options{
		RegisterEvery:    d.duration("registration period", time.Second, 10*time.Second),
		SaveOffsetsEvery: d.duration("offsets saved every", 50*time.Millisecond, 5*time.Second),
		ShutdownGrace:    500 * time.Millisecond,
		Store: store.Options{
			Flush: flush, BodySizeMax: 16 << 10,
			LogSegmentSize:      d.number("log segment", 90<<10, 400<<10),
			QueueSegmentEntries: d.number("queue segment", 10, 300),
			SaveQueuesEvery:     d.duration("queues saved every", 5*time.Millisecond, time.Second),
			CheckpointEvery:     d.duration("checkpoint every", 20*time.Millisecond, 5*time.Second),
			FlushEvery:          d.duration("flush every", time.Millisecond, 500*time.Millisecond),
			OpenFilesMax:        int(d.number("open queue files", 2, 40)),
			Index:               index.Sizes{Slots: int32(d.number("index slots", 10, 200)), Items: int32(d.number("index items", 20, 2000))},
		},
	}, flush
}

// faultKinds draws which faults may happen in this run. Asynchronous flushing promises nothing beyond the death of the process.
func (p *pubsub) faultKinds(flush store.FlushMode) []fault.Kind {
	var kinds []fault.Kind
	random := p.draw.random.Derive("kinds of faults")
	for _, kind := range fault.Kinds() {
		if kind == fault.FailRead || kind == fault.BitRot {
			continue // a single copy cannot survive them
		}
		wanted := random.Derive(kind.String()).Chance(0.4)
		if wanted && (flush == store.SyncFlush || survivable(kind)) {
			kinds = append(kinds, kind)
		}
	}
	p.draw.note("kinds of faults", fmt.Sprint(kinds))
	return kinds
}

// survivable reports whether asynchronous flushing promises to survive a kind of fault.
func survivable(kind fault.Kind) bool {
	return !slices.Contains([]fault.Kind{
		fault.PowerLossBroker, fault.PowerLossAll, fault.PowerLossAfterAck, fault.KillWhileRecovering, fault.FailSync, fault.FailWrite,
	}, kind)
}

func (p *pubsub) allReady() bool { return p.notReady() == nil }

// notReady lists the nodes that have not started.
func (p *pubsub) notReady() []error {
	var errs []error
	for _, n := range p.cluster.Nodes() {
		if !n.Ready() {
			errs = append(errs, fmt.Errorf("%s is not ready: %v", n, n.StartError))
		}
	}
	return errs
}

// createTopics makes the topics on both brokers, before any fault.
func (p *pubsub) createTopics() bool {
	done, failed := false, error(nil)
	p.clients[0].env.Tasks.Go("create topics", func() {
		failed = p.clients[0].createTopics()
		done = true
	})
	if !p.until("create topics", time.Minute, func() bool { return done }) || failed != nil {
		p.failLiveness("topics could not be made: %v", failed)
		return false
	}
	for _, topic := range p.topics {
		for _, name := range p.cluster.Groups {
			for id := range p.work.queuesPerTopic {
				p.queues = append(p.queues, client.Queue{Topic: topic, BrokerName: name, QueueID: int32(id)})
			}
		}
	}
	return true
}
