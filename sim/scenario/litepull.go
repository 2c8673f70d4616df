package scenario

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/assign"
)

var litePullScenario = Scenario{
	Name:  "lite-pull",
	About: "groups whose members poll: they share the queues or have them assigned by hand, commit, go back and pause, while members come, go, crash and pause, offsets are reset, and all faults happen",
	Marks: []string{
		"send acknowledged", "handled again", "two groups", "a member joined", "a member left", "a member was paused", "a member crashed: process killed",
		"a member crashed: power loss", "a queue went to another member", "committed offset looked at", "shared out by AVG", "shared out by CONFIG",
		"committed by hand", "committed by hand: some offsets", "went back in a queue", "a queue was paused", "offsets were reset",
		"handled again after a reset", "given back at the end", "taken over: process killed", "taken over: power loss", "reset while all was quiet",
	},
	run: runLitePull,
}

// polling is how the members of groups poll.
type polling struct {
	byHand      bool // they commit themselves
	commitEvery time.Duration
	seeks       float64 // after a call
	pauses      float64
	pauseMax    time.Duration
}

func runLitePull(r *run) {
	g := newGroups(r)
	d := r.draw
	g.polling = &polling{
		byHand: d.chance("commits by hand", 0.4), commitEvery: d.duration("time between commits", time.Second, 5*time.Second),
		seeks: d.share("calls that go back", 0.1), pauses: d.share("calls that pause a queue", 0.1),
		pauseMax: d.duration("longest pause of a queue", 100*time.Millisecond, 10*time.Second),
	}
	// They call one after the other, and must keep up.
	g.handling /= 12
	g.playGroups(func(m *fleetMember, group *sharing) {
		m.make = func(m *fleetMember) (fleetConsumer, error) { return g.newLitePuller(m, group) }
	})
}

// litePuller is a lite pull consumer and the task that polls.
type litePuller struct {
	*client.LitePullConsumer
	g      *groups
	member *fleetMember
	group  *sharing
	env    env.Env
	own    []client.Queue                      // assigned by hand, or none
	next   map[client.Queue]client.QueueOffset // of queues that were assigned by hand: the next message of each, if known
	paused map[client.Queue]bool
	gone   bool // the application ends
}

func (g *groups) newLitePuller(m *fleetMember, group *sharing) (fleetConsumer, error) {
	options := []client.LitePullOption{
		client.WithNameServers(g.cluster.NameServerAddresses()...), client.WithGroup(group.name), client.WithConsumeFrom(client.FromFirst),
		client.WithHold(g.work.hold), client.WithPullTimeout(g.work.hold + 2*time.Second), client.WithRequestTimeout(2 * time.Second),
		client.WithRouteRefresh(5 * time.Second), client.WithAutoCommit(g.polling.commitEvery),
	}
	if g.polling.byHand {
		options = append(options, client.WithAutoCommit(0))
	}
	p := &litePuller{g: g, member: m, group: group, env: m.env, next: map[client.Queue]client.QueueOffset{}, paused: map[client.Queue]bool{}}
	strategy := g.strategyOf(group, m)
	if fixed, ok := strategy.(assign.Fixed); ok {
		p.own = fixed.Queues
	} else {
		options = append(options, client.WithStrategy(strategy))
	}
	var err error
	p.LitePullConsumer, err = client.NewLitePullConsumer(m.env, options...)
	return p, err
}

// Start gets the queues, and begins to poll.
func (p *litePuller) Start(ctx context.Context) error {
	if err := p.getQueues(ctx); err != nil {
		return err
	}
	p.env.Tasks.Go("poll", func() {
		for p.poll(ctx) {
		}
	})
	return nil
}

func (p *litePuller) getQueues(ctx context.Context) error {
	if p.group.strategy == (assign.Fixed{}).Name() {
		return p.Assign(ctx, p.own...)
	}
	for _, topic := range p.g.topics {
		if err := p.Subscribe(ctx, topic, client.Tags("*")); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the application, in the middle of what it does.
func (p *litePuller) Close(ctx context.Context) error {
	p.gone = true
	return p.LitePullConsumer.Close(ctx)
}

// poll deals with what one call brings. It reports whether there may be more.
func (p *litePuller) poll(ctx context.Context) bool {
	g, m := p.g, p.member
	if p.group.strategy == (assign.Fixed{}).Name() && len(p.own) == 0 {
		return false
	}
	messages, err := p.Poll(ctx, g.batch)
	if errors.Is(err, client.ErrClosed) {
		return false
	}
	if err != nil {
		p.env.Tasks.Sleep(tickEvery)
		return true
	}
	began := p.env.Clock.Now()
	for _, r := range messages {
		g.whole(r)
		p.expect(r)
		p.group.begin(g.kernel.Mark, m, r)
	}
	p.env.Tasks.Sleep(time.Duration(m.random.Between(0, int64(g.handling))))
	if p.gone {
		return false
	}
	for _, r := range messages {
		g.Operations++
		p.group.end(g.kernel.Mark, r, began, true)
	}
	last := messages[len(messages)-1]
	p.commit(ctx, last.Queue, last.Offset+1)
	if !g.stopped {
		p.goBack(ctx)
		p.pauseOne(ctx)
	}
	return true
}

// expect demands of a queue that nobody else can have that its messages come one after the other.
func (p *litePuller) expect(r *client.Received) {
	next, known := p.next[r.Queue]
	p.next[r.Queue] = r.Offset + 1
	if p.group.strategy != (assign.Fixed{}).Name() || !p.g.flush || len(p.group.queue(r.Queue).resets) > 0 {
		return
	}
	if known && r.Offset != next {
		p.g.failSafety("%s polled message %d of %v, and %d should be next", p.member, r.Offset, r.Queue, next)
	}
	if p.paused[r.Queue] {
		p.g.failSafety("%s polled message %d of %v, which is paused", p.member, r.Offset, r.Queue)
	}
}

// commit says what is consumed, if nothing else does.
func (p *litePuller) commit(ctx context.Context, queue client.Queue, next client.QueueOffset) {
	switch {
	case !p.g.polling.byHand:
	case p.member.random.Chance(0.5):
		if p.Commit(ctx) == nil {
			p.g.kernel.Mark("committed by hand")
		}
	default:
		// The queue may be somebody else's by now.
		if p.CommitOffsets(ctx, map[client.Queue]client.QueueOffset{queue: next}) == nil {
			p.g.kernel.Mark("committed by hand: some offsets")
		}
	}
}

// anyQueue is one that the consumer has.
func (p *litePuller) anyQueue(ctx context.Context) (queue client.Queue, found bool) {
	queues, err := p.Assigned(ctx)
	if err != nil || len(queues) == 0 {
		return queue, false
	}
	return queues[p.member.random.IntN(len(queues))], true
}

// goBack lets some messages come again.
func (p *litePuller) goBack(ctx context.Context) {
	if !p.member.random.Chance(p.g.polling.seeks) {
		return
	}
	queue, found := p.anyQueue(ctx)
	if q := p.group.queue(queue); !found || len(q.resets) > 0 {
		// An operator sent the group elsewhere, maybe just now.
		return
	}
	position, err := p.Position(ctx, queue)
	if err != nil {
		return
	}
	to := client.QueueOffset(p.member.random.Between(0, int64(position)))
	q := p.group.queue(queue)
	q.sought = true
	err = p.Seek(ctx, queue, to)
	for _, r := range q.resets {
		r.crossed = true
	}
	if err != nil {
		return
	}
	p.next[queue] = to
	p.g.kernel.Mark("went back in a queue")
}

// pauseOne stops a queue for a while.
func (p *litePuller) pauseOne(ctx context.Context) {
	if !p.member.random.Chance(p.g.polling.pauses) {
		return
	}
	queue, found := p.anyQueue(ctx)
	if !found || p.paused[queue] || p.Pause(ctx, queue) != nil {
		return
	}
	p.paused[queue] = true
	p.g.kernel.Mark("a queue was paused")
	p.env.Tasks.Go("resume", func() {
		p.env.Tasks.Sleep(time.Duration(p.member.random.Between(0, int64(p.g.polling.pauseMax))))
		p.paused[queue] = false
		if err := p.Resume(ctx, queue); err != nil && slices.Contains(p.own, queue) && !errors.Is(err, client.ErrClosed) {
			p.g.failSafety("%s cannot resume %v: %v", p.member, queue, err)
		}
	})
}
