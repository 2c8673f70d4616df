package main

import (
	"testing"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func TestInSyncSetsAreShownByMember(t *testing.T) {
	v := newReplicasView(&client.ReplicaSets{Groups: []proto.ReplicasInfo{{
		BrokerName: "broker-a", MasterID: proto.Some[int64](1), MasterAddress: "10.0.0.1:10911", MasterEpoch: 4, SetEpoch: 7,
		InSync:    []proto.Replica{{Alive: true, Address: "10.0.0.1:10911", BrokerID: 1}, {Address: "10.0.0.2:10911", BrokerID: 2}},
		NotInSync: []proto.Replica{{Alive: true, Address: "10.0.0.3:10911", BrokerID: 3}},
	}, {BrokerName: "broker-b", NotInSync: []proto.Replica{{BrokerID: 1}}}}})
	require.Equal(t, lines(
		"Broker    ID  Address         Role    In sync  Alive  Master epoch  Set epoch",
		"broker-a   1  10.0.0.1:10911  master  yes      yes               4          7",
		"broker-a   2  10.0.0.2:10911  slave   yes      no                4          7",
		"broker-a   3  10.0.0.3:10911  slave   no       yes               4          7",
		"broker-b   1  -               slave   no       no                0          0",
	), shown(t, v, false))
	require.Contains(t, shown(t, v, true), `"masterBrokerId": 1`)
	require.Contains(t, shown(t, v, true), `"masterBrokerId": null`)
}

func TestAnElectionIsShownInTheWordsOfMqadmin(t *testing.T) {
	v := newElectedView("c", "broker-a", &client.ElectedMaster{
		MasterInfo: proto.MasterInfo{BrokerID: proto.Some[int64](2), Address: "10.0.0.2:10911", Epoch: 5, SetEpoch: 8},
		ElectedMaster: proto.ElectedMaster{InSyncIDs: []int64{1, 2}, Group: proto.BrokerMemberGroup{Addresses: []proto.BrokerAddress{
			{ID: 1, Address: "10.0.0.1:10911"}, {ID: 2, Address: "10.0.0.2:10911"},
		}}},
	})
	require.Equal(t, "\n#ClusterName\tc\n#BrokerName\tbroker-a\n#BrokerMasterAddr\t10.0.0.2:10911\n#MasterEpoch\t5\n#SyncStateSetEpoch\t8\n"+
		"\t#Broker\t1\t10.0.0.1:10911\n\t#Broker\t2\t10.0.0.2:10911\n", shown(t, v, false))
	require.Contains(t, shown(t, v, true), `"syncStateSet": [`)
}
