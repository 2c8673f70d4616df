package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/transport/proto"
)

var popPushScenario = Scenario{
	Name:  "pop-push",
	About: "push consumers that leave their queues to brokers, which an operator tells to let them pull or pop, while handlers fail, members come, go, crash and pause, under all faults",
	Marks: []string{
		"send acknowledged", "two groups", "set to pop", "set to pull", "handled", "handled again", "failed", "rejected", "a dead letter", "a member pops", "a member pulls",
		"a member joined", "a member left", "a member was paused", "a member crashed: process killed", "a member crashed: power loss", "handled while all was quiet",
	},
	run: runPopPush,
}

// popPush is the state of one run.
type popPush struct {
	*fleet
	groups          []*popPushGroup
	tags            map[linearizability.Hash]string // that messages were sent with
	switches        time.Duration                   // longest time between two words of the operator
	working         time.Duration
	fails, rejects  float64
	invisible       time.Duration
	batch, atOnce   int
	concurrency     int
	share           int32
	popAtTheEnd     bool
	operatorIsReady bool
}

// popPushGroup is a group and what it has handled.
type popPushGroup struct {
	name    string
	tag     string // that it wants, or ""
	handled map[linearizability.Hash]int
	refused map[linearizability.Hash]bool // a handler has rejected it
	dead    map[linearizability.Hash]int
}

func runPopPush(r *run) {
	p := &popPush{tags: map[linearizability.Hash]string{}}
	p.fleet = newFleet(r, fleetBounds{producers: 2, members: 4, shortest: 10 * time.Second, longest: 60 * time.Second, think: 600 * time.Millisecond})
	d := r.draw
	p.switches, p.working = d.duration("between two words of the operator", 5*time.Second, 60*time.Second), d.duration("longest call of a handler", 0, 200*time.Millisecond)
	p.fails, p.rejects = d.share("calls that fail", 0.2), d.share("calls that reject", 0.05)
	p.invisible, p.batch = d.duration("hidden for", 5*time.Second, 20*time.Second), int(d.number("messages of a pop", 1, 32))
	p.atOnce, p.concurrency = int(d.number("messages of a queue at once", 1, 96)), int(d.number("calls at once", 1, 20))
	p.share, p.popAtTheEnd = int32(d.number("queues of other members", -1, 3)), d.chance("they pop at last", 0.7)
	for i := range min(int(d.number("groups", 1, 2)), len(p.members)) {
		group := &popPushGroup{name: fmt.Sprintf("pushed%d", i), handled: map[linearizability.Hash]int{}, refused: map[linearizability.Hash]bool{}, dead: map[linearizability.Hash]int{}}
		if d.chance(fmt.Sprintf("group %d wants one tag", i), 0.4) {
			group.tag = tagPool[0]
		}
		p.groups = append(p.groups, group)
	}
	if len(p.groups) == 2 {
		p.kernel.Mark("two groups")
	}
	for _, m := range p.members {
		group := p.groups[m.number%len(p.groups)]
		m.options = func(m *fleetMember) []client.PushOption { return p.memberOptions(m, group) }
		m.ticking = p.lookAt
	}
	p.fleet.fails = consumeWithin
	p.prepare, p.caughtUp, p.finally = p.setModes, p.unhandled, p.whenHandled
	p.send = func(c *pubsubClient) {
		m := marked(p.topics[c.random.IntN(len(p.topics))], c.body())
		m.SetTags(tagPool[c.random.IntN(len(tagPool))])
		p.tags[linearizability.HashOf(m.Body)] = m.Tags()
		p.record(c, m)
	}
	p.play(func(c *pubsubClient) (err error) {
		c.producer, err = client.NewProducer(c.env, append(p.producerOptions(), client.WithRetries(0, 0))...)
		return err
	})
}

func (p *popPush) memberOptions(m *fleetMember, group *popPushGroup) []client.PushOption {
	options := []client.PushOption{
		client.WithNameServers(p.cluster.NameServerAddresses()...), client.WithGroup(group.name), client.WithConsumeFrom(client.FromFirst), client.WithHandler(p.handler(m, group)),
		client.WithBrokerRebalance(), client.WithInvisibleTime(p.invisible), client.WithPopLimits(p.batch, max(p.atOnce, p.batch)), client.WithConcurrency(p.concurrency),
		client.WithHold(p.work.hold), client.WithPullTimeout(p.work.hold + 2*time.Second), client.WithRequestTimeout(2 * time.Second), client.WithRouteRefresh(p.refreshEvery()),
	}
	wanted := client.Tags("*")
	if group.tag != "" {
		wanted = client.Tags(group.tag)
	}
	for _, topic := range p.topics {
		options = append(options, client.WithSubscription(topic, wanted))
	}
	return options
}

// lookAt notes what a member has.
func (p *popPush) lookAt(m *fleetMember) {
	if m.consumer == nil || m.ticks%10 != 0 {
		return
	}
	queues, err := m.consumer.Assigned(context.Background())
	if err != nil {
		return
	}
	for _, queue := range queues {
		if queue.QueueID < 0 {
			m.f.kernel.Mark("a member pops")
		} else if queue.Topic[0] != '%' {
			m.f.kernel.Mark("a member pulls")
		}
	}
}

func (p *popPush) handler(m *fleetMember, group *popPushGroup) client.Handler {
	e := m.env
	return func(_ context.Context, messages []*client.Received) error {
		for _, r := range messages {
			if err := p.handle(m, group, r); err != nil {
				return err
			}
			if !p.stopped {
				e.Tasks.Sleep(time.Duration(m.random.Between(0, int64(p.working))))
			}
		}
		return nil
	}
}

// handle is what becomes of a message.
func (p *popPush) handle(m *fleetMember, group *popPushGroup, r *client.Received) error {
	p.Operations++
	p.whole(r)
	hash := linearizability.HashOf(r.Body)
	if group.tag != "" && r.Tags() != group.tag {
		p.failSafety("group %s wants %s and was given %v with the tag %q", group.name, group.tag, r, r.Tags())
	}
	switch {
	case p.stopped:
	case m.random.Chance(p.rejects):
		p.kernel.Mark("rejected")
		group.refused[hash] = true
		return fmt.Errorf("nobody wants it: %w", client.Reject)
	case m.random.Chance(p.fails):
		p.kernel.Mark("failed")
		if m.random.Chance(0.5) {
			return client.RetryAfter(1 + m.random.IntN(3))
		}
		return errors.New("bad luck")
	}
	if group.handled[hash]++; group.handled[hash] > 1 {
		p.kernel.Mark("handled again")
	}
	p.kernel.Mark("handled")
	return nil
}

// setModes makes the groups, tells each broker once how they get messages, and lets the operator go on.
func (p *popPush) setModes() error {
	admin, err := client.NewAdmin(p.observer, client.WithNameServers(p.cluster.NameServerAddresses()...), client.WithRequestTimeout(time.Second))
	if err != nil {
		return err
	}
	for _, n := range p.masters() {
		for _, group := range p.groups {
			if err := admin.UpdateGroup(context.Background(), addressOf(n), proto.NewSubscriptionGroupConfig(group.name)); err != nil {
				return err
			}
		}
	}
	random := p.kernel.Stream("operator")
	p.observer.Tasks.Go("operator", func() {
		for !p.stopped {
			p.say(admin, random.Chance(0.6))
			p.observer.Tasks.Sleep(time.Duration(random.Between(int64(time.Second), int64(p.switches))))
		}
		for !p.say(admin, p.popAtTheEnd) {
			p.observer.Tasks.Sleep(time.Second)
		}
		p.operatorIsReady = true
	})
	return nil
}

// say tells all brokers the same. It reports whether all have heard it.
func (p *popPush) say(admin *client.Admin, pops bool) bool {
	mode, mark, all := proto.ModePull, "set to pull", p.allServe()
	if pops {
		mode, mark = proto.ModePop, "set to pop"
	}
	for _, n := range p.masters() {
		for _, group := range p.groups {
			for _, topic := range p.topics {
				wanted := client.RequestMode{Topic: topic, ConsumerGroup: group.name, Mode: mode, PopShareQueues: p.share}
				if admin.SetRequestMode(context.Background(), addressOf(n), wanted) != nil {
					all = false
					continue
				}
				p.kernel.Mark(mark)
			}
		}
	}
	return all
}

// unhandled tells of a message that a group has not handled, or "".
func (p *popPush) unhandled() string {
	for _, group := range p.groups {
		for _, queue := range p.queues {
			for _, entry := range p.Logs[queue.String()].Entries {
				if group.handled[entry.Hash] == 0 && !group.refused[entry.Hash] && p.wants(group, entry.Hash) {
					return fmt.Sprintf("group %s has not handled message %d of %v", group.name, entry.Offset, queue)
				}
			}
		}
	}
	return ""
}

// wants reports whether a message has the tag of a group.
func (p *popPush) wants(group *popPushGroup, hash linearizability.Hash) bool {
	return group.tag == "" || p.tags[hash] == group.tag
}

// whenHandled looks for what was rejected among the dead letters, and demands a last message of each queue.
func (p *popPush) whenHandled(probe *pubsubClient) {
	for _, group := range p.groups {
		if !p.await(rejectedWithin, func() bool { return p.buried(probe, group) }) {
			p.failLiveness("after everything healed, group %s has rejected messages that are neither dead letters nor handled within %s", group.name, rejectedWithin)
			return
		}
	}
	if !p.await(membersSettle, func() bool { return p.operatorIsReady }) {
		p.failLiveness("nothing is broken, and brokers do not take the mode of a group within %s", membersSettle)
		return
	}
	for _, queue := range p.queues {
		m := marked(queue.Topic, probe.body())
		m.SetTags(tagPool[0])
		if _, err := probe.steady.SendTo(context.Background(), queue, m); err != nil {
			p.failLiveness("%v refuses a message though nothing is broken: %v", queue, err)
			return
		}
		for _, group := range p.groups {
			if !p.await(membersSettle+wakeWithin, func() bool { return group.handled[linearizability.HashOf(m.Body)] > 0 }) {
				p.failLiveness("nothing is broken, and group %s did not get a message of %v within %s", group.name, queue, membersSettle+wakeWithin)
				return
			}
		}
	}
	p.kernel.Mark("handled while all was quiet")
}

// rejectedWithin: a dead letter that no broker took while it was broken is tried again after a minute.
const rejectedWithin = 3 * time.Minute

// buried reports whether all that was rejected is a dead letter, or was handled by somebody who did not mind.
func (p *popPush) buried(probe *pubsubClient, group *popPushGroup) bool {
	clear(group.dead)
	p.readTopic(probe, proto.DeadLetterTopic(group.name), func(r *client.Received) {
		p.whole(r)
		p.kernel.Mark("a dead letter")
		group.dead[linearizability.HashOf(r.Body)]++
	})
	// order does not matter: one is enough
	for hash := range group.refused {
		if group.dead[hash] == 0 && group.handled[hash] == 0 {
			return false
		}
	}
	return true
}
