package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/sim/fault"
	"github.com/gantrymq/gantry/store"
)

// fleet is the world of push consumers: the cluster, producers and faults of pubsub, and members that consume. What members do
// is the scenario's.
type fleet struct {
	*pubsub
	members []*fleetMember
	churn   churnOptions
	// waitsForCopies is how long brokers that are elected wait for copies of what is sent (slaveTimeout).
	waitsForCopies time.Duration
	// prepare, if not nil, is done before anything is sent and any fault happens. It runs as a task of the observer.
	prepare func() error
	// send makes a producer send once.
	send func(c *pubsubClient)
	// caughtUp tells what is not consumed yet, or "". It is asked when the final logs are known.
	caughtUp func() string
	// fails is how long it may take until a message is consumed at last that handlers refuse again and again; 0 if none is.
	fails time.Duration
	// finally is what else is demanded when all is consumed, or nil. It runs as a task of the observer.
	finally func(probe *pubsubClient)
}

// fleetBounds are what a scenario wants of a fleet.
type fleetBounds struct {
	producers, members int64
	shortest, longest  time.Duration // safety phase
	think              time.Duration
	// brokers, if not nil, changes the options of the brokers.
	brokers func(d *draw, o *broker.Options)
	// vary, if not nil, changes them before each start of one.
	vary func(n *cluster.Node, start int, o *broker.Options)
	// also are kinds of faults that every run has, more often than others.
	also []fault.Kind
	// every is the longest mean time between faults; 0: 15 s. The shortest is a fifteenth of it.
	every time.Duration
}

// newFleet draws the options and sets the machines up.
func newFleet(r *run, bounds fleetBounds) *fleet {
	f := &fleet{pubsub: &pubsub{run: r}}
	d := r.draw
	f.work = workload{
		producers:      int(d.number("producers", 1, bounds.producers)),
		queuesPerTopic: int(d.number("queues of a topic", 1, 3)),
		for_:           d.duration("safety phase", bounds.shortest, bounds.longest),
		think:          d.duration("think time", bounds.think/10, bounds.think),
		bodyMax:        d.number("largest body", 0, 200),
		hold:           d.duration("hold of pulls", time.Second, 15*time.Second),
	}
	for i := range d.number("topics", 1, 2) {
		f.topics = append(f.topics, fmt.Sprintf("topic%d", i))
	}
	options, flush := f.brokerOptions()
	if bounds.brokers != nil {
		bounds.brokers(d, &options)
	}
	config := cluster.Config{NameServers: 2, Brokers: 2, Broker: options, Vary: bounds.vary}
	if r.elected {
		f.electing(&config)
	}
	f.storeOptions = config.Broker.Store
	f.cluster = cluster.New(f.kernel, config)
	links := sim.DefaultLinks()
	links.Pieces = d.share("writes in pieces", 0.5)
	links.Loss = d.share("loss", 0.02)
	f.kernel.Network().SetLinks(links)
	f.addClients()
	for number := range int(d.number("members", 1, bounds.members)) {
		machine, e := f.cluster.AddClient()
		f.members = append(f.members, &fleetMember{
			f: f, number: number, machine: machine, env: e, random: f.kernel.Stream(fmt.Sprint("member ", number)),
		})
	}
	f.churn.draw(d)
	f.observer = f.kernel.AddMachine("observer", observerAddress).Boot("observer")
	f.addFaults(flush, links, bounds.also, cmp.Or(bounds.every, 15*time.Second))
	return f
}

func (f *fleet) addFaults(flush store.FlushMode, links sim.LinkOptions, also []fault.Kind, every time.Duration) {
	var machines []*sim.Machine
	for _, c := range f.clients {
		machines = append(machines, c.machine)
	}
	for _, m := range f.members {
		machines = append(machines, m.machine)
	}
	f.injector = fault.NewInjector(f.cluster, machines, f.observer, links, sim.DefaultDisk())
	if flush != store.SyncFlush {
		also = slices.DeleteFunc(slices.Clone(also), func(k fault.Kind) bool { return !survivable(k) })
	}
	f.Schedule = fault.Draw(f.kernel.Stream("schedule of faults"), fault.Options{
		Kinds: append(f.faultKinds(flush), also...), Every: f.draw.duration("time between faults", every/15, every),
		Within: f.work.for_, Drop: f.options.Drop,
	})
}

// play is the whole run, but for what is special to a scenario.
func (f *fleet) play(sender func(c *pubsubClient) error) {
	f.cluster.Start()
	if !f.until("start", time.Minute, func() bool { return f.allReady() && f.allServe() }) {
		f.failLiveness("the cluster did not start: %v", f.notReady())
		return
	}
	f.watchMasters()
	if !f.createTopics() || !f.prepared() {
		return
	}
	f.startProducers(sender)
	for _, m := range f.members {
		m.boot()
	}
	f.injector.Run(f.Schedule)
	f.observer.Tasks.Go("churn", f.disturb)
	f.until("safety", f.work.for_, func() bool { return false })
	f.stopped = true
	f.injector.Heal()
	for _, m := range f.members {
		m.boot()
	}
	if f.kernel.Failure() == nil {
		f.demandConsumption()
	}
	f.Faults = f.injector.Log
	if f.kernel.Failure() == nil {
		f.judge()
	}
}

// prepared does what the scenario wants done first.
func (f *fleet) prepared() bool {
	if f.prepare == nil {
		return true
	}
	done, err := false, error(nil)
	f.observer.Tasks.Go("prepare", func() {
		err = f.prepare()
		done = true
	})
	if !f.until("prepare", time.Minute, func() bool { return done }) || err != nil {
		f.failLiveness("the scenario could not be prepared: %v", err)
		return false
	}
	return true
}

// startProducers lets each producer send until the safety phase is over.
func (f *fleet) startProducers(connect func(c *pubsubClient) error) {
	for _, c := range f.clients {
		f.busy++
		c.env.Tasks.Go("produce", func() {
			if err := connect(c); err != nil {
				f.failSafety("producer %d could not be made: %v", c.number, err)
			}
			for !f.stopped {
				f.send(c)
				c.pauseToThink()
			}
			f.busy--
		})
	}
}

// producerOptions are those of all producers of a fleet.
func (f *fleet) producerOptions() []client.ProducerOption {
	return []client.ProducerOption{
		client.WithNameServers(f.cluster.NameServerAddresses()...), client.WithGroup("producers"), client.WithSendTimeout(2 * time.Second),
		client.WithTryTimeout(700 * time.Millisecond), client.WithRequestTimeout(time.Second), client.WithRouteRefresh(time.Second),
	}
}

// record sends a message wherever the client wants and notes it for the judgement of the queues. It reports
// whether it was acknowledged.
func (f *fleet) record(c *pubsubClient, m *client.Message) (acknowledged bool) {
	f.Operations++
	hash, began := linearizability.HashOf(m.Body), c.now()
	result, err := c.producer.Send(context.Background(), m)
	// Tries before the one that was answered may have been stored in any queue.
	for _, queue := range f.queues {
		if queue.Topic != m.Topic {
			continue
		}
		pending := f.recorder.BeginSend(c.number, queue.String(), hash, true, began)
		if err == nil && queue == result.Queue {
			acknowledged = c.ended(pending, queue, result, nil)
		}
	}
	return acknowledged
}

// Bounds of the liveness phase of a fleet, in simulated time.
const (
	// A member that lost its power is a member until its broker misses its heartbeats (2 min), and its locks last a minute from the
	// last restart of the broker. Then queues are shared out anew, every 20 s.
	consumeWithin = 5 * time.Minute
	finallyWithin = 8 * time.Minute
)

// demandConsumption: nothing is broken any more, so every queue takes messages and all are consumed soon.
func (f *fleet) demandConsumption() {
	if !f.until("restart", restartWithin, func() bool {
		f.restartFenced()
		return f.allReady() && f.allServe() && f.injector.Over()
	}) {
		f.failLiveness("after everything healed, nodes do not run within %s: %v", restartWithin, f.notReady())
		return
	}
	if !f.until("settle", settleWithin, func() bool { return f.busy == 0 }) {
		f.failLiveness("after everything healed, %d producers do not end their last operation within %s", f.busy, settleWithin)
		return
	}
	done := false
	probe := &pubsubClient{p: f.pubsub, number: len(f.clients), env: f.observer, random: f.kernel.Stream("probe")}
	f.observer.Tasks.Go("probe", func() {
		f.readLogs(probe)
		done = true
	})
	if !f.until("probe", 3*serveWithin, func() bool { return done }) {
		f.failLiveness("after everything healed, the probe does not end within %s", 3*serveWithin)
		return
	}
	next := f.kernel.Now()
	if !f.until("consume", consumeWithin, func() bool {
		if !next.Reached(f.kernel.Now()) {
			return false
		}
		// To look is more work than a step.
		next = f.kernel.Now().Add(100 * time.Millisecond)
		return f.caughtUp() == ""
	}) {
		f.failLiveness("after everything healed, not all is consumed within %s: %s", consumeWithin, f.caughtUp())
		return
	}
	if f.elected {
		f.demandGoingOn(probe)
	}
	if f.finally == nil || f.kernel.Failure() != nil {
		return
	}
	done = false
	f.observer.Tasks.Go("finally", func() {
		f.finally(probe)
		done = true
	})
	if !f.until("finally", finallyWithin, func() bool { return done }) {
		f.failLiveness("after everything healed, the last demands are not met within %s", finallyWithin)
	}
}

// readLogs waits until every queue takes a message and reads all queues whole.
func (f *fleet) readLogs(probe *pubsubClient) {
	names := client.WithNameServers(f.cluster.NameServerAddresses()...)
	var err error
	probe.steady, err = client.NewProducer(f.observer, append(f.producerOptions(), client.WithRetries(0, 0))...)
	if err != nil {
		f.failSafety("the probe's producer could not be made: %v", err)
		return
	}
	probe.consumer, err = client.NewPullConsumer(f.observer, names, client.WithGroup("probe"), client.WithHold(time.Second),
		client.WithPullTimeout(5*time.Second), client.WithRouteRefresh(time.Second))
	if err != nil {
		f.failSafety("the probe's consumer could not be made: %v", err)
		return
	}
	probe.demandRoutes(serveWithin)
	f.Logs = map[string]linearizability.Log{}
	deadline := f.observer.Clock.Now().Add(serveWithin)
	for _, queue := range f.queues {
		for !probe.sendTo(queue) {
			if deadline.Reached(f.observer.Clock.Now()) {
				f.failLiveness("%v takes no message within %s after everything healed: %v", queue, serveWithin, probe.refusal)
				return
			}
			f.observer.Tasks.Sleep(100 * time.Millisecond)
		}
	}
	for _, queue := range f.queues {
		probe.readAll(queue)
	}
}

// readTopic reads all queues of a topic that producers have made, if any of them was acknowledged.
func (f *fleet) readTopic(probe *pubsubClient, topic string, use func(r *client.Received)) {
	queues, err := probe.consumer.Queues(context.Background(), topic)
	if err != nil && !errors.Is(err, client.ErrTopicNotFound) {
		f.failLiveness("nothing is broken, and the queues of %s are not told: %v", topic, err)
		return
	}
	for _, queue := range queues {
		for next := client.QueueOffset(0); ; {
			result, err := probe.consumer.Pull(context.Background(), queue, next, 32)
			if err != nil {
				f.failLiveness("%v cannot be read at %d after everything healed: %v", queue, next, err)
				return
			}
			for _, r := range result.Messages {
				use(r)
			}
			if result.Next >= result.Max || result.Next <= next {
				break
			}
			next = result.Next
		}
	}
}

// ends are where the queues end, once the final logs are known.
func (f *fleet) end(queue client.Queue) client.QueueOffset {
	entries := f.Logs[queue.String()].Entries
	return client.QueueOffset(len(entries))
}

// node is the broker of a queue, its master where brokers come in groups; nil while there is none.
func (f *fleet) node(queue client.Queue) *cluster.Node {
	for _, n := range f.masters() {
		if n.Group == queue.BrokerName {
			return n
		}
	}
	return nil
}

// broker is the process that serves a queue now, or nil.
func (f *fleet) broker(queue client.Queue) *broker.Broker {
	if n := f.node(queue); n != nil {
		return n.Broker()
	}
	return nil
}

// address is where the broker of a queue listens, or the first of its group while that has no master.
func (f *fleet) address(queue client.Queue) string {
	n := f.node(queue)
	for _, member := range f.cluster.Brokers {
		if n == nil && member.Group == queue.BrokerName {
			n = member
		}
	}
	return addressOf(n)
}
