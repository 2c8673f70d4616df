package client_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

var first = client.Queue{Topic: "orders", BrokerName: "a"}

// filled is a cluster with messages "0" to "9" in queue 0 of a, tags "even" and "odd".
func filled(t *testing.T) *cluster {
	t.Helper()
	c := newCluster(t, 1)
	for i := range 10 {
		properties, err := message.Properties{{Name: "TAGS", Value: []string{"even", "odd"}[i%2]}, {Name: "n", Value: "x"}}.Append(nil)
		require.NoError(t, err)
		c.a.append(first, []byte{byte('0' + i)}, properties, 0)
	}
	return c
}

func bodies(messages []*client.Received) string {
	var text strings.Builder
	for _, m := range messages {
		text.Write(m.Body)
	}
	return text.String()
}

func TestPullsEndWithOneOfFourStatuses(t *testing.T) {
	for name, pull := range map[string]struct {
		filter client.Filter
		offset client.QueueOffset
		want   string
		bodies string
	}{
		"messages":              {client.Filter{}, 3, "new messages: 4 messages, next 7 of [2, 10)", "3456"},
		"messages with a tag":   {client.Tags("odd"), 3, "new messages: 2 messages, next 7 of [2, 10)", "35"},
		"with one of two tags":  {client.Tags(" odd || even "), 6, "new messages: 4 messages, next 10 of [2, 10)", "6789"},
		"none with that tag":    {client.Tags("neither"), 3, "no matched messages: 0 messages, next 7 of [2, 10)", ""},
		"nothing new":           {client.Filter{}, 10, "no new messages: 0 messages, next 10 of [2, 10)", ""},
		"removed meanwhile":     {client.Filter{}, 1, "offset moved: 0 messages, next 2 of [2, 10)", ""},
		"beyond the end":        {client.Filter{}, 11, "offset moved: 0 messages, next 10 of [2, 10)", ""},
		"SQL is left to others": {client.SQL("n IS NOT NULL"), 8, "new messages: 2 messages, next 10 of [2, 10)", "89"},
	} {
		t.Run(name, func(t *testing.T) {
			c := filled(t)
			c.a.minOffset = 2
			var result client.PullResult
			c.run(time.Minute, func() {
				var err error
				consumer := c.consumer(client.WithSubscription("orders", pull.filter))
				result, err = consumer.Pull(background, first, pull.offset, 4)
				must(err)
			})
			require.Equal(t, pull.want, result.String())
			require.Equal(t, pull.bodies, bodies(result.Messages))
			require.Equal(t, pull.filter.String(), c.a.pulls[0].Expression)
		})
	}
}

func TestAPullSaysWhatItWants(t *testing.T) {
	c := filled(t)
	c.run(time.Minute, func() {
		consumer := c.consumer(client.WithSubscription("orders", client.Tags("even")))
		_, err := consumer.Pull(background, first, 3, 32)
		must(err)
		_, err = consumer.Pull(within(c, 8*time.Second), first, 3, 32)
		must(err)
		_, err = c.consumer(client.WithHold(0)).Pull(background, first, 3, 32)
		must(err)
	})
	h := c.a.pulls[0]
	require.Equal(t, "consumers", h.ConsumerGroup)
	require.EqualValues(t, 32, h.MaxMessages)
	require.Equal(t, proto.PullHold|proto.PullSubscription, h.Flags)
	require.EqualValues(t, 20_000, h.HoldForMillis)
	require.Equal(t, "even", h.Expression)
	require.Equal(t, "TAG", h.ExpressionType)
	require.Equal(t, h.Version, c.a.heartbeats[0].Consumers[0].Subscriptions[0].Version)
	require.InDelta(t, 7_000, c.a.pulls[1].HoldForMillis, 100, "the answer must come before the deadline")
	require.Equal(t, proto.PullSubscription, c.a.pulls[2].Flags)
	require.Equal(t, "*", c.a.pulls[2].Expression)
}

func TestAReceivedMessageHasAllThatIsStored(t *testing.T) {
	c := newCluster(t, 1)
	var sent client.SendResult
	var got *client.Received
	body := []byte(strings.Repeat("long ", 2000))
	c.run(time.Minute, func() {
		var err error
		sent, err = c.producer().SendTo(background, first, client.NewMessage("orders", body, client.Tag("t"), client.Keys("k")))
		must(err)
		result, err := c.consumer().Pull(background, first, 0, 1)
		must(err)
		got = result.Messages[0]
	})
	require.Equal(t, body, got.Body, "unpacked")
	require.True(t, got.SysFlags.Compressed())
	require.Equal(t, "orders", got.Topic)
	require.Equal(t, "t", got.Tags())
	require.Equal(t, []string{"k"}, got.Keys())
	require.Equal(t, first, got.Queue)
	require.EqualValues(t, 0, got.Offset)
	require.Equal(t, sent.UniqueID, got.ID())
	require.Equal(t, sent.OffsetID, got.OffsetID.String())
	require.Equal(t, c.a.host, got.StoreHost)
	require.Equal(t, 2026, got.StoredAt.Year())
	require.Contains(t, got.String(), sent.UniqueID)
}

func TestAMessageWithoutAUniqueIDIsKnownByItsPlace(t *testing.T) {
	c := filled(t)
	var got *client.Received
	c.run(time.Minute, func() {
		result, err := c.consumer().Pull(background, first, 5, 1)
		must(err)
		got = result.Messages[0]
	})
	require.Equal(t, got.OffsetID.String(), got.ID())
	require.EqualValues(t, 5000, got.LogOffset)
}

func TestOffsetsOfStaticTopicsAreShifted(t *testing.T) {
	c := filled(t)
	c.a.delta = 100
	var got *client.Received
	c.run(time.Minute, func() {
		result, err := c.consumer().Pull(background, first, 5, 1)
		must(err)
		got = result.Messages[0]
	})
	require.EqualValues(t, 105, got.Offset)
}

func TestAnInnerBatchIsUnwrapped(t *testing.T) {
	c := newCluster(t, 1)
	var body []byte
	for _, tag := range []string{"a", "b", "a"} {
		var err error
		body, err = message.AppendBatchElement(body, &message.BatchElement{Body: []byte(tag), Properties: []byte("TAGS\x01" + tag + "\x02")})
		require.NoError(t, err)
	}
	c.a.append(first, body, []byte("INNER_BASE\x0140\x02INNER_NUM\x013\x02"), message.FlagInnerBatch|message.FlagNeedsUnwrap)
	var result client.PullResult
	c.run(time.Minute, func() {
		var err error
		result, err = c.consumer(client.WithSubscription("orders", client.Tags("a"))).Pull(background, first, 0, 1)
		must(err)
	})
	require.Equal(t, "aa", bodies(result.Messages))
	require.EqualValues(t, 40, result.Messages[0].Offset)
	require.EqualValues(t, 42, result.Messages[1].Offset)
}

func TestPullsGoToTheMemberTheBrokerSuggests(t *testing.T) {
	c := filled(t)
	slave := c.withSlave()
	slave.queues = c.a.queues
	c.a.suggested, slave.suggested = 1, 0
	c.run(time.Minute, func() {
		consumer := c.consumer()
		for range 4 {
			_, err := consumer.Pull(background, first, 0, 1)
			must(err)
		}
	})
	require.Len(t, c.a.pulls, 2)
	require.Len(t, slave.pulls, 2)
}

func TestABrokerHearsOfTheGroupBeforeTheFirstPull(t *testing.T) {
	for seed := range uint64(10) {
		c := newCluster(t, seed)
		c.run(time.Minute, func() {
			_, err := c.consumer().Pull(background, first, 0, 1)
			must(err)
		})
		require.EqualValues(t, proto.ReqHeartbeat, c.a.codes[0])
	}
}

func TestPullErrorsAreTyped(t *testing.T) {
	c := filled(t)
	var refused, unknownBroker, none, late, garbled error
	c.run(10*time.Minute, func() {
		consumer := c.consumer()
		_, unknownBroker = consumer.Pull(background, client.Queue{Topic: "orders", BrokerName: "z"}, 0, 1)
		_, none = consumer.Pull(background, first, 0, 0)
		c.a.intercept = refusing(proto.ReqPullMessage, proto.RespSubscriptionGroupNotExist)
		_, refused = consumer.Pull(background, first, 0, 1)
		c.a.intercept = func(in *transportIncoming) bool {
			in.Reply().Send(proto.RespSuccess, &proto.PullMessageResponse{}, []byte("no record"))
			return true
		}
		_, garbled = consumer.Pull(background, first, 0, 1)
		c.a.intercept = silent
		_, late = consumer.Pull(background, first, 0, 1)
	})
	var answer *client.ResponseError
	require.ErrorAs(t, refused, &answer)
	require.EqualValues(t, proto.RespSubscriptionGroupNotExist, answer.Code)
	require.ErrorIs(t, unknownBroker, client.ErrNoBroker)
	require.ErrorContains(t, none, "above 0")
	require.ErrorIs(t, late, client.ErrTimeout)
	require.ErrorIs(t, garbled, message.ErrMagic)
}

func TestOffsetsAreCommittedAndRead(t *testing.T) {
	c := newCluster(t, 1)
	var missing, found bool
	var committed, oneway client.QueueOffset
	c.run(time.Minute, func() {
		consumer := c.consumer()
		var err error
		_, missing, err = consumer.Committed(background, first)
		must(err)
		must(consumer.Commit(background, first, 7))
		committed, found, err = consumer.Committed(background, first)
		must(err)
		must(consumer.CommitOneway(background, first, 9))
		oneway, _, err = consumer.Committed(background, first)
		must(err)
		c.a.committed["consumers@orders@0"] = -1
		_, negative, err := consumer.Committed(background, first)
		if err != nil || negative {
			panic("-1 means that nothing was committed")
		}
	})
	require.False(t, missing)
	require.True(t, found)
	require.EqualValues(t, 7, committed)
	require.EqualValues(t, 9, oneway)
}

func TestTheBoundsOfAQueueAreAskedFor(t *testing.T) {
	c := newCluster(t, 1)
	var lowest, highest, at client.QueueOffset
	var none, some bool
	var earliest time.Time
	c.run(time.Minute, func() {
		consumer := c.consumer()
		var errs [5]error
		lowest, errs[0] = consumer.MinOffset(background, first)
		highest, errs[1] = consumer.MaxOffset(background, first)
		at, errs[2] = consumer.OffsetAt(background, first, time.UnixMilli(17_000))
		_, none, errs[3] = consumer.EarliestStoreTime(background, first)
		c.a.minOffset = 1001
		earliest, some, errs[4] = consumer.EarliestStoreTime(background, first)
		must(errors.Join(errs[:]...))
	})
	require.EqualValues(t, 3, lowest)
	require.EqualValues(t, 42, highest)
	require.EqualValues(t, 17, at)
	require.False(t, none)
	require.True(t, some)
	require.EqualValues(t, 1000, earliest.UnixMilli())
}

func TestOffsetsAreAskedOfASlaveIfThereIsNoMaster(t *testing.T) {
	c := newCluster(t, 1)
	slave := c.broker("z", 1)
	c.names.routes["orders"] = route(1, slave)
	var highest client.QueueOffset
	c.run(time.Minute, func() {
		var err error
		highest, err = c.consumer().MaxOffset(background, client.Queue{Topic: "orders", BrokerName: "z"})
		must(err)
	})
	require.EqualValues(t, 42, highest)
}

func TestStatusesHaveNames(t *testing.T) {
	require.Equal(t, "FLUSH_SLAVE_TIMEOUT", client.SendFlushSlaveTimeout.String())
	require.Equal(t, "send status 9", client.SendStatus(9).String())
	require.Equal(t, "pull status 9", client.PullStatus(9).String())
	require.Equal(t, "SEND_OK U in t@a:1 at 2 (O)", client.SendResult{
		UniqueID: "U", OffsetID: "O", Queue: client.Queue{Topic: "t", BrokerName: "a", QueueID: 1}, QueueOffset: 2,
	}.String())
}

func TestFiltersReadTagExpressions(t *testing.T) {
	for expression, want := range map[string]string{
		"": "*", "*": "*", "a": "a", " a||b ": "a || b", "a || || *": "a", "b||a||b": "b || a || b",
	} {
		require.Equal(t, want, client.Tags(expression).String(), expression)
	}
}
