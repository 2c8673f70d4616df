package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
)

// churn lets members of a group come, go, crash and fail while messages arrive and connections break.
type churn struct {
	*cluster
	t       *testing.T
	random  *sim.Stream
	inOrder bool
	seen    map[string]int
	next    map[client.Queue]client.QueueOffset // in order: one more than the highest one consumed
	busy    map[client.Queue]string             // in order: who is at work
	put     int
	lives   int
	calm    bool
}

// handler is that of one member. In order it checks that no other member works on the queue, and that no message is passed over.
func (c *churn) handler(e env.Env, who string) client.Handler {
	return func(_ context.Context, messages []*client.Received) error {
		m := messages[0]
		if c.inOrder {
			if by := c.busy[m.Queue]; by != "" {
				c.kernel.Fail(sim.FailureSafety, fmt.Errorf("%s and %s are at work on %s", by, who, m.Queue))
			}
			c.busy[m.Queue] = who
			defer delete(c.busy, m.Queue)
			if m.Offset > c.next[m.Queue] {
				c.kernel.Fail(sim.FailureSafety, fmt.Errorf("%s is passed over", m.Queue))
			}
		}
		e.Tasks.Sleep(time.Duration(c.random.Between(0, int64(300*time.Millisecond))))
		if !c.calm && c.random.Between(0, 10) == 0 {
			return errors.New("bad luck")
		}
		c.seen[string(m.Body)]++
		c.next[m.Queue] = max(c.next[m.Queue], m.Offset+1)
		return nil
	}
}

// member is the life of one machine: it consumes for a while, closes, and begins anew.
func (c *churn) member(m *sim.Machine) {
	c.lives++
	e := m.Boot(fmt.Sprintf("%s/%d", m.Name(), c.lives))
	e.Tasks.Go("member", func() {
		for {
			c.consume(e)
		}
	})
}

func (c *churn) consume(e env.Env) {
	c.lives++
	who := fmt.Sprintf("%s/%d", e.Node, c.lives)
	option := client.WithHandler(c.handler(e, who))
	if c.inOrder {
		option = client.WithOrderlyHandler(c.handler(e, who))
	}
	p := c.pushAt(e, option, client.WithSuspendTime(50*time.Millisecond), client.WithConcurrency(3))
	end := e.Clock.Now().Add(time.Duration(c.random.Between(int64(5*time.Second), int64(90*time.Second))))
	for c.calm || e.Clock.Now() < end {
		e.Tasks.Sleep(time.Second)
	}
	must(p.Close(background))
}

func (c *churn) disturb(machines []*sim.Machine) {
	for range 25 {
		c.app.Tasks.Sleep(time.Duration(c.random.Between(int64(time.Second), int64(10*time.Second))))
		b := []*broker{c.a, c.b}[c.random.Between(0, 1)]
		m := machines[c.random.Between(0, int64(len(machines)-1))]
		switch c.random.Between(0, 3) {
		case 0:
			if conns := b.server.Conns(); len(conns) > 0 {
				conns[c.random.Between(0, int64(len(conns)-1))].Close()
			}
		case 1:
			if c.inOrder {
				// Shorter than locks last: a handler that sleeps longer than that is beyond all help. For the same reason
				// machines do not crash here: the call of a handler that is cut off never ends.
				m.Pause(time.Duration(c.random.Between(0, int64(25*time.Second))))
				continue
			}
			m.Crash(sim.PowerLoss)
			c.member(m)
		default:
			b.put(client.Queue{Topic: "orders", QueueID: int32(c.random.Between(0, 1))}, 10)
			c.put += 10
		}
	}
}

func runChurn(t *testing.T, seed uint64, inOrder bool) {
	t.Helper()
	c := &churn{
		cluster: newGroupCluster(t, seed), t: t, inOrder: inOrder, seen: map[string]int{},
		next: map[client.Queue]client.QueueOffset{}, busy: map[client.Queue]string{},
	}
	c.random = c.kernel.Stream("churn")
	var machines []*sim.Machine
	for i := range 3 {
		machines = append(machines, c.kernel.AddMachine(fmt.Sprintf("member %d", i), netip.AddrFrom4([4]byte{10, 0, 8, byte(i)})))
	}
	c.run(time.Hour, func() {
		for _, m := range machines {
			c.member(m)
		}
		c.disturb(machines)
		c.calm = true
		for until := c.app.Clock.Now().Add(10 * time.Minute); len(c.seen) < c.put; c.app.Tasks.Sleep(time.Second) {
			if until.Reached(c.app.Clock.Now()) {
				panic(fmt.Sprintf("only %d of %d messages were consumed", len(c.seen), c.put))
			}
		}
		// A lock that nobody gave back lasts for a minute.
		c.eventually("all is committed", c.allCommitted)
	})
}

func (c *churn) allCommitted() bool {
	for _, b := range []*broker{c.a, c.b} {
		// order does not matter: all must be so
		for queue, records := range b.queues {
			if int64(len(records)) != b.committedAt(queue) {
				return false
			}
		}
	}
	return true
}

func TestNothingIsLostWhileMembersComeAndGo(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runChurn(t, seed, false) })
	}
}

func TestOrderHoldsWhileMembersComeAndGo(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runChurn(t, seed, true) })
	}
}
