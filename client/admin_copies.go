package client

import (
	"context"

	"github.com/gantrymq/gantry/transport/proto"
)

// CopiesStatus is what a broker tells of replication: a master of its slaves, a slave of how it follows.
type CopiesStatus = proto.CopiesStatus

// Copies asks a broker how its copies are (GET_BROKER_HA_STATUS). Brokers of Apache's leave out what is Gantry's own.
func (a *Admin) Copies(ctx context.Context, address string) (*CopiesStatus, error) {
	return bodyOf(ctx, a, address, proto.ReqGetBrokerHAStatus, nil, proto.UnmarshalCopiesStatus)
}
