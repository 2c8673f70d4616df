package proto

import (
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/gantrymq/gantry/transport/wire"
)

// MasterID is the broker id of a master. Slaves have greater ones.
const MasterID int64 = 0

// RegisterBroker is the header of ReqRegisterBroker (class RegisterBrokerRequestHeader).
// The body is a RegisterBrokerBody; the version in the frame around the header decides
// its shape.
type RegisterBroker struct {
	BrokerName    string // brokerName
	BrokerAddress string // brokerAddr, ip:port
	ClusterName   string // clusterName
	HAAddress     string // haServerAddr, ip:port of replication
	BrokerID      int64  // brokerId
	// LiveForMillis (heartbeatTimeoutMillis): the registration dies this long after the last
	// sign of life. 0: not sent, 120 s are meant.
	LiveForMillis int64
	// EnableActingMaster (enableActingMaster): absent from brokers before 5.0, and absence
	// is how name servers tell those.
	EnableActingMaster Maybe[bool]
	Compressed         bool   // compressed: the body is packed and deflated. Some 5.x brokers lie.
	BodyChecksum       int32  // bodyCrc32, see BodyChecksum; 0: not to be checked
	ZoneName           string // __ZONE_NAME
}

// EncodeFields writes the header.
func (h *RegisterBroker) EncodeFields(e *wire.Encoder) {
	e.String("brokerName", h.BrokerName)
	e.String("brokerAddr", h.BrokerAddress)
	e.String("clusterName", h.ClusterName)
	e.String("haServerAddr", h.HAAddress)
	e.Int("brokerId", h.BrokerID)
	encodeInteger(e, "heartbeatTimeoutMillis", h.LiveForMillis)
	encodeMaybeFlag(e, "enableActingMaster", h.EnableActingMaster)
	e.Bool("compressed", h.Compressed)
	e.Int("bodyCrc32", int64(h.BodyChecksum))
	encodeText(e, "__ZONE_NAME", h.ZoneName)
}

// DecodeFields reads the header.
func (h *RegisterBroker) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = RegisterBroker{
		BrokerName:         r.needText("brokerName"),
		BrokerAddress:      r.needText("brokerAddr"),
		ClusterName:        r.needText("clusterName"),
		HAAddress:          r.needText("haServerAddr"),
		BrokerID:           r.needInteger("brokerId"),
		LiveForMillis:      r.integer("heartbeatTimeoutMillis"),
		EnableActingMaster: r.maybeFlag("enableActingMaster"),
		Compressed:         r.flag("compressed", false),
		BodyChecksum:       r.int32("bodyCrc32"),
		ZoneName:           r.text("__ZONE_NAME"),
	}
	return r.err
}

// String shows who registers.
func (h *RegisterBroker) String() string {
	return fmt.Sprintf("broker %s/%s id %d at %s", h.ClusterName, h.BrokerName, h.BrokerID, h.BrokerAddress)
}

// ErrChecksum means that a body was damaged on its way. Its text is the remark that
// name servers answer with.
var ErrChecksum = errors.New("crc32 not match")

// BodyChecksum is the CRC-32 (IEEE) of a body with the top bit cleared ("bodyCrc32").
func BodyChecksum(body []byte) int32 {
	return int32(crc32.ChecksumIEEE(body) & 0x7fffffff)
}

// CheckBody compares the body, as it came, with the checksum of the header. The error
// is ErrChecksum.
func (h *RegisterBroker) CheckBody(body []byte) error {
	if h.BodyChecksum != 0 && h.BodyChecksum != BodyChecksum(body) {
		return ErrChecksum
	}
	return nil
}

// RegisterBrokerResponse is the header of the answer to ReqRegisterBroker (class
// RegisterBrokerResponseHeader). Both fields are for slaves. The body is the KVTable of
// OrderTopicNamespace, or nothing.
type RegisterBrokerResponse struct {
	HAAddress     string // haServerAddr: replication address of the group's master
	MasterAddress string // masterAddr
}

// EncodeFields writes the header.
func (h *RegisterBrokerResponse) EncodeFields(e *wire.Encoder) {
	encodeText(e, "haServerAddr", h.HAAddress)
	encodeText(e, "masterAddr", h.MasterAddress)
}

// DecodeFields reads the header.
func (h *RegisterBrokerResponse) DecodeFields(f wire.Fields) error {
	*h = RegisterBrokerResponse{HAAddress: f.String("haServerAddr"), MasterAddress: f.String("masterAddr")}
	return nil
}

// UnregisterBroker is the header of ReqUnregisterBroker (class
// UnRegisterBrokerRequestHeader).
type UnregisterBroker struct {
	BrokerName    string // brokerName
	BrokerAddress string // brokerAddr
	ClusterName   string // clusterName
	BrokerID      int64  // brokerId
}

// EncodeFields writes the header.
func (h *UnregisterBroker) EncodeFields(e *wire.Encoder) {
	e.String("brokerName", h.BrokerName)
	e.String("brokerAddr", h.BrokerAddress)
	e.String("clusterName", h.ClusterName)
	e.Int("brokerId", h.BrokerID)
}

// DecodeFields reads the header.
func (h *UnregisterBroker) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = UnregisterBroker{
		BrokerName:    r.needText("brokerName"),
		BrokerAddress: r.needText("brokerAddr"),
		ClusterName:   r.needText("clusterName"),
		BrokerID:      r.needInteger("brokerId"),
	}
	return r.err
}

// String shows who leaves.
func (h *UnregisterBroker) String() string {
	return fmt.Sprintf("broker %s/%s id %d at %s", h.ClusterName, h.BrokerName, h.BrokerID, h.BrokerAddress)
}

// QueryDataVersion is the header of ReqQueryDataVersion (class
// QueryDataVersionRequestHeader). The body is the broker's DataVersion; the answer's body is the
// one the name server knows, or nothing. It also counts as a sign of life.
type QueryDataVersion struct {
	BrokerName    string // brokerName
	BrokerAddress string // brokerAddr
	ClusterName   string // clusterName
	BrokerID      int64  // brokerId
}

// EncodeFields writes the header.
func (h *QueryDataVersion) EncodeFields(e *wire.Encoder) {
	(*UnregisterBroker)(h).EncodeFields(e)
}

// DecodeFields reads the header.
func (h *QueryDataVersion) DecodeFields(f wire.Fields) error {
	return (*UnregisterBroker)(h).DecodeFields(f)
}

// QueryDataVersionResponse is the header of its answer (class
// QueryDataVersionResponseHeader).
type QueryDataVersionResponse struct {
	Changed bool // changed: register in full, the versions differ
}

// EncodeFields writes the header.
func (h *QueryDataVersionResponse) EncodeFields(e *wire.Encoder) { e.Bool("changed", h.Changed) }

// DecodeFields reads the header.
func (h *QueryDataVersionResponse) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	r.needText("changed")
	*h = QueryDataVersionResponse{Changed: r.flag("changed", false)}
	return r.err
}

// BrokerHeartbeat is the header of ReqBrokerHeartbeat (class
// BrokerHeartbeatRequestHeader), to name servers (one-way) and controllers. The optional
// fields are for controllers.
type BrokerHeartbeat struct {
	ClusterName      string       // clusterName
	BrokerAddress    string       // brokerAddr
	BrokerName       string       // brokerName
	BrokerID         Maybe[int64] // brokerId: controllers need it
	Epoch            Maybe[int32] // epoch
	MaxOffset        Maybe[int64] // maxOffset: end of the broker's log
	ConfirmOffset    Maybe[int64] // confirmOffset: what the in-sync set holds
	LiveForMillis    Maybe[int64] // heartbeatTimeoutMills (spelled so)
	ElectionPriority Maybe[int32] // electionPriority
	// Incarnation (gantryIncarnation, Gantry's own) is that of the registration; see RegisterToController.
	Incarnation Maybe[int64]
	// SentAt (gantrySentAt, Gantry's own) is a time of the broker's own clock, greater in each heartbeat of an incarnation; see ElectMaster. 0: none.
	SentAt int64
	// Drained (gantryDrained, Gantry's own): others are elected rather than this broker, which an operator is about to stop.
	Drained bool
}

// EncodeFields writes the header.
func (h *BrokerHeartbeat) EncodeFields(e *wire.Encoder) {
	e.String("clusterName", h.ClusterName)
	e.String("brokerAddr", h.BrokerAddress)
	e.String("brokerName", h.BrokerName)
	encodeMaybe(e, "brokerId", h.BrokerID)
	encodeMaybe(e, "epoch", h.Epoch)
	encodeMaybe(e, "maxOffset", h.MaxOffset)
	encodeMaybe(e, "confirmOffset", h.ConfirmOffset)
	encodeMaybe(e, "heartbeatTimeoutMills", h.LiveForMillis)
	encodeMaybe(e, "electionPriority", h.ElectionPriority)
	encodeMaybe(e, "gantryIncarnation", h.Incarnation)
	encodeInteger(e, "gantrySentAt", h.SentAt)
	if h.Drained {
		e.Bool("gantryDrained", true)
	}
}

// DecodeFields reads the header.
func (h *BrokerHeartbeat) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = BrokerHeartbeat{
		ClusterName:      r.needText("clusterName"),
		BrokerAddress:    r.needText("brokerAddr"),
		BrokerName:       r.needText("brokerName"),
		BrokerID:         r.maybeInt64("brokerId"),
		Epoch:            r.maybeInt32("epoch"),
		MaxOffset:        r.maybeInt64("maxOffset"),
		ConfirmOffset:    r.maybeInt64("confirmOffset"),
		LiveForMillis:    r.maybeInt64("heartbeatTimeoutMills"),
		ElectionPriority: r.maybeInt32("electionPriority"),
		Incarnation:      r.maybeInt64("gantryIncarnation"),
		SentAt:           r.integer("gantrySentAt"),
		Drained:          r.flag("gantryDrained", false),
	}
	return r.err
}

// GetBrokerMemberGroup is the header of ReqGetBrokerMemberGroup (class
// GetBrokerMemberGroupRequestHeader). The answer's body is a BrokerMemberGroup.
type GetBrokerMemberGroup struct {
	ClusterName string // clusterName
	BrokerName  string // brokerName
}

// EncodeFields writes the header.
func (h *GetBrokerMemberGroup) EncodeFields(e *wire.Encoder) {
	e.String("clusterName", h.ClusterName)
	e.String("brokerName", h.BrokerName)
}

// DecodeFields reads the header.
func (h *GetBrokerMemberGroup) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetBrokerMemberGroup{ClusterName: r.needText("clusterName"), BrokerName: r.needText("brokerName")}
	return r.err
}

// NotifyMinBrokerIDChange is the header of ReqNotifyMinBrokerIDChange (class
// NotifyMinBrokerIdChangeRequestHeader), sent one-way by a name server to the members of a
// broker group when the smallest living broker id of the group has changed.
type NotifyMinBrokerIDChange struct {
	MinBrokerID      Maybe[int64] // minBrokerId
	BrokerName       string       // brokerName
	MinBrokerAddress string       // minBrokerAddr
	OfflineAddress   string       // offlineBrokerAddr: who left, if that was the cause
	HAAddress        string       // haBrokerAddr: replication address of the smallest
}

// EncodeFields writes the header.
func (h *NotifyMinBrokerIDChange) EncodeFields(e *wire.Encoder) {
	encodeMaybe(e, "minBrokerId", h.MinBrokerID)
	encodeText(e, "brokerName", h.BrokerName)
	encodeText(e, "minBrokerAddr", h.MinBrokerAddress)
	encodeText(e, "offlineBrokerAddr", h.OfflineAddress)
	encodeText(e, "haBrokerAddr", h.HAAddress)
}

// DecodeFields reads the header.
func (h *NotifyMinBrokerIDChange) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = NotifyMinBrokerIDChange{
		MinBrokerID:      r.maybeInt64("minBrokerId"),
		BrokerName:       r.text("brokerName"),
		MinBrokerAddress: r.text("minBrokerAddr"),
		OfflineAddress:   r.text("offlineBrokerAddr"),
		HAAddress:        r.text("haBrokerAddr"),
	}
	return r.err
}
