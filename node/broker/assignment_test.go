package broker_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func assignmentRequest(member string, change func(*proto.QueryAssignment)) *transport.Request {
	asked := &proto.QueryAssignment{Topic: "orders", ConsumerGroup: "g", ClientID: member, Strategy: proto.StrategyAverage, Model: proto.Clustering}
	if change != nil {
		change(asked)
	}
	return &transport.Request{Code: proto.ReqQueryAssignment, Body: asked.Marshal()}
}

// assigned asks for the queues of a member, as broker:id; nil if the answer has no list.
func (w *world) assigned(member string, change func(*proto.QueryAssignment)) []string {
	w.t.Helper()
	answer, err := proto.UnmarshalAssignment(w.succeeds(assignmentRequest(member, change)).Body)
	require.NoError(w.t, err)
	if !answer.Queues.Set {
		return nil
	}
	queues := []string{}
	for _, q := range answer.Queues.Value {
		require.Equal(w.t, proto.ModePull, q.Mode)
		require.Equal(w.t, "orders", q.Queue.Topic)
		queues = append(queues, q.Queue.String()[len("orders@"):])
	}
	return queues
}

// joined has two members of group g at a topic of five queues, in an order that is not that of their names.
func (w *world) joined() {
	w.t.Helper()
	w.succeeds(updateTopicRequest("orders", func(h *proto.UpdateAndCreateTopic) { h.ReadQueues, h.WriteQueues = 5, 5 }))
	w.succeeds(heartbeat("two", "g", nil))
	w.addClient("other").succeeds(heartbeat("one", "g", nil))
}

func TestABrokerSharesOutTheQueuesOfATopic(t *testing.T) {
	w := newWorld(t)
	w.joined()
	require.Equal(t, []string{"broker-a:0", "broker-a:1", "broker-a:2"}, w.assigned("one", nil))
	require.Equal(t, []string{"broker-a:3", "broker-a:4"}, w.assigned("two", nil))
	byCircle := func(asked *proto.QueryAssignment) { asked.Strategy = proto.StrategyAverageByCircle }
	require.Equal(t, []string{"broker-a:0", "broker-a:2", "broker-a:4"}, w.assigned("one", byCircle))
	require.Equal(t, []string{"broker-a:1", "broker-a:3"}, w.assigned("two", byCircle))
}

func TestAMemberForWhomThereIsNoQueueIsToldSo(t *testing.T) {
	w := newWorld(t)
	w.succeeds(updateTopicRequest("orders", func(h *proto.UpdateAndCreateTopic) { h.ReadQueues, h.WriteQueues = 1, 1 }))
	w.succeeds(heartbeat("one", "g", nil))
	w.addClient("other").succeeds(heartbeat("two", "g", nil))
	require.Equal(t, []string{"broker-a:0"}, w.assigned("one", nil))
	require.Equal(t, []string{}, w.assigned("two", nil), "an empty list: drop everything")
}

func TestWhereABrokerCannotSayAMemberKeepsWhatItHas(t *testing.T) {
	w := newWorld(t)
	require.Nil(t, w.assigned("one", nil), "nobody knows the topic")
	w.succeeds(updateTopicRequest("orders", nil))
	require.Nil(t, w.assigned("one", nil), "the group has no members")
	w.succeeds(heartbeat("two", "g", nil))
	require.Nil(t, w.assigned("one", nil), "the member's heartbeat is to come")
	require.Len(t, w.assigned("two", nil), 4)
	require.Nil(t, w.assigned("two", func(asked *proto.QueryAssignment) { asked.Strategy = "CONSISTENT_HASH" }), "a strategy that brokers have not")
	require.JSONEq(t, `{}`, string(w.succeeds(assignmentRequest("one", nil)).Body), "the key is absent")
}

func TestMembersThatBroadcastHaveAllQueues(t *testing.T) {
	w := newWorld(t)
	w.joined()
	all := []string{"broker-a:0", "broker-a:1", "broker-a:2", "broker-a:3", "broker-a:4"}
	require.Equal(t, all, w.assigned("anybody", func(asked *proto.QueryAssignment) { asked.Model, asked.Strategy = proto.Broadcasting, "" }))
	w.succeeds(configRequest("serverLoadBalancerEnable", "false"))
	require.Equal(t, all, w.assigned("one", nil), "the broker does not share out, and says so by giving everything")
}

func TestAnAssignmentThatCannotBeAskedForIsRefused(t *testing.T) {
	w := newWorld(t)
	for text, change := range map[string]func(*proto.QueryAssignment){
		"topic is empty":         func(asked *proto.QueryAssignment) { asked.Topic = "" },
		"consumerGroup is empty": func(asked *proto.QueryAssignment) { asked.ConsumerGroup = "" },
		"clientId is empty":      func(asked *proto.QueryAssignment) { asked.ClientID = "" },
		"messageModel is":        func(asked *proto.QueryAssignment) { asked.Model = proto.ModelUnknown },
	} {
		w.refused(assignmentRequest("one", change), proto.RespInvalidParameter, text)
	}
	w.refused(&transport.Request{Code: proto.ReqQueryAssignment, Body: []byte("[")}, proto.RespInvalidParameter, "QueryAssignmentRequestBody")
	require.NotContains(t, w.topicTable(), "orders", "asking makes nothing")
	w.refused(groupRequest("g"), proto.RespSubscriptionGroupNotExist, "no group g")
}

// routeOf is a topic with queues at two brokers, one of which nobody may read.
func routeOf(queues int32) proto.Route {
	return proto.Route{Queues: []proto.QueueRoute{
		{BrokerName: "broker-b", ReadQueues: 1, WriteQueues: 1, Perm: proto.PermReadWrite},
		{BrokerName: "broker-a", ReadQueues: queues, WriteQueues: 9, Perm: proto.PermRead},
		{BrokerName: "broker-c", ReadQueues: 4, WriteQueues: 4, Perm: proto.PermWrite},
	}}
}

func TestTheQueuesAreThoseThatNameServersTell(t *testing.T) {
	w := prepareWorld(t, withNameServers("10.0.1.1:9876", "10.0.1.2:9876"))
	silent, s := w.addNameServer("namesrv0", 1), w.addNameServer("namesrv1", 2)
	s.routes = map[string]proto.Route{"orders": routeOf(2)}
	w.start()
	w.succeeds(heartbeat("one", "g", nil))
	asked := func() (n int) {
		for _, request := range s.requests {
			if request.Code == proto.ReqGetRouteInfoByTopic {
				n++
			}
		}
		return n
	}
	require.Equal(t, []string{"broker-a:0", "broker-a:1", "broker-b:0"}, w.assigned("one", nil))
	s.routes["orders"] = routeOf(1)
	w.assigned("one", nil)
	require.Equal(t, 1, asked(), "a route counts for a while")
	w.pass(30 * time.Second)
	require.Equal(t, []string{"broker-a:0", "broker-b:0"}, w.assigned("one", nil))
	require.Equal(t, 2, asked())

	w.pass(30 * time.Second)
	s.routes = nil
	require.Equal(t, []string{"broker-a:0", "broker-b:0"}, w.assigned("one", nil), "what was known counts while no name server answers")
	w.pass(6 * time.Second)
	silent.routes = map[string]proto.Route{}
	require.Nil(t, w.assigned("one", nil), "the topic is gone")
}

func TestMembersThatAskAtOnceShareOneQuestion(t *testing.T) {
	w := prepareWorld(t, withNameServers("10.0.1.1:9876"))
	s := w.addNameServer("namesrv0", 1)
	s.routes = map[string]proto.Route{"orders": routeOf(2)}
	w.start()
	links := w.kernel.Network().Links()
	other := w.addClient("other")
	other.succeeds(heartbeat("two", "g", nil))
	w.succeeds(heartbeat("one", "g", nil))
	links.LatencyMin, links.LatencyMax = time.Second, time.Second
	w.kernel.Network().SetLinks(links)
	mine := w.begin(assignmentRequest("one", nil))
	response := other.succeeds(assignmentRequest("two", nil))
	w.pass(5 * time.Second)
	require.NotNil(t, *mine)
	require.JSONEq(t, `{"messageQueueAssignments":[{"messageQueue":{"brokerName":"broker-b","queueId":0,"topic":"orders"},"mode":"PULL"}]}`, string(response.Body))
	n := 0
	for _, request := range s.requests {
		if request.Code == proto.ReqGetRouteInfoByTopic {
			n++
		}
	}
	require.Equal(t, 1, n)
}

func modeRequest(topic, group string, mode proto.MessageRequestMode) *transport.Request {
	return &transport.Request{Code: proto.ReqSetMessageRequestMode, Body: (&proto.SetMessageRequestMode{Topic: topic, ConsumerGroup: group, Mode: mode}).Marshal()}
}

func TestTheRequestModeOfAGroupIsKept(t *testing.T) {
	w := newWorld(t)
	w.succeeds(updateTopicRequest("orders", nil))
	w.succeeds(updateGroupRequest("g", nil))
	w.succeeds(modeRequest("orders", "g", proto.ModePull))
	const want = `{"messageRequestModeMap":{"orders":{"g":{"consumerGroup":"g","mode":"PULL","popShareQueueNum":0,"topic":"orders"}}}}`
	w.restart(sim.PowerLoss)
	require.Equal(t, want, w.file("config/messageRequestMode.json"))
	all := &transport.Request{Code: proto.ReqGetAllMessageRequestMode}
	require.Equal(t, want, string(w.succeeds(all).Body))
	w.succeeds(deleteGroupRequest("g", false))
	require.Equal(t, `{"messageRequestModeMap":{}}`, string(w.succeeds(all).Body))
	w.succeeds(updateGroupRequest("g", nil))
	w.succeeds(modeRequest("orders", "g", proto.ModePull))
	w.succeeds(deleteTopicRequest("orders"))
	require.Equal(t, `{"messageRequestModeMap":{}}`, w.file("config/messageRequestMode.json"))
}

func TestARequestModeThatCannotBeIsRefused(t *testing.T) {
	w := newWorld(t)
	w.refused(modeRequest("%RETRY%g", "g", proto.ModePull), proto.RespNoPermission, "retry topic")
	w.refused(modeRequest("orders", "g", proto.ModePull), proto.RespTopicNotExist, "topic[orders] not exist")
	w.succeeds(updateTopicRequest("orders", nil))
	w.refused(modeRequest("orders", "g", proto.ModePull), proto.RespSubscriptionGroupNotExist, "subscription group[g] not exist")
	w.succeeds(updateGroupRequest("g", nil))
	w.succeeds(updateTopicRequest("batches", func(h *proto.UpdateAndCreateTopic) { h.Attributes = "+queue.type=BatchCQ" }))
	w.refused(modeRequest("batches", "g", proto.ModePop), proto.RespInvalidParameter, "can only be pulled")
	w.refused(&transport.Request{Code: proto.ReqSetMessageRequestMode, Body: []byte("[")}, proto.RespInvalidParameter, "SetMessageRequestMode")
}

func TestMembersThatAreToPopAreToldSo(t *testing.T) {
	for _, c := range []struct {
		change func(*broker.Options)
		file   string
		want   string
	}{
		// As a Java broker has left it.
		{nil, `{"messageRequestModeMap":{"orders":{"g":{"consumerGroup":"g","mode":"POP","popShareQueueNum":-1,"topic":"orders"}}}}`,
			`[{"messageQueue":{"brokerName":"broker-a","queueId":-1,"topic":"orders"},"mode":"POP"},{"messageQueue":{"brokerName":"broker-b","queueId":-1,"topic":"orders"},"mode":"POP"}]`},
		{func(o *broker.Options) { o.DefaultMode = proto.ModePop }, `{"messageRequestModeMap":{"orders":{"g":{"consumerGroup":"g","mode":"PULL","topic":"orders"}}}}`,
			`[{"messageQueue":{"brokerName":"broker-b","queueId":0,"topic":"orders"},"mode":"PULL"}]`},
		{func(o *broker.Options) { o.DefaultMode, o.DefaultPopShare = proto.ModePop, 1 }, `{}`,
			// its own, and those of the member behind it
			`[{"messageQueue":{"brokerName":"broker-a","queueId":0,"topic":"orders"},"mode":"POP"},{"messageQueue":{"brokerName":"broker-b","queueId":0,"topic":"orders"},"mode":"POP"}]`},
	} {
		w := prepareWorld(t, withNameServers("10.0.1.1:9876"))
		if c.change != nil {
			c.change(&w.options)
		}
		w.write("config/messageRequestMode.json", c.file)
		s := w.addNameServer("namesrv0", 1)
		s.routes = map[string]proto.Route{"orders": routeOf(2)}
		w.start()
		for _, id := range []string{"one", "two", "zoe"} {
			w.succeeds(heartbeat(id, "g", nil))
			if id != "zoe" {
				w.addClient(id).succeeds(heartbeat(id, "g", nil))
			}
		}
		response := w.succeeds(assignmentRequest("zoe", nil))
		require.JSONEq(t, `{"messageQueueAssignments":`+c.want+`}`, string(response.Body))
	}
}

func TestARouteThatNobodyAsksForIsForgotten(t *testing.T) {
	w := prepareWorld(t, withNameServers("10.0.1.1:9876"), func(o *broker.Options) { o.RoutesFor = time.Second })
	s := w.addNameServer("namesrv0", 1)
	s.routes = map[string]proto.Route{"orders": routeOf(2)}
	w.start()
	w.succeeds(heartbeat("one", "g", nil))
	w.assigned("one", nil)
	require.Equal(t, 1, w.broker.KnownRoutes())
	w.pass(11 * time.Minute)
	require.Zero(t, w.broker.KnownRoutes(), "nobody asks any more")
}
