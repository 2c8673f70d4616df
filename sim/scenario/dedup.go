package scenario

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim/fault"
	"github.com/gantrymq/gantry/sim/oracle"
)

var dedupScenario = Scenario{
	Name: "dedup",
	About: "producers send again whatever was not answered, and so do clients made by hand, also much later, over two connections at once, to other queues " +
		"and with other bodies; each message is stored once, and each answer is the first one's, under all faults",
	Marks: []string{
		"send acknowledged", "acknowledged after more than one try", "stored twice safely known as once", "batch acknowledged after more than one try", "a half message was acknowledged",
		"a level was acknowledged", "a repeat was answered", "a repeat at once was answered", "a repeat long after was answered", "below the window", "a send without an answer was repeated",
		"repeated while all was quiet",
	},
	run: runDedup,
}

// onceTopic takes messages of which nobody keeps a history, but a ledger.
const onceTopic = "once"

// dedupRun is the state of one run.
type dedupRun struct {
	*fleet
	window  int
	others  float64 // sends that are not plain ones
	sent    map[linearizability.Hash]*onceMessage
	order   []*onceMessage
	batches [][]*onceMessage                // that were acknowledged
	seen    map[linearizability.Hash]string // where members have met a message
	makers  []*repeater
}

// onceMessage is a message of the library's producers.
type onceMessage struct {
	m        *client.Message
	tries    int
	answered []client.SendResult // none, or the one that says that it is stored
}

func runDedup(r *run) {
	d := &dedupRun{sent: map[linearizability.Hash]*onceMessage{}, seen: map[linearizability.Hash]string{}}
	d.fleet = newFleet(r, fleetBounds{
		producers: 3, members: 1, shortest: 5 * time.Second, longest: 40 * time.Second, think: 200 * time.Millisecond,
		brokers: func(r *draw, o *broker.Options) {
			quickLevels(r, o)
			d.window = int(r.number("window of sends", 12, 40))
			if r.chance("a large window", 0.5) {
				d.window = 4096
			}
			o.RepeatWindow, o.TransactionTimeout = d.window, time.Second
			o.Store.FlushTimeout = r.duration("flush timeout", 50*time.Millisecond, time.Second)
		},
		also: []fault.Kind{fault.ResetConnection, fault.PartitionOneWay, fault.StuckSync, fault.StuckSync, fault.PowerLossAfterAck, fault.PowerLossAfterAck, fault.PowerLossBroker}, every: 4 * time.Second,
	})
	d.others = r.draw.share("sends of other sorts", 0.8)
	for _, m := range d.members {
		m.options = d.memberOptions
	}
	d.addRepeaters()
	d.send, d.caughtUp, d.finally = d.sendOnce, func() string { return "" }, d.whenQuiet
	tryFor := r.draw.duration("time of a try", 100*time.Millisecond, 900*time.Millisecond)
	d.play(func(c *pubsubClient) (err error) {
		c.producer, err = client.NewProducer(c.env, append(d.producerOptions(), client.WithSendTimeout(6*time.Second), client.WithTryTimeout(tryFor), client.WithRetries(20, 20),
			client.WithTransactionListener(func(context.Context, *client.Received) client.TransactionState { return client.TransactionRolledBack }, onceTopic))...)
		return err
	})
}

func (d *dedupRun) memberOptions(m *fleetMember) []client.PushOption {
	return []client.PushOption{
		client.WithNameServers(d.cluster.NameServerAddresses()...), client.WithGroup("once"), client.WithConsumeFrom(client.FromFirst),
		client.WithHandler(func(_ context.Context, messages []*client.Received) error {
			for _, r := range messages {
				d.received(r)
			}
			return nil
		}),
		client.WithSubscription(onceTopic, client.Tags("*")), client.WithSubscription(d.topics[0], client.Tags("*")), client.WithHold(d.work.hold),
		client.WithPullTimeout(d.work.hold + 2*time.Second), client.WithRequestTimeout(2 * time.Second), client.WithRouteRefresh(5 * time.Second),
	}
}

// received looks at a message that came: it may come again, but only from the same place.
func (d *dedupRun) received(r *client.Received) {
	hash, place := linearizability.HashOf(r.Body), fmt.Sprintf("%s at %d", r.Queue, r.Offset)
	if first, met := d.seen[hash]; met && first != place {
		d.failSafety("a message came from %s, and from %s", first, place)
	}
	d.seen[hash] = place
}

// sendOnce sends in one of the ways that there are.
func (d *dedupRun) sendOnce(c *pubsubClient) {
	if !c.random.Chance(d.others) {
		d.record(c, marked(d.topics[c.random.IntN(len(d.topics))], c.body()))
		return
	}
	d.Operations++
	switch c.random.IntN(8) {
	case 0, 6, 7:
		d.sendBatch(c)
	case 1:
		d.sendHalf(c)
	case 2:
		d.sendPlain(c, d.newMessage(c, client.DelayLevel(int(c.random.Between(1, 5)))), "a level was acknowledged")
	case 3:
		o := d.newMessage(c)
		// Whether it was stored is not known anyway.
		_ = c.producer.SendOneway(context.Background(), o.m)
	case 4:
		d.sendToQueue(c)
	default:
		d.sendPlain(c, d.newMessage(c), "send acknowledged")
	}
}

func (d *dedupRun) newMessage(c *pubsubClient, options ...client.MessageOption) *onceMessage {
	o := &onceMessage{m: client.NewMessage(onceTopic, c.body(), options...)}
	oracle.Mark(o.m)
	d.sent[linearizability.HashOf(o.m.Body)] = o
	d.order = append(d.order, o)
	return o
}

// sendPlain sends and waits, or in the background.
func (d *dedupRun) sendPlain(c *pubsubClient, o *onceMessage, mark string) {
	outcome := func(result client.SendResult, err error) {
		if d.acknowledged(o, result, err) {
			d.kernel.Mark(mark)
		}
	}
	if c.random.Chance(0.3) {
		d.busy++
		err := c.producer.SendAsync(context.Background(), o.m, func(result client.SendResult, err error) {
			d.busy--
			outcome(result, err)
		})
		if err != nil {
			d.busy--
		}
		return
	}
	outcome(c.producer.Send(context.Background(), o.m))
}

// acknowledged notes how a send ended. It reports whether the message is stored for good.
func (d *dedupRun) acknowledged(o *onceMessage, result client.SendResult, err error) bool {
	o.tries = result.Tries
	if err != nil || result.Status != client.SendOK {
		return false
	}
	o.answered = []client.SendResult{result}
	if result.Tries > 1 {
		d.kernel.Mark("acknowledged after more than one try")
	}
	d.injector.Acknowledged(result.Queue.BrokerName)
	return true
}

func (d *dedupRun) sendBatch(c *pubsubClient) {
	var list []*onceMessage
	var messages []*client.Message
	for range 2 + c.random.IntN(10) {
		// So long that a torn write may leave the first ones of a batch.
		o := d.newMessage(c, client.Keys(strings.Repeat("k", 300)))
		list, messages = append(list, o), append(messages, o.m)
	}
	results, err := c.producer.SendBatch(context.Background(), messages)
	if err == nil {
		d.batches = append(d.batches, list)
	}
	for i, o := range list {
		if err == nil && d.acknowledged(o, results[i], nil) && o.tries > 1 {
			d.kernel.Mark("batch acknowledged after more than one try")
		}
	}
}

// sendHalf sends the message of a transaction, and commits it.
func (d *dedupRun) sendHalf(c *pubsubClient) {
	o := d.newMessage(c)
	tx, err := c.producer.Begin(context.Background(), o.m)
	if err != nil {
		return
	}
	if d.acknowledged(o, tx.Sent(), nil) {
		d.kernel.Mark("a half message was acknowledged")
	}
	if tx.Commit(context.Background()) != nil {
		tx.Leave(context.Background())
	}
}

// sendToQueue sends to a queue that it chooses, and keeps the history as if there were one try only.
func (d *dedupRun) sendToQueue(c *pubsubClient) {
	queue, body := c.queue(), c.body()
	pending := d.recorder.BeginSend(c.number, queue.String(), linearizability.HashOf(body), false, c.now())
	result, err := c.producer.SendTo(context.Background(), queue, marked(queue.Topic, body))
	if c.ended(pending, queue, result, err) && result.Tries > 1 {
		d.kernel.Mark("stored twice safely known as once")
	}
}

// whenQuiet repeats what clients have sent by hand, and looks at all that is in the logs.
func (d *dedupRun) whenQuiet(*pubsubClient) {
	// Delays and questions about transactions end.
	d.observer.Tasks.Sleep(20 * time.Second)
	for _, m := range d.makers {
		done := false
		m.env.Tasks.Go("repeat all", func() {
			m.repeatAll()
			done = true
		})
		d.await(serveWithin, func() bool { return done })
	}
	logs := map[string][]*storedRecord{}
	for _, n := range d.cluster.Brokers {
		logs[n.String()] = d.scan(n)
	}
	if d.kernel.Failure() != nil {
		return
	}
	d.judgeIdentities(logs)
	for _, o := range d.order {
		d.judgeMessage(o, logs)
	}
	for _, list := range d.batches {
		d.markParted(list, logs)
	}
	for _, m := range d.makers {
		m.judge(logs)
	}
	d.judgeHistory()
}

// judgeHistory: what the library has sent is in all queues together once.
func (d *dedupRun) judgeHistory() {
	where := map[linearizability.Hash]string{}
	for _, queue := range d.queues {
		for _, e := range d.Logs[queue.String()].Entries {
			place := fmt.Sprintf("%s at %d", queue, e.Offset)
			if first, twice := where[e.Hash]; twice {
				d.failSafety("a message is in %s and in %s", first, place)
			}
			where[e.Hash] = place
		}
	}
}
