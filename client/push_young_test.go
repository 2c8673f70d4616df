package client_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// Brokers answer 0 for a group that is new to a young topic, unless they are asked not to.
func TestAGroupThatBeginsAtATimeDoesSoInAYoungTopicToo(t *testing.T) {
	for name, start := range map[string]struct {
		option client.PushOption
		want   int64 // of the first pull
	}{
		"last": {client.WithConsumeFrom(client.FromLast), 0},
		"time": {client.WithConsumeFromTime(time.UnixMilli(4000)), 4},
	} {
		t.Run(name, func(t *testing.T) {
			c := newGroupCluster(t, 1)
			c.names.routes["orders"] = route(1, c.a)
			c.a.put(orders(0), 5)
			c.a.intercept = func(in *transport.Incoming) bool {
				var h proto.QueryConsumerOffset
				if in.Command.Code != proto.ReqQueryConsumerOffset {
					return false
				}
				must(h.DecodeFields(in.Command.Fields))
				if !h.ZeroIfUnknown.Or(true) {
					return false
				}
				in.Reply().Send(proto.RespSuccess, &proto.OffsetResponse{}, nil)
				return true
			}
			c.run(time.Minute, func() {
				p := c.push(client.WithHandler((&inbox{}).handle), start.option)
				c.app.Tasks.Sleep(5 * time.Second)
				must(p.Close(background))
			})
			first := slices.IndexFunc(c.a.pulls, func(p proto.PullMessage) bool { return p.Topic == "orders" })
			require.Equal(t, start.want, c.a.pulls[first].QueueOffset)
		})
	}
}

// Brokers make the retry topic one by one. Its route is asked for again until all are there, and not only when routes are refreshed.
func TestARetryTopicThatABrokerMakesLateIsConsumedSoon(t *testing.T) {
	c := newGroupCluster(t, 1)
	retry := proto.RetryTopic("consumers")
	c.names.routes[retry] = route(1, c.a)
	late := client.Queue{Topic: retry, BrokerName: "b"}
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler((&inbox{}).handle))
		c.app.Tasks.Sleep(500 * time.Millisecond)
		if held := must1(p.Assigned(background)); slices.Contains(held, late) {
			panic("it is held before it is there")
		}
		c.names.routes[retry] = route(1, c.a, c.b)
		c.app.Tasks.Sleep(5 * time.Second)
		if held := must1(p.Assigned(background)); !slices.Contains(held, late) {
			panic(held)
		}
		must(p.Close(background))
	})
}

// Name servers that have just started know some of the brokers only. Who has never heard of the others must not wait for them until routes are refreshed.
func TestBrokersThatTheFirstRouteLackedAreFoundSoon(t *testing.T) {
	c := newGroupCluster(t, 1)
	retry := proto.RetryTopic("consumers")
	asked := func() int { return c.names.count(proto.ReqGetRouteInfoByTopic) }
	c.names.routes["orders"], c.names.routes[retry] = route(3, c.a), route(1, c.a)
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler((&inbox{}).handle), client.WithRouteRefresh(time.Hour))
		c.app.Tasks.Sleep(3500 * time.Millisecond)
		if held := must1(p.Assigned(background)); len(held) != 4 {
			panic(held)
		}
		c.names.routes["orders"], c.names.routes[retry] = route(3, c.a, c.b), route(1, c.a, c.b)
		c.app.Tasks.Sleep(4 * time.Second)
		if held := must1(p.Assigned(background)); len(held) != 8 {
			panic(held)
		}
		before := asked()
		c.app.Tasks.Sleep(9 * time.Second)
		if asked() == before {
			panic("the last look is missing")
		}
		before = asked()
		c.app.Tasks.Sleep(30 * time.Second)
		if asked() != before {
			panic("name servers have no rest")
		}
		must(p.Close(background))
	})
}
