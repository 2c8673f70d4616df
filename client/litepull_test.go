package client_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// lite makes a lite pull consumer on the machine of the application.
func (c *cluster) lite(options ...client.LitePullOption) *client.LitePullConsumer {
	return c.liteAt(c.app, options...)
}

func (c *cluster) liteAt(e env.Env, options ...client.LitePullOption) *client.LitePullConsumer {
	return must1(client.NewLitePullConsumer(e, append([]client.LitePullOption{
		client.WithGroup("consumers"), c.nameServers(), client.WithConsumeFrom(client.FromFirst),
	}, options...)...))
}

// pollAll polls until there was nothing for a second.
func (c *cluster) pollAll(p *client.LitePullConsumer, most int) (bodies []string) {
	for {
		messages, err := p.Poll(within(c, time.Second), most)
		if errors.Is(err, context.DeadlineExceeded) {
			return bodies
		}
		must(err)
		for _, m := range messages {
			bodies = append(bodies, string(m.Body))
		}
	}
}

func TestALitePullConsumerThatSubscribesGetsEveryMessageAndCommitsBehindIt(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 40)
	c.a.put(orders(1), 3)
	b := client.Queue{Topic: "orders", BrokerName: "b", QueueID: 1}
	c.b.put(b, 25)
	var bodies []string
	c.run(time.Minute, func() {
		p := c.lite()
		must(p.Subscribe(background, "orders", client.Tags("*")))
		bodies = c.pollAll(p, 7)
		must(p.Close(background))
	})
	require.ElementsMatch(t, append(append(bodiesOf(orders(0), 40), bodiesOf(orders(1), 3)...), bodiesOf(b, 25)...), bodies)
	require.Equal(t, int64(40), c.a.committedAt(orders(0)))
	require.Equal(t, int64(3), c.a.committedAt(orders(1)))
	require.Equal(t, int64(25), c.b.committedAt(b))
	require.Empty(t, c.machine.TaskNames())
	require.Equal(t, "consumers", c.a.left[0].ConsumerGroup)
}

func TestPullsAndHeartbeatsOfALitePullConsumerTellItsRole(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 20)
	c.run(time.Minute, func() {
		p := c.lite(client.WithSubscription("orders", client.Tags("*")))
		c.pollAll(p, 32)
		must(p.Close(background))
	})
	data := c.a.heartbeats[len(c.a.heartbeats)-1].Consumers[0]
	require.Equal(t, proto.ConsumePull, data.ConsumeType)
	require.Equal(t, proto.Clustering, data.Model)
	require.Equal(t, proto.FromLastOffset, data.From)
	require.Len(t, data.Subscriptions, 1, "there is no retry topic")
	require.Zero(t, c.a.count(proto.ReqPullMessage))
	require.NotEmpty(t, c.a.pulls)
	for _, pull := range c.a.pulls {
		require.Equal(t, proto.PullHold|proto.PullSubscription|proto.PullLite, pull.Flags)
		require.Equal(t, int32(10), pull.MaxMessages)
		require.Equal(t, int64(20_000), pull.HoldForMillis)
	}
}

func TestTheMessagesOfTheLastPollAreNotCommittedUnlessTheApplicationSaysSo(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 9)
	c.run(time.Minute, func() {
		p := c.lite()
		must(p.Assign(background, orders(0)))
		for range 2 {
			must1(p.Poll(background, 3))
		}
		must(p.Close(background))
	})
	require.Equal(t, int64(3), c.a.committedAt(orders(0)))
	c.run(time.Minute, func() {
		p := c.lite()
		must(p.Assign(background, orders(0)))
		must1(p.Poll(background, 3))
		must(p.Commit(background))
		must(p.Close(background))
	})
	require.Equal(t, int64(6), c.a.committedAt(orders(0)))
}

func TestAPollWhoseContextIsDoneStillSaysThatEarlierMessagesAreConsumed(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 9)
	var last error
	c.run(time.Minute, func() {
		p := c.lite()
		must(p.Assign(background, orders(0)))
		ctx, cancel := context.WithCancel(background)
		must1(p.Poll(ctx, 4))
		cancel()
		_, last = p.Poll(ctx, 4)
		must(p.Close(background))
	})
	require.ErrorIs(t, last, context.Canceled)
	require.Equal(t, int64(4), c.a.committedAt(orders(0)))
}

func TestOffsetsAreCommittedByThemselvesWithinTheInterval(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 4)
	var before, after int64
	c.run(time.Minute, func() {
		p := c.lite(client.WithAutoCommit(2 * time.Second))
		must(p.Assign(background, orders(0)))
		c.pollAll(p, 2)
		before = c.a.committedAt(orders(0))
		c.app.Tasks.Sleep(2 * time.Second)
		after = c.a.committedAt(orders(0))
		must(p.Close(background))
	})
	require.Equal(t, int64(-1), before)
	require.Equal(t, int64(4), after)
}

func TestByHandNothingIsCommittedButWhatTheApplicationSays(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 10)
	c.a.put(orders(1), 10)
	var silent, some, lower int64
	var foreign, negative error
	c.run(time.Minute, func() {
		p := c.lite(client.WithAutoCommit(0))
		must(p.Assign(background, orders(0), orders(1)))
		c.pollAll(p, 4)
		c.app.Tasks.Sleep(10 * time.Second)
		silent = c.a.committedAt(orders(0))
		must(p.CommitOffsets(background, map[client.Queue]client.QueueOffset{orders(0): 7}))
		some = c.a.committedAt(orders(0))
		must(p.CommitOffsets(background, map[client.Queue]client.QueueOffset{orders(0): 5}))
		lower = c.a.committedAt(orders(0))
		foreign = p.CommitOffsets(background, map[client.Queue]client.QueueOffset{orders(0): 9, orders(5): 1})
		negative = p.CommitOffsets(background, map[client.Queue]client.QueueOffset{orders(0): -1})
		must(p.Close(background))
	})
	require.Equal(t, int64(-1), silent)
	require.Equal(t, int64(7), some)
	require.Equal(t, int64(5), lower)
	require.ErrorIs(t, foreign, client.ErrNotAssigned)
	require.ErrorIs(t, negative, client.ErrOffsetRange)
	require.Equal(t, int64(5), c.a.committedAt(orders(0)), "Close adds nothing")
	require.Equal(t, int64(-1), c.a.committedAt(orders(1)))
}

func TestTheApplicationMayCommitLessThanWhereTheBrokerBegins(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 9)
	c.a.minOffset = 5
	var offset client.QueueOffset
	c.run(time.Minute, func() {
		p := c.lite(client.WithAutoCommit(0))
		must(p.Assign(background, orders(0)))
		offset = must1(p.Poll(background, 1))[0].Offset
		must(p.CommitOffsets(background, map[client.Queue]client.QueueOffset{orders(0): 3}))
		must(p.Close(background))
	})
	require.Equal(t, client.QueueOffset(5), offset)
	require.Equal(t, int64(3), c.a.committedAt(orders(0)))
}

func TestACommitThatTheBrokerRefusesIsAnErrorAndTriedAgain(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 5)
	var refused error
	var later int64
	c.run(time.Minute, func() {
		p := c.lite(client.WithAutoCommit(0))
		must(p.Assign(background, orders(0)))
		c.pollAll(p, 32)
		c.a.groups.refuse[proto.ReqUpdateConsumerOffset] = true
		refused = p.Commit(background)
		delete(c.a.groups.refuse, proto.ReqUpdateConsumerOffset)
		c.app.Tasks.Sleep(6 * time.Second)
		later = c.a.committedAt(orders(0))
		must(p.Close(background))
	})
	var answer *client.ResponseError
	require.ErrorAs(t, refused, &answer)
	require.Equal(t, int64(5), later)
}

func TestSubscribingAndAssigningExcludeEachOther(t *testing.T) {
	c := newGroupCluster(t, 1)
	var neither, assigning, subscribing, unsubscribing error
	c.run(time.Minute, func() {
		p := c.lite()
		_, neither = p.Poll(background, 1)
		must(p.Subscribe(background, "orders", client.Tags("*")))
		assigning = p.Assign(background, orders(0))
		must(p.Close(background))
		p = c.lite()
		must(p.Assign(background, orders(0)))
		subscribing = p.Subscribe(background, "orders", client.Tags("*"))
		unsubscribing = p.Unsubscribe(background, "orders")
		must(p.Close(background))
	})
	require.ErrorIs(t, neither, client.ErrMode)
	require.ErrorContains(t, neither, "Subscribe or Assign first")
	require.ErrorIs(t, assigning, client.ErrMode)
	require.ErrorContains(t, assigning, "this consumer subscribes")
	require.ErrorIs(t, subscribing, client.ErrMode)
	require.ErrorContains(t, subscribing, "assigned by hand")
	require.ErrorIs(t, unsubscribing, client.ErrMode)
}

func TestAssignTakesJustTheQueuesThatAreNamed(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.names.routes["bills"] = route(1, c.b)
	bills := client.Queue{Topic: "bills", BrokerName: "b"}
	c.a.put(orders(0), 2)
	c.a.put(orders(1), 2)
	c.b.put(bills, 2)
	var first, second []string
	var held []client.Queue
	c.run(time.Minute, func() {
		p := c.lite()
		must(p.Assign(background, orders(1), bills, orders(1)))
		first = c.pollAll(p, 32)
		must(p.Assign(background, orders(0), orders(1)))
		held = must1(p.Assigned(background))
		second = c.pollAll(p, 32)
		must(p.Close(background))
	})
	require.ElementsMatch(t, append(bodiesOf(bills, 2), bodiesOf(orders(1), 2)...), first)
	require.Equal(t, []client.Queue{orders(0), orders(1)}, held)
	require.Equal(t, bodiesOf(orders(0), 2), second, "a queue that stays goes on")
	require.Equal(t, int64(2), c.b.committedAt(bills))
}

func TestAssigningAnUnknownTopicIsAnErrorButTriedOn(t *testing.T) {
	c := newGroupCluster(t, 1)
	late := client.Queue{Topic: "late", BrokerName: "a"}
	var unknown error
	var bodies []string
	c.run(time.Minute, func() {
		p := c.lite()
		unknown = p.Assign(background, late)
		c.names.routes["late"] = route(1, c.a)
		c.a.put(late, 1)
		for _, m := range must1(p.Poll(background, 1)) {
			bodies = append(bodies, string(m.Body))
		}
		must(p.Close(background))
	})
	require.ErrorIs(t, unknown, client.ErrTopicNotFound)
	require.Equal(t, bodiesOf(late, 1), bodies)
}

func TestWhatIsAssignedCanBeFiltered(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 2, "TAGS", "paid")
	c.a.put(orders(0), 2, "TAGS", "open")
	var bodies []string
	c.run(time.Minute, func() {
		p := c.lite(client.WithAssignFilter("orders", client.Tags("open")))
		must(p.Assign(background, orders(0)))
		bodies = c.pollAll(p, 32)
		must(p.Close(background))
	})
	require.Equal(t, bodiesOf(orders(0), 4)[2:], bodies)
	require.Equal(t, "open", c.a.pulls[0].Expression)
	require.Equal(t, int64(4), c.a.committedAt(orders(0)))
}

func TestTwoLitePullConsumersShareAndTheOneThatStaysGoesOnWhereTheOtherCommitted(t *testing.T) {
	c := newGroupCluster(t, 1)
	other := c.boot("other")
	for id := range int32(2) {
		c.a.put(orders(id), 10)
		c.b.put(client.Queue{Topic: "orders", BrokerName: "b", QueueID: id}, 10)
	}
	left := false
	var bodies []string
	c.run(2*time.Minute, func() {
		one := c.lite()
		must(one.Subscribe(background, "orders", client.Tags("*")))
		other.Tasks.Go("other member", func() {
			two := c.liteAt(other)
			must(two.Subscribe(background, "orders", client.Tags("*")))
			for len(must1(two.Assigned(background))) != 2 {
				other.Tasks.Sleep(10 * time.Millisecond)
			}
			for range 10 {
				for _, m := range must1(two.Poll(background, 1)) {
					bodies = append(bodies, string(m.Body))
				}
			}
			must(two.Commit(background))
			must(two.Close(background))
			left = true
		})
		c.eventually("the other member came and went", func() bool { return left })
		bodies = append(bodies, c.pollAll(one, 32)...)
		must(one.Close(background))
	})
	var want []string
	for id := range int32(2) {
		want = append(want, bodiesOf(orders(id), 10)...)
		want = append(want, bodiesOf(client.Queue{Topic: "orders", BrokerName: "b", QueueID: id}, 10)...)
	}
	require.ElementsMatch(t, want, bodies, "nothing is lost, and nothing comes twice")
	require.Equal(t, int64(10), c.a.committedAt(orders(0)))
	require.Equal(t, int64(10), c.b.committedAt(client.Queue{Topic: "orders", BrokerName: "b", QueueID: 1}))
}

func TestAListenerHearsOfTheQueuesThatAreHeld(t *testing.T) {
	c := newGroupCluster(t, 1)
	var heard [][2]int
	c.run(time.Minute, func() {
		p := c.lite(client.WithQueueListener(func(topic string, all, held []client.Queue) {
			heard = append(heard, [2]int{len(all), len(held)})
			if len(heard) == 1 {
				panic("a bug of the application")
			}
		}))
		must(p.Subscribe(background, "orders", client.Tags("*")))
		c.eventually("it hears", func() bool { return len(heard) == 1 })
		c.names.routes["bills"] = route(1, c.b)
		must(p.Subscribe(background, "bills", client.Tags("*")))
		c.eventually("it hears again", func() bool { return len(heard) == 2 })
		must(p.Close(background))
	})
	require.Equal(t, [][2]int{{4, 4}, {1, 1}}, heard)
	require.Empty(t, c.machine.TaskNames())
}

func TestAChangedTopicIsSeenByWhoWatchesItAndMayBeAssigned(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(2), 1)
	var p *client.LitePullConsumer
	var first []client.Queue
	var bodies []string
	c.run(3*time.Minute, func() {
		p = c.lite(client.WithRouteRefresh(5*time.Second), client.WithWatchInterval(5*time.Second))
		first = must1(p.WatchQueues(background, "orders", func(queues []client.Queue) {
			must(p.Assign(background, queues...))
		}))
		must(p.Assign(background, first...))
		c.names.routes["orders"] = route(3, c.a, c.b)
		for _, m := range must1(p.Poll(background, 1)) {
			bodies = append(bodies, string(m.Body))
		}
		c.eventually("all are held", func() bool { return len(must1(p.Assigned(background))) == 6 })
		must(p.Close(background))
	})
	require.Len(t, first, 4)
	require.Equal(t, []string{"orders@a:2 #0"}, bodies)
}
