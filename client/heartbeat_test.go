package client_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// withSlave adds a slave to broker a.
func (c *cluster) withSlave() *broker {
	slave := c.broker("a", 1)
	c.names.routes["orders"] = route(2, c.a, slave, c.b)
	return slave
}

func TestProducersSendHeartbeatsToMasters(t *testing.T) {
	c := newCluster(t, 1)
	slave := c.withSlave()
	c.run(10*time.Minute, func() {
		p := c.producer()
		_, err := p.Send(background, hello())
		must(err)
		c.app.Tasks.Sleep(time.Second)
		if len(c.a.heartbeats) != 1 || len(c.b.heartbeats) != 1 {
			panic("brokers hear of a client as soon as it knows them")
		}
		c.app.Tasks.Sleep(2 * time.Minute)
	})
	require.Len(t, c.a.heartbeats, 5, "and then every 30 s")
	require.Len(t, c.b.heartbeats, 5)
	require.Empty(t, slave.heartbeats)
	h := c.a.heartbeats[0]
	require.Equal(t, []proto.ProducerData{{Group: "producers"}}, h.Producers)
	require.Empty(t, h.Consumers)
	require.Regexp(t, `^10\.0\.9\.1@\d+#\d+$`, h.ClientID)
	require.Equal(t, h.ClientID, c.b.heartbeats[4].ClientID)
}

func TestConsumersSendHeartbeatsToSlavesToo(t *testing.T) {
	c := newCluster(t, 1)
	slave := c.withSlave()
	c.run(10*time.Minute, func() {
		consumer := c.consumer(client.WithSubscription("orders", client.Tags("paid||shipped")))
		_, err := consumer.Queues(background, "orders")
		must(err)
		c.app.Tasks.Sleep(time.Second)
	})
	for _, b := range []*broker{c.a, c.b, slave} {
		require.Len(t, b.heartbeats, 1, b.name)
		require.Empty(t, b.heartbeats[0].Producers)
		require.Len(t, b.heartbeats[0].Consumers, 1)
	}
	data := c.a.heartbeats[0].Consumers[0]
	require.Equal(t, "consumers", data.Group)
	require.Equal(t, proto.ConsumePull, data.ConsumeType)
	require.Equal(t, proto.Clustering, data.Model)
	require.Equal(t, proto.FromLastOffset, data.From)
	require.Len(t, data.Subscriptions, 1)
	s := data.Subscriptions[0]
	require.Equal(t, "paid || shipped", s.Expression)
	require.Equal(t, []string{"paid", "shipped"}, s.Tags)
	require.Equal(t, []int32{proto.TagHash("paid"), proto.TagHash("shipped")}, s.TagHashes)
	require.Equal(t, "TAG", s.ExpressionType)
	require.Positive(t, s.Version)
}

func TestAChangedSubscriptionIsAnnouncedAtOnce(t *testing.T) {
	c := newCluster(t, 1)
	c.run(time.Minute, func() {
		consumer := c.consumer()
		_, err := consumer.Queues(background, "orders")
		must(err)
		c.app.Tasks.Sleep(time.Second)
		must(consumer.Subscribe(background, "orders", client.Tags("a")))
		must(consumer.Subscribe(background, "orders", client.Tags("b")))
		c.app.Tasks.Sleep(time.Second)
	})
	last := c.a.heartbeats[len(c.a.heartbeats)-1].Consumers[0].Subscriptions[0]
	require.Equal(t, "b", last.Expression)
	require.GreaterOrEqual(t, len(c.a.heartbeats), 2)
}

func TestABrokerHearsOfAClientAgainAfterItsConnectionBroke(t *testing.T) {
	c := newCluster(t, 1)
	c.run(time.Minute, func() {
		p := c.producer()
		_, err := p.Send(background, hello())
		must(err)
		c.app.Tasks.Sleep(time.Second)
		c.a.server.Conns()[0].Close()
		c.app.Tasks.Sleep(2 * time.Second)
	})
	require.Len(t, c.a.heartbeats, 2)
	require.Len(t, c.b.heartbeats, 1)
}

func TestABrokerThatIsDownDelaysNoOther(t *testing.T) {
	c := newCluster(t, 1)
	c.a.intercept = silent
	c.run(10*time.Minute, func() {
		p := c.producer()
		must(p.SendOneway(background, hello()))
		c.app.Tasks.Sleep(2*time.Minute + time.Second)
	})
	require.Len(t, c.b.heartbeats, 5)
	require.Len(t, c.a.heartbeats, 5)
}

func TestBrokersThatLeftTheRoutesGetNoMoreHeartbeats(t *testing.T) {
	c := newCluster(t, 1)
	c.run(10*time.Minute, func() {
		p := c.producer()
		_, err := p.Send(background, hello())
		must(err)
		c.names.routes["orders"] = route(2, c.b)
		c.app.Tasks.Sleep(100 * time.Second)
		must(p.Close(background))
	})
	require.LessOrEqual(t, len(c.a.heartbeats), 2)
	require.Len(t, c.b.heartbeats, 4)
	require.Empty(t, c.a.left, "it is not one of the brokers any more")
	require.Len(t, c.b.left, 1)
}

func TestTheClientIDHasItsPartsFromOptions(t *testing.T) {
	c := newCluster(t, 1)
	c.run(time.Minute, func() {
		p := c.producer(client.WithInstanceName("one"), client.WithUnitName("u"), client.WithClientAddress(c.a.host.Addr()))
		_, err := p.Send(background, hello())
		must(err)
		c.app.Tasks.Sleep(time.Second)
	})
	require.Equal(t, c.a.host.Addr().String()+"@one@u", c.a.heartbeats[0].ClientID)
}
