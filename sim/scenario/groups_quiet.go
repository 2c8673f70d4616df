package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/cluster"
)

// This file is about groups in a world in which nothing is broken: what members do then has no excuse.

const (
	// noticeWithin is how long members may take to hear that others have come or gone, and to share out the queues.
	noticeWithin = 5 * time.Second
	// expiryWithin is how long a member may keep its queues whose machine has died without a word: brokers wait 2 min for its heartbeats and look
	// every 10 s.
	expiryWithin = 2*time.Minute + 10*time.Second + noticeWithin
	// anotherRound is more than the time between two rounds of sharing out.
	anotherRound = 25 * time.Second
)

// whenQuiet demands that each queue has one owner, that members hear of each other, and that a reset reaches them.
func (g *groups) whenQuiet(probe *pubsubClient) {
	for _, group := range g.list {
		if !g.demandShared(group, membersSettle) {
			return
		}
	}
	g.observer.Tasks.Sleep(anotherRound)
	for _, group := range g.list {
		if !g.demandShared(group, 0) {
			return
		}
		g.kernel.Mark("shared out by " + group.strategy)
	}
	group := g.list[probe.random.IntN(len(g.list))]
	g.demandGivenBack(probe, group)
	for _, style := range []sim.CrashStyle{sim.KillProcess, sim.PowerLoss} {
		g.demandTakeOver(probe, group, style)
	}
	if g.kernel.Failure() == nil {
		g.demandReset(probe, group)
	}
}

// unshared tells which queue has not exactly one owner, or "".
func (g *groups) unshared(group *sharing) string {
	for _, queue := range g.allQueues(group) {
		var owners []string
		for _, h := range group.queue(queue).holders {
			if h.member.machine.Up() && h.member.consuming {
				owners = append(owners, h.member.String())
			}
		}
		if len(owners) != 1 {
			return fmt.Sprintf("%s, which shares by %s: %v has the owners %q", group.name, group.strategy, queue, owners)
		}
	}
	return ""
}

// demandShared waits until each queue of a group has exactly one owner that is alive.
func (g *groups) demandShared(group *sharing, limit time.Duration) bool {
	if g.await(limit, func() bool { return g.unshared(group) == "" }) {
		return true
	}
	g.failLiveness("nothing is broken, and %s after %s", g.unshared(group), limit)
	return false
}

// sendToEach sends a message to each queue and waits until the group has handled all of them.
func (g *groups) sendToEach(probe *pubsubClient, group *sharing) bool {
	want := group.handled + len(g.queues)
	for _, queue := range g.queues {
		// The final logs were read: nobody judges these messages.
		if _, err := probe.steady.SendTo(context.Background(), queue, marked(queue.Topic, probe.body())); err != nil {
			g.failLiveness("%v refuses a message though nothing is broken: %v", queue, err)
			return false
		}
	}
	if !g.await(wakeWithin+time.Duration(len(g.queues))*g.handling, func() bool { return group.handled >= want }) {
		g.failLiveness("nothing is broken, and %s has not handled %d messages within %s", group.name, len(g.queues), wakeWithin)
		return false
	}
	g.observer.Tasks.Sleep(g.handling)
	return true
}

// demandGivenBack lets a member leave right after it has handled something, and demands that nobody handles that again: its offsets are stored before
// others have its queues.
func (g *groups) demandGivenBack(probe *pubsubClient, group *sharing) {
	m := group.members[probe.random.IntN(len(group.members))]
	if g.kernel.Failure() != nil || !g.sendToEach(probe, group) {
		return
	}
	given := group.givenTo(m)
	m.rest, m.leave = 2*noticeWithin, true
	if !g.await(noticeWithin, func() bool { return m.closed }) {
		g.failLiveness("%s does not close within %s though nothing is broken", m, noticeWithin)
		return
	}
	if g.others(group) {
		// When it comes back, queues will change hands between members that are at work: then messages may be handled twice.
		g.demandShared(group, noticeWithin)
		g.observer.Tasks.Sleep(wakeWithin)
		g.demandNothingAgain(group, m, given)
	}
	g.await(2*noticeWithin+6*time.Second, func() bool { return m.consuming })
	m.rest = 0
	g.demandShared(group, noticeWithin)
	if !g.others(group) {
		g.observer.Tasks.Sleep(wakeWithin)
		g.demandNothingAgain(group, m, given)
	}
	g.kernel.Mark("given back at the end")
}

// givenTo tells how many messages of the queues that a member has were given to handlers.
func (s *sharing) givenTo(m *fleetMember) map[*sharedQueue]int {
	given := map[*sharedQueue]int{}
	// order does not matter: each is looked at alone
	for _, q := range s.of {
		if len(q.holders) == 1 && q.holders[0].member == m {
			given[q] = q.given
		}
	}
	return given
}

func (g *groups) demandNothingAgain(group *sharing, m *fleetMember, given map[*sharedQueue]int) {
	for _, queue := range g.queues {
		q := group.queue(queue)
		if before, his := given[q]; his && q.given != before {
			g.failSafety("%s left in order, and %d messages of %v that it had handled were handled again", m, q.given-before, queue)
		}
	}
}

// others reports whether one member's queues go to others.
func (g *groups) others(group *sharing) bool {
	return len(group.members) > 1 && group.strategy != "CONFIG"
}

// demandTakeOver takes a member away and demands that others have its queues soon.
func (g *groups) demandTakeOver(probe *pubsubClient, group *sharing, style sim.CrashStyle) {
	if g.kernel.Failure() != nil || !g.others(group) {
		return
	}
	m := group.members[probe.random.IntN(len(group.members))]
	limit := noticeWithin
	if style == sim.PowerLoss {
		limit = expiryWithin
	}
	m.consuming = false
	m.machine.Crash(style)
	if !g.demandShared(group, limit) {
		return
	}
	g.kernel.Mark("taken over: " + style.String())
	m.boot()
	if !g.await(noticeWithin, func() bool { return m.consuming }) {
		g.failLiveness("%s does not start within %s though nothing is broken", m, noticeWithin)
		return
	}
	g.demandShared(group, noticeWithin)
}

// demandReset sends a group to the beginning of a topic and demands that it begins there soon, even if the broker loses its power right after the answer.
func (g *groups) demandReset(probe *pubsubClient, group *sharing) {
	admin, err := client.NewAdmin(g.observer, client.WithNameServers(g.cluster.NameServerAddresses()...))
	if err != nil {
		g.failSafety("the operator's admin could not be made: %v", err)
		return
	}
	topic := g.topics[probe.random.IntN(len(g.topics))]
	crash := g.flush && probe.random.Chance(0.5)
	for _, n := range g.masters() {
		called := g.observer.Clock.Now()
		if !g.reset(admin, n, client.Reset{Group: group.name, Topic: topic, To: env.WallMillis(1).Time()}) {
			g.failLiveness("nothing is broken, and %s refuses to reset %s", n, group.name)
			return
		}
		g.kernel.Mark("reset while all was quiet")
		for _, queue := range g.queues {
			if q := group.queue(queue); queue.Topic == topic && queue.BrokerName == n.Group {
				// Former requests that were not answered have been carried out by now, or never will be.
				q.resets = q.resets[len(q.resets)-1:]
			}
		}
		if crash {
			g.losePower(n)
			continue
		}
		g.demandBegun(group, n, topic, called)
	}
	if !g.await(consumeWithin, func() bool { return g.behind() == "" }) {
		g.failLiveness("nothing is broken, and after a reset not all is handled again within %s: %s", consumeWithin, g.behind())
	}
}

// losePower takes the power from a broker for a moment.
func (g *groups) losePower(n *cluster.Node) {
	g.kernel.Mark("power loss right after a reset")
	n.Crash(sim.PowerLoss)
	g.observer.Tasks.Sleep(time.Second)
	n.Start()
	if !g.await(restartWithin, n.Ready) {
		g.failLiveness("nothing is broken, and %s does not run within %s: %v", n, restartWithin, n.StartError)
	}
}

// demandBegun demands that a group begins again soon with all queues of a topic at a broker.
func (g *groups) demandBegun(group *sharing, n *cluster.Node, topic string, called env.Instant) {
	for _, queue := range g.queues {
		if queue.Topic != topic || queue.BrokerName != n.Group || g.end(queue) == 0 {
			continue
		}
		q := group.queue(queue)
		if !g.await(wakeWithin+2*g.handling, func() bool { return q.handledAt(0) >= called }) {
			g.failLiveness("%s: %v was reset, and its first message was not handled within %s", group.name, queue, wakeWithin+2*g.handling)
			return
		}
	}
}
