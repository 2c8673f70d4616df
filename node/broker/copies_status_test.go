package broker_test

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

const copiesAddress = "10.0.0.1:10912"

// openToCopies gives a master a replication port.
func openToCopies(o *broker.Options) { o.Replication.Listen = ":10912" }

// impostor is a connection to the replication port that says what a test wants.
type impostor struct {
	world *world
	conn  env.Conn
	got   int // bytes
}

// connectCopy connects and reports a first place. What the master sends is read and thrown away.
func (w *world) connectCopy(from int64) *impostor {
	w.t.Helper()
	i := &impostor{world: w}
	w.run(func() {
		conn, err := w.clientEnv().Network.Dial(copiesAddress, w.kernel.Now().Add(time.Second))
		require.NoError(w.t, err)
		i.conn = conn
	})
	w.clientEnv().Tasks.Go("read the log", func() {
		for p := make([]byte, 64<<10); ; {
			n, err := i.conn.Read(p, nil)
			if err != nil {
				return
			}
			i.got += n
		}
	})
	i.report(from)
	return i
}

// report says up to where the copy has the log.
func (i *impostor) report(end int64) {
	i.world.t.Helper()
	i.world.run(func() {
		require.NoError(i.world.t, i.conn.Write(binary.BigEndian.AppendUint64(nil, uint64(end))))
	})
	i.world.pass(10 * time.Millisecond)
}

func copiesRequest() *transport.Request { return &transport.Request{Code: proto.ReqGetBrokerHAStatus} }

func (w *world) copies() *proto.CopiesStatus {
	w.t.Helper()
	status, err := proto.UnmarshalCopiesStatus(w.succeeds(copiesRequest()).Body)
	require.NoError(w.t, err)
	return status
}

func TestAMasterTellsHowFarItsCopiesAre(t *testing.T) {
	w := newWorld(t, openToCopies)
	require.Equal(t, &proto.CopiesStatus{Master: true, Role: "ASYNC_MASTER", Needed: 1}, w.copies())
	w.sends("orders", 0, "")
	end := int64(w.broker.Store().Written())
	copy := w.connectCopy(0)
	w.pass(1500 * time.Millisecond)
	status := w.copies()
	require.Equal(t, end, status.LogEnd)
	require.Len(t, status.Slaves, 1)
	one := status.Slaves[0]
	require.Equal(t, "10.0.0.2", netip.MustParseAddrPort(one.Address).Addr().String())
	require.Zero(t, one.Acked)
	require.Equal(t, end, one.Behind)
	require.Equal(t, end, one.Sent)
	require.Equal(t, end, one.Speed, "all of it was sent in the last second")
	require.InDelta(t, 1500, one.LagMillis, 100, "it lacks the log since it is connected")
	copy.report(end)
	one = w.copies().Slaves[0]
	require.Equal(t, [3]int64{end, 0, 0}, [3]int64{one.Acked, one.Behind, one.LagMillis})
	require.EqualValues(t, 1, w.copies().InSync)

	w.sends("orders", 0, "")
	w.pass(2 * time.Second)
	more := w.copies()
	require.Equal(t, int64(w.broker.Store().Written())-end, more.Slaves[0].Behind)
	require.InDelta(t, 2000, more.Slaves[0].LagMillis, 100)
	require.Greater(t, copy.got, int(end), "what it does not acknowledge it was sent")
	s := w.measured()
	requireValue(t, 1, s, "gantry_replication_role", "ASYNC_MASTER")
	requireValue(t, 1, s, "gantry_replication_copies")
	requireValue(t, 1, s, "gantry_replication_copies_in_sync")
	requireValue(t, 1, s, "gantry_replication_copies_needed")
	requireValue(t, float64(more.Slaves[0].Behind), s, "gantry_replication_copy_behind_bytes", "10.0.0.2")
	require.InDelta(t, 2, valueOf(t, s, "gantry_replication_copy_behind_seconds", "10.0.0.2"), 0.2)
	w.run(func() { require.NoError(t, copy.conn.Close()) })
	w.pass(100 * time.Millisecond)
	require.Empty(t, w.copies().Slaves)
}

func TestACopyThatLacksMoreThanTheGapDoesNotKeepUp(t *testing.T) {
	w := newWorld(t, openToCopies, func(o *broker.Options) { o.Replication.GapMax = 100 })
	w.sends("orders", 0, "")
	copy := w.connectCopy(0)
	require.False(t, w.copies().Slaves[0].InSync)
	require.Zero(t, w.copies().InSync)
	copy.report(int64(w.broker.Store().Written()))
	require.True(t, w.copies().Slaves[0].InSync)
}

func TestWhoReportsWhatTheMasterDoesNotHaveIsRefusedAndTheReasonIsTold(t *testing.T) {
	w := newWorld(t, openToCopies)
	w.connectCopy(12345)
	status := w.copies()
	require.Empty(t, status.Slaves)
	require.EqualValues(t, 1, status.Refused)
	require.Contains(t, status.Why, "the log of the slave ends at 12345 and that of its master at 0")
	require.Contains(t, status.Why, "make the slave anew with an empty directory, or let it be the master")
	requireValue(t, 1, w.measured(), "gantry_replication_copies_refused_total")
	table, err := proto.UnmarshalKVTable(w.succeeds(runtimeRequest()).Body)
	require.NoError(t, err)
	require.Equal(t, "1", table.Table["copiesRefused"])
	require.Equal(t, "ASYNC_MASTER", table.Table["brokerRole"])
}

func TestAMasterTellsSlavesOfApachesWhereItsPortIs(t *testing.T) {
	w := newWorld(t, openToCopies)
	w.sends("orders", 0, "")
	var told proto.ExchangeHAInfo
	require.NoError(t, told.DecodeFields(w.succeeds(&transport.Request{Code: proto.ReqExchangeBrokerHAInfo}).Fields))
	require.Equal(t, proto.ExchangeHAInfo{MasterHAAddress: copiesAddress, MasterAddress: address, MasterFlushed: proto.Some(int64(w.broker.Store().Flushed()))}, told)
	w.refused(&transport.Request{Code: proto.ReqExchangeBrokerHAInfo, Header: &proto.ExchangeHAInfo{MasterHAAddress: "10.0.0.9:10912"}},
		proto.RespInvalidParameter, "this broker is a master itself")
	w.refused(&transport.Request{Code: proto.ReqResetMasterFlushOffset}, proto.RespRequestCodeNotSupported, "no flush offset of its master")
}

func TestAMasterWithoutAReplicationPortTellsNone(t *testing.T) {
	w := newWorld(t)
	var told proto.ExchangeHAInfo
	require.NoError(t, told.DecodeFields(w.succeeds(&transport.Request{Code: proto.ReqExchangeBrokerHAInfo}).Fields))
	require.Empty(t, told.MasterHAAddress, "a slave of Apache's would connect to it for ever")
}

func TestAReplicationPortThatIsTakenIsNamed(t *testing.T) {
	w := prepareWorld(t, openToCopies)
	e := w.machine.Boot("broker")
	b, err := broker.New(e, w.options)
	require.NoError(t, err)
	done := false
	e.Tasks.Go("start", func() {
		_, err = e.Network.Listen(":10912")
		if err == nil {
			err = b.Start()
		}
		done = true
	})
	w.kernel.Run(w.kernel.Now().Add(time.Minute), func() bool { return done })
	require.ErrorIs(t, err, broker.ErrReplicationListen)
	require.ErrorIs(t, err, env.ErrAddressInUse)
}

// group is a name server, a master and a slave.
type group struct {
	*world
	*cluster.Cluster
	asker env.Env
}

func newGroup(t *testing.T, o broker.Options) *group {
	t.Helper()
	g := &group{world: &world{t: t, kernel: sim.New(1, sim.Options{})}}
	t.Cleanup(g.kernel.Close)
	g.Cluster = cluster.New(g.kernel, cluster.Config{NameServers: 1, Brokers: 1, Slaves: 1, Broker: o})
	_, g.asker = g.AddClient()
	g.Start()
	g.soon(func() bool { return g.Brokers[0].Ready() && g.Brokers[1].Ready() })
	return g
}

// soon lets time pass until something is so.
func (g *group) soon(done func() bool) {
	g.t.Helper()
	for range 600 {
		if done() {
			return
		}
		g.pass(100 * time.Millisecond)
	}
	require.Fail(g.t, "it did not come to pass within a minute")
}

// measured is what a broker of the group measures now.
func (g *group) measured(i int) (m *broker.Measurement) {
	g.t.Helper()
	node := g.Brokers[i]
	node.Machine.Node(node.Machine.Name(), ".").Tasks.Go("measure", func() { m = node.Broker().Measure() })
	g.soon(func() bool { return m != nil })
	return m
}

// asks is what a broker of the group answers.
func (g *group) asks(i int, request *transport.Request) (body []byte, code int32) {
	g.t.Helper()
	code = -1
	g.asker.Tasks.Go("ask", func() {
		response, err := transport.NewClient(g.asker, transport.ClientOptions{}).Call(nil, netip.AddrPortFrom(g.Brokers[i].Machine.Address(), 10911).String(), request, 10*time.Second)
		var refused *transport.ResponseError
		switch {
		case errors.As(err, &refused):
			code = refused.Code
		case err == nil:
			body, code = response.Body, response.Code
		default:
			code = -2 // it does not answer
		}
	})
	g.soon(func() bool { return code != -1 })
	return body, code
}

func TestASlaveTellsWhomItFollowsAndHowFarItIs(t *testing.T) {
	o := options()
	o.Role, o.Replication.InSync = broker.SyncMaster, 2
	g := newGroup(t, o)
	g.soon(func() bool { _, code := g.asks(0, sendRequest("orders", 0, "x", "")); return code == proto.RespSuccess })
	g.pass(5 * time.Second)
	body, _ := g.asks(1, copiesRequest())
	slave, err := proto.UnmarshalCopiesStatus(body)
	require.NoError(t, err)
	body, _ = g.asks(0, copiesRequest())
	master, err := proto.UnmarshalCopiesStatus(body)
	require.NoError(t, err)
	require.True(t, master.Master)
	require.EqualValues(t, 2, master.Needed)
	require.Len(t, master.Slaves, 1)
	require.Zero(t, master.Slaves[0].Behind)
	require.Equal(t, master.LogEnd, master.Confirmed)
	require.False(t, slave.Master)
	require.Equal(t, "SLAVE", slave.Role)
	f := slave.Following
	require.Equal(t, g.Brokers[0].Machine.Address().String()+":10912", f.Master)
	require.Equal(t, master.LogEnd, f.LogEnd)
	require.True(t, f.Connected)
	require.Empty(t, f.Diverged)
	require.NotZero(t, f.ReadAt)
	require.NotZero(t, f.WroteAt)
	_, code := g.asks(1, &transport.Request{Code: proto.ReqAuthListUser})
	require.EqualValues(t, proto.RespSuccess, code, "accounts are each broker's own")
	_, code = g.asks(1, &transport.Request{Code: proto.ReqGetAllDelayOffset})
	require.EqualValues(t, proto.RespServiceNotAvailable, code, "a slave delivers nothing")
	s := g.measured(1).Snapshot()
	requireValue(t, 1, s, "gantry_replication_role", "SLAVE")
	requireValue(t, 1, s, "gantry_replication_following")
	requireValue(t, 0, s, "gantry_replication_diverged")
	requireValue(t, 0, s, "gantry_replication_behind_bytes")
	require.Less(t, valueOf(t, s, "gantry_replication_behind_seconds"), 3.0)

	g.Brokers[0].Crash(sim.KillProcess)
	g.pass(30 * time.Second)
	s = g.measured(1).Snapshot()
	requireValue(t, 0, s, "gantry_replication_following")
	require.InDelta(t, 30, valueOf(t, s, "gantry_replication_behind_seconds"), 3, "nobody knows what the master has stored since")
}

func TestASlaveWhoseLogIsAnotherOneSaysSo(t *testing.T) {
	g := newGroup(t, func() broker.Options { o := options(); o.Replication.Listen = ":10912"; return o }())
	g.soon(func() bool { _, code := g.asks(0, sendRequest("orders", 0, "x", "")); return code == proto.RespSuccess })
	g.pass(3 * time.Second)
	// The master comes again with nothing, and gets other messages.
	g.Brokers[0].Crash(sim.PowerLoss)
	g.Brokers[0].Machine.ReplaceDisk()
	g.Brokers[0].Start()
	g.soon(func() bool { return g.Brokers[0].Ready() })
	diverged := func() *proto.CopiesStatus {
		body, _ := g.asks(1, copiesRequest())
		s, err := proto.UnmarshalCopiesStatus(body)
		require.NoError(t, err)
		return s
	}
	g.soon(func() bool { return diverged().Following.Diverged != "" })
	require.False(t, diverged().Following.Connected)
	require.Contains(t, diverged().Following.Diverged, "make the slave anew with an empty directory")
	m := g.measured(1)
	requireValue(t, 1, m.Snapshot(), "gantry_replication_diverged")
	requireValue(t, 0, m.Snapshot(), "gantry_ready")
}
