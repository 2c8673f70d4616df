package proto

import (
	"fmt"

	"github.com/gantrymq/gantry/transport/wire"
)

// MasterInfo is what the answers of a controller say of a group's master. It is the whole header of the answer to ReqControllerElectMaster
// (class ElectMasterResponseHeader).
type MasterInfo struct {
	BrokerID  Maybe[int64] // masterBrokerId: absent if the group has no master
	Address   string       // masterAddress: "" without one
	HAAddress string       // gantryMasterHaAddress: ip:port of its replication
	Epoch     int32        // masterEpoch: of the last election, 0 before the first one
	SetEpoch  int32        // syncStateSetEpoch: of the last change of the in-sync set
}

// EncodeFields writes the header.
func (h *MasterInfo) EncodeFields(e *wire.Encoder) {
	encodeMaybe(e, "masterBrokerId", h.BrokerID)
	encodeText(e, "masterAddress", h.Address)
	encodeText(e, "gantryMasterHaAddress", h.HAAddress)
	e.Int("masterEpoch", int64(h.Epoch))
	e.Int("syncStateSetEpoch", int64(h.SetEpoch))
}

// DecodeFields reads the header.
func (h *MasterInfo) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = MasterInfo{
		BrokerID:  r.maybeInt64("masterBrokerId"),
		Address:   r.text("masterAddress"),
		HAAddress: r.text("gantryMasterHaAddress"),
		Epoch:     r.int32("masterEpoch"),
		SetEpoch:  r.int32("syncStateSetEpoch"),
	}
	return r.err
}

// String shows the master and both epochs.
func (h *MasterInfo) String() string {
	if !h.BrokerID.Set {
		return fmt.Sprintf("no master since epoch %d, set epoch %d", h.Epoch, h.SetEpoch)
	}
	return fmt.Sprintf("master %d at %s, epoch %d, set epoch %d", h.BrokerID.Value, h.Address, h.Epoch, h.SetEpoch)
}

// BrokerHeartbeatResponse is the header of the answer that a Gantry controller gives to a ReqBrokerHeartbeat that is not one-way (Java controllers answer without a
// header). The body is a SyncStateSet.
type BrokerHeartbeatResponse struct {
	MasterInfo
	// LiveForMillis (gantryTimeoutMillis): if the answer names this broker as the master, no other one is elected for this long after
	// the heartbeat was sent, unless it registers as another incarnation. 0: that is not promised, because an election is under way.
	LiveForMillis int64
}

// EncodeFields writes the header.
func (h *BrokerHeartbeatResponse) EncodeFields(e *wire.Encoder) {
	h.MasterInfo.EncodeFields(e)
	encodeInteger(e, "gantryTimeoutMillis", h.LiveForMillis)
}

// DecodeFields reads the header.
func (h *BrokerHeartbeatResponse) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = BrokerHeartbeatResponse{LiveForMillis: r.integer("gantryTimeoutMillis")}
	return h.MasterInfo.DecodeFields(f)
}

// ElectMaster is the header of ReqControllerElectMaster (class ElectMasterRequestHeader). The answer's header is a MasterInfo, its
// body an ElectedMaster.
type ElectMaster struct {
	ClusterName string // clusterName
	BrokerName  string // brokerName
	// BrokerID (brokerId) is who wants to be elected, or NoBroker: let the controller choose.
	BrokerID int64
	// Designated (designateElect): a tool wants this broker and no other one.
	Designated bool
	InvokedAt  int64 // invokeTime: wall milliseconds; 0: not sent
	// Unclean (gantryUnclean): messages may be lost. A tool asks for a member outside the in-sync set, because all in it are gone.
	Unclean bool
	// InsteadOf (gantryInsteadOf): this master hands over; any other living member of the set is to be elected.
	InsteadOf Maybe[int64]
	// SentAt (gantrySentAt), with InsteadOf, is a time of the master's own clock. It promises that it does not count on any answer to a
	// heartbeat sent before. Then the controller need not wait until what it has promised the master is over. 0: it promises nothing.
	SentAt int64
	// Incarnation (gantryIncarnation), with SentAt, is the start of its process that the promise is of: a later one has promised nothing.
	Incarnation Maybe[int64]
}

// EncodeFields writes the header.
func (h *ElectMaster) EncodeFields(e *wire.Encoder) {
	e.String("clusterName", h.ClusterName)
	e.String("brokerName", h.BrokerName)
	e.Int("brokerId", h.BrokerID)
	e.Bool("designateElect", h.Designated)
	e.Int("invokeTime", h.InvokedAt)
	if h.Unclean {
		e.Bool("gantryUnclean", true)
	}
	encodeMaybe(e, "gantryInsteadOf", h.InsteadOf)
	encodeInteger(e, "gantrySentAt", h.SentAt)
	encodeMaybe(e, "gantryIncarnation", h.Incarnation)
}

// DecodeFields reads the header.
func (h *ElectMaster) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = ElectMaster{
		ClusterName: r.needText("clusterName"),
		BrokerName:  r.needText("brokerName"),
		BrokerID:    r.needInteger("brokerId"),
		Designated:  r.needFlag("designateElect"),
		InvokedAt:   r.integer("invokeTime"),
		Unclean:     r.flag("gantryUnclean", false),
		InsteadOf:   r.maybeInt64("gantryInsteadOf"),
		SentAt:      r.integer("gantrySentAt"),
		Incarnation: r.maybeInt64("gantryIncarnation"),
	}
	return r.err
}

// NotifyBrokerRoleChanged is the header of ReqNotifyBrokerRoleChanged (class NotifyBrokerRoleChangedRequestHeader), sent one-way by a
// controller to the members of a group. The body is a SyncStateSet.
type NotifyBrokerRoleChanged struct {
	MasterInfo
	BrokerName string // gantryBrokerName: whose master this is; Java controllers leave it to the address
}

// EncodeFields writes the header.
func (h *NotifyBrokerRoleChanged) EncodeFields(e *wire.Encoder) {
	h.MasterInfo.EncodeFields(e)
	encodeText(e, "gantryBrokerName", h.BrokerName)
}

// DecodeFields reads the header.
func (h *NotifyBrokerRoleChanged) DecodeFields(f wire.Fields) error {
	*h = NotifyBrokerRoleChanged{BrokerName: f.String("gantryBrokerName")}
	return h.MasterInfo.DecodeFields(f)
}
