package namesrv

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func (p *peer) wipe() string {
	p.t.Helper()
	response := p.ask(proto.ReqWipeWritePermOfBroker, &proto.WipeWritePermOfBroker{BrokerName: "broker-a"}, nil)
	require.Equal(p.t, int32(proto.RespSuccess), response.Code, response.Remark)
	return response.Fields.String("wipeTopicCount")
}

func (p *peer) addWrite() string {
	p.t.Helper()
	response := p.ask(proto.ReqAddWritePermOfBroker, &proto.AddWritePermOfBroker{BrokerName: "broker-a"}, nil)
	require.Equal(p.t, int32(proto.RespSuccess), response.Code, response.Remark)
	return response.Fields.String("addTopicCount")
}

func TestTheWritePermissionIsWipedAndAdded(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	require.Equal(t, "0", p.wipe(), "nobody has that name")
	b := p.broker(0, "TBW102", "orders")
	b.body.Table.Topics[0].Perm = proto.PermReadWrite | proto.PermInherit
	p.mustRegister(b)
	require.Equal(t, proto.PermReadWrite, p.route("orders").Queues[0].Perm, "a name that nobody had was not noted")

	require.Equal(t, "2", p.wipe())
	require.Equal(t, proto.PermRead, p.route("orders").Queues[0].Perm)
	require.Equal(t, []string{"broker-a"}, w.server.Status().Wiped)

	require.Equal(t, "2", p.addWrite())
	require.Equal(t, proto.PermReadWrite, p.route("orders").Queues[0].Perm)
	require.Equal(t, proto.PermReadWrite|proto.PermInherit, p.route("TBW102").Queues[0].Perm)
	require.Empty(t, w.server.Status().Wiped)
}

func TestAWipedPermissionStaysWipedThroughWhateverTheBrokerDidNotDecide(t *testing.T) {
	w := newWorld(t, Options{})
	p, client := w.peer(), w.peer()
	b := p.broker(0, "TBW102", "orders")
	p.mustRegister(b)
	p.wipe()
	wiped := func(when string) {
		t.Helper()
		require.Equal(t, proto.PermRead, client.route("orders").Queues[0].Perm, when)
	}
	b.body.Table.Version = b.body.Table.Version.Next(1_700_000_000_001)
	p.mustRegister(b)
	wiped("a topic changed")

	p.machine.Crash(sim.KillProcess)
	w.wait(time.Second)
	p.restart()
	p.mustRegister(b)
	wiped("the connection was lost")

	w.ns.Crash(sim.PowerLoss)
	require.NoError(t, w.boot())
	p.reconnect()
	client.reconnect()
	p.mustRegister(b)
	wiped("the name server was restarted")
}

func TestABrokerThatLeftInOrderComesBackWritable(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	p.mustRegister(p.broker(0, "TBW102", "orders"))
	p.wipe()
	p.mustAsk(proto.ReqUnregisterBroker, &proto.UnregisterBroker{BrokerName: "broker-a", BrokerAddress: p.address(), ClusterName: "DefaultCluster"}, nil)
	p.mustRegister(p.broker(0, "TBW102", "orders"))
	require.Equal(t, proto.PermReadWrite, p.route("orders").Queues[0].Perm)
	require.Zero(t, w.server.Status().KVEntries, "nothing is kept of it")
}

func TestWipedNamesAreNotChangedThroughTheKeyValueConfig(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	require.Equal(t, int32(proto.RespNoPermission), p.put(wipedNamespace, "broker-a", "x").Code)
	response := p.ask(proto.ReqDeleteKVConfig, &proto.DeleteKVConfig{Namespace: wipedNamespace, Key: "broker-a"}, nil)
	require.Equal(t, int32(proto.RespNoPermission), response.Code)
	require.Contains(t, response.Remark, "wipeWritePerm")
}

func TestAWipeThatCannotBeKeptIsRefused(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	p.mustRegister(p.broker(0, "TBW102", "orders"))
	w.server.kv.env.Disk = &failingDisk{Disk: w.nsEnv.Disk, failAt: 1}
	response := p.ask(proto.ReqWipeWritePermOfBroker, &proto.WipeWritePermOfBroker{BrokerName: "broker-a"}, nil)
	require.Equal(t, int32(proto.RespSystemError), response.Code)
	require.Equal(t, proto.PermReadWrite, p.route("orders").Queues[0].Perm)
}
