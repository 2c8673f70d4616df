package broker_test

import (
	"fmt"
	"net/netip"
	"strings"
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

// memberGroup is a controller, and two brokers whose roles it decides. The first one that starts is master.
type memberGroup struct {
	*group
	machines [2]*sim.Machine
	envs     [2]env.Env
	members  [2]*broker.Member
}

func newMemberGroup(t *testing.T) *memberGroup {
	t.Helper()
	g := &memberGroup{group: &group{world: &world{t: t, kernel: sim.New(1, sim.Options{})}}}
	t.Cleanup(g.kernel.Close)
	g.Cluster = cluster.New(g.kernel, cluster.Config{NameServers: 1, Controllers: 1})
	_, g.asker = g.AddClient()
	g.Start()
	for i := range g.machines {
		g.machines[i] = g.kernel.AddMachine(fmt.Sprint("member", i), netip.AddrFrom4([4]byte{10, 0, 5, byte(i + 1)}))
	}
	g.run(0)
	g.soon(func() bool { return g.notReady(0) == "" })
	return g
}

// run starts a broker.
func (g *memberGroup) run(i int, change ...func(*broker.Options)) {
	g.t.Helper()
	o := options()
	o.Name, o.AdvertisedIP, o.NameServers = "broker0", g.machines[i].Address(), g.NameServerAddresses()
	o.Listen, o.Replication.Listen, o.Replication.BytesPerSecond = ":10911", ":10912", slowly
	o.Membership.Controllers = []string{g.controller()}
	for _, c := range change {
		c(&o)
	}
	g.envs[i] = g.machines[i].Boot("broker")
	var err error
	g.members[i], err = broker.NewMember(g.envs[i], o)
	require.NoError(g.t, err)
	started := false
	g.envs[i].Tasks.Go("start", func() { err = g.members[i].Start(); started = true })
	g.soon(func() bool { return started })
	require.NoError(g.t, err)
}

func (g *memberGroup) controller() string {
	return netip.AddrPortFrom(g.Controllers[0].Machine.Address(), 9878).String()
}

// notReady is what monitoring is told of a broker, by its page and by its measurements.
func (g *memberGroup) notReady(i int) string {
	g.t.Helper()
	why := g.members[i].NotReady()
	if b := g.members[i].Broker(); b == nil || b.Store() == nil {
		return why
	}
	var m *broker.Measurement
	g.envs[i].Tasks.Go("measure", func() { m = g.members[i].Measure(); why = g.members[i].NotReady() })
	g.soon(func() bool { return m != nil })
	if why == "" {
		requireValue(g.t, 1, m.Snapshot(), "gantry_ready")
	} else {
		requireValue(g.t, 0, m.Snapshot(), "gantry_ready")
	}
	return why
}

// tell sends a request, which must succeed.
func (g *memberGroup) tell(address string, request *transport.Request) {
	g.t.Helper()
	done := false
	g.asker.Tasks.Go("tell", func() {
		_, err := transport.NewClient(g.asker, transport.ClientOptions{}).Call(nil, address, request, 10*time.Second)
		require.NoError(g.t, err)
		done = true
	})
	g.soon(func() bool { return done })
}

// fill gives the master so many seconds of log to send.
func (g *memberGroup) fill(seconds int) {
	for range 2 * seconds {
		g.tell("10.0.5.1:10911", sendRequest("orders", 0, strings.Repeat("x", slowly/2), ""))
	}
}

// Who stops one broker after the other waits until each is ready. Here the first one alone has what was acknowledged.
func TestACopyIsReadyOnlyWhenItIsInSync(t *testing.T) {
	g := newMemberGroup(t)
	g.fill(10)
	g.run(1)
	g.soon(func() bool { return strings.Contains(g.notReady(1), "in-sync set") })
	require.Regexp(t, `^this copy is not in the in-sync set of its master, and could not take its place: it lacks [1-9]\d{5} bytes of the log\. Stop no other broker of broker0 before`, g.notReady(1))
	g.pass(5 * time.Second)
	require.Contains(t, g.notReady(1), "in-sync set")
	g.soon(func() bool { return g.notReady(1) == "" })
	master, copied := g.members[0].Broker().Store(), g.members[1].Broker().Store()
	require.Equal(t, master.Confirmed(), copied.Flushed())
	set, _ := g.members[0].Broker().Leader().Set()
	require.Len(t, set, 2)
	require.Empty(t, g.notReady(0))
}

func TestACopyThatFallsBehindIsNotReadyUntilItIsInSyncAgain(t *testing.T) {
	g := newMemberGroup(t)
	g.run(1)
	g.soon(func() bool { return g.notReady(1) == "" })
	g.machines[1].Crash(sim.PowerLoss)
	g.fill(5)
	g.run(1)
	for range 10 {
		g.pass(300 * time.Millisecond)
		require.NotEmpty(t, g.notReady(1))
	}
	g.soon(func() bool { return g.notReady(1) == "" })
}

// It never enters the set.
func TestACopyThatOnlyLearnsIsReadyWhenItFollows(t *testing.T) {
	g := newMemberGroup(t)
	g.run(1, func(o *broker.Options) { o.Replication.Learner = true })
	g.soon(func() bool { return g.notReady(1) == "" })
	set, _ := g.members[0].Broker().Leader().Set()
	require.Len(t, set, 1)
}

// Without controllers nobody takes the place of a master that is stopped.
func TestACopyThatTheControllersDoNotAnswerIsNotReady(t *testing.T) {
	g := newMemberGroup(t)
	g.run(1)
	g.soon(func() bool { return g.notReady(1) == "" })
	g.Controllers[0].Crash(sim.PowerLoss)
	g.pass(4 * time.Second)
	require.Contains(t, g.members[1].NotReady(), "the controllers have not answered this copy for ")
	require.Contains(t, g.members[1].NotReady(), "see that those in controllerAddr ([10.0.4.1:9878]) run and can be reached")
	g.Controllers[0].Start()
	g.soon(func() bool { return g.members[1].NotReady() == "" })
}

func TestABrokerThatTheControllersHaveForgottenSaysWhatToDo(t *testing.T) {
	g := newMemberGroup(t)
	g.run(1)
	g.soon(func() bool { return g.notReady(1) == "" })
	g.tell(g.controller(), &transport.Request{Code: proto.ReqCleanBrokerData, Header: &proto.CleanBrokerData{BrokerName: "broker0", LivingToo: true}})
	g.pass(2 * time.Second)
	for _, m := range g.members {
		require.Contains(t, m.NotReady(), "the controllers do not register this broker: ")
		require.Contains(t, m.NotReady(), "remove brokerIdentity from its directory and start it again")
	}
	g.Controllers[0].Crash(sim.PowerLoss)
	g.pass(2 * time.Second)
	require.Contains(t, g.members[0].NotReady(), "no controller has registered this broker yet")
}
