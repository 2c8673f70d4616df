package namesrv

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

func TestTheRouteOfAKilledBrokerLeavesAtOnce(t *testing.T) {
	w := newWorld(t, Options{})
	broker, client := w.peer(), w.peer()
	broker.mustRegister(broker.broker(0, "TBW102", "orders"))
	require.NotNil(t, client.route("orders"))
	broker.machine.Crash(sim.KillProcess)
	w.wait(10 * time.Millisecond)
	require.Nil(t, client.route("orders"))
	require.Equal(t, uint64(1), w.server.Status().Counts.Disconnected)
}

func TestTheRouteOfABrokerWithoutPowerLeavesAfterItsTimeout(t *testing.T) {
	w := newWorld(t, Options{})
	broker, client := w.peer(), w.peer()
	b := broker.broker(0, "TBW102", "orders")
	b.LiveForMillis = 10_000
	broker.mustRegister(b)
	broker.machine.Crash(sim.PowerLoss)
	w.wait(9 * time.Second)
	require.NotNil(t, client.route("orders"), "it may still live")
	w.wait(6 * time.Second)
	require.Nil(t, client.route("orders"))
	require.Equal(t, uint64(1), w.server.Status().Counts.Expired)
}

func TestARegistrationLivesForTwoMinutesUnlessItSaysOtherwise(t *testing.T) {
	w := newWorld(t, Options{IdleTimeout: time.Hour})
	broker, client := w.peer(), w.peer()
	broker.mustRegister(broker.broker(0, "TBW102", "orders"))
	w.wait(119 * time.Second)
	require.NotNil(t, client.route("orders"))
	w.wait(7 * time.Second)
	require.Nil(t, client.route("orders"))
}

func TestASignOfLifeKeepsABroker(t *testing.T) {
	heartbeat := func(p *peer) { p.oneway(heartbeatOf(p)) }
	query := func(p *peer) {
		p.mustAsk(proto.ReqQueryDataVersion, &proto.QueryDataVersion{
			ClusterName: "DefaultCluster", BrokerName: "broker-a", BrokerAddress: p.address()}, nil)
	}
	register := func(p *peer) {
		b := p.broker(0, "TBW102", "orders")
		b.LiveForMillis = 10_000
		p.mustRegister(b)
	}
	for name, sign := range map[string]func(*peer){"heartbeat": heartbeat, "query of the data version": query, "registration": register} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Options{})
			broker := w.peer()
			register(broker)
			for range 5 {
				w.wait(9 * time.Second)
				sign(broker)
			}
			require.Len(t, w.server.Status().Brokers, 1)
			w.wait(16 * time.Second)
			require.Empty(t, w.server.Status().Brokers)
		})
	}
}

// heartbeatOf is a sign of life of the peer as a member of broker-a.
func heartbeatOf(p *peer) *transport.Request {
	return &transport.Request{Code: proto.ReqBrokerHeartbeat, Header: &proto.BrokerHeartbeat{
		ClusterName: "DefaultCluster", BrokerName: "broker-a", BrokerAddress: p.address()}}
}

func TestTheConnectionOfASilentBrokerIsClosedUnlessAnotherLivesByIt(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	first, second := p.broker(0, "TBW102", "orders"), p.broker(0, "TBW102", "payments")
	first.LiveForMillis, second.LiveForMillis = 10_000, 30_000
	second.BrokerName, second.BrokerAddress = "broker-b", "10.0.0.2:20911"
	p.mustRegister(first)
	p.mustRegister(second)
	w.wait(16 * time.Second)
	require.Len(t, w.server.Status().Brokers, 1)
	require.Equal(t, 1, w.server.Status().Connections)
	w.wait(20 * time.Second)
	require.Empty(t, w.server.Status().Brokers)
	require.Zero(t, w.server.Status().Connections)
}

func TestABrokerThatReconnectsBeforeItsOldConnectionEndsStays(t *testing.T) {
	w := newWorld(t, Options{})
	p, client := w.peer(), w.peer()
	p.mustRegister(p.broker(0, "TBW102", "orders"))
	old := p.client
	p.reconnect()
	p.oneway(heartbeatOf(p))
	p.do(p.env, old.Close)
	w.wait(time.Second)
	require.NotNil(t, client.route("orders"), "it lives by its new connection")
}

func TestALateHeartbeatOverAnOldConnectionKeepsNobody(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	b := p.broker(0, "TBW102", "orders")
	b.LiveForMillis = 10_000
	p.mustRegister(b)
	old := p.client
	p.reconnect()
	p.mustRegister(b)
	p.client = old
	w.wait(9 * time.Second)
	p.oneway(heartbeatOf(p))
	w.wait(7 * time.Second)
	require.Empty(t, w.server.Status().Brokers)
}

func TestANameServerThatStoodStillReadsWhatWaitsBeforeItJudges(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	b := p.broker(0, "TBW102", "orders")
	b.LiveForMillis = 10_000
	p.mustRegister(b)
	w.ns.Pause(30 * time.Second)
	p.env.Tasks.Go("heartbeats", func() {
		for range 35 {
			p.env.Tasks.Sleep(time.Second)
			_ = p.client.Oneway(nil, nsAddress, heartbeatOf(p), time.Second)
		}
	})
	w.wait(36 * time.Second)
	require.Len(t, w.server.Status().Brokers, 1)
	require.Zero(t, w.server.Status().Counts.Expired)
}

func TestTheRestOfAGroupHearsOfANewSmallestID(t *testing.T) {
	w := newWorld(t, Options{Settings: Settings{NotifyMinBrokerID: true}})
	master, slave, second := w.peer(), w.peer(), w.peer()
	peers := []*peer{master, slave, second}
	for id, p := range peers {
		p.listen()
		b := p.broker(int64(id), "TBW102", "orders")
		b.EnableActingMaster = proto.Some(true)
		p.mustRegister(b)
	}
	w.wait(time.Second)
	for _, p := range peers {
		require.Empty(t, p.received, "the first one had the smallest id and kept it")
	}

	master.machine.Crash(sim.KillProcess)
	w.wait(time.Second)
	offline := proto.NotifyMinBrokerIDChange{
		MinBrokerID: proto.Some[int64](1), BrokerName: "broker-a", MinBrokerAddress: slave.address(),
		OfflineAddress: master.address(), HAAddress: slave.haAddress(),
	}
	require.Equal(t, []proto.NotifyMinBrokerIDChange{offline}, notices(t, slave.received))
	require.Equal(t, []proto.NotifyMinBrokerIDChange{offline}, notices(t, second.received))

	master.restart()
	master.listen()
	b := master.broker(0, "TBW102", "orders")
	b.EnableActingMaster = proto.Some(true)
	master.mustRegister(b)
	w.wait(time.Second)
	online := proto.NotifyMinBrokerIDChange{
		MinBrokerID: proto.Some[int64](0), BrokerName: "broker-a", MinBrokerAddress: master.address(), HAAddress: master.haAddress(),
	}
	require.Equal(t, []proto.NotifyMinBrokerIDChange{offline, online}, notices(t, slave.received))
	require.Equal(t, []proto.NotifyMinBrokerIDChange{offline, online}, notices(t, second.received))
	require.Empty(t, master.received, "it knows")
	require.Equal(t, uint64(4), w.server.Status().Counts.Notices)
}

func notices(t *testing.T, requests []*wire.Command) []proto.NotifyMinBrokerIDChange {
	t.Helper()
	var headers []proto.NotifyMinBrokerIDChange
	for _, request := range requests {
		require.Equal(t, int32(proto.ReqNotifyMinBrokerIDChange), request.Code)
		require.True(t, request.IsOneway())
		var header proto.NotifyMinBrokerIDChange
		require.NoError(t, header.DecodeFields(request.Fields))
		headers = append(headers, header)
	}
	return headers
}

func TestNobodyIsNotifiedUnlessThatIsSwitchedOn(t *testing.T) {
	w := newWorld(t, Options{})
	slave, master := w.peer(), w.peer()
	slave.listen()
	slave.mustRegister(slave.broker(1, "TBW102", "orders"))
	master.mustRegister(master.broker(0, "TBW102", "orders"))
	w.wait(time.Second)
	require.Empty(t, slave.received)
}

func TestANoticeToABrokerThatCannotBeReachedHoldsNothingUp(t *testing.T) {
	w := newWorld(t, Options{Settings: Settings{NotifyMinBrokerID: true}})
	slave, master := w.peer(), w.peer()
	slave.mustRegister(slave.broker(1, "TBW102", "orders"))
	slave.machine.Crash(sim.PowerLoss)
	master.mustRegister(master.broker(0, "TBW102", "orders"))
	w.do(w.nsEnv, w.server.Close)
	require.Zero(t, w.server.Status().Counts.Notices)
	w.wait(5 * time.Second) // until the dial gives up
	require.Empty(t, w.ns.TaskNames())
}
