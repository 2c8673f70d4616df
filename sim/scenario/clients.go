package scenario

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/transport/proto"
)

// permReadWrite lets clients send to a topic and pull from it.
const permReadWrite = 6

var observerAddress = netip.MustParseAddr("10.0.9.9")

// pubsubClient is one machine with a producer or a consumer.
type pubsubClient struct {
	p        *pubsub
	number   int
	machine  *sim.Machine
	env      env.Env
	random   *sim.Stream
	producer *client.Producer // or nil
	steady   *client.Producer // the same, that never retries
	consumer *client.PullConsumer
	sent     int
	newest   client.QueueOffset // of the last message that was acknowledged
	refusal  error              // how the last send or pull that did not do ended
}

func (p *pubsub) addClients() {
	for number := range p.work.producers + p.work.consumers {
		machine, e := p.cluster.AddClient()
		p.clients = append(p.clients, &pubsubClient{
			p: p, number: number, machine: machine, env: e, random: p.kernel.Stream(fmt.Sprint("client ", number)),
		})
	}
}

// connect makes the client's producer or consumer.
func (c *pubsubClient) connect() error {
	names := client.WithNameServers(c.p.cluster.NameServerAddresses()...)
	var err error
	if c.number >= c.p.work.producers {
		c.consumer, err = client.NewPullConsumer(c.env, names, client.WithGroup(c.group()), client.WithHold(c.p.work.hold),
			client.WithPullTimeout(c.p.work.hold+2*time.Second), client.WithRequestTimeout(time.Second), client.WithRouteRefresh(time.Second))
		return err
	}
	common := []client.ProducerOption{
		names, client.WithGroup("producers"), client.WithSendTimeout(sendFor), client.WithRequestTimeout(time.Second), client.WithRouteRefresh(time.Second),
	}
	if c.producer, err = client.NewProducer(c.env, append(common, client.WithTryTimeout(700*time.Millisecond))...); err != nil {
		return err
	}
	c.steady, err = client.NewProducer(c.env, append(common, client.WithRetries(0, 0))...)
	return err
}

func (c *pubsubClient) group() string { return fmt.Sprintf("group%d", c.number%100) }

func (c *pubsubClient) now() int64 { return int64(c.env.Clock.Now()) }

func (c *pubsubClient) createTopics() error {
	admin, err := client.NewAdmin(c.env, client.WithNameServers(c.p.cluster.NameServerAddresses()...))
	if err != nil {
		return err
	}
	for _, topic := range c.p.topics {
		queues := int32(c.p.work.queuesPerTopic)
		config := client.TopicConfig{Name: topic, ReadQueues: queues, WriteQueues: queues, Perm: permReadWrite}
		for attempt := 0; ; attempt++ {
			// Right after the start the brokers may not have registered yet.
			_, err := admin.UpdateTopicInCluster(context.Background(), "DefaultCluster", config)
			if err == nil && c.onAllBrokers(admin, topic) {
				break
			}
			if attempt == 50 {
				return err
			}
			c.env.Tasks.Sleep(200 * time.Millisecond)
		}
	}
	return admin.Close(context.Background())
}

func (c *pubsubClient) onAllBrokers(admin *client.Admin, topic string) bool {
	route, err := admin.Route(context.Background(), topic)
	headless := func(b proto.BrokerRoute) bool { return len(b.Addresses) == 0 || b.Addresses[0].ID != proto.MasterID }
	return err == nil && len(route.Brokers) == len(c.p.cluster.Groups) && !slices.ContainsFunc(route.Brokers, headless)
}

// startClients begins the work of all clients. The tasks of one client share its connections; in the history each
// is a client of its own.
func (p *pubsub) startClients() {
	for _, c := range p.clients {
		p.busy++
		c.env.Tasks.Go("connect", func() {
			c.start()
			p.busy--
		})
	}
}

func (c *pubsubClient) start() {
	if err := c.connect(); err != nil {
		c.p.failSafety("client %d could not be made: %v", c.number, err)
		return
	}
	for task := range c.p.work.tasks {
		worker := *c
		worker.number = task*100 + c.number
		worker.random = c.random.Derive(fmt.Sprint("task ", task))
		c.p.busy++
		c.env.Tasks.Go("work", func() {
			worker.work()
			c.p.busy--
		})
	}
}

func (c *pubsubClient) work() {
	if c.consumer != nil {
		c.consume()
		return
	}
	for !c.p.stopped {
		c.send()
		c.pauseToThink()
	}
}

func (c *pubsubClient) pauseToThink() {
	if c.p.work.think > 0 {
		c.env.Tasks.Sleep(time.Duration(c.random.Between(0, int64(c.p.work.think))))
	}
}

// body makes one that is different from all others.
func (c *pubsubClient) body() []byte {
	c.sent++
	body := fmt.Appendf(nil, "%03d/%08d/", c.number, c.sent)
	if c.p.work.equalSizes {
		return body
	}
	for range c.random.Between(0, c.p.work.bodyMax) {
		body = append(body, byte(c.random.Uint64()))
	}
	return body
}

// marked makes a message that every reader can recognise as whole.
func marked(topic string, body []byte) *client.Message {
	m := client.NewMessage(topic, body)
	oracle.Mark(m)
	return m
}

// whole fails the run if a message is not as it was sent.
func (p *pubsub) whole(m *client.Received) {
	if err := oracle.Intact(&m.Message); err != nil {
		p.failSafety("%v at %d: %v", m.Queue, m.Offset, err)
	}
}

func (c *pubsubClient) queue() client.Queue { return c.p.queues[c.random.IntN(len(c.p.queues))] }

func (c *pubsubClient) send() {
	w := &c.p.work
	c.p.Operations++
	switch {
	case c.random.Chance(w.batches):
		c.sendBatch()
	case c.random.Chance(w.oneways):
		c.sendOneway()
	case c.random.Chance(w.retries):
		c.sendAnywhere()
	default:
		c.sendTo(c.queue())
	}
}

// sendTo sends to one queue and never tries again: the history has exactly this one send. It reports
// whether the send was acknowledged.
func (c *pubsubClient) sendTo(queue client.Queue) bool {
	body := c.body()
	pending := c.p.recorder.BeginSend(c.number, queue.String(), linearizability.HashOf(body), false, c.now())
	result, err := c.steady.SendTo(context.Background(), queue, marked(queue.Topic, body))
	return c.ended(pending, queue, result, err)
}

// ended records how a send ended.
func (c *pubsubClient) ended(pending linearizability.Pending, queue client.Queue, result client.SendResult, err error) bool {
	k := c.p.kernel
	c.refusal = err
	var failed *client.SendError
	switch {
	case err == nil && result.Status == client.SendOK:
		c.p.recorder.EndSend(pending, int64(result.QueueOffset), c.now())
		c.newest = result.QueueOffset
		k.Mark("send acknowledged")
		c.p.injector.Acknowledged(queue.BrokerName)
		return true
	case err == nil:
		k.Mark("send stored and not flushed in time")
	case errors.As(err, &failed) && !failed.MaybeStored:
		c.p.recorder.Refuse(pending, c.now())
		k.Mark("send refused")
	default:
		k.Mark("send without an answer")
	}
	if err != nil && strings.Contains(err.Error(), "minInSyncReplicas") {
		k.Mark("copies were too few")
	}
	return false
}

// sendAnywhere lets the client choose the queue, and try again elsewhere.
func (c *pubsubClient) sendAnywhere() {
	topic := c.p.topics[c.random.IntN(len(c.p.topics))]
	body := c.body()
	began := c.now()
	result, err := c.producer.Send(context.Background(), marked(topic, body))
	c.p.patient(err)
	// Tries before the one that was answered may have been stored in any queue.
	for _, queue := range c.p.queues {
		if queue.Topic != topic {
			continue
		}
		pending := c.p.recorder.BeginSend(c.number, queue.String(), linearizability.HashOf(body), true, began)
		if err == nil && queue == result.Queue {
			c.ended(pending, queue, result, nil)
		}
	}
}

func (c *pubsubClient) sendOneway() {
	topic := c.p.topics[c.random.IntN(len(c.p.topics))]
	body := c.body()
	for _, queue := range c.p.queues {
		if queue.Topic == topic {
			c.p.recorder.BeginSend(c.number, queue.String(), linearizability.HashOf(body), true, c.now())
		}
	}
	// Whether it worked is not known anyway.
	_ = c.producer.SendOneway(context.Background(), marked(topic, body))
}

// sendBatch sends several messages at once; the client chooses the queue.
func (c *pubsubClient) sendBatch() {
	topic := c.p.topics[c.random.IntN(len(c.p.topics))]
	var messages []*client.Message
	var bodies [][]byte
	for range 1 + c.random.IntN(5) {
		body := c.body()
		bodies = append(bodies, body)
		messages = append(messages, marked(topic, body))
	}
	began := c.now()
	results, err := c.producer.SendBatch(context.Background(), messages)
	c.p.patient(err)
	for i, body := range bodies {
		for _, queue := range c.p.queues {
			if queue.Topic != topic {
				continue
			}
			pending := c.p.recorder.BeginSend(c.number, queue.String(), linearizability.HashOf(body), true, began)
			if err == nil && queue == results[i].Queue {
				c.ended(pending, queue, results[i], nil)
				c.p.kernel.Mark("batch acknowledged")
			}
		}
	}
}

// consume reads queues in turn, commits, and now and then goes back to what it has committed.
func (c *pubsubClient) consume() {
	next := map[client.Queue]client.QueueOffset{}
	for !c.p.stopped {
		queue := c.queue()
		if !c.p.uncommitted && c.random.Chance(c.p.work.rewinds) {
			if offset, ok := c.fetchCommitted(queue); ok {
				next[queue] = offset
			}
		}
		offset, ok := c.read(queue, next[queue])
		if ok && offset != next[queue] {
			next[queue] = offset
			if !c.p.uncommitted && c.random.Chance(0.5) {
				c.commit(queue, offset)
			}
		}
		c.pauseToThink()
	}
}

// read pulls once and records what it saw. It returns where to go on.
func (c *pubsubClient) read(queue client.Queue, from client.QueueOffset) (client.QueueOffset, bool) {
	c.p.Operations++
	began := c.now()
	pending := c.p.recorder.BeginRead(c.number, queue.String(), int64(from), false, began)
	result, err := c.consumer.Pull(context.Background(), queue, from, 1+c.random.IntN(32))
	if err != nil {
		return from, false
	}
	hashes := make([]linearizability.Hash, len(result.Messages))
	for i, m := range result.Messages {
		if m.Queue != queue || m.Offset != from+client.QueueOffset(i) {
			c.p.failSafety("a pull of %v from %d brought %v at place %d", queue, from, m, i)
		}
		c.p.whole(m)
		hashes[i] = linearizability.HashOf(m.Body)
	}
	end := linearizability.OffsetNone
	switch result.Status {
	case client.NoNewMessages:
		if !c.p.stale {
			end = int64(from)
		}
		c.p.kernel.Mark("pull was held")
	case client.OffsetMoved:
		if c.p.mayMove {
			c.p.kernel.Mark("a consumer was sent back")
			return result.Next, true
		}
		c.p.failSafety("%v: offset %d was said to be outside [%d, %d), though everything before it was read", queue, from, result.Min, result.Max)
	case client.NewMessages:
		c.p.kernel.Mark("pull found messages")
	}
	c.p.recorder.EndRead(pending, hashes, end, c.now())
	return result.Next, true
}

func (c *pubsubClient) offsetKey(queue client.Queue) string { return c.group() + " " + queue.String() }

func (c *pubsubClient) commit(queue client.Queue, offset client.QueueOffset) {
	c.p.Operations++
	pending := c.p.recorder.BeginCommitOffset(c.number, c.offsetKey(queue), int64(offset), c.now())
	if err := c.consumer.Commit(context.Background(), queue, offset); err == nil {
		c.p.recorder.Done(pending, c.now())
		c.p.kernel.Mark("commit acknowledged")
	}
}

func (c *pubsubClient) fetchCommitted(queue client.Queue) (client.QueueOffset, bool) {
	c.p.Operations++
	pending := c.p.recorder.BeginFetchOffset(c.number, c.offsetKey(queue), c.now())
	offset, found, err := c.consumer.Committed(context.Background(), queue)
	if err != nil {
		return 0, false
	}
	// A group that has committed nothing begins at 0, which brokers answer like a commit.
	answer := int64(offset)
	if !found || offset == 0 {
		answer = linearizability.OffsetNone
	}
	c.p.recorder.EndFetchOffset(pending, answer, c.now())
	c.p.kernel.Mark("offset fetched")
	return offset, found
}
