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
