package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func TestNoMoreCallsRunAtOnceThanAllowed(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 30)
	running, most, done := 0, 0, 0
	handler := func(context.Context, []*client.Received) error {
		running++
		most = max(most, running)
		c.app.Tasks.Sleep(10 * time.Millisecond)
		running--
		done++
		return nil
	}
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(handler), client.WithConcurrency(5))
		c.eventually("all", func() bool { return done == 30 })
		must(p.Close(background))
	})
	require.Equal(t, 5, most)
}

func TestAQueueWithTooMuchInWorkIsNotPulled(t *testing.T) {
	for name, limits := range map[string]client.PushOption{
		"messages":          client.WithQueueLimits(20, 1<<20, 2000),
		"bytes":             client.WithQueueLimits(1000, 200, 2000),
		"span":              client.WithQueueLimits(1000, 1<<20, 19),
		"share of messages": client.WithTopicLimits(80, 0), // 4 queues
		"share of bytes":    client.WithTopicLimits(0, 800),
	} {
		t.Run(name, func(t *testing.T) {
			c := newGroupCluster(t, 1)
			c.a.put(orders(0), 300)
			release, got := false, 0
			handler := func(context.Context, []*client.Received) error {
				got++
				c.hold(&release)
				return nil
			}
			deepest := func() (deepest int64) {
				for _, pull := range c.a.pulls {
					if pull.Topic == "orders" && pull.QueueID == 0 {
						deepest = max(deepest, pull.QueueOffset+int64(pull.MaxMessages))
					}
				}
				return deepest
			}
			c.run(time.Minute, func() {
				p := c.push(client.WithHandler(handler), client.WithConcurrency(1), limits, client.WithPullBatch(10, 1<<20))
				c.app.Tasks.Sleep(5 * time.Second)
				if d := deepest(); d > 30 {
					panic(d)
				}
				release = true
				c.eventually("all", func() bool { return got == 300 })
				must(p.Close(background))
			})
			require.GreaterOrEqual(t, deepest(), int64(300))
		})
	}
}

func TestAMessageWhoseHandlerDoesNotReturnIsSentBack(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 3)
	stuck, release := 0, false
	var late []string
	handler := func(_ context.Context, messages []*client.Received) error {
		m := messages[0]
		if m.Offset == 0 && m.Queue.Topic == "orders" {
			stuck++
			c.hold(&release)
			return errors.New("too late to matter")
		}
		late = append(late, string(m.Body))
		return nil
	}
	c.run(time.Hour, func() {
		p := c.push(client.WithHandler(handler), client.WithConsumeTimeout(2*time.Minute))
		c.eventually("the others are consumed", func() bool { return len(late) == 2 })
		c.app.Tasks.Sleep(10 * time.Second)
		if c.a.committedAt(orders(0)) != 0 {
			panic("an unfinished message was committed")
		}
		c.app.Tasks.Sleep(2 * time.Minute)
		c.eventually("the first one comes again", func() bool { return len(late) == 3 })
		c.app.Tasks.Sleep(10 * time.Second)
		if c.a.committedAt(orders(0)) != 3 {
			panic("what was sent back still holds up the others")
		}
		release = true
		c.app.Tasks.Sleep(10 * time.Second)
		must(p.Close(background))
	})
	require.Equal(t, 1, stuck)
	require.Len(t, c.a.groups.back, 1, "the late failure does not count")
	require.Equal(t, int32(3), c.a.groups.back[0].DelayLevel)
}

func TestSuspendStopsConsumingUntilResume(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 1)
	box := &inbox{}
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(box.handle))
		c.eventually("the first", func() bool { return len(box.bodies) == 1 })
		must(p.Suspend(background))
		c.a.put(orders(0), 5)
		c.app.Tasks.Sleep(30 * time.Second)
		if len(box.bodies) != 1 {
			panic("it did not stop")
		}
		must(p.Resume(background))
		c.eventually("the others", func() bool { return len(box.bodies) == 6 })
		must(p.Close(background))
	})
}

func TestTopicsAreAddedAndGivenUpWhileRunning(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.names.routes["bills"] = route(1, c.b)
	bills := client.Queue{Topic: "bills", BrokerName: "b"}
	box := &inbox{}
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(box.handle))
		c.eventually("assigned", func() bool { return len(must1(p.Assigned(background))) == 6 })
		must(p.Subscribe(background, "bills", client.Tags("*")))
		c.b.put(bills, 1)
		c.eventually("the new topic", func() bool { return len(box.bodies) == 1 })
		must(p.Unsubscribe(background, "bills"))
		c.eventually("given up", func() bool { return len(must1(p.Assigned(background))) == 6 })
		c.b.put(bills, 1)
		c.app.Tasks.Sleep(20 * time.Second)
		if p.Unsubscribe(background, "%RETRY%consumers") == nil {
			panic("the retry topic was given up")
		}
		must(p.Close(background))
	})
	require.Equal(t, bodiesOf(bills, 1), box.bodies)
	require.Equal(t, int64(1), c.b.committedAt(bills), "stored when it was given up")
}

func TestAPushConsumerWaitsForATopicThatDoesNotExistYet(t *testing.T) {
	c := newGroupCluster(t, 1)
	made := c.names.routes["orders"]
	delete(c.names.routes, "orders")
	c.a.put(orders(0), 1)
	box := &inbox{}
	c.run(2*time.Minute, func() {
		p := c.push(client.WithHandler(box.handle))
		c.app.Tasks.Sleep(10 * time.Second)
		c.names.routes["orders"] = made
		c.eventually("it is consumed", func() bool { return len(box.bodies) == 1 })
		must(p.Close(background))
	})
}

func TestStartFailsWithoutANameServerAndMayBeRepeated(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.names.intercept = silent
	c.a.put(orders(0), 1)
	box := &inbox{}
	var first, third error
	c.run(time.Minute, func() {
		p := must1(client.NewPushConsumer(c.app, client.WithGroup("consumers"), c.nameServers(),
			client.WithSubscription("orders", client.Tags("")), client.WithConsumeFrom(client.FromFirst), client.WithHandler(box.handle)))
		first = p.Start(background)
		c.names.intercept = nil
		must(p.Start(background))
		third = p.Start(background)
		c.eventually("it is consumed", func() bool { return len(box.bodies) == 1 })
		must(p.Close(background))
	})
	require.ErrorIs(t, first, client.ErrNoNameServer)
	require.Error(t, third)
}

func TestWhereAGroupBeginsThatHasNoOffset(t *testing.T) {
	for name, start := range map[string]struct {
		option client.PushOption
		stored int64 // -1: none
		want   int64 // of the first pull
	}{
		"with the last":             {client.WithConsumeFrom(client.FromLast), -1, 5},
		"with the first":            {client.WithConsumeFrom(client.FromFirst), -1, 0},
		"by time":                   {client.WithConsumeFromTime(time.UnixMilli(4000)), -1, 4},
		"where it was, not last":    {client.WithConsumeFrom(client.FromLast), 2, 2},
		"where it was, not first":   {client.WithConsumeFrom(client.FromFirst), 2, 2},
		"where it was, not by time": {client.WithConsumeFromTime(time.UnixMilli(4000)), 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			c := newGroupCluster(t, 1)
			c.names.routes["orders"] = route(1, c.a)
			c.a.put(orders(0), 5)
			c.a.put(client.Queue{Topic: "%RETRY%consumers"}, 2)
			if start.stored >= 0 {
				c.a.committed["consumers@orders@0"] = start.stored
			}
			c.run(time.Minute, func() {
				p := c.push(client.WithHandler((&inbox{}).handle), start.option)
				c.app.Tasks.Sleep(8 * time.Second)
				must(p.Close(background))
			})
			first := map[string]int64{}
			for _, pull := range c.a.pulls {
				if _, seen := first[pull.Topic]; !seen {
					first[pull.Topic] = pull.QueueOffset
				}
			}
			require.Equal(t, start.want, first["orders"])
			require.Equal(t, int64(5), c.a.committedAt(orders(0)), "also where there was nothing to consume")
			if strings.HasSuffix(name, "by time") {
				require.Equal(t, int64(2), first["%RETRY%consumers"])
			} else {
				require.Equal(t, int64(0), first["%RETRY%consumers"], "what failed belongs to the group")
			}
		})
	}
}

func TestAQueueIsNotConsumedWhileItsOffsetIsNotKnown(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 1)
	c.a.groups.refuse[proto.ReqQueryConsumerOffset] = true
	box := &inbox{}
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(box.handle))
		c.app.Tasks.Sleep(5 * time.Second)
		if len(box.bodies) > 0 {
			panic("consumed from a guess")
		}
		c.a.groups.refuse = map[int32]bool{}
		c.eventually("it is consumed", func() bool { return len(box.bodies) == 1 })
		must(p.Close(background))
	})
}

func TestAnOffsetBelowTheQueueGoesOnWithItsFirstMessage(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 10)
	c.a.minOffset = 4
	box := &inbox{}
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(box.handle))
		c.eventually("the rest", func() bool { return len(box.bodies) == 6 })
		must(p.Close(background))
	})
	require.ElementsMatch(t, bodiesOf(orders(0), 10)[4:], box.bodies)
	require.Equal(t, int64(10), c.a.committedAt(orders(0)))
}

func TestAnOffsetBehindTheQueueGoesBackToItsEnd(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 3)
	c.a.committed["consumers@orders@0"] = 9
	box := &inbox{}
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(box.handle))
		c.app.Tasks.Sleep(6 * time.Second)
		if c.a.committedAt(orders(0)) != 3 {
			panic("the store does not know the end of the queue")
		}
		c.a.put(orders(0), 2)
		c.eventually("new messages", func() bool { return len(box.bodies) == 2 })
		must(p.Close(background))
	})
	require.Equal(t, int64(5), c.a.committedAt(orders(0)))
}

func TestPullsCarryTheCommittedOffsetOnlyToTheMaster(t *testing.T) {
	c := newGroupCluster(t, 1)
	slave := c.slave(40, 40)
	box := &inbox{}
	c.run(2*time.Minute, func() {
		p := c.push(client.WithHandler(box.handle))
		c.eventually("all", func() bool { return len(box.bodies) == 40 })
		c.app.Tasks.Sleep(20 * time.Second)
		c.a.suggested, slave.suggested = 1, 1
		c.app.Tasks.Sleep(40 * time.Second)
		must(p.Close(background))
	})
	last := c.a.pulls[len(c.a.pulls)-1]
	require.True(t, last.Flags.Has(proto.PullHold|proto.PullSubscription|proto.PullCommit), "%v", last.Flags)
	require.Equal(t, int64(40), last.CommitOffset)
	require.Equal(t, int64(15_000), last.HoldForMillis)
	require.Equal(t, int32(32), last.MaxMessages)
	require.Equal(t, int32(256<<10), last.MaxBytes)
	require.NotEmpty(t, slave.pulls)
	for _, pull := range slave.pulls {
		require.False(t, pull.Flags.Has(proto.PullCommit))
	}
}

func TestABrokerThatDoesNotKnowAMemberYetTakesNothingFromIt(t *testing.T) {
	c := newGroupCluster(t, 1)
	var p *client.PushConsumer
	c.run(2*time.Minute, func() {
		p = c.push(client.WithHandler((&inbox{}).handle))
		c.eventually("assigned", func() bool { return len(must1(p.Assigned(background))) == 6 })
		// Both brokers restart, know only somebody else, and hear nothing of this member.
		for _, b := range []*broker{c.a, c.b} {
			b.groups.members = map[string]*transport.Conn{"somebody": b.server.Conns()[0]}
			b.intercept = func(in *transport.Incoming) bool { return in.Command.Code == proto.ReqHeartbeat }
		}
		c.app.Tasks.Sleep(45 * time.Second)
		if len(must1(p.Assigned(background))) != 6 {
			panic("queues were given up")
		}
		c.a.intercept, c.b.intercept = nil, nil
		must(p.Close(background))
	})
}

func TestCloseDoesNotWaitForEverForAHandler(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 3)
	release, stuck := false, 0
	handler := func(_ context.Context, messages []*client.Received) error {
		if messages[0].Offset == 1 {
			stuck++
			c.hold(&release)
		}
		return nil
	}
	var closing error
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(handler))
		c.eventually("it is stuck", func() bool { return stuck == 1 })
		c.app.Tasks.Sleep(100 * time.Millisecond)
		began := c.app.Clock.Now()
		closing = p.Close(within(c, 2*time.Second))
		if took := c.app.Clock.Now().Sub(began); took > 4*time.Second {
			panic(took)
		}
		release = true
		c.app.Tasks.Sleep(time.Second)
	})
	require.ErrorIs(t, closing, context.DeadlineExceeded)
	require.Equal(t, int64(1), c.a.committedAt(orders(0)), "what was consumed is stored, what was not comes again")
	require.Len(t, c.a.left, 1)
	require.Empty(t, c.machine.TaskNames())
}

func TestAResetForwardIsNotUndoneByWhatIsStillAtWork(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.names.routes["orders"] = route(1, c.a)
	c.a.put(orders(0), 3)
	release, moved := false, false
	handler := func(_ context.Context, messages []*client.Received) error {
		if messages[0].Offset == 1 {
			c.hold(&release)
		}
		return nil
	}
	c.a.intercept = func(in *transport.Incoming) bool {
		var h proto.PullMessage
		if in.Command.Code != proto.ReqPullMessage || h.DecodeFields(in.Command.Fields) != nil || h.QueueOffset != 3 || h.Topic != "orders" {
			return false
		}
		c.a.put(orders(0), 5)
		c.a.committed["consumers@orders@0"] = 8
		in.Reply().Send(proto.RespPullOffsetMoved, &proto.PullMessageResponse{Next: 8, Max: 8}, nil)
		moved = true
		return true
	}
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(handler), client.WithPullBatch(3, 1<<20))
		c.eventually("the reset", func() bool { return moved })
		c.app.Tasks.Sleep(12 * time.Second)
		if c.a.committedAt(orders(0)) != 8 {
			panic("the reset was undone")
		}
		release = true
		c.app.Tasks.Sleep(6 * time.Second)
		c.a.put(orders(0), 1)
		c.app.Tasks.Sleep(6 * time.Second)
		must(p.Close(background))
	})
	require.Equal(t, int64(9), c.a.committedAt(orders(0)))
}

func TestASlaveThatLagsBehindDoesNotSetTheGroupBack(t *testing.T) {
	c := newGroupCluster(t, 1)
	slave := c.slave(40, 10)
	c.a.suggested, slave.suggested = 1, 1
	box := &inbox{}
	c.run(2*time.Minute, func() {
		p := c.push(client.WithHandler(box.handle))
		c.eventually("all", func() bool { return len(box.bodies) == 40 })
		c.app.Tasks.Sleep(5 * time.Second)
		must(p.Close(background))
	})
	require.Len(t, box.bodies, 40)
	require.NotEmpty(t, slave.pulls)
	require.Less(t, len(slave.pulls), 10)
	require.Equal(t, int64(40), c.a.committedAt(orders(0)))
}

func TestQueuesAreSharedOutAgainWhenABrokerComesBack(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler((&inbox{}).handle))
		c.eventually("assigned", func() bool { return len(must1(p.Assigned(background))) == 6 })
		c.app.Tasks.Sleep(time.Second)
		before := c.a.count(proto.ReqGetConsumerListByGroup)
		c.b.server.Conns()[0].Close()
		c.app.Tasks.Sleep(3 * time.Second)
		if c.a.count(proto.ReqGetConsumerListByGroup) == before {
			panic("nobody asked for the members")
		}
		must(p.Close(background))
	})
}
