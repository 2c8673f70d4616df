package namesrv

import (
	"slices"
	"strings"

	"github.com/gantrymq/gantry/transport/proto"
)

// route tells where the queues of a topic are. It reports false if nobody has the topic.
func (t *table) route(topic string, actingMasters bool) (proto.Route, bool) {
	entries := t.topics[topic]
	// By these topics the members of a group find each other, so they need the true ids.
	actingMasters = actingMasters && !strings.HasPrefix(topic, proto.BrokerMemberTopic(""))
	var route proto.Route
	for i := range entries {
		e := &entries[i]
		g := t.groups[e.queue.BrokerName]
		route.Queues = append(route.Queues, t.shown(g, e.queue))
		broker := g.route()
		if actingMasters && g.actingMaster && g.master() == nil {
			broker.Addresses[0].ID = proto.MasterID
		}
		route.Brokers = append(route.Brokers, broker)
		g.addFilterServers(&route)
		if e.mapping != nil {
			route.Mappings = append(route.Mappings, *e.mapping)
		}
	}
	return route, len(entries) > 0
}

// shown is what clients see of queues: nobody can write to a group that lost the permission, or
// that has no master.
func (t *table) shown(g *group, queue proto.QueueRoute) proto.QueueRoute {
	if t.wiped[g.name] || g.master() == nil {
		queue.Perm &^= proto.PermWrite
	}
	return queue
}

// route is a copy that the caller may change.
func (g *group) route() proto.BrokerRoute {
	return proto.BrokerRoute{
		Cluster: g.cluster, BrokerName: g.name, Addresses: g.addresses(),
		EnableActingMaster: g.actingMaster, ZoneName: g.zone,
	}
}

func (g *group) addresses() []proto.BrokerAddress {
	addresses := make([]proto.BrokerAddress, len(g.members))
	for i := range g.members {
		addresses[i] = proto.BrokerAddress{ID: g.members[i].id, Address: g.members[i].address}
	}
	return addresses
}

func (g *group) addFilterServers(route *proto.Route) {
	for i := range g.members {
		m := &g.members[i]
		if len(m.filterServers) == 0 {
			continue
		}
		if route.FilterServers == nil {
			route.FilterServers = map[string][]string{}
		}
		route.FilterServers[m.address] = m.filterServers
	}
}

// keepZone leaves the brokers of one zone in a route, and those without a master, which consumers
// of any zone may need. Their queues stay with them.
func keepZone(route *proto.Route, zone string) {
	kept := map[string]bool{}
	route.Brokers = slices.DeleteFunc(route.Brokers, func(b proto.BrokerRoute) bool {
		_, hasMaster := b.Master()
		kept[b.BrokerName] = !hasMaster || strings.EqualFold(b.ZoneName, zone)
		return !kept[b.BrokerName]
	})
	route.Queues = slices.DeleteFunc(route.Queues, func(q proto.QueueRoute) bool { return !kept[q.BrokerName] })
}

// clusterInfo lists all brokers.
func (t *table) clusterInfo() proto.ClusterInfo {
	var info proto.ClusterInfo
	members := map[string][]string{}
	for _, name := range t.brokerNames(everyGroup) {
		g := t.groups[name]
		info.Brokers = append(info.Brokers, g.route())
		members[g.cluster] = append(members[g.cluster], name)
	}
	for _, cluster := range t.clusters() {
		info.Clusters = append(info.Clusters, proto.Cluster{Name: cluster, BrokerNames: members[cluster]})
	}
	return info
}

// clusters lists the names of all clusters, sorted.
func (t *table) clusters() []string {
	var clusters []string
	// order does not matter: sorted below
	for _, g := range t.groups {
		clusters = append(clusters, g.cluster)
	}
	slices.Sort(clusters)
	return slices.Compact(clusters)
}

// memberGroup lists the members of one broker name; none if it is unknown.
func (t *table) memberGroup(cluster, brokerName string) proto.BrokerMemberGroup {
	members := proto.BrokerMemberGroup{Cluster: cluster, BrokerName: brokerName}
	if g := t.groups[brokerName]; g != nil {
		members.Addresses = g.addresses()
	}
	return members
}

// topicsOfCluster lists the topics that some broker of a cluster has, sorted.
func (t *table) topicsOfCluster(cluster string) []string {
	return t.topicsWhere(func(entries []queueEntry) bool {
		return slices.ContainsFunc(entries, func(e queueEntry) bool { return t.groups[e.queue.BrokerName].cluster == cluster })
	})
}

// topicsByFlags lists the topics whose system flags, those of all brokers together, are as wanted.
func (t *table) topicsByFlags(wanted func(proto.TopicSysFlag) bool) []string {
	return t.topicsWhere(func(entries []queueEntry) bool {
		var flags proto.TopicSysFlag
		for i := range entries {
			flags |= entries[i].queue.SysFlags
		}
		return wanted(flags)
	})
}

func (t *table) topicsWhere(want func([]queueEntry) bool) []string {
	var topics []string
	for _, topic := range t.topicNames() {
		if want(t.topics[topic]) {
			topics = append(topics, topic)
		}
	}
	return topics
}

// systemTopics lists the topics that exist because of the brokers themselves, which bear the names of clusters and
// brokers, and the address of some broker that can be asked for others.
func (t *table) systemTopics() proto.TopicList {
	names := t.brokerNames(everyGroup)
	list := proto.TopicList{Topics: append(t.clusters(), names...)}
	for _, name := range names {
		if master := t.groups[name].master(); master != nil {
			list.BrokerAddress = master.address
			return list
		}
	}
	if len(names) > 0 {
		list.BrokerAddress = t.groups[names[0]].members[0].address
	}
	return list
}

// topicCount is the number of topics of a broker name.
func (t *table) topicCount(brokerName string) int {
	g := t.groups[brokerName]
	if g == nil {
		return 0
	}
	return g.topics
}
