package namesrv

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

func TestTheFormOfARouteFollowsTheAsker(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	p.mustRegister(p.broker(0, "TBW102", "orders"))
	const (
		head   = `{"brokerDatas":[{"brokerAddrs":{`
		tail   = `:"10.0.0.2:10911"},"brokerName":"broker-a","cluster":"DefaultCluster","enableActingMaster":false}],"filterServerTable":{},"queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":8,"topicSysFlag":0,"writeQueueNums":8}]}`
		strict = head + `"0"` + tail
		loose  = head + `0` + tail
	)
	for _, asker := range []struct {
		version    int32
		strictOnly bool
		want       string
	}{
		{wire.V4_9_3, false, loose},
		{wire.V4_9_3, true, strict},
		{wire.V4_9_4, false, strict},
		{wire.HIGHER_VERSION, false, strict},
	} {
		p.version = asker.version
		body := p.mustAsk(proto.ReqGetRouteInfoByTopic, &proto.GetRouteInfoByTopic{Topic: "orders", AcceptStrictOnly: asker.strictOnly}, nil)
		require.Equal(t, asker.want, string(body), "version %d", asker.version)
	}
}

func TestOrderConfigIsPartOfRoutesIfSwitchedOn(t *testing.T) {
	w := newWorld(t, Options{Settings: Settings{OrderInRoutes: true}})
	p := w.peer()
	p.mustRegister(p.broker(0, "TBW102", "orders"))
	p.put(proto.OrderTopicNamespace, "orders", "broker-a:8")
	require.Equal(t, "broker-a:8", p.route("orders").OrderConfig)
	require.Empty(t, p.route("TBW102").OrderConfig)
	p.mustAsk(proto.ReqUpdateNameServerConfig, nil, []byte("orderMessageEnable=false"))
	require.Empty(t, p.route("orders").OrderConfig)
}

func TestRoutesAreHeldBackAfterTheStartIfSwitchedOn(t *testing.T) {
	w := newWorld(t, Options{Settings: Settings{HoldRoutes: true, HoldRoutesFor: 20 * time.Second}})
	p := w.peer()
	p.mustRegister(p.broker(0, "TBW102", "orders"))
	response := p.ask(proto.ReqGetRouteInfoByTopic, &proto.GetRouteInfoByTopic{Topic: "orders"}, nil)
	require.Equal(t, int32(proto.RespSystemError), response.Code)
	require.Contains(t, response.Remark, "name server not ready")
	w.wait(20 * time.Second)
	require.NotNil(t, p.route("orders"))
}

func TestAGroupWithoutAMasterIsNotShownAsWritable(t *testing.T) {
	for name, modern := range map[string]bool{"since 5.0": true, "before 5.0": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Options{Settings: Settings{ActingMasters: true}})
			master, slave, client := w.peer(), w.peer(), w.peer()
			for id, p := range []*peer{master, slave} {
				b := p.broker(int64(id), "TBW102", "orders")
				b.EnableActingMaster.Set = modern
				p.mustRegister(b)
			}
			require.Equal(t, proto.PermReadWrite, client.route("orders").Queues[0].Perm)
			master.machine.Crash(sim.KillProcess)
			w.wait(time.Second)
			route := client.route("orders")
			require.Equal(t, proto.PermRead, route.Queues[0].Perm)
			require.Equal(t, []proto.BrokerAddress{{ID: 1, Address: slave.address()}}, route.Brokers[0].Addresses)
			b := slave.broker(1, "TBW102", "orders")
			b.EnableActingMaster.Set = modern
			slave.mustRegister(b)
			require.Equal(t, proto.PermRead, client.route("orders").Queues[0].Perm, "a slave cannot make it writable")
			master.restart()
			master.mustRegister(master.broker(0, "TBW102", "orders"))
			require.Equal(t, proto.PermReadWrite, client.route("orders").Queues[0].Perm)
		})
	}
}

func TestTheSmallestSlaveIsShownAsMasterWhereThatIsAllowed(t *testing.T) {
	w := newWorld(t, Options{Settings: Settings{ActingMasters: true}})
	slave, client := w.peer(), w.peer()
	sync := proto.BrokerMemberTopic("broker-a")
	b := slave.broker(2, "orders", sync)
	b.EnableActingMaster = proto.Some(true)
	slave.mustRegister(b)
	acting := []proto.BrokerAddress{{ID: 0, Address: slave.address()}}
	truth := []proto.BrokerAddress{{ID: 2, Address: slave.address()}}
	require.Equal(t, acting, client.route("orders").Brokers[0].Addresses)
	require.Equal(t, truth, client.route(sync).Brokers[0].Addresses, "members look for each other by this topic")
	require.Equal(t, map[int64]string{2: slave.address()}, client.members())
	client.mustAsk(proto.ReqUpdateNameServerConfig, nil, []byte("supportActingMaster=false"))
	require.Equal(t, truth, client.route("orders").Brokers[0].Addresses)
}

func TestARouteCanBeLimitedToAZone(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	for i, zone := range []string{"east", "west", "south"} {
		b := p.broker(0, "TBW102", "orders")
		b.BrokerName, b.BrokerAddress, b.ZoneName = "broker-"+zone, []string{"10.0.0.2:1", "10.0.0.2:2", "10.0.0.2:3"}[i], zone
		if zone == "south" {
			b.BrokerID = 1 // it has no master, so nobody can do without it by choice
		}
		p.mustRegister(b)
	}
	ask := func(header proto.GetRouteInfoByTopic) (names []string) {
		header.Topic = "orders"
		route, err := proto.UnmarshalRoute(p.mustAsk(proto.ReqGetRouteInfoByTopic, &header, nil))
		require.NoError(t, err)
		require.Len(t, route.Queues, len(route.Brokers))
		for i := range route.Brokers {
			require.Equal(t, route.Brokers[i].BrokerName, route.Queues[i].BrokerName)
			names = append(names, route.Brokers[i].BrokerName)
		}
		return names
	}
	all := []string{"broker-east", "broker-south", "broker-west"}
	require.Equal(t, []string{"broker-east", "broker-south"}, ask(proto.GetRouteInfoByTopic{ZoneMode: true, ZoneName: "EAST"}))
	require.Equal(t, all, ask(proto.GetRouteInfoByTopic{ZoneName: "east"}), "the mode is off")
	require.Equal(t, all, ask(proto.GetRouteInfoByTopic{ZoneMode: true}), "no zone is named")
}

func TestStaticTopicsAndFilterServersAreInTheRoute(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	b := p.broker(0, "TBW102", "orders")
	mapping := proto.TopicMapping{Topic: "orders", Scope: "__global__", TotalQueues: 2, BrokerName: "broker-a", Epoch: 5,
		Current: []proto.QueueIDPair{{Logical: 0, Physical: 3}}}
	b.body.Table.Mappings = &proto.MappingTable{Infos: []proto.TopicMapping{mapping, {Topic: "unknown", BrokerName: "broker-a"}}}
	b.body.FilterServers = []string{"10.0.0.2:40000"}
	p.mustRegister(b)
	route := p.route("orders")
	require.Equal(t, []proto.TopicMapping{mapping}, route.Mappings)
	require.Equal(t, map[string][]string{p.address(): {"10.0.0.2:40000"}}, route.FilterServers)
	require.Nil(t, p.route("unknown"), "a mapping alone is no topic")
}

func TestClusterInfoListsAllBrokers(t *testing.T) {
	w := newWorld(t, Options{})
	master, slave, other := w.peer(), w.peer(), w.peer()
	master.mustRegister(master.broker(0, "TBW102", "orders"))
	slave.mustRegister(slave.broker(1, "TBW102", "orders"))
	b := other.broker(0, "TBW102", "orders")
	b.ClusterName, b.BrokerName = "Another", "broker-b"
	other.mustRegister(b)
	require.Equal(t, `{"brokerAddrTable":{`+
		`"broker-a":{"brokerAddrs":{0:"10.0.0.2:10911",1:"10.0.0.3:10911"},"brokerName":"broker-a","cluster":"DefaultCluster","enableActingMaster":false},`+
		`"broker-b":{"brokerAddrs":{0:"10.0.0.4:10911"},"brokerName":"broker-b","cluster":"Another","enableActingMaster":false}},`+
		`"clusterAddrTable":{"Another":["broker-b"],"DefaultCluster":["broker-a"]}}`,
		string(master.mustAsk(proto.ReqGetBrokerClusterInfo, nil, nil)))
	require.Equal(t, map[int64]string{0: master.address(), 1: slave.address()}, other.members())
}
