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
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/proto"
)

var retryScenario = Scenario{
	Name:  "retry",
	About: "handlers fail by a plan, and each message is consumed at last or becomes one dead letter, in its time and as it was, under all faults",
	Marks: []string{
		"send acknowledged", "two groups", "a member joined", "a member left", "a member was paused", "a member crashed: process killed", "a member crashed: power loss",
		"handled at once", "failed", "asked for a level", "asked for a level beyond the last one", "rejected", "redelivered", "handled after a redelivery",
		"handled at the last attempt", "no redelivery allowed", "dead letter", "dead letter of a rejected message", "sent to the retry topic by the consumer itself",
		"one delivery twice", "several retry queues", "redelivered in time while all was quiet", "dead letter by the group's own limit",
	},
	run: runRetry,
}

// retry is the state of one run.
type retry struct {
	*fleet
	list        []*retryGroup
	old         *retryGroup                              // of a client that does not say how often a message may come again
	sent        map[linearizability.Hash]*client.Message // but for those of the probe
	handling    time.Duration
	concurrency int
	step        time.Duration // from one delay level to the next
	strict      bool          // times are as brokers' calendars say
}

// levels is how many delay levels there are.
const levels = 18

// delay is how long a level waits. Those beyond the last one count as the last one.
func (y *retry) delay(level int) time.Duration { return time.Duration(min(level, levels)) * y.step }

func runRetry(r *run) {
	y := &retry{sent: map[linearizability.Hash]*client.Message{}}
	y.step = r.draw.duration("from one delay level to the next", 600*time.Millisecond, time.Second)
	y.fleet = newFleet(r, fleetBounds{
		producers: 2, members: 4, shortest: 10 * time.Second, longest: 30 * time.Second, think: time.Second, brokers: y.shortLevels,
	})
	d := r.draw
	y.handling = d.duration("longest call of a handler", 0, 100*time.Millisecond)
	y.concurrency = int(d.number("calls at once", 1, 20))
	y.strict = !calendarsStep(y.Schedule)
	count := min(int(d.number("groups", 1, 2)), len(y.members))
	for number := range count {
		y.list = append(y.list, y.newGroup(fmt.Sprint("retry", number)))
	}
	y.old = y.newGroup("old")
	for _, m := range y.members {
		group := y.list[m.number%count]
		m.options = func(m *fleetMember) []client.PushOption { return y.memberOptions(m, group) }
	}
	y.marks(count)
	y.fails = consumeWithin
	y.send, y.caughtUp, y.finally = y.sendTagged, y.unfinished, y.whenDrained
	y.observer.Tasks.Go("change groups", y.changeGroups)
	y.observer.Tasks.Go("read retries and dead letters", y.readCopies)
	y.play(func(c *pubsubClient) (err error) {
		c.producer, err = client.NewProducer(c.env, y.producerOptions()...)
		return err
	})
}

func (y *retry) marks(count int) {
	if count == 2 {
		y.kernel.Mark("two groups")
	}
	for _, group := range y.list {
		if group.most == 0 {
			y.kernel.Mark("no redelivery allowed")
		}
		if group.queues > 1 {
			y.kernel.Mark("several retry queues")
		}
	}
}

func (y *retry) newGroup(name string) *retryGroup {
	return &retryGroup{
		name: name, most: int(y.draw.number("redeliveries of "+name, 0, 4)), queues: int32(y.draw.number("retry queues of "+name, 1, 3)),
		plans: y.kernel.Stream("plans of " + name), forced: map[linearizability.Hash]retryPlan{},
		messages: map[linearizability.Hash]*retried{}, places: map[retryPlace]*handedOut{}, copies: map[client.Queue][]*client.Received{},
	}
}

func (y *retry) memberOptions(m *fleetMember, group *retryGroup) []client.PushOption {
	options := []client.PushOption{
		client.WithNameServers(y.cluster.NameServerAddresses()...), client.WithGroup(group.name), client.WithConsumeFrom(client.FromFirst),
		client.WithHandler(y.handler(m, m.env, m.life, group)), client.WithMaxRedeliveries(group.most), client.WithConcurrency(y.concurrency),
		client.WithHold(y.work.hold), client.WithPullTimeout(y.work.hold + 2*time.Second), client.WithOffsetStoring(time.Second),
		client.WithRequestTimeout(2 * time.Second), client.WithRouteRefresh(y.refreshEvery()),
	}
	for _, topic := range y.topics {
		options = append(options, client.WithSubscription(topic, client.Tags("*")))
	}
	return options
}

// sendTagged sends a message with one of the tags.
func (y *retry) sendTagged(c *pubsubClient) {
	m := marked(y.topics[c.random.IntN(len(y.topics))], c.body())
	m.SetTags(tagPool[c.random.IntN(len(tagPool))])
	y.sent[linearizability.HashOf(m.Body)] = m
	y.record(c, m)
}

// retryPlan is what becomes of a message, by how often it was redelivered.
type retryPlan struct {
	success int // from so many redeliveries on its handler succeeds; < 0: never
	reject  int // from so many on it is rejected; < 0: never
	levels  *sim.Stream
}

// plan is that of a message: the same whoever handles it.
func (s *retryGroup) plan(hash linearizability.Hash) retryPlan {
	if forced, is := s.forced[hash]; is {
		return forced
	}
	own := s.plans.Derive(hash.String())
	p := retryPlan{success: -1, reject: -1, levels: own.Derive("levels")}
	switch {
	case own.Chance(0.12):
	case own.Chance(0.08):
		p.reject = own.IntN(s.most + 1)
	case own.Chance(0.5):
		p.success = 0
	default:
		p.success = own.IntN(s.most + 1)
	}
	return p
}

// rejected is what a call asks for that wants no redelivery.
const rejected = -1

// ask is the level that a handler asks for after so many redeliveries; 0: none.
func (p *retryPlan) ask(times int) int {
	own := p.levels.Derive(fmt.Sprint(times))
	switch {
	case p.reject >= 0 && times >= p.reject:
		return rejected
	case own.Chance(0.3):
		return 1 + own.IntN(levels+2)
	}
	return 0
}

// errorFor is how a handler asks.
func errorFor(level int) error {
	switch level {
	case rejected:
		return fmt.Errorf("nobody wants it: %w", client.Reject)
	case 0:
		return errors.New("bad luck")
	}
	return client.RetryAfter(level)
}

// handler is that of one consumer.
func (y *retry) handler(m *fleetMember, e env.Env, life int, group *retryGroup) client.Handler {
	return func(_ context.Context, messages []*client.Received) error {
		r := messages[0]
		y.given(m, life, group, r)
		e.Tasks.Sleep(time.Duration(m.random.Between(0, int64(y.handling))))
		y.Operations++
		plan, times := group.plan(linearizability.HashOf(r.Body)), int(r.Redeliveries)
		if plan.success >= 0 && times >= plan.success {
			y.succeeded(group, r)
			return nil
		}
		level := plan.ask(times)
		y.failed(m, life, group, r, level)
		return errorFor(level)
	}
}

// changeGroups is the task of an operator who sets what the groups may do, at each broker, as often as it takes.
func (y *retry) changeGroups() {
	admin, err := client.NewAdmin(y.observer, client.WithNameServers(y.cluster.NameServerAddresses()...))
	if err != nil {
		y.failSafety("the operator's admin could not be made: %v", err)
		return
	}
	for _, name := range y.cluster.Groups {
		for _, group := range append([]*retryGroup{y.old}, y.list...) {
			config := proto.NewSubscriptionGroupConfig(group.name)
			config.RedeliveriesMax, config.RetryQueues = int32(group.most), group.queues
			for admin.UpdateGroup(context.Background(), y.address(client.Queue{BrokerName: name}), config) != nil {
				y.observer.Tasks.Sleep(200 * time.Millisecond)
			}
		}
	}
	y.kernel.Note("groups are changed")
}

// isRetry reports whether a queue is one of a retry topic.
func isRetry(queue client.Queue) bool { return strings.HasPrefix(queue.Topic, proto.RetryPrefix) }

func (y *retry) shortLevels(_ *draw, o *broker.Options) {
	for level := range levels {
		o.Store.DelayLevels = append(o.Store.DelayLevels, y.delay(level+1))
	}
}
