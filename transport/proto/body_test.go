package proto

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gantrymq/gantry/transport/wire"
)

func sampleRoute() *Route {
	return &Route{
		Brokers: []BrokerRoute{{
			Cluster: "DefaultCluster", BrokerName: "broker-a",
			Addresses: []BrokerAddress{{0, "10.0.0.1:10911"}, {1, "10.0.0.2:10911"}},
		}},
		Queues: []QueueRoute{{BrokerName: "broker-a", ReadQueues: 8, WriteQueues: 8, Perm: PermReadWrite}},
	}
}

const strictRoute = `{"brokerDatas":[{"brokerAddrs":{"0":"10.0.0.1:10911","1":"10.0.0.2:10911"},"brokerName":"broker-a",` +
	`"cluster":"DefaultCluster","enableActingMaster":false}],"filterServerTable":{},` +
	`"queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":8,"topicSysFlag":0,"writeQueueNums":8}]}`

func TestRouteIsWrittenInTheFormOfTheAsker(t *testing.T) {
	fastjson := strings.NewReplacer(`"0":`, `0:`, `"1":`, `1:`).Replace(strictRoute)
	for _, c := range []struct {
		who     string
		version int32
		strict  bool
		want    string
	}{
		{"Java 4.9.4", wire.V4_9_4, false, strictRoute},
		{"Java 5.3.2", wire.V5_3_2, false, strictRoute},
		{"Java 4.9.3", wire.V4_9_3, false, fastjson},
		{"Go", 317, false, fastjson},
		{"C++", 333, false, fastjson},
		{"ali-ons", 121, false, fastjson},
		{"anybody who says so", 121, true, strictRoute},
	} {
		require.Equal(t, c.want, string(sampleRoute().Marshal(RouteForm(c.version, c.strict))), c.who)
	}
}

func TestRouteIsReadInEitherForm(t *testing.T) {
	want := sampleRoute()
	want.FilterServers = map[string][]string{}
	for _, form := range []Form{FormFastJSON, FormStrict} {
		got, err := UnmarshalRoute(want.Marshal(form))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestRouteCarriesOrderConfigurationZonesAndMappings(t *testing.T) {
	want := sampleRoute()
	want.OrderConfig = "broker-a:8"
	want.FilterServers = map[string][]string{"10.0.0.1:10911": {"10.0.0.1:1"}}
	want.Brokers[0].EnableActingMaster, want.Brokers[0].ZoneName = true, "zone-1"
	want.Mappings = []TopicMapping{{
		Topic: "T", Scope: "__global__", TotalQueues: 8, BrokerName: "broker-a", Epoch: 1<<53 + 1, Dirty: true,
		Current: []QueueIDPair{{0, 3}, {1, 4}},
	}}
	for _, form := range []Form{FormFastJSON, FormStrict} {
		got, err := UnmarshalRoute(want.Marshal(form))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	strict := string(want.Marshal(FormStrict))
	require.Contains(t, strict, `"topicQueueMappingByBroker":{"broker-a":{"bname":"broker-a","currIdMap":{"0":3,"1":4},"dirty":true,`+
		`"epoch":"9007199254740993","scope":"__global__","topic":"T","totalQueues":8}}`, "beyond 2^53 it is a string")
	require.True(t, json.Valid([]byte(strict)))
	require.Contains(t, string(want.Marshal(FormFastJSON)), `"currIdMap":{0:3,1:4},"dirty":true,"epoch":9007199254740993,`)
}

func TestStrictFormEscapesWhatIsNotASCII(t *testing.T) {
	route := Route{OrderConfig: "订😀\x01\t\"\\"}
	require.Contains(t, string(route.Marshal(FormStrict)), `"orderTopicConf":"\u8ba2\ud83d\ude00\u0001\t\"\\"`)
	require.Contains(t, string(route.Marshal(FormFastJSON)), `"orderTopicConf":"订😀\u0001\t\"\\"`)
}

func TestRouteOfOldBrokersSpellsTheFlagsDifferently(t *testing.T) {
	route, err := UnmarshalRoute([]byte(`{"queueDatas":[{"brokerName":"b","perm":6,"topicSynFlag":2}]}`))
	require.NoError(t, err)
	require.Equal(t, []QueueRoute{{BrokerName: "b", Perm: 6, SysFlags: TopicUnitSubscription}}, route.Queues)
}

func TestRouteFindsItsBrokers(t *testing.T) {
	route := sampleRoute()
	master, ok := route.Broker("broker-a").Master()
	require.True(t, ok)
	require.Equal(t, "10.0.0.1:10911", master)
	_, ok = route.Broker("broker-a").Address(2)
	require.False(t, ok)
	require.Nil(t, route.Broker("broker-b"))
	require.Equal(t, "route to broker-a r8 w8 RW-", route.String())
	require.Equal(t, "DefaultCluster/broker-a 0=10.0.0.1:10911 1=10.0.0.2:10911", route.Brokers[0].String())
}

func TestClusterInfoKeepsBareKeys(t *testing.T) {
	const golden = `{"brokerAddrTable":{"broker-a":{"brokerAddrs":{0:"10.0.0.1:10911"},"brokerName":"broker-a",` +
		`"cluster":"DefaultCluster","enableActingMaster":false}},"clusterAddrTable":{"DefaultCluster":["broker-a"]}}`
	info, err := UnmarshalClusterInfo([]byte(golden))
	require.NoError(t, err)
	require.Equal(t, &ClusterInfo{
		Brokers: []BrokerRoute{{
			Cluster: "DefaultCluster", BrokerName: "broker-a", Addresses: []BrokerAddress{{MasterID, "10.0.0.1:10911"}},
		}},
		Clusters: []Cluster{{Name: "DefaultCluster", BrokerNames: []string{"broker-a"}}},
	}, info)
	require.Equal(t, golden, string(info.Marshal()))
	require.Equal(t, "1 clusters, 1 broker names", info.String())
}

func TestBrokerMemberGroupKeepsBareKeys(t *testing.T) {
	const golden = `{"brokerMemberGroup":{"brokerAddrs":{0:"a:1",2:"b:1"},"brokerName":"n","cluster":"c"}}`
	group, err := UnmarshalBrokerMemberGroup([]byte(golden))
	require.NoError(t, err)
	require.Equal(t, &BrokerMemberGroup{Cluster: "c", BrokerName: "n", Addresses: []BrokerAddress{{0, "a:1"}, {2, "b:1"}}}, group)
	require.Equal(t, golden, string(group.Marshal()))
}

func TestListsAndTablesReadWhatTheyWrite(t *testing.T) {
	const topics = `{"brokerAddr":"10.0.0.1:10911","topicList":["T","订单"]}`
	list, err := UnmarshalTopicList([]byte(topics))
	require.NoError(t, err)
	require.Equal(t, &TopicList{Topics: []string{"T", "订单"}, BrokerAddress: "10.0.0.1:10911"}, list)
	require.Equal(t, topics, string(list.Marshal()))
	require.Equal(t, `{"topicList":[]}`, string((&TopicList{}).Marshal()))

	const members = `{"consumerIdList":["10.0.0.5@1","10.0.0.6@1"]}`
	consumers, err := UnmarshalConsumerList([]byte(members))
	require.NoError(t, err)
	require.Equal(t, []string{"10.0.0.5@1", "10.0.0.6@1"}, consumers.ClientIDs)
	require.Equal(t, members, string(consumers.Marshal()))

	const table = `{"table":{"a":"1","b":"x y"}}`
	values, err := UnmarshalKVTable([]byte(table))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "1", "b": "x y"}, values.Table)
	require.Equal(t, table, string(values.Marshal()))

	loose, err := UnmarshalKVTable([]byte(`{table:{a:1,b:true,c:null}}`))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "1", "b": "true"}, loose.Table)
}

func TestTopicStatsHaveQueuesAsKeys(t *testing.T) {
	const golden = `{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:{"lastUpdateTimestamp":1700000000000,"maxOffset":10,"minOffset":0},` +
		`{"brokerName":"b","queueId":1,"topic":"T"}:{"lastUpdateTimestamp":0,"maxOffset":0,"minOffset":0}},"topicPutTps":0.0}`
	want := &TopicStatsTable{Queues: []QueueStats{
		{Queue: Queue{"T", "b", 0}, Max: 10, UpdatedAt: 1700000000000}, {Queue: Queue{"T", "b", 1}},
	}}
	table, err := UnmarshalTopicStatsTable([]byte(golden))
	require.NoError(t, err)
	require.Equal(t, want, table)
	require.Equal(t, golden, string(table.Marshal(FormFastJSON)))

	strict := table.Marshal(FormStrict)
	require.True(t, json.Valid(strict))
	require.Contains(t, string(strict), `"{\"brokerName\":\"b\",\"queueId\":0,\"topic\":\"T\"}":`)
	table, err = UnmarshalTopicStatsTable(strict)
	require.NoError(t, err)
	require.Equal(t, want, table)
	require.Equal(t, "2 queues, 0.0 messages a second", table.String())
	require.Equal(t, "T@b:0 [0, 10)", table.Queues[0].String())
}

func TestRatesAreWrittenAsJavaDoes(t *testing.T) {
	for rate, want := range map[float64]string{0: "0.0", 12: "12.0", 0.25: "0.25", 1e6: "1000000.0", 1e7: "1.0E7", 1234567890.5: "1.2345678905E9", 1e-3: "0.001", 9.9e-4: "9.9E-4", 1e-7: "1.0E-7", -1e21: "-1.0E21", 1.0 / 3: "0.3333333333333333"} {
		require.Contains(t, string((&TopicStatsTable{PutPerSecond: rate}).Marshal(FormFastJSON)), `"topicPutTps":`+want+`}`)
	}
	require.Contains(t, string((&TopicStatsTable{PutPerSecond: math.NaN()}).Marshal(FormFastJSON)), `"topicPutTps":null}`)
}

func TestResetOffsetsSuitTheirReader(t *testing.T) {
	offsets := &ResetOffsets{Offsets: []QueueOffset{{Queue{"T", "b", 0}, 100}, {Queue{"T", "b", 1}, 7}}}
	const byQueue = `{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:100,{"brokerName":"b","queueId":1,"topic":"T"}:7}}`
	const records = `{"offsetTable":[{"brokerName":"b","offset":100,"queueId":0,"topic":"T"},{"brokerName":"b","offset":7,"queueId":1,"topic":"T"}]}`
	require.Equal(t, byQueue, string(offsets.Marshal(wire.LanguageJava)))
	require.Equal(t, byQueue, string(offsets.Marshal(wire.LanguageGo)))
	require.Equal(t, records, string(offsets.Marshal(wire.LanguageCPP)))
	for _, body := range []string{
		byQueue, records,
		`{"offsetTable":{"{\"brokerName\":\"b\",\"queueId\":0,\"topic\":\"T\"}":100,"{\"brokerName\":\"b\",\"queueId\":1,\"topic\":\"T\"}":"7"}}`,
		`{"offsetTable":[[{"brokerName":"b","queueId":1,"topic":"T"},7],[{"brokerName":"b","queueId":0,"topic":"T"},100]]}`,
	} {
		got, err := UnmarshalResetOffsets([]byte(body))
		require.NoError(t, err, body)
		require.Equal(t, offsets, got, body)
	}
	_, err := UnmarshalResetOffsets([]byte(`{"offsetTable":[[1]]}`))
	require.ErrorIs(t, err, ErrBody)
	_, err = UnmarshalResetOffsets([]byte(`{"offsetTable":{"T":1}}`))
	require.ErrorIs(t, err, ErrBody)
}

func TestQueuesAreOrderedByTopicBrokerAndID(t *testing.T) {
	for _, c := range []struct {
		a, b Queue
		want int
	}{
		{Queue{"A", "z", 9}, Queue{"B", "a", 0}, -1},
		{Queue{"A", "b", 0}, Queue{"A", "a", 9}, 1},
		{Queue{"A", "a", 2}, Queue{"A", "a", 10}, -1},
		{Queue{"A", "a", 2}, Queue{"A", "a", 2}, 0},
	} {
		require.Equal(t, c.want, c.a.Compare(c.b))
	}
	require.Equal(t, "A@a:2", Queue{"A", "a", 2}.String())
}

func TestBodiesThatCannotBeReadSayWhich(t *testing.T) {
	_, err := UnmarshalRoute([]byte(`{"queueDatas":[{"perm":"six"}]}`))
	require.ErrorIs(t, err, ErrBody)
	require.ErrorContains(t, err, `TopicRouteData: "six" is not a decimal number of 64 bits`)
	_, err = UnmarshalRoute([]byte(`{"queueDatas":[{"perm":4294967296}]}`))
	require.ErrorContains(t, err, `4294967296 is not a decimal number of 32 bits`)
	_, err = UnmarshalTopicList([]byte(`{"topicList":`))
	require.ErrorIs(t, err, ErrBody)
	require.ErrorIs(t, err, ErrJSON)
	require.ErrorContains(t, err, "TopicList")
	_, err = UnmarshalHeartbeatData([]byte(`{"withoutSub":"maybe"}`))
	require.ErrorContains(t, err, `"maybe" is not a boolean`)
	_, err = UnmarshalTopicStatsTable([]byte(`{"topicPutTps":"fast"}`))
	require.ErrorContains(t, err, `"fast" is not a number`)
}

func TestLooseNumbersTakeWhatScriptsWrite(t *testing.T) {
	for text, want := range map[string]int64{`5`: 5, `"5"`: 5, `5.0`: 5, `1e3`: 1000, `"1e3"`: 1000, `null`: 9, `""`: 9} {
		n := looseInt64(9)
		require.NoError(t, json.Unmarshal([]byte(text), &n), text)
		require.Equal(t, want, int64(n), text)
	}
	for _, text := range []string{`1.5`, `1e99`, `true`, `{}`, `"x"`} {
		var n looseInt64
		require.Error(t, json.Unmarshal([]byte(text), &n), text)
	}
}

func TestDataVersionsCountChanges(t *testing.T) {
	v := DataVersion{StateVersion: 2, Timestamp: 1, Counter: 3}
	require.Equal(t, DataVersion{StateVersion: 2, Timestamp: 50, Counter: 4}, v.Next(50))
	require.Equal(t, `{"counter":3,"stateVersion":2,"timestamp":1}`, string(v.Marshal()))
	read, err := UnmarshalDataVersion([]byte(`{"counter":3,"timestamp":1}`))
	require.NoError(t, err)
	require.Equal(t, DataVersion{Timestamp: 1, Counter: 3}, read, "before 5.0 there is no state version")
	require.Equal(t, "version 2/1/3", v.String())
}

// randomTexts are texts that need escapes now and then.
var randomTexts = rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-zA-Z0-9_%|-]{1,12}`))

func TestQuotedTextsAreReadBack(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text := randomTexts.Draw(r, "text")
		for _, ascii := range []bool{false, true} {
			quoted := appendQuoted(nil, text, ascii)
			var read string
			require.NoError(r, json.Unmarshal(quoted, &read))
			require.Equal(r, text, read)
		}
	})
}
