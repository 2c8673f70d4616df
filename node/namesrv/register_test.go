package namesrv

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

func TestARegisteredBrokerIsFoundByItsTopics(t *testing.T) {
	w := newWorld(t, Options{})
	master, client := w.peer(), w.peer()
	response := master.mustRegister(master.broker(0, "TBW102", "orders"))
	require.Empty(t, response.Body, "there is no order config")
	route := client.route("orders")
	require.Equal(t, &proto.Route{
		Queues:        []proto.QueueRoute{{BrokerName: "broker-a", ReadQueues: 8, WriteQueues: 8, Perm: proto.PermReadWrite}},
		Brokers:       []proto.BrokerRoute{{Cluster: "DefaultCluster", BrokerName: "broker-a", Addresses: []proto.BrokerAddress{{ID: 0, Address: "10.0.0.2:10911"}}}},
		FilterServers: map[string][]string{},
	}, route)
	require.Nil(t, client.route("payments"), "nobody has that topic")
}

func TestASlaveIsToldWhereItsMasterIs(t *testing.T) {
	w := newWorld(t, Options{})
	master, slave := w.peer(), w.peer()
	var header proto.RegisterBrokerResponse
	require.NoError(t, header.DecodeFields(master.mustRegister(master.broker(0, "TBW102", "orders")).Fields))
	require.Equal(t, proto.RegisterBrokerResponse{}, header, "a master needs no master")
	require.NoError(t, header.DecodeFields(slave.mustRegister(slave.broker(1, "TBW102", "orders")).Fields))
	require.Equal(t, proto.RegisterBrokerResponse{HAAddress: master.haAddress(), MasterAddress: master.address()}, header)
}

func TestEveryFormOfTheBodyIsRead(t *testing.T) {
	plain := func(b *broker) []byte { return b.body.Marshal() }
	packed := func(b *broker) []byte { return b.body.MarshalPacked(wire.OwnVersion) }
	for _, form := range []struct {
		name       string
		body       func(*broker) []byte
		version    int32
		compressed bool
	}{
		{"plain", plain, wire.OwnVersion, false},
		{"packed", packed, wire.OwnVersion, true},
		{"packed, and the header does not say so", packed, wire.OwnVersion, false},
		{"packed without mappings, as before 5.0", func(b *broker) []byte { return b.body.MarshalPacked(wire.V4_9_4) }, wire.V4_9_4, true},
		{"bare topic table, as before 3.0.11", func(b *broker) []byte { return b.body.Table.Marshal() }, wire.V3_0_11 - 1, false},
	} {
		t.Run(form.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			p := w.peer()
			p.version = form.version
			b := p.broker(0, "TBW102", "orders")
			b.Compressed = form.compressed
			body := form.body(b)
			b.BodyChecksum = proto.BodyChecksum(body)
			p.mustAsk(proto.ReqRegisterBroker, &b.RegisterBroker, body)
			require.Equal(t, int32(8), p.route("orders").Queues[0].ReadQueues)
		})
	}
}

func TestALargeRegistrationIsDecodedBesideOtherWork(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	b := p.broker(0)
	for i := range 2000 {
		b.add(fmt.Sprintf("topic-%d", i), 4)
	}
	require.Greater(t, len(b.body.Marshal()), offloadFrom)
	p.mustRegister(b)
	require.NotNil(t, p.route("topic-1999"))
	require.Equal(t, 2000, w.server.Status().Topics)
}

func TestAnAbsentBodyRegistersABrokerWithoutTopics(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	p.mustAsk(proto.ReqRegisterBroker, &p.broker(0).RegisterBroker, nil)
	require.Equal(t, map[int64]string{0: p.address()}, p.members())
}

func TestADamagedBodyIsRefused(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	b := p.broker(0, "TBW102", "orders")
	body := b.body.Marshal()
	b.BodyChecksum = proto.BodyChecksum(body) ^ 1
	response := p.ask(proto.ReqRegisterBroker, &b.RegisterBroker, body)
	require.Equal(t, int32(proto.RespSystemError), response.Code)
	require.Equal(t, "crc32 not match", response.Remark)
	b.BodyChecksum = 0
	p.mustAsk(proto.ReqRegisterBroker, &b.RegisterBroker, body)
}

func TestUnusableRegistrationsAreRefusedWithTheReason(t *testing.T) {
	for _, fault := range []struct {
		spoil func(*broker)
		says  string
	}{
		{func(b *broker) { b.BrokerName = "" }, "brokerName is empty"},
		{func(b *broker) { b.ClusterName = "" }, "clusterName is empty"},
		{func(b *broker) { b.BrokerID = -1 }, "brokerId is -1"},
		{func(b *broker) { b.BrokerAddress = "10.0.0.2" }, "has no port"},
		{func(b *broker) { b.BrokerAddress = "a,b:10911" }, "is not host:port"},
		{func(b *broker) { b.BrokerAddress = "host:0" }, "is not host:port"},
		{func(b *broker) { b.body.Table.Topics = b.body.Table.Topics[:1] }, "register broker failed"},
		{func(b *broker) { b.add("one topic too many", 1) }, "the limit is 3"},
		{func(b *broker) { b.ZoneName = string(make([]byte, 2000)) }, "the limit is 1024"},
	} {
		w := newWorld(t, Options{Limits: Limits{TopicsPerBroker: 3}})
		p := w.peer()
		b := p.broker(0, "TBW102", "orders", "payments")
		fault.spoil(b)
		response := p.register(b)
		require.Equal(t, int32(proto.RespSystemError), response.Code)
		require.Contains(t, response.Remark, fault.says)
		require.Empty(t, w.server.Status().Brokers)
	}
}

func TestAMissingFieldIsNamed(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	for _, code := range []int32{
		proto.ReqRegisterBroker, proto.ReqUnregisterBroker, proto.ReqQueryDataVersion, proto.ReqBrokerHeartbeat, proto.ReqRegisterTopicInNameServer,
		proto.ReqGetRouteInfoByTopic, proto.ReqGetBrokerMemberGroup, proto.ReqGetTopicsByCluster, proto.ReqDeleteTopicInNameServer,
		proto.ReqPutKVConfig, proto.ReqGetKVConfig, proto.ReqDeleteKVConfig, proto.ReqGetKVListByNamespace,
		proto.ReqWipeWritePermOfBroker, proto.ReqAddWritePermOfBroker,
	} {
		response := p.ask(code, nil, nil)
		require.Equal(t, int32(proto.RespSystemError), response.Code, proto.RequestName(code))
		require.Contains(t, response.Remark, "is missing", proto.RequestName(code))
	}
}

func TestABrokerThatLeavesTakesItsTopicsAlong(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	p.mustRegister(p.broker(0, "TBW102", "orders"))
	leave := &proto.UnregisterBroker{BrokerName: "broker-a", BrokerAddress: p.address(), ClusterName: "DefaultCluster"}
	p.mustAsk(proto.ReqUnregisterBroker, leave, nil)
	require.Nil(t, p.route("orders"))
	require.Empty(t, p.members())
	p.mustAsk(proto.ReqUnregisterBroker, leave, nil)
	require.Equal(t, uint64(1), w.server.Status().Counts.Unregistrations)
}

func TestALateUnregistrationDoesNotRemoveANewerRegistration(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	p.mustRegister(p.broker(0, "TBW102", "orders"))
	old := p.client
	p.reconnect()
	p.mustRegister(p.broker(0, "TBW102", "orders"))
	p.client = old
	p.mustAsk(proto.ReqUnregisterBroker, &proto.UnregisterBroker{
		BrokerName: "broker-a", BrokerAddress: p.address(), ClusterName: "DefaultCluster"}, nil)
	require.NotNil(t, p.route("orders"))
	require.Equal(t, map[int64]string{0: p.address()}, p.members())
}

func TestALateRegistrationOverAnOldConnectionIsRefused(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	p.mustRegister(p.broker(0, "TBW102", "orders"))
	old := p.client
	p.reconnect()
	p.mustRegister(p.broker(0, "TBW102", "payments"))
	p.client = old
	response := p.register(p.broker(0, "TBW102", "orders"))
	require.Equal(t, int32(proto.RespSystemError), response.Code)
	require.Contains(t, response.Remark, "came late")
}

func TestABrokerKnowsWhetherItNeedsToRegister(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	b := p.broker(0, "TBW102", "orders")
	query := func(version proto.DataVersion) (changed bool, known []byte) {
		response := p.ask(proto.ReqQueryDataVersion, &proto.QueryDataVersion{
			BrokerName: "broker-a", BrokerAddress: p.address(), ClusterName: "DefaultCluster"}, version.Marshal())
		require.Equal(t, int32(proto.RespSuccess), response.Code, response.Remark)
		var header proto.QueryDataVersionResponse
		require.NoError(t, header.DecodeFields(response.Fields))
		return header.Changed, response.Body
	}
	first := b.body.Table.Version
	changed, known := query(first)
	require.True(t, changed, "it is not known at all")
	require.Empty(t, known)

	p.mustRegister(b)
	changed, known = query(first)
	require.False(t, changed)
	require.JSONEq(t, string(first.Marshal()), string(known))

	update := p.broker(0, "orders")
	update.body.Table.Version = first.Next(1_700_000_000_001)
	p.mustRegister(update)
	changed, known = query(update.body.Table.Version)
	require.True(t, changed, "one topic says nothing of the others: an update before it may have been lost")
	require.JSONEq(t, string(first.Marshal()), string(known))
}

func TestAnUpdateOfOneTopicReachesRoutesAtOnce(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	p.mustRegister(p.broker(0, "TBW102", "orders"))
	update := p.broker(0)
	update.add("orders", 16)
	p.mustRegister(update)
	require.Equal(t, int32(16), p.route("orders").Queues[0].WriteQueues)
	require.NotNil(t, p.route("TBW102"), "an update removes nothing")
}

func TestALostUpdateIsRepairedByTheNextFullRegistration(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	b := p.broker(0, "TBW102", "orders", "payments")
	p.mustRegister(b)
	// The update of orders was lost. That of payments has the version of both.
	b.body.Table.Version = b.body.Table.Version.Next(1_700_000_000_001)
	b.body.Table.Topics[1].WriteQueues = 32
	update := p.broker(0, "payments")
	update.body.Table.Version = b.body.Table.Version
	p.mustRegister(update)
	p.mustRegister(b)
	require.Equal(t, int32(32), p.route("orders").Queues[0].WriteQueues)
}

func TestOrderConfigIsReturnedToBrokersUnlessSwitchedOff(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	p.mustAsk(proto.ReqPutKVConfig, &proto.PutKVConfig{Namespace: proto.OrderTopicNamespace, Key: "orders", Value: "broker-a:8"}, nil)
	require.JSONEq(t, `{"table":{"orders":"broker-a:8"}}`, string(p.mustRegister(p.broker(0, "TBW102", "orders")).Body))
	p.mustAsk(proto.ReqUpdateNameServerConfig, nil, []byte("returnOrderTopicConfigToBroker=false\n"))
	require.Empty(t, p.mustRegister(p.broker(0, "TBW102", "orders")).Body)
}

func TestTwoProcessesWithOneIDDoNotAlternate(t *testing.T) {
	w := newWorld(t, Options{})
	first, second, client := w.peer(), w.peer(), w.peer()
	first.mustRegister(first.broker(0, "TBW102", "orders"))
	second.mustRegister(second.broker(0, "TBW102", "orders"))
	require.Equal(t, map[int64]string{0: second.address()}, client.members(), "the process that came last has the id")
	for range 3 {
		response := first.register(first.broker(0, "TBW102", "orders"))
		require.Equal(t, int32(proto.RespSystemError), response.Code)
		require.Contains(t, response.Remark, second.address())
		second.mustRegister(second.broker(0, "TBW102", "orders"))
		require.Equal(t, map[int64]string{0: second.address()}, client.members())
	}
	second.machine.Crash(sim.KillProcess)
	w.wait(time.Second)
	first.mustRegister(first.broker(0, "TBW102", "orders"))
	require.Equal(t, map[int64]string{0: first.address()}, client.members(), "the other one is gone")
}

func TestTheLaterStateVersionKeepsTheID(t *testing.T) {
	w := newWorld(t, Options{})
	newer, older, client := w.peer(), w.peer(), w.peer()
	b := newer.broker(0, "TBW102", "orders")
	b.body.Table.Version.StateVersion = 7
	newer.mustRegister(b)
	b = older.broker(0, "TBW102", "stale")
	b.body.Table.Version.StateVersion = 6
	response := older.mustRegister(b)
	require.Empty(t, response.Fields, "the protocol ignores it in silence")
	require.Equal(t, map[int64]string{0: newer.address()}, client.members())
	require.Nil(t, client.route("stale"))
	b.body.Table.Version.StateVersion = 8
	older.mustRegister(b)
	require.Equal(t, map[int64]string{0: older.address()}, client.members())
}

// interruptedTasks closes all connections while something is offloaded.
type interruptedTasks struct {
	env.Tasks
	server *Server
}

func (i *interruptedTasks) Offload(fn func()) {
	i.Tasks.Offload(fn)
	for _, c := range slices.Clone(i.server.server.Conns()) {
		c.Close()
	}
}

func TestARegistrationWhoseConnectionEndedDuringTheDecodingIsNotTaken(t *testing.T) {
	w := newWorld(t, Options{})
	w.server.env.Tasks = &interruptedTasks{Tasks: w.nsEnv.Tasks, server: w.server}
	p := w.peer()
	b := p.broker(0, "TBW102", "orders")
	b.Compressed = true
	body := b.body.MarshalPacked(wire.OwnVersion)
	_, err := p.try(&transport.Request{Code: proto.ReqRegisterBroker, Header: &b.RegisterBroker, Body: body})
	require.ErrorIs(t, err, transport.ErrClosed)
	require.Empty(t, w.server.Status().Brokers, "nothing would ever remove it")
	require.Zero(t, w.server.Status().Topics)
}
