package controller

import (
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/node/guard"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/signature"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// masterOf is what an answer says of the master.
func masterOf(t *testing.T, response *wire.Command) *proto.MasterInfo {
	t.Helper()
	h := new(proto.MasterInfo)
	require.NoError(t, h.DecodeFields(response.Fields))
	return h
}

// trio is three brokers of which the first is master and all are in sync. They send heartbeats until stopped.
func trio(t *testing.T, w *world) (brokers []*broker, stops []func()) {
	t.Helper()
	for id := int64(1); id <= 3; id++ {
		b := w.broker(id)
		b.join()
		brokers = append(brokers, b)
		stops = append(stops, b.beating(0, 100-10*id))
	}
	w.await(5*time.Second, "the first election", func() bool { g := w.leader().server.state.groups["broker-a"]; return g.Master == 1 })
	brokers[0].mustAsk(proto.ReqControllerAlterSyncStateSet, &proto.AlterSyncStateSet{BrokerName: "broker-a", MasterID: 1, MasterEpoch: 1},
		(&proto.SyncStateSet{BrokerIDs: []int64{1, 2, 3}, Epoch: 1}).Marshal())
	return brokers, stops
}

func TestBrokersGetIdsAndRegister(t *testing.T) {
	w := newWorld(t, 1, Options{})
	b := w.broker(1)
	next := func() int64 {
		var h proto.GetNextBrokerIDResponse
		require.NoError(t, h.DecodeFields(b.mustAsk(proto.ReqControllerGetNextBrokerID, &proto.GetNextBrokerID{ClusterName: "c", BrokerName: "broker-a"}, nil).Fields))
		require.Equal(t, "c broker-a", h.ClusterName+" "+h.BrokerName)
		return h.NextBrokerID
	}
	require.Equal(t, int64(1), next())
	apply := &proto.ApplyBrokerID{ClusterName: "c", BrokerName: "broker-a", BrokerID: 1, CheckCode: "me"}
	b.mustAsk(proto.ReqControllerApplyBrokerID, apply, nil)
	b.mustAsk(proto.ReqControllerApplyBrokerID, apply, nil)
	apply.CheckCode = "another"
	require.EqualValues(t, proto.RespControllerBrokerIDInvalid, b.ask(proto.ReqControllerApplyBrokerID, apply, nil).Code)
	require.Equal(t, int64(2), next())

	require.EqualValues(t, proto.RespControllerBrokerNeedToBeRegistered, b.ask(proto.ReqBrokerHeartbeat, b.heartbeatOf(0, 0), nil).Code, "it has an id and nothing more")
	response := b.mustAsk(proto.ReqControllerRegisterBroker, b.registration(true, 0, 0), nil)
	require.Equal(t, &proto.SyncStateSet{}, setIn(t, response))
	require.False(t, masterOf(t, response).BrokerID.Set)
	b.incarnation = 0
	require.EqualValues(t, proto.RespControllerBrokerNeedToBeRegistered, b.ask(proto.ReqBrokerHeartbeat, b.heartbeatOf(0, 0), nil).Code, "an incarnation that is over")
}

func TestWhatTheMasterIsToldAndWhatOthersAre(t *testing.T) {
	w := newWorld(t, 3, Options{})
	brokers, _ := trio(t, w)
	answer := brokers[0].beat(1, 90)
	require.Equal(t, proto.MasterInfo{BrokerID: proto.Some[int64](1), Address: brokers[0].address(), HAAddress: brokers[0].machine.Address().String() + ":10912", Epoch: 1, SetEpoch: 2}, answer.MasterInfo)
	require.Equal(t, int64(1500), answer.LiveForMillis)

	var h proto.GetReplicaInfoResponse
	response := brokers[1].mustAsk(proto.ReqControllerGetReplicaInfo, &proto.GetReplicaInfo{BrokerName: "broker-a"}, nil)
	require.NoError(t, h.DecodeFields(response.Fields))
	require.Equal(t, brokers[0].address(), h.MasterAddress)
	require.Equal(t, &proto.SyncStateSet{BrokerIDs: []int64{1, 2, 3}, Epoch: 2}, setIn(t, response))

	info, err := proto.UnmarshalBrokerReplicasInfo(brokers[0].mustAsk(proto.ReqControllerGetSyncStateData, nil, proto.BrokerNames{"broker-a", "nobody", "broker-a"}.Marshal()).Body)
	require.NoError(t, err)
	require.Len(t, info.Groups, 1)
	require.Len(t, info.Groups[0].InSync, 3)
	require.True(t, info.Groups[0].InSync[2].Alive)
	require.EqualValues(t, proto.RespControllerBrokerMetadataNotExist, brokers[0].ask(proto.ReqControllerGetReplicaInfo, &proto.GetReplicaInfo{BrokerName: "nobody"}, nil).Code)
}

func TestOnlyTheLeaderAnswersAndAllKnowIt(t *testing.T) {
	w := newWorld(t, 3, Options{})
	b := w.broker(1)
	leader := w.leader()
	w.wait(300 * time.Millisecond)
	for i, n := range w.nodes {
		var h proto.GetMetadataInfoResponse
		require.NoError(t, h.DecodeFields(b.askAt(n, proto.ReqControllerGetMetadataInfo, nil, nil).Fields))
		require.Equal(t, n == leader, h.IsLeader)
		require.Equal(t, leader.server.Status().Self, h.LeaderID)
		require.Equal(t, "n0:10.0.0.1:9878;n1:10.0.0.2:9878;n2:10.0.0.3:9878", h.Peers)
		require.Equal(t, "DefaultControllerGroup", h.Group)
		if n != leader {
			response := b.askAt(n, proto.ReqControllerGetNextBrokerID, &proto.GetNextBrokerID{ClusterName: "c", BrokerName: "x"}, nil)
			require.EqualValues(t, proto.RespControllerNotLeader, response.Code, "controller %d", i)
			require.Contains(t, response.Remark, h.LeaderAddress+" leads: ask there")
		}
	}
}

func TestAToolElectsWhoIsInSyncAfterTheLeaseOfTheMaster(t *testing.T) {
	w := newWorld(t, 3, Options{})
	brokers, _ := trio(t, w)
	elect := func(id int64) *wire.Command {
		return brokers[2].ask(proto.ReqControllerElectMaster, &proto.ElectMaster{ClusterName: "c", BrokerName: "broker-a", BrokerID: id, Designated: true}, nil)
	}
	require.EqualValues(t, proto.RespControllerMasterStillExist, elect(1).Code)
	require.EqualValues(t, proto.RespControllerBrokerNeedToBeRegistered, elect(9).Code)
	lease := brokers[0].beat(1, 90)
	began := w.kernel.Now()
	response := elect(2)
	require.EqualValues(t, proto.RespSuccess, response.Code, response.Remark)
	require.GreaterOrEqual(t, w.kernel.Now().Sub(began), time.Duration(lease.LiveForMillis-200)*time.Millisecond)
	require.Equal(t, proto.Some[int64](2), masterOf(t, response).BrokerID)
	body, err := proto.UnmarshalElectedMaster(response.Body)
	require.NoError(t, err)
	require.Equal(t, []int64{1, 2, 3}, body.InSyncIDs, "the set is kept")
	require.Len(t, body.Group.Addresses, 3)
}

func TestWhileAToolsElectionIsUnderWayTheMasterIsPromisedNothing(t *testing.T) {
	w := newWorld(t, 1, Options{})
	brokers, _ := trio(t, w)
	brokers[0].beat(1, 90)
	over := false
	brokers[1].env.Tasks.Go("elect", func() {
		_, err := brokers[1].client.Call(nil, "10.0.0.1:9878", &transport.Request{Code: proto.ReqControllerElectMaster,
			Header: &proto.ElectMaster{ClusterName: "c", BrokerName: "broker-a", BrokerID: 2, Designated: true}}, 10*time.Second)
		require.NoError(t, err)
		over = true
	})
	w.wait(50 * time.Millisecond)
	require.Zero(t, brokers[0].beat(1, 90).LiveForMillis)
	w.await(2*time.Second, "the election", func() bool { return over })
}

func TestAMasterHandsOverAtOnceIfItCountsOnNothing(t *testing.T) {
	w := newWorld(t, 3, Options{})
	brokers, stops := trio(t, w)
	stops[0]()
	w.wait(300 * time.Millisecond)
	brokers[0].beat(1, 90)
	began := w.kernel.Now()
	header := &proto.ElectMaster{ClusterName: "c", BrokerName: "broker-a", BrokerID: proto.NoBroker, InsteadOf: proto.Some[int64](1), SentAt: int64(brokers[0].env.Clock.Now())}
	header.Incarnation = proto.Some[int64](7)
	require.EqualValues(t, proto.RespControllerInvalidMaster, brokers[0].ask(proto.ReqControllerElectMaster, header, nil).Code, "another start of its process has sent it")
	header.Incarnation = proto.Some[int64](1)
	response := brokers[0].mustAsk(proto.ReqControllerElectMaster, header, nil)
	require.Less(t, w.kernel.Now().Sub(began), 100*time.Millisecond)
	require.Equal(t, proto.Some[int64](2), masterOf(t, response).BrokerID, "who has most")
	require.EqualValues(t, proto.RespControllerInvalidMaster, brokers[0].ask(proto.ReqControllerElectMaster, header, nil).Code, "it is not master any more")
}

// The request was sent before a heartbeat that was granted a lease since, so it promises nothing about that one.
func TestAHandOverThatComesLateWaitsForTheLease(t *testing.T) {
	w := newWorld(t, 3, Options{})
	brokers, stops := trio(t, w)
	stops[0]()
	w.wait(300 * time.Millisecond)
	header := &proto.ElectMaster{ClusterName: "c", BrokerName: "broker-a", BrokerID: proto.NoBroker, InsteadOf: proto.Some[int64](1), SentAt: int64(brokers[0].env.Clock.Now())}
	w.wait(time.Millisecond)
	brokers[0].beat(1, 90)
	began := w.kernel.Now()
	brokers[0].mustAsk(proto.ReqControllerElectMaster, header, nil)
	require.GreaterOrEqual(t, w.kernel.Now().Sub(began), 1400*time.Millisecond)
}

func TestAnUncleanElectionIsRefusedWhileSomebodyInSyncIsAlive(t *testing.T) {
	w := newWorld(t, 1, Options{})
	brokers, stops := trio(t, w)
	brokers[0].mustAsk(proto.ReqControllerAlterSyncStateSet, &proto.AlterSyncStateSet{BrokerName: "broker-a", MasterID: 1, MasterEpoch: 1, Confirmed: proto.Some[int64](90)},
		(&proto.SyncStateSet{BrokerIDs: []int64{1}, Epoch: 2}).Marshal())
	header := &proto.ElectMaster{ClusterName: "c", BrokerName: "broker-a", BrokerID: proto.NoBroker, Designated: true, Unclean: true}
	require.EqualValues(t, proto.RespControllerMasterStillExist, brokers[1].ask(proto.ReqControllerElectMaster, header, nil).Code)
	stops[0]()
	w.wait(2 * time.Second)
	require.Equal(t, int64(1), w.group().Master, "nobody else is elected by itself")
	any := &proto.ElectMaster{ClusterName: "c", BrokerName: "broker-a", BrokerID: 2}
	response := brokers[1].ask(proto.ReqControllerElectMaster, any, nil)
	require.EqualValues(t, proto.RespControllerMasterNotAvailable, response.Code)
	require.Contains(t, response.Remark, "--unclean")
	response = brokers[1].mustAsk(proto.ReqControllerElectMaster, header, nil)
	require.Equal(t, proto.Some[int64](2), masterOf(t, response).BrokerID)
	require.Equal(t, "c/broker-a master 2 epoch 2, in sync [2] set epoch 4, confirmed 80, members [1 2 3], next id 4", w.group().String())
}

// Whoever leads since a moment ago has heard of few brokers, and must not believe that the others are dead.
func TestALeaderThatHasJustBegunTakesNobodyForDead(t *testing.T) {
	w := newWorld(t, 3, Options{})
	brokers, stops := trio(t, w)
	brokers[0].mustAsk(proto.ReqControllerAlterSyncStateSet, &proto.AlterSyncStateSet{BrokerName: "broker-a", MasterID: 1, MasterEpoch: 1},
		(&proto.SyncStateSet{BrokerIDs: []int64{1, 2}, Epoch: 2}).Marshal())
	stops[0]()
	stops[1]()
	w.leader().machine.Crash(sim.PowerLoss)
	w.leader()
	w.wait(300 * time.Millisecond)
	unclean := &proto.ElectMaster{ClusterName: "c", BrokerName: "broker-a", BrokerID: 3, Designated: true, Unclean: true}
	response := brokers[2].ask(proto.ReqControllerElectMaster, unclean, nil)
	require.EqualValues(t, proto.RespControllerElectMasterFailed, response.Code)
	require.Contains(t, response.Remark, "does not know yet who of broker-a is alive: try again in")
	response = brokers[2].ask(proto.ReqCleanBrokerData, &proto.CleanBrokerData{ClusterName: "c", BrokerName: "broker-a"}, nil)
	require.Contains(t, response.Remark, "try again in")
	w.wait(2 * time.Second)
	brokers[2].mustAsk(proto.ReqControllerElectMaster, unclean, nil)
	require.Equal(t, int64(3), w.group().Master)
}

func TestWithTheSettingAnUncleanElectionNeedsNobody(t *testing.T) {
	w := newWorld(t, 1, Options{})
	brokers, stops := trio(t, w)
	brokers[0].mustAsk(proto.ReqControllerAlterSyncStateSet, &proto.AlterSyncStateSet{BrokerName: "broker-a", MasterID: 1, MasterEpoch: 1},
		(&proto.SyncStateSet{BrokerIDs: []int64{1}, Epoch: 2}).Marshal())
	brokers[0].mustAsk(proto.ReqUpdateControllerConfig, nil, []byte("enableElectUncleanMaster=true"))
	stops[0]()
	w.await(4*time.Second, "an unclean election", func() bool { return w.group().Master == 2 })
	require.Equal(t, uint64(1), w.leader().server.Status().Counts.Elections["unclean"])
	require.Equal(t, uint64(1), w.leader().server.Status().Counts.Timeouts)
}

func TestALongerLeaseIsAgreedUponBeforeItIsGranted(t *testing.T) {
	w := newWorld(t, 3, Options{})
	brokers, stops := trio(t, w)
	stops[0]()
	beat := func() int64 {
		h := brokers[0].heartbeatOf(1, 90)
		h.LiveForMillis = proto.Some[int64](4000)
		response := brokers[0].mustAsk(proto.ReqBrokerHeartbeat, h, nil)
		var answer proto.BrokerHeartbeatResponse
		require.NoError(t, answer.DecodeFields(response.Fields))
		return answer.LiveForMillis
	}
	w.wait(300 * time.Millisecond)
	require.Equal(t, int64(1500), beat())
	w.wait(50 * time.Millisecond)
	require.Equal(t, int64(4000), beat())
	until := w.kernel.Now().Add(4 * time.Second)
	w.leader().machine.Crash(sim.PowerLoss)
	w.leader()
	for w.kernel.Now() < until {
		w.wait(100 * time.Millisecond)
		if n := w.leading(); n != nil {
			require.Equal(t, int64(1), n.server.state.groups["broker-a"].Master, "a new leader waits for the lease of the one before it")
		}
	}
	w.await(2*time.Second, "an election", func() bool { return w.group().Master == 2 })
}

func TestBrokersAreCleanedIfTheyAreGone(t *testing.T) {
	w := newWorld(t, 1, Options{})
	brokers, stops := trio(t, w)
	clean := func(living bool, ids ...int64) *wire.Command {
		return brokers[0].ask(proto.ReqCleanBrokerData, &proto.CleanBrokerData{ClusterName: "c", BrokerName: "broker-a", IDs: ids, LivingToo: living}, nil)
	}
	brokers[0].mustAsk(proto.ReqControllerAlterSyncStateSet, &proto.AlterSyncStateSet{BrokerName: "broker-a", MasterID: 1, MasterEpoch: 1},
		(&proto.SyncStateSet{BrokerIDs: []int64{1, 2}, Epoch: 2}).Marshal())
	response := clean(false, 3)
	require.EqualValues(t, proto.RespControllerInvalidCleanBrokerMetadata, response.Code)
	require.Contains(t, response.Remark, "isCleanLivingBroker: broker-a id 3 is alive")
	require.EqualValues(t, proto.RespControllerInvalidCleanBrokerMetadata, clean(true, 2).Code, "it is in sync")
	stops[2]()
	w.wait(2 * time.Second)
	require.EqualValues(t, proto.RespSuccess, clean(false, 3).Code)
	require.EqualValues(t, proto.RespControllerBrokerNeedToBeRegistered, brokers[2].ask(proto.ReqBrokerHeartbeat, brokers[2].heartbeatOf(0, 0), nil).Code)

	brokers[0].beat(1, 90)
	began := w.kernel.Now()
	require.EqualValues(t, proto.RespSuccess, clean(true).Code)
	require.GreaterOrEqual(t, w.kernel.Now().Sub(began), 1300*time.Millisecond, "the master is promised that nobody takes its place")
	require.EqualValues(t, proto.RespControllerBrokerMetadataNotExist, brokers[0].ask(proto.ReqControllerGetReplicaInfo, &proto.GetReplicaInfo{BrokerName: "broker-a"}, nil).Code)
}

func TestRequestsThatMakeNoSenseAreRefusedByTheFieldThatIsWrong(t *testing.T) {
	w := newWorld(t, 1, Options{Limits: Limits{Groups: 2, MembersPerGroup: 1}})
	b := w.broker(1)
	b.join()
	long := make([]byte, 300)
	for i := range long {
		long[i] = 'x'
	}
	for want, request := range map[string]struct {
		code   int32
		header proto.HeaderEncoder
		body   string
	}{
		`header field "brokerName" is missing`:                 {code: proto.ReqControllerGetReplicaInfo, header: &proto.UnregisterClient{}},
		"brokerName: it is empty":                              {code: proto.ReqControllerGetReplicaInfo, header: &proto.GetReplicaInfo{}},
		"brokerName: it has 300 bytes, the limit is 255":       {code: proto.ReqControllerGetReplicaInfo, header: &proto.GetReplicaInfo{BrokerName: string(long)}},
		`brokerName: "a\nb" has characters that cannot be`:     {code: proto.ReqControllerGetReplicaInfo, header: &proto.GetReplicaInfo{BrokerName: "a\nb"}},
		"clusterName: it is empty":                             {code: proto.ReqControllerGetNextBrokerID, header: &proto.GetNextBrokerID{BrokerName: "b"}},
		"appliedBrokerId: 0: ids begin at 1":                   {code: proto.ReqControllerApplyBrokerID, header: &proto.ApplyBrokerID{ClusterName: "c", BrokerName: "b", CheckCode: "x"}},
		"registerCheckCode: it is empty":                       {code: proto.ReqControllerApplyBrokerID, header: &proto.ApplyBrokerID{ClusterName: "c", BrokerName: "b", BrokerID: 1}},
		"appliedBrokerId: broker-a has 1 brokers, which is":    {code: proto.ReqControllerApplyBrokerID, header: &proto.ApplyBrokerID{ClusterName: "c", BrokerName: "broker-a", BrokerID: 2, CheckCode: "x"}},
		"brokerAddress: it is empty":                           {code: proto.ReqControllerRegisterBroker, header: &proto.RegisterToController{ClusterName: "c", BrokerName: "broker-a", BrokerID: 1}},
		"gantryLogEnd: -1 is negative":                         {code: proto.ReqControllerRegisterBroker, header: &proto.RegisterToController{ClusterName: "c", BrokerName: "broker-a", BrokerID: 1, BrokerAddress: "a", LogEnd: -1}},
		"clusterName: broker-a belongs to the cluster c":       {code: proto.ReqControllerRegisterBroker, header: &proto.RegisterToController{ClusterName: "d", BrokerName: "broker-a", BrokerID: 1, BrokerAddress: "a"}},
		"brokerId: heartbeats to a controller need it":         {code: proto.ReqBrokerHeartbeat, header: &proto.BrokerHeartbeat{ClusterName: "c", BrokerName: "broker-a", BrokerAddress: "a"}},
		"maxOffset: -1 is negative":                            {code: proto.ReqBrokerHeartbeat, header: &proto.BrokerHeartbeat{ClusterName: "c", BrokerName: "broker-a", BrokerAddress: "a", BrokerID: proto.Some[int64](1), MaxOffset: proto.Some[int64](-1)}},
		"brokerId: 0: ids begin at 1":                          {code: proto.ReqControllerElectMaster, header: &proto.ElectMaster{BrokerName: "broker-a"}},
		"clusterName: broker-a belongs to the cluster c, not":  {code: proto.ReqControllerElectMaster, header: &proto.ElectMaster{ClusterName: "d", BrokerName: "broker-a", BrokerID: 1}},
		"unusable body: SyncStateSet":                          {code: proto.ReqControllerAlterSyncStateSet, header: &proto.AlterSyncStateSet{BrokerName: "broker-a", MasterID: 1}, body: "["},
		"syncStateSet: it has 2 members, the limit is 1":       {code: proto.ReqControllerAlterSyncStateSet, header: &proto.AlterSyncStateSet{BrokerName: "broker-a", MasterID: 1}, body: `{"syncStateSet":[1,2]}`},
		"gantryIncarnations: it has 2 members, the limit is 1": {code: proto.ReqControllerAlterSyncStateSet, header: &proto.AlterSyncStateSet{BrokerName: "broker-a", MasterID: 1, Incarnations: make([]proto.MemberIncarnation, 2)}, body: `{"syncStateSet":[1]}`},
		"unusable body: list of broker names":                  {code: proto.ReqControllerGetSyncStateData, body: "{"},
		"the body names 3 broker names, the limit is 2":        {code: proto.ReqControllerGetSyncStateData, body: `["a","b","c"]`},
		"request code 10 (SEND_MESSAGE) is not served by a co": {code: proto.ReqSendMessage},
	} {
		response := b.ask(request.code, orNothing(request.header), []byte(request.body))
		require.NotEqualValues(t, proto.RespSuccess, response.Code, want)
		require.Contains(t, response.Remark, want)
	}
	require.EqualValues(t, proto.RespSystemError, b.ask(proto.ReqRaftMessage, &proto.RaftMessage{Group: "other", From: "n1", To: "n0"}, nil).Code)
	b.mustAsk(proto.ReqControllerApplyBrokerID, &proto.ApplyBrokerID{ClusterName: "c", BrokerName: "second", BrokerID: 1, CheckCode: "x"}, nil)
	response := b.ask(proto.ReqControllerApplyBrokerID, &proto.ApplyBrokerID{ClusterName: "c", BrokerName: "third", BrokerID: 1, CheckCode: "x"}, nil)
	require.Contains(t, response.Remark, "brokerName: there are 2 broker names, which is the limit")
}

// nothing is a header without fields.
type nothing struct{}

func (nothing) EncodeFields(*wire.Encoder) {}

func orNothing(h proto.HeaderEncoder) proto.HeaderEncoder {
	if h == nil {
		return nothing{}
	}
	return h
}

func TestWhoJoinsTheSetMustBeAlive(t *testing.T) {
	w := newWorld(t, 1, Options{})
	brokers, stops := trio(t, w)
	alter := func(epoch int32, ids ...int64) *wire.Command {
		return brokers[0].ask(proto.ReqControllerAlterSyncStateSet, &proto.AlterSyncStateSet{BrokerName: "broker-a", MasterID: 1, MasterEpoch: 1},
			(&proto.SyncStateSet{BrokerIDs: ids, Epoch: epoch}).Marshal())
	}
	stops[1]()
	stops[2]()
	w.wait(2 * time.Second)
	response := alter(2, 1, 2)
	require.EqualValues(t, proto.RespSuccess, response.Code, "who stays need not be: "+response.Remark)
	require.EqualValues(t, proto.RespControllerBrokerNotAlive, alter(3, 1, 2, 3).Code)
	require.EqualValues(t, proto.RespControllerInvalidReplicas, alter(3, 1, 9).Code)
	require.EqualValues(t, proto.RespControllerFencedSyncStateSetEpoch, alter(2, 1).Code)
}

func TestSettingsOutliveAController(t *testing.T) {
	w := newWorld(t, 1, Options{})
	b := w.broker(1)
	text := func() string { return string(b.mustAsk(proto.ReqGetControllerConfig, nil, nil).Body) }
	require.Contains(t, text(), "enableElectUncleanMaster=false\nnotifyBrokerRoleChanged=true\n")
	b.mustAsk(proto.ReqUpdateControllerConfig, nil, []byte("enableElectUncleanMaster=true\nnotifyBrokerRoleChanged=false"))
	require.EqualValues(t, proto.RespNoPermission, b.ask(proto.ReqUpdateControllerConfig, nil, []byte("controllerStorePath=/x")).Code)
	require.Contains(t, b.ask(proto.ReqUpdateControllerConfig, nil, []byte("invented=1")).Remark, "unknown configuration key")
	require.Contains(t, b.ask(proto.ReqUpdateControllerConfig, nil, []byte("enableElectUncleanMaster=perhaps")).Remark, "write true or false")
	w.nodes[0].machine.Crash(sim.PowerLoss)
	require.NoError(t, w.boot(0))
	b.client = transport.NewClient(b.env, transport.ClientOptions{})
	require.Contains(t, text(), "enableElectUncleanMaster=true\nnotifyBrokerRoleChanged=false\n")
}

func TestItIsWrittenDownWhatEveryServedRequestNeeds(t *testing.T) {
	for code := range ofAll {
		require.True(t, access.Knows(code), "%s (%d) is served and stands not in node/access/demand.go", proto.RequestName(code), code)
	}
	for code := range ofLeader {
		require.True(t, access.Knows(code), "%s (%d) is served and stands not in node/access/demand.go", proto.RequestName(code), code)
	}
}

func TestOnlyServersAndUsersWithRightsAreLetIn(t *testing.T) {
	inner := signature.Credentials{AccessKey: "inner", SecretKey: "inner secret"}
	w := newWorld(t, 3, Options{Access: guard.Options{Authentication: true, Authorization: true, Inner: inner}})
	w.leader() // controllers sign what they tell each other
	b := w.broker(1)
	header := &proto.GetNextBrokerID{ClusterName: "c", BrokerName: "broker-a"}
	require.EqualValues(t, proto.RespNoPermission, b.ask(proto.ReqControllerGetNextBrokerID, header, nil).Code)
	require.EqualValues(t, proto.RespNoPermission, b.ask(proto.ReqRaftMessage, &proto.RaftMessage{Group: "DefaultControllerGroup", From: "n1", To: "n0"}, nil).Code)
	require.EqualValues(t, proto.RespNoPermission, b.ask(proto.ReqUpdateControllerConfig, nil, []byte("enableElectUncleanMaster=true")).Code)
	as := func(who signature.Credentials) {
		b.client = transport.NewClient(b.env, transport.ClientOptions{Signer: who, DialTimeout: time.Second})
	}
	as(inner)
	b.join()
	mallory := signature.Credentials{AccessKey: "mallory", SecretKey: "mallory's secret"}
	leader := w.leader()
	info := proto.UserInfo{Password: mallory.SecretKey}
	b.mustAsk(proto.ReqAuthCreateUser, &proto.AuthUser{Username: "mallory"}, info.Marshal())
	acl := proto.ACLInfo{Subject: "User:mallory", Policies: []proto.PolicyInfo{{Entries: []proto.PolicyEntryInfo{
		{Resource: "Cluster:other", Actions: []string{"All"}, Decision: "Allow"},
	}}}}
	b.mustAsk(proto.ReqAuthCreateACL, &proto.AuthACL{Subject: acl.Subject}, acl.Marshal())
	as(mallory)
	require.Same(t, leader, w.leader(), "accounts are those of one controller")
	for code, header := range map[int32]proto.HeaderEncoder{
		proto.ReqControllerGetNextBrokerID: &proto.GetNextBrokerID{ClusterName: "other", BrokerName: "broker-a"},
		proto.ReqControllerApplyBrokerID:   &proto.ApplyBrokerID{ClusterName: "other", BrokerName: "broker-a", BrokerID: 2, CheckCode: "x"},
		proto.ReqControllerRegisterBroker:  &proto.RegisterToController{ClusterName: "other", BrokerName: "broker-a", BrokerID: 1, BrokerAddress: "evil:1"},
		proto.ReqBrokerHeartbeat:           &proto.BrokerHeartbeat{ClusterName: "other", BrokerName: "broker-a", BrokerAddress: "evil:1", BrokerID: proto.Some[int64](1)},
		proto.ReqControllerElectMaster:     &proto.ElectMaster{ClusterName: "other", BrokerName: "broker-a", BrokerID: 1, Designated: true},
		proto.ReqCleanBrokerData:           &proto.CleanBrokerData{ClusterName: "other", BrokerName: "broker-a", LivingToo: true},
	} {
		require.EqualValues(t, proto.RespNoPermission, b.ask(code, header, nil).Code, proto.RequestName(code))
	}
	response := b.ask(proto.ReqControllerGetNextBrokerID, &proto.GetNextBrokerID{ClusterName: "other", BrokerName: "broker-b"}, nil)
	require.EqualValues(t, proto.RespSuccess, response.Code, "a name that nobody has: "+response.Remark)
}

func TestAllThatIsMeasuredIsListed(t *testing.T) {
	w := newWorld(t, 1, Options{})
	brokers, _ := trio(t, w)
	brokers[0].beat(1, 90)
	listed := map[string]bool{}
	for _, m := range Metrics() {
		listed[m.Name] = true
	}
	var lines []string
	for _, s := range w.leader().server.Measure().Snapshot().Samples {
		require.True(t, listed[s.Metric.Name], s.Metric.Name)
		lines = append(lines, s.String())
	}
	for _, want := range []string{
		"gantry_controller_leads[] 1", "gantry_controller_leader[n0] 1", "gantry_controller_groups[c] 1", "gantry_controller_groups_without_master[c] 0",
		"gantry_controller_elections_total[first] 1", "gantry_controller_broker_timeouts_total[] 0", "gantry_controller_stopped[] 0", "gantry_ready[] 1",
	} {
		require.Contains(t, lines, want)
	}
	require.Equal(t, fmt.Sprint(w.leader().server.Applied()), fmt.Sprint(w.leader().server.Status().Applied))
	require.Empty(t, w.leader().server.NotReady())
}
