package controller

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// world is a simulated network with controllers on the machines c0, c1 …
type world struct {
	t       *testing.T
	kernel  *sim.Kernel
	nodes   []*node
	options Options
	clients int
}

// node is a controller on its machine.
type node struct {
	machine *sim.Machine
	env     env.Env
	server  *Server
}

func newWorld(t *testing.T, controllers int, options Options) *world {
	t.Helper()
	return newSeededWorld(t, 1, controllers, options)
}

func newSeededWorld(t *testing.T, seed uint64, controllers int, options Options) *world {
	t.Helper()
	w := newQuietWorld(t, seed, controllers, options)
	for i := range w.nodes {
		require.NoError(t, w.boot(i))
	}
	return w
}

// newQuietWorld has machines that are still switched off.
func newQuietWorld(t *testing.T, seed uint64, controllers int, options Options) *world {
	t.Helper()
	k := sim.New(seed, sim.Options{StepsMax: 5_000_000})
	t.Cleanup(k.Close)
	w := &world{t: t, kernel: k, options: options}
	for i := range controllers {
		address := netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)})
		w.nodes = append(w.nodes, &node{machine: k.AddMachine(fmt.Sprint("c", i), address)})
		w.options.Peers = append(w.options.Peers, Peer{ID: fmt.Sprint("n", i), Address: address.String() + ":9878"})
	}
	return w
}

// boot switches a machine on and starts its controller.
func (w *world) boot(i int) error {
	w.t.Helper()
	n := w.nodes[i]
	n.env = n.machine.Boot("controller")
	options := w.options
	options.Self = fmt.Sprint("n", i)
	server, err := New(n.env, options)
	require.NoError(w.t, err)
	n.server = server
	w.do(n.env, func() { err = server.Start() })
	return err
}

// do runs fn as a task and returns when it has ended.
func (w *world) do(e env.Env, fn func()) {
	w.t.Helper()
	over := false
	e.Tasks.Go("test", func() {
		fn()
		over = true
	})
	finished := w.kernel.Run(w.kernel.Now().Add(time.Minute), func() bool { return over })
	w.requireHealthy()
	require.True(w.t, finished, "the task did not end within a minute")
}

// wait lets time pass.
func (w *world) wait(d time.Duration) {
	w.t.Helper()
	w.kernel.Run(w.kernel.Now().Add(d), nil)
	w.requireHealthy()
}

// await lets time pass until something is so.
func (w *world) await(limit time.Duration, what string, is func() bool) {
	w.t.Helper()
	reached := w.kernel.Run(w.kernel.Now().Add(limit), is)
	w.requireHealthy()
	require.True(w.t, reached, "%s did not happen within %s", what, limit)
}

func (w *world) requireHealthy() {
	w.t.Helper()
	if failure := w.kernel.Failure(); failure != nil {
		require.NoError(w.t, failure, failure.Stack)
	}
}

// leading is the node that leads, or nil.
func (w *world) leading() *node {
	for _, n := range w.nodes {
		if n.machine.Up() && n.server.Status().State == "leader" {
			return n
		}
	}
	return nil
}

// leader waits until a controller leads.
func (w *world) leader() *node {
	w.t.Helper()
	w.await(5*time.Second, "the election of a leader", func() bool { return w.leading() != nil })
	return w.leading()
}

// broker is a machine that talks with controllers as a broker or tool.
type broker struct {
	*world
	machine     *sim.Machine
	env         env.Env
	client      *transport.Client
	name        string
	id          int64
	incarnation int64
	received    []*wire.Command // at its own port
}

// broker adds a machine for a member of the group "broker-a".
func (w *world) broker(id int64) *broker {
	w.t.Helper()
	w.clients++
	b := &broker{world: w, name: "broker-a", id: id, incarnation: 1}
	b.machine = w.kernel.AddMachine(fmt.Sprint("b", w.clients), netip.AddrFrom4([4]byte{10, 0, 1, byte(w.clients)}))
	b.env = b.machine.Boot("broker")
	b.client = transport.NewClient(b.env, transport.ClientOptions{})
	server := transport.NewServer(b.env, transport.ServerOptions{Handler: transport.HandlerFunc(func(in *transport.Incoming) {
		b.received = append(b.received, in.Command.Clone())
	})})
	b.do(b.env, func() {
		_, err := server.Listen(":10911")
		require.NoError(w.t, err)
	})
	return b
}

func (b *broker) address() string { return b.machine.Address().String() + ":10911" }

// askAt sends a request to one controller and returns the response, whatever its code.
func (b *broker) askAt(n *node, code int32, header proto.HeaderEncoder, body []byte) *wire.Command {
	b.t.Helper()
	var response *wire.Command
	var err error
	b.do(b.env, func() {
		deadline := b.env.Clock.Now().Add(10 * time.Second)
		var conn *transport.Conn
		if conn, err = b.client.Conn(nil, netip.AddrPortFrom(n.machine.Address(), 9878).String(), deadline); err == nil {
			response, err = conn.Call(nil, &transport.Request{Code: code, Header: header, Body: body}, deadline)
		}
	})
	require.NoError(b.t, err)
	return response
}

// ask asks the leader.
func (b *broker) ask(code int32, header proto.HeaderEncoder, body []byte) *wire.Command {
	b.t.Helper()
	return b.askAt(b.leader(), code, header, body)
}

func (b *broker) mustAsk(code int32, header proto.HeaderEncoder, body []byte) *wire.Command {
	b.t.Helper()
	response := b.ask(code, header, body)
	require.Equal(b.t, int32(proto.RespSuccess), response.Code, response.Remark)
	return response
}

// join applies for the id and registers.
func (b *broker) join() *proto.MasterInfo {
	b.t.Helper()
	b.mustAsk(proto.ReqControllerApplyBrokerID, &proto.ApplyBrokerID{ClusterName: "c", BrokerName: b.name, BrokerID: b.id, CheckCode: b.address()}, nil)
	return b.register(true, 0, 0)
}

// register registers the present incarnation.
func (b *broker) register(whole bool, epoch int32, end int64) *proto.MasterInfo {
	b.t.Helper()
	response := b.mustAsk(proto.ReqControllerRegisterBroker, b.registration(whole, epoch, end), nil)
	var h proto.RegisterToControllerResponse
	require.NoError(b.t, h.DecodeFields(response.Fields))
	return &h.MasterInfo
}

func (b *broker) registration(whole bool, epoch int32, end int64) *proto.RegisterToController {
	return &proto.RegisterToController{
		ClusterName: "c", BrokerName: b.name, BrokerID: b.id, BrokerAddress: b.address(), HAAddress: b.machine.Address().String() + ":10912",
		Incarnation: proto.Some(b.incarnation), Whole: whole, LastEpoch: epoch, LogEnd: end,
	}
}

func (b *broker) heartbeatOf(epoch int32, end int64) *proto.BrokerHeartbeat {
	return &proto.BrokerHeartbeat{
		ClusterName: "c", BrokerName: b.name, BrokerAddress: b.address(), BrokerID: proto.Some(b.id), Incarnation: proto.Some(b.incarnation),
		Epoch: proto.Some(epoch), MaxOffset: proto.Some(end), SentAt: int64(b.env.Clock.Now()),
	}
}

// beat sends a heartbeat and returns the answer.
func (b *broker) beat(epoch int32, end int64) *proto.BrokerHeartbeatResponse {
	b.t.Helper()
	response := b.mustAsk(proto.ReqBrokerHeartbeat, b.heartbeatOf(epoch, end), nil)
	var h proto.BrokerHeartbeatResponse
	require.NoError(b.t, h.DecodeFields(response.Fields))
	return &h
}

// beating is a task that sends heartbeats for a while, to whoever leads, and does not care for answers.
func (b *broker) beating(epoch int32, end int64) (stop func()) {
	over := false
	b.env.Tasks.Go("beat", func() {
		for !over {
			if n := b.leading(); n != nil {
				address := netip.AddrPortFrom(n.machine.Address(), 9878).String()
				_, _ = b.client.Call(nil, address, &transport.Request{Code: proto.ReqBrokerHeartbeat, Header: b.heartbeatOf(epoch, end)}, 200*time.Millisecond)
			}
			b.env.Tasks.Sleep(200 * time.Millisecond)
		}
	})
	return func() { over = true }
}

// group is what the leader has agreed upon of broker-a.
func (w *world) group() *group {
	w.t.Helper()
	g := w.leader().server.state.groups["broker-a"]
	require.NotNil(w.t, g)
	return g
}

// set reads the body of an answer.
func setIn(t *testing.T, response *wire.Command) *proto.SyncStateSet {
	t.Helper()
	set, err := proto.UnmarshalSyncStateSet(response.Body)
	require.NoError(t, err)
	return set
}
