package namesrv

import (
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
)

// enter makes an admitted broker a member, in place of whoever had its id, and of itself under another
// id: a process that changed its role.
func (t *table) enter(g *group, r *registration, now env.Instant) admission {
	var a admission
	smallest := int64(0) // an empty group counts as one with a master: nobody is there to be told
	if len(g.members) > 0 {
		smallest = g.members[0].id
	}
	joined, known := t.newMember(g, r, now)
	a.isNew = !known
	g.members = slices.DeleteFunc(g.members, func(m member) bool {
		replaced := m.id == r.id || m.address == r.address
		if replaced {
			t.untie(m.connection)
		}
		return replaced
	})
	at, _ := slices.BinarySearchFunc(g.members, r.id, compareID)
	g.members = slices.Insert(g.members, at, joined)
	t.tie(joined.connection)
	if r.id < smallest {
		a.notices = append(a.notices, g.minIDNotice("", joined.address))
	}
	if master := g.master(); master != nil && r.id != proto.MasterID {
		a.master, a.haOf = master.address, master.haAddress
	}
	return a
}

// newMember is what the registration says, and what it does not say but is known.
func (t *table) newMember(g *group, r *registration, now env.Instant) (m member, known bool) {
	m = member{
		id: r.id, address: r.address, haAddress: r.haAddress,
		liveFor: min(r.liveFor, t.limits.LiveForMax), lastSeen: now, registeredAt: now,
		full: r.table.Version, stateVersion: r.table.Version.StateVersion,
		connection: r.connection, filterServers: r.filterServers,
	}
	before := g.byID(r.id)
	known = before != nil && before.address == r.address
	if known {
		m.registeredAt = before.registeredAt
	}
	if known && r.isUpdate() {
		m.full = before.full
	}
	return m, known
}

// minIDNotice tells who has the smallest id now. It goes to all members but one.
func (g *group) minIDNotice(offline, except string) notice {
	smallest := &g.members[0]
	n := notice{header: proto.NotifyMinBrokerIDChange{
		MinBrokerID:      proto.Some(smallest.id),
		BrokerName:       g.name,
		MinBrokerAddress: smallest.address,
		OfflineAddress:   offline,
		HAAddress:        smallest.haAddress,
	}}
	for i := range g.members {
		if g.members[i].address != except {
			n.to = append(n.to, g.members[i].address)
		}
	}
	return n
}

// speaksFor reports whether the topics of a registration count. A master's do; without
// one those of the smallest slave do ("prime slave"), if it is of a release that expects it.
func (r *registration) speaksFor(g *group) bool {
	return r.id == proto.MasterID || (r.modern && g.members[0].id == r.id)
}

// takeTopics takes over the topics of a registration. They are written whatever the data version says: an
// earlier registration of the same version may have carried only a part.
func (t *table) takeTopics(g *group, r *registration) {
	if r.dropMissing && len(r.table.Topics) > 1 && !r.hasMappings() {
		t.dropMissing(g, r.table.Topics)
	}
	for i := range r.table.Topics {
		topic := &r.table.Topics[i]
		t.put(topic.Name, g, proto.QueueRoute{
			ReadQueues: topic.ReadQueues, WriteQueues: topic.WriteQueues, Perm: topic.Perm, SysFlags: topic.SysFlags,
		})
	}
	if !r.hasMappings() {
		return
	}
	for _, mapping := range r.table.Mappings.Infos {
		if e := t.entry(mapping.Topic, g.name); e != nil {
			e.mapping = &mapping
		}
	}
}

func (r *registration) hasMappings() bool {
	return r.table.Mappings != nil && len(r.table.Mappings.Infos) > 0
}

// dropMissing forgets the topics of a broker name that a full registration does not name.
func (t *table) dropMissing(g *group, topics []proto.TopicConfig) {
	named := make(map[string]bool, len(topics))
	for i := range topics {
		named[topics[i].Name] = true
	}
	// order does not matter: every topic loses its own entry
	for topic := range t.topics {
		if !named[topic] {
			t.dropEntries(topic, func(brokerName string) bool { return brokerName == g.name })
		}
	}
}

// registerTopic sets the queues of one topic at the broker names given, or nowhere.
func (t *table) registerTopic(topic string, queues []proto.QueueRoute) error {
	if topic == "" || len(topic) > t.limits.NameBytes {
		return fmt.Errorf("%w: the name has %d bytes, from 1 to %d are allowed", errLimit, len(topic), t.limits.NameBytes)
	}
	for i := range queues {
		g := t.groups[queues[i].BrokerName]
		switch {
		case g == nil:
			return fmt.Errorf("broker name %.300q is not known here: it must register in full first", queues[i].BrokerName)
		case g.topics >= t.limits.TopicsPerBroker && t.entry(topic, g.name) == nil:
			return fmt.Errorf("%w: %d topics of broker %s", errLimit, g.topics, g.name)
		}
	}
	for i := range queues {
		t.put(topic, t.groups[queues[i].BrokerName], queues[i])
	}
	return nil
}
