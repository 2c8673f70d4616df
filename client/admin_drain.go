package client

import (
	"context"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// EpochCache says which elected master has written which part of a broker's log.
type EpochCache = proto.EpochCache

// MasterInfo says who is master of a group.
type MasterInfo = proto.MasterInfo

// Epochs asks a broker whose role controllers decide who has written its log (GET_BROKER_EPOCH_CACHE).
func (a *Admin) Epochs(ctx context.Context, address string) (*EpochCache, error) {
	return bodyOf(ctx, a, address, proto.ReqGetBrokerEpochCache, nil, proto.UnmarshalEpochCache)
}

// DrainBroker has a broker whose role controllers decide make room for others, so that it can be stopped: if it is master it hands over, which the answer
// then tells, and from then on it is elected only if nobody else can be. That ends when it is started again, or with over.
func (a *Admin) DrainBroker(ctx context.Context, address string, over bool) (*MasterInfo, error) {
	request := &transport.Request{Code: proto.ReqDrainBroker, Header: &proto.DrainBroker{Over: over}}
	response, err := a.askBroker(ctx, address, request)
	if err != nil {
		return nil, err
	}
	now := &MasterInfo{}
	if err := now.DecodeFields(response.Fields); err != nil {
		return nil, unreadable(address, request.Code, err)
	}
	return now, nil
}
