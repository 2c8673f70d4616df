package broker_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// What each setting of a group does to clients of this protocol. Java brokers have no use for some of them either, apart from other
// protocols: consumeFromMinEnable, consumeMessageOrderly, groupRetryPolicy, consumeTimeoutMinute, subscriptionDataSet. They are kept and shown, see
// TestAGroupThatAToolMakesSurvivesAPowerLossWithAllItsSettings.

func (w *world) setGroup(change func(*proto.SubscriptionGroupConfig)) {
	w.t.Helper()
	w.succeeds(updateGroupRequest("g", change))
}

func TestAGroupThatMayNotBroadcastIsRefusedHoweverItPulls(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.setGroup(func(g *proto.SubscriptionGroupConfig) { g.ConsumeBroadcast = false })
	w.succeeds(pullRequest("orders", 0, 0, 0, "*"))
	w.succeeds(heartbeat("one", "g", func(data *proto.HeartbeatData) { data.Consumers[0].Model = proto.Broadcasting }))
	w.refused(pullRequest("orders", 0, 0, 0, "*"), proto.RespNoPermission, "can not consume by broadcast way")
	w.refused(registeredPull("g", 1), proto.RespNoPermission, "can not consume by broadcast way")
	w.succeeds(heartbeat("one", "g", nil))
	w.succeeds(registeredPull("g", 1))
}

func TestAGroupPullsFromTheBrokerThatItsSettingsNameIfSlavesServe(t *testing.T) {
	for _, c := range []struct {
		slaveRead   bool
		recent, old string
	}{{true, "2", "3"}, {false, "0", "0"}} {
		w := newWorld(t, func(o *broker.Options) { o.SlaveRead, o.Store.Cached = c.slaveRead, 4096 })
		w.setGroup(func(g *proto.SubscriptionGroupConfig) { g.BrokerID, g.SlowBrokerID = 2, 3 })
		for range 100 {
			w.succeeds(sendRequest("orders", 0, "x", ""))
		}
		suggested := func(from int64) string {
			return w.call(pullRequest("orders", 0, from, 0, "*")).Fields.String("suggestWhichBrokerId")
		}
		require.Equal(t, c.recent, suggested(99))
		require.Equal(t, c.recent, suggested(100), "nothing found")
		require.Equal(t, c.old, suggested(0))
	}
}

func TestMembersAreNotToldOfEachOtherIfTheirGroupDoesNotWantIt(t *testing.T) {
	w := newWorld(t)
	w.setGroup(func(g *proto.SubscriptionGroupConfig) { g.NotifyMembers = false })
	w.succeeds(heartbeat("one", "g", nil))
	leaving, dying := w.addClient("leaving"), w.addClient("dying")
	leaving.succeeds(heartbeat("leaving", "g", nil))
	dying.succeeds(heartbeat("dying", "g", nil))
	leaving.succeeds(&transport.Request{Code: proto.ReqUnregisterClient, Header: &proto.UnregisterClient{ClientID: "leaving", ConsumerGroup: "g"}})
	dying.machine.Crash(sim.KillProcess)
	require.Zero(t, w.notified())
	require.JSONEq(t, `{"consumerIdList":["one"]}`, string(w.succeeds(consumersRequest("g")).Body))
	w.setGroup(nil)
	w.addClient("third").succeeds(heartbeat("three", "g", nil))
	require.Equal(t, 1, w.notified())
}

func TestPullsAreToldTheFlagsOfTheirTopicAndGroup(t *testing.T) {
	w := newWorld(t)
	w.succeeds(updateTopicRequest("orders", func(h *proto.UpdateAndCreateTopic) { h.SysFlags = proto.Some(proto.TopicUnit) }))
	w.setGroup(func(g *proto.SubscriptionGroupConfig) { g.SysFlags = 4 })
	w.succeeds(sendRequest("orders", 0, "x", ""))
	for from := range int64(3) {
		answer := w.call(pullRequest("orders", 0, from, 0, "*"))
		require.Equal(t, "1", answer.Fields.String("topicSysFlag"), from)
		require.Equal(t, "4", answer.Fields.String("groupSysFlag"), from)
	}
}

func TestAGroupSaysHowOftenMessagesAreRedelivered(t *testing.T) {
	w := newWorld(t, quickRetries)
	w.setGroup(func(g *proto.SubscriptionGroupConfig) {
		g.RedeliveriesMax = 1
		g.RetryPolicy = proto.GroupRetryPolicy{Type: proto.RetryExponential, Exponential: proto.Some(proto.ExponentialRetry{InitialMillis: 1, MaxMillis: 1, Multiplier: 1})}
	})
	w.succeeds(sendRequest("orders", 1, "x", ""))
	w.succeeds(sendBackRequest("g", w.records("orders", 1)[0].LogOffset, 0, -1))
	w.pass(900 * time.Millisecond)
	require.Empty(t, w.records("%RETRY%g", 0), "the delays are those of the levels, whatever groupRetryPolicy says")
	w.pass(200 * time.Millisecond)
	redelivered := w.records("%RETRY%g", 0)
	require.Len(t, redelivered, 1)
	w.succeeds(sendBackRequest("g", redelivered[0].LogOffset, 0, -1))
	require.Len(t, w.records("%DLQ%g", 0), 1)
	w.succeeds(sendBackRequest("g", redelivered[0].LogOffset, 0, 5))
	w.pass(3 * time.Second)
	require.Len(t, w.records("%RETRY%g", 0), 2, "who says it counts before the group")
}

func TestAGroupWithoutRetryQueuesGetsNothingAgain(t *testing.T) {
	w := newWorld(t, quickRetries)
	w.setGroup(func(g *proto.SubscriptionGroupConfig) { g.RetryQueues = 0 })
	w.succeeds(sendRequest("orders", 1, "x", ""))
	w.succeeds(sendBackRequest("g", w.records("orders", 1)[0].LogOffset, 0, -1))
	w.pass(time.Minute)
	require.NotContains(t, w.topicTable(), "%RETRY%g")
	require.NotContains(t, w.topicTable(), "%DLQ%g")
}

func TestRedeliveriesUseAllRetryQueuesOfTheGroup(t *testing.T) {
	w := newWorld(t, quickRetries)
	w.setGroup(func(g *proto.SubscriptionGroupConfig) { g.RetryQueues = 3 })
	w.succeeds(sendRequest("orders", 1, "x", ""))
	for range 40 {
		w.succeeds(sendBackRequest("g", w.records("orders", 1)[0].LogOffset, 0, -1))
	}
	w.pass(2 * time.Second)
	total := 0
	for queue := range int32(3) {
		n := len(w.records("%RETRY%g", queue))
		require.Positive(t, n, "queue %d", queue)
		total += n
	}
	require.Equal(t, 40, total)
}

// TestTheRetryTopicOfAGroupThatConsumesOrderedTopicsIsAnOrderedOne: a broker that is closed to writers refuses sends to ordered topics.
func TestTheRetryTopicOfAGroupThatConsumesOrderedTopicsIsAnOrderedOne(t *testing.T) {
	w := newWorld(t)
	w.succeeds(updateTopicRequest("orders", func(h *proto.UpdateAndCreateTopic) { h.Ordered = true }))
	ordered := func() bool { return w.topicTable()["%RETRY%g"].Ordered }
	w.succeeds(heartbeat("one", "g", func(data *proto.HeartbeatData) { data.Consumers[0].UnitMode = true }))
	require.True(t, ordered())
	require.Equal(t, proto.TopicUnitSubscription, w.topicTable()["%RETRY%g"].SysFlags)
	other := w.addClient("other")
	other.succeeds(heartbeat("two", "g", subscribed(subscription("bills", "*", 1))))
	version := w.file("config/topics.json")
	for range 3 {
		w.succeeds(heartbeat("one", "g", nil))
		other.succeeds(heartbeat("two", "g", subscribed(subscription("bills", "*", 1))))
	}
	require.True(t, ordered(), "as long as one member subscribes an ordered topic")
	require.Equal(t, version, w.file("config/topics.json"), "members that differ do not make it change to and fro")
	w.succeeds(updateTopicRequest("orders", nil))
	w.succeeds(heartbeat("one", "g", func(data *proto.HeartbeatData) {
		data.Fingerprint, data.WithoutSubscriptions, data.Consumers[0].Subscriptions = 7, true, nil
	}))
	require.True(t, ordered(), "a heartbeat without subscriptions says nothing of them")
	w.succeeds(heartbeat("one", "g", nil))
	require.False(t, ordered())
}

// TestATopicThatShrinksKeepsItsMessagesAndGrowsAgain as operators do it: first fewer queues to write, then fewer to read.
func TestATopicThatShrinksKeepsItsMessagesAndGrowsAgain(t *testing.T) {
	w := newWorld(t)
	queues := func(read, write int32) {
		w.succeeds(updateTopicRequest("orders", func(h *proto.UpdateAndCreateTopic) { h.ReadQueues, h.WriteQueues = read, write }))
	}
	queues(2, 2)
	w.succeeds(sendRequest("orders", 1, "first", ""))
	w.refused(sendRequest("orders", 2, "x", ""), proto.RespInvalidParameter, "queueId[2]")
	queues(3, 3)
	w.succeeds(sendRequest("orders", 2, "grown", ""))
	require.Equal(t, []string{"grown"}, bodies(t, w.succeeds(pullRequest("orders", 2, 0, 0, "*"))))

	queues(3, 1)
	require.Equal(t, []string{"first"}, bodies(t, w.succeeds(pullRequest("orders", 1, 0, 0, "*"))), "what is there can be read")
	for range 10 {
		require.Equal(t, "0", w.succeeds(sendRequest("orders", -1, "x", "")).Fields.String("queueId"), "nothing comes to the other queues")
	}
	w.succeeds(sendRequest("orders", 1, "late", ""))
	held := w.begin(pullRequest("orders", 1, 2, 5*time.Second, "*"))
	w.pass(time.Second)
	queues(1, 1)
	w.refused(sendRequest("orders", 1, "x", ""), proto.RespInvalidParameter, "queueId[1]")
	w.refused(pullRequest("orders", 1, 0, 0, "*"), proto.RespInvalidParameter, "queueId[1] is illegal")
	w.pass(5 * time.Second)
	require.NotNil(t, *held)
	require.EqualValues(t, proto.RespInvalidParameter, (*held).Code)

	w.restart(sim.PowerLoss)
	require.EqualValues(t, 1, w.topicTable()["orders"].ReadQueues)
	queues(2, 2)
	w.succeeds(sendRequest("orders", 1, "again", ""))
	require.Equal(t, []string{"first", "late", "again"}, bodies(t, w.succeeds(pullRequest("orders", 1, 0, 0, "*"))))
}

func TestATopicOfManyTagsMarksItsMessages(t *testing.T) {
	w := newWorld(t)
	w.succeeds(updateTopicRequest("orders", func(h *proto.UpdateAndCreateTopic) { h.FilterType = proto.MultiTag }))
	w.succeeds(sendRequest("orders", 0, "x", "TAGS\x01red\x02"))
	require.NotZero(t, w.records("orders", 0)[0].SysFlags&message.FlagMultiTags)
}
