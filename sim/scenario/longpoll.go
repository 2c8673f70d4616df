package scenario

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
)

var longpollScenario = Scenario{
	Name:  "longpoll",
	About: "many clients hold pulls with tags and SQL92 expressions on few connections, which are cut, under all faults",
	Marks: []string{
		"send acknowledged", "pull was held", "held pull brought messages", "held pull ended with its time", "held pull woke in time", "nothing matched up to here",
		"pull from above the end", "pull from below the beginning", "pull refused at once", "too many held pulls", "asked with a heartbeat's subscription",
		"connection cut while pulls are held", "broker has ended while a pull was held", "a member crashed: process killed", "a member crashed: power loss",
		"library pull brought messages", "held pulls counted", "woken behind a message that does not match", "topic deleted while pulls are held", "group deleted while pulls are held", "no pull is left", "a topic came and went",
	},
	run: runLongpoll,
}

// longpoll is the state of one run. Its members are machines that pull by hand, or with the library's pull consumer.
type longpoll struct {
	*filters
	began     env.Instant // when the safety phase began
	limit     int         // of held pulls in each broker
	slots     int         // pulls that one connection holds at most
	holdMax   time.Duration
	lines     int // that were opened so far
	pollers   []*poller
	open      []*polled // under way, in the order in which they began
	given     []*polled // up by their clients; the broker may hold them still
	ended     int       // pulls that are not open any more
	known     map[client.Queue]*knownQueue
	answers   []pollAnswer
	wanted    map[*filterGroup]map[client.Queue][]bool // which messages of the final logs a group wants
	leaving   bool                                     // nobody pulls any more
	polling   int                                      // tasks that pull
	libraries float64
	endless   float64 // share of pulls that ask for more than a broker gives
}

func runLongpoll(r *run) {
	l := &longpoll{known: map[client.Queue]*knownQueue{}}
	l.filters = &filters{sent: map[linearizability.Hash]map[string]string{}}
	l.fleet = newFleet(r, fleetBounds{
		producers: 3, members: 3, shortest: 4 * time.Second, longest: 28 * time.Second, think: 400 * time.Millisecond, brokers: l.drawBrokers,
	})
	d := r.draw
	l.slots = int(d.number("pulls of a connection", 1, 12))
	if d.chance("crowds", 0.08) {
		l.slots = int(d.number("pulls of a connection in a crowd", 50, 150))
	}
	l.holdMax = d.duration("longest hold", 300*time.Millisecond, 20*time.Second)
	l.libraries = d.share("members with the library", 1)
	if d.chance("holds without end", 0.15) {
		l.endless = 0.02
	}
	all := &filterGroup{name: "everything", tags: "*", text: "*", got: map[linearizability.Hash]bool{}, match: map[string]string{}}
	l.groups = append(l.groups, all)
	for number := range int(d.number("groups", 1, 3)) {
		l.groups = append(l.groups, l.newGroup(number))
	}
	for _, m := range l.members {
		p := &poller{
			l: l, member: m, library: m.random.Derive("library").Chance(l.libraries), cuts: m.random.Derive("cuts").Chance(0.5),
			lines: 1 + m.random.Derive("lines").IntN(2), slots: map[string][]*slot{},
		}
		l.pollers = append(l.pollers, p)
		m.instead = p.live
	}
	l.observer.Tasks.Go("watch pulls", l.watch)
	l.observer.Tasks.Go("count held pulls", l.countAll)
	if d.chance("a topic comes and goes", 0.5) {
		l.observer.Tasks.Go("come and go", l.comeAndGo)
	}
	l.send, l.caughtUp, l.finally = l.sendSomewhere, l.behind, l.demandLast
	l.play(func(c *pubsubClient) (err error) {
		c.steady, err = client.NewProducer(c.env, append(l.producerOptions(), client.WithRetries(0, 0))...)
		return err
	})
}

func (l *longpoll) drawBrokers(d *draw, o *broker.Options) {
	o.HeldPullsMax = 100_000
	if d.chance("few pulls may be held", 0.2) {
		o.HeldPullsMax = int(d.number("held pulls", 1, 30))
	}
	l.limit = o.HeldPullsMax
}

// sendSomewhere sends to one queue, often what some group wants, or does not.
func (l *longpoll) sendSomewhere(c *pubsubClient) {
	properties := drawProperties(c.random)
	g := l.groups[c.random.IntN(len(l.groups))]
	switch {
	case g.match != nil && c.random.Chance(0.3):
		properties = g.match
	case g.mismatch != nil && c.random.Chance(0.3):
		properties = g.mismatch
	}
	l.sendKnown(c, c.queue(), properties)
}

// sendKnown sends to a queue, once. What is acknowledged must wake who waits for it.
func (l *longpoll) sendKnown(c *pubsubClient, queue client.Queue, properties map[string]string) {
	l.Operations++
	m := l.message(queue.Topic, c.body(), properties)
	pending := l.recorder.BeginSend(c.number, queue.String(), linearizability.HashOf(m.Body), false, c.now())
	result, err := c.steady.SendTo(context.Background(), queue, m)
	if c.ended(pending, queue, result, err) {
		l.arrived(queue, result.QueueOffset, properties)
	}
}

// knownQueue is what is surely in a queue.
type knownQueue struct {
	messages []knownMessage // by ascending offset
	end      client.QueueOffset
}

// knownMessage was acknowledged or read.
type knownMessage struct {
	offset     client.QueueOffset
	properties map[string]string
}

func (l *longpoll) queueOf(queue client.Queue) *knownQueue {
	k := l.known[queue]
	if k == nil {
		k = &knownQueue{}
		l.known[queue] = k
	}
	return k
}

// note remembers a message. It reports false if it was known.
func (k *knownQueue) note(m knownMessage) bool {
	k.end = max(k.end, m.offset+1)
	at, found := slices.BinarySearchFunc(k.messages, m.offset, func(m knownMessage, offset client.QueueOffset) int { return int(m.offset - offset) })
	if !found {
		k.messages = slices.Insert(k.messages, at, m)
	}
	return !found
}

// wants reports whether a group wants a message that is known to stand at an offset or behind.
func (k *knownQueue) wants(g *filterGroup, from client.QueueOffset) bool {
	for _, m := range slices.Backward(k.messages) {
		if m.offset < from {
			return false
		}
		if g.wants(m.properties) {
			return true
		}
	}
	return false
}

// arrived notes a message that consumers may see, and from when on the pulls that want it must end.
func (l *longpoll) arrived(queue client.Queue, offset client.QueueOffset, properties map[string]string) {
	if !l.queueOf(queue).note(knownMessage{offset, properties}) {
		return
	}
	for _, p := range l.open {
		if p.queue == queue && p.wokenAt < 0 && offset >= p.from && p.group.wants(properties) {
			p.wokenAt = p.lived()
		}
	}
}

// drawPull chooses what to ask for: mostly what follows the last answer.
func (s *slot) drawPull(l *longpoll) *polled {
	random := s.poller.member.random
	p := &polled{slot: s, group: s.group, queue: s.queue, from: s.next, follows: true, count: 1 + random.IntN(64)}
	known := l.queueOf(s.queue)
	switch {
	case random.Chance(0.85):
	case random.Chance(0.25):
		p.follows, p.from = false, known.end+client.QueueOffset(1+random.IntN(1000))
	case random.Chance(0.25):
		p.follows, p.from = false, -client.QueueOffset(1+random.IntN(1000))
	default:
		p.follows, p.from = false, client.QueueOffset(random.IntN(int(known.end)+1))
	}
	if random.Chance(0.1) {
		p.count = random.IntN(3) - 1 // 0 and less count as 1
	}
	if random.Chance(0.2) {
		p.bytes = 1 + random.IntN(1000)
	}
	p.asked = random.Between(0, l.holdMax.Milliseconds())
	switch {
	case random.Chance(0.05):
		p.asked = -random.Between(1, 1<<62)
	case random.Chance(l.endless):
		p.asked = random.Between(1, 1<<62)
	}
	p.holds = random.Chance(0.9)
	return p
}

// longestHold is what a broker makes of a longer hold.
const longestHold = 5 * time.Minute

// hold is how long the broker may hold the pull.
func (p *polled) hold() time.Duration {
	switch {
	case !p.holds || p.asked < 0:
		return 0
	case p.asked > longestHold.Milliseconds():
		return longestHold
	}
	return time.Duration(p.asked) * time.Millisecond
}

// String tells what was asked.
func (p *polled) String() string {
	return fmt.Sprintf("pull of group %s, which wants %s, of %v from %d, held for %s", p.group.name, p.group.text, p.queue, p.from, p.hold())
}
