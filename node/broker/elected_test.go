package broker_test

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/replica"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// electedGroup is a master and a copy whose roles the test decides, as controllers would. The clients' world is that of the master.
type electedGroup struct {
	*world
	other    *sim.Machine
	copy     *broker.Broker
	reopened int
	said     *observer.ObservedLogs // what the copy has said since it follows, from warnings on
	change   []func(*broker.Options)
}

// asMaster are the options of the master of an epoch, whose in-sync set is itself.
func asMaster(epoch replica.Epoch) func(*broker.Options) {
	return func(o *broker.Options) {
		o.Role, o.ID = broker.ElectedMaster, 0
		o.Replication = broker.Replication{Listen: ":10912", BehindFor: 400 * time.Millisecond, SilenceMax: 6 * time.Second, WaitFor: 500 * time.Millisecond}
		o.Store.ReplicaTimeout = 200 * time.Millisecond
		o.Election = &broker.Election{
			ID: 1, Incarnation: 1, Epoch: epoch, Set: replica.NewSet(1), SetEpoch: 1, Reopen: func() {}, Notified: func() {},
			Change: func(want replica.Set, setEpoch int32, _ int64, _ []replica.Copy) (replica.Set, int32, error) {
				return want, setEpoch + 1, nil
			},
		}
	}
}

func newElectedGroup(t *testing.T, change ...func(*broker.Options)) *electedGroup {
	t.Helper()
	g := &electedGroup{world: prepareWorld(t, append(change, asMaster(1))...), change: change}
	g.other = g.kernel.AddMachine("other", netip.MustParseAddr("10.0.0.3"))
	g.start()
	g.prove()
	return g
}

// prove keeps the master's lease.
func (g *electedGroup) prove() {
	g.broker.Prove(g.kernel.Now().Add(time.Hour))
	g.pass(100 * time.Millisecond)
}

// follow starts the copy in an epoch.
func (g *electedGroup) follow(epoch replica.Epoch) {
	g.t.Helper()
	if g.other.Up() {
		g.other.Crash(sim.KillProcess)
	}
	o := options()
	for _, change := range g.change {
		change(&o)
	}
	asMaster(epoch)(&o)
	o.Role, o.ID, o.AdvertisedIP, o.SlaveRead = broker.ElectedCopy, 2, g.other.Address(), true
	o.Election.ID, o.Election.MasterHA = 2, "10.0.0.1:10912"
	o.Election.Reopen = func() { g.reopened++ }
	e := g.other.Boot("copy")
	core, logged := observer.New(zap.WarnLevel)
	e.Log, g.said = zap.New(core), logged
	var err error
	g.copy, err = broker.New(e, o)
	require.NoError(g.t, err)
	e.Tasks.Go("start", func() { err = g.copy.Start() })
	g.pass(time.Second)
	require.NoError(g.t, err)
}

func (g *electedGroup) requireEqual() {
	g.t.Helper()
	g.pass(2 * time.Second)
	require.Equal(g.t, g.broker.Store().Confirmed(), g.copy.Store().Confirmed(), "%v and %v", g.broker.Store(), g.copy.Store())
	require.Equal(g.t, g.broker.Store().End(), g.broker.Store().Confirmed())
	if g.broker.Store().End() > 0 {
		// An era comes with its first bytes.
		require.Equal(g.t, g.broker.Epochs().String(), g.copy.Epochs().String())
	}
}

func TestACopyEntersTheSetAndHasWhatIsAcknowledged(t *testing.T) {
	g := newElectedGroup(t)
	g.succeeds(sendRequest("orders", 0, "alone", ""))
	g.follow(1)
	g.requireEqual()
	set, _ := g.broker.Leader().Set()
	require.Equal(t, replica.NewSet(1, 2), set)
	g.succeeds(sendRequest("orders", 0, "both", ""))
	require.Equal(t, g.broker.Store().Confirmed(), g.copy.Store().Flushed(), "it is on both disks when it is answered")
	g.pass(100 * time.Millisecond)
	_, end := g.copy.Store().Bounds(store.QueueKey{Topic: "orders"})
	require.EqualValues(t, 2, end, "also what was sent before it came")
	g.succeeds(updateGroupRequest("g", nil))
	g.succeeds(commitRequest("g", "orders", 0, 1))
	content, ok := g.other.Disk().Content("config/consumerOffset.journal")
	require.True(t, ok)
	own, _ := g.machine.Disk().Content("config/consumerOffset.journal")
	require.Equal(t, own, content, "a commit that was answered is at the copy")
}

func TestWithoutItsCopyAMasterDoesNotAcknowledge(t *testing.T) {
	g := newElectedGroup(t)
	g.follow(1)
	g.requireEqual()
	set, _ := g.broker.Leader().Set()
	require.Equal(t, replica.NewSet(1, 2), set)
	g.succeeds(sendRequest("orders", 0, "makes the topic", ""))
	g.other.Pause(time.Minute)
	answer := g.call(sendRequest("orders", 0, "nobody else has it", ""))
	require.EqualValues(t, proto.RespFlushSlaveTimeout, answer.Code, answer.Remark)
	require.Contains(t, g.broker.NotReady(), "copies have not confirmed messages for 2", "monitoring hears of it")
	g.pass(time.Second)
	require.Empty(t, g.broker.NotReady())
	set, _ = g.broker.Leader().Set()
	require.Equal(t, replica.NewSet(1), set, "who does not keep up leaves the set")
	g.succeeds(sendRequest("orders", 0, "alone", ""))
}

func TestWhatAConsumerSendsToItsRetryTopicIsRefusedUntilCopiesHaveIt(t *testing.T) {
	g := newElectedGroup(t)
	g.follow(1)
	g.requireEqual()
	g.succeeds(updateGroupRequest("g", nil))
	send := sendRequest("%RETRY%g", 0, "failed", "RETRY_TOPIC\x01orders\x02")
	g.succeeds(send)
	g.other.Pause(time.Minute)
	answer := g.call(send)
	require.EqualValues(t, proto.RespSystemError, answer.Code, "consumers take every status for a success")
	require.Contains(t, answer.Remark, "replicas timed out")
	g.pass(time.Second)
	g.succeeds(send)
}

func TestAMasterWithoutALeaseSaysNothingThatAnotherOneMayKnowBetter(t *testing.T) {
	g := newElectedGroup(t)
	g.succeeds(sendRequest("orders", 0, "hello", ""))
	g.succeeds(updateGroupRequest("g", nil))
	g.broker.Disown()
	require.Equal(t, []string{"hello"}, bodies(t, g.succeeds(pullRequest("orders", 0, 0, 0, "*"))))
	require.EqualValues(t, proto.RespSystemBusy, g.call(pullRequest("orders", 0, 1, 0, "*")).Code, "there may be more elsewhere")
	require.EqualValues(t, proto.RespSystemBusy, g.call(commitRequest("g", "orders", 0, 1)).Code)
	require.EqualValues(t, proto.RespFlushSlaveTimeout, g.call(sendRequest("orders", 0, "more", "")).Code, "alone, it cannot prove that it is master")
	g.prove()
	require.EqualValues(t, proto.RespPullNotFound, g.call(pullRequest("orders", 0, 2, 0, "*")).Code)
}

func TestToolsSeeTheCopiesOfAnElectedMaster(t *testing.T) {
	g := newElectedGroup(t)
	g.succeeds(sendRequest("orders", 0, "hello", ""))
	g.follow(1)
	g.requireEqual()
	end := int64(g.broker.Store().End())
	status, err := proto.UnmarshalCopiesStatus(g.succeeds(copiesRequest()).Body)
	require.NoError(t, err)
	require.True(t, status.Master)
	require.EqualValues(t, 2, status.Needed, "as many as are in sync")
	require.EqualValues(t, 1, status.InSync)
	require.Len(t, status.Slaves, 1)
	require.Regexp(t, `^10\.0\.0\.3:`, status.Slaves[0].Address)
	require.Equal(t, []int64{end, 0, end, 0}, []int64{status.Slaves[0].Acked, status.Slaves[0].Behind, status.Slaves[0].Sent, status.Slaves[0].LagMillis})
	require.True(t, status.Slaves[0].InSync)

	copied := g.atCopy(copiesRequest())
	status, err = proto.UnmarshalCopiesStatus(copied.Body)
	require.NoError(t, err)
	require.False(t, status.Master)
	require.Equal(t, "10.0.0.1:10912", status.Following.Master)
	require.True(t, status.Following.Connected)
	require.Equal(t, end, status.Following.LogEnd)
	require.Positive(t, status.Following.ReadAt)
	require.Positive(t, status.Following.WroteAt)

	epochs, err := proto.UnmarshalEpochCache(g.succeeds(&transport.Request{Code: proto.ReqGetBrokerEpochCache}).Body)
	require.NoError(t, err)
	require.Equal(t, []proto.Epoch{{Number: 1, Start: 0, End: math.MaxInt64}}, epochs.Epochs)
	require.Equal(t, end, epochs.LogEnd)
	require.EqualValues(t, 1, epochs.BrokerID)
}

func TestABrokerWhoseRoleIsConfiguredHasNoEpochsAndCannotBeDrained(t *testing.T) {
	w := newWorld(t)
	w.refused(&transport.Request{Code: proto.ReqGetBrokerEpochCache}, proto.RespSystemError, "the role of this broker is configured (brokerRole=ASYNC_MASTER)")
	w.refused(&transport.Request{Code: proto.ReqDrainBroker, Header: &proto.DrainBroker{}}, proto.RespSystemError, "take its write permission (wipeWritePerm)")
}

// atCopy sends a request to the copy.
func (g *electedGroup) atCopy(request *transport.Request) *wire.Command {
	g.t.Helper()
	var response *wire.Command
	g.run(func() {
		c := transport.NewClient(g.clientEnv(), transport.ClientOptions{})
		defer c.Close()
		var err error
		response, err = c.Call(nil, "10.0.0.3:10911", request, time.Second)
		require.NoError(g.t, err)
	})
	return response
}

// The copy has what consumers have seen there, and an election by hand has taken a master that does not have it.
func TestACopyStartsAgainToCutOffWhatConsumersMayHaveSeen(t *testing.T) {
	g := newElectedGroup(t)
	for i := range 5 {
		g.succeeds(sendRequest("orders", 0, fmt.Sprint("shared ", i), ""))
	}
	g.follow(1)
	g.requireEqual()
	for i := range 5 {
		g.succeeds(sendRequest("orders", 0, fmt.Sprint("kept by the copy only ", i), ""))
	}
	g.pass(2 * time.Second)
	lost := g.copy.Store().End()
	// The master gets an older disk: its log ends sooner.
	g.machine.Crash(sim.KillProcess)
	g.machine.ReplaceDisk()
	asMaster(2)(&g.options)
	g.start()
	g.prove()
	g.succeeds(sendRequest("orders", 0, "of the new master", ""))
	g.follow(2)
	require.Positive(t, g.reopened, "what was shown is not cut off while it is open")
	plan, ok := g.other.Disk().Content("cutPlan.json")
	require.True(t, ok, "the next start does it")
	require.Contains(t, string(plan), `"anew":true`)
	g.follow(2)
	g.requireEqual()
	require.Less(t, g.copy.Store().End(), lost)
	_, end := g.copy.Store().Bounds(store.QueueKey{Topic: "orders"})
	require.EqualValues(t, 1, end)
}

// A broker comes late that was the configured master: it has messages that the first elected one lacks, and may have acknowledged them.
func TestWhatWasWrittenBeforeThereWereControllersIsNotCutOff(t *testing.T) {
	g := &electedGroup{world: newWorld(t)}
	g.other = g.kernel.AddMachine("other", netip.MustParseAddr("10.0.0.3"))
	g.succeeds(sendRequest("orders", 0, "both have it", ""))
	g.machine.Crash(sim.KillProcess)
	asMaster(1)(&g.options)
	g.start()
	g.prove()
	g.follow(1)
	g.pass(time.Second)
	g.other.Crash(sim.KillProcess)
	o := options()
	o.AdvertisedIP = g.other.Address()
	e := g.other.Boot("copy")
	var err error
	g.copy, err = broker.New(e, o)
	require.NoError(t, err)
	e.Tasks.Go("start", func() { err = g.copy.Start() })
	g.pass(time.Second)
	require.NoError(t, err)
	require.EqualValues(t, proto.RespSuccess, g.atCopy(sendRequest("orders", 0, "only the old master has it", "")).Code)
	end := g.copy.Store().Flushed()
	require.Greater(t, end, g.broker.Store().End())
	g.follow(1)
	g.pass(2 * time.Second)
	require.Equal(t, end, g.copy.Store().End())
	said := false
	for _, entry := range g.said.All() {
		said = said || strings.Contains(fmt.Sprint(entry.ContextMap()["error"]), "was written before the group had controllers")
	}
	require.True(t, said, "%v", g.said.All())
}

func TestACopyOfAnotherEpochIsNotTaken(t *testing.T) {
	g := newElectedGroup(t)
	g.follow(3)
	g.pass(2 * time.Second)
	require.Zero(t, len(g.broker.Leader().Copies()))
	require.Zero(t, g.copy.Store().End())
}
