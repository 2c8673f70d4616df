package client

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// A group whose master is gone has another one within moments, and name servers know it. They tell no client: so whoever finds a broker gone, or no master any
// more, has the route looked up again and again for some time. All topics share what is known of a group, so one of them is enough.

// seekPauses are the times between looks. They are short while an election takes place, and end when no election would last so long.
var seekPauses = []time.Duration{
	0, suspectPause, suspectPause, suspectPause, suspectPause, suspectPause, suspectPause, suspectPause, suspectPause,
	500 * time.Millisecond, 500 * time.Millisecond, 500 * time.Millisecond, 500 * time.Millisecond,
	time.Second, time.Second, time.Second, time.Second, 2 * time.Second, 2 * time.Second, 2 * time.Second,
}

// seekSlowly is the step with which a search begins after one that has found nobody: many clients wait for the same group, and name servers are to have rest.
var seekSlowly = len(seekPauses) - 3

// seekRest is how long it rests before.
const seekRest = 4 * time.Second

// vanishedFor is how long consumers keep the queues of a group that is missing from the route: while its only member that lives becomes master, name servers
// know nobody of it. Looks go on for as long.
const vanishedFor = 12 * time.Second

// unansweredFor is how long a send may go without an answer before its broker is doubted.
const unansweredFor = time.Second

// seek is the search for the next master of a group.
type seek struct {
	step    int
	hurry   bool        // something has happened: the next look comes soon
	from    env.Instant // not before
	restsTo env.Instant // it has found nobody; 0 while it goes on
}

// doubtAfter doubts a broker after an error that may mean that it is gone, or that it was master and is a copy now: copies that serve no reads, and masters that
// cannot prove to be one, say that they are busy.
func (k *core) doubtAfter(address string, err error) {
	if saysGone(err) || hasCode(err, proto.RespServiceNotAvailable) || hasCode(err, proto.RespSystemBusy) {
		k.routes.doubtAddress(address, false)
	}
}

// saysGone reports whether an error is that of a broker that does not answer, and not of this process.
func saysGone(err error) bool {
	return err != nil && hasNoAnswer(err) && !errors.Is(err, transport.ErrCancelled) && !errors.Is(err, ErrBusy) && !errors.Is(err, ErrClosed)
}

// doubtAddress looks for the masters of all groups that have a member at an address. It is sure that something has happened if a connection has ended.
func (r *routes) doubtAddress(address string, sure bool) {
	for _, b := range r.core.brokers.sorted {
		if slices.ContainsFunc(b.addresses, func(a proto.BrokerAddress) bool { return a.Address == address }) {
			r.seek(b.name, sure)
		}
	}
}

// seek looks for the master of a group for some time, in the background.
func (r *routes) seek(brokerName string, sure bool) {
	s := r.seeks[brokerName]
	switch {
	case s == nil:
		s = &seek{}
	case s.restsTo == 0 && sure:
		s.step, s.hurry = min(s.step, 1), true
		r.core.stopped.Broadcast()
		return
	case s.restsTo == 0:
		return
	case sure:
		s = &seek{}
	default:
		s = &seek{step: seekSlowly, from: s.restsTo}
	}
	if r.core.start("look for the master of "+brokerName, func() { r.look(brokerName, s) }) {
		r.seeks[brokerName] = s
	}
}

// look is the task of a search. It ends when there is another master, or when a route that lacked the group has it again.
func (r *routes) look(brokerName string, s *seek) {
	k := r.core
	before := k.brokers.named(brokerName).last
	for s.step < len(seekPauses) {
		if !r.restBefore(s) {
			return
		}
		name, lacks := r.topicOf(brokerName)
		if name == "" {
			break
		}
		// What goes wrong is for the next look, or for who needs the route.
		_, _ = r.fetch(nil, name, false, env.Never)
		if now := k.brokers.named(brokerName).last; now != before || lacks && !r.named(name).lacks(brokerName) {
			delete(r.seeks, brokerName)
			r.refetch(brokerName)
			return
		}
	}
	s.restsTo = k.env.Clock.Now().Add(seekRest)
}

// restBefore waits until the next look is due. It reports false if the core began to close.
func (r *routes) restBefore(s *seek) bool {
	k := r.core
	now, pause := k.env.Clock.Now(), seekPauses[s.step]
	if s.from > 0 {
		pause, s.from = max(s.from.Sub(now), 0), 0
	}
	until, soon := now.Add(pause), now.Add(min(pause, suspectPause))
	s.step++
	for s.hurry = false; k.state < closing && !s.hurry && k.stopped.WaitUntil(until); {
	}
	return k.state < closing && (!s.hurry || k.pause(soon.Sub(k.env.Clock.Now())))
}

// topicOf is a topic to look up for a group: one whose route lacks it, or else one that names it; "" if there is none.
func (r *routes) topicOf(brokerName string) (name string, lacks bool) {
	for _, each := range slices.Sorted(maps.Keys(r.topics)) {
		t := r.topics[each]
		if t.lacks(brokerName) {
			return each, true
		}
		if name == "" && t.names(brokerName) {
			name = each
		}
	}
	return name, false
}

// refetch asks for the routes that lack a group which has a master again.
func (r *routes) refetch(brokerName string) {
	for _, name := range slices.Sorted(maps.Keys(r.topics)) {
		if r.topics[name].lacks(brokerName) {
			r.begin(name)
		}
	}
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
	return t.route != nil && t.producing && t.names(brokerName) && !slices.ContainsFunc(t.publish, func(to target) bool { return to.BrokerName == brokerName })
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
			r.seek(q.BrokerName, false)
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
		if _, err := k.ask(nil, old, request, k.env.Clock.Now().Add(unansweredFor)); saysGone(err) && k.state < closing {
			k.hangUp(old)
		}
	})
}
