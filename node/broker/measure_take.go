package broker

import (
	"fmt"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/measure"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// Measurement is what Measure has gathered. It shares nothing with the broker that changes.
type Measurement struct {
	common []measure.Label
	limits MeasureLimits
	took   time.Duration
	wall   int64 // milliseconds
	system func(topic string) bool

	ready      string
	perm       proto.Perm
	topics     int
	groups     int
	tps, qps   float64
	registered []nameServerState

	conns, unanswered  int
	refused, busy      int64
	held, woken        int
	commits, conflicts int
	sendsRefused       []int64 // by status
	sendFailed         int64
	onewayFailed       int64
	missed             int64
	calls              []measure.CallReading
	made               []madeReading

	incoming           []topicReading
	pulled             []flowReading
	sentBack, dead     []flowReading
	deadTotal          int64
	uncounted          int64
	filterFailures     []flowReading
	producers          map[memberKind]int
	consumers          map[memberKind]int
	members            map[string]int
	lags               queueLags
	unseen, unread     int
	appends, pulls     *measure.Reading
	flushes, late      *measure.Reading
	flushedBytes       int64
	delayed            []int64 // by level less 1
	delayLost          int64
	timers             timersReading
	transactions       transactionsReading
	repeats            repeatReading
	copies             copiesReading
	written, flushed   message.LogOffset
	confirmed, first   message.LogOffset
	backlog            store.Backlog
	fenced, refusing   bool
	sizes              store.Sizes
	queues, openFiles  int
	indexBehind        int64
	cleaned            store.Cleaned
	diskUsed, diskSize int64
	diskLimits         store.DiskUse
	earliest           int64 // wall milliseconds; 0: there is no message
}

// nameServerState tells whether a name server took the last registration.
type nameServerState struct {
	address string
	ok      bool
}

// flowReading is what a group has of a topic.
type flowReading struct {
	groupTopic
	amounts
}

// madeReading times topics or groups that tools made.
type madeReading struct {
	madeThing
	*measure.Reading
}

// topicReading is what came for a topic, by kind.
type topicReading struct {
	topic  string
	kinds  [messageKinds]kindReading
	delays *measure.Reading // or nil

	timersIn, timersOut int64

	commits, rollbacks int64
	finished           *measure.Reading // or nil
}

type kindReading struct {
	messages, bytes int64
	sizes           *measure.Reading // nil if there were none
}

// memberKind is what connections are counted by.
type memberKind struct {
	group string // "" for producers
	identity
	consumes proto.ConsumeType
}

// Measure gathers what monitoring shows, as a task of the node. It waits: it gives others their turn after every few hundred things it has
// looked at, so however many queues there are it keeps nobody waiting for more than some tens of microseconds at a time, and it
// reads how old messages are, at most as many as the limits allow. A broker whose Start has not returned must not be measured.
func (b *Broker) Measure() *Measurement {
	began := b.env.Clock.Now()
	m := &Measurement{
		limits: b.options.Measuring, wall: int64(b.env.Clock.Wall()), system: b.systemNames(), ready: b.NotReady(),
		common: []measure.Label{{Name: "cluster", Value: b.options.Cluster}, {Name: "node_type", Value: "broker"}, {Name: "node_id", Value: b.options.Name}},
		perm:   b.options.Perm, topics: len(b.topics.byName), groups: len(b.groups.byName),
	}
	walk := turns{tasks: b.env.Tasks}
	b.measureStore(m, &walk)
	b.measureFlows(m, &walk)
	b.measureClients(m, &walk)
	m.lags, m.unseen = b.lags(m.limits)
	m.unread = b.readAges(&m.lags, m.limits)
	b.measureLoad(m)
	m.copies = b.measureCopies()
	m.took = b.env.Clock.Now().Sub(began)
	return m
}

// systemNames is isSystem for somebody who has no baton.
func (b *Broker) systemNames() func(string) bool {
	cluster, name := b.options.Cluster, b.options.Name
	return func(topic string) bool {
		return proto.IsSystemTopic(topic) || topic == cluster || topic == name || topic == proto.ReplyTopic(cluster)
	}
}

func (b *Broker) measureStore(m *Measurement, walk *turns) {
	s := b.store
	m.sizes, m.queues, m.openFiles, m.indexBehind = s.Sizes(walk.pause), s.QueueCount(), s.OpenFiles(), s.IndexBehind()
	m.earliest = b.earliestAt()
	used, total, err := b.env.Disk.Usage()
	if err == nil {
		m.diskUsed, m.diskSize = used, total
	}
	m.diskLimits = s.DiskLimits()
	m.cleaned = s.Cleaned()
	for level, cursor := range b.delays.cursors {
		_, end := s.Bounds(b.delays.queue(level + 1))
		m.delayed = append(m.delayed, max(int64(end-cursor), 0))
	}
	m.timers, m.transactions = b.timers.measure(walk), b.transactions.measure(walk)
	m.delayLost = b.delays.lost + b.timers.lost
	m.repeats = b.repeats.read()
	// These belong together, so nothing waits between them.
	m.written, m.flushed, m.confirmed, m.first = s.Written(), s.Flushed(), s.Confirmed(), s.Start()
	m.backlog, m.fenced, m.refusing = s.Backlog(), s.Fenced() != nil, s.Health() != nil
	m.appends, m.pulls = b.measures.appends.Read(), b.measures.pulls.Read()
	m.flushes, m.late = b.measures.flushes.Read(), b.measures.late.Read()
	m.flushedBytes = b.measures.flushedBytes
}

// earliestAt is when the oldest message was stored, wall milliseconds; 0 if there is none. It waits for the disk only if that is
// another one than last time.
func (b *Broker) earliestAt() int64 {
	start := int64(b.store.Start())
	if int64(b.store.Confirmed()) <= start {
		return 0
	}
	if known := b.measures.earliest; known.storedAt != 0 && known.number == start {
		return known.storedAt
	}
	raw, err := b.store.RecordBytes(message.LogOffset(start))
	at, ok := message.PeekStoredAt(raw)
	if err != nil || !ok {
		return 0
	}
	b.measures.earliest = agedMessage{start, at}
	return at
}

func (b *Broker) measureFlows(m *Measurement, walk *turns) {
	now := b.env.Clock.Now()
	sent, pulled := b.stats.all.sent.lastMinute(now), b.stats.all.pulled.lastMinute(now)
	m.tps, m.qps = sent.perSecond(sent.messages), pulled.perSecond(pulled.messages)
	m.missed, m.sendFailed, m.onewayFailed = b.stats.missed.total.calls, b.stats.sendFailed, b.stats.onewayFailed
	m.deadTotal, m.uncounted = b.stats.dead, b.stats.uncounted+b.measures.uncounted
	m.pulled = readFlows(b.stats.pulls, walk)
	m.sentBack = readFlows(b.stats.sentBack, walk)
	m.dead = readFlows(b.stats.deadLetters, walk)
	// order does not matter: whoever shows them sorts them
	for topic, counts := range b.measures.topics {
		m.incoming = append(m.incoming, counts.read(topic))
		walk.pause()
	}
	// order does not matter: likewise
	for group, n := range b.filters.failures {
		m.filterFailures = append(m.filterFailures, flowReading{groupTopic{group: group}, amounts{messages: n}})
	}
}

func readFlows(table map[groupTopic]*flow, walk *turns) (all []flowReading) {
	// order does not matter: whoever shows them sorts them
	for key, f := range table {
		all = append(all, flowReading{key, f.total})
		walk.pause()
	}
	return all
}

func (t *topicCounts) read(topic string) topicReading {
	r := topicReading{topic: topic, timersIn: t.timersIn, timersOut: t.timersOut, commits: t.commits, rollbacks: t.rollbacks}
	if t.finished != nil {
		r.finished = t.finished.Read()
	}
	for i, k := range t.kinds {
		if k.sizes != nil {
			r.kinds[i] = kindReading{k.messages, k.bytes, k.sizes.Read()}
		}
	}
	if t.delays != nil {
		r.delays = t.delays.Read()
	}
	return r
}

func (b *Broker) measureClients(m *Measurement, walk *turns) {
	m.producers, m.consumers, m.members = map[memberKind]int{}, map[memberKind]int{}, map[string]int{}
	// order does not matter: they are counted
	for _, g := range b.clients.producers {
		for _, member := range g.members {
			m.producers[memberKind{identity: member.kind()}]++
			walk.pause()
		}
	}
	// order does not matter: likewise
	for name, g := range b.clients.consumers {
		m.members[name] = len(g.members)
		for _, member := range g.members {
			m.consumers[memberKind{group: name, identity: member.kind(), consumes: g.consumeType}]++
			walk.pause()
		}
	}
}

// kind is an identity without the name.
func (m *member) kind() identity { return identity{version: m.version, language: m.language} }

func (b *Broker) measureLoad(m *Measurement) {
	m.conns, m.unanswered, m.refused, m.busy = b.server.Open(), b.server.Unanswered(), b.server.Refused(), b.measures.busy
	m.held, m.woken, m.commits = b.waiting.count, b.waiting.ready.Len(), len(b.offsets.pending)
	m.conflicts = int(b.clients.countConflicts())
	m.sendsRefused = slices.Clone(b.measures.refused[:])
	m.calls = b.measures.calls.Read()
	// order does not matter: whoever shows them sorts them
	for what, h := range b.measures.made {
		m.made = append(m.made, madeReading{what, h.Read()})
	}
	for _, address := range b.options.NameServers {
		m.registered = append(m.registered, nameServerState{address, b.names.registered[address]})
	}
}

// NotReady tells why the broker does not serve as it should, or "". It does not wait. Before Start has returned it must not be called.
func (b *Broker) NotReady() string {
	switch {
	case b.closing:
		return "the broker is shutting down"
	case b.store.Health() != nil:
		return "messages are refused: " + b.store.Health().Error()
	case b.slave != nil && b.slave.diverged != nil:
		return "this slave does not follow: " + b.slave.diverged.Error()
	case b.slave != nil && b.options.Role == ElectedCopy && !b.slave.connected:
		return "this copy does not follow a master: see that it runs, and what the log of this broker says"
	case b.slave == nil && !b.ready:
		return b.whyNotReady()
	case b.copies.enough() != nil:
		return "messages are refused: " + b.copies.enough().Error()
	case b.copies.late() > 0:
		return fmt.Sprintf("copies have not confirmed messages for %s, so senders wait in vain: see that the other brokers of %s run, and that controllers, if there are any, can be reached: they take those out of the in-sync set that are gone",
			b.copies.late().Round(time.Millisecond), b.options.Name)
	case !b.names.anybodyKnows():
		return "no name server has taken the registration of this broker yet, so clients cannot find it: see that those in namesrvAddr run and can be reached"
	}
	return ""
}

// Fenced tells why the log takes no more messages until a restart, or nil. It does not wait.
func (b *Broker) Fenced() error { return b.store.Fenced() }

// anybodyKnows reports whether a name server has this broker in its routes. A broker that was given none needs none.
func (r *registrar) anybodyKnows() bool {
	servers := r.broker.options.NameServers
	return len(servers) == 0 || slices.ContainsFunc(servers, func(address string) bool { return r.registered[address] })
}
