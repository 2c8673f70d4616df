package client_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/assign"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func TestAMemberPullsWhatABrokerAssignsToBePulled(t *testing.T) {
	c := newPopCluster(t, 1)
	c.assigning(proto.ModePull)
	c.a.put(orders(0), 5)
	c.b.put(orders(0), 5)
	box := &inbox{}
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(box.handle), client.WithBrokerRebalance())
		c.eventually("all are consumed", func() bool { return len(box.bodies) == 10 })
		must(p.Close(background))
	})
	require.Equal(t, int64(5), c.a.committedAt(orders(0)))
	require.Empty(t, c.a.pops.asked)
	require.Zero(t, c.a.count(proto.ReqGetConsumerListByGroup)+c.b.count(proto.ReqGetConsumerListByGroup))
}

func TestMembersShareByThemselvesUntilABrokerAnswers(t *testing.T) {
	for name, fail := range map[string]func(in *transport.Incoming) bool{
		"not supported": nil,
		"refused":       refusing(proto.ReqQueryAssignment, proto.RespSystemError),
		"silent":        func(in *transport.Incoming) bool { return in.Command.Code == proto.ReqQueryAssignment },
	} {
		t.Run(name, func(t *testing.T) {
			c := newPopCluster(t, 1)
			c.a.intercept, c.b.intercept = fail, fail
			c.a.put(orders(0), 5)
			box := &inbox{}
			var before, after []client.Queue
			c.run(3*time.Minute, func() {
				p := c.push(client.WithHandler(box.handle), client.WithBrokerRebalance())
				c.eventually("all are consumed", func() bool { return len(box.bodies) == 5 })
				before = must1(p.Assigned(background))
				c.a.intercept, c.b.intercept = nil, nil
				c.assigning(proto.ModePop)
				c.tell()
				c.eventually("it pops", func() bool { return len(c.a.pops.asked) > 0 && len(c.b.pops.asked) > 0 })
				after = must1(p.Assigned(background))
				must(p.Close(background))
			})
			require.Contains(t, before, orders(0))
			require.NotContains(t, after, orders(0))
			require.Contains(t, after, orders(-1))
			if name == "silent" {
				require.GreaterOrEqual(t, c.a.count(proto.ReqQueryAssignment), 3, "a broker that does not answer is asked three times")
			}
		})
	}
}

func TestWhatABrokerHasAssignedStaysWhileNoneAnswers(t *testing.T) {
	for name, fail := range map[string]func(c *cluster){
		"no answer": func(c *cluster) {
			c.a.intercept = refusing(proto.ReqQueryAssignment, proto.RespSystemError)
			c.b.intercept = c.a.intercept
		},
		"no valid assignment": func(c *cluster) {
			c.a.pops.assignment = func(*proto.QueryAssignment) *proto.Assignment { return &proto.Assignment{} }
		},
		"nonsense": func(c *cluster) {
			c.a.pops.assignment = func(*proto.QueryAssignment) *proto.Assignment {
				return &proto.Assignment{Queues: proto.Some([]proto.AssignedQueue{{Queue: orders(-1)}})}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newPopAssigned(t, 1)
			var held []client.Queue
			c.run(3*time.Minute, func() {
				p := c.push(client.WithHandler((&inbox{}).handle), client.WithBrokerRebalance())
				c.eventually("it pops", func() bool { return len(c.a.pops.asked) > 0 && len(c.b.pops.asked) > 0 })
				fail(c)
				c.tell()
				c.app.Tasks.Sleep(5 * time.Second)
				held = must1(p.Assigned(background))
				must(p.Close(background))
			})
			require.Contains(t, held, orders(-1))
			require.NotContains(t, held, orders(0))
		})
	}
}

func TestAnEmptyAssignmentGivesTheTopicUp(t *testing.T) {
	c := newPopAssigned(t, 1)
	var held []client.Queue
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler((&inbox{}).handle), client.WithBrokerRebalance())
		c.eventually("it pops", func() bool { return len(c.a.pops.asked) > 0 && len(c.b.pops.asked) > 0 })
		c.a.pops.assignment = func(*proto.QueryAssignment) *proto.Assignment {
			return &proto.Assignment{Queues: proto.Some([]proto.AssignedQueue{})}
		}
		c.tell()
		c.app.Tasks.Sleep(2 * time.Second)
		held = must1(p.Assigned(background))
		must(p.Close(background))
	})
	require.Empty(t, held)
}

// TestSwitchingBetweenPullsAndPops: no message is lost, no queue is held in both ways, and what was popped before a switch to
// pulls is read from where it comes again.
func TestSwitchingBetweenPullsAndPops(t *testing.T) {
	c := newPopCluster(t, 1)
	c.assigning(proto.ModePull)
	c.names.routes["orders"] = route(2, c.a)
	var committed []int64 // at each pop
	// Brokers pop from where the group has committed.
	c.a.intercept = func(in *transport.Incoming) bool {
		if in.Command.Code == proto.ReqPopMessage {
			committed = append(committed, c.a.committedAt(orders(0)), c.a.committedAt(orders(1)))
			for id := range int32(2) {
				c.a.pops.next[orders(id)] = max(c.a.pops.next[orders(id)], c.a.committedAt(orders(id)))
			}
		}
		return false
	}
	c.a.put(orders(0), 20)
	c.a.put(orders(1), 20)
	failed := 0
	box := &inbox{}
	c.run(5*time.Minute, func() {
		p := c.push(client.WithHandler(box.handle), client.WithBrokerRebalance())
		c.eventually("all are pulled", func() bool { return len(box.bodies) == 40 })
		c.assigning(proto.ModePop)
		c.tell()
		c.eventually("it pops", func() bool { return len(c.a.pops.asked) > 0 })
		if slices.Contains(must1(p.Assigned(background)), orders(0)) {
			panic("the queue is held in both ways")
		}
		box.fail = func(*client.Received) error {
			failed++
			return errors.New("later")
		}
		c.a.put(orders(0), 10)
		c.eventually("all of them fail", func() bool { return failed == 10 })
		box.fail = nil
		c.assigning(proto.ModePull)
		c.names.routes["%RETRY%consumers_orders"] = route(1, c.a)
		c.tell()
		c.eventually("it pulls", func() bool { return slices.Contains(must1(p.Assigned(background)), orders(0)) })
		if slices.Contains(must1(p.Assigned(background)), orders(-1)) {
			panic("the queue is held in both ways")
		}
		c.app.Tasks.Sleep(15 * time.Second)
		c.a.pops.revive(c.a, "consumers")
		c.eventually("what was popped comes again", func() bool { return len(box.bodies) >= 60 })
		must(p.Close(background))
	})
	require.Equal(t, []int64{20, 20}, committed[:2], "what was pulled is committed before anything is popped")
	seen := map[string]int{}
	for _, body := range box.bodies {
		seen[body]++
	}
	for _, body := range append(bodiesOf(orders(0), 30), bodiesOf(orders(1), 20)...) {
		require.NotZero(t, seen[body], body)
	}
	require.Contains(t, c.subscribedTopics(), "%RETRY%consumers_orders")
}

// subscribedTopics are those of the last heartbeat at broker a.
func (c *cluster) subscribedTopics() (topics []string) {
	for _, s := range c.a.heartbeats[len(c.a.heartbeats)-1].Consumers[0].Subscriptions {
		topics = append(topics, s.Topic)
	}
	return topics
}

func TestConsumersInOrderPullWhateverBrokersSay(t *testing.T) {
	c := newPopAssigned(t, 1)
	c.a.put(orders(0), 5)
	box := &inbox{}
	c.run(time.Minute, func() {
		p := c.push(client.WithOrderlyHandler(box.handle), client.WithBrokerRebalance())
		c.eventually("all are consumed", func() bool { return len(box.bodies) == 5 })
		must(p.Close(background))
	})
	require.Equal(t, bodiesOf(orders(0), 5), box.bodies)
	require.Empty(t, c.a.pops.asked)
	require.Empty(t, c.a.pops.queries)
}

func TestBrokersAreAskedForStrategiesTheyHave(t *testing.T) {
	c := newPopCluster(t, 1)
	for want, option := range map[string]client.PushOption{
		`WithStrategy("CONFIG"): give assign.Average or assign.AverageByCircle with WithBrokerRebalance: brokers know no other`: client.WithStrategy(assign.Fixed{}),
		"WithPopLimits(33): give a number from 1 to 32":   client.WithPopLimits(33, 96),
		"WithPopLimits(0): give a number from 1 to 65535": client.WithPopLimits(32, 0),
	} {
		_, err := client.NewPushConsumer(c.app, client.WithGroup("consumers"), c.nameServers(), client.WithBrokerRebalance(), option)
		require.EqualError(t, err, want)
	}
}
