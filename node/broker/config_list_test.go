package broker_test

import (
	"testing"

	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func topicsRequest(topics ...proto.TopicConfig) *transport.Request {
	return &transport.Request{Code: proto.ReqUpdateAndCreateTopicList, Body: (&proto.TopicConfigList{Topics: topics}).Marshal()}
}

func TestSeveralTopicsAreMadeAndChangedAtOnce(t *testing.T) {
	w := newWorld(t)
	first, second := proto.NewTopicConfig("orders"), proto.NewTopicConfig("bills")
	first.Attributes, first.ReadQueues, first.WriteQueues = map[string]string{"+message.type": "FIFO"}, 3, 2
	second.Ordered, second.SysFlags = true, proto.TopicUnit
	w.succeeds(topicsRequest(first, second))
	w.restart(sim.PowerLoss)
	require.EqualValues(t, 3, w.topicTable()["orders"].ReadQueues)
	require.EqualValues(t, 2, w.topicTable()["orders"].WriteQueues)
	require.Equal(t, map[string]string{"message.type": "FIFO"}, w.topicTable()["orders"].Attributes)
	require.True(t, w.topicTable()["bills"].Ordered)
	require.Equal(t, proto.TopicUnit, w.topicTable()["bills"].SysFlags)
	first.Attributes = map[string]string{"-message.type": ""}
	w.succeeds(topicsRequest(first))
	require.Empty(t, w.topicTable()["orders"].Attributes)
}

func TestOneTopicThatCannotBeRefusesTheWholeList(t *testing.T) {
	w := newWorld(t)
	good, bad := proto.NewTopicConfig("orders"), proto.NewTopicConfig("or ders")
	w.refused(topicsRequest(good, bad), proto.RespInvalidParameter, "or ders")
	w.refused(topicsRequest(good, proto.NewTopicConfig(proto.DelayTopic)), proto.RespInvalidParameter, "conflict with system topic")
	w.refused(&transport.Request{Code: proto.ReqUpdateAndCreateTopicList, Body: []byte("[")}, proto.RespInvalidParameter, "CreateTopicListRequestBody")
	require.NotContains(t, w.topicTable(), "orders")
	bad = proto.NewTopicConfig("bills")
	bad.Attributes = map[string]string{"-message.type": ""}
	w.refused(topicsRequest(bad), proto.RespSystemError, "attributes")
	w.succeeds(topicsRequest())
}

func groupsRequest(groups ...proto.SubscriptionGroupConfig) *transport.Request {
	return &transport.Request{Code: proto.ReqUpdateAndCreateSubscriptionGroupList, Body: (&proto.GroupConfigList{Groups: groups}).Marshal()}
}

func TestSeveralGroupsAreMadeAndChangedAtOnce(t *testing.T) {
	w := newWorld(t)
	first, second := proto.NewSubscriptionGroupConfig("g"), proto.NewSubscriptionGroupConfig("h")
	first.RetryQueues, second.Consume = 3, false
	w.succeeds(groupsRequest(first, second))
	w.restart(sim.PowerLoss)
	require.Equal(t, first, w.group("g"))
	require.Equal(t, second, w.group("h"))
	w.refused(groupsRequest(proto.NewSubscriptionGroupConfig("i"), proto.NewSubscriptionGroupConfig("i i")), proto.RespSystemError, "group name")
	w.refused(groupRequest("i"), proto.RespSubscriptionGroupNotExist, "no group i")
	w.refused(&transport.Request{Code: proto.ReqUpdateAndCreateSubscriptionGroupList, Body: []byte("[")}, proto.RespSystemError, "SubscriptionGroupList")
}

func TestToolsSeeTheSystemTopicsOfABroker(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	list, err := proto.UnmarshalTopicList(w.succeeds(&transport.Request{Code: proto.ReqGetSystemTopicListFromBroker}).Body)
	require.NoError(t, err)
	require.Equal(t, []string{
		"BenchmarkTest", "DefaultCluster", "DefaultCluster_REPLY_TOPIC", "OFFSET_MOVED_EVENT", "RMQ_SYS_TRANS_HALF_TOPIC", "RMQ_SYS_TRANS_OP_HALF_TOPIC",
		"SCHEDULE_TOPIC_XXXX", "SELF_TEST_TOPIC", "TBW102", "TRANS_CHECK_MAX_TIME_TOPIC", "broker-a", "rmq_sys_wheel_timer",
	}, list.Topics)
}
