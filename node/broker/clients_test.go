package broker_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// heartbeat is that of a clustering push consumer of topic "orders", as changed.
func heartbeat(client, group string, change func(*proto.HeartbeatData)) *transport.Request {
	data := &proto.HeartbeatData{ClientID: client, Consumers: []proto.ConsumerData{{
		Group: group, ConsumeType: proto.ConsumePush, Model: proto.Clustering, Subscriptions: []proto.SubscriptionData{subscription("orders", "*", 1)},
	}}}
	if change != nil {
		change(data)
	}
	return &transport.Request{Code: proto.ReqHeartbeat, Body: data.Marshal()}
}

func subscription(topic, expression string, version int64) proto.SubscriptionData {
	return proto.SubscriptionData{Topic: topic, Expression: expression, ExpressionType: proto.ExpressionTag, Version: version}
}

// subscribed replaces the subscriptions of a heartbeat.
func subscribed(subscriptions ...proto.SubscriptionData) func(*proto.HeartbeatData) {
	return func(data *proto.HeartbeatData) { data.Consumers[0].Subscriptions = subscriptions }
}

func consumersRequest(group string) *transport.Request {
	return &transport.Request{Code: proto.ReqGetConsumerListByGroup, Header: &proto.GetConsumerListByGroup{ConsumerGroup: group}}
}

// registeredPull is a pull that relies on what heartbeats have said.
func registeredPull(group string, version int64) *transport.Request {
	request := pullRequest("orders", 0, 0, 0, "")
	header := request.Header.(*proto.PullMessage)
	header.ConsumerGroup, header.Version = group, version
	header.Flags &^= proto.PullSubscription
	return request
}

// otherClient is a second client on a machine of its own.
type otherClient struct {
	w       *world
	machine *sim.Machine
	client  *transport.Client
}

func (w *world) addClient(name string) *otherClient {
	number := byte(len(w.kernel.Machines()) + 1)
	m := w.kernel.AddMachine(name, netip.AddrFrom4([4]byte{10, 0, 0, number}))
	return &otherClient{w: w, machine: m, client: transport.NewClient(m.Boot(name), transport.ClientOptions{})}
}

func (o *otherClient) succeeds(request *transport.Request) (response *wire.Command) {
	o.w.t.Helper()
	done, err := false, error(nil)
	o.machine.Node(o.machine.Name(), ".").Tasks.Go("call", func() {
		response, err = o.client.Call(nil, address, request, 5*time.Second)
		done = true
	})
	o.w.kernel.Run(o.w.kernel.Now().Add(10*time.Second), func() bool { return done })
	require.NoError(o.w.t, err)
	require.True(o.w.t, done)
	return response
}

// notified counts the times that the first client was told to assign queues anew.
func (w *world) notified() int {
	w.pass(time.Second)
	n := 0
	for _, command := range w.pushed {
		if command.Code == proto.ReqNotifyConsumerIDsChanged {
			n++
		}
	}
	return n
}

func TestAClientWithoutHeartbeatsLeavesAndTheOthersAreTold(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.ClientTimeout = 20 * time.Second })
	other := w.addClient("other")
	w.succeeds(heartbeat("one", "g", nil))
	other.succeeds(heartbeat("two", "g", nil))
	before := w.notified()
	for range 3 {
		w.pass(8 * time.Second)
		w.succeeds(heartbeat("one", "g", nil))
	}
	require.Greater(t, w.notified(), before, "the client that is left is told")
	require.JSONEq(t, `{"consumerIdList":["one"]}`, string(w.succeeds(consumersRequest("g")).Body))
	w.pass(25 * time.Second)
	w.refused(consumersRequest("g"), proto.RespSystemError, "no consumer for this group, g")
}

func TestAClientThatSaysGoodbyeLeavesAtOnce(t *testing.T) {
	w := newWorld(t)
	other := w.addClient("other")
	w.succeeds(heartbeat("one", "g", nil))
	other.succeeds(heartbeat("two", "g", nil))
	before := w.notified()
	goodbye := func(id string) *transport.Request {
		return &transport.Request{Code: proto.ReqUnregisterClient, Header: &proto.UnregisterClient{ClientID: id, ConsumerGroup: "g", ProducerGroup: "p"}}
	}
	w.succeeds(goodbye("two"))
	require.Equal(t, before, w.notified(), "nobody can say it for a client on another connection")
	other.succeeds(goodbye("two"))
	require.Equal(t, before+1, w.notified())
	require.JSONEq(t, `{"consumerIdList":["one"]}`, string(w.succeeds(consumersRequest("g")).Body))
}

func TestOnlyNewMembersAndNewTopicsMakeOthersAssignAnew(t *testing.T) {
	w := newWorld(t)
	count := func(request *transport.Request) int {
		before := w.notified()
		w.succeeds(request)
		return w.notified() - before
	}
	require.Equal(t, 1, count(heartbeat("one", "g", nil)))
	require.Equal(t, 0, count(heartbeat("one", "g", nil)), "the same again")
	require.Equal(t, 0, count(heartbeat("one", "g", subscribed(subscription("orders", "red", 2)))), "another expression")
	require.Equal(t, 1, count(heartbeat("one", "g", subscribed(subscription("orders", "red", 2), subscription("bills", "*", 1)))), "one topic more")
	require.Equal(t, 1, count(heartbeat("one", "g", subscribed(subscription("bills", "*", 1)))), "one topic less")
	require.Equal(t, 1, count(heartbeat("another", "g", subscribed(subscription("bills", "*", 1)))), "another client on the connection")
	broadcasting := func(data *proto.HeartbeatData) { data.Consumers[0].Model = proto.Broadcasting }
	require.Equal(t, 0, count(heartbeat("one", "everybody", broadcasting)), "members that broadcast share nothing")
}

func TestASubscriptionIsReplacedOnlyByANewerOne(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "r", "TAGS\x01red\x02"))
	w.succeeds(sendRequest("orders", 0, "b", "TAGS\x01blue\x02"))
	w.refused(registeredPull("g", 1), proto.RespSubscriptionNotExist, "group g has no heartbeat that subscribes orders")
	w.succeeds(heartbeat("one", "g", subscribed(subscription("orders", "red", 5))))
	w.succeeds(heartbeat("one", "g", subscribed(subscription("orders", "blue", 5))))
	require.Equal(t, []string{"r"}, bodies(t, w.succeeds(registeredPull("g", 5))))
	w.refused(registeredPull("g", 6), proto.RespSubscriptionNotLatest, "not latest")
	w.succeeds(heartbeat("one", "g", subscribed(subscription("orders", "blue", 6))))
	require.Equal(t, []string{"b"}, bodies(t, w.succeeds(registeredPull("g", 6))))
}

// TestAHeartbeatSaysWhetherSubscriptionsMustBeSentAgain walks through the second version of heartbeats: a fingerprint that is
// not 0, and subscriptions left out once they are known.
func TestAHeartbeatSaysWhetherSubscriptionsMustBeSentAgain(t *testing.T) {
	w := newWorld(t)
	changed := func(fingerprint int32, without bool) bool {
		response := w.succeeds(heartbeat("one", "g", func(data *proto.HeartbeatData) {
			data.Fingerprint, data.WithoutSubscriptions = fingerprint, without
			if without {
				data.Consumers[0].Subscriptions = nil
			}
		}))
		require.Equal(t, "true", response.Fields.String("IS_SUPPORT_HEART_BEAT_V2"))
		return response.Fields.String("IS_SUB_CHANGE") == "true"
	}
	require.True(t, changed(0, false), "always, to a heartbeat of the first version")
	require.True(t, changed(7, false), "the group had another fingerprint")
	require.False(t, changed(7, true), "the same")
	require.False(t, changed(7, true))
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.succeeds(registeredPull("g", 1))
	require.True(t, changed(8, false))
	require.False(t, changed(8, false))
	w.restart(sim.PowerLoss)
	require.True(t, changed(8, true), "a broker that has just started knows no subscriptions")
	require.False(t, changed(8, false))
	w.succeeds(registeredPull("g", 1))
}

func TestSettingsOfAGroupCanForbidWhatItsMembersWant(t *testing.T) {
	w := prepareWorld(t)
	w.write("config/subscriptionGroup.json", `{"dataVersion":{"counter":1,"stateVersion":0,"timestamp":1},
		"forbiddenTable":{"kept-out":{"orders":4,"bills":2}},
		"subscriptionGroupTable":{
			"switched-off":{"groupName":"switched-off","consumeEnable":false},
			"alone":{"groupName":"alone","consumeBroadcastEnable":false},
			"silent":{"groupName":"silent","notifyConsumerIdsChangedEnable":false},
			"kept-out":{"groupName":"kept-out"}}}`)
	w.start()
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.refused(registeredPull("switched-off", 1), proto.RespNoPermission, "subscription group no permission, switched-off")
	w.succeeds(heartbeat("one", "alone", nil))
	w.succeeds(registeredPull("alone", 1))
	w.succeeds(heartbeat("one", "alone", func(data *proto.HeartbeatData) { data.Consumers[0].Model = proto.Broadcasting }))
	w.refused(registeredPull("alone", 1), proto.RespNoPermission, "can not consume by broadcast way")
	w.succeeds(heartbeat("one", "kept-out", nil))
	w.refused(registeredPull("kept-out", 1), proto.RespNoPermission, "forbidden for topic[orders]")
	before := w.notified()
	w.succeeds(heartbeat("one", "silent", nil))
	require.Equal(t, before, w.notified())
	w.succeeds(heartbeat("one", "new", nil))
	require.Contains(t, w.file("config/subscriptionGroup.json"), `"forbiddenTable":{"kept-out":{"bills":2,"orders":4}}`, "what is kept out stays so")
}

func TestAHeartbeatThatCannotBeReadIsRefused(t *testing.T) {
	w := newWorld(t)
	w.refused(&transport.Request{Code: proto.ReqHeartbeat, Body: []byte("{")}, proto.RespSystemError, "HeartbeatData")
	w.refused(heartbeat("", "g", nil), proto.RespInvalidParameter, "clientID is empty")
	w.succeeds(heartbeat("one", "il@legal", nil))
	w.refused(consumersRequest("il@legal"), proto.RespSystemError, "no consumer")
}

// TestAMemberThatIsCutOffWhileItIsToldDoesNotDisturbTheOthers fills the output of some members that do not read, so that telling them
// of a change ends their connections in the middle of it.
func TestAMemberThatIsCutOffWhileItIsToldDoesNotDisturbTheOthers(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.Limits = transport.Limits{Output: 4 << 10} })
	w.succeeds(heartbeat("one", "g", nil))
	links := w.kernel.Network().Links()
	links.Window = 1 << 10
	w.kernel.Network().SetLinks(links)
	var stuck []*otherClient
	for n := range 3 {
		o := w.addClient(fmt.Sprint("stuck", n))
		o.succeeds(heartbeat(o.machine.Name(), "g", nil))
		stuck = append(stuck, o)
	}
	for _, o := range stuck {
		w.kernel.Network().Block(w.machine, o.machine)
	}
	for n := range 200 {
		id := []string{"one", "uno"}[n%2]
		w.succeeds(heartbeat(id, "g", nil))
	}
	w.pass(time.Minute)
	require.JSONEq(t, `{"consumerIdList":["uno"]}`, string(w.succeeds(consumersRequest("g")).Body))
}
