package client

import (
	"context"
	"fmt"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// Controllers say who is master of brokers that are started with enableControllerMode. These calls are given the address of any one of them; what only
// the one that leads can answer is asked there.

// What controllers speak of.
type (
	// ControllerMetadata tells which controllers there are and who leads.
	ControllerMetadata = proto.GetMetadataInfoResponse
	// ReplicaSets tells who of groups of brokers is in sync.
	ReplicaSets = proto.BrokerReplicasInfo
	// ElectedMaster tells who is master and who is in sync, after an election.
	ElectedMaster struct {
		proto.MasterInfo
		proto.ElectedMaster
	}
)

// Election asks for another master.
type Election struct {
	Cluster, BrokerName string
	BrokerID            int64 // who is to be elected; proto.NoBroker: let the controller choose
	// Unclean elects who may lack messages, which are lost then. It is refused while somebody who is in sync is alive. Gantry's own: Java
	// controllers do not look at it.
	Unclean bool
}

// ControllerMetadata asks one controller which there are, and who leads as far as it knows.
func (a *Admin) ControllerMetadata(ctx context.Context, address string) (*ControllerMetadata, error) {
	response, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqControllerGetMetadataInfo})
	if err != nil {
		return nil, err
	}
	h := new(ControllerMetadata)
	if err := h.DecodeFields(response.Fields); err != nil {
		return nil, unreadable(address, proto.ReqControllerGetMetadataInfo, err)
	}
	return h, nil
}

// ErrNoLeader: the controller that was asked knows of none that leads: most of them do not run, or an election is under way.
var ErrNoLeader = fmt.Errorf("%w: no controller leads", ErrNoBroker)

// askLeader sends a request to the controller that leads.
func (a *Admin) askLeader(ctx context.Context, address string, request *transport.Request) (*wire.Command, error) {
	metadata, err := a.ControllerMetadata(ctx, address)
	if err != nil {
		return nil, err
	}
	if metadata.LeaderAddress == "" {
		return nil, fmt.Errorf("%w, says %s", ErrNoLeader, address)
	}
	return a.askBroker(ctx, metadata.LeaderAddress, request)
}

// ReplicaSets tells who is in sync, of some broker names. Names that no controller knows are left out.
func (a *Admin) ReplicaSets(ctx context.Context, address string, brokerNames []string) (*ReplicaSets, error) {
	request := &transport.Request{Code: proto.ReqControllerGetSyncStateData, Body: proto.BrokerNames(brokerNames).Marshal()}
	response, err := a.askLeader(ctx, address, request)
	return readBody(address, request.Code, response, err, proto.UnmarshalBrokerReplicasInfo)
}

// ElectMaster makes a broker the master of its group. The present master stops first, so it takes as long as that may serve without hearing from
// the controller.
func (a *Admin) ElectMaster(ctx context.Context, address string, e Election) (*ElectedMaster, error) {
	request := &transport.Request{Code: proto.ReqControllerElectMaster, Header: &proto.ElectMaster{
		ClusterName: e.Cluster, BrokerName: e.BrokerName, BrokerID: e.BrokerID, Designated: true, Unclean: e.Unclean,
	}}
	response, err := a.askLeader(ctx, address, request)
	body, err := readBody(address, request.Code, response, err, proto.UnmarshalElectedMaster)
	if err != nil {
		return nil, err
	}
	elected := &ElectedMaster{ElectedMaster: *body}
	if err := elected.MasterInfo.DecodeFields(response.Fields); err != nil {
		return nil, unreadable(address, request.Code, err)
	}
	return elected, nil
}

// BrokersToClean are brokers that controllers are to forget.
type BrokersToClean struct {
	Cluster    string // may be "" with LivingToo
	BrokerName string
	IDs        []int64 // nil: all of the group
	LivingToo  bool    // those that are alive as well
}

// CleanBrokers lets controllers forget brokers that will not come back. Their ids are not used again.
func (a *Admin) CleanBrokers(ctx context.Context, address string, b BrokersToClean) error {
	_, err := a.askLeader(ctx, address, &transport.Request{Code: proto.ReqCleanBrokerData, Header: &proto.CleanBrokerData{
		ClusterName: b.Cluster, BrokerName: b.BrokerName, IDs: b.IDs, LivingToo: b.LivingToo,
	}})
	return err
}

// ControllerConfig is the configuration of one controller.
func (a *Admin) ControllerConfig(ctx context.Context, address string) (proto.ConfigText, error) {
	return bodyOf(ctx, a, address, proto.ReqGetControllerConfig, nil, proto.ParseConfigText)
}

// UpdateControllerConfig changes settings of one controller while it runs. Not all can be.
func (a *Admin) UpdateControllerConfig(ctx context.Context, address string, changes proto.ConfigText) error {
	_, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqUpdateControllerConfig, Body: changes.Marshal()})
	return err
}

func unreadable(address string, code int32, err error) error {
	return fmt.Errorf("%s: the answer of %s cannot be read: %w", proto.RequestName(code), address, err)
}
