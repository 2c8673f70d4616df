package client_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// Any controller may be named: what only the one that leads can answer is asked there.
func TestControllersAreAskedThroughTheOneThatLeads(t *testing.T) {
	c, _, newAdmin := admin(t)
	metadata := proto.GetMetadataInfoResponse{Group: "g", LeaderID: "n1", LeaderAddress: c.b.address, Peers: "n0:" + c.a.address + ";n1:" + c.b.address}
	c.a.answers(map[int32]func(in *transportIncoming){
		proto.ReqControllerGetMetadataInfo: func(in *transportIncoming) { in.Reply().Send(proto.RespSuccess, &metadata, nil) },
		proto.ReqGetControllerConfig:       body([]byte("controllerDLegerSelfId=n0\n")),
	})
	var elect proto.ElectMaster
	var clean proto.CleanBrokerData
	var names proto.BrokerNames
	c.b.answers(map[int32]func(in *transportIncoming){
		proto.ReqControllerElectMaster: func(in *transportIncoming) {
			must(elect.DecodeFields(in.Command.Fields))
			elected := proto.ElectedMaster{Group: proto.BrokerMemberGroup{Cluster: "c", BrokerName: "x"}, InSyncIDs: []int64{1, 2}}
			in.Reply().Send(proto.RespSuccess, &proto.MasterInfo{BrokerID: proto.Some[int64](2), Address: "m:1", Epoch: 3, SetEpoch: 4}, elected.Marshal())
		},
		proto.ReqCleanBrokerData: func(in *transportIncoming) {
			must(clean.DecodeFields(in.Command.Fields))
			in.Reply().Success(nil)
		},
		proto.ReqControllerGetSyncStateData: func(in *transportIncoming) {
			var err error
			names, err = proto.UnmarshalBrokerNames(in.Command.Body)
			must(err)
			info := proto.BrokerReplicasInfo{Groups: []proto.ReplicasInfo{{BrokerName: "x", MasterEpoch: 3}}}
			in.Reply().Success(info.Marshal())
		},
	})
	var elected *client.ElectedMaster
	var sets *client.ReplicaSets
	var config proto.ConfigText
	var none error
	c.run(time.Minute, func() {
		a := newAdmin()
		var err error
		elected, err = a.ElectMaster(background, c.a.address, client.Election{Cluster: "c", BrokerName: "x", BrokerID: 2, Unclean: true})
		must(err)
		sets, err = a.ReplicaSets(background, c.a.address, []string{"x", "y"})
		must(err)
		must(a.CleanBrokers(background, c.a.address, client.BrokersToClean{Cluster: "c", BrokerName: "x", IDs: []int64{3}, LivingToo: true}))
		config, err = a.ControllerConfig(background, c.a.address)
		must(err)
		metadata.LeaderAddress = ""
		_, none = a.ReplicaSets(background, c.a.address, []string{"x"})
	})
	require.Equal(t, proto.ElectMaster{ClusterName: "c", BrokerName: "x", BrokerID: 2, Designated: true, Unclean: true}, elect)
	require.Equal(t, []any{"m:1", int32(3), []int64{1, 2}}, []any{elected.Address, elected.Epoch, elected.InSyncIDs})
	require.Equal(t, proto.BrokerNames{"x", "y"}, names)
	require.Equal(t, int32(3), sets.Groups[0].MasterEpoch)
	require.Equal(t, proto.CleanBrokerData{ClusterName: "c", BrokerName: "x", IDs: []int64{3}, LivingToo: true}, clean)
	require.Equal(t, "n0", config[0].Value)
	require.ErrorIs(t, none, client.ErrNoLeader)
}
