package client_test

import (
	"context"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func TestCloseLeavesTheGroupAndNothingRuns(t *testing.T) {
	c := newCluster(t, 1)
	var after []error
	c.run(20*time.Second, func() {
		p, consumer := c.producer(), c.consumer()
		_, err := p.Send(background, hello())
		must(err)
		_, err = consumer.Pull(background, client.Queue{Topic: "orders", BrokerName: "a"}, 0, 1)
		must(err)
		c.app.Tasks.Sleep(5 * time.Second)
		must(p.Close(background))
		must(p.Close(background))
		must(consumer.Close(background))
		_, err = p.Send(background, hello())
		after = append(after, err, p.SendOneway(background, hello()), p.SendAsync(background, hello(), nil))
		_, err = consumer.Queues(background, "orders")
		after = append(after, err)
	})
	require.Empty(t, c.machine.TaskNames())
	for _, err := range after {
		require.ErrorIs(t, err, client.ErrClosed)
	}
	for _, b := range []*broker{c.a, c.b} {
		require.Len(t, b.left, 2)
		require.Equal(t, "producers", b.left[0].ProducerGroup)
		require.Equal(t, b.heartbeats[0].ClientID, b.left[0].ClientID)
		require.Equal(t, "consumers", b.left[1].ConsumerGroup)
	}
}

func TestAClientThatNeverCalledCloses(t *testing.T) {
	c := newCluster(t, 1)
	c.run(time.Second, func() {
		must(c.producer().Close(background))
		must(c.consumer().Close(background))
		a, err := client.NewAdmin(c.app, c.nameServers())
		must(err)
		must(a.Close(background))
	})
	require.Empty(t, c.machine.TaskNames())
}

func TestCloseWaitsForSendsUnderWay(t *testing.T) {
	c := newCluster(t, 1)
	slow := func(in *transportIncoming) bool {
		if in.Command.Code == proto.ReqSendMessageV2 {
			in.Conn.Closed()
			reply := in.Reply()
			c.a.env.Tasks.Sleep(time.Second)
			reply.Send(proto.RespSuccess, &proto.SendMessageResponse{OffsetID: "x"}, nil)
			return true
		}
		return false
	}
	c.names.routes["orders"] = route(1, c.a)
	c.a.intercept = slow
	var outcome error
	called := false
	c.run(20*time.Second, func() {
		p := c.producer()
		must(p.SendAsync(background, hello(), func(_ client.SendResult, err error) { outcome, called = err, true }))
		must(p.Close(background))
	})
	require.True(t, called)
	require.NoError(t, outcome)
}

func TestCloseWithAContextThatEndsCutsSendsOff(t *testing.T) {
	for name, contextOf := range map[string]func(c *cluster) context.Context{
		"during Close": func(c *cluster) context.Context { return within(c, 100*time.Millisecond) },
		"before it": func(*cluster) context.Context {
			ctx, cancel := context.WithCancel(background)
			cancel()
			return ctx
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1)
			c.a.intercept, c.b.intercept = silent, silent
			var outcome, closing error
			c.run(time.Second, func() {
				p := c.producer()
				must(p.SendAsync(background, hello(), func(_ client.SendResult, err error) { outcome = err }))
				c.app.Tasks.Sleep(50 * time.Millisecond)
				closing = p.Close(contextOf(c))
			})
			require.Error(t, closing)
			require.ErrorIs(t, outcome, client.ErrClosed)
			var failed *client.SendError
			require.ErrorAs(t, outcome, &failed)
			require.True(t, failed.MaybeStored)
			require.Empty(t, c.machine.TaskNames())
		})
	}
}

func TestCloseEndsCallsThatWait(t *testing.T) {
	c := newCluster(t, 1)
	c.a.intercept, c.b.intercept = silent, silent
	var pull error
	c.run(10*time.Second, func() {
		consumer := c.consumer()
		c.app.Tasks.Go("puller", func() {
			_, pull = consumer.Pull(background, client.Queue{Topic: "orders", BrokerName: "a"}, 0, 1)
		})
		c.app.Tasks.Sleep(5 * time.Second)
		must(consumer.Close(background))
		c.app.Tasks.Sleep(time.Second)
	})
	require.ErrorIs(t, pull, client.ErrClosed)
	require.Empty(t, c.machine.TaskNames())
}
