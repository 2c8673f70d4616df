package scenario

import (
	"context"
	"slices"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/proto"
)

// Bounds of the liveness phase, in simulated time.
const (
	restartWithin = time.Minute      // all nodes run
	settleWithin  = 40 * time.Second // clients end their last operation
	serveWithin   = 2 * time.Minute  // routes are right and every queue takes and hands out messages
	wakeWithin    = 1500 * time.Millisecond
)

// demandProgress: nothing is broken any more, so everything must work soon.
func (p *pubsub) demandProgress() {
	if !p.until("restart", restartWithin, func() bool {
		p.restartFenced()
		return p.allReady() && p.injector.Over()
	}) {
		p.failLiveness("after everything healed, nodes do not run within %s: %v", restartWithin, p.notReady())
		return
	}
	if !p.until("settle", settleWithin, func() bool { return p.busy == 0 }) {
		p.failLiveness("after everything healed, %d clients do not end their last operation within %s", p.busy, settleWithin)
		return
	}
	done := false
	probe := &pubsubClient{p: p, number: len(p.clients), env: p.observer, random: p.kernel.Stream("probe")}
	p.observer.Tasks.Go("probe", func() {
		probe.demand()
		done = true
	})
	const probeWithin = 2*serveWithin + deadWithin
	if !p.until("probe", probeWithin, func() bool { return done }) {
		p.failLiveness("after everything healed, the probe does not end within %s", probeWithin)
	}
}

// restartFenced does what an operator would: a broker whose disk failed while it started says so and takes no messages until
// it is started again.
func (p *pubsub) restartFenced() {
	for _, n := range p.cluster.Brokers {
		if b := n.Broker(); b != nil && b.Store().Fenced() != nil {
			n.Crash(sim.KillProcess)
			n.Start()
		}
	}
}

// demand checks routes, sends to every queue, waits for a held pull to wake, and reads every queue whole.
func (c *pubsubClient) demand() {
	deadline := c.env.Clock.Now().Add(serveWithin)
	names := client.WithNameServers(c.p.cluster.NameServerAddresses()...)
	var err error
	common := []client.ProducerOption{names, client.WithGroup("probe"), client.WithSendTimeout(2 * time.Second), client.WithRouteRefresh(time.Second), client.WithRetries(0, 0)}
	if c.steady, err = client.NewProducer(c.env, common...); err != nil {
		c.p.failSafety("the probe's producer could not be made: %v", err)
		return
	}
	c.consumer, err = client.NewPullConsumer(c.env, names, client.WithGroup("probe"), client.WithHold(10*time.Second),
		client.WithPullTimeout(20*time.Second), client.WithRouteRefresh(time.Second))
	if err != nil {
		c.p.failSafety("the probe's consumer could not be made: %v", err)
		return
	}
	c.demandRoutes(deadline.Sub(c.env.Clock.Now()))
	for _, queue := range c.p.queues {
		for !c.sendTo(queue) {
			if deadline.Reached(c.env.Clock.Now()) {
				c.p.failLiveness("%v takes no message within %s after everything healed: %v", queue, serveWithin, c.refusal)
				return
			}
			c.env.Tasks.Sleep(100 * time.Millisecond)
		}
	}
	c.p.Logs = map[string]linearizability.Log{}
	for _, queue := range c.p.queues {
		end := c.readAll(queue)
		c.demandWake(queue, end)
		c.readAll(queue)
	}
	if len(c.p.cluster.Groups) == len(c.p.cluster.Brokers) {
		c.demandDeadBrokerLeaves()
	}
}

// deadWithin is how long a name server may route to a broker that went silent: the time-out of a registration, and a scan.
const deadWithin = 140 * time.Second

// demandDeadBrokerLeaves takes a broker away for good and waits until no name server knows it.
func (c *pubsubClient) demandDeadBrokerLeaves() {
	victim := c.p.cluster.Brokers[c.random.IntN(len(c.p.cluster.Brokers))]
	victim.Crash(sim.PowerLoss)
	deadline := c.env.Clock.Now().Add(deadWithin)
	for _, address := range c.p.cluster.NameServerAddresses() {
		admin, err := client.NewAdmin(c.env, client.WithNameServers(address))
		if err != nil {
			c.p.failSafety("the probe's admin could not be made: %v", err)
			return
		}
		for {
			known, err := c.knows(admin, victim.String())
			if !known {
				break
			}
			if deadline.Reached(c.env.Clock.Now()) {
				c.p.failLiveness("name server %s still routes to %s, which died %s ago (%v)", address, victim, deadWithin, err)
				return
			}
			c.env.Tasks.Sleep(2 * time.Second)
		}
		if err := admin.Close(context.Background()); err != nil {
			c.p.failSafety("the probe's admin does not close: %v", err)
		}
	}
}

// knows reports whether a name server routes to a broker. One that does not answer may.
func (c *pubsubClient) knows(admin *client.Admin, broker string) (bool, error) {
	route, err := admin.Route(context.Background(), c.p.topics[0])
	if err != nil {
		return true, err
	}
	return slices.ContainsFunc(route.Brokers, func(b proto.BrokerRoute) bool { return b.BrokerName == broker }), nil
}

// demandRoutes waits until every name server, asked alone, knows all brokers of all topics.
func (c *pubsubClient) demandRoutes(limit time.Duration) {
	deadline := c.env.Clock.Now().Add(limit)
	for _, address := range c.p.cluster.NameServerAddresses() {
		admin, err := client.NewAdmin(c.env, client.WithNameServers(address))
		if err != nil {
			c.p.failSafety("the probe's admin could not be made: %v", err)
			return
		}
		for _, topic := range c.p.topics {
			for !c.onAllBrokers(admin, topic) {
				if deadline.Reached(c.env.Clock.Now()) {
					c.p.failLiveness("name server %s does not know all brokers of %s within %s after everything healed", address, topic, limit)
					return
				}
				c.env.Tasks.Sleep(100 * time.Millisecond)
			}
		}
		if err := admin.Close(context.Background()); err != nil {
			c.p.failSafety("the probe's admin does not close: %v", err)
		}
	}
}

// readAll reads a queue from its first message to its end: the final log.
func (c *pubsubClient) readAll(queue client.Queue) client.QueueOffset {
	var log linearizability.Log
	next := client.QueueOffset(0)
	for {
		result, err := c.consumer.Pull(context.Background(), queue, next, 32)
		if err != nil {
			c.p.failLiveness("%v cannot be read at %d after everything healed: %v", queue, next, err)
			return next
		}
		for _, m := range result.Messages {
			c.p.whole(m)
			log.Entries = append(log.Entries, linearizability.Entry{Offset: int64(m.Offset), Hash: linearizability.HashOf(m.Body)})
		}
		if result.Next >= result.Max {
			c.p.Logs[queue.String()] = log
			return result.Next
		}
		if result.Next <= next {
			c.p.failLiveness("%v: a pull from %d of [%d, %d) does not get on: %v", queue, next, result.Min, result.Max, result.Status)
			return next
		}
		next = result.Next
	}
}

// demandWake holds a pull at the end of a queue, sends a message, and demands that the pull ends soon.
func (c *pubsubClient) demandWake(queue client.Queue, end client.QueueOffset) {
	var woken, failed, late = false, error(nil), 0
	c.env.Tasks.Go("held pull", func() {
		var result client.PullResult
		result, failed = c.consumer.Pull(context.Background(), queue, end, 1)
		woken, late = true, len(result.Messages)
	})
	c.env.Tasks.Sleep(200 * time.Millisecond)
	if woken && late > 0 {
		// A send that was given up while it was on its way has come after all. There are only so many.
		c.demandWake(queue, c.readAll(queue))
		return
	}
	if woken {
		c.p.failLiveness("%v: a pull at the end was not held: %v", queue, failed)
		return
	}
	// Links lose pieces all the time, and what is lost once may come too late for slaveTimeout: then the message is stored, and the pull must end as well.
	if !c.sendTo(queue) && c.refusal != nil {
		c.p.failLiveness("%v refuses a message though nothing is broken: %v", queue, c.refusal)
		return
	}
	for deadline := c.env.Clock.Now().Add(wakeWithin); !woken && !deadline.Reached(c.env.Clock.Now()); {
		c.env.Tasks.Sleep(20 * time.Millisecond)
	}
	if !woken || failed != nil {
		c.p.failLiveness("%v: a message arrived and the pull that waits for it did not end within %s (%v)", queue, wakeWithin, failed)
	}
}
