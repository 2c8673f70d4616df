package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
)

var popScenario = Scenario{
	Name:  "pop",
	About: "groups whose members pop: they acknowledge, hide for longer, fail, forget and try old receipts, while members come, go, crash and pause, under all faults",
	Marks: []string{
		"send acknowledged", "popped", "popped again", "acknowledged", "acknowledged together", "an acknowledgement without an answer", "hidden for longer", "given back soon",
		"forgotten", "an old receipt was refused", "acknowledged twice and refused", "a dead letter", "two groups", "a member joined", "a member left", "a member was paused",
		"a member crashed: process killed", "a member crashed: power loss", "popped in order", "popped in order once more", "popped while all was quiet",
	},
	run: runPop,
}

// popRun is the state of one run.
type popRun struct {
	*fleet
	groups  []*popGroup
	steps   bool // calendars are set
	batch   int
	working time.Duration // longest
	fails, forgets, hides, repeats,
	together float64
}

func runPop(r *run) {
	p := &popRun{}
	p.fleet = newFleet(r, fleetBounds{
		producers: 3, members: 5, shortest: 5 * time.Second, longest: 60 * time.Second, think: 300 * time.Millisecond,
		brokers: func(d *draw, o *broker.Options) { o.InFlightMax = int(d.number("messages in flight at most", 32, 200)) },
	})
	d := r.draw
	p.steps = calendarsStep(p.Schedule)
	p.batch, p.working = int(d.number("messages of a pop", 1, 32)), d.duration("longest work on a message", time.Millisecond, 300*time.Millisecond)
	p.fails, p.forgets, p.hides = d.share("messages that fail", 0.3), d.share("messages that are forgotten", 0.1), d.share("messages that are hidden for longer", 0.2)
	p.repeats, p.together = d.share("acknowledgements that are repeated", 0.3), d.share("messages that are acknowledged together", 0.5)
	for i := range d.number("groups", 1, 2) {
		p.groups = append(p.groups, &popGroup{
			run: p, name: fmt.Sprintf("poppers%d", i), invisible: d.duration("hidden for", 5*time.Second, 20*time.Second),
			most: int32(d.number("redeliveries at most", 0, 16)), of: map[popKey]*poppedMessage{}, dead: map[linearizability.Hash]int{},
		})
	}
	if len(p.groups) > 1 {
		p.kernel.Mark("two groups")
	}
	if d.chance("a member pops in order", 0.4) {
		p.addOrdered()
	}
	for number := len(p.members); number < len(p.groups); number++ {
		// Nobody else would consume what the group is to consume.
		machine, e := p.cluster.AddClient()
		p.members = append(p.members, &fleetMember{f: p.fleet, number: number, machine: machine, env: e, random: p.kernel.Stream(fmt.Sprint("member ", number))})
	}
	for _, m := range p.members {
		group := p.groups[m.number%len(p.groups)]
		if group.ordered {
			m.make = func(m *fleetMember) (fleetConsumer, error) { return newOrderedPopper(group, m), nil }
			continue
		}
		m.make = func(m *fleetMember) (fleetConsumer, error) { return newPopMember(group, m) }
	}
	p.prepare, p.caughtUp, p.finally = p.makeGroups, func() string { return "" }, p.whenConsumed
	p.send = func(c *pubsubClient) { p.record(c, marked(p.topics[c.random.IntN(len(p.topics))], c.body())) }
	p.play(func(c *pubsubClient) (err error) {
		c.producer, err = client.NewProducer(c.env, append(p.producerOptions(), client.WithRetries(0, 0))...)
		return err
	})
}

// makeGroups makes the groups at all brokers: how often they get a message is a setting of theirs.
func (p *popRun) makeGroups() error {
	admin, err := client.NewAdmin(p.observer, client.WithNameServers(p.cluster.NameServerAddresses()...))
	if err != nil {
		return err
	}
	for _, g := range p.groups {
		for _, n := range p.cluster.Brokers {
			config := proto.NewSubscriptionGroupConfig(g.name)
			config.RedeliveriesMax = g.most
			if err := admin.UpdateGroup(context.Background(), addressOf(n), config); err != nil {
				return fmt.Errorf("group %s: %w", g.name, err)
			}
		}
	}
	return admin.Close(context.Background())
}

// popMember is a consumer that pops, and its application.
type popMember struct {
	*client.PopConsumer
	p      *popRun
	group  *popGroup
	member *fleetMember
	env    env.Env
	gone   bool
}

func newPopMember(g *popGroup, m *fleetMember) (*popMember, error) {
	p := g.run
	options := []client.PopOption{
		client.WithNameServers(p.cluster.NameServerAddresses()...), client.WithGroup(g.name), client.WithConsumeFrom(client.FromFirst), client.WithInvisibleTime(g.invisible),
		client.WithHold(p.work.hold), client.WithRequestTimeout(2 * time.Second), client.WithRouteRefresh(5 * time.Second),
	}
	for _, topic := range p.topics {
		options = append(options, client.WithSubscription(topic, client.Tags("*")))
	}
	consumer, err := client.NewPopConsumer(m.env, options...)
	return &popMember{PopConsumer: consumer, p: p, group: g, member: m, env: m.env}, err
}

// Start begins to pop.
func (c *popMember) Start(context.Context) error {
	c.env.Tasks.Go("pop", func() {
		for !c.gone {
			c.popOnce()
		}
	})
	return nil
}

// Assigned is what every member has: all queues.
func (c *popMember) Assigned(context.Context) ([]client.Queue, error) { return c.p.queues, nil }

// Close ends the application, in the middle of what it does.
func (c *popMember) Close(ctx context.Context) error {
	c.gone = true
	return c.PopConsumer.Close(ctx)
}

func (c *popMember) popOnce() {
	messages, err := c.Pop(context.Background(), c.p.batch)
	if err != nil {
		c.env.Tasks.Sleep(tickEvery)
		return
	}
	for _, m := range messages {
		c.p.whole(m.Received)
		c.group.delivered(m.Received, receiptOf(m))
	}
	var done []*client.PoppedMessage
	for _, m := range messages {
		c.p.toil(c.env, c.member)
		if c.gone {
			return
		}
		if c.work(m) {
			done = append(done, m)
		}
	}
	c.acknowledgeAll(done)
}

// toil takes a while, unless all is to be consumed soon.
func (p *popRun) toil(e env.Env, m *fleetMember) {
	if !p.stopped {
		e.Tasks.Sleep(time.Duration(m.random.Between(0, int64(p.working))))
	}
}

// work is what becomes of a message. It reports whether it is to be acknowledged with others.
func (c *popMember) work(m *client.PoppedMessage) bool {
	random := c.member.random
	switch {
	case c.p.stopped:
	case random.Chance(c.p.forgets):
		c.p.kernel.Mark("forgotten")
		return false
	case random.Chance(c.p.fails):
		c.hide(m, time.Duration(random.Between(1, 3000))*time.Millisecond, "given back soon")
		return false
	case random.Chance(c.p.hides):
		c.hide(m, time.Duration(random.Between(1000, 30_000))*time.Millisecond, "hidden for longer")
	}
	if random.Chance(c.p.together) {
		return true
	}
	c.acknowledge(m)
	return false
}

func (c *popMember) hide(m *client.PoppedMessage, d time.Duration, mark string) {
	before := receiptOf(m)
	c.group.maybeHidden(m.Received, before)
	switch err := c.ChangeInvisible(context.Background(), m, d); {
	case err == nil:
		c.p.kernel.Mark(mark)
		c.group.hidden(m.Received, before, receiptOf(m))
		c.useOld(m, before, "an old receipt was refused")
	case errors.Is(err, client.ErrNotHeld):
		c.p.kernel.Mark("an old receipt was refused")
	}
}

func (c *popMember) acknowledge(m *client.PoppedMessage) {
	receipt := receiptOf(m)
	c.group.maybeAcknowledged(m.Received)
	switch err := c.Ack(context.Background(), m); {
	case err == nil:
		c.p.kernel.Mark("acknowledged")
		c.group.acknowledged(m.Received, receipt)
		c.useOld(m, receipt, "acknowledged twice and refused")
	case errors.Is(err, client.ErrNotHeld):
		c.p.kernel.Mark("an old receipt was refused")
	default:
		c.p.kernel.Mark("an acknowledgement without an answer")
	}
}

func (c *popMember) acknowledgeAll(messages []*client.PoppedMessage) {
	if len(messages) == 0 {
		return
	}
	receipts := map[*client.PoppedMessage]proto.PopReceipt{}
	for _, m := range messages {
		receipts[m] = receiptOf(m)
		c.group.maybeAcknowledged(m.Received)
	}
	failed := map[*client.PoppedMessage]bool{}
	err := c.AckAll(context.Background(), messages)
	if refused := (*client.AckError)(nil); errors.As(err, &refused) {
		for _, m := range refused.Messages {
			failed[m] = true
		}
	} else if err != nil {
		return
	}
	for _, m := range messages {
		if !failed[m] {
			c.p.kernel.Mark("acknowledged together")
			c.group.acknowledged(m.Received, receipts[m])
		}
	}
}

// useOld acknowledges by a receipt that has been used, which our library would not do.
func (c *popMember) useOld(m *client.PoppedMessage, receipt proto.PopReceipt, refused string) {
	if !c.member.random.Chance(c.p.repeats) {
		return
	}
	net := newRawClient(c.env)
	answer := net.call(c.p.address(m.Queue), proto.ReqAckMessage, map[string]string{
		"consumerGroup": c.group.name, "topic": m.Queue.Topic, "queueId": fmt.Sprint(m.Queue.QueueID), "extraInfo": receipt.String(), "offset": fmt.Sprint(int64(m.Offset)),
	}, nil)
	net.close()
	switch {
	case answer == nil:
	case answer.Code == int(proto.RespSuccess):
		c.p.failSafety("%v at %d of %v was acknowledged by %s, which was used before", m, m.Offset, m.Queue, receipt)
	case answer.Code == int(proto.RespNoMessage):
		c.p.kernel.Mark(refused)
	}
}

// receiptOf is by what a message is held.
func receiptOf(m *client.PoppedMessage) proto.PopReceipt {
	receipt, err := proto.ParsePopReceipt(m.Receipt())
	if err != nil {
		panic(err) // our library wrote it
	}
	return receipt
}
