package scenario

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/sim/fault"
	"github.com/gantrymq/gantry/sim/oracle"
)

var delayScenario = Scenario{
	Name:  "delay",
	About: "messages wait for delay levels of drawn tables, which change at restarts, and each is delivered once, never early by its broker's calendar, where it belongs and as it was, under all faults",
	Marks: []string{
		"send acknowledged", "a level was acknowledged", "a level beyond the table", "a level without an answer", "delivered", "delivered in time while all was quiet",
		"the table changed at a restart", "the table became shorter", "waited for a level that is gone", "set back while it waited",
	},
	run: runDelay,
}

// laterTopic takes what waits for a delay level: nothing else is sent to it.
const laterTopic = "later"

// delayRun is the state of one run.
type delayRun struct {
	*fleet
	first   []time.Duration // the table of the first start
	longest time.Duration   // that a level waits
	changes float64         // restarts that change the table
	random  *sim.Stream
	tables  map[string][][]time.Duration // that each broker has had, the last one last
	sent    map[linearizability.Hash]*leveledMessage
	order   []*leveledMessage
}

// leveledMessage is one that was sent with a level.
type leveledMessage struct {
	m            *client.Message
	level        int
	acknowledged bool
	answer       client.SendResult
	why          error         // if it was not
	found        int           // of such messages wait, or have
	wait         time.Duration // what its level says, where that is known; 0: any table may have counted
}

func runDelay(r *run) {
	t := &delayRun{sent: map[linearizability.Hash]*leveledMessage{}, tables: map[string][][]time.Duration{}, random: r.kernel.Stream("tables of levels")}
	t.longest = r.draw.duration("longest level", 300*time.Millisecond, 12*time.Second)
	t.changes = r.draw.share("starts with another table", 1)
	t.first = t.drawTable(t.random)
	r.draw.note("first table of levels", t.first)
	t.fleet = newFleet(r, fleetBounds{
		producers: 3, members: 1, shortest: 5 * time.Second, longest: 45 * time.Second, think: 300 * time.Millisecond,
		vary: t.vary, also: []fault.Kind{fault.RestartBroker, fault.KillBroker, fault.StepWallClock},
	})
	retries := int(r.draw.number("retries of sends", 0, 2))
	t.listen("waiters", laterTopic, t.received)
	t.send, t.caughtUp, t.finally = t.sendLater, func() string { return "" }, t.whenDelivered
	options := []client.ProducerOption{client.WithRetries(retries, 0)}
	if r.draw.chance("sends that are stored twice", 0.5) {
		options = append(options, client.WithoutExactlyOnce())
	}
	t.play(func(c *pubsubClient) (err error) {
		c.producer, err = client.NewProducer(c.env, append(t.producerOptions(), options...)...)
		return err
	})
}

// drawTable is a table of 1 to 18 levels, in no order.
func (t *delayRun) drawTable(random *sim.Stream) []time.Duration {
	table := make([]time.Duration, random.Between(1, levels))
	for i := range table {
		table[i] = time.Duration(random.Between(int64(50*time.Millisecond), int64(t.longest))).Truncate(time.Millisecond)
	}
	return table
}

// vary gives a broker its table: that of its last start, or another one.
func (t *delayRun) vary(n *cluster.Node, start int, o *broker.Options) {
	had := t.tables[n.String()]
	if len(had) == 0 {
		had = [][]time.Duration{t.first}
	}
	table, own := had[len(had)-1], t.random.Derive(fmt.Sprint(n, " start ", start))
	if start > 1 && own.Chance(t.changes) {
		next := t.drawTable(own)
		t.kernel.Mark("the table changed at a restart")
		if len(next) < len(table) {
			t.kernel.Mark("the table became shorter")
		}
		table = next
		had = append(had, table)
	}
	t.tables[n.String()] = had
	o.Store.DelayLevels = table
}

// sendLater sends a message with a level, now and then with one that no table has.
func (t *delayRun) sendLater(c *pubsubClient) {
	if c.random.Chance(0.15) {
		t.record(c, marked(t.topics[c.random.IntN(len(t.topics))], c.body()))
		return
	}
	t.Operations++
	t.sendOne(c, c.producer, int(c.random.Between(1, levels+2)))
}

func (t *delayRun) sendOne(c *pubsubClient, by *client.Producer, level int) *leveledMessage {
	w := &leveledMessage{m: client.NewMessage(laterTopic, c.body(), client.DelayLevel(level)), level: level}
	oracle.Mark(w.m)
	t.sent[linearizability.HashOf(w.m.Body)] = w
	t.order = append(t.order, w)
	result, err := by.Send(context.Background(), w.m)
	if w.why = err; err != nil || result.Status != client.SendOK {
		t.kernel.Mark("a level without an answer")
		return w
	}
	w.acknowledged, w.answer = true, result
	t.kernel.Mark("a level was acknowledged")
	return w
}

// received looks at a message that came to a consumer.
func (t *delayRun) received(r *client.Received) {
	t.whole(r)
	t.kernel.Mark("delivered")
	if w := t.sent[linearizability.HashOf(r.Body)]; w == nil {
		t.failSafety("%v at %d of %v was never sent", r, r.Offset, r.Queue)
	}
}

// longestWait is the longest time for which any level waits in the tables in force.
func (t *delayRun) longestWait() (longest time.Duration) {
	for _, n := range t.cluster.Brokers {
		longest = max(longest, slices.Max(t.tableOf(n)))
	}
	return longest
}

// tableOf is the table in force at a broker.
func (t *delayRun) tableOf(n *cluster.Node) []time.Duration {
	had := t.tables[n.String()]
	return had[len(had)-1]
}

// whenDelivered waits until nothing can wait any more, and judges what was delivered. Then it demands that levels are exact.
func (t *delayRun) whenDelivered(probe *pubsubClient) {
	t.observer.Tasks.Sleep(t.longestWait() + wakeWithin)
	if !t.judgeDeliveries() {
		return
	}
	for _, w := range t.order {
		if w.found == 0 && w.acknowledged {
			t.failSafety("%v with level %d, acknowledged as %v, does not wait and has not waited anywhere", w.m, w.level, w.answer)
		}
		if w.found > 1 {
			t.kernel.Mark("waits twice after a retry")
		}
	}
	for level := 1; level <= levels && t.kernel.Failure() == nil; level += 1 + probe.random.IntN(levels) {
		t.demandExact(probe, level)
	}
}

// demandExact sends a message in a world in which nothing is broken, and demands that it comes in its time.
func (t *delayRun) demandExact(probe *pubsubClient, level int) {
	w := t.sendOne(probe, probe.steady, level)
	if !w.acknowledged {
		t.failLiveness("nothing is broken, and a message with delay level %d is refused: %v", level, w.why)
		return
	}
	table := t.tableOf(t.node(w.answer.Queue))
	w.wait = table[min(level, len(table))-1]
	t.observer.Tasks.Sleep(w.wait + exactWithin)
	if t.judgeDeliveries() {
		t.kernel.Mark("delivered in time while all was quiet")
	}
}
