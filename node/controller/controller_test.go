package controller

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func TestOneControllerLeadsAtOnce(t *testing.T) {
	w := newWorld(t, 1, Options{})
	w.await(100*time.Millisecond, "leading", func() bool { return w.leading() != nil })
	b := w.broker(1)
	b.join()
	require.False(t, b.beat(0, 0).BrokerID.Set, "the first election waits for others that start now")
	defer b.beating(0, 0)()
	w.await(2*time.Second, "the first election", func() bool { return w.group().Master == 1 })
	require.Equal(t, "c/broker-a master 1 epoch 1, in sync [1] set epoch 1, confirmed 0, members [1], next id 2", w.group().String())
}

func TestThreeControllersElectOneOfThemselves(t *testing.T) {
	w := newWorld(t, 3, Options{})
	first := w.leader()
	leads := 0
	for _, n := range w.nodes {
		if n.server.Status().State == "leader" {
			leads++
		}
	}
	require.Equal(t, 1, leads)
	w.wait(300 * time.Millisecond)
	for _, n := range w.nodes {
		require.Equal(t, first.server.Status().Self, n.server.Status().Leader, "all know who leads")
	}
}

func TestAnotherControllerLeadsWithAllThatWasAgreedUpon(t *testing.T) {
	w := newWorld(t, 3, Options{})
	b := w.broker(1)
	b.join()
	defer b.beating(0, 0)()
	w.await(4*time.Second, "the first election", func() bool { return w.group().Master == 1 })
	before := w.group().String()
	old := w.leader()
	old.machine.Crash(sim.PowerLoss)
	next := w.leader()
	require.NotSame(t, old, next)
	require.Equal(t, before, w.group().String())
	require.NoError(t, w.boot(indexOf(w, old)))
	w.await(time.Second, "following", func() bool { return old.server.state.groups["broker-a"] != nil })
	require.Equal(t, before, old.server.state.groups["broker-a"].String())
}

func indexOf(w *world, n *node) int {
	for i := range w.nodes {
		if w.nodes[i] == n {
			return i
		}
	}
	return -1
}

func TestALeaderThatReachesNobodyStopsAnswering(t *testing.T) {
	w := newWorld(t, 3, Options{})
	b := w.broker(1)
	b.join()
	old := w.leader()
	for _, n := range w.nodes {
		if n != old {
			w.kernel.Network().Block(old.machine, n.machine)
			w.kernel.Network().Block(n.machine, old.machine)
		}
	}
	w.wait(500 * time.Millisecond)
	response := b.askAt(old, proto.ReqBrokerHeartbeat, b.heartbeatOf(0, 0), nil)
	require.Equal(t, int32(proto.RespControllerNotLeader), response.Code)
	w.await(3*time.Second, "another leader", func() bool { return w.leading() != nil && w.leading() != old })
	w.kernel.Network().Heal()
	w.wait(time.Second)
	require.Equal(t, w.leader().server.Status().Self, old.server.Status().Leader)
}

func TestAMasterThatFallsSilentIsReplacedAfterItsLease(t *testing.T) {
	w := newWorld(t, 3, Options{})
	one, two := w.broker(1), w.broker(2)
	one.join()
	two.join()
	stop := one.beating(0, 10)
	defer two.beating(0, 5)()
	w.await(4*time.Second, "the first election", func() bool { return w.group().Master == 1 })
	response := one.mustAsk(proto.ReqControllerAlterSyncStateSet, &proto.AlterSyncStateSet{BrokerName: "broker-a", MasterID: 1, MasterEpoch: 1, Confirmed: proto.Some[int64](5),
		Incarnations: []proto.MemberIncarnation{{BrokerID: 2, Incarnation: 1}}}, (&proto.SyncStateSet{BrokerIDs: []int64{1, 2}, Epoch: 1}).Marshal())
	require.Equal(t, &proto.SyncStateSet{BrokerIDs: []int64{1, 2}, Epoch: 2}, setIn(t, response))
	stop()
	lease := one.beat(1, 10)
	require.Equal(t, int64(1500), lease.LiveForMillis)
	until := w.kernel.Now().Add(1400 * time.Millisecond)
	w.kernel.Run(until, nil)
	require.Equal(t, int64(1), w.group().Master, "the lease is not over")
	w.await(time.Second, "an election", func() bool { return w.group().Master == 2 })
	require.Equal(t, "c/broker-a master 2 epoch 2, in sync [1 2] set epoch 3, confirmed 5, members [1 2], next id 3", w.group().String())
	w.wait(50 * time.Millisecond)
	require.NotEmpty(t, two.received, "members are told")
	require.Equal(t, int32(proto.ReqNotifyBrokerRoleChanged), two.received[len(two.received)-1].Code)
}
