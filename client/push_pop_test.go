package client_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// assigning answers QUERY_ASSIGNMENT: the topic of tests in one mode, all others by pulls of one queue at each broker.
func (c *cluster) assigning(mode proto.MessageRequestMode) {
	answer := func(q *proto.QueryAssignment) *proto.Assignment {
		list := []proto.AssignedQueue{}
		for _, name := range []string{"a", "b"} {
			switch {
			case q.Topic != "orders":
				list = append(list, proto.AssignedQueue{Queue: client.Queue{Topic: q.Topic, BrokerName: name}})
			case mode == proto.ModePop:
				list = append(list, proto.AssignedQueue{Queue: client.Queue{Topic: q.Topic, BrokerName: name, QueueID: -1}, Mode: mode})
			default:
				for id := range int32(2) {
					list = append(list, proto.AssignedQueue{Queue: client.Queue{Topic: q.Topic, BrokerName: name, QueueID: id}})
				}
			}
		}
		return &proto.Assignment{Queues: proto.Some(list)}
	}
	c.a.pops.assignment, c.b.pops.assignment = answer, answer
}

// newPopAssigned is a cluster whose brokers have the topic of tests popped.
func newPopAssigned(t *testing.T, seed uint64) *cluster {
	t.Helper()
	c := newPopCluster(t, seed)
	c.assigning(proto.ModePop)
	return c
}

// tell has the members look at their queues again.
func (c *cluster) tell() {
	c.a.groups.notify("")
	c.b.groups.notify("")
}

func TestAPushConsumerPopsWhatBrokersSayAndAcknowledgesIt(t *testing.T) {
	c := newPopAssigned(t, 1)
	c.a.put(orders(0), 40)
	c.a.put(orders(1), 40)
	c.b.put(orders(1), 40)
	box := &inbox{}
	var assigned []client.Queue
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(box.handle), client.WithBrokerRebalance(), client.WithPopLimits(8, 16), client.WithInvisibleTime(30*time.Second))
		c.eventually("all are consumed", func() bool { return len(box.bodies) == 120 })
		c.a.put(orders(1), 1)
		c.eventually("a new message comes", func() bool { return len(box.bodies) == 121 })
		assigned = must1(p.Assigned(background))
		must(p.Close(background))
	})
	b := client.Queue{Topic: "orders", BrokerName: "b", QueueID: 1}
	require.ElementsMatch(t, slices.Concat(bodiesOf(orders(0), 40), bodiesOf(orders(1), 41), bodiesOf(b, 40)), box.bodies)
	require.Zero(t, c.a.pops.holding()+c.b.pops.holding())
	require.Contains(t, assigned, orders(-1))
	require.Equal(t, int64(-1), c.a.committedAt(orders(0)), "nothing is committed by the client")
	require.Empty(t, c.machine.TaskNames())
	asked, query := c.a.pops.asked[0], c.a.pops.queries[0]
	require.Equal(t, []int64{8, 30_000, 15_000, -1, proto.PopFromMin}, []int64{
		int64(asked.MaxMessages), asked.InvisibleMillis, asked.HoldForMillis, int64(asked.QueueID), int64(asked.From),
	})
	require.Equal(t, []string{"consumers", "AVG", c.a.heartbeats[0].ClientID}, []string{query.ConsumerGroup, query.Strategy, query.ClientID})
	require.Equal(t, proto.Clustering, query.Model)
}

func TestAPoppedQueueWithTooMuchUnsettledIsNotPopped(t *testing.T) {
	c := newPopAssigned(t, 1)
	c.a.put(orders(0), 300)
	release, got, most := false, 0, 0
	c.run(2*time.Minute, func() {
		p := c.push(client.WithBrokerRebalance(), client.WithConcurrency(1), client.WithPopLimits(10, 20), client.WithHandler(func(context.Context, []*client.Received) error {
			got++
			c.hold(&release)
			return nil
		}))
		c.app.Tasks.Sleep(5 * time.Second)
		most = c.a.pops.holding()
		release = true
		c.eventually("all", func() bool { return got == 300 })
		must(p.Close(background))
	})
	require.Equal(t, 30, most, "popped while there are not more than 20")
}

func TestAFailedMessageOfAPopIsHiddenForTheTimeOfTheTable(t *testing.T) {
	for name, failing := range map[string]struct {
		err  error
		want []int64
	}{
		"by the table":         {errors.New("no"), []int64{10_000, 30_000, 60_000}},
		"for as long as asked": {client.RetryAfter(2), []int64{5_000, 5_000, 5_000}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newPopAssigned(t, 1)
			c.a.put(orders(0), 1)
			box := &inbox{}
			box.fail = func(m *client.Received) error {
				if m.Redeliveries == 3 {
					return nil
				}
				return failing.err
			}
			c.run(5*time.Minute, func() {
				p := c.push(client.WithHandler(box.handle), client.WithBrokerRebalance())
				c.eventually("it is consumed", func() bool { return len(box.bodies) == 4 && c.a.pops.holding() == 0 })
				must(p.Close(background))
			})
			var got []int64
			for _, h := range c.a.pops.hides {
				got = append(got, h.InvisibleMillis)
			}
			require.Equal(t, failing.want, got)
			require.Equal(t, "%RETRY%consumers_orders", c.a.pops.hides[2].Topic)
			require.Empty(t, c.a.groups.back)
		})
	}
}

func TestAMessageThatFailsTooOftenOrIsRejectedBecomesADeadLetterBeforeItIsAcknowledged(t *testing.T) {
	for name, options := range map[string][]client.PushOption{
		"too often": {client.WithMaxRedeliveries(0), client.WithHandler((&inbox{fail: func(*client.Received) error { return errors.New("no") }}).handle)},
		"rejected":  {client.WithHandler((&inbox{fail: func(*client.Received) error { return client.Reject }}).handle)},
	} {
		t.Run(name, func(t *testing.T) {
			c := newPopAssigned(t, 1)
			c.a.put(orders(0), 1)
			dead := client.Queue{Topic: proto.DeadLetterTopic("consumers"), BrokerName: "a"}
			c.run(2*time.Minute, func() {
				p := c.push(append(options, client.WithBrokerRebalance())...)
				c.eventually("it is settled", func() bool { return len(c.a.pops.acks) == 1 })
				must(p.Close(background))
			})
			require.Len(t, c.a.queues[dead], 1)
			require.Equal(t, int32(-1), c.a.groups.back[0].DelayLevel)
			require.Zero(t, c.a.pops.holding())
		})
	}
}

func TestAMessageThatNobodyTakesAsADeadLetterComesAgain(t *testing.T) {
	c := newPopAssigned(t, 1)
	c.a.put(orders(0), 1)
	c.a.groups.refuse[proto.ReqConsumerSendMessageBack] = true
	c.a.intercept = refusing(proto.ReqSendMessageV2, proto.RespSystemError)
	c.b.intercept = c.a.intercept
	c.run(2*time.Minute, func() {
		p := c.push(client.WithMaxRedeliveries(0), client.WithBrokerRebalance(),
			client.WithHandler((&inbox{fail: func(*client.Received) error { return errors.New("no") }}).handle))
		c.eventually("it is hidden", func() bool { return len(c.a.pops.hides) == 1 })
		must(p.Close(background))
	})
	require.Empty(t, c.a.pops.acks)
	require.GreaterOrEqual(t, c.a.pops.hides[0].InvisibleMillis, int64(10_000))
}

func TestMessagesThatAFilterLeavesOutAreAcknowledgedAtOnce(t *testing.T) {
	c := newPopAssigned(t, 1)
	c.a.put(orders(0), 3, "TAGS", "red")
	c.a.put(orders(0), 4, "TAGS", "blue")
	box := &inbox{}
	c.run(time.Minute, func() {
		p := c.push(client.WithSubscription("orders", client.Tags("blue")), client.WithHandler(box.handle), client.WithBrokerRebalance())
		c.eventually("all are settled", func() bool { return len(c.a.pops.acks) == 7 })
		must(p.Close(background))
	})
	require.Len(t, box.bodies, 4)
	require.Zero(t, c.a.pops.holding())
}

func TestPoppedMessagesWhoseTimeIsOverDoNotReachTheHandler(t *testing.T) {
	c := newPopAssigned(t, 1)
	c.names.routes["orders"] = route(2, c.a)
	c.a.put(orders(0), 3)
	release := false
	var seen []string
	c.run(2*time.Minute, func() {
		p := c.push(client.WithBrokerRebalance(), client.WithConcurrency(1), client.WithInvisibleTime(5*time.Second),
			client.WithHandler(func(_ context.Context, messages []*client.Received) error {
				seen = append(seen, string(messages[0].Body)+" "+strconv.Itoa(int(messages[0].Redeliveries)))
				c.hold(&release)
				return nil
			}))
		c.app.Tasks.Sleep(8 * time.Second)
		release = true
		c.eventually("all are settled", func() bool { return len(seen) >= 4 && c.a.pops.holding() == 0 })
		must(p.Close(background))
	})
	require.Equal(t, "orders@a:0 #0 0", seen[0])
	require.NotContains(t, seen, "orders@a:0 #1 0")
	require.NotContains(t, seen, "orders@a:0 #2 0")
}

func TestAnAcknowledgementThatIsNotAnsweredIsTriedAgain(t *testing.T) {
	c := newPopAssigned(t, 1)
	c.a.put(orders(0), 1)
	tries := 0
	c.a.intercept = func(in *transport.Incoming) bool {
		if in.Command.Code == proto.ReqAckMessage {
			tries++
			return tries < 3
		}
		return false
	}
	box := &inbox{}
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(box.handle), client.WithBrokerRebalance())
		c.eventually("it is acknowledged", func() bool { return len(c.a.pops.acks) == 1 })
		must(p.Close(background))
	})
	require.Len(t, box.bodies, 1)
	require.Zero(t, c.a.pops.holding())
}

func TestClosingWaitsForHandlersAndAcknowledgesWhatTheyHaveDone(t *testing.T) {
	c := newPopAssigned(t, 1)
	c.a.put(orders(0), 50)
	done := 0
	c.run(time.Minute, func() {
		p := c.push(client.WithBrokerRebalance(), client.WithConcurrency(5), client.WithHandler(func(context.Context, []*client.Received) error {
			c.app.Tasks.Sleep(time.Second)
			done++
			return nil
		}))
		c.app.Tasks.Sleep(1500 * time.Millisecond)
		must(p.Close(background))
	})
	require.NotZero(t, done)
	require.Equal(t, done, len(c.a.pops.acks), "all that was consumed, and nothing else")
	require.Equal(t, 50-done, c.a.pops.holding())
}

func TestAConsumerThatIsHeldUpSaysWhatItLeaves(t *testing.T) {
	c := newPopAssigned(t, 1)
	c.a.put(orders(0), 1)
	release, stuck := false, false
	var cut error
	c.run(time.Minute, func() {
		p := c.push(client.WithBrokerRebalance(), client.WithHandler(func(context.Context, []*client.Received) error {
			stuck = true
			c.hold(&release)
			return nil
		}))
		c.eventually("a handler has it", func() bool { return stuck })
		cut = p.Close(within(c, time.Second))
		release = true
		c.app.Tasks.Sleep(time.Second)
	})
	require.ErrorIs(t, cut, context.DeadlineExceeded)
	require.Empty(t, c.a.pops.acks)
	require.Empty(t, c.machine.TaskNames())
}

func TestALoopSettlesPoppedMessages(t *testing.T) {
	c := newPopAssigned(t, 1)
	c.a.put(orders(0), 3)
	var seen []string
	c.run(2*time.Minute, func() {
		p := c.push(client.WithBrokerRebalance())
		for m, err := range p.Messages(background) {
			must(err)
			seen = append(seen, string(m.Body))
			if len(seen) == 2 {
				// This one waits for the next loop.
				break
			}
		}
		for m, err := range p.Messages(within(c, 2*time.Second)) {
			if err != nil {
				break
			}
			seen = append(seen, string(m.Body))
		}
		c.eventually("all are settled", func() bool { return c.a.pops.holding() == 0 })
		must(p.Close(background))
	})
	require.Equal(t, []string{"orders@a:0 #0", "orders@a:0 #1", "orders@a:0 #1", "orders@a:0 #2"}, seen)
}

func TestToolsSeeWhatAConsumerPops(t *testing.T) {
	c := newPopAssigned(t, 1)
	var info *proto.ConsumerRunningInfo
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler((&inbox{}).handle), client.WithBrokerRebalance())
		c.app.Tasks.Sleep(2 * time.Second)
		header := &proto.GetConsumerRunningInfo{ConsumerGroup: "consumers", ClientID: "x"}
		answer := must1(c.ask(c.a, &transport.Request{Code: proto.ReqGetConsumerRunningInfo, Header: header}))
		info = must1(proto.UnmarshalConsumerRunningInfo(answer.Body))
		must(p.Close(background))
	})
	require.Equal(t, "false", info.Properties["clientRebalance"])
	require.Len(t, info.PopQueues, 2)
	require.Equal(t, orders(-1), info.PopQueues[0].Queue)
	require.Len(t, info.Queues, 2, "the retry topic is pulled")
}
