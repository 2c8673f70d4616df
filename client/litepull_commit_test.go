package client_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// atOffset is a table for CommitOffsets.
func atOffset(queue client.Queue, offset client.QueueOffset) map[client.Queue]client.QueueOffset {
	return map[client.Queue]client.QueueOffset{queue: offset}
}

// storesLate lets a broker store an offset only after some time, and then answer or not.
func (b *broker) storesLate(after time.Duration, answers bool) {
	b.intercept = func(in *transport.Incoming) bool {
		if in.Command.Code != proto.ReqUpdateConsumerOffset {
			return false
		}
		var h proto.UpdateConsumerOffset
		must(h.DecodeFields(in.Command.Fields))
		reply := in.Reply()
		b.env.Tasks.Go("store late", func() {
			b.env.Tasks.Sleep(after)
			b.committed["consumers@orders@0"] = h.CommitOffset
			if answers {
				reply.Success(nil)
			}
		})
		return true
	}
}

func TestACommitOfTheOldOffsetIsSentIfTheBrokerMayHaveStoredAnother(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 9)
	c.a.committed["consumers@orders@0"] = 5
	var unanswered error
	c.run(time.Minute, func() {
		p := c.lite(client.WithAutoCommit(0))
		must(p.Assign(background, orders(0)))
		c.a.storesLate(0, false)
		unanswered = p.CommitOffsets(background, atOffset(orders(0), 7))
		c.a.intercept = nil
		must(p.CommitOffsets(background, atOffset(orders(0), 5)))
		must(p.Close(background))
	})
	require.ErrorIs(t, unanswered, client.ErrTimeout)
	require.Equal(t, int64(5), c.a.committedAt(orders(0)))
}

func TestACommitThatASeekOvertakesIsNotForgotten(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 9)
	c.a.committed["consumers@orders@0"] = 5
	c.run(time.Minute, func() {
		p := c.lite(client.WithAutoCommit(0))
		must(p.Assign(background, orders(0)))
		c.a.storesLate(time.Second, true)
		c.app.Tasks.Go("commit", func() { must(p.CommitOffsets(background, atOffset(orders(0), 7))) })
		c.app.Tasks.Sleep(500 * time.Millisecond)
		must(p.Seek(background, orders(0), 5))
		must(p.CommitOffsets(background, atOffset(orders(0), 5)))
		must(p.Close(background))
	})
	require.Equal(t, int64(5), c.a.committedAt(orders(0)))
}

func TestNoCommitThatTheBrokerDoesNotAnswerSucceeds(t *testing.T) {
	for seed := range uint64(10) {
		c := newGroupCluster(t, seed+1)
		c.a.put(orders(0), 9)
		var failures [3]error
		c.run(time.Minute, func() {
			p := c.lite(client.WithAutoCommit(0))
			must(p.Assign(background, orders(0)))
			must1(p.Poll(background, 4))
			c.a.intercept = refusingToAnswer(proto.ReqUpdateConsumerOffset)
			done := 0
			for i := range failures {
				c.app.Tasks.Go("commit", func() {
					failures[i] = p.Commit(background)
					done++
				})
			}
			c.eventually("they end", func() bool { return done == len(failures) })
			must(p.Close(background))
		})
		for _, err := range failures {
			require.ErrorIs(t, err, client.ErrTimeout, "seed %d", seed+1)
		}
	}
}

// refusingToAnswer is silent to requests of one code.
func refusingToAnswer(code int32) func(*transport.Incoming) bool {
	return func(in *transport.Incoming) bool { return in.Command.Code == code }
}

func TestQueuesThatAreGivenUpMakeRoomForThoseOfOtherTopicsAndAreToldOf(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.names.routes["orders"], c.names.routes["bills"] = route(1, c.a), route(1, c.b)
	bills := client.Queue{Topic: "bills", BrokerName: "b"}
	c.b.committed["consumers@bills@0"] = 0
	c.a.put(orders(0), 100)
	c.b.put(bills, 3)
	heard := map[string]int{}
	var got []string
	c.run(time.Minute, func() {
		p := c.lite(client.WithTotalLimit(5), client.WithQueueListener(func(topic string, _, held []client.Queue) { heard[topic] = len(held) }))
		must(p.Subscribe(background, "orders", client.Tags("*")))
		c.app.Tasks.Sleep(time.Second)
		must(p.Subscribe(background, "bills", client.Tags("*")))
		c.app.Tasks.Sleep(time.Second)
		must(p.Unsubscribe(background, "orders"))
		c.app.Tasks.Sleep(time.Second)
		got = c.pollAll(p, 10)
		must(p.Close(background))
	})
	require.Equal(t, bodiesOf(bills, 3), got)
	require.Equal(t, map[string]int{"orders": 0, "bills": 1}, heard)
}

func TestBrokersHearNothingOfALitePullConsumerBeforeItHasAGroup(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.run(time.Minute, func() {
		p := c.lite()
		must1(p.MaxOffset(background, orders(0)))
		c.app.Tasks.Sleep(time.Second)
		must(p.Assign(background, orders(0)))
		c.app.Tasks.Sleep(time.Second)
		must(p.Close(background))
	})
	require.NotEmpty(t, c.a.heartbeats)
	for _, h := range c.a.heartbeats {
		require.NotEmpty(t, h.Consumers)
	}
}

func TestASubscriptionThatIsRefusedLeavesTheWayOpen(t *testing.T) {
	c := newGroupCluster(t, 1)
	var refused error
	c.run(time.Minute, func() {
		p := c.lite()
		refused = p.Subscribe(background, "wrong@name", client.Tags("*"))
		must(p.Assign(background, orders(0)))
		must(p.Close(background))
	})
	require.ErrorIs(t, refused, proto.ErrNameCharacter)
}

func TestLitePullConsumersAreOfTheStreamKind(t *testing.T) {
	c := newGroupCluster(t, 1)
	unmarked := map[string]bool{}
	look := func(in *transport.Incoming) bool {
		if in.Command.Fields.String("ReqT") != "0" {
			unmarked[proto.RequestName(in.Command.Code)] = true
		}
		return false
	}
	c.a.intercept, c.b.intercept, c.names.intercept = look, look, look
	var id string
	c.run(time.Minute, func() {
		p := c.lite(client.WithInstanceName("one"), client.WithUnitName("north"))
		must(p.Assign(background, orders(0)))
		must(p.Commit(background))
		must(p.Close(background))
		id = c.a.heartbeats[0].ClientID
		r := c.consumer(client.WithInstanceName("two"))
		must1(r.MaxOffset(background, orders(0)))
		must(r.CommitOneway(background, orders(0), 1))
		must(r.Close(background))
	})
	require.Empty(t, unmarked)
	require.Equal(t, "10.0.9.1@one@north@STREAM", id)
	require.Equal(t, "10.0.9.1@two@STREAM", c.a.heartbeats[len(c.a.heartbeats)-1].ClientID)
	require.NotContains(t, pushClientID(t), "STREAM")
}

// pushClientID is how a push consumer introduces itself.
func pushClientID(t *testing.T) string {
	t.Helper()
	c := newGroupCluster(t, 1)
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler((&inbox{}).handle))
		c.app.Tasks.Sleep(time.Second)
		must(p.Close(background))
	})
	return c.a.heartbeats[0].ClientID
}

func TestAToolSeesThatALitePullConsumerPulls(t *testing.T) {
	c := newGroupCluster(t, 1)
	var info *proto.ConsumerRunningInfo
	c.run(time.Minute, func() {
		p := c.lite()
		must(p.Assign(background, orders(0)))
		header := &proto.GetConsumerRunningInfo{ConsumerGroup: "consumers", ClientID: "x"}
		answer := must1(c.ask(c.a, &transport.Request{Code: proto.ReqGetConsumerRunningInfo, Header: header}))
		info = must1(proto.UnmarshalConsumerRunningInfo(answer.Body))
		must(p.Close(background))
	})
	require.Equal(t, "CONSUME_ACTIVELY", info.Properties["PROP_CONSUME_TYPE"])
}

func TestWhatALitePullConsumerHandsOutIsTraced(t *testing.T) {
	c := tracedGroup(t)
	c.a.put(orders(0), 1, "UNIQ_KEY", "ID-1", "MSG_REGION", "north")
	c.a.put(orders(0), 1, "UNIQ_KEY", "ID-2", "TRACE_ON", "false")
	c.run(time.Minute, func() {
		p := c.lite(client.WithTrace(client.TraceOptions{}))
		must(p.Assign(background, orders(0)))
		must1(p.Poll(background, 2))
		must(p.Close(background))
	})
	traces := c.traces()
	require.Len(t, traces, 2)
	require.Equal(t, []string{"SubBefore", "north", "consumers", "ID-1"}, []string{traces[0][0], traces[0][2], traces[0][3], traces[0][5]})
	require.Equal(t, []string{"ID-1", "0", "true", "null", "0"}, traces[1][2:7])
	require.Empty(t, c.machine.TaskNames())
	_, err := client.NewLitePullConsumer(c.app, client.WithGroup("g"), c.nameServers(), client.WithTrace(client.TraceOptions{Records: 99}))
	require.ErrorContains(t, err, "WithTrace")
}

func TestTheConsumptionOfTracesIsNotTraced(t *testing.T) {
	c := tracedGroup(t)
	traces := client.Queue{Topic: traceTopic}
	c.b.put(traces, 1)
	box := &inbox{}
	c.run(time.Minute, func() {
		p := c.push(client.WithTrace(client.TraceOptions{Records: 1}), client.WithSubscription(traceTopic, client.Tags("*")), client.WithHandler(box.handle))
		c.app.Tasks.Sleep(10 * time.Second)
		must(p.Close(background))
	})
	require.Empty(t, c.b.sends, "or it would never end")
}

func TestAssigningAQueueAgainThatIsBeingGivenUpWaitsUntilItIsHeldAnew(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 9)
	var offsets []int
	c.run(time.Minute, func() {
		p := c.lite()
		must(p.Assign(background, orders(0)))
		pollOffsets(p, 2)
		pollOffsets(p, 2)
		// The offset is stored before the queue is let go.
		c.a.storesLate(time.Second, true)
		c.app.Tasks.Go("give up", func() { _ = p.Assign(background) })
		c.app.Tasks.Sleep(500 * time.Millisecond)
		must(p.Assign(background, orders(0)))
		must(p.Seek(background, orders(0), 6))
		offsets = pollOffsets(p, 2)
		must(p.Close(background))
	})
	require.Equal(t, []int{6, 7}, offsets)
}
