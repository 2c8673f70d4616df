package client_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// popper makes a pop consumer on the machine of the application.
func (c *cluster) popper(options ...client.PopOption) *client.PopConsumer {
	return must1(client.NewPopConsumer(c.app, append([]client.PopOption{
		client.WithGroup("consumers"), c.nameServers(), client.WithSubscription("orders", client.Tags("*")), client.WithConsumeFrom(client.FromFirst),
	}, options...)...))
}

// mustBe stops the run unless an error is another one.
func mustBe(err, target error) {
	if !errors.Is(err, target) {
		panic(err)
	}
}

// popAll pops until there was nothing for a second.
func (c *cluster) popAll(p *client.PopConsumer, most int) (all []*client.PoppedMessage) {
	for {
		messages, err := p.Pop(within(c, time.Second), most)
		if errors.Is(err, context.DeadlineExceeded) {
			return all
		}
		must(err)
		all = append(all, messages...)
	}
}

func TestAPopConsumerGetsEveryMessageOfAllBrokersAndAcknowledgesIt(t *testing.T) {
	c := newPopCluster(t, 1)
	c.a.put(orders(0), 40)
	c.a.put(orders(1), 3)
	c.b.put(orders(1), 25)
	var bodies []string
	c.run(time.Minute, func() {
		p := c.popper()
		for _, m := range c.popAll(p, 7) {
			bodies = append(bodies, string(m.Body))
			must(p.Ack(background, m))
		}
		must(p.Close(background))
	})
	b := client.Queue{Topic: "orders", BrokerName: "b", QueueID: 1}
	require.ElementsMatch(t, slices.Concat(bodiesOf(orders(0), 40), bodiesOf(orders(1), 3), bodiesOf(b, 25)), bodies)
	require.Zero(t, c.a.pops.holding()+c.b.pops.holding())
	require.Empty(t, c.machine.TaskNames())
	require.Equal(t, "consumers", c.a.left[0].ConsumerGroup)
}

func TestAPopTellsWhatTheReferenceSays(t *testing.T) {
	c := newPopCluster(t, 1)
	c.a.put(orders(0), 1)
	c.run(time.Minute, func() {
		p := c.popper(client.WithInvisibleTime(20*time.Second), client.WithSubscription("orders", client.Tags("red || blue")))
		_, err := p.Pop(within(c, 100*time.Millisecond), 5)
		if !errors.Is(err, context.DeadlineExceeded) {
			panic(err)
		}
		must(p.Close(background))
	})
	asked := c.a.pops.asked[0]
	require.InDelta(t, int64(c.app.Clock.Wall()), asked.BornAt, 5000)
	asked.BornAt = 0
	require.Equal(t, proto.PopMessage{
		ConsumerGroup: "consumers", Topic: "orders", QueueID: -1, MaxMessages: 5, InvisibleMillis: 20_000, HoldForMillis: 15_000,
		From: proto.PopFromMin, ExpressionType: "TAG", Expression: "red || blue",
	}, asked)
	data := c.a.heartbeats[0].Consumers[0]
	require.Equal(t, proto.ConsumePush, data.ConsumeType)
	require.Equal(t, proto.Clustering, data.Model)
	require.Equal(t, "orders", data.Subscriptions[0].Topic)
	require.Len(t, c.a.pops.acks, 1, "what the filter leaves out is acknowledged at once")
}

func TestAPoppedMessageKnowsItsReceiptAndQueue(t *testing.T) {
	c := newPopCluster(t, 1)
	c.a.put(orders(1), 2)
	var m *client.PoppedMessage
	c.run(time.Minute, func() {
		p := c.popper()
		m = must1(p.Pop(background, 2))[1]
		must(p.Close(background))
	})
	receipt := must1(proto.ParsePopReceipt(m.Receipt()))
	require.Equal(t, proto.PopReceipt{
		PoppedAt: receipt.PoppedAt, InvisibleMillis: 60_000, ReviveQueueID: 3, Retry: proto.PopNormal, BrokerName: "a", QueueID: 1, QueueOffset: 1, LogOffset: -1,
	}, receipt)
	require.Equal(t, m.Receipt(), m.Properties.Get("POP_CK"))
	require.Equal(t, orders(1), m.Queue)
	require.Equal(t, receipt.PoppedAt, m.FirstPoppedAt().UnixMilli())
	require.Equal(t, time.Minute, m.InvisibleUntil().Sub(m.FirstPoppedAt()))
}

func TestAMessageThatIsNotAcknowledgedComesAgainAndItsFirstReceiptHoldsNothing(t *testing.T) {
	c := newPopCluster(t, 1)
	c.a.put(orders(0), 1)
	var first, again *client.PoppedMessage
	var early, twice error
	c.run(2*time.Minute, func() {
		p := c.popper(client.WithInvisibleTime(5 * time.Second))
		first = must1(p.Pop(background, 1))[0]
		again = must1(p.Pop(background, 1))[0]
		early = p.Ack(background, first)
		must(p.Ack(background, again))
		twice = p.Ack(background, again)
		must(p.Close(background))
	})
	require.Equal(t, first.Body, again.Body)
	require.Equal(t, int32(1), again.Redeliveries)
	require.Equal(t, "orders", again.Topic)
	require.Equal(t, "%RETRY%consumers_orders", again.Queue.Topic)
	require.Equal(t, "%RETRY%consumers_orders", c.a.pops.acks[1].Topic)
	for _, err := range []error{early, twice} {
		var hold *client.HoldError
		require.ErrorIs(t, err, client.ErrNotHeld)
		require.ErrorAs(t, err, &hold)
		var answer *client.ResponseError
		require.ErrorAs(t, err, &answer)
		require.Equal(t, int32(proto.RespNoMessage), answer.Code)
	}
}

func TestChangeInvisibleHidesAMessageAndReplacesItsReceipt(t *testing.T) {
	c := newPopCluster(t, 1)
	c.a.put(orders(0), 3)
	var before, after string
	var changed *client.PoppedMessage
	var old error
	c.run(2*time.Minute, func() {
		p := c.popper(client.WithInvisibleTime(5 * time.Second))
		m := must1(p.Pop(background, 3))[2]
		copied := *m
		before = m.Receipt()
		c.app.Tasks.Sleep(4 * time.Second)
		must(p.ChangeInvisible(background, m, 30*time.Second))
		after, changed = m.Receipt(), m
		c.app.Tasks.Sleep(20 * time.Second)
		old = p.Ack(background, &copied)
		must(p.Ack(background, m))
		if err := p.ChangeInvisible(background, m, 0); !errors.Is(err, client.ErrOption) {
			panic(err)
		}
		must(p.Close(background))
	})
	require.ErrorIs(t, old, client.ErrNotHeld)
	require.Equal(t, after, changed.Properties.Get("POP_CK"))
	was, is := must1(proto.ParsePopReceipt(before)), must1(proto.ParsePopReceipt(after))
	require.Equal(t, int64(0), was.StartOffset)
	require.Equal(t, int64(2), is.StartOffset, "the new check point is that of the message alone")
	require.Equal(t, int64(30_000), is.InvisibleMillis)
	require.Equal(t, int32(5), is.ReviveQueueID)
	require.Greater(t, is.PoppedAt, was.PoppedAt)
}

func TestAckAllSendsOneRequestToEachBroker(t *testing.T) {
	c := newPopCluster(t, 1)
	c.a.put(orders(0), 20)
	c.a.put(orders(1), 20)
	c.b.put(orders(0), 20)
	c.run(time.Minute, func() {
		p := c.popper()
		all := c.popAll(p, 32)
		must(p.AckAll(background, all))
		must(p.AckAll(background, nil))
		must(p.Close(background))
	})
	require.Zero(t, c.a.pops.holding()+c.b.pops.holding())
	require.Len(t, c.a.pops.batches, 1)
	require.Len(t, c.b.pops.batches, 1)
	require.Empty(t, c.a.pops.acks)
	require.Equal(t, "a", c.a.pops.batches[0].BrokerName)
}

func TestAckAllNamesTheMessagesOfTheBrokerThatRefused(t *testing.T) {
	c := newPopCluster(t, 1)
	c.a.put(orders(0), 2)
	c.b.put(orders(0), 2)
	var refused error
	c.run(time.Minute, func() {
		p := c.popper()
		all := c.popAll(p, 32)
		for _, m := range all {
			if m.Queue.BrokerName == "b" && m.Offset == 0 {
				must(p.Ack(background, m))
			}
		}
		refused = p.AckAll(background, all)
		must(p.Close(background))
	})
	var failed *client.AckError
	require.ErrorAs(t, refused, &failed)
	require.ErrorIs(t, refused, client.ErrNotHeld)
	require.Len(t, failed.Messages, 2)
	require.Equal(t, "b", failed.Messages[0].Queue.BrokerName)
	require.Zero(t, c.a.pops.holding())
}

func TestAPopFailsWhenNoBrokerCanBeAskedAndGoesOnWhenOneCan(t *testing.T) {
	c := newPopCluster(t, 1)
	c.a.put(orders(0), 1)
	var both error
	var bodies []string
	c.run(time.Minute, func() {
		p := c.popper()
		c.a.intercept = refusing(proto.ReqPopMessage, proto.RespSubscriptionGroupNotExist)
		c.b.intercept = refusing(proto.ReqPopMessage, proto.RespNoPermission)
		_, both = p.Pop(background, 1)
		c.a.intercept = nil
		for _, m := range must1(p.Pop(background, 1)) {
			bodies = append(bodies, bodyOf(m))
		}
		must(p.Close(background))
	})
	require.ErrorContains(t, both, "SUBSCRIPTION_GROUP_NOT_EXIST")
	require.ErrorContains(t, both, "NO_PERMISSION")
	require.Equal(t, []string{"a0#0"}, bodies)
}

func TestAPopNeedsATopicThatExists(t *testing.T) {
	c := newPopCluster(t, 1)
	c.run(time.Minute, func() {
		p := c.popper(client.WithSubscription("nowhere", client.Tags("*")))
		must(p.Unsubscribe(background, "orders"))
		_, err := p.Pop(background, 1)
		mustBe(err, client.ErrTopicNotFound)
		must(p.Unsubscribe(background, "nowhere"))
		for most, want := range map[int]string{1: "there is nothing to pop", 0: "give a number from 1 to 32", 33: "give a number from 1 to 32"} {
			_, err := p.Pop(background, most)
			if !errors.Is(err, client.ErrOption) || !strings.Contains(err.Error(), want) {
				panic(err)
			}
		}
		must(p.Close(background))
		_, err = p.Pop(background, 1)
		mustBe(err, client.ErrClosed)
	})
}

func TestWhatComesAfterThePopHasReturnedIsHandedOutByTheNext(t *testing.T) {
	c := newPopCluster(t, 1)
	var got []string
	c.run(time.Minute, func() {
		p := c.popper()
		_, err := p.Pop(within(c, time.Second), 4)
		mustBe(err, context.DeadlineExceeded)
		// The brokers still hold the requests, and answer them now.
		c.a.put(orders(0), 2)
		c.app.Tasks.Sleep(time.Second)
		c.b.put(orders(1), 1)
		c.app.Tasks.Sleep(2 * time.Second)
		for _, m := range must1(p.Pop(background, 4)) {
			got = append(got, bodyOf(m))
			must(p.Ack(background, m))
		}
		must(p.Close(background))
	})
	require.Equal(t, []string{"a0#0", "a0#1", "b1#0"}, got)
	require.Len(t, c.a.pops.asked, 1)
}

func TestMessagesWhoseTimeIsOverAreNotHandedOut(t *testing.T) {
	c := newPopCluster(t, 1)
	var got []*client.PoppedMessage
	c.run(time.Minute, func() {
		p := c.popper(client.WithInvisibleTime(5 * time.Second))
		_, err := p.Pop(within(c, time.Second), 4)
		mustBe(err, context.DeadlineExceeded)
		c.a.put(orders(0), 1)
		c.app.Tasks.Sleep(7 * time.Second)
		got = must1(p.Pop(background, 4))
		must(p.Close(background))
	})
	require.Len(t, got, 1)
	require.Equal(t, int32(1), got[0].Redeliveries, "it is the second delivery")
}

func TestABrokerThatAnswersEmptyAtOnceIsNotAskedAllTheTime(t *testing.T) {
	for name, code := range map[string]int32{"nothing": proto.RespPollingTimeout, "full": proto.RespPollingFull} {
		t.Run(name, func(t *testing.T) {
			c := newPopCluster(t, 1)
			c.names.routes["orders"] = route(1, c.a)
			c.a.intercept = refusing(proto.ReqPopMessage, code)
			c.run(time.Minute, func() {
				p := c.popper()
				_, err := p.Pop(within(c, 5*time.Second), 1)
				mustBe(err, context.DeadlineExceeded)
				must(p.Close(background))
			})
			require.LessOrEqual(t, c.a.count(proto.ReqPopMessage), 51)
			require.GreaterOrEqual(t, c.a.count(proto.ReqPopMessage), 5)
		})
	}
}

func TestClosingEndsAPopThatWaits(t *testing.T) {
	c := newPopCluster(t, 1)
	var ended error
	c.run(time.Minute, func() {
		p := c.popper()
		over := false
		c.app.Tasks.Go("pop", func() {
			_, ended = p.Pop(background, 1)
			over = true
		})
		c.app.Tasks.Sleep(time.Second)
		must(p.Close(background))
		must(p.Close(background))
		c.eventually("the pop ends", func() bool { return over })
	})
	require.ErrorIs(t, ended, client.ErrClosed)
	require.Empty(t, c.machine.TaskNames())
}

func TestAPopConsumerInANamespaceNamesAndShowsTopicsAsItShould(t *testing.T) {
	c := newPopCluster(t, 1)
	c.names.routes["shop%orders"] = route(1, c.a)
	c.a.put(shopOrders(), 1)
	var first, again *client.PoppedMessage
	c.run(time.Minute, func() {
		p := c.popper(inShop, client.WithInvisibleTime(5*time.Second))
		first = must1(p.Pop(background, 1))[0]
		again = must1(p.Pop(background, 1))[0]
		must(p.AckAll(background, []*client.PoppedMessage{again}))
		must(p.Close(background))
	})
	require.Equal(t, orders(0), first.Queue)
	require.Equal(t, "orders", again.Topic)
	require.Equal(t, "shop%consumers", c.a.pops.asked[0].ConsumerGroup)
	require.Equal(t, "shop%orders", c.a.pops.batches[0].Acks[0].Topic)
	require.Equal(t, "1", c.a.pops.batches[0].Acks[0].Retry)
	require.Zero(t, c.a.pops.holding())
}

func TestWhatAPopConsumerHandsOutAndAcknowledgesIsTraced(t *testing.T) {
	c := newPopCluster(t, 1)
	c.names.routes["orders"] = route(1, c.a)
	c.names.routes[traceTopic] = route(1, c.b)
	c.a.put(orders(0), 2, "UNIQ_KEY", "ID")
	c.run(time.Minute, func() {
		p := c.popper(client.WithTrace(client.TraceOptions{}))
		messages := must1(p.Pop(background, 2))
		must(p.Ack(background, messages[0]))
		must(p.Close(background))
	})
	var kinds []string
	for _, r := range c.traces() {
		kinds = append(kinds, r[0])
	}
	require.ElementsMatch(t, []string{"SubBefore", "SubBefore", "SubAfter"}, kinds)
}

func TestOptionsOfAPopConsumerAreChecked(t *testing.T) {
	c := newPopCluster(t, 1)
	for want, option := range map[string]client.PopOption{
		"WithInvisibleTime(4.999s): give a time from 5s to 5m":                                              client.WithInvisibleTime(4999 * time.Millisecond),
		"WithInvisibleTime(5m0.001s): give a time from 5s to 5m":                                            client.WithInvisibleTime(5*time.Minute + time.Millisecond),
		"WithGroup(\"\"): give the name of the group; group name is blank: it needs one character at least": client.WithGroup(""),
	} {
		_, err := client.NewPopConsumer(c.app, client.WithGroup("consumers"), c.nameServers(), option)
		require.EqualError(t, err, want)
		require.ErrorIs(t, err, client.ErrOption)
	}
}

func TestSubscriptionsChangeWhileAPopWaits(t *testing.T) {
	c := newPopCluster(t, 1)
	c.names.routes["bills"] = route(1, c.a)
	var ended, refused, illegal error
	over := false
	c.run(time.Minute, func() {
		p := c.popper()
		c.app.Tasks.Go("pop", func() {
			_, ended = p.Pop(background, 1)
			over = true
		})
		c.app.Tasks.Sleep(time.Second)
		must(p.Unsubscribe(background, "orders"))
		c.eventually("the pop ends", func() bool { return over })
		c.a.intercept = refusing(proto.ReqCheckClientConfig, proto.RespSubscriptionParseFailed)
		refused = p.Subscribe(background, "bills", client.SQL("a ="))
		illegal = p.Subscribe(background, "no topic", client.Tags("*"))
		c.a.intercept = nil
		must(p.Subscribe(background, "bills", client.Tags("*")))
		c.a.put(client.Queue{Topic: "bills"}, 1)
		must(p.Ack(background, must1(p.Pop(background, 1))[0]))
		c.a.groups.notify("")
		c.app.Tasks.Sleep(time.Second)
		must(p.Close(background))
	})
	require.ErrorIs(t, ended, client.ErrOption)
	require.ErrorContains(t, refused, "SUBSCRIPTION_PARSE_FAILED")
	require.ErrorIs(t, illegal, proto.ErrNameCharacter)
	require.Zero(t, c.a.pops.holding())
}

func TestABrokerThatDoesNotSayWhereItBeganMeansTheFirstMessageOfEachQueue(t *testing.T) {
	c := newPopCluster(t, 1)
	c.names.routes["orders"] = route(2, c.a)
	c.a.pops.answer = func(h *proto.PopMessageResponse) { h.StartOffsets, h.MessageOffsets = "", "" }
	c.a.put(orders(0), 2)
	c.a.put(orders(1), 2)
	c.run(time.Minute, func() {
		p := c.popper()
		for _, m := range must1(p.Pop(background, 4)) {
			must(p.Ack(background, m))
		}
		must(p.Close(background))
	})
	require.Zero(t, c.a.pops.holding())
}

func TestMessagesWithoutAUsableReceiptAreLeftOutAndUnreadableAnswersAreErrors(t *testing.T) {
	c := newPopCluster(t, 1)
	c.names.routes["orders"] = route(1, c.a)
	c.a.put(orders(0), 1, "POP_CK", "1 2 3")
	c.a.put(orders(0), 1)
	var left []*client.PoppedMessage
	var unreadable error
	c.run(time.Minute, func() {
		p := c.popper()
		left = must1(p.Pop(background, 4))
		c.a.put(orders(0), 1)
		c.a.pops.answer = func(h *proto.PopMessageResponse) { h.StartOffsets = "0 0" }
		_, unreadable = p.Pop(background, 4)
		c.a.put(orders(0), 2)
		c.a.pops.answer = func(h *proto.PopMessageResponse) { h.StartOffsets = "0 0 4" }
		for _, m := range must1(p.Pop(background, 4)) {
			left = append(left, m)
		}
		must(p.Close(background))
	})
	require.ErrorIs(t, unreadable, proto.ErrPopInfo)
	require.Len(t, left, 2)
	require.Equal(t, client.QueueOffset(1), left[0].Offset)
	require.Equal(t, client.QueueOffset(4), left[1].Offset, "a pop cannot begin behind its message")
}

func TestAckAllTellsOfMessagesFarApartOneByOne(t *testing.T) {
	c := newPopCluster(t, 1)
	c.names.routes["orders"] = route(1, c.a)
	c.a.put(orders(0), 9000)
	c.a.pops.next[orders(0)] = 8999
	c.a.pops.answer = func(h *proto.PopMessageResponse) { h.StartOffsets = "0 0 1" }
	var twice error
	c.run(time.Minute, func() {
		p := c.popper()
		messages := must1(p.Pop(background, 1))
		c.a.pops.of(orders(0)).receipts[8999] = must1(proto.ParsePopReceipt(messages[0].Receipt()))
		must(p.AckAll(background, messages))
		twice = p.AckAll(background, messages)
		must(p.Close(background))
	})
	require.Empty(t, c.a.pops.batches)
	require.Len(t, c.a.pops.acks, 2)
	require.ErrorIs(t, twice, client.ErrNotHeld)
	require.ErrorContains(t, twice, "1 messages were not acknowledged, or not for sure: ")
	require.ErrorContains(t, twice, `receipt "1 `)
}

func TestATimeoutOfAnAcknowledgementIsNoWordAboutTheHold(t *testing.T) {
	c := newPopCluster(t, 1)
	c.a.put(orders(0), 1)
	var one, all, short error
	c.run(time.Minute, func() {
		p := c.popper()
		messages := must1(p.Pop(background, 1))
		c.a.intercept = silent
		one = p.Ack(background, messages[0])
		all = p.AckAll(background, messages)
		short = p.AckAll(within(c, time.Second), messages)
		c.a.intercept = nil
		must(p.Ack(background, messages[0]))
		must(p.Close(background))
	})
	for _, err := range []error{one, all} {
		require.ErrorIs(t, err, client.ErrTimeout)
		require.NotErrorIs(t, err, client.ErrNotHeld)
	}
	require.ErrorIs(t, short, context.DeadlineExceeded)
}

func TestABrokerWithTooMuchToDoIsAskedAgainSoon(t *testing.T) {
	c := newPopCluster(t, 1)
	c.names.routes["orders"] = route(1, c.a)
	c.a.put(orders(0), 1)
	c.a.intercept = refusing(proto.ReqPopMessage, proto.RespFlowControl)
	got := 0
	c.run(time.Minute, func() {
		p := c.popper()
		c.app.Tasks.Go("later", func() {
			c.app.Tasks.Sleep(time.Second)
			c.a.intercept = nil
		})
		got = len(must1(p.Pop(background, 1)))
		must(p.Close(background))
	})
	require.Equal(t, 1, got)
}
