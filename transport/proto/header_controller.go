package proto

import (
	"fmt"

	"github.com/gantrymq/gantry/transport/wire"
)

// What brokers ask of a controller. Java peers need none of these fields to decode a header; those without which a request has no
// meaning are required here all the same, so that the answer can name what is missing. Fields whose key begins with "gantry" are
// Gantry's own and optional: Java peers pass over them.

// NoBroker is the broker id that means none: "let the controller choose" in ElectMaster.
const NoBroker int64 = -1

// GetNextBrokerID is the header of ReqControllerGetNextBrokerID (class GetNextBrokerIdRequestHeader).
type GetNextBrokerID struct {
	ClusterName string // clusterName
	BrokerName  string // brokerName
}

// EncodeFields writes the header.
func (h *GetNextBrokerID) EncodeFields(e *wire.Encoder) {
	e.String("clusterName", h.ClusterName)
	e.String("brokerName", h.BrokerName)
}

// DecodeFields reads the header.
func (h *GetNextBrokerID) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetNextBrokerID{ClusterName: r.needText("clusterName"), BrokerName: r.needText("brokerName")}
	return r.err
}

// GetNextBrokerIDResponse is the header of its answer (class GetNextBrokerIdResponseHeader).
type GetNextBrokerIDResponse struct {
	ClusterName string // clusterName
	BrokerName  string // brokerName
	// NextBrokerID (nextBrokerId) is free now, and nobody's until it was applied for. At least 1.
	NextBrokerID int64
}

// EncodeFields writes the header.
func (h *GetNextBrokerIDResponse) EncodeFields(e *wire.Encoder) {
	e.String("clusterName", h.ClusterName)
	e.String("brokerName", h.BrokerName)
	e.Int("nextBrokerId", h.NextBrokerID)
}

// DecodeFields reads the header.
func (h *GetNextBrokerIDResponse) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetNextBrokerIDResponse{ClusterName: r.text("clusterName"), BrokerName: r.text("brokerName"), NextBrokerID: r.needInteger("nextBrokerId")}
	return r.err
}

// ApplyBrokerID is the header of ReqControllerApplyBrokerID (class ApplyBrokerIdRequestHeader): a broker wants an id for good.
type ApplyBrokerID struct {
	ClusterName string // clusterName
	BrokerName  string // brokerName
	BrokerID    int64  // appliedBrokerId
	// CheckCode (registerCheckCode) tells one who applies again, who gets the same answer, from another one. Java writes
	// "<address>;<wall milliseconds>".
	CheckCode string
}

// EncodeFields writes the header.
func (h *ApplyBrokerID) EncodeFields(e *wire.Encoder) {
	e.String("clusterName", h.ClusterName)
	e.String("brokerName", h.BrokerName)
	e.Int("appliedBrokerId", h.BrokerID)
	e.String("registerCheckCode", h.CheckCode)
}

// DecodeFields reads the header.
func (h *ApplyBrokerID) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = ApplyBrokerID{
		ClusterName: r.needText("clusterName"),
		BrokerName:  r.needText("brokerName"),
		BrokerID:    r.needInteger("appliedBrokerId"),
		CheckCode:   r.needText("registerCheckCode"),
	}
	return r.err
}

// ApplyBrokerIDResponse is the header of its answer (class ApplyBrokerIdResponseHeader).
type ApplyBrokerIDResponse struct {
	ClusterName string // clusterName
	BrokerName  string // brokerName
}

// EncodeFields writes the header.
func (h *ApplyBrokerIDResponse) EncodeFields(e *wire.Encoder) {
	e.String("clusterName", h.ClusterName)
	e.String("brokerName", h.BrokerName)
}

// DecodeFields reads the header.
func (h *ApplyBrokerIDResponse) DecodeFields(f wire.Fields) error {
	*h = ApplyBrokerIDResponse{ClusterName: f.String("clusterName"), BrokerName: f.String("brokerName")}
	return nil
}

// RegisterToController is the header of ReqControllerRegisterBroker (class RegisterBrokerToControllerRequestHeader): a broker that has
// an id says where it is. The answer's body is a SyncStateSet.
type RegisterToController struct {
	ClusterName   string // clusterName
	BrokerName    string // brokerName
	BrokerID      int64  // brokerId
	BrokerAddress string // brokerAddress, ip:port
	InvokedAt     int64  // invokeTime: wall milliseconds; 0: not sent
	HAAddress     string // gantryHaAddress: ip:port of replication
	// Incarnation (gantryIncarnation) counts the starts of this broker: greater each time. Absent from Java brokers, and every
	// registration is then a new incarnation.
	Incarnation Maybe[int64]
	// Whole (gantryWhole): all that this broker ever acknowledged is in its log.
	Whole     bool
	LastEpoch int32 // gantryEpoch: the last master epoch in its log
	LogEnd    int64 // gantryLogEnd: the end of its log
	// LiveForMillis (gantryTimeoutMillis): as in BrokerHeartbeat; the longest that a heartbeat of this incarnation will ask for at once. 0: not sent.
	LiveForMillis int64
}

// EncodeFields writes the header.
func (h *RegisterToController) EncodeFields(e *wire.Encoder) {
	e.String("clusterName", h.ClusterName)
	e.String("brokerName", h.BrokerName)
	e.Int("brokerId", h.BrokerID)
	e.String("brokerAddress", h.BrokerAddress)
	e.Int("invokeTime", h.InvokedAt)
	encodeText(e, "gantryHaAddress", h.HAAddress)
	encodeMaybe(e, "gantryIncarnation", h.Incarnation)
	if h.Whole {
		e.Bool("gantryWhole", true)
	}
	encodeInteger(e, "gantryEpoch", int64(h.LastEpoch))
	encodeInteger(e, "gantryLogEnd", h.LogEnd)
	encodeInteger(e, "gantryTimeoutMillis", h.LiveForMillis)
}

// DecodeFields reads the header.
func (h *RegisterToController) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = RegisterToController{
		ClusterName:   r.needText("clusterName"),
		BrokerName:    r.needText("brokerName"),
		BrokerID:      r.needInteger("brokerId"),
		BrokerAddress: r.needText("brokerAddress"),
		InvokedAt:     r.integer("invokeTime"),
		HAAddress:     r.text("gantryHaAddress"),
		Incarnation:   r.maybeInt64("gantryIncarnation"),
		Whole:         r.flag("gantryWhole", false),
		LastEpoch:     r.int32("gantryEpoch"),
		LogEnd:        r.integer("gantryLogEnd"),
		LiveForMillis: r.integer("gantryTimeoutMillis"),
	}
	return r.err
}

// String shows who registers.
func (h *RegisterToController) String() string {
	return fmt.Sprintf("broker %s/%s id %d at %s", h.ClusterName, h.BrokerName, h.BrokerID, h.BrokerAddress)
}

// RegisterToControllerResponse is the header of its answer (class RegisterBrokerToControllerResponseHeader).
type RegisterToControllerResponse struct {
	ClusterName string // clusterName
	BrokerName  string // brokerName
	MasterInfo
}

// EncodeFields writes the header.
func (h *RegisterToControllerResponse) EncodeFields(e *wire.Encoder) {
	e.String("clusterName", h.ClusterName)
	e.String("brokerName", h.BrokerName)
	h.MasterInfo.EncodeFields(e)
}

// DecodeFields reads the header.
func (h *RegisterToControllerResponse) DecodeFields(f wire.Fields) error {
	*h = RegisterToControllerResponse{ClusterName: f.String("clusterName"), BrokerName: f.String("brokerName")}
	return h.MasterInfo.DecodeFields(f)
}
