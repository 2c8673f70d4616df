package namesrv

import (
	"slices"
	"strings"

	"github.com/gantrymq/gantry/transport/proto"
)

// route tells where the queues of a topic are. It reports false if nobody has the topic.
func (t *table) route(topic string, actingMasters bool) (proto.Route, bool) {
	entries := t.topics[topic]
	// These topics serve the members of a group to find each other, so they need the true ids.
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
		for n := range g.members {
			route.addFilterServers(&g.members[n])
		}
		if e.mapping != nil {
			route.Mappings = append(route.Mappings, *e.mapping)
		}
	}
	return route, len(entries) > 0
}
