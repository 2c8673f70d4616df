package namesrv

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func TestUnknownRequestsAreRefusedByCode(t *testing.T) {
	w := newWorld(t, Options{})
	response := w.peer().ask(proto.ReqSendMessage, nil, nil)
	require.Equal(t, int32(proto.RespRequestCodeNotSupported), response.Code)
	require.Equal(t, "request code 10 (SEND_MESSAGE) is not served by a name server", response.Remark)
	require.Equal(t, uint64(1), w.server.Status().Counts.Unsupported)
}

func TestAServerIsClosedInOrder(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	p.mustRegister(p.broker(0, "TBW102", "orders"))
	w.do(w.nsEnv, w.server.Close)
	w.do(w.nsEnv, w.server.Close)
	require.Equal(t, "closed", w.server.Status().State)
	require.Empty(t, w.ns.TaskNames())
	w.wait(time.Second)
	_, err := p.try(&transport.Request{Code: proto.ReqGetBrokerClusterInfo})
	require.ErrorIs(t, err, env.ErrRefused)
}

func TestAServerIsStartedOnce(t *testing.T) {
	w := newWorld(t, Options{})
	var again error
	w.do(w.nsEnv, func() { again = w.server.Start() })
	require.ErrorIs(t, again, ErrStarted)
	require.Equal(t, "serving", w.server.Status().State)
}

func TestTwoNameServersDoNotShareADirectory(t *testing.T) {
	w := newWorld(t, Options{})
	second, err := New(w.ns.Node("second", "."), Options{Listen: ":9877"})
	require.NoError(t, err)
	w.do(w.nsEnv, func() { err = second.Start() })
	require.ErrorIs(t, err, ErrInUse)
	w.do(w.nsEnv, w.server.Close)
	third, err := New(w.ns.Node("third", "."), Options{Listen: ":9877"})
	require.NoError(t, err)
	w.do(w.nsEnv, func() { err = third.Start() })
	require.NoError(t, err, "the directory is free again")
}

func TestAPortThatIsTakenStopsTheStart(t *testing.T) {
	w := newWorld(t, Options{})
	second, err := New(w.ns.Node("second", "elsewhere"), Options{})
	require.NoError(t, err)
	w.do(w.nsEnv, func() { err = second.Start() })
	require.ErrorIs(t, err, env.ErrAddressInUse)
	require.Equal(t, "closed", second.Status().State)
}

func TestStatusDescribesTheServerInOneLine(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	p.mustRegister(p.broker(0, "TBW102", "orders"))
	w.wait(90 * time.Second)
	status := w.server.Status()
	require.Equal(t, "name server 10.0.0.1:9876 serving for 1m30s: 1 clusters, 1 brokers, 2 topics, 0 keys, 1 connections, 1 requests", status.String())
	require.Len(t, status.Brokers, 1)
	status.Brokers[0].SilentFor = time.Minute
	require.Equal(t, "broker DefaultCluster/broker-a id 0 at 10.0.0.2:10911, silent for 1m0s of 2m0s, 2 topics, version 0/1700000000000/1", status.Brokers[0].String())
}

func TestNameServersDoNotKnowOfEachOther(t *testing.T) {
	w := newWorld(t, Options{})
	second, err := New(w.ns.Node("second", "elsewhere"), Options{Listen: ":9877"})
	require.NoError(t, err)
	w.do(w.nsEnv, func() { err = second.Start() })
	require.NoError(t, err)
	p := w.peer()
	p.mustRegister(p.broker(0, "TBW102", "orders"))
	w.wait(time.Minute)
	require.Len(t, w.server.Status().Brokers, 1)
	require.Empty(t, second.Status().Brokers)
}

func TestOneSeedGivesOneHistory(t *testing.T) {
	history := func() uint64 {
		w := newSeededWorld(t, 7, Options{Settings: Settings{NotifyMinBrokerID: true}})
		master, slave := w.peer(), w.peer()
		for id, p := range []*peer{master, slave} {
			p.listen()
			b := p.broker(int64(id), "TBW102", "orders", "payments")
			b.EnableActingMaster = proto.Some(true)
			b.LiveForMillis = 10_000
			p.mustRegister(b)
			p.put("ns", "a", "1")
		}
		master.machine.Crash(sim.PowerLoss)
		w.wait(30 * time.Second)
		return w.kernel.TraceHash()
	}
	require.Equal(t, history(), history())
}
