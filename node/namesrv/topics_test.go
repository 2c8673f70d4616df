package namesrv

import (
	"testing"

	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// topics asks for a list of topics.
func (p *peer) topics(code int32, header proto.HeaderEncoder) []string {
	p.t.Helper()
	list, err := proto.UnmarshalTopicList(p.mustAsk(code, header, nil))
	require.NoError(p.t, err)
	return list.Topics
}

func (p *peer) allTopics() []string {
	p.t.Helper()
	return p.topics(proto.ReqGetAllTopicListFromNameServer, nil)
}

func TestTopicsAreListedByClusterAndFlags(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	b := p.broker(0, "plain", "unit", "subscribed", "both")
	topics := b.body.Table.Topics
	topics[1].SysFlags, topics[2].SysFlags, topics[3].SysFlags = 1, 2, 3
	p.mustRegister(b)
	b = p.broker(0, "plain", "elsewhere")
	b.ClusterName, b.BrokerName, b.BrokerAddress = "Another", "broker-b", "10.0.0.2:20911"
	p.mustRegister(b)

	require.Equal(t, []string{"both", "elsewhere", "plain", "subscribed", "unit"}, p.allTopics())
	require.Equal(t, []string{"elsewhere", "plain"}, p.topics(proto.ReqGetTopicsByCluster, &proto.GetTopicsByCluster{Cluster: "Another"}))
	require.Empty(t, p.topics(proto.ReqGetTopicsByCluster, &proto.GetTopicsByCluster{Cluster: "unknown"}))
	require.Equal(t, []string{"both", "unit"}, p.topics(proto.ReqGetUnitTopicList, nil))
	require.Equal(t, []string{"both", "subscribed"}, p.topics(proto.ReqGetHasUnitSubscriptionTopicList, nil))
	require.Equal(t, []string{"subscribed"}, p.topics(proto.ReqGetHasUnitSubscriptionNonUnitTopicList, nil))
}

func TestSystemTopicsBearTheNamesOfClustersAndBrokers(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	require.JSONEq(t, `{"topicList":[]}`, string(p.mustAsk(proto.ReqGetSystemTopicListFromNameServer, nil, nil)))
	b := p.broker(1, "TBW102", "orders")
	p.mustRegister(b)
	require.JSONEq(t, `{"brokerAddr":"10.0.0.2:10911","topicList":["DefaultCluster","broker-a"]}`,
		string(p.mustAsk(proto.ReqGetSystemTopicListFromNameServer, nil, nil)), "a slave is better than nobody")
	b.BrokerName, b.BrokerAddress, b.BrokerID = "broker-b", "10.0.0.2:20911", 0
	p.mustRegister(b)
	require.JSONEq(t, `{"brokerAddr":"10.0.0.2:20911","topicList":["DefaultCluster","broker-a","broker-b"]}`,
		string(p.mustAsk(proto.ReqGetSystemTopicListFromNameServer, nil, nil)))
}

func TestListsCanBeSwitchedOff(t *testing.T) {
	w := newWorld(t, Options{Settings: Settings{NoAllTopicList: true, NoTopicLists: true}})
	p := w.peer()
	for _, code := range []int32{
		proto.ReqGetAllTopicListFromNameServer, proto.ReqGetTopicsByCluster, proto.ReqGetUnitTopicList,
		proto.ReqGetHasUnitSubscriptionTopicList, proto.ReqGetHasUnitSubscriptionNonUnitTopicList,
	} {
		response := p.ask(code, &proto.GetTopicsByCluster{Cluster: "c"}, nil)
		require.Equal(t, int32(proto.RespSystemError), response.Code)
		require.Contains(t, response.Remark, "disable")
	}
}

func TestATopicIsDeletedInOneClusterOrInAll(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	p.mustRegister(p.broker(0, "TBW102", "orders"))
	b := p.broker(0, "TBW102", "orders")
	b.ClusterName, b.BrokerName, b.BrokerAddress = "Another", "broker-b", "10.0.0.2:20911"
	p.mustRegister(b)
	p.mustAsk(proto.ReqDeleteTopicInNameServer, &proto.DeleteTopicInNameServer{Topic: "orders", ClusterName: "Another"}, nil)
	require.Len(t, p.route("orders").Queues, 1)
	p.mustAsk(proto.ReqDeleteTopicInNameServer, &proto.DeleteTopicInNameServer{Topic: "orders"}, nil)
	require.Nil(t, p.route("orders"))
	require.Equal(t, []string{"TBW102"}, p.allTopics())
	p.mustAsk(proto.ReqDeleteTopicInNameServer, &proto.DeleteTopicInNameServer{Topic: "orders"}, nil)
	p.mustRegister(b)
	require.Len(t, p.route("orders").Queues, 1, "a broker that still has it brings it back")
}

func TestOneTopicIsRegisteredForKnownBrokersOrNotAtAll(t *testing.T) {
	w := newWorld(t, Options{Limits: Limits{TopicsPerBroker: 3}})
	p := w.peer()
	p.mustRegister(p.broker(0, "TBW102", "orders"))
	add := func(topic string, names ...string) string {
		var route proto.Route
		for _, name := range names {
			route.Queues = append(route.Queues, proto.QueueRoute{BrokerName: name, ReadQueues: 4, WriteQueues: 4, Perm: proto.PermReadWrite})
		}
		return p.ask(proto.ReqRegisterTopicInNameServer, &proto.RegisterTopicInNameServer{Topic: topic}, route.Marshal(proto.FormFastJSON)).Remark
	}
	require.Empty(t, add("payments", "broker-a"))
	require.Equal(t, int32(4), p.route("payments").Queues[0].ReadQueues)
	require.Contains(t, add("refunds", "broker-b"), `"broker-b" is not known here`)
	require.Contains(t, add("payments", "broker-a", "broker-b"), `"broker-b" is not known here`)
	require.Contains(t, add("refunds", "broker-a"), "limit")
	require.Contains(t, add("", "broker-a"), "limit")
	require.Empty(t, add("payments"), "no queues, no change")
	require.Len(t, p.route("payments").Queues, 1)
	require.Nil(t, p.route("refunds"))
}

func TestAFullRegistrationDropsMissingTopicsIfSwitchedOn(t *testing.T) {
	w := newWorld(t, Options{Settings: Settings{DropMissingTopics: true}})
	p := w.peer()
	p.mustRegister(p.broker(0, "TBW102", "orders", "payments"))
	p.mustRegister(p.broker(0, "orders"))
	require.Equal(t, []string{"TBW102", "orders", "payments"}, p.allTopics(), "an update of one topic drops nothing")
	p.mustRegister(p.broker(0))
	require.Len(t, p.allTopics(), 3, "a registration without topics says nothing of them")
	p.mustRegister(p.broker(0, "TBW102", "orders"))
	require.Equal(t, []string{"TBW102", "orders"}, p.allTopics())
}
