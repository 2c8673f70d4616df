package namesrv

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

// world is a simulated network with a name server on the machine "ns".
type world struct {
	t        *testing.T
	kernel   *sim.Kernel
	ns       *sim.Machine
	nsEnv    env.Env
	server   *Server
	options  Options
	machines int
}

const nsAddress = "10.0.0.1:9876"

func newWorld(t *testing.T, options Options) *world {
	t.Helper()
	return newSeededWorld(t, 1, options)
}

func newSeededWorld(t *testing.T, seed uint64, options Options) *world {
	t.Helper()
	w := newQuietWorld(t, seed, options)
	require.NoError(t, w.boot())
	return w
}

// newQuietWorld has a machine for the name server that is still switched off.
func newQuietWorld(t *testing.T, seed uint64, options Options) *world {
	t.Helper()
	k := sim.New(seed, sim.Options{StepsMax: 2_000_000})
	t.Cleanup(k.Close)
	w := &world{t: t, kernel: k, options: options, machines: 1}
	w.ns = k.AddMachine("ns", netip.MustParseAddr("10.0.0.1"))
	return w
}

// boot switches the machine of the name server on and starts it.
func (w *world) boot() error {
	w.t.Helper()
	w.nsEnv = w.ns.Boot("namesrv")
	server, err := New(w.nsEnv, w.options)
	require.NoError(w.t, err)
	w.server = server
	w.do(w.nsEnv, func() { err = server.Start() })
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

func (w *world) requireHealthy() {
	w.t.Helper()
	if failure := w.kernel.Failure(); failure != nil {
		require.NoError(w.t, failure, failure.Stack)
	}
}

// peer is a machine that talks with the name server over one connection.
type peer struct {
	*world
	machine *sim.Machine
	env     env.Env
	client  *transport.Client
	version int32
	// received are the requests that were sent to this peer's port 10911.
	received []*wire.Command
}

// peer adds a machine with the address 10.0.0.<n>, n from 2 on.
func (w *world) peer() *peer {
	w.t.Helper()
	w.machines++
	name := fmt.Sprintf("peer%d", w.machines)
	p := &peer{world: w, machine: w.kernel.AddMachine(name, netip.AddrFrom4([4]byte{10, 0, 0, byte(w.machines)}))}
	p.restart()
	return p
}

// restart boots the machine, so that the next request goes over a new connection.
func (p *peer) restart() {
	p.env = p.machine.Boot("peer")
	p.client = transport.NewClient(p.env, transport.ClientOptions{})
}

// reconnect leaves the old connection as it is and makes a new one.
func (p *peer) reconnect() { p.client = transport.NewClient(p.env, transport.ClientOptions{}) }

// listen lets the peer take requests as a broker does.
func (p *peer) listen() {
	p.t.Helper()
	server := transport.NewServer(p.env, transport.ServerOptions{Handler: transport.HandlerFunc(func(in *transport.Incoming) {
		p.received = append(p.received, in.Command.Clone())
	})})
	var err error
	p.do(p.env, func() { _, err = server.Listen(":10911") })
	require.NoError(p.t, err)
}

// address is where the peer would be reached if it were a broker.
func (p *peer) address() string { return p.machine.Address().String() + ":10911" }

func (p *peer) haAddress() string { return p.machine.Address().String() + ":10912" }

// ask sends a request and returns the response, whatever its code.
func (p *peer) ask(code int32, header proto.HeaderEncoder, body []byte) *wire.Command {
	p.t.Helper()
	return p.send(&transport.Request{Code: code, Header: header, Body: body, Version: p.version})
}

func (p *peer) send(request *transport.Request) *wire.Command {
	p.t.Helper()
	response, err := p.try(request)
	require.NoError(p.t, err)
	return response
}

func (p *peer) try(request *transport.Request) (response *wire.Command, err error) {
	p.t.Helper()
	p.do(p.env, func() {
		deadline := p.env.Clock.Now().Add(10 * time.Second)
		var conn *transport.Conn
		if conn, err = p.client.Conn(nil, nsAddress, deadline); err == nil {
			response, err = conn.Call(nil, request, deadline)
		}
	})
	return response, err
}

// oneway sends a request that gets no answer, and waits until it must have arrived.
func (p *peer) oneway(request *transport.Request) {
	p.t.Helper()
	var err error
	p.do(p.env, func() { err = p.client.Oneway(nil, nsAddress, request, time.Second) })
	require.NoError(p.t, err)
	p.wait(10 * time.Millisecond)
}

// mustAsk is ask for requests that succeed; it returns the body.
func (p *peer) mustAsk(code int32, header proto.HeaderEncoder, body []byte) []byte {
	p.t.Helper()
	response := p.ask(code, header, body)
	require.Equal(p.t, int32(proto.RespSuccess), response.Code, response.Remark)
	return response.Body
}

// broker is what a test's broker registers.
type broker struct {
	proto.RegisterBroker
	body proto.RegisterBrokerBody
}

// broker makes the registration of this peer as the given member of broker-a, with the given topics.
func (p *peer) broker(id int64, topics ...string) *broker {
	b := &broker{RegisterBroker: proto.RegisterBroker{
		BrokerName: "broker-a", BrokerAddress: p.address(), ClusterName: "DefaultCluster",
		HAAddress: p.haAddress(), BrokerID: id, EnableActingMaster: proto.Some(false),
	}}
	b.body.Table.Version = proto.DataVersion{Timestamp: 1_700_000_000_000, Counter: 1}
	for _, name := range topics {
		b.add(name, 8)
	}
	return b
}

func (b *broker) add(topic string, queues int32) {
	b.body.Table.Topics = append(b.body.Table.Topics,
		proto.TopicConfig{Name: topic, ReadQueues: queues, WriteQueues: queues, Perm: proto.PermReadWrite})
}

// register sends a registration in the plain form.
func (p *peer) register(b *broker) *wire.Command {
	p.t.Helper()
	body := b.body.Marshal()
	b.BodyChecksum = proto.BodyChecksum(body)
	return p.ask(proto.ReqRegisterBroker, &b.RegisterBroker, body)
}

func (p *peer) mustRegister(b *broker) *wire.Command {
	p.t.Helper()
	response := p.register(b)
	require.Equal(p.t, int32(proto.RespSuccess), response.Code, response.Remark)
	return response
}

// route asks for the route of a topic; nil if there is none.
func (p *peer) route(topic string) *proto.Route {
	p.t.Helper()
	response := p.ask(proto.ReqGetRouteInfoByTopic, &proto.GetRouteInfoByTopic{Topic: topic}, nil)
	if response.Code == proto.RespTopicNotExist {
		return nil
	}
	require.Equal(p.t, int32(proto.RespSuccess), response.Code, response.Remark)
	route, err := proto.UnmarshalRoute(response.Body)
	require.NoError(p.t, err)
	return route
}

// members asks for the addresses of broker-a by id.
func (p *peer) members() map[int64]string {
	p.t.Helper()
	body := p.mustAsk(proto.ReqGetBrokerMemberGroup, &proto.GetBrokerMemberGroup{ClusterName: "DefaultCluster", BrokerName: "broker-a"}, nil)
	group, err := proto.UnmarshalBrokerMemberGroup(body)
	require.NoError(p.t, err)
	members := map[int64]string{}
	for _, a := range group.Addresses {
		members[a.ID] = a.Address
	}
	return members
}
