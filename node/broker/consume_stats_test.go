package broker_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func consumeStatsRequest(group string, topics ...string) *transport.Request {
	return &transport.Request{Code: proto.ReqGetConsumeStats, Header: &proto.GetConsumeStats{ConsumerGroup: group, Topics: topics}}
}

func (w *world) consumeStats(request *transport.Request) *proto.ConsumeStats {
	w.t.Helper()
	stats, err := proto.UnmarshalConsumeStats(w.succeeds(request).Body)
	require.NoError(w.t, err)
	return stats
}

// consumed is a topic with ten messages in queue 0, a second apart, of which group g has pulled six and consumed four; and a topic of which it has
// consumed the only message.
func consumed(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	for range 10 {
		w.succeeds(sendRequest("orders", 0, "x", ""))
		w.pass(time.Second)
	}
	w.succeeds(sendRequest("bills", 1, "x", ""))
	w.succeeds(pullRequest("orders", 0, 0, 0, "*"))
	w.call(pullRequest("orders", 0, 6, 0, "*"))
	w.succeeds(commitRequest("g", "orders", 0, 4))
	w.succeeds(commitRequest("g", "bills", 1, 1))
	return w
}

func TestToolsSeeHowFarAGroupIs(t *testing.T) {
	w := consumed(t)
	stats := w.consumeStats(consumeStatsRequest("g", "orders"))
	require.Len(t, stats.Queues, 4)
	first := stats.Queues[0]
	require.Equal(t, proto.Queue{Topic: "orders", BrokerName: "broker-a"}, first.Queue)
	require.EqualValues(t, 10, first.BrokerOffset)
	require.EqualValues(t, 4, first.ConsumerOffset)
	require.EqualValues(t, 6, first.PullOffset)
	require.Equal(t, w.records("orders", 0)[3].StoredAt, first.ConsumedTo, "when the last consumed message was stored")
	require.Positive(t, stats.ConsumedPerSecond)
	require.Zero(t, stats.Queues[1].BrokerOffset)
	require.Zero(t, stats.Queues[1].ConsumedTo)

	require.Len(t, w.consumeStats(consumeStatsRequest("g")).Queues, 8, "all topics that it has offsets of")
	require.Len(t, w.consumeStats(consumeStatsRequest("g", "orders", "bills", "nonesuch")).Queues, 8)
	one := consumeStatsRequest("g")
	one.Header.(*proto.GetConsumeStats).Topic = "bills"
	require.Len(t, w.consumeStats(one).Queues, 4)
	require.Empty(t, w.consumeStats(consumeStatsRequest("nobody")).Queues)
	other := w.consumeStats(consumeStatsRequest("nobody", "orders"))
	require.EqualValues(t, 10, other.Behind(), "a group without offsets is at the beginning")
	require.Zero(t, other.ConsumedPerSecond)
	w.refused(&transport.Request{Code: proto.ReqGetConsumeStats}, proto.RespInvalidParameter, "consumerGroup")

	w.succeeds(heartbeat("one", "g", nil))
	require.Len(t, w.consumeStats(consumeStatsRequest("g")).Queues, 4, "a topic that the members have left does not count")
}

func TestToolsSeeHowFarAllGroupsAre(t *testing.T) {
	w := consumed(t)
	w.succeeds(commitRequest("h", "orders", 0, 9))
	w.succeeds(updateTopicRequest("bills", func(h *proto.UpdateAndCreateTopic) { h.Ordered = true }))
	of := func(ordered bool) *proto.ConsumeStatsList {
		response := w.succeeds(&transport.Request{Code: proto.ReqGetBrokerConsumeStats, Header: &proto.GetBrokerConsumeStats{Ordered: ordered}})
		list, err := proto.UnmarshalConsumeStatsList(response.Body)
		require.NoError(t, err)
		return list
	}
	list := of(false)
	require.Equal(t, address, list.BrokerAddress)
	require.EqualValues(t, 6+1, list.Behind)
	require.EqualValues(t, 2, list.InFlight)
	i := slices.IndexFunc(list.Groups, func(g proto.GroupConsumeStats) bool { return g.Group == "g" })
	require.Len(t, list.Groups[i].Stats, 2, "one for each topic")
	require.Zero(t, of(true).Behind, "only bills is ordered")
	w.refused(&transport.Request{Code: proto.ReqGetBrokerConsumeStats}, proto.RespInvalidParameter, "isOrder")
}

func TestToolsSeeHowFarAGroupIsByTime(t *testing.T) {
	w := consumed(t)
	spanRequest := func(group, topic string) *transport.Request {
		return &transport.Request{Code: proto.ReqQueryConsumeTimeSpan, Header: &proto.QueryConsumeTimeSpan{Group: group, Topic: topic}}
	}
	spans := func(group, topic string) []proto.QueueTimeSpan {
		body, err := proto.UnmarshalConsumeTimeSpans(w.succeeds(spanRequest(group, topic)).Body)
		require.NoError(t, err)
		return body.Spans
	}
	records := w.records("orders", 0)
	first := spans("g", "orders")[0]
	require.Equal(t, records[0].StoredAt, first.Min)
	require.Equal(t, records[9].StoredAt, first.Max)
	require.Equal(t, records[3].StoredAt, first.ConsumedTo)
	require.InDelta(t, int64(w.clientEnv().Clock.Wall())-records[4].StoredAt, first.DelayMillis, 100)
	require.Equal(t, proto.QueueTimeSpan{Queue: proto.Queue{Topic: "orders", BrokerName: "broker-a", QueueID: 1}}, spans("g", "orders")[1])
	require.Zero(t, spans("g", "bills")[1].DelayMillis, "nothing is left")
	fresh := spans("nobody", "orders")[0]
	require.Equal(t, records[0].StoredAt, fresh.ConsumedTo)
	require.Greater(t, fresh.DelayMillis, first.DelayMillis)
	w.refused(spanRequest("g", "nonesuch"), proto.RespTopicNotExist, "topic[nonesuch] not exist")
}

func TestToolsSeeWhoConsumesWhat(t *testing.T) {
	w := consumed(t)
	w.succeeds(heartbeat("one", "online", subscribed(subscription("orders", "red", 3), subscription("letters", "*", 1))))
	groups, err := proto.UnmarshalGroupList(w.succeeds(&transport.Request{
		Code: proto.ReqQueryTopicConsumeByWho, Header: &proto.QueryTopicConsumeByWho{Topic: "orders"}}).Body)
	require.NoError(t, err)
	require.Equal(t, []string{"g", "online"}, groups.Groups)
	topics := func(group string) []string {
		list, err := proto.UnmarshalTopicList(w.succeeds(&transport.Request{
			Code: proto.ReqQueryTopicsByConsumer, Header: &proto.QueryTopicsByConsumer{Group: group}}).Body)
		require.NoError(t, err)
		return list.Topics
	}
	require.Equal(t, []string{"bills", "orders"}, topics("g"))
	require.Equal(t, []string{"letters", "orders"}, topics("online"))
	require.Empty(t, topics("nobody"))
	subscriptionOf := func(group string) *proto.SubscriptionData {
		body, err := proto.UnmarshalGroupSubscription(w.succeeds(&transport.Request{
			Code: proto.ReqQuerySubscriptionByConsumer, Header: &proto.QuerySubscriptionByConsumer{Group: group, Topic: "orders"}}).Body)
		require.NoError(t, err)
		require.Equal(t, group, body.Group)
		require.Equal(t, "orders", body.Topic)
		return body.Subscription
	}
	require.Equal(t, "red", subscriptionOf("online").Expression)
	require.Nil(t, subscriptionOf("g"), "nobody is online")
	for code, field := range map[int32]string{
		proto.ReqQueryTopicConsumeByWho: "topic", proto.ReqQueryTopicsByConsumer: "group", proto.ReqQuerySubscriptionByConsumer: "group",
		proto.ReqQueryConsumeTimeSpan: "topic", proto.ReqCloneGroupOffset: "srcGroup", proto.ReqQueryCorrectionOffset: "compareGroup",
	} {
		w.refused(&transport.Request{Code: code}, proto.RespInvalidParameter, field)
	}
}

func TestAllOffsetsComeAsTheFileHasThem(t *testing.T) {
	w := consumed(t)
	w.pass(10 * time.Second)
	w.succeeds(commitRequest("g", "orders", 0, 5))
	table, err := proto.UnmarshalConsumerOffsetTable(w.succeeds(&transport.Request{Code: proto.ReqGetAllConsumerOffset}).Body)
	require.NoError(t, err)
	require.True(t, table.Version.Set)
	require.Equal(t, []proto.GroupOffsets{
		{Topic: "bills", Group: "g", Offsets: []proto.NumberedOffset{{Number: 1, Offset: 1}}},
		{Topic: "orders", Group: "g", Offsets: []proto.NumberedOffset{{Number: 0, Offset: 5}}},
	}, table.Entries, "with what is not saved yet")
	w.delayed("x", 2)
	w.pass(10 * time.Second)
	delays, err := proto.UnmarshalDelayOffsetTable(w.succeeds(&transport.Request{Code: proto.ReqGetAllDelayOffset}).Body)
	require.NoError(t, err)
	require.Len(t, delays.Levels, 18)
	require.Equal(t, proto.NumberedOffset{Number: 2, Offset: 1}, delays.Levels[1])
}

func cloneRequest(from, to, topic string, offline bool) *transport.Request {
	return &transport.Request{Code: proto.ReqCloneGroupOffset, Header: &proto.CloneGroupOffset{FromGroup: from, ToGroup: to, Topic: topic, Offline: offline}}
}

func TestAGroupGoesOnWhereAnotherOneIs(t *testing.T) {
	w := consumed(t)
	require.Equal(t, "offsets of 1 queues were cloned", w.succeeds(cloneRequest("g", "one", "orders", true)).Remark)
	w.committed("one", "orders", 0, "4")
	w.committed("one", "bills", 1, "")
	w.succeeds(cloneRequest("g", "all", "", true))
	w.committed("all", "bills", 1, "1")
	w.succeeds(heartbeat("x", "g", nil))
	w.succeeds(cloneRequest("g", "online", "", false))
	w.committed("online", "orders", 0, "4")
	w.committed("online", "bills", 1, "")
	w.succeeds(cloneRequest("g", "offline", "", true))
	w.committed("offline", "bills", 1, "1")
	require.Equal(t, "offsets of 0 queues were cloned", w.succeeds(cloneRequest("nobody", "all", "", true)).Remark)
	w.succeeds(cloneRequest("g", "g", "", true))
	w.committed("g", "orders", 0, "4")
	w.refused(cloneRequest("g", "a b", "", true), proto.RespSubscriptionGroupNotExist, "destGroup")
	w.restart(sim.PowerLoss)
	w.committed("all", "orders", 0, "4")
}

// TestAMemberHearsOfClonedOffsets: it does not overwrite them with where it was.
func TestAMemberHearsOfClonedOffsets(t *testing.T) {
	w := consumed(t)
	pull := func(from int64) *transport.Request {
		request := pullRequest("orders", 0, from, 0, "*")
		request.Header.(*proto.PullMessage).ConsumerGroup = "h"
		return request
	}
	w.succeeds(pull(8))
	w.succeeds(cloneRequest("g", "h", "orders", true))
	w.refused(commitRequest("h", "orders", 0, 9), proto.RespSystemError, "the offset was reset")
	moved := w.call(pull(9))
	require.EqualValues(t, proto.RespPullOffsetMoved, moved.Code)
	require.Equal(t, "4", moved.Fields.String("nextBeginOffset"))
	w.committed("h", "orders", 0, "4")
}

func correctionRequest(group string, ignored ...string) *transport.Request {
	return &transport.Request{Code: proto.ReqQueryCorrectionOffset, Header: &proto.QueryCorrectionOffset{Group: group, Topic: "orders", IgnoredGroups: ignored}}
}

func TestTheSmallestOffsetOfAllGroupsIsToldAndNothingIsDeleted(t *testing.T) {
	w := consumed(t)
	w.succeeds(commitRequest("h", "orders", 0, 7))
	w.succeeds(commitRequest("slow", "orders", 0, 2))
	of := func(request *transport.Request) int64 {
		body, err := proto.UnmarshalCorrectionOffsets(w.succeeds(request).Body)
		require.NoError(t, err)
		require.Len(t, body.Queues, 1)
		require.Zero(t, body.Queues[0].Number)
		return body.Queues[0].Offset
	}
	require.EqualValues(t, 2, of(correctionRequest("g")))
	require.EqualValues(t, 4, of(correctionRequest("h", "slow")))
	require.EqualValues(t, int64(math.MaxInt64), of(correctionRequest("slow", "slow")), "it is behind the others")
	require.EqualValues(t, 2, of(correctionRequest("nobody")))
	w.committed("slow", "orders", 0, "2")
}

// TestAGroupThatIsBehindTheQueueDoesNotHoldBackTheSmallestOffset: its messages are gone.
func TestAGroupThatIsBehindTheQueueDoesNotHoldBackTheSmallestOffset(t *testing.T) {
	w := prepareWorld(t)
	w.neverByItself(&w.options)
	w.start()
	w.fill("orders", 40)
	w.succeeds(commitRequest("slow", "orders", 0, 5))
	w.succeeds(commitRequest("h", "orders", 0, 38))
	w.pass(3 * time.Minute)
	w.succeeds(&transport.Request{Code: proto.ReqDeleteExpiredCommitLog})
	w.pass(time.Minute)
	first, _ := w.bounds("orders")
	require.Equal(t, "34", first)
	body, err := proto.UnmarshalCorrectionOffsets(w.succeeds(correctionRequest("h")).Body)
	require.NoError(t, err)
	require.Equal(t, []proto.NumberedOffset{{Number: 0, Offset: 38}}, body.Queues)
	stats := w.consumeStats(consumeStatsRequest("slow"))
	require.Zero(t, stats.Queues[0].ConsumedTo, "nobody knows when it was stored")
	response := w.succeeds(&transport.Request{Code: proto.ReqQueryConsumeTimeSpan, Header: &proto.QueryConsumeTimeSpan{Group: "slow", Topic: "orders"}})
	spans, err := proto.UnmarshalConsumeTimeSpans(response.Body)
	require.NoError(t, err)
	require.Equal(t, spans.Spans[0].Min, spans.Spans[0].ConsumedTo)
	require.InDelta(t, int64(w.clientEnv().Clock.Wall())-spans.Spans[0].Min, spans.Spans[0].DelayMillis, 100, "since the first that is left")
}

func TestToolsSeeOneTopic(t *testing.T) {
	w := newWorld(t)
	topicRequest := func(name string) *transport.Request {
		return &transport.Request{Code: proto.ReqGetTopicConfig, Header: &proto.GetTopicConfig{Topic: name}}
	}
	w.succeeds(updateTopicRequest("orders", func(h *proto.UpdateAndCreateTopic) { h.WriteQueues = 2 }))
	topic, err := proto.UnmarshalTopicConfigAndMapping(w.succeeds(topicRequest("orders")).Body)
	require.NoError(t, err)
	require.Equal(t, "orders", topic.Config.Name)
	require.EqualValues(t, 2, topic.Config.WriteQueues)
	w.refused(topicRequest("nonesuch"), proto.RespTopicNotExist, "no topic nonesuch in this broker")
	w.refused(&transport.Request{Code: proto.ReqGetTopicConfig}, proto.RespInvalidParameter, "topic")
}

func TestTheStatisticsOfATopicTellItsRate(t *testing.T) {
	w := newWorld(t)
	request := &transport.Request{Code: proto.ReqGetTopicStatsInfo, Header: &proto.GetTopicStatsInfo{Topic: "orders"}}
	w.succeeds(updateTopicRequest("orders", nil))
	require.Contains(t, string(w.succeeds(request).Body), `"topicPutTps":0`)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	table, err := proto.UnmarshalTopicStatsTable(w.succeeds(request).Body)
	require.NoError(t, err)
	require.InDelta(t, 0.1, table.PutPerSecond, 0.001)
}
