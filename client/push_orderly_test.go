package client_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func TestMessagesOfAQueueAreConsumedInOrderOneAtATime(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 50)
	c.a.put(orders(1), 50)
	byQueue := map[client.Queue][]string{}
	inside := map[client.Queue]int{}
	both := false
	handler := func(_ context.Context, messages []*client.Received) error {
		q := messages[0].Queue
		inside[q]++
		both = both || len(inside) == 2 && inside[orders(0)]+inside[orders(1)] == 2
		if inside[q] > 1 {
			panic("two calls for one queue")
		}
		c.app.Tasks.Sleep(3 * time.Millisecond)
		for _, m := range messages {
			byQueue[q] = append(byQueue[q], string(m.Body))
		}
		inside[q]--
		return nil
	}
	c.run(time.Minute, func() {
		p := c.push(client.WithOrderlyHandler(handler), client.WithBatchSize(4))
		c.eventually("all", func() bool { return len(byQueue[orders(0)])+len(byQueue[orders(1)]) == 100 })
		must(p.Close(background))
	})
	require.Equal(t, bodiesOf(orders(0), 50), byQueue[orders(0)])
	require.Equal(t, bodiesOf(orders(1), 50), byQueue[orders(1)])
	require.True(t, both, "different queues run at the same time")
	require.Equal(t, int64(50), c.a.committedAt(orders(0)))
	require.Empty(t, c.a.groups.locks, "unlocked at the end")
	require.Empty(t, c.machine.TaskNames())
}

func TestAQueueInOrderWaitsForAMessageThatFails(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 3)
	var tries []string
	var at []time.Duration
	handler := func(_ context.Context, messages []*client.Received) error {
		m := messages[0]
		tries = append(tries, fmt.Sprintf("%d/%d", m.Offset, m.Redeliveries))
		at = append(at, time.Duration(c.app.Clock.Now()))
		switch {
		case m.Offset == 1 && m.Redeliveries == 0:
			return errors.New("not yet")
		case m.Offset == 1 && m.Redeliveries == 1:
			return fmt.Errorf("not yet: %w", client.SuspendFor(5*time.Second))
		}
		return nil
	}
	c.run(time.Minute, func() {
		p := c.push(client.WithOrderlyHandler(handler), client.WithSuspendTime(2*time.Second))
		c.eventually("all", func() bool { return len(tries) == 5 })
		must(p.Close(background))
	})
	require.Equal(t, []string{"0/0", "1/0", "1/1", "1/2", "2/0"}, tries)
	require.InDelta(t, 2.0, (at[2] - at[1]).Seconds(), 0.1)
	require.InDelta(t, 5.0, (at[3] - at[2]).Seconds(), 0.1)
	require.Equal(t, int64(3), c.a.committedAt(orders(0)))
}

func TestAMessageInOrderIsGivenUpToTheRetryTopicInTheEnd(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 2)
	failed, done := 0, false
	handler := func(_ context.Context, messages []*client.Received) error {
		if messages[0].Offset == 0 {
			failed++
			return errors.New("never")
		}
		done = true
		return nil
	}
	c.run(time.Minute, func() {
		p := c.push(client.WithOrderlyHandler(handler), client.WithMaxRedeliveries(2), client.WithSuspendTime(10*time.Millisecond))
		c.eventually("the second message", func() bool { return done })
		must(p.Close(background))
	})
	require.Equal(t, 3, failed)
	require.Len(t, c.sends(), 1)
	s := c.sends()[0]
	require.Equal(t, "%RETRY%consumers", s.header.Topic)
	require.Greater(t, s.header.Redeliveries, s.header.RedeliveriesMax.Value, "brokers make a dead letter of it")
	require.Equal(t, "orders", s.property(message.PropertyRetryTopic))
	require.Empty(t, c.a.groups.back)
}

func TestAQueueThatAnotherMemberHasLockedIsNotConsumed(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 1)
	c.a.groups.locks[orders(0)] = "somebody else"
	box := &inbox{}
	c.run(time.Minute, func() {
		p := c.push(client.WithOrderlyHandler(box.handle))
		c.app.Tasks.Sleep(10 * time.Second)
		if len(box.bodies) > 0 {
			panic("consumed without a lock")
		}
		delete(c.a.groups.locks, orders(0))
		began := c.app.Clock.Now()
		c.eventually("it is consumed", func() bool { return len(box.bodies) == 1 })
		if c.app.Clock.Now().Sub(began) > time.Second {
			panic("too late")
		}
		must(p.Close(background))
	})
}

// lockRequests answers requests for locks as the test says.
func lockRequests(answer *func(in *transport.Incoming) bool) func(in *transport.Incoming) bool {
	return func(in *transport.Incoming) bool {
		return *answer != nil && in.Command.Code == proto.ReqLockBatchQueues && (*answer)(in)
	}
}

func TestNoHandlerRunsWhileALockIsInDoubt(t *testing.T) {
	c := newGroupCluster(t, 1)
	var answer func(in *transport.Incoming) bool
	c.a.intercept = lockRequests(&answer)
	box := &inbox{}
	c.run(5*time.Minute, func() {
		p := c.push(client.WithOrderlyHandler(box.handle))
		c.a.put(orders(0), 1)
		c.eventually("the first message", func() bool { return len(box.bodies) == 1 })
		answer = silent
		c.app.Tasks.Sleep(35 * time.Second)
		c.a.put(orders(0), 1)
		c.app.Tasks.Sleep(20 * time.Second)
		if len(box.bodies) != 1 {
			panic("a handler ran although the lock was not renewed for 30 s")
		}
		answer = nil
		c.eventually("the second message", func() bool { return len(box.bodies) == 2 })
		must(p.Close(background))
	})
	require.Equal(t, bodiesOf(orders(0), 2), box.bodies, "what was consumed under a good lock does not come again")
}

// holding is an inbox whose handler returns when it is released.
func (c *cluster) holding(released *bool) *inbox {
	return &inbox{fail: func(*client.Received) error {
		c.hold(released)
		return nil
	}}
}

func TestWhatAHandlerMadeOfAMessageDoesNotCountWhenTheLockWasLost(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 1)
	release := false
	box := c.holding(&release)
	c.run(5*time.Minute, func() {
		p := c.push(client.WithOrderlyHandler(box.handle))
		c.eventually("the handler runs", func() bool { return len(box.bodies) == 1 })
		// The broker restarts, and another member is faster.
		c.a.groups.locks[orders(0)] = "somebody else"
		c.a.server.Conns()[0].Close()
		c.eventually("the queue is given up", func() bool { return len(must1(p.Assigned(background))) < 6 })
		release = true
		c.app.Tasks.Sleep(10 * time.Second)
		if c.a.committedAt(orders(0)) != -1 {
			panic("committed without a lock")
		}
		delete(c.a.groups.locks, orders(0))
		c.eventually("it is consumed again", func() bool { return len(box.bodies) == 2 })
		must(p.Close(background))
	})
	require.Equal(t, int64(1), c.a.committedAt(orders(0)))
}

func TestAQueueInOrderIsHandedOverOnlyWhenItsHandlerHasReturned(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.names.routes["orders"] = route(2, c.a)
	c.names.routes[proto.RetryTopic("consumers")] = route(1, c.a)
	c.a.put(orders(0), 3)
	c.a.put(orders(1), 3)
	other := c.boot("other")
	running, release := 0, false
	var log []string
	handler := func(who string) client.Handler {
		return func(_ context.Context, messages []*client.Received) error {
			if running++; running > 2 {
				panic("two handlers for one queue")
			}
			log = append(log, fmt.Sprintf("%s:%s", messages[0].Body, who))
			if who == "one" {
				c.hold(&release)
			}
			running--
			return nil
		}
	}
	c.run(5*time.Minute, func() {
		p := c.push(client.WithOrderlyHandler(handler("one")))
		c.eventually("both queues are at work", func() bool { return running == 2 })
		var q *client.PushConsumer
		other.Tasks.Go("second", func() { q = c.pushAt(other, client.WithOrderlyHandler(handler("two"))) })
		c.app.Tasks.Sleep(40 * time.Second)
		if len(log) != 2 {
			panic("the second member did not wait")
		}
		release = true
		c.eventually("all", func() bool { return len(log) == 6 })
		c.closeAt(other, q)
		must(p.Close(background))
	})
	byQueue := map[string][]string{}
	for _, line := range log {
		byQueue[line[:10]] = append(byQueue[line[:10]], line[11:])
	}
	require.Len(t, byQueue, 2)
	for _, lines := range byQueue {
		require.Len(t, lines, 3, "%v", log)
	}
	require.Equal(t, int64(3), c.a.committedAt(orders(0)))
	require.Equal(t, int64(3), c.a.committedAt(orders(1)))
}

func TestAQueueWhoseLockWasInDoubtBeginsAnewButNotBesideItsHandler(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 2)
	release := false
	box := c.holding(&release)
	c.run(5*time.Minute, func() {
		p := c.push(client.WithOrderlyHandler(box.handle))
		c.eventually("the handler runs", func() bool { return len(box.bodies) == 1 })
		c.a.server.Conns()[0].Close()
		c.app.Tasks.Sleep(10 * time.Second)
		if len(box.bodies) != 1 {
			panic("two handlers for one queue")
		}
		release = true
		c.eventually("all are consumed", func() bool { return len(box.bodies) == 3 })
		must(p.Close(background))
	})
	all := bodiesOf(orders(0), 2)
	require.Equal(t, []string{all[0], all[0], all[1]}, box.bodies, "what the handler made of the first one did not count")
	require.Equal(t, int64(2), c.a.committedAt(orders(0)))
}

func TestALockIsInDoubtWhenTheConnectionEnds(t *testing.T) {
	c := newGroupCluster(t, 1)
	var answer func(in *transport.Incoming) bool
	c.a.intercept = lockRequests(&answer)
	box := &inbox{}
	c.run(5*time.Minute, func() {
		p := c.push(client.WithOrderlyHandler(box.handle))
		c.eventually("assigned", func() bool { return len(must1(p.Assigned(background))) == 6 })
		answer = silent
		c.a.server.Conns()[0].Close()
		c.app.Tasks.Sleep(2 * time.Second)
		c.a.put(orders(0), 1)
		c.app.Tasks.Sleep(5 * time.Second)
		if len(box.bodies) > 0 || c.a.committedAt(orders(0)) >= 0 {
			panic("consumed or committed in doubt")
		}
		answer = nil
		c.eventually("it is consumed", func() bool { return len(box.bodies) == 1 })
		must(p.Close(background))
	})
}

func TestAMessageInOrderThatIsRejectedBecomesADeadLetterAtOnce(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 2)
	box := &inbox{fail: func(m *client.Received) error {
		if m.Offset == 0 {
			return client.Reject
		}
		return nil
	}}
	c.run(time.Minute, func() {
		p := c.push(client.WithOrderlyHandler(box.handle))
		c.eventually("the second message", func() bool { return len(box.bodies) == 2 })
		must(p.Close(background))
	})
	s := c.sends()[0]
	require.Greater(t, s.header.Redeliveries, s.header.RedeliveriesMax.Value, "brokers make a dead letter of it")
}
