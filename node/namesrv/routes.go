package namesrv

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
)

// table is all that is known of brokers and topics (class RouteInfoManager). It decides and
// never waits: the time is an argument, and what has to be done about a change is
// returned. Nothing of it is durable; brokers tell it again after a restart.
type table struct {
	limits      Limits
	groups      map[string]*group       // by broker name ("brokerAddrTable", "brokerLiveTable")
	topics      map[string][]queueEntry // by topic ("topicQueueTable"); sorted by broker name, never empty
	connections map[uint64]int          // how many members live by a connection; > 0
	wiped       map[string]bool         // broker names that lost the write permission; may be absent from groups
}

// group is a broker name: a master and its slaves (class BrokerData).
type group struct {
	name    string
	cluster string
	// members are sorted by id; ids and addresses are unique in the group. Never empty
	// while the group is in the table.
	members      []member
	actingMaster bool   // "enableActingMaster": a slave may stand in for a lost master
	zone         string // "zoneName"
	topics       int    // topics that have a queueEntry of this group; <= limits.TopicsPerBroker
}

// member is one living broker (class BrokerLiveInfo).
type member struct {
	id            int64 // proto.MasterID, or that of a slave; >= 0
	address       string
	haAddress     string
	liveFor       time.Duration // dies when silent for longer
	lastSeen      env.Instant
	registeredAt  env.Instant       // first registration of this id at this address
	full          proto.DataVersion // of its last registration that was not a single topic
	stateVersion  int64             // of its last registration
	connection    uint64            // the newest one it was heard on
	filterServers []string
}

// queueEntry says what one broker name has of a topic.
type queueEntry struct {
	queue   proto.QueueRoute // as the broker registered it
	mapping *proto.TopicMapping
}

func newTable(limits Limits) *table {
	return &table{
		limits:      limits,
		groups:      map[string]*group{},
		topics:      map[string][]queueEntry{},
		connections: map[uint64]int{},
		wiped:       map[string]bool{},
	}
}

func (g *group) byID(id int64) *member {
	i, found := slices.BinarySearchFunc(g.members, id, compareID)
	if !found {
		return nil
	}
	return &g.members[i]
}

func compareID(m member, id int64) int {
	switch {
	case m.id < id:
		return -1
	case m.id > id:
		return 1
	}
	return 0
}

func (g *group) byAddress(address string) *member {
	for i := range g.members {
		if g.members[i].address == address {
			return &g.members[i]
		}
	}
	return nil
}

func (g *group) master() *member { return g.byID(proto.MasterID) }

// member finds a broker by its name and address.
func (t *table) member(brokerName, address string) *member {
	g := t.groups[brokerName]
	if g == nil {
		return nil
	}
	return g.byAddress(address)
}

// brokerNames lists the broker names for which want is true, sorted.
func (t *table) brokerNames(want func(*group) bool) []string {
	var names []string
	// order does not matter: sorted below
	for name, g := range t.groups {
		if want(g) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func everyGroup(*group) bool { return true }

// topicNames lists all topics, sorted.
func (t *table) topicNames() []string { return slices.Sorted(maps.Keys(t.topics)) }

// tie counts a member that begins to live by a connection, untie one that ceases to.
func (t *table) tie(connection uint64) { t.connections[connection]++ }

func (t *table) untie(connection uint64) {
	t.connections[connection]--
	if t.connections[connection] == 0 {
		delete(t.connections, connection)
	}
}

// touch notes a sign of life (ReqBrokerHeartbeat, ReqQueryDataVersion). A broker that comes
// back over a new connection lives by that one from now on; what comes late over an older
// one says nothing about now.
func (t *table) touch(m *member, connection uint64, now env.Instant) {
	if connection < m.connection {
		return
	}
	if connection > m.connection {
		t.untie(m.connection)
		t.tie(connection)
		m.connection = connection
	}
	m.lastSeen = now
}

// changed compares a broker's data version with that of its last full registration. Updates
// of a single topic do not count: one of them may have been lost, and only a
// full registration shows that nothing is missing.
func (t *table) changed(m *member, version proto.DataVersion) bool {
	return m == nil || m.full != version
}

// put sets the queues of one topic at one broker name.
func (t *table) put(topic string, g *group, queue proto.QueueRoute) {
	queue.BrokerName = g.name
	entries := t.topics[topic]
	i, found := findEntry(entries, g.name)
	if found {
		entries[i].queue = queue
		return
	}
	g.topics++
	t.topics[topic] = slices.Insert(entries, i, queueEntry{queue: queue})
}

func findEntry(entries []queueEntry, brokerName string) (int, bool) {
	return slices.BinarySearchFunc(entries, brokerName, func(e queueEntry, name string) int {
		return strings.Compare(e.queue.BrokerName, name)
	})
}

// entry finds the queues of one topic at one broker name.
func (t *table) entry(topic, brokerName string) *queueEntry {
	entries := t.topics[topic]
	i, found := findEntry(entries, brokerName)
	if !found {
		return nil
	}
	return &entries[i]
}

// dropEntries removes what the broker names for which gone is true have of one topic.
func (t *table) dropEntries(topic string, gone func(brokerName string) bool) {
	entries := slices.DeleteFunc(t.topics[topic], func(e queueEntry) bool {
		name := e.queue.BrokerName
		if !gone(name) {
			return false
		}
		if g := t.groups[name]; g != nil {
			g.topics--
		}
		return true
	})
	if len(entries) == 0 {
		delete(t.topics, topic)
		return
	}
	t.topics[topic] = entries
}

// deleteTopic forgets a topic in one cluster, or in all if cluster is "". A broker that still
// has it brings it back with its next registration.
func (t *table) deleteTopic(topic, cluster string) {
	t.dropEntries(topic, func(brokerName string) bool {
		return cluster == "" || t.groups[brokerName].cluster == cluster
	})
}
