package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/transport/proto"
)

const (
	topic     = "chaos"
	queues    = 2
	bodyBytes = 700
	// Retrying producers are the library as it stands; steady ones send to one queue and never try again.
	retrying, steady, reading = 4, 3, 2
	steadyTimeout             = time.Second
	thinkMost                 = 24 * time.Millisecond
)

// acknowledgement is when a send began, and when it was acknowledged, since the run began.
type acknowledgement struct{ began, ended time.Duration }

// clients send and read while they are let, and record it.
type clients struct {
	began    time.Time
	worlds   []*osenv.World
	closers  []func(context.Context) error
	steady   []*client.Producer
	retrying []*client.Producer
	readers  []*client.PullConsumer
	queues   []client.Queue

	work  sync.RWMutex // held for reading by each operation; who holds it for writing has a pause
	busy  sync.WaitGroup
	ended chan struct{}

	mutex    sync.Mutex // guards all below
	recorder linearizability.Recorder
	acks     []acknowledgement
	sent     int
	failed   int                            // sends
	gaveUp   int                            // of them, by producers that try again
	broken   error                          // what no client may see
	refusals map[linearizability.Hash]error // of sends
}

// connect makes the topic and all clients.
func connect(g *group) (*clients, error) {
	c := &clients{began: time.Now(), ended: make(chan struct{}), refusals: map[linearizability.Hash]error{}}
	if err := c.makeTopic(g); err != nil {
		return nil, err
	}
	for number := range steady {
		if err := c.addProducer(&c.steady, number, client.WithRetries(0, 0), client.WithSendTimeout(steadyTimeout)); err != nil {
			return nil, err
		}
	}
	for number := range retrying {
		if err := c.addProducer(&c.retrying, steady+number); err != nil {
			return nil, err
		}
	}
	for number := range reading {
		if err := c.addReader(steady + retrying + number); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *clients) makeTopic(g *group) error {
	config := proto.NewTopicConfig(topic)
	config.ReadQueues, config.WriteQueues = queues, queues
	for i := range queues {
		c.queues = append(c.queues, client.Queue{Topic: topic, BrokerName: brokerName, QueueID: int32(i)})
	}
	for until := time.Now().Add(wholeWithin); ; time.Sleep(50 * time.Millisecond) {
		// Right after the start the master may not have registered yet.
		_, err := g.admin.UpdateTopicInCluster(context.Background(), "DefaultCluster", config)
		if err == nil {
			_, err = g.admin.Route(context.Background(), topic)
		}
		if err == nil || time.Now().After(until) {
			return err
		}
	}
}

func (c *clients) world(number int) (*osenv.World, error) {
	world, err := osenv.New(osenv.Options{Node: fmt.Sprint("client", number)})
	c.worlds = append(c.worlds, world)
	return world, err
}

func (c *clients) addProducer(list *[]*client.Producer, number int, options ...client.ProducerOption) error {
	world, err := c.world(number)
	if err != nil {
		return err
	}
	usual := []client.ProducerOption{client.WithNameServers(addresses(namePort)), client.WithGroup("producers"), client.WithInstanceName(fmt.Sprint("client", number))}
	p, err := client.NewProducer(world.Env, append(usual, options...)...)
	if err != nil {
		return err
	}
	*list, c.closers = append(*list, p), append(c.closers, p.Close)
	return nil
}

func (c *clients) addReader(number int) error {
	world, err := c.world(number)
	if err != nil {
		return err
	}
	r, err := client.NewPullConsumer(world.Env, client.WithNameServers(addresses(namePort)), client.WithGroup(groupOf(number)),
		client.WithInstanceName(fmt.Sprint("client", number)), client.WithHold(400*time.Millisecond), client.WithPullTimeout(2*time.Second), client.WithRequestTimeout(time.Second))
	if err != nil {
		return err
	}
	c.readers, c.closers = append(c.readers, r), append(c.closers, r.Close)
	return nil
}

func groupOf(number int) string { return fmt.Sprint("readers", number) }

func (c *clients) now() time.Duration { return time.Since(c.began) }

func (c *clients) tick() int64 { return int64(c.now()) }

// run lets all clients work until close.
func (c *clients) run() {
	for i, p := range c.steady {
		c.loop(func() { c.sendTo(i, p, c.queues[rand.IntN(queues)]) })
	}
	for i, p := range c.retrying {
		c.loop(func() { c.sendAnywhere(steady+i, p) })
	}
	for i, r := range c.readers {
		reader := newReader(c, steady+retrying+i, r)
		c.loop(reader.step)
	}
}

// loop repeats an operation. Between two of them there may be a pause.
func (c *clients) loop(operation func()) {
	c.busy.Go(func() {
		for !c.over() {
			c.work.RLock()
			operation()
			c.work.RUnlock()
			time.Sleep(rand.N(thinkMost))
		}
	})
}

func (c *clients) over() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// close ends all clients.
func (c *clients) close() error {
	close(c.ended)
	c.busy.Wait()
	var errs []error
	for _, end := range c.closers {
		errs = append(errs, end(context.Background()))
	}
	for _, world := range c.worlds {
		world.Wait()
	}
	return errors.Join(errs...)
}

// locked runs a function that records something.
func (c *clients) locked(record func()) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	record()
}

// message makes one with a body that is different from all others.
func (c *clients) message(number int) *client.Message {
	var body []byte
	c.locked(func() {
		c.sent++
		body = fmt.Appendf(make([]byte, 0, bodyBytes), "%03d/%09d/", number, c.sent)
	})
	for len(body) < bodyBytes {
		body = append(body, byte('a'+rand.IntN(26)))
	}
	m := client.NewMessage(topic, body)
	oracle.Mark(m)
	return m
}

// begin records the beginning of a send to one queue.
func (c *clients) begin(number int, queue client.Queue, m *client.Message, repeats bool, at int64) linearizability.Pending {
	return c.recorder.BeginSend(number, queue.String(), linearizability.HashOf(m.Body), repeats, at)
}

// sendTo sends to one queue and never tries again: the history has exactly this one send.
func (c *clients) sendTo(number int, p *client.Producer, queue client.Queue) {
	m, began := c.message(number), c.tick()
	var pending linearizability.Pending
	c.locked(func() { pending = c.begin(number, queue, m, false, began) })
	result, err := p.SendTo(context.Background(), queue, m)
	c.locked(func() {
		c.refusals[linearizability.HashOf(m.Body)] = err
		c.sendEnded(pending, began, result, err)
	})
}

// sendAnywhere lets the library choose the queue, and try again. Tries before the one that was answered may have been stored in any queue.
func (c *clients) sendAnywhere(number int, p *client.Producer) {
	m, began := c.message(number), c.tick()
	pending := map[client.Queue]linearizability.Pending{}
	c.locked(func() {
		for _, queue := range c.queues {
			pending[queue] = c.begin(number, queue, m, true, began)
		}
	})
	result, err := p.Send(context.Background(), m)
	c.locked(func() {
		if err != nil {
			c.refusals[linearizability.HashOf(m.Body)] = err
			c.failed, c.gaveUp = c.failed+1, c.gaveUp+1
			return
		}
		c.sendEnded(pending[result.Queue], began, result, nil)
	})
}

// sendEnded records how a send ended. The caller holds the mutex.
func (c *clients) sendEnded(pending linearizability.Pending, began int64, result client.SendResult, err error) {
	var failed *client.SendError
	switch {
	case err == nil && result.Status == client.SendOK:
		now := c.now()
		c.recorder.EndSend(pending, int64(result.QueueOffset), int64(now))
		c.acks = append(c.acks, acknowledgement{time.Duration(began), now})
	case errors.As(err, &failed) && !failed.MaybeStored:
		c.recorder.Refuse(pending, c.tick())
		c.failed++
	default:
		c.failed++
	}
}
