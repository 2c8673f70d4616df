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

func TestNewQueuesAreUsedAfterTheNextRefresh(t *testing.T) {
	c := newCluster(t, 1)
	var before, after []client.Queue
	c.run(time.Minute, func() {
		p := c.producer()
		var err error
		before, err = p.Queues(background, "orders")
		must(err)
		c.names.routes["orders"] = route(3, c.a, c.b)
		c.app.Tasks.Sleep(31 * time.Second)
		after, err = p.Queues(background, "orders")
		must(err)
		for range len(after) {
			_, err := p.Send(background, hello())
			must(err)
		}
	})
	require.Len(t, before, 4)
	require.Len(t, after, 6)
	require.Len(t, c.a.queues, 3)
	require.Len(t, c.b.queues, 3)
}

func TestABrokerThatMovedIsFoundSoonAfterItFailed(t *testing.T) {
	c := newCluster(t, 1)
	c.names.routes["orders"] = route(1, c.a)
	var took time.Duration
	c.run(time.Minute, func() {
		p := c.producer()
		_, err := p.Send(background, hello())
		must(err)
		c.app.Tasks.Sleep(2 * time.Second)
		// The slave of a, which runs on b's machine, becomes the master.
		c.a.intercept = refusing(proto.ReqSendMessageV2, proto.RespServiceNotAvailable)
		moved := route(1, c.a)
		moved.Brokers[0].Addresses = []proto.BrokerAddress{{ID: 0, Address: c.b.address}}
		c.names.routes["orders"] = moved
		began := c.app.Clock.Now()
		for len(c.b.sends) == 0 {
			_, err = p.Send(background, hello())
		}
		must(err)
		took = c.app.Clock.Now().Sub(began)
	})
	require.Less(t, took, time.Second)
}

// handOver makes b the master of the name a, which answers from now on as a copy does.
func (c *cluster) handOver(codes ...int32) {
	c.app.Tasks.Sleep(2 * time.Second)
	c.a.intercept = func(in *transport.Incoming) bool {
		refused := slices.Contains(codes, in.Command.Code)
		if refused {
			in.Reply().Error(proto.RespServiceNotAvailable, "this broker is a slave")
		}
		return refused
	}
	moved := route(1, c.a)
	moved.Brokers[0].Addresses = []proto.BrokerAddress{{ID: 0, Address: c.b.address}, {ID: 1, Address: c.a.address}}
	c.names.routes["orders"] = moved
}

// until repeats a call until it succeeds, and returns how long that took.
func (c *cluster) until(call func() error) time.Duration {
	began := c.app.Clock.Now()
	for call() != nil {
		c.app.Tasks.Sleep(10 * time.Millisecond)
	}
	return c.app.Clock.Now().Sub(began)
}

func TestAProducerThatNeverTriesAgainFindsTheNextMasterForTheNextMessage(t *testing.T) {
	c := newCluster(t, 1)
	c.names.routes["orders"] = route(1, c.a)
	var took time.Duration
	c.run(time.Minute, func() {
		p := c.producer(client.WithRetries(0, 0))
		send := func() error {
			_, err := p.Send(background, hello())
			return err
		}
		must(send())
		c.handOver(proto.ReqSendMessageV2)
		took = c.until(send)
	})
	require.Len(t, c.b.sends, 1)
	require.Less(t, took, time.Second)
}

func TestAConsumerWhoseMasterIsACopyNowFindsTheNextOne(t *testing.T) {
	queue := client.Queue{Topic: "orders", BrokerName: "a"}
	for name, ask := range map[string]func(*client.PullConsumer) error{
		"commit": func(p *client.PullConsumer) error { return p.Commit(background, queue, 1) },
		"bounds": func(p *client.PullConsumer) error {
			_, err := p.MaxOffset(background, queue)
			return err
		},
		"pull": func(p *client.PullConsumer) error {
			_, err := p.Pull(background, queue, 0, 1)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1)
			c.names.routes["orders"] = route(1, c.a)
			var took time.Duration
			c.run(time.Minute, func() {
				p := c.consumer()
				must(ask(p))
				c.handOver(proto.ReqUpdateConsumerOffset, proto.ReqGetMaxOffset, proto.ReqPullMessage)
				took = c.until(func() error { return ask(p) })
			})
			require.Less(t, took, time.Second)
		})
	}
}

func TestARouteIsKeptWhileNameServersDoNotKnowIt(t *testing.T) {
	c := newCluster(t, 1)
	c.run(5*time.Minute, func() {
		p := c.producer()
		_, err := p.Send(background, hello())
		must(err)
		delete(c.names.routes, "orders")
		c.app.Tasks.Sleep(2 * time.Minute)
		_, err = p.Send(background, hello())
		must(err)
	})
	require.Len(t, c.sends(), 2)
}

// While its only broker restarts, a topic is unknown. The queues of the topic that new ones are made from are not its own.
func TestARouteIsNotReplacedByThatOfTheTopicThatNewOnesAreMadeFrom(t *testing.T) {
	c := newCluster(t, 1)
	var queues []client.Queue
	c.run(10*time.Second, func() {
		p := c.producer(client.WithRouteRefresh(time.Second))
		must1(p.Send(background, hello()))
		delete(c.names.routes, "orders")
		c.names.routes["TBW102"] = route(16, c.a)
		c.app.Tasks.Sleep(3 * time.Second)
		queues = must1(p.Queues(background, "orders"))
	})
	require.Len(t, queues, 4, "its own queues, two at each broker")
}

func TestAnUnknownTopicIsAnErrorThatNamesIt(t *testing.T) {
	c := newCluster(t, 1)
	var send, queues error
	c.run(time.Minute, func() {
		_, send = c.producer().Send(background, client.NewMessage("nowhere", []byte("x")))
		_, queues = c.consumer().Queues(background, "nowhere")
	})
	for _, err := range []error{send, queues} {
		require.ErrorIs(t, err, client.ErrTopicNotFound)
		require.ErrorContains(t, err, "No route info of this topic: nowhere")
		var answer *client.ResponseError
		require.ErrorAs(t, err, &answer)
		require.EqualValues(t, proto.RespTopicNotExist, answer.Code)
	}
	require.ErrorContains(t, send, "TBW102")
	require.Equal(t, 3, c.names.count(proto.ReqGetRouteInfoByTopic), "only producers ask for the default topic")
}

func TestAnUnknownTopicIsSentToWhereItWillBeCreated(t *testing.T) {
	c := newCluster(t, 1)
	c.names.routes["TBW102"] = route(8, c.a)
	c.names.routes["template"] = route(3, c.b)
	var usual, own []client.Queue
	c.run(time.Minute, func() {
		p := c.producer()
		var err error
		usual, err = p.Queues(background, "fresh")
		must(err)
		_, err = p.Send(background, client.NewMessage("fresh", []byte("x")))
		must(err)
		own, err = c.producer(client.WithTopicCreation("template", 5)).Queues(background, "fresh2")
		must(err)
		// The broker has created it.
		c.names.routes["fresh"] = route(1, c.b)
		c.app.Tasks.Sleep(31 * time.Second)
		_, err = p.Send(background, client.NewMessage("fresh", []byte("y")))
		must(err)
	})
	require.Len(t, usual, 4, "no more than wanted")
	require.Len(t, own, 3, "no more than there are")
	require.Equal(t, "TBW102", c.a.sends[0].header.DefaultTopic)
	require.EqualValues(t, 4, c.a.sends[0].header.DefaultQueues)
	require.Len(t, c.b.sends, 1)
}

func TestConcurrentCallersShareOneFetch(t *testing.T) {
	c := newCluster(t, 1)
	done := 0
	c.run(time.Minute, func() {
		p := c.producer()
		for range 20 {
			c.app.Tasks.Go("sender", func() {
				_, err := p.Send(background, hello())
				must(err)
				done++
			})
		}
		for done < 20 {
			c.app.Tasks.Sleep(time.Millisecond)
		}
	})
	require.Equal(t, 1, c.names.count(proto.ReqGetRouteInfoByTopic))
}

func TestTopicsThatOnlySomeCanUseSayWhy(t *testing.T) {
	for name, r := range map[string]func(c *cluster) *proto.Route{
		"without the permission": func(c *cluster) *proto.Route {
			r := route(2, c.a)
			r.Queues[0].Perm = 0
			return r
		},
		"without a queue": func(c *cluster) *proto.Route { return route(0, c.a) },
		"static":          func(c *cluster) *proto.Route { return &proto.Route{Mappings: []proto.TopicMapping{{BrokerName: "a"}}} },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1)
			c.names.routes["odd"] = r(c)
			var send, queues error
			c.run(time.Minute, func() {
				_, send = c.producer().Send(background, client.NewMessage("odd", []byte("x")))
				_, queues = c.consumer().Queues(background, "odd")
			})
			require.ErrorIs(t, send, client.ErrNoBroker)
			require.ErrorContains(t, send, "odd")
			require.ErrorIs(t, queues, client.ErrNoBroker)
		})
	}
}
