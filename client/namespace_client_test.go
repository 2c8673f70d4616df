package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/assign"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// spaced is a cluster with the topic and the group of tests in a namespace.
func spaced(t *testing.T) *cluster {
	t.Helper()
	c := newGroupCluster(t, 1)
	c.names.routes = map[string]*proto.Route{
		"shop%orders":             route(1, c.a),
		"%RETRY%shop%consumers":   route(1, c.a),
		"RMQ_SYS_TRACE_TOPIC":     route(1, c.b),
		proto.DefaultTopic:        route(1, c.b),
		"DefaultCluster_REPLY_xx": route(1, c.b),
	}
	return c
}

var inShop = client.WithNamespace("shop")

// shopOrders is the queue as brokers know it.
func shopOrders() client.Queue { return client.Queue{Topic: "shop%orders", BrokerName: "a"} }

func TestAProducerInANamespaceSendsFullNamesAndShowsBareOnes(t *testing.T) {
	c := spaced(t)
	var one client.SendResult
	var many []client.SendResult
	var queues, offered []client.Queue
	var failed *client.SendError
	m := client.NewMessage("orders", []byte("x"))
	c.run(time.Minute, func() {
		p := c.producer(inShop, client.WithTrace(client.TraceOptions{}), client.WithSelector(func(_ *client.Message, all []client.Queue) int {
			offered = all
			return 0
		}))
		one = must1(p.Send(background, m))
		many = must1(p.SendBatch(background, []*client.Message{client.NewMessage("orders", []byte("y")), client.NewMessage("orders", []byte("z"))}))
		must1(p.SendTo(background, one.Queue, m))
		queues = must1(p.Queues(background, "orders"))
		c.a.intercept = refusing(proto.ReqSendMessageV2, proto.RespMessageIllegal)
		_, err := p.Send(background, m)
		errors.As(err, &failed)
		must(p.Close(background))
	})
	require.Equal(t, orders(0), one.Queue)
	require.Equal(t, orders(0), many[1].Queue)
	require.Equal(t, []client.Queue{orders(0)}, queues)
	require.Equal(t, queues, offered)
	require.Equal(t, "orders", failed.Topic)
	require.Equal(t, orders(0), failed.Attempts[0].Queue)
	require.Equal(t, "orders", m.Topic)
	require.Empty(t, m.Properties.Get("INSTANCE_ID"), "the message is not changed")
	for _, s := range c.a.sends {
		require.Equal(t, "shop%orders", s.header.Topic)
		require.Equal(t, "shop%producers", s.header.ProducerGroup)
		require.Equal(t, "shop", s.property("INSTANCE_ID"))
	}
	trace := c.traces()[0]
	require.Equal(t, []string{"producers", "orders"}, trace[3:5])
	require.Equal(t, "RMQ_SYS_TRACE_TOPIC", c.b.sends[0].header.Topic)
}

func TestAPushConsumerInANamespaceConsumesAndSendsBack(t *testing.T) {
	c := spaced(t)
	c.a.put(shopOrders(), 2)
	var topics, retried []string
	var held []client.Queue
	c.run(time.Minute, func() {
		p := c.push(inShop, client.WithHandler(func(_ context.Context, messages []*client.Received) error {
			m := messages[0]
			topics = append(topics, m.Topic+" "+m.Queue.String())
			if m.Offset == 1 && m.Redeliveries == 0 {
				return errors.New("again")
			}
			if m.Redeliveries > 0 {
				retried = append(retried, m.Topic+" "+m.Queue.String())
			}
			return nil
		}))
		c.eventually("it comes again", func() bool { return len(retried) == 1 })
		held = must1(p.Assigned(background))
		must(p.Close(background))
	})
	require.Subset(t, topics, []string{"orders orders@a:0"})
	require.Equal(t, []string{"orders %RETRY%consumers@a:0"}, retried)
	require.Equal(t, []client.Queue{{Topic: "%RETRY%consumers", BrokerName: "a"}, orders(0)}, held)
	require.Equal(t, "shop%orders", c.a.groups.back[0].OriginTopic)
	require.Equal(t, "shop%consumers", c.a.groups.back[0].Group)
	require.Equal(t, int64(2), c.a.committed["shop%consumers@shop%orders@0"])
	data := c.a.heartbeats[0].Consumers[0]
	require.Equal(t, "shop%consumers", data.Group)
	require.Equal(t, "%RETRY%shop%consumers", data.Subscriptions[0].Topic)
	require.Equal(t, "shop%orders", data.Subscriptions[1].Topic)
}

func TestPullConsumersInANamespaceUseBareNames(t *testing.T) {
	c := spaced(t)
	c.a.put(shopOrders(), 5)
	var pulled client.PullResult
	var queues, held, watched []client.Queue
	var polled []*client.Received
	var committed client.QueueOffset
	c.run(time.Minute, func() {
		p := c.consumer(inShop, client.WithSubscription("orders", client.Tags("*")))
		queues = must1(p.Queues(background, "orders"))
		pulled = must1(p.Pull(background, queues[0], 0, 1))
		must(p.Commit(background, queues[0], 1))
		must(p.Close(background))

		l := c.lite(inShop, client.WithAssignFilter("orders", client.Tags("*")))
		must(l.Assign(background, queues...))
		held = must1(l.Assigned(background))
		watched = must1(l.WatchQueues(background, "orders", func([]client.Queue) {}))
		must(l.Seek(background, queues[0], 3))
		polled = must1(l.Poll(background, 9))
		must(l.CommitOffsets(background, map[client.Queue]client.QueueOffset{queues[0]: 4}))
		committed, _, _ = l.Committed(background, queues[0])
		must(l.Close(background))
	})
	require.Equal(t, []client.Queue{orders(0)}, queues)
	require.Equal(t, "orders", pulled.Messages[0].Topic)
	require.Equal(t, orders(0), pulled.Messages[0].Queue)
	require.Equal(t, queues, held)
	require.Equal(t, queues, watched)
	require.Equal(t, client.QueueOffset(3), polled[0].Offset)
	require.Equal(t, orders(0), polled[0].Queue)
	require.Equal(t, client.QueueOffset(4), committed)
	require.Equal(t, int64(4), c.a.committed["shop%consumers@shop%orders@0"])
}

func TestAnAdminInANamespaceIsGivenBareNames(t *testing.T) {
	c := spaced(t)
	c.run(time.Minute, func() {
		a := must1(client.NewAdmin(c.app, c.nameServers(), inShop))
		must(a.UpdateTopic(background, c.a.address, client.TopicConfig{Name: "orders", ReadQueues: 1, WriteQueues: 1}))
		must1(a.Route(background, "orders"))
		must(a.Close(background))
	})
	require.Equal(t, "shop%orders", c.a.topics[0].Topic)
}

func TestTheNewerNamespaceIsAFieldOfEveryRequest(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 2)
	missing := map[string]bool{}
	look := func(in *transport.Incoming) bool {
		if in.Command.Fields.String("nsd") != "true" || in.Command.Fields.String("ns") != "shop" {
			missing[proto.RequestName(in.Command.Code)] = true
		}
		return false
	}
	c.a.intercept, c.b.intercept, c.names.intercept = look, look, look
	c.run(time.Minute, func() {
		v2 := client.WithNamespaceV2("shop")
		p := c.producer(v2)
		must1(p.Send(background, hello()))
		must(p.SendOneway(background, hello()))
		must(p.Close(background))
		q := c.push(v2, client.WithHandler((&inbox{}).handle))
		c.app.Tasks.Sleep(6 * time.Second)
		must(q.Close(background))
		r := c.consumer(v2)
		must(r.CommitOneway(background, orders(0), 1))
		c.app.Tasks.Sleep(time.Second)
		must(r.Close(background))
	})
	require.Empty(t, missing)
	require.Equal(t, "orders", c.sends()[0].header.Topic, "names stay as they are")
}

func TestANamespaceMustBeAName(t *testing.T) {
	c := newGroupCluster(t, 1)
	_, err := client.NewProducer(c.app, client.WithGroup("g"), c.nameServers(), client.WithNamespace("a%b"))
	require.ErrorContains(t, err, "WithNamespace")
}

func TestNamesThatHaveTheNamespaceAlreadyMeanTheSame(t *testing.T) {
	c := spaced(t)
	c.a.put(shopOrders(), 2, "TAGS", "paid")
	c.a.put(shopOrders(), 3, "TAGS", "open")
	var polled []*client.Received
	c.run(time.Minute, func() {
		l := c.lite(inShop, client.WithAutoCommit(0), client.WithAssignFilter("shop%orders", client.Tags("open")))
		must(l.Assign(background, shopOrders()))
		polled = must1(l.Poll(background, 9))
		must(l.CommitOffsets(background, map[client.Queue]client.QueueOffset{shopOrders(): 4}))
		must(l.Close(background))
	})
	require.Len(t, polled, 3)
	require.Equal(t, int64(4), c.a.committed["shop%consumers@shop%orders@0"])
}

func TestHooksInANamespaceSeeBareNames(t *testing.T) {
	c := spaced(t)
	var seen []string
	c.run(time.Minute, func() {
		p := c.producer(inShop, client.WithSendHook(client.SendHook{Name: "see", Before: func(a client.SendAttempt) {
			seen = append(seen, a.Group+" "+a.Message.Topic+" "+a.Queue.Topic)
		}}))
		must1(p.Send(background, hello()))
		must(p.SendOneway(background, hello()))
		must(p.Close(background))
	})
	require.Equal(t, []string{"producers orders orders", "producers orders orders"}, seen)
}

func TestQueuesThatAreFixedMayBeNamedWithoutTheNamespace(t *testing.T) {
	c := spaced(t)
	c.a.put(shopOrders(), 2)
	box := &inbox{}
	c.run(time.Minute, func() {
		p := c.push(inShop, client.WithHandler(box.handle), client.WithStrategy(assign.Fixed{Queues: []client.Queue{orders(0)}}))
		c.eventually("they come", func() bool { return len(box.bodies) == 2 })
		must(p.Close(background))
	})
}

func TestNamesMustNotBeTooLongWithTheirNamespace(t *testing.T) {
	c := newGroupCluster(t, 1)
	long := client.WithNamespace(strings.Repeat("n", 60))
	_, err := client.NewProducer(c.app, client.WithGroup(strings.Repeat("g", 60)), c.nameServers(), long)
	require.ErrorContains(t, err, "WithGroup")
	_, err = client.NewPullConsumer(c.app, client.WithGroup("g"), c.nameServers(), long, client.WithSubscription(strings.Repeat("t", 100), client.Tags("*")))
	require.ErrorContains(t, err, "WithSubscription")
}

func TestRepliesAreOfNoNamespace(t *testing.T) {
	c := spaced(t)
	c.names.routes["DefaultCluster_REPLY_TOPIC"] = route(1, c.a)
	request := &client.Received{}
	request.Properties.Set("CLUSTER", "DefaultCluster")
	request.Properties.Set("CORRELATION_ID", "17")
	request.Properties.Set("REPLY_TO_CLIENT", "somebody")
	c.run(time.Minute, func() {
		p := c.producer(inShop)
		must1(p.Send(background, must1(client.Reply(request, []byte("yes")))))
		must(p.Close(background))
	})
	require.Equal(t, int32(proto.ReqSendReplyMessageV2), c.a.sends[0].code)
	require.Equal(t, "DefaultCluster_REPLY_TOPIC", c.a.sends[0].header.Topic)
}

func TestAnOrderlyConsumerInANamespaceLocksAndIsReset(t *testing.T) {
	c := spaced(t)
	c.a.put(shopOrders(), 2)
	box := &inbox{}
	locked := ""
	c.run(time.Minute, func() {
		p := c.push(inShop, client.WithOrderlyHandler(box.handle))
		c.eventually("they are consumed", func() bool { return len(box.bodies) == 2 })
		locked = c.a.groups.locks[shopOrders()]
		table := &proto.ResetOffsets{Offsets: []proto.QueueOffset{{Queue: shopOrders(), Offset: 1}}}
		must1(c.ask(c.a, &transport.Request{
			Code: proto.ReqResetConsumerClientOffset, Header: &proto.ResetOffset{Topic: "shop%orders", Group: "shop%consumers", Timestamp: -1},
			Body: table.Marshal(wire.LanguageGo),
		}))
		c.eventually("one comes again", func() bool { return len(box.bodies) == 3 })
		must(p.Close(background))
	})
	require.NotEmpty(t, locked)
	require.Empty(t, c.a.groups.locks, "they are unlocked")
	require.Equal(t, int64(2), c.a.committed["shop%consumers@shop%orders@0"])
}
