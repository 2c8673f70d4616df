package proto

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gantrymq/gantry/transport/wire"
)

// idsAsRead brings ids into the form that reading gives.
func idsAsRead(ids *[]int64) { tidy(ids, cmp.Compare[int64]) }

func TestHeadersOfControllersSurviveAFrame(t *testing.T) {
	t.Run("GetNextBrokerID", func(t *testing.T) { survives[GetNextBrokerID](t, nil) })
	t.Run("GetNextBrokerIDResponse", func(t *testing.T) { survives[GetNextBrokerIDResponse](t, nil) })
	t.Run("ApplyBrokerID", func(t *testing.T) { survives[ApplyBrokerID](t, nil) })
	t.Run("ApplyBrokerIDResponse", func(t *testing.T) { survives[ApplyBrokerIDResponse](t, nil) })
	t.Run("RegisterToController", func(t *testing.T) {
		survives(t, func(h *RegisterToController) { unset(&h.Incarnation) })
	})
	t.Run("RegisterToControllerResponse", func(t *testing.T) {
		survives(t, func(h *RegisterToControllerResponse) { unset(&h.BrokerID) })
	})
	t.Run("MasterInfo", func(t *testing.T) { survives(t, func(h *MasterInfo) { unset(&h.BrokerID) }) })
	t.Run("BrokerHeartbeatResponse", func(t *testing.T) {
		survives(t, func(h *BrokerHeartbeatResponse) { unset(&h.BrokerID) })
	})
	t.Run("ElectMaster", func(t *testing.T) { survives(t, func(h *ElectMaster) { unset(&h.InsteadOf); unset(&h.Incarnation) }) })
	t.Run("NotifyBrokerRoleChanged", func(t *testing.T) {
		survives(t, func(h *NotifyBrokerRoleChanged) { unset(&h.BrokerID) })
	})
	t.Run("AlterSyncStateSet", func(t *testing.T) {
		survives(t, func(h *AlterSyncStateSet) {
			unset(&h.Confirmed)
			slices.SortFunc(h.Incarnations, func(a, b MemberIncarnation) int {
				return cmp.Or(cmp.Compare(a.BrokerID, b.BrokerID), cmp.Compare(a.Incarnation, b.Incarnation))
			})
			if len(h.Incarnations) == 0 {
				h.Incarnations = nil
			}
		})
	})
	t.Run("AlterSyncStateSetResponse", func(t *testing.T) { survives[AlterSyncStateSetResponse](t, nil) })
	t.Run("GetReplicaInfo", func(t *testing.T) { survives[GetReplicaInfo](t, nil) })
	t.Run("GetReplicaInfoResponse", func(t *testing.T) {
		survives(t, func(h *GetReplicaInfoResponse) { unset(&h.MasterID) })
	})
	t.Run("GetMetadataInfoResponse", func(t *testing.T) { survives[GetMetadataInfoResponse](t, nil) })
	t.Run("CleanBrokerData", func(t *testing.T) {
		survives(t, func(h *CleanBrokerData) { idsAsRead(&h.IDs) })
	})
	t.Run("RaftMessage", func(t *testing.T) { survives[RaftMessage](t, nil) })
}

// The fields are those of the classes that the comments name, with Gantry's own behind them.
func TestHeadersOfControllersHaveTheProtocolsFields(t *testing.T) {
	master := MasterInfo{BrokerID: Some[int64](2), Address: "m:1", HAAddress: "h:1", Epoch: 3, SetEpoch: 4}
	for _, c := range []struct {
		header HeaderEncoder
		fields string
	}{
		{&GetNextBrokerID{"c", "b"}, "brokerName=b clusterName=c"},
		{&GetNextBrokerIDResponse{"c", "b", 1}, "brokerName=b clusterName=c nextBrokerId=1"},
		{&ApplyBrokerID{"c", "b", 7, "a:1;5"}, "appliedBrokerId=7 brokerName=b clusterName=c registerCheckCode=a:1;5"},
		{&ApplyBrokerIDResponse{"c", "b"}, "brokerName=b clusterName=c"},
		{&RegisterToController{ClusterName: "c", BrokerName: "b", BrokerID: 7, BrokerAddress: "a:1", InvokedAt: 5},
			"brokerAddress=a:1 brokerId=7 brokerName=b clusterName=c invokeTime=5"},
		{&RegisterToController{HAAddress: "h:1", Incarnation: Some[int64](0), Whole: true, LastEpoch: 2, LogEnd: big, LiveForMillis: 900},
			"brokerAddress= brokerId=0 brokerName= clusterName= gantryEpoch=2 gantryHaAddress=h:1 gantryIncarnation=0 gantryLogEnd=5000000000 " +
				"gantryTimeoutMillis=900 gantryWhole=true invokeTime=0"},
		{&RegisterToControllerResponse{"c", "b", MasterInfo{}}, "brokerName=b clusterName=c masterEpoch=0 syncStateSetEpoch=0"},
		{&master, "gantryMasterHaAddress=h:1 masterAddress=m:1 masterBrokerId=2 masterEpoch=3 syncStateSetEpoch=4"},
		{&BrokerHeartbeatResponse{MasterInfo{}, 1500}, "gantryTimeoutMillis=1500 masterEpoch=0 syncStateSetEpoch=0"},
		{&ElectMaster{ClusterName: "c", BrokerName: "b", BrokerID: NoBroker}, "brokerId=-1 brokerName=b clusterName=c designateElect=false invokeTime=0"},
		{&ElectMaster{Unclean: true, InsteadOf: Some[int64](0), SentAt: 9},
			"brokerId=0 brokerName= clusterName= designateElect=false gantryInsteadOf=0 gantrySentAt=9 gantryUnclean=true invokeTime=0"},
		{&BrokerHeartbeat{ClusterName: "c", BrokerAddress: "a", BrokerName: "b", Incarnation: Some[int64](1), SentAt: 9},
			"brokerAddr=a brokerName=b clusterName=c gantryIncarnation=1 gantrySentAt=9"},
		{&NotifyBrokerRoleChanged{MasterInfo{}, "b"}, "gantryBrokerName=b masterEpoch=0 syncStateSetEpoch=0"},
		{&AlterSyncStateSet{BrokerName: "b", MasterID: 1, MasterEpoch: 2}, "brokerName=b invokeTime=0 masterBrokerId=1 masterEpoch=2"},
		{&AlterSyncStateSet{Confirmed: Some[int64](0), Incarnations: []MemberIncarnation{{1, 5}, {2, -6}}},
			"brokerName= gantryConfirmOffset=0 gantryIncarnations=1:5;2:-6 invokeTime=0 masterBrokerId=0 masterEpoch=0"},
		{&AlterSyncStateSetResponse{9}, "newSyncStateSetEpoch=9"},
		{&GetReplicaInfo{"b"}, "brokerName=b"},
		{&GetReplicaInfoResponse{Some[int64](2), "m:1", "h:1", 3}, "gantryMasterHaAddress=h:1 masterAddress=m:1 masterBrokerId=2 masterEpoch=3"},
		{&GetMetadataInfoResponse{"g", "n0", "a:1", true, "n0:a:1"}, "controllerLeaderAddress=a:1 controllerLeaderId=n0 group=g isLeader=true peers=n0:a:1"},
		{&CleanBrokerData{BrokerName: "b", IDs: []int64{1, 2}, LivingToo: true, InvokedAt: 3},
			"brokerControllerIdsToClean=1;2 brokerName=b invokeTime=3 isCleanLivingBroker=true"},
		{&RaftMessage{"g", "n0", "n1", 5, 6, 7}, "gantryElectionNanos=7 gantryFrom=n0 gantryGroup=g gantryHeard=6 gantrySentAt=5 gantryTo=n1"},
	} {
		var pairs []string
		table := asTable(sent(t, wire.EncodingJSON, c.header))
		for _, key := range sortedKeys(table) {
			pairs = append(pairs, key+"="+table[key])
		}
		require.Equal(t, c.fields, strings.Join(pairs, " "), "%T", c.header)
	}
}

func TestHeadersOfControllersNameWhatIsMissingOrWrong(t *testing.T) {
	var clean CleanBrokerData
	require.EqualError(t, clean.DecodeFields(fields("brokerName", "b", "brokerControllerIdsToClean", "1;x")),
		`header field "brokerControllerIdsToClean" holds "x": send decimal numbers, joined by semicolons`)
	var alter AlterSyncStateSet
	base := []string{"brokerName", "b", "masterBrokerId", "1", "masterEpoch", "1"}
	require.NoError(t, alter.DecodeFields(fields(base...)))
	require.ErrorIs(t, alter.DecodeFields(fields(append(base, "gantryIncarnations", "1")...)), ErrField)
	require.ErrorIs(t, alter.DecodeFields(fields(base[:4]...)), ErrField, "the epoch is needed")
	var elect ElectMaster
	require.EqualError(t, elect.DecodeFields(fields("clusterName", "c", "brokerName", "b", "designateElect", "true")),
		`header field "brokerId" is missing: this request needs it`)
	var register RegisterToController
	require.ErrorIs(t, register.DecodeFields(fields("clusterName", "c", "brokerName", "b", "brokerId", "one", "brokerAddress", "a")), ErrField)
}

func TestBodiesOfControllersAreThoseOfJava(t *testing.T) {
	const set = `{"syncStateSet":[1,2],"syncStateSetEpoch":3}`
	s, err := UnmarshalSyncStateSet([]byte(set))
	require.NoError(t, err)
	require.Equal(t, &SyncStateSet{BrokerIDs: []int64{1, 2}, Epoch: 3}, s)
	require.Equal(t, set, string(s.Marshal()))

	const elected = `{"brokerMemberGroup":{"brokerAddrs":{1:"a:1",2:"b:1"},"brokerName":"n","cluster":"c"},"syncStateSet":[2]}`
	e, err := UnmarshalElectedMaster([]byte(elected))
	require.NoError(t, err)
	require.Equal(t, &ElectedMaster{Group: BrokerMemberGroup{"c", "n", []BrokerAddress{{1, "a:1"}, {2, "b:1"}}}, InSyncIDs: []int64{2}}, e)
	require.Equal(t, elected, string(e.Marshal()))

	const names = `["b1","b2"]`
	n, err := UnmarshalBrokerNames([]byte(names))
	require.NoError(t, err)
	require.Equal(t, BrokerNames{"b1", "b2"}, n)
	require.Equal(t, names, string(n.Marshal()))

	const info = `{"replicasInfoTable":{"n":{"inSyncReplicas":[{"alive":true,"brokerAddress":"a:1","brokerId":1,"brokerName":"n"}],` +
		`"masterAddress":"a:1","masterBrokerId":1,"masterEpoch":4,"notInSyncReplicas":[{"alive":false,"brokerAddress":"b:1","brokerId":2,"brokerName":"n"}],` +
		`"syncStateSetEpoch":5}}}`
	i, err := UnmarshalBrokerReplicasInfo([]byte(info))
	require.NoError(t, err)
	require.Equal(t, &BrokerReplicasInfo{Groups: []ReplicasInfo{{
		BrokerName: "n", InSync: []Replica{{true, "a:1", 1, "n"}}, MasterAddress: "a:1", MasterID: Some[int64](1), MasterEpoch: 4,
		NotInSync: []Replica{{false, "b:1", 2, "n"}}, SetEpoch: 5,
	}}}, i)
	require.Equal(t, info, string(i.Marshal()))
}

func TestSetsOfBrokersAreReadSortedAndOnce(t *testing.T) {
	s, err := UnmarshalSyncStateSet([]byte(`{"syncStateSet":["3",1,3,null]}`))
	require.NoError(t, err)
	require.Equal(t, []int64{0, 1, 3}, s.BrokerIDs)
	_, err = UnmarshalSyncStateSet([]byte(`{"syncStateSet":[{}]}`))
	require.ErrorIs(t, err, ErrBody)
}

func TestBodiesOfControllersSurvive(t *testing.T) {
	t.Run("SyncStateSet", func(t *testing.T) {
		bodySurvives(t, (*SyncStateSet).Marshal, UnmarshalSyncStateSet, func(s *SyncStateSet) { idsAsRead(&s.BrokerIDs) })
	})
	t.Run("ElectedMaster", func(t *testing.T) {
		bodySurvives(t, (*ElectedMaster).Marshal, UnmarshalElectedMaster, func(e *ElectedMaster) {
			idsAsRead(&e.InSyncIDs)
			tidy(&e.Group.Addresses, func(a, b BrokerAddress) int { return cmp.Compare(a.ID, b.ID) })
		})
	})
	t.Run("BrokerReplicasInfo", func(t *testing.T) {
		bodySurvives(t, (*BrokerReplicasInfo).Marshal, UnmarshalBrokerReplicasInfo, func(i *BrokerReplicasInfo) {
			tidy(&i.Groups, func(a, b ReplicasInfo) int { return strings.Compare(a.BrokerName, b.BrokerName) })
			for n := range i.Groups {
				unset(&i.Groups[n].MasterID)
				arrayed(&i.Groups[n].InSync)
				arrayed(&i.Groups[n].NotInSync)
			}
		})
	})
}

func TestOwnRequestCodesAreNotTheProtocols(t *testing.T) {
	require.Equal(t, "GANTRY_RAFT_MESSAGE", RequestName(ReqRaftMessage))
	for code := range ownRequestNames {
		require.NotContains(t, requestNames, code)
	}
}
