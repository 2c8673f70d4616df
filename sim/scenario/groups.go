package scenario

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/assign"
	"github.com/gantrymq/gantry/transport/proto"
)

var groupsScenario = Scenario{
	Name:  "groups",
	About: "one or two groups share the queues by every strategy, while members come, go, crash and pause, offsets are reset, and all faults happen",
	Marks: []string{
		"send acknowledged", "a handler succeeded", "a handler failed", "handled again", "two groups", "a member joined", "a member left", "a member was paused",
		"a member crashed: process killed", "a member crashed: power loss", "a queue went to another member", "committed offset looked at",
		"shared out by AVG", "shared out by AVG_BY_CIRCLE", "shared out by CONSISTENT_HASH", "shared out by MACHINE_ROOM_NEARBY-AVG", "shared out by CONFIG",
		"offsets were reset", "a reset without an answer", "skipped by a reset", "handled again after a reset", "a queue with two owners",
		"given back at the end", "taken over: process killed", "taken over: power loss", "reset while all was quiet", "power loss right after a reset",
	},
	run: runGroups,
}

// groups is the state of one run.
type groups struct {
	*fleet
	list        []*sharing
	handling    time.Duration // at most
	failures    float64
	concurrency int
	batch       int
	persist     time.Duration
	resets      int
	flush       bool     // a loss of power takes nothing that was answered
	polling     *polling // nil with push consumers
}

// sharing is a group whose members share the queues.
type sharing struct {
	name      string
	strategy  string
	members   []*fleetMember
	of        map[client.Queue]*sharedQueue
	succeeded map[linearizability.Hash]bool
	handled   int // messages that handlers have begun with
}

func runGroups(r *run) {
	g := newGroups(r)
	g.playGroups(func(m *fleetMember, group *sharing) {
		m.options = func(m *fleetMember) []client.PushOption { return g.memberOptions(m, group) }
	})
}

// newGroups draws the options of groups.
func newGroups(r *run) *groups {
	g := &groups{fleet: newFleet(r, fleetBounds{
		producers: 2, members: 5, shortest: 10 * time.Second, longest: 80 * time.Second, think: time.Second, brokers: quickLevels,
	})}
	d := r.draw
	g.handling = d.duration("longest call of a handler", 0, 200*time.Millisecond)
	g.failures = d.share("calls that fail", 0.2)
	g.concurrency = int(d.number("calls at once", 1, 20))
	if d.chance("slow handlers", 0.3) {
		// Then members that pause or go often have some under way, and must do many at once to keep up.
		g.handling, g.concurrency = 12*g.handling, 20
	}
	g.batch = int(d.number("messages of a call", 1, 4))
	g.persist = d.duration("offsets stored every", 100*time.Millisecond, 5*time.Second)
	g.resets = int(d.number("resets", 0, 4))
	g.flush = g.survivesPowerLoss()
	for number := range min(int(d.number("groups", 1, 2)), len(g.members)) {
		g.list = append(g.list, g.newGroup(number))
	}
	return g
}

// playGroups is the whole run. equip says what a member of a group is.
func (g *groups) playGroups(equip func(m *fleetMember, group *sharing)) {
	if len(g.list) == 2 {
		g.kernel.Mark("two groups")
	}
	for _, m := range g.members {
		group := g.list[m.number%len(g.list)]
		group.members = append(group.members, m)
		equip(m, group)
		m.ticking = func(m *fleetMember) { g.lookAtQueues(m, group) }
	}
	g.send, g.caughtUp, g.finally = g.sendAnyhow, g.behind, g.whenQuiet
	g.observer.Tasks.Go("look at committed offsets", g.watch)
	g.observer.Tasks.Go("reset offsets", g.resetNowAndThen)
	g.play(func(c *pubsubClient) (err error) {
		c.producer, err = client.NewProducer(c.env, g.producerOptions()...)
		return err
	})
	if g.kernel.Failure() == nil {
		g.judgeResets()
	}
}

// quickLevels makes delay levels short: what fails comes again before the run is over.
func quickLevels(_ *draw, o *broker.Options) {
	for level := range 18 {
		o.Store.DelayLevels = append(o.Store.DelayLevels, time.Duration(level+1)*400*time.Millisecond)
	}
}

func (g *groups) newGroup(number int) *sharing {
	strategies := []string{assign.Average{}.Name(), assign.AverageByCircle{}.Name(), assign.ConsistentHash{}.Name(), nearby.Name(), assign.Fixed{}.Name()}
	name := fmt.Sprint("group", number)
	return &sharing{
		name: name, strategy: strategies[g.draw.number("strategy of "+name, 0, int64(len(strategies)-1))],
		of: map[client.Queue]*sharedQueue{}, succeeded: map[linearizability.Hash]bool{},
	}
}

// nearby knows the room of a broker by its name, and that of a member by its address. MachineRooms is left out: it needs names of brokers with an
// "@", which brokers refuse.
var nearby = assign.Nearby{Inner: assign.Average{}, Rooms: lastDigit{}}

// lastDigit takes brokers and members whose names or addresses both end with an odd number for neighbours, or with an even one.
type lastDigit struct{}

func parity(text string) string { return fmt.Sprint(text[len(text)-1] % 2) }

// QueueRoom tells the room of a broker.
func (lastDigit) QueueRoom(queue assign.Queue) string { return parity(queue.BrokerName) }

// MemberRoom tells the room of a member.
func (lastDigit) MemberRoom(clientID string) string {
	address, _, _ := strings.Cut(clientID, "@")
	return parity(address)
}

// strategyOf is how a member finds its share.
func (g *groups) strategyOf(group *sharing, m *fleetMember) assign.Strategy {
	for _, s := range []assign.Strategy{assign.Average{}, assign.AverageByCircle{}, assign.ConsistentHash{}, nearby} {
		if s.Name() == group.strategy {
			return s
		}
	}
	// Everybody is told what to take.
	var own []client.Queue
	for i, queue := range g.allQueues(group) {
		if group.members[i%len(group.members)] == m {
			own = append(own, queue)
		}
	}
	return assign.Fixed{Queues: own}
}

// allQueues are those that the members of a group have to share out.
func (g *groups) allQueues(group *sharing) []client.Queue {
	all := append([]client.Queue(nil), g.queues...)
	if g.polling != nil {
		return all
	}
	for _, name := range g.cluster.Groups {
		all = append(all, client.Queue{Topic: proto.RetryTopic(group.name), BrokerName: name})
	}
	return all
}

func (g *groups) sendAnyhow(c *pubsubClient) {
	g.record(c, marked(g.topics[c.random.IntN(len(g.topics))], c.body()))
}

func (g *groups) memberOptions(m *fleetMember, group *sharing) []client.PushOption {
	options := []client.PushOption{
		client.WithNameServers(g.cluster.NameServerAddresses()...), client.WithGroup(group.name), client.WithConsumeFrom(client.FromFirst),
		client.WithHandler(g.handler(m, m.env, group)), client.WithStrategy(g.strategyOf(group, m)), client.WithConcurrency(g.concurrency),
		client.WithBatchSize(g.batch), client.WithOffsetStoring(g.persist), client.WithHold(g.work.hold), client.WithPullTimeout(g.pullTimeout()),
		client.WithRequestTimeout(2 * time.Second), client.WithRouteRefresh(g.refreshEvery()),
	}
	for _, topic := range g.topics {
		options = append(options, client.WithSubscription(topic, client.Tags("*")))
	}
	return options
}

// handler is that of one consumer. It takes its time, and fails now and then.
func (g *groups) handler(m *fleetMember, e env.Env, group *sharing) client.Handler {
	return func(_ context.Context, messages []*client.Received) error {
		began := e.Clock.Now()
		for _, r := range messages {
			g.whole(r)
			group.begin(g.kernel.Mark, m, r)
		}
		e.Tasks.Sleep(time.Duration(m.random.Between(0, int64(g.handling))))
		done := len(messages)
		if !g.stopped && m.random.Chance(g.failures) {
			done = m.random.IntN(len(messages))
			g.kernel.Mark("a handler failed")
		}
		for i, r := range messages {
			g.Operations++
			group.end(g.kernel.Mark, r, began, i < done)
		}
		if done < len(messages) {
			return client.ConsumedFirst(done, errors.New("bad luck"))
		}
		return nil
	}
}

// resetNowAndThen is the task of an operator who sends a group elsewhere.
func (g *groups) resetNowAndThen() {
	random := g.kernel.Stream("resets")
	admin, err := client.NewAdmin(g.observer, client.WithNameServers(g.cluster.NameServerAddresses()...))
	if err != nil {
		g.failSafety("the operator's admin could not be made: %v", err)
		return
	}
	for range g.resets {
		g.observer.Tasks.Sleep(time.Duration(random.Between(0, 2*int64(g.work.for_)/int64(g.resets))))
		if g.stopped {
			return
		}
		if len(g.queues) == 0 {
			// A run with elections begins with the first one, and makes its topics then.
			continue
		}
		reset := client.Reset{Group: g.list[random.IntN(len(g.list))].name, Topic: g.topics[random.IntN(len(g.topics))]}
		if !random.Chance(0.2) {
			// Otherwise behind the newest message.
			ago := time.Duration(random.Between(0, int64(g.work.for_)))
			reset.To = (g.observer.Clock.Wall() - env.WallMillis(ago.Milliseconds())).Time()
		}
		for _, n := range g.masters() {
			g.reset(admin, n, reset)
		}
	}
}

// survivesPowerLoss reports whether the brokers flush before they answer.
func (f *fleet) survivesPowerLoss() bool {
	return f.storeOptions.Flush.String() == "SYNC_FLUSH"
}
