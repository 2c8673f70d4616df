package broker_test

import (
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

// nameServer notes what brokers tell it.
type nameServer struct {
	machine  *sim.Machine
	requests []*wire.Command
	answer   int32 // to registrations
	routes   map[string]proto.Route
	order    map[string]string // order config
}

func (w *world) addNameServer(name string, last byte) *nameServer {
	w.t.Helper()
	s := &nameServer{machine: w.kernel.AddMachine(name, netip.AddrFrom4([4]byte{10, 0, 1, last}))}
	s.start(w)
	return s
}

func (s *nameServer) start(w *world) {
	w.t.Helper()
	e := s.machine.Boot(s.machine.Name())
	server := transport.NewServer(e, transport.ServerOptions{Handler: transport.HandlerFunc(func(in *transport.Incoming) {
		s.requests = append(s.requests, in.Command.Clone())
		if in.Command.Code == proto.ReqGetRouteInfoByTopic {
			s.tell(in)
			return
		}
		if s.answer == proto.RespSuccess && s.order != nil {
			in.Reply().Success((&proto.KVTable{Table: s.order}).Marshal())
			return
		}
		in.Reply().Error(s.answer, "")
	})})
	_, err := server.Listen(":9876")
	require.NoError(w.t, err)
}

// tell answers where a topic is.
func (s *nameServer) tell(in *transport.Incoming) {
	topic := in.Command.Fields.String("topic")
	route, known := s.routes[topic]
	switch {
	case s.routes == nil:
		in.Reply().Error(proto.RespSystemError, "name server not ready")
	case !known:
		in.Reply().Error(proto.RespTopicNotExist, "No topic route info in name server for the topic: "+topic)
	default:
		in.Reply().Success(route.Marshal(proto.RouteForm(in.Command.Version, false)))
	}
}

func withNameServers(addresses ...string) func(*broker.Options) {
	return func(o *broker.Options) { o.NameServers = addresses }
}

// registrations are the tables that the name server was told, by a header that is as it must be.
func (s *nameServer) registrations(t *testing.T) []map[string]proto.TopicConfig {
	t.Helper()
	var tables []map[string]proto.TopicConfig
	for _, command := range s.requests {
		if command.Code != proto.ReqRegisterBroker {
			continue
		}
		var header proto.RegisterBroker
		require.NoError(t, header.DecodeFields(command.Fields))
		require.Equal(t, "broker-a", header.BrokerName)
		require.Equal(t, "DefaultCluster", header.ClusterName)
		require.Equal(t, address, header.BrokerAddress)
		require.Zero(t, header.BrokerID)
		require.Equal(t, proto.BodyChecksum(command.Body), header.BodyChecksum)
		body, err := proto.UnmarshalRegisterBrokerBody(command.Body, false, command.Version)
		require.NoError(t, err)
		table := map[string]proto.TopicConfig{}
		for _, topic := range body.Table.Topics {
			table[topic.Name] = topic
		}
		tables = append(tables, table)
	}
	return tables
}

func TestABrokerRegistersAtItsStartAndNowAndThen(t *testing.T) {
	w := prepareWorld(t, withNameServers("10.0.1.1:9876", "10.0.1.2:9876"))
	servers := []*nameServer{w.addNameServer("namesrv0", 1), w.addNameServer("namesrv1", 2)}
	w.start()
	for _, s := range servers {
		require.Len(t, s.registrations(t), 1, "a broker that has started can be found")
		require.Contains(t, s.registrations(t)[0], proto.DefaultTopic)
	}
	w.pass(65 * time.Second)
	for _, s := range servers {
		require.Len(t, s.registrations(t), 3)
	}
}

func TestABrokerTellsAtOnceOfAChangedTopic(t *testing.T) {
	w := prepareWorld(t, withNameServers("10.0.1.1:9876"))
	s := w.addNameServer("namesrv0", 1)
	w.start()
	last := func() map[string]proto.TopicConfig {
		w.pass(time.Second)
		all := s.registrations(t)
		return all[len(all)-1]
	}
	w.succeeds(sendRequest("orders", 0, "x", ""))
	require.EqualValues(t, 4, last()["orders"].WriteQueues)
	w.succeeds(updateTopicRequest("orders", func(h *proto.UpdateAndCreateTopic) { h.WriteQueues = 2 }))
	require.EqualValues(t, 2, last()["orders"].WriteQueues)
	w.succeeds(deleteTopicRequest("orders"))
	require.NotContains(t, last(), "orders")
	require.Len(t, s.registrations(t), 4)
}

func TestABrokerTriesAgainUntilTheNameServerTakesIt(t *testing.T) {
	w := prepareWorld(t, withNameServers("10.0.1.1:9876", "10.0.1.2:9876"))
	away, refusing := w.addNameServer("namesrv0", 1), w.addNameServer("namesrv1", 2)
	away.machine.Crash(sim.PowerLoss)
	refusing.answer = proto.RespSystemError
	began := w.kernel.Now()
	w.start()
	require.Less(t, w.kernel.Now().Sub(began), 3*time.Second, "a name server that does not answer does not keep a broker from starting")
	w.pass(20 * time.Second)
	tries := len(refusing.registrations(t))
	require.Greater(t, tries, 3)
	require.Less(t, tries, 10, "it does not hammer")
	refusing.answer = proto.RespSuccess
	away.start(w)
	w.pass(20 * time.Second)
	require.NotEmpty(t, away.registrations(t))
	taken := len(refusing.registrations(t))
	w.pass(20 * time.Second)
	require.LessOrEqual(t, len(refusing.registrations(t)), taken+1, "after that it registers at its leisure")
}

func TestABrokerUnregistersWhenItCloses(t *testing.T) {
	w := prepareWorld(t, withNameServers("10.0.1.1:9876", "10.0.1.2:9876"))
	s := w.addNameServer("namesrv0", 1)
	away := w.addNameServer("namesrv1", 2)
	w.start()
	away.machine.Crash(sim.KillProcess)
	w.close()
	require.Empty(t, w.machine.TaskNames())
	last := s.requests[len(s.requests)-1]
	require.EqualValues(t, proto.ReqUnregisterBroker, last.Code)
	var header proto.UnregisterBroker
	require.NoError(t, header.DecodeFields(last.Fields))
	require.Equal(t, proto.UnregisterBroker{BrokerName: "broker-a", BrokerAddress: address, ClusterName: "DefaultCluster"}, header)
}

func TestTheBrokersOwnPermissionIsThatOfItsTopics(t *testing.T) {
	w := prepareWorld(t, withNameServers("10.0.1.1:9876"), func(o *broker.Options) { o.Perm = proto.PermRead })
	s := w.addNameServer("namesrv0", 1)
	w.start()
	table := s.registrations(t)[0]
	require.Equal(t, proto.PermRead, table["BenchmarkTest"].Perm)
	require.False(t, table[proto.DefaultTopic].Perm.Writable())
}

func TestATopicOfTheOrderConfigIsAnOrderedOne(t *testing.T) {
	w := prepareWorld(t, withNameServers("10.0.1.1:9876"))
	s := w.addNameServer("namesrv0", 1)
	w.start()
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.succeeds(sendRequest("bills", 0, "x", ""))
	s.order = map[string]string{"orders": "broker-a:4", "elsewhere": "broker-b:4"}
	w.pass(35 * time.Second)
	require.True(t, w.topicTable()["orders"].Ordered)
	require.False(t, w.topicTable()["bills"].Ordered)
	require.NotContains(t, w.topicTable(), "elsewhere")
	all := s.registrations(t)
	require.True(t, all[len(all)-1]["orders"].Ordered, "the name server hears of it")
	s.order = map[string]string{}
	w.pass(35 * time.Second)
	require.True(t, w.topicTable()["orders"].Ordered, "it stays so")
	w.restart(sim.PowerLoss)
	require.True(t, w.topicTable()["orders"].Ordered)
	require.Less(t, len(s.registrations(t)), 10, "to say what is known makes nothing new")
}
