package client

import (
	"maps"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// A group whose master is gone has another one within moments, and name servers know it. They tell no client: so whoever finds a broker gone, or no master any
// more, has the route looked up again and again for some time. All topics share what is known of a group, so one of them is enough.

// seekPauses are the times between looks. They are short while an election takes place, and end when no election would last so long: then the
// refresh of routes is enough.
var seekPauses = []time.Duration{
	0, suspectPause, suspectPause, suspectPause, suspectPause, suspectPause, suspectPause, suspectPause, suspectPause,
	500 * time.Millisecond, 500 * time.Millisecond, 500 * time.Millisecond, 500 * time.Millisecond,
	time.Second, time.Second, time.Second, time.Second, 2 * time.Second, 2 * time.Second, 2 * time.Second,
}

// vanishedFor is how long consumers keep the queues of a group that is missing from the route: while its only member that lives becomes master, name servers
// know nobody of it. Looks go on for as long.
const vanishedFor = 12 * time.Second

// unansweredFor is how long a send may go without an answer before its broker is doubted.
const unansweredFor = time.Second

// seek is the search for the next master of a group.
type seek struct{ step int }

// doubtAfter doubts a broker after an error that may mean that it is gone, or that it was master and is a copy now: copies that serve no reads, and masters that
// cannot prove to be one, say that they are busy.
func (k *core) doubtAfter(address string, err error) {
	if err != nil && (hasNoAnswer(err) || hasCode(err, proto.RespServiceNotAvailable) || hasCode(err, proto.RespSystemBusy)) {
		k.routes.doubtAddress(address)
	}
}

// doubtAddress looks for the masters of all groups that have a member at an address.
func (r *routes) doubtAddress(address string) {
	for _, b := range r.core.brokers.sorted {
		if slices.ContainsFunc(b.addresses, func(a proto.BrokerAddress) bool { return a.Address == address }) {
			r.seek(b.name)
		}
	}
}

// seek looks for the master of a group for some time, in the background. More doubt makes a search begin once more.
func (r *routes) seek(brokerName string) {
	if under := r.seeks[brokerName]; under != nil {
		under.step = min(under.step, 1)
		return
	}
	s := &seek{}
	if r.core.start("look for the master of "+brokerName, func() { r.look(brokerName, s) }) {
		r.seeks[brokerName] = s
	}
}

func (r *routes) look(brokerName string, s *seek) {
	k := r.core
	before, _ := k.brokers.named(brokerName).master()
	for s.step < len(seekPauses) {
		pause := seekPauses[s.step]
		s.step++
		if !k.pause(pause) {
			break
		}
		for _, name := range r.topicsOf(brokerName) {
			// What goes wrong is for the next look, or for who needs the route.
			_, _ = r.fetch(nil, name, false, env.Never)
		}
		if now, ok := k.brokers.named(brokerName).master(); ok && now != before {
			break
		}
	}
	delete(r.seeks, brokerName)
}

// topicsOf are the topics to look up for a group: one that names it, and all whose routes lack it.
func (r *routes) topicsOf(brokerName string) (names []string) {
	one := false
	for _, name := range slices.Sorted(maps.Keys(r.topics)) {
		t := r.topics[name]
		lacks := t.lacks(brokerName)
		if t.route == nil || !lacks && (one || !t.names(brokerName)) {
			continue
		}
		one = one || !lacks
		names = append(names, name)
	}
	return names
}

// names reports whether a topic has queues at a group.
func (t *topic) names(brokerName string) bool {
	return t.route != nil && slices.ContainsFunc(t.route.Queues, func(q proto.QueueRoute) bool { return q.BrokerName == brokerName })
}

// lacks reports whether a group has vanished from the route of a topic, or has no master in it, so that nothing can be sent there.
func (t *topic) lacks(brokerName string) bool {
	if _, vanished := t.vanished[brokerName]; vanished {
		return true
	}
	return t.producing && t.names(brokerName) && !slices.ContainsFunc(t.publish, func(to target) bool { return to.BrokerName == brokerName })
}

// keepVanished returns a route with the queues of those groups that were in the route before, and are not in this one since a short time.
func (r *routes) keepVanished(t *topic, route *proto.Route) *proto.Route {
	if t.route == nil || t.borrowed {
		return route
	}
	now, merged := r.core.env.Clock.Now(), route
	vanished := map[string]env.Instant{}
	for _, q := range t.route.Queues {
		if slices.ContainsFunc(route.Queues, func(other proto.QueueRoute) bool { return other.BrokerName == q.BrokerName }) {
			continue
		}
		since, known := t.vanished[q.BrokerName]
		if !known {
			since = now
			r.seek(q.BrokerName)
		}
		if now.Sub(since) >= vanishedFor {
			continue
		}
		if merged == route {
			clone := *route
			clone.Queues, clone.Brokers = slices.Clone(route.Queues), slices.Clone(route.Brokers)
			merged = &clone
		}
		vanished[q.BrokerName] = since
		merged.Queues = append(merged.Queues, q)
		merged.Brokers = append(merged.Brokers, proto.BrokerRoute{Cluster: r.core.brokers.named(q.BrokerName).cluster, BrokerName: q.BrokerName})
	}
	t.vanished = vanished
	return merged
}

// masterMoved sees whether a broker lives that was master: if it does not answer, neither does it answer what waits for it, which may go on at the new master.
func (k *core) masterMoved(old string) {
	if !k.beats.belongs() || !slices.Contains(k.net.Addresses(), old) {
		return
	}
	k.start("see whether "+old+" lives", func() {
		request := &transport.Request{Code: proto.ReqHeartbeat, Body: k.beats.data().Marshal()}
		if _, err := k.ask(nil, old, request, k.env.Clock.Now().Add(unansweredFor)); err != nil && hasNoAnswer(err) && k.state < closing {
			k.hangUp(old)
		}
	})
}
