package client_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/assign"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func TestAWrongOptionOfAPushConsumerIsNamed(t *testing.T) {
	c := newCluster(t, 1)
	got := map[string]error{}
	c.run(time.Second, func() {
		for want, option := range map[string]client.PushOption{
			"WithGroup(":             client.WithGroup(""),
			"WithHold(":              client.WithHold(-1),
			"WithSubscription(":      client.WithSubscription("a b", client.Filter{}),
			"WithModel(":             client.WithModel(proto.ModelUnknown),
			"WithConsumeFrom(":       client.WithConsumeFrom(proto.FromUnknown),
			"WithStrategy(":          client.WithStrategy(nil),
			"WithConcurrency(0":      client.WithConcurrency(0),
			"WithBatchSize(1025":     client.WithBatchSize(1025),
			"WithPullBatch(0":        client.WithPullBatch(0, 1),
			"WithPullBatch(-1":       client.WithPullBatch(1, -1),
			"WithPullInterval(":      client.WithPullInterval(-1),
			"WithMaxRedeliveries(-2": client.WithMaxRedeliveries(-2),
			"WithConsumeTimeout(":    client.WithConsumeTimeout(time.Millisecond),
			"WithQueueLimits(0":      client.WithQueueLimits(0, 1, 1),
			"WithQueueLimits(-1":     client.WithQueueLimits(1, -1, 1),
			"WithQueueLimits(70000":  client.WithQueueLimits(1, 1, 70000),
			"WithTopicLimits(-1":     client.WithTopicLimits(-1, 0),
			"WithTopicLimits(-2":     client.WithTopicLimits(0, -2),
			"WithSuspendTime(":       client.WithSuspendTime(time.Minute),
			"WithOffsetStoring(":     client.WithOffsetStoring(0),
			"WithHandler(nil":        client.WithHandler(nil),
			"WithOrderlyHandler(nil": client.WithOrderlyHandler(nil),
		} {
			_, got[want] = client.NewPushConsumer(c.app, client.WithGroup("g"), c.nameServers(), option)
		}
	})
	for want, err := range got {
		require.ErrorIs(t, err, client.ErrOption, want)
		require.True(t, strings.HasPrefix(err.Error(), want), "%s: %v", want, err)
	}
}

func TestAConsumerWithoutATopicDoesNotStart(t *testing.T) {
	c := newGroupCluster(t, 1)
	var without, with error
	c.run(time.Minute, func() {
		p := must1(client.NewPushConsumer(c.app, client.WithGroup("consumers"), c.nameServers(), client.WithHandler((&inbox{}).handle)))
		without = p.Start(background)
		must(p.Subscribe(background, "orders", client.Tags("*")))
		with = p.Start(background)
		must(p.Close(background))
	})
	require.EqualError(t, without, "WithSubscription(): give at least one topic, or call Subscribe before Start")
	require.NoError(t, with)
}

func TestOnlyBroadcastingNeedsADisk(t *testing.T) {
	require.False(t, client.NeedsDisk(client.WithGroup("g")))
	require.True(t, client.NeedsDisk(client.WithGroup("g"), client.WithModel(client.Broadcasting)))
}

func TestAFilterThatBrokersRefuseIsAnErrorOfStartAndOfSubscribe(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.intercept = refusing(proto.ReqCheckClientConfig, proto.RespSubscriptionParseFailed)
	var start, subscribe, tags error
	c.run(time.Minute, func() {
		p := must1(client.NewPushConsumer(c.app, client.WithGroup("consumers"), c.nameServers(),
			client.WithSubscription("orders", client.SQL("a >")), client.WithHandler((&inbox{}).handle)))
		start = p.Start(background)
		must(p.Close(background))
		p = c.push(client.WithHandler((&inbox{}).handle))
		subscribe = p.Subscribe(background, "orders", client.SQL("a >"))
		tags = p.Subscribe(background, "orders", client.Tags("a"))
		must(p.Close(background))
	})
	for _, err := range []error{start, subscribe} {
		var answer *client.ResponseError
		require.ErrorAs(t, err, &answer)
		require.Equal(t, int32(proto.RespSubscriptionParseFailed), answer.Code)
	}
	require.NoError(t, tags)
}

func TestAnSQLFilterIsNotSentWithPulls(t *testing.T) {
	for name, options := range map[string][]client.PushOption{
		"SQL":      {client.WithSubscription("orders", client.SQL("a > 1"))},
		"unwanted": {client.WithFilterInPulls(false)},
	} {
		t.Run(name, func(t *testing.T) {
			c := newGroupCluster(t, 1)
			delete(c.names.routes, "%RETRY%consumers")
			c.run(time.Minute, func() {
				p := c.push(append(options, client.WithHandler((&inbox{}).handle))...)
				c.app.Tasks.Sleep(3 * time.Second)
				must(p.Close(background))
			})
			pull := c.a.pulls[0]
			require.False(t, pull.Flags.Has(proto.PullSubscription))
			require.Empty(t, pull.Expression)
			if name == "SQL" {
				require.Equal(t, proto.ExpressionSQL, pull.ExpressionType)
			}
		})
	}
}

// lazy is a strategy of an application that has faults.
type lazy struct{ fault string }

func (lazy) Name() string { return "lazy" }

func (s lazy) Assign(_, _ string, queues []client.Queue, _ []string) ([]client.Queue, error) {
	switch s.fault {
	case "panic":
		panic("a bug of the application")
	case "error":
		return nil, errors.New("not today")
	}
	return append(queues[:1:1], queues[0], client.Queue{Topic: "orders", BrokerName: "elsewhere"}), nil
}

func TestAStrategyOfTheApplicationDoesNoHarm(t *testing.T) {
	for fault, want := range map[string]int{"": 2, "panic": 0, "error": 0} {
		c := newGroupCluster(t, 1)
		c.run(time.Minute, func() {
			p := c.push(client.WithHandler((&inbox{}).handle), client.WithStrategy(lazy{fault}))
			c.app.Tasks.Sleep(3 * time.Second)
			if held := must1(p.Assigned(background)); len(held) != want {
				panic(held)
			}
			must(p.Close(background))
		})
	}
}

func TestMembersMayShareByAnotherStrategy(t *testing.T) {
	c := newGroupCluster(t, 1)
	var held []client.Queue
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler((&inbox{}).handle), client.WithStrategy(assign.Fixed{Queues: []client.Queue{orders(1)}}))
		c.app.Tasks.Sleep(3 * time.Second)
		held = must1(p.Assigned(background))
		must(p.Close(background))
	})
	require.Equal(t, []client.Queue{orders(1)}, held)
}
