package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// inbox is a handler that remembers what it got.
type inbox struct {
	bodies []string
	fail   func(m *client.Received) error // may be nil
}

func (i *inbox) handle(_ context.Context, messages []*client.Received) error {
	for _, m := range messages {
		i.bodies = append(i.bodies, string(m.Body))
		if i.fail != nil {
			if err := i.fail(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// bodiesOf are the bodies that put makes.
func bodiesOf(queue client.Queue, count int) (bodies []string) {
	for i := range count {
		bodies = append(bodies, fmt.Sprintf("%s #%d", queue, i))
	}
	return bodies
}

func TestAPushConsumerGetsEveryMessageOfItsTopicAndCommits(t *testing.T) {
	c := newGroupCluster(t, 1)
	for id := range int32(2) {
		c.a.put(orders(id), 40)
		c.b.put(orders(id), 40)
	}
	box := &inbox{}
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(box.handle))
		c.eventually("all are consumed", func() bool { return len(box.bodies) == 160 })
		c.a.put(orders(1), 1)
		c.eventually("a new message comes", func() bool { return len(box.bodies) == 161 })
		must(p.Close(background))
	})
	var want []string
	for id := range int32(2) {
		want = append(want, bodiesOf(orders(id), 40+int(id))...)
		want = append(want, bodiesOf(client.Queue{Topic: "orders", BrokerName: "b", QueueID: id}, 40)...)
	}
	require.ElementsMatch(t, want, box.bodies)
	require.Equal(t, int64(40), c.a.committedAt(orders(0)))
	require.Equal(t, int64(41), c.a.committedAt(orders(1)))
	require.Equal(t, int64(40), c.b.committedAt(orders(1)))
	require.Empty(t, c.machine.TaskNames())
	require.Len(t, c.a.left, 1)
	require.Equal(t, "consumers", c.a.left[0].ConsumerGroup)
}

func TestHeartbeatsOfAPushConsumerTellItsRole(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler((&inbox{}).handle))
		c.app.Tasks.Sleep(2 * time.Second)
		must(p.Close(background))
	})
	data := c.a.heartbeats[0].Consumers[0]
	require.Equal(t, proto.ConsumePush, data.ConsumeType)
	require.Equal(t, proto.Clustering, data.Model)
	require.Equal(t, proto.FromFirstOffset, data.From)
	require.Len(t, data.Subscriptions, 2)
	require.Equal(t, "%RETRY%consumers", data.Subscriptions[0].Topic)
	require.Equal(t, "orders", data.Subscriptions[1].Topic)
}

func TestAMessageThatFailsComesAgainThroughTheRetryTopic(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 3, message.PropertyTags, "paid")
	tries := map[string]int{}
	var topics []string
	box := &inbox{fail: func(m *client.Received) error {
		if m.Offset != 1 && m.Queue.Topic == "orders" {
			return nil
		}
		tries[string(m.Body)]++
		topics = append(topics, m.Topic)
		if m.Redeliveries < 2 {
			return fmt.Errorf("not yet: %w", client.RetryAfter(4))
		}
		return nil
	}}
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(box.handle))
		c.eventually("the third try", func() bool { return len(box.bodies) == 5 })
		must(p.Close(background))
	})
	require.Equal(t, map[string]int{"orders@a:0 #1": 3}, tries)
	require.Equal(t, []string{"orders", "orders", "orders"}, topics, "the original topic is restored")
	require.Len(t, c.a.groups.back, 2)
	back := c.a.groups.back[0]
	require.Equal(t, int32(4), back.DelayLevel)
	require.Equal(t, int32(16), back.RedeliveriesMax.Value)
	require.Equal(t, "orders", back.OriginTopic)
	require.Equal(t, int64(1000), back.LogOffset)
	require.Equal(t, int64(3), c.a.committedAt(orders(0)))
}

func TestARejectedMessageBecomesADeadLetterAtOnce(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 1)
	box := &inbox{fail: func(*client.Received) error { return fmt.Errorf("no good: %w", client.Reject) }}
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(box.handle))
		c.eventually("it is sent back", func() bool { return len(c.a.groups.back) == 1 })
		c.app.Tasks.Sleep(time.Second)
		must(p.Close(background))
	})
	require.Len(t, box.bodies, 1)
	require.Equal(t, int32(-1), c.a.groups.back[0].DelayLevel)
	require.Len(t, c.a.queues[client.Queue{Topic: "%DLQ%consumers", BrokerName: "a"}], 1)
}

func TestAPanicOfTheHandlerCountsAsFailure(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 2)
	box := &inbox{fail: func(m *client.Received) error {
		if m.Offset == 0 && m.Redeliveries == 0 {
			panic("a bug of the application")
		}
		return nil
	}}
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(box.handle))
		c.eventually("it comes again", func() bool { return len(box.bodies) == 3 })
		must(p.Close(background))
	})
	require.Len(t, c.a.groups.back, 1)
}

func TestAMessageThatNoBrokerTakesBackIsSentToTheRetryTopic(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.groups.refuse[proto.ReqConsumerSendMessageBack] = true
	c.a.put(orders(0), 1, message.PropertyTags, "paid")
	box := &inbox{fail: func(*client.Received) error { return errors.New("no") }}
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(box.handle))
		c.eventually("it is sent", func() bool { return len(c.sends()) == 1 })
		must(p.Close(background))
	})
	s := c.sends()[0]
	require.Equal(t, "%RETRY%consumers", s.header.Topic)
	require.Equal(t, int32(1), s.header.Redeliveries)
	require.Equal(t, int32(16), s.header.RedeliveriesMax.Value)
	require.Equal(t, "orders", s.property(message.PropertyRetryTopic))
	require.Equal(t, "3", s.property(message.PropertyDelayLevel))
	require.Equal(t, "paid", s.property(message.PropertyTags))
	require.NotEmpty(t, s.property(message.PropertyOriginOffsetID))
	require.Equal(t, "orders@a:0 #0", string(s.body))
	require.Equal(t, int64(1), c.a.committedAt(orders(0)))
}

func TestAMessageThatCannotBeSentAnywhereComesAgainHereAndIsNotCommitted(t *testing.T) {
	c := newGroupCluster(t, 1)
	for _, b := range []*broker{c.a, c.b} {
		b.groups.refuse[proto.ReqConsumerSendMessageBack] = true
		b.groups.refuse[proto.ReqSendMessageV2] = true
	}
	c.a.put(orders(0), 3)
	var redeliveries []int32
	box := &inbox{fail: func(m *client.Received) error {
		if m.Offset == 1 {
			redeliveries = append(redeliveries, m.Redeliveries)
			return errors.New("no")
		}
		return nil
	}}
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(box.handle))
		c.eventually("three tries", func() bool { return len(redeliveries) == 3 })
		must(p.Close(background))
	})
	require.Equal(t, []int32{0, 1, 2}, redeliveries)
	require.Equal(t, int64(1), c.a.committedAt(orders(0)), "the message is unfinished")
}

func TestACopyThatWaitsForAFlushOrForSlavesIsNotSafe(t *testing.T) {
	for code, safe := range map[int32]bool{proto.RespFlushDiskTimeout: false, proto.RespFlushSlaveTimeout: false, proto.RespSlaveNotAvailable: true} {
		c := newGroupCluster(t, 1)
		tries := 0
		for _, b := range []*broker{c.a, c.b} {
			b.groups.refuse[proto.ReqConsumerSendMessageBack] = true
			b.intercept = func(in *transportIncoming) bool {
				if in.Command.Code != proto.ReqSendMessageV2 {
					return false
				}
				tries++
				in.Reply().Send(code, &proto.SendMessageResponse{OffsetID: "x"}, nil)
				return true
			}
		}
		c.a.put(orders(0), 1)
		fail, handled := true, 0
		box := &inbox{fail: func(*client.Received) error {
			handled++
			if fail {
				fail = false
				return errors.New("no")
			}
			return nil
		}}
		c.run(time.Minute, func() {
			p := c.push(client.WithHandler(box.handle))
			c.eventually("it is sent", func() bool { return tries == 1 })
			c.app.Tasks.Sleep(10 * time.Second)
			must(p.Close(background))
		})
		require.Equal(t, safe, handled == 1, "the handler was called %d times after %d", handled, code)
		require.Equal(t, int64(1), c.a.committedAt(orders(0)))
	}
}

func TestTwoMembersShareTheQueuesAndOneTakesOverWhenTheOtherCloses(t *testing.T) {
	c := newGroupCluster(t, 1)
	one, two := &inbox{}, &inbox{}
	other := c.boot("other")
	var shares [][]client.Queue
	var took time.Duration
	c.run(2*time.Minute, func() {
		p := c.push(client.WithHandler(one.handle))
		c.eventually("all are assigned", func() bool { return len(must1(p.Assigned(background))) == 6 })
		var q *client.PushConsumer
		other.Tasks.Go("second", func() { q = c.pushAt(other, client.WithHandler(two.handle)) })
		c.eventually("they share", func() bool { return q != nil && len(must1(p.Assigned(background))) == 3 })
		c.app.Tasks.Sleep(time.Second)
		shares = append(shares, must1(p.Assigned(background)))
		other.Tasks.Go("look", func() {
			shares = append(shares, must1(q.Assigned(background)))
			must(q.Close(background))
		})
		c.eventually("the second looked", func() bool { return len(shares) == 2 })
		began := c.app.Clock.Now()
		c.eventually("the first has all", func() bool { return len(must1(p.Assigned(background))) == 6 })
		took = c.app.Clock.Now().Sub(began)
		must(p.Close(background))
	})
	all := slices.SortedFunc(slices.Values(slices.Concat(shares...)), client.Queue.Compare)
	require.Len(t, slices.Compact(all), 6)
	require.Less(t, took, time.Second)
}

func TestOfABatchOnlyWhatWasNotConsumedComesAgain(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 8)
	var sizes []int
	handler := func(_ context.Context, messages []*client.Received) error {
		sizes = append(sizes, len(messages))
		if len(messages) == 8 {
			return client.ConsumedFirst(5, errors.New("the sixth is bad"))
		}
		return nil
	}
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(handler), client.WithBatchSize(10))
		c.eventually("three come again", func() bool {
			retried := 0
			for _, n := range sizes {
				retried += n
			}
			return retried == 11
		})
		must(p.Close(background))
	})
	require.Equal(t, 8, sizes[0])
	require.Len(t, c.a.groups.back, 3)
	require.Equal(t, int64(5000), c.a.groups.back[0].LogOffset)
	require.Equal(t, int64(8), c.a.committedAt(orders(0)))
}

func TestABrokerThatDoesNotHoldPullsIsNotHammered(t *testing.T) {
	c := newCluster(t, 1)
	c.a.groups, c.b.groups = newGroups(c.a), newGroups(c.b)
	c.names.routes["orders"] = route(1, c.a)
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler((&inbox{}).handle), client.WithHold(0))
		c.app.Tasks.Sleep(10 * time.Second)
		must(p.Close(background))
	})
	require.InDelta(t, 100, c.a.count(proto.ReqPullMessage), 20)
}
