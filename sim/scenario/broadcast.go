package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/env"
)

var broadcastScenario = Scenario{
	Name:  "broadcast",
	About: "every member gets every message, and after a restart goes on where its file of offsets says, under all faults",
	Marks: []string{
		"send acknowledged", "a handler succeeded", "a handler failed", "handled again after a restart", "a member joined", "a member left", "a member was paused",
		"a member crashed: process killed", "a member crashed: power loss", "a crash while a handler was at work", "went on from stored offsets",
	},
	run: runBroadcast,
}

// broadcast is the state of one run.
type broadcast struct {
	*fleet
	receivers []*receiver // by number of the member
	handling  time.Duration
	failures  float64
	persist   time.Duration
}

// receiver is what a member has got, in all its lives.
type receiver struct {
	got map[linearizability.Hash]bool
	of  map[client.Queue]*received
	// working counts calls of the handler of the present life.
	working int
}

// received is one queue as a member has seen it.
type received struct {
	// Of the present life:
	begun bool
	first client.QueueOffset          // the first message that came
	done  map[client.QueueOffset]bool // what is handled
	next  client.QueueOffset          // all before it, from first on, are handled
	steps []step                      // how next has grown
	held  bool                        // the member has the queue
	lost  bool                        // it had it, and gave it up: what handlers had then counts as not handled
	floor client.QueueOffset          // of its beginning: all before it must not come, because it is in the file
}

// step is a value of next and when it was reached, in ticks of the member.
type step struct {
	next client.QueueOffset
	at   int
}

func runBroadcast(r *run) {
	b := &broadcast{
		fleet: newFleet(r, fleetBounds{producers: 2, members: 3, shortest: 10 * time.Second, longest: 60 * time.Second, think: 300 * time.Millisecond}),
	}
	b.handling = r.draw.duration("longest call of a handler", 0, 800*time.Millisecond)
	b.failures = r.draw.share("calls that fail", 0.3)
	b.persist = r.draw.duration("offsets stored every", 100*time.Millisecond, 5*time.Second)
	slow := r.draw.chance("slow disks of members", 0.6)
	for _, m := range b.members {
		if slow {
			// Then losses of power often come while a file of offsets is replaced.
			disk := m.machine.Disk().Options()
			disk.SyncMax, disk.WriteMax = 100*time.Millisecond, 3*time.Millisecond
			m.machine.Disk().SetOptions(disk)
		}
		m.options, m.ticking = b.memberOptions, b.lookAtQueues
		b.receivers = append(b.receivers, &receiver{got: map[linearizability.Hash]bool{}, of: map[client.Queue]*received{}})
	}
	b.send, b.caughtUp = b.sendAnyhow, b.missing
	b.play(func(c *pubsubClient) (err error) {
		c.producer, err = client.NewProducer(c.env, b.producerOptions()...)
		return err
	})
}

func (b *broadcast) sendAnyhow(c *pubsubClient) {
	b.record(c, marked(b.topics[c.random.IntN(len(b.topics))], c.body()))
}

// memberOptions are asked for at the beginning of each life.
func (b *broadcast) memberOptions(m *fleetMember) []client.PushOption {
	b.settle(m)
	options := []client.PushOption{
		client.WithNameServers(b.cluster.NameServerAddresses()...), client.WithGroup("broadcast"), client.WithConsumeFrom(client.FromFirst),
		client.WithModel(client.Broadcasting), client.WithInstanceName(fmt.Sprint("member", m.number)),
		client.WithHandler(b.handler(m, m.env)), client.WithOffsetStoring(b.persist), client.WithHold(b.work.hold), client.WithPullTimeout(b.work.hold + 2*time.Second),
		client.WithRequestTimeout(2 * time.Second), client.WithRouteRefresh(5 * time.Second),
	}
	for _, topic := range b.topics {
		options = append(options, client.WithSubscription(topic, client.Tags("*")))
	}
	return options
}

// storeSlack is how long a member may take to store what is due.
const storeSlack = 2 * time.Second

// settle notes what the file of a member must say: all that was handled when it was stored for the last time or, if the consumer was
// closed in order, all that was handled.
func (b *broadcast) settle(m *fleetMember) {
	r := b.receivers[m.number]
	if r.working > 0 {
		b.kernel.Mark("a crash while a handler was at work")
	}
	r.working = 0
	due := m.ticks - int((b.persist+storeSlack)/tickEvery)
	for _, queue := range b.queues {
		q := r.of[queue]
		if q == nil {
			continue
		}
		for _, s := range q.steps {
			if !q.lost && (m.closed || s.at <= due) {
				q.floor = s.next
			}
		}
		if q.floor > 0 {
			b.kernel.Mark("went on from stored offsets")
		}
		// What is not due yet may have been stored or not: the first message will tell.
		*q = received{floor: q.floor, done: map[client.QueueOffset]bool{}}
	}
}

// lookAtQueues notes which queues a member has. One whose broker dies is given up, with what is stored by then.
func (b *broadcast) lookAtQueues(m *fleetMember) {
	if m.consumer == nil {
		return
	}
	queues, err := m.consumer.Assigned(context.Background())
	if err != nil {
		return
	}
	for _, queue := range b.queues {
		q := b.receivers[m.number].queue(queue)
		held := slices.Contains(queues, queue)
		if q.held && !held {
			q.lost = true
			b.kernel.Mark("a member gave a queue up")
		}
		q.held = held
	}
}

func (r *receiver) queue(queue client.Queue) *received {
	if r.of[queue] == nil {
		r.of[queue] = &received{done: map[client.QueueOffset]bool{}}
	}
	return r.of[queue]
}

// handler notes what is handled. Failures are not repeated.
func (b *broadcast) handler(m *fleetMember, e env.Env) client.Handler {
	r := b.receivers[m.number]
	return func(_ context.Context, messages []*client.Received) error {
		message := messages[0]
		b.whole(message)
		q := r.queue(message.Queue)
		if message.Offset < q.floor {
			b.failSafety("%s was given %v again, though all before %d was handled and stored before it was started", m, message, q.floor)
		}
		q.begin(message.Offset)
		r.working++
		e.Tasks.Sleep(time.Duration(m.random.Between(0, int64(b.handling))))
		r.working--
		b.Operations++
		hash := linearizability.HashOf(message.Body)
		if r.got[hash] {
			b.kernel.Mark("handled again after a restart")
		}
		r.got[hash] = true
		q.finish(message.Offset, m.ticks)
		if m.random.Chance(b.failures) {
			b.kernel.Mark("a handler failed")
			return errors.New("bad luck")
		}
		b.kernel.Mark("a handler succeeded")
		return nil
	}
}

// begin notes that a message came. Of several that come at once a later one may begin first.
func (q *received) begin(offset client.QueueOffset) {
	if q.done[offset] {
		q.lost = true
	}
	if !q.begun || offset < q.first {
		q.begun, q.first, q.next = true, offset, offset
	}
}

// finish notes that a message is handled.
func (q *received) finish(offset client.QueueOffset, at int) {
	q.done[offset] = true
	for q.done[q.next] {
		q.next++
	}
	q.steps = append(q.steps, step{q.next, at})
}

// missing tells which message a member has not got.
func (b *broadcast) missing() string {
	for number, r := range b.receivers {
		for _, queue := range b.queues {
			i := slices.IndexFunc(b.Logs[queue.String()].Entries, func(e linearizability.Entry) bool { return !r.got[e.Hash] })
			if i >= 0 {
				return fmt.Sprintf("%s did not get the message at %d of %v", b.members[number], i, queue)
			}
		}
	}
	return ""
}
