package namesrv

import (
	"github.com/gantrymq/gantry/node/env"
)

// departures are members that left, and what follows from it.
type departures struct {
	members []departure
	notices []notice
	emptied []string // broker names of which nobody is left; their queues are gone too
}

// departure is one member that left.
type departure struct {
	cluster, brokerName string
	member              member
}

// unregister lets a broker leave in order (ReqUnregisterBroker). What comes over an older
// connection than the broker's registration, or speaks of another id, is late: the broker has been
// restarted or has changed its role since. It changes nothing, and late is true.
func (t *table) unregister(brokerName, address string, id int64, connection uint64) (left departures, late bool) {
	m := t.member(brokerName, address)
	if m == nil {
		return departures{}, false
	}
	if m.connection > connection || m.id != id {
		return departures{}, true
	}
	left = t.remove([]string{brokerName}, func(_ *group, m *member) bool { return m.address == address })
	// Whoever leaves in order starts anew when it comes back.
	for _, name := range left.emptied {
		delete(t.wiped, name)
	}
	return left, false
}

// connectionClosed removes the members that live by a connection, and by no newer one.
func (t *table) connectionClosed(connection uint64) departures {
	if t.connections[connection] == 0 {
		return departures{}
	}
	return t.removeAll(func(_ *group, m *member) bool { return m.connection == connection })
}

// expire removes the members that were silent for longer than they said they would be.
func (t *table) expire(now env.Instant) departures {
	return t.removeAll(func(_ *group, m *member) bool { return now.Sub(m.lastSeen) > m.liveFor })
}

func (t *table) removeAll(leaves func(*group, *member) bool) departures {
	touched := t.brokerNames(func(g *group) bool {
		for i := range g.members {
			if leaves(g, &g.members[i]) {
				return true
			}
		}
		return false
	})
	return t.remove(touched, leaves)
}

// remove takes members out of the named groups, all as one change: nobody is told of a new smallest id
// that leaves as well.
func (t *table) remove(brokerNames []string, leaves func(*group, *member) bool) departures {
	var left departures
	emptied := map[string]bool{}
	for _, name := range brokerNames {
		g := t.groups[name]
		smallest := g.members[0]
		left.members = append(left.members, t.takeOut(g, leaves)...)
		switch {
		case len(g.members) == 0:
			delete(t.groups, name)
			emptied[name] = true
			left.emptied = append(left.emptied, name)
		case g.members[0].id != smallest.id && g.actingMaster:
			left.notices = append(left.notices, g.minIDNotice(smallest.address, ""))
		}
	}
	t.dropQueues(emptied)
	return left
}

// takeOut removes members of one group.
func (t *table) takeOut(g *group, leaves func(*group, *member) bool) []departure {
	var gone []departure
	kept := g.members[:0:0]
	for i := range g.members {
		m := g.members[i]
		if !leaves(g, &m) {
			kept = append(kept, m)
			continue
		}
		t.untie(m.connection)
		gone = append(gone, departure{cluster: g.cluster, brokerName: g.name, member: m})
	}
	g.members = kept
	return gone
}

// dropQueues forgets the queues of broker names that are gone; topics without queues vanish.
func (t *table) dropQueues(brokerNames map[string]bool) {
	if len(brokerNames) == 0 {
		return
	}
	// order does not matter: every topic loses its own entries
	for topic := range t.topics {
		t.dropEntries(topic, func(name string) bool { return brokerNames[name] })
	}
}
