package scenario

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
)

var orderlyScenario = Scenario{
	Name:  "orderly",
	About: "members of a group consume in order, come, go, crash and pause for longer than locks last, under all faults",
	Marks: []string{
		"send acknowledged", "a handler succeeded", "a handler failed", "consumed part of a batch", "handled again", "a member joined", "a member left", "a member was paused",
		"a member crashed: process killed", "a member crashed: power loss", "a queue went to another member", "lock granted", "lock denied", "unlocked",
		"commit under a lock", "commit refused because of a lock", "lock granted to another after expiry", "committed offset looked at",
	},
	run: runOrderly,
}

// orderly is the state of one run.
type orderly struct {
	*fleet
	next     map[client.Queue]client.QueueOffset // one more than the last message that was handled for the first time
	seen     map[client.Queue]committedAt        // what was committed when it was looked at last
	working  map[client.Queue]*orderlyCall
	last     map[client.Queue]*fleetMember
	handling time.Duration // at most
	failures float64
	batch    int
	persist  time.Duration
	locking  lockHistory
}

// orderlyCall is a call of a handler under way.
type orderlyCall struct {
	member *fleetMember
	life   int
	began  env.Instant
	late   bool // the machine was paused right before, so nobody knows when the call was decided on
}

const orderlyGroup = "orderly"

func runOrderly(r *run) {
	o := &orderly{
		fleet: newFleet(r, fleetBounds{producers: 3, members: 4, shortest: 20 * time.Second, longest: 200 * time.Second, think: 2 * time.Second}),
		next:  map[client.Queue]client.QueueOffset{}, seen: map[client.Queue]committedAt{},
		working: map[client.Queue]*orderlyCall{}, last: map[client.Queue]*fleetMember{},
	}
	d := r.draw
	o.handling = d.duration("longest call of a handler", 0, 500*time.Millisecond)
	o.failures = d.share("calls that fail", 0.3)
	o.batch = int(d.number("messages of a call", 1, 5))
	o.persist = d.duration("offsets stored every", 100*time.Millisecond, 5*time.Second)
	for _, m := range o.members {
		m.options = o.memberOptions
	}
	o.send, o.caughtUp = o.sendInOrder, o.behind
	o.addLockers()
	o.observer.Tasks.Go("look at committed offsets", o.watch)
	o.play(o.connectProducer)
	if o.kernel.Failure() == nil {
		o.judgeLocks()
	}
}

func (o *orderly) connectProducer(c *pubsubClient) (err error) {
	c.producer, err = client.NewProducer(c.env, append(o.producerOptions(), client.WithSelector(client.SelectByOrderingKey))...)
	return err
}

// sendInOrder sends a message whose ordering key chooses the queue.
func (o *orderly) sendInOrder(c *pubsubClient) {
	m := marked(o.topics[c.random.IntN(len(o.topics))], c.body())
	client.OrderingKey(fmt.Sprint("key", c.random.IntN(10)))(m)
	o.record(c, m)
}

func (o *orderly) memberOptions(m *fleetMember) []client.PushOption {
	options := []client.PushOption{
		client.WithNameServers(o.cluster.NameServerAddresses()...), client.WithGroup(orderlyGroup), client.WithConsumeFrom(client.FromFirst),
		client.WithOrderlyHandler(o.handler(m, m.env, m.life)), client.WithBatchSize(o.batch), client.WithOffsetStoring(o.persist),
		client.WithSuspendTime(100 * time.Millisecond), client.WithHold(o.work.hold), client.WithPullTimeout(o.pullTimeout()),
		client.WithRequestTimeout(2 * time.Second), client.WithRouteRefresh(o.refreshEvery()),
	}
	for _, topic := range o.topics {
		options = append(options, client.WithSubscription(topic, client.Tags("*")))
	}
	return options
}

// handler is that of one consumer. It takes its time, and fails now and then.
func (o *orderly) handler(m *fleetMember, e env.Env, life int) client.Handler {
	return func(_ context.Context, messages []*client.Received) error {
		call := &orderlyCall{member: m, life: life, began: e.Clock.Now(), late: m.pausedLately(e.Clock.Now())}
		o.begin(call, messages)
		e.Tasks.Sleep(time.Duration(m.random.Between(0, int64(o.handling))))
		if o.working[messages[0].Queue] == call {
			delete(o.working, messages[0].Queue)
		}
		if o.stopped || !m.random.Chance(o.failures) {
			o.succeeded(messages)
			return nil
		}
		o.kernel.Mark("a handler failed")
		part := m.random.IntN(len(messages))
		o.succeeded(messages[:part])
		if part > 0 {
			o.kernel.Mark("consumed part of a batch")
		}
		return client.ConsumedFirst(part, errors.New("bad luck"))
	}
}

// leaseLeft is how long a broker's lock lasts at least from the moment at which a client still trusts it: brokers count 60 s, clients 30 s.
const leaseLeft = 30 * time.Second

// begin checks what a handler is given, and that nobody else is at work on the queue who may be.
func (o *orderly) begin(call *orderlyCall, messages []*client.Received) {
	queue := messages[0].Queue
	for i, m := range messages {
		o.whole(m)
		if m.Queue != queue || m.Offset != messages[0].Offset+client.QueueOffset(i) {
			o.failSafety("%s: %v was given together with %v at place %d", call.member, m, messages[0], i)
		}
	}
	if messages[0].Offset > o.next[queue] {
		o.failSafety("%s was given %v, though offset %d was never handled", call.member, messages[0], o.next[queue])
	}
	if other := o.working[queue]; other != nil && other.member.alive(other.life) {
		if call.began < other.began.Add(leaseLeft) && !call.late && !other.late {
			o.failSafety("%s began to work on %v %s after %s, which is not done", call.member, queue, call.began.Sub(other.began), other.member)
		}
		o.kernel.Mark("two calls at once after a lock had expired")
	}
	o.working[queue] = call
	if o.last[queue] != nil && o.last[queue] != call.member {
		o.kernel.Mark("a queue went to another member")
	}
	o.last[queue] = call.member
}

// succeeded notes what was handled.
func (o *orderly) succeeded(messages []*client.Received) {
	for _, m := range messages {
		o.Operations++
		switch next := o.next[m.Queue]; {
		case m.Offset == next:
			o.next[m.Queue]++
			o.kernel.Mark("a handler succeeded")
		case m.Offset > next:
			o.failSafety("%v was handled before offset %d", m, next)
		default:
			o.kernel.Mark("handled again")
		}
	}
}

// watch is the task that looks at what the group has committed: never more than was handled, and never less than before. It is no
// member of the group: brokers would give it queues.
func (o *orderly) watch() {
	net, random := newRawClient(o.observer), o.kernel.Stream("watch")
	for {
		o.observer.Tasks.Sleep(time.Duration(random.Between(0, int64(o.lookEvery(500*time.Millisecond)))))
		if len(o.queues) == 0 {
			continue
		}
		queue := o.queues[random.IntN(len(o.queues))]
		answer := net.call(o.address(queue), proto.ReqQueryConsumerOffset, map[string]string{
			"consumerGroup": orderlyGroup, "topic": queue.Topic, "queueId": fmt.Sprint(queue.QueueID),
		}, nil)
		if answer == nil || answer.Code != int(proto.RespSuccess) {
			continue
		}
		if offset, err := strconv.ParseInt(answer.Fields["offset"], 10, 64); err == nil {
			o.committed(queue, client.QueueOffset(offset))
		}
	}
}

func (o *orderly) committed(queue client.Queue, offset client.QueueOffset) {
	o.kernel.Mark("committed offset looked at")
	if offset > o.next[queue] {
		o.failSafety("%v: %d is committed, though only %d messages were handled", queue, offset, o.next[queue])
	}
	// What came with pulls is durable at the next save only, so a broker may begin anew with less.
	now := committedAt{offset, o.broker(queue)}
	if before := o.seen[queue]; now.broker != nil && before.broker == now.broker && offset < before.offset {
		o.failSafety("%v: the committed offset went back from %d to %d", queue, before.offset, offset)
	}
	o.seen[queue] = now
}

// committedAt is an offset that a broker told.
type committedAt struct {
	offset client.QueueOffset
	broker *broker.Broker
}

// behind tells which queue is not consumed and committed to its end.
func (o *orderly) behind() string {
	for _, queue := range o.queues {
		if end := o.end(queue); o.next[queue] < end || o.seen[queue].offset < end {
			return fmt.Sprintf("%v ends at %d, handled up to %d, committed %d, last by %v", queue, end, o.next[queue], o.seen[queue].offset, o.last[queue])
		}
	}
	return ""
}

// judgeLocks judges what was recorded of the lock table.
func (o *orderly) judgeLocks() {
	if err := o.locking.check(o.kernel.Mark); err != nil {
		o.failSafety("%v", err)
	}
}
