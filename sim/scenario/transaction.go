package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/sim/fault"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

var transactionScenario = Scenario{
	Name:  "transaction",
	About: "messages belong to transactions that are committed, rolled back or left to the questions of brokers, and each ends once, as its producer was told, under all faults",
	Marks: []string{
		"send acknowledged", "a transaction began", "committed", "rolled back", "an end without an answer", "left to a question", "a question was answered",
		"a question was answered with unknown", "told once more", "told otherwise and refused", "delivered", "given up", "ended while all was quiet",
		"refused: pull of messages of open transactions", "refused: redelivery of a message that waits", "refused: send to the topic of timers",
	},
	run: runTransaction,
}

// moneyTopic takes the messages of transactions: nothing else is sent to it.
const moneyTopic = "money"

// transactionRun is the state of one run.
type transactionRun struct {
	*fleet
	leaves  float64 // transactions that are left to a question
	unsure  float64 // answers to questions that decide nothing
	repeats float64 // ends that are told once more
	most    int     // questions before a transaction is given up
	sent    map[linearizability.Hash]*moneyTransfer
	order   []*moneyTransfer
	seen    map[linearizability.Hash]int // in the queues
	given   map[linearizability.Hash]int // up by brokers
}

// moneyTransfer is a transaction as its producer knows it.
type moneyTransfer struct {
	m        *client.Message
	begun    bool
	sent     client.SendResult // if it has begun
	done     bool              // what belongs to it was done, or was not: until then nobody knows
	keep     bool              // it was done: a question is answered with a commit
	told     client.TransactionState
	answered bool // told was confirmed by the broker
	asked    int
	decided  bool // a question was answered with a decision
}

func runTransaction(r *run) {
	t := &transactionRun{sent: map[linearizability.Hash]*moneyTransfer{}}
	t.most = int(r.draw.number("questions before a transaction is given up", 1, 6))
	t.fleet = newFleet(r, fleetBounds{
		producers: 3, members: 1, shortest: 5 * time.Second, longest: 40 * time.Second, think: 400 * time.Millisecond,
		brokers: func(d *draw, o *broker.Options) {
			o.TransactionTimeout = d.duration("age of the first question", 200*time.Millisecond, 3*time.Second)
			o.TransactionCheckEvery = d.duration("time between questions", 200*time.Millisecond, 3*time.Second)
			o.TransactionChecksMax = t.most
		},
		// What belongs together is written one after the other: a kill in between must be likely.
		also: []fault.Kind{fault.KillBroker, fault.KillBroker, fault.SlowDisk},
	})
	d := r.draw
	t.leaves, t.unsure, t.repeats = d.share("transactions that are left", 0.4), d.share("answers that decide nothing", 0.8), d.share("ends told again", 0.3)
	t.listen("bank", moneyTopic, t.received)
	t.intrude("bank", moneyTopic, t.waiting)
	if kills := d.share("kills when a transaction ends", 0.6); kills > 0 {
		for _, n := range t.cluster.Brokers {
			random := t.kernel.Stream("kills of " + n.String())
			t.observer.Tasks.Go("kill at ends", func() { t.killAtEnds(n, random, kills) })
		}
	}
	t.send, t.caughtUp, t.finally = t.transfer, func() string { return "" }, t.whenEnded
	t.play(func(c *pubsubClient) (err error) {
		listener := func(_ context.Context, r *client.Received) client.TransactionState { return t.answer(c, r) }
		c.producer, err = client.NewProducer(c.env, append(t.producerOptions(), client.WithRetries(0, 0), client.WithTransactionListener(listener, moneyTopic))...)
		return err
	})
}

// killAtEnds kills a broker now and then just when it has committed a transaction or put it aside, and may not have marked that yet. There are more
// commits.
func (t *transactionRun) killAtEnds(n *cluster.Node, random *sim.Stream, often float64) {
	for committed, given := message.QueueOffset(0), message.QueueOffset(0); !t.stopped; {
		t.observer.Tasks.Sleep(time.Millisecond)
		if n.Broker() == nil {
			continue
		}
		s, were, had := n.Broker().Store(), given, committed
		given, committed = endOfTopic(s, proto.UncheckableTopic), endOfTopic(s, moneyTopic)
		givesUp := given > were && random.Chance(often)
		if givesUp {
			t.kernel.Mark("killed when a transaction was given up")
		}
		if givesUp || committed > had && random.Chance(often/40) {
			n.Crash(t.style(random))
			t.observer.Tasks.Sleep(time.Duration(random.Between(0, int64(300*time.Millisecond))))
			n.Start()
		}
	}
}

// style is how a broker may die: what was written and not flushed is lost only with the power.
func (t *transactionRun) style(random *sim.Stream) sim.CrashStyle {
	if t.survivesPowerLoss() && random.Chance(0.8) {
		return sim.PowerLoss
	}
	return sim.KillProcess
}

// endOfTopic is how many messages a topic has had.
func endOfTopic(s *store.Store, topic string) (sum message.QueueOffset) {
	for queue := range int32(8) { // as many as topics have that are made for a send
		_, end := s.Bounds(store.QueueKey{Topic: topic, ID: queue})
		sum += end
	}
	return sum
}

// transfer begins a transaction, and ends it or not.
func (t *transactionRun) transfer(c *pubsubClient) {
	if c.random.Chance(0.2) {
		t.record(c, marked(t.topics[c.random.IntN(len(t.topics))], c.body()))
		return
	}
	t.Operations++
	x := t.begin(c)
	tx, err := c.producer.Begin(context.Background(), x.m)
	if err != nil {
		x.done = true
		return
	}
	x.begun, x.sent = true, tx.Sent()
	t.kernel.Mark("a transaction began")
	c.pauseToThink()
	x.keep, x.done = c.random.Chance(0.6), true
	if c.random.Chance(t.leaves) {
		t.kernel.Mark("left to a question")
		tx.Leave(context.Background())
		return
	}
	t.end(c, x, tx)
}

func (t *transactionRun) begin(c *pubsubClient) *moneyTransfer {
	x := &moneyTransfer{m: client.NewMessage(moneyTopic, c.body())}
	oracle.Mark(x.m)
	t.sent[linearizability.HashOf(x.m.Body)] = x
	t.order = append(t.order, x)
	return x
}

// end tells how a transaction ends, perhaps twice, and perhaps otherwise the second time.
func (t *transactionRun) end(c *pubsubClient, x *moneyTransfer, tx *client.Tx) {
	end, other, mark := tx.Commit, proto.OutcomeRollback, "committed"
	x.told = client.TransactionCommitted
	if !x.keep {
		end, other, mark = tx.Rollback, proto.OutcomeCommit, "rolled back"
		x.told = client.TransactionRolledBack
	}
	if err := end(context.Background()); err != nil {
		t.kernel.Mark("an end without an answer")
		return
	}
	x.answered = true
	t.kernel.Mark(mark)
	if !c.random.Chance(t.repeats) {
		return
	}
	if end(context.Background()) == nil {
		t.kernel.Mark("told once more")
	}
	t.endOtherwise(c, x, tx.Sent(), other)
}

// waiting is one of the half messages.
func (t *transactionRun) waiting(random *sim.Stream) (client.SendResult, bool) {
	if len(t.order) == 0 {
		return client.SendResult{}, false
	}
	x := t.order[random.IntN(len(t.order))]
	return x.sent, x.begun
}

// endOtherwise tells the broker the opposite of what it has confirmed, which our library would not do.
func (t *transactionRun) endOtherwise(c *pubsubClient, x *moneyTransfer, sent client.SendResult, outcome proto.TransactionOutcome) {
	id, err := message.ParseOffsetID(sent.OffsetID)
	if err != nil {
		t.failSafety("%v was stored at %q: %v", x.m, sent.OffsetID, err)
		return
	}
	net := newRawClient(c.env)
	answer := net.call(t.address(sent.Queue), proto.ReqEndTransaction, map[string]string{
		"producerGroup": "producers", "tranStateTableOffset": fmt.Sprint(int64(sent.QueueOffset)), "commitLogOffset": fmt.Sprint(int64(id.LogOffset)),
		"commitOrRollback": fmt.Sprint(int32(outcome)), "msgId": sent.UniqueID,
	}, nil)
	net.close()
	switch {
	case answer == nil:
	case answer.Code == int(proto.RespSuccess):
		t.failSafety("%v was ended one way, and then the other way as well", x.m)
	case answer.Code == int(proto.RespIllegalOperation):
		t.kernel.Mark("told otherwise and refused")
	}
}

// answer is what a producer says when it is asked, about its own transactions or others'.
func (t *transactionRun) answer(c *pubsubClient, r *client.Received) client.TransactionState {
	t.whole(r)
	x := t.sent[linearizability.HashOf(r.Body)]
	if x == nil {
		t.failSafety("a broker asks about %v, which was never sent", r)
		return client.TransactionUnknown
	}
	x.asked++
	if !x.done || !t.stopped && c.random.Chance(t.unsure) {
		t.kernel.Mark("a question was answered with unknown")
		return client.TransactionUnknown
	}
	t.kernel.Mark("a question was answered")
	x.decided = true
	if x.keep {
		return client.TransactionCommitted
	}
	return client.TransactionRolledBack
}

// received looks at a message that came.
func (t *transactionRun) received(r *client.Received) {
	t.whole(r)
	t.kernel.Mark("delivered")
	x := t.sent[linearizability.HashOf(r.Body)]
	switch {
	case x == nil:
		t.failSafety("%v at %d of %v was never sent", r, r.Offset, r.Queue)
	case !x.keep:
		t.failSafety("%v at %d of %v was seen, though its transaction was not to be committed", r, r.Offset, r.Queue)
	case x.answered && x.told == client.TransactionRolledBack:
		t.failSafety("%v at %d of %v was seen, though its transaction was rolled back", r, r.Offset, r.Queue)
	}
}

// whenEnded waits until every transaction has ended, and reads what was committed.
func (t *transactionRun) whenEnded(probe *pubsubClient) {
	t.observer.Tasks.Sleep(time.Duration(t.most+2)*3*time.Second + wakeWithin)
	t.readMoney(probe)
	for _, x := range t.order {
		t.demandOutcome(x)
	}
	if t.kernel.Failure() == nil {
		t.demandEnds(probe)
	}
}

// readMoney reads all that was committed.
func (t *transactionRun) readMoney(probe *pubsubClient) {
	t.seen = map[linearizability.Hash]int{}
	t.readTopic(probe, moneyTopic, func(r *client.Received) {
		t.received(r)
		t.seen[linearizability.HashOf(r.Body)]++
	})
	t.given = map[linearizability.Hash]int{}
	t.readTopic(probe, proto.UncheckableTopic, func(r *client.Received) { t.given[linearizability.HashOf(r.Body)]++ })
}

// demandOutcome: a transaction has one outcome, and it is that which its producer was told.
func (t *transactionRun) demandOutcome(x *moneyTransfer) {
	given := t.given[linearizability.HashOf(x.m.Body)]
	switch n := t.seen[linearizability.HashOf(x.m.Body)]; {
	case n > 1:
		t.failSafety("%v was committed %d times", x.m, n)
	case n == 1 && x.answered && x.told == client.TransactionRolledBack:
		t.failSafety("%v was rolled back, and is there", x.m)
	case n == 0 && x.answered && x.told == client.TransactionCommitted:
		t.failSafety("%v was committed, and is not there", x.m)
	case n == 1 && given > 0:
		t.failSafety("%v was committed, and given up", x.m)
	case given > 1:
		t.failSafety("%v was given up %d times", x.m, given)
	case n == 0 && given == 0 && x.begun && x.keep:
		t.failSafety("%v has begun, its producer would commit it and was asked %d times, and the message is neither there nor given up", x.m, x.asked)
	case given > 0 && x.answered && x.told == client.TransactionCommitted:
		t.failSafety("%v was committed, as its producer was told, and was given up", x.m)
	case given > 0:
		t.kernel.Mark("given up")
	}
}

// demandEnds commits one transaction and rolls back another in a world in which nothing is broken.
func (t *transactionRun) demandEnds(probe *pubsubClient) {
	probe.producer = probe.steady
	for _, keep := range []bool{true, false} {
		x := t.begin(probe)
		x.keep, x.done = keep, true
		tx, err := probe.producer.Begin(context.Background(), x.m)
		if err != nil {
			t.failLiveness("nothing is broken, and a transaction cannot begin: %v", err)
			return
		}
		if t.end(probe, x, tx); !x.answered {
			t.failLiveness("nothing is broken, and a transaction cannot end")
			return
		}
		t.readMoney(probe)
		t.demandOutcome(x)
	}
	t.kernel.Mark("ended while all was quiet")
}
