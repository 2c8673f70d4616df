package namesrv

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// model is the route table as plain maps, without order, indexes or counters. Rules are written
// down anew, each in the shortest way that comes to mind.
type model struct {
	brokers map[place]seat
	acting  map[string]bool                        // by broker name
	cluster map[string]string                      // by broker name
	queues  map[string]map[string]proto.QueueRoute // by topic and broker name
	wiped   map[string]bool
}

type place struct {
	name string
	id   int64
}

type seat struct {
	address    string
	connection uint64
	state      int64
	full       proto.DataVersion
	diesAfter  env.Instant
	liveFor    time.Duration
}

func newModel() *model {
	return &model{
		brokers: map[place]seat{}, acting: map[string]bool{}, cluster: map[string]string{},
		queues: map[string]map[string]proto.QueueRoute{}, wiped: map[string]bool{},
	}
}

// ids lists the ids of a broker name, smallest first.
func (m *model) ids(name string) []int64 {
	var ids []int64
	for p := range m.brokers {
		if p.name == name {
			ids = append(ids, p.id)
		}
	}
	slices.Sort(ids)
	return ids
}

// at finds the place of an address in a broker name.
func (m *model) at(name, address string) (place, bool) {
	for p, s := range m.brokers {
		if p.name == name && s.address == address {
			return p, true
		}
	}
	return place{}, false
}

func (m *model) names() map[string]bool {
	names := map[string]bool{}
	for p := range m.brokers {
		names[p.name] = true
	}
	return names
}

// left is what follows from brokers that leave: names of which nobody is left, and for the others who
// has the smallest id now, by name.
type left struct {
	emptied  []string
	smallest map[string]string
}

// drop removes brokers and what depended on them.
func (m *model) drop(gone func(place, seat) bool) left {
	before := map[string]int64{}
	for name := range m.names() {
		before[name] = m.ids(name)[0]
	}
	maps.DeleteFunc(m.brokers, gone)
	after := left{smallest: map[string]string{}}
	for name, smallest := range before {
		if ids := m.ids(name); len(ids) > 0 {
			if ids[0] != smallest && m.acting[name] {
				after.smallest[name] = m.brokers[place{name, ids[0]}].address
			}
			continue
		}
		after.emptied = append(after.emptied, name)
		delete(m.acting, name)
		delete(m.cluster, name)
		for topic := range m.queues {
			m.dropQueue(topic, name)
		}
	}
	slices.Sort(after.emptied)
	return after
}

func (m *model) dropQueue(topic, name string) {
	delete(m.queues[topic], name)
	if len(m.queues[topic]) == 0 {
		delete(m.queues, topic)
	}
}

func (m *model) putQueue(topic string, queue proto.QueueRoute) {
	if m.queues[topic] == nil {
		m.queues[topic] = map[string]proto.QueueRoute{}
	}
	m.queues[topic][queue.BrokerName] = queue
}

// register returns the sentinel that refuses the registration, or nil.
func (m *model) register(r *registration, now env.Instant) error {
	self, present := m.at(r.brokerName, r.address)
	if present && m.brokers[self].connection > r.connection {
		return errLate
	}
	here := place{r.brokerName, r.id}
	holder, taken := m.brokers[here]
	state := r.table.Version.StateVersion
	if taken && holder.address != r.address && (state < holder.state || (state == holder.state && r.connection < holder.connection)) {
		m.drop(func(p place, s seat) bool { return p.name == r.brokerName && s.address == r.address })
		if state < holder.state {
			return errOutranked
		}
		return errTaken
	}
	known := taken && holder.address == r.address
	if len(r.table.Topics) == 1 && !known {
		return errNotInFull
	}
	full := r.table.Version
	if len(r.table.Topics) == 1 {
		full = holder.full
	}
	if present && self != here {
		delete(m.brokers, self)
	}
	m.brokers[here] = seat{address: r.address, connection: r.connection, state: state, full: full, diesAfter: now.Add(r.liveFor), liveFor: r.liveFor}
	m.acting[r.brokerName], m.cluster[r.brokerName] = r.actingMaster, r.cluster
	if r.id == 0 || (r.modern && m.ids(r.brokerName)[0] == r.id) {
		m.takeTopics(r)
	}
	return nil
}

func (m *model) takeTopics(r *registration) {
	named := map[string]bool{}
	for _, topic := range r.table.Topics {
		named[topic.Name] = true
	}
	if r.dropMissing && len(named) > 1 {
		for topic := range m.queues {
			if !named[topic] {
				m.dropQueue(topic, r.brokerName)
			}
		}
	}
	for _, topic := range r.table.Topics {
		m.putQueue(topic.Name, proto.QueueRoute{
			BrokerName: r.brokerName, ReadQueues: topic.ReadQueues, WriteQueues: topic.WriteQueues, Perm: topic.Perm, SysFlags: topic.SysFlags})
	}
}

func (m *model) touch(name, address string, connection uint64, now env.Instant) {
	p, ok := m.at(name, address)
	s := m.brokers[p]
	if ok && s.connection <= connection {
		s.connection, s.diesAfter = connection, now.Add(s.liveFor)
		m.brokers[p] = s
	}
}

func (m *model) unregister(name, address string, id int64, connection uint64) left {
	p, ok := m.at(name, address)
	late := !ok || p.id != id || m.brokers[p].connection > connection
	after := m.drop(func(at place, _ seat) bool { return !late && at == p })
	for _, name := range after.emptied {
		delete(m.wiped, name)
	}
	return after
}

// route is what a client would be told; nil if the topic is unknown.
func (m *model) route(topic string, actingMasters bool) *proto.Route {
	if m.queues[topic] == nil {
		return nil
	}
	route := &proto.Route{}
	for _, name := range slices.Sorted(maps.Keys(m.queues[topic])) {
		queue := m.queues[topic][name]
		broker := proto.BrokerRoute{Cluster: m.cluster[name], BrokerName: name, EnableActingMaster: m.acting[name]}
		ids := m.ids(name)
		for _, id := range ids {
			broker.Addresses = append(broker.Addresses, proto.BrokerAddress{ID: id, Address: m.brokers[place{name, id}].address})
		}
		if ids[0] != 0 && actingMasters && m.acting[name] {
			broker.Addresses[0].ID = 0
		}
		if ids[0] != 0 || m.wiped[name] {
			queue.Perm &= ^proto.PermWrite
		}
		route.Queues = append(route.Queues, queue)
		route.Brokers = append(route.Brokers, broker)
	}
	return route
}

// What the test draws from. Few values, so that they meet often.
var (
	modelNames     = []string{"broker-a", "broker-b"}
	modelAddresses = []string{"10.0.0.1:1", "10.0.0.2:2", "10.0.0.3:3"}
	modelTopics    = []string{"t1", "t2", "t3", "t4"}
	modelClusters  = []string{"c1", "c2"}
)

// twins are the table and its model, and what happens to both.
type twins struct {
	table      *table
	model      *model
	now        env.Instant
	connection uint64   // the newest
	open       []uint64 // connections that have not ended
}

func newTwins() *twins {
	return &twins{table: newTable(DefaultLimits()), model: newModel(), now: 1, connection: 1, open: []uint64{1}}
}

func (w *twins) name(t *rapid.T) string { return rapid.SampledFrom(modelNames).Draw(t, "name") }
func (w *twins) address(t *rapid.T) string {
	return rapid.SampledFrom(modelAddresses).Draw(t, "address")
}
func (w *twins) topic(t *rapid.T) string { return rapid.SampledFrom(modelTopics).Draw(t, "topic") }
func (w *twins) id(t *rapid.T) int64     { return rapid.Int64Range(0, 2).Draw(t, "id") }
func (w *twins) wire(t *rapid.T) uint64  { return rapid.SampledFrom(w.open).Draw(t, "connection") }

func (w *twins) connect(*rapid.T) {
	if len(w.open) < 5 {
		w.connection++
		w.open = append(w.open, w.connection)
	}
}

func (w *twins) disconnect(t *rapid.T) {
	if len(w.open) == 1 {
		return
	}
	gone := w.wire(t)
	w.open = slices.DeleteFunc(w.open, func(c uint64) bool { return c == gone })
	want := w.model.drop(func(_ place, s seat) bool { return s.connection == gone })
	checkLeft(t, want, w.table.connectionClosed(gone))
}

func (w *twins) register(t *rapid.T) {
	r := &registration{
		cluster: rapid.SampledFrom(modelClusters).Draw(t, "cluster"), brokerName: w.name(t), address: w.address(t), haAddress: "ha",
		id: w.id(t), liveFor: time.Duration(rapid.IntRange(10, 20).Draw(t, "live for")) * time.Second,
		modern: rapid.Bool().Draw(t, "modern"), connection: w.wire(t), dropMissing: rapid.Bool().Draw(t, "drop missing"),
	}
	r.actingMaster = r.modern && rapid.Bool().Draw(t, "acting master")
	r.table.Version = proto.DataVersion{StateVersion: rapid.Int64Range(0, 1).Draw(t, "state"), Counter: rapid.Int64Range(0, 2).Draw(t, "counter")}
	topics := rapid.SliceOfNDistinct(rapid.SampledFrom(modelTopics), 0, 4, rapid.ID).Draw(t, "topics")
	for _, name := range topics {
		queues := rapid.Int32Range(1, 4).Draw(t, "queues")
		r.table.Topics = append(r.table.Topics, proto.TopicConfig{
			Name: name, ReadQueues: queues, WriteQueues: queues, Perm: proto.Perm(rapid.Int32Range(0, 7).Draw(t, "perm"))})
	}
	before := w.model.ids(r.brokerName)
	want := w.model.register(r, w.now)
	admitted, err := w.table.register(r, w.now)
	require.ErrorIs(t, err, want, "registration of %s", r)
	if want == nil {
		w.checkMasterTold(t, r, admitted)
		isSmallest := len(before) > 0 && r.id < before[0]
		require.Equal(t, isSmallest, len(admitted.notices) == 1)
	}
}

// checkLeft compares what follows from departures.
func checkLeft(t *rapid.T, want left, got departures) {
	t.Helper()
	require.Equal(t, want.emptied, got.emptied)
	smallest := map[string]string{}
	for _, n := range got.notices {
		smallest[n.header.BrokerName] = n.header.MinBrokerAddress
	}
	require.Equal(t, want.smallest, smallest)
}

func (w *twins) checkMasterTold(t *rapid.T, r *registration, admitted admission) {
	want := ""
	if r.id != 0 {
		want = w.model.brokers[place{r.brokerName, 0}].address
	}
	require.Equal(t, want, admitted.master)
}

func (w *twins) heartbeat(t *rapid.T) {
	name, address, connection := w.name(t), w.address(t), w.wire(t)
	w.model.touch(name, address, connection, w.now)
	if m := w.table.member(name, address); m != nil {
		w.table.touch(m, connection, w.now)
	}
}

func (w *twins) unregister(t *rapid.T) {
	name, address, id, connection := w.name(t), w.address(t), w.id(t), w.wire(t)
	want := w.model.unregister(name, address, id, connection)
	got, _ := w.table.unregister(name, address, id, connection)
	checkLeft(t, want, got)
}

func (w *twins) passTime(t *rapid.T) {
	w.now = w.now.Add(time.Duration(rapid.IntRange(0, 12).Draw(t, "seconds")) * time.Second)
	want := w.model.drop(func(_ place, s seat) bool { return w.now > s.diesAfter })
	checkLeft(t, want, w.table.expire(w.now))
}

func (w *twins) wipe(t *rapid.T) {
	name := w.name(t)
	if w.model.names()[name] {
		w.model.wiped[name], w.table.wiped[name] = true, true
	}
}

func (w *twins) unwipe(t *rapid.T) {
	name := w.name(t)
	delete(w.model.wiped, name)
	delete(w.table.wiped, name)
}

func (w *twins) deleteTopic(t *rapid.T) {
	topic := w.topic(t)
	cluster := rapid.SampledFrom(append(modelClusters, "")).Draw(t, "cluster")
	for _, name := range modelNames {
		if cluster == "" || w.model.cluster[name] == cluster {
			w.model.dropQueue(topic, name)
		}
	}
	w.table.deleteTopic(topic, cluster)
}

func (w *twins) registerTopic(t *rapid.T) {
	queue := proto.QueueRoute{BrokerName: w.name(t), ReadQueues: 7, WriteQueues: 7, Perm: proto.PermReadWrite}
	topic := w.topic(t)
	err := w.table.registerTopic(topic, []proto.QueueRoute{queue})
	if w.model.names()[queue.BrokerName] {
		require.NoError(t, err)
		w.model.putQueue(topic, queue)
	} else {
		require.Error(t, err)
	}
}

// check compares everything that can be asked, and what the table counts for itself.
func (w *twins) check(t *rapid.T) {
	for _, topic := range modelTopics {
		for _, acting := range []bool{false, true} {
			want := w.model.route(topic, acting)
			got, found := w.table.route(topic, acting)
			require.Equal(t, want != nil, found, topic)
			if want != nil {
				require.Equal(t, *want, got, topic)
			}
		}
	}
	require.Equal(t, slices.Sorted(maps.Keys(w.model.queues)), w.table.topicNames())
	require.Equal(t, w.model.wiped, w.table.wiped)
	w.checkVersions(t)
	w.checkCounters(t)
}

// checkVersions asks for each broker whether it needs to register.
func (w *twins) checkVersions(t *rapid.T) {
	for _, name := range modelNames {
		for _, address := range modelAddresses {
			at, known := w.model.at(name, address)
			m := w.table.member(name, address)
			require.Equal(t, known, m != nil)
			version := proto.DataVersion{Counter: 1}
			require.Equal(t, !known || w.model.brokers[at].full != version, w.table.changed(m, version))
		}
	}
}

func (w *twins) checkCounters(t *rapid.T) {
	connections := map[uint64]int{}
	for _, s := range w.model.brokers {
		connections[s.connection]++
	}
	require.Equal(t, connections, w.table.connections)
	for name, g := range w.table.groups {
		require.NotEmpty(t, g.members, name)
		require.True(t, slices.IsSortedFunc(g.members, func(a, b member) int { return compareID(a, b.id) }), name)
		topics := 0
		for _, byName := range w.model.queues {
			if _, has := byName[name]; has {
				topics++
			}
		}
		require.Equal(t, topics, g.topics, name)
	}
}

func TestTheRouteTableDoesWhatPlainMapsDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newTwins()
		t.Repeat(map[string]func(*rapid.T){
			"register": w.register, "register again": w.register, "register once more": w.register,
			"heartbeat": w.heartbeat, "unregister": w.unregister, "time": w.passTime,
			"connect": w.connect, "disconnect": w.disconnect,
			"wipe": w.wipe, "unwipe": w.unwipe, "delete topic": w.deleteTopic, "register topic": w.registerTopic,
			"": w.check,
		})
	})
}

func TestTopicsOfManyBrokersStaySorted(t *testing.T) {
	table := newTable(DefaultLimits())
	for i := range 50 {
		r := &registration{
			cluster: "c", brokerName: fmt.Sprintf("broker-%02d", i*37%50), address: fmt.Sprintf("10.0.0.1:%d", i+1),
			liveFor: time.Minute, connection: uint64(i + 1),
			table: proto.TopicTable{Topics: []proto.TopicConfig{proto.NewTopicConfig("a"), proto.NewTopicConfig("b")}},
		}
		_, err := table.register(r, 1)
		require.NoError(t, err)
	}
	route, _ := table.route("a", false)
	require.Len(t, route.Queues, 50)
	for i := range route.Queues {
		require.Equal(t, fmt.Sprintf("broker-%02d", i), route.Queues[i].BrokerName)
	}
	require.Len(t, table.expire(env.Instant(2*time.Minute)).emptied, 50)
	require.Empty(t, table.topics)
}

func TestTheTableIsBounded(t *testing.T) {
	limits := DefaultLimits()
	limits.BrokerNames, limits.MembersPerName, limits.TopicsPerBroker = 2, 2, 4
	table := newTable(limits)
	register := func(name string, id int64, topics ...string) error {
		r := &registration{
			cluster: "c", brokerName: name, id: id, address: fmt.Sprintf("%s:%d", name, id+1), liveFor: time.Minute, connection: 1,
		}
		for _, topic := range topics {
			r.table.Topics = append(r.table.Topics, proto.NewTopicConfig(topic))
		}
		_, err := table.register(r, 1)
		return err
	}
	require.NoError(t, register("a", 0, "t1", "t2"))
	require.NoError(t, register("a", 1, "t1", "t2"))
	require.ErrorIs(t, register("a", 2, "t1", "t2"), errLimit)
	require.NoError(t, register("b", 0, "t1", "t2"))
	require.ErrorIs(t, register("c", 0, "t1", "t2"), errLimit)
	require.ErrorIs(t, register("b", 0, "t3", "t4", "t5"), errLimit)
	require.Equal(t, 2, table.topicCount("b"), "nothing of it was taken")
	require.NoError(t, register("b", 0, "t2", "t3", "t4"))
	require.ErrorIs(t, register("b", 0, "t5"), errLimit)
}
