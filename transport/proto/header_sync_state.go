package proto

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/transport/wire"
)

// AlterSyncStateSet is the header of ReqControllerAlterSyncStateSet (class AlterSyncStateSetRequestHeader): a master wants another
// in-sync set. The body is a SyncStateSet: the new members, and the epoch of the set that they are to replace.
type AlterSyncStateSet struct {
	BrokerName  string // brokerName
	MasterID    int64  // masterBrokerId: who asks
	MasterEpoch int32  // masterEpoch: since when it is master
	InvokedAt   int64  // invokeTime: wall milliseconds; 0: not sent
	// Confirmed (gantryConfirmOffset): all members of the new set have the log up to here. Absent: the master does not say.
	Confirmed Maybe[int64]
	// Incarnations (gantryIncarnations), by id: which start of a member it was that has caught up. The request is refused if the
	// member has started again since, as it may have lost what it had. Members that are not named are not checked.
	Incarnations []MemberIncarnation
}

// MemberIncarnation says which start of a broker is meant.
type MemberIncarnation struct {
	BrokerID    int64
	Incarnation int64
}

// EncodeFields writes the header.
func (h *AlterSyncStateSet) EncodeFields(e *wire.Encoder) {
	e.String("brokerName", h.BrokerName)
	e.Int("masterBrokerId", h.MasterID)
	e.Int("masterEpoch", int64(h.MasterEpoch))
	e.Int("invokeTime", h.InvokedAt)
	encodeMaybe(e, "gantryConfirmOffset", h.Confirmed)
	encodeText(e, "gantryIncarnations", formatIncarnations(h.Incarnations))
}

// DecodeFields reads the header.
func (h *AlterSyncStateSet) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = AlterSyncStateSet{
		BrokerName:   r.needText("brokerName"),
		MasterID:     r.needInteger("masterBrokerId"),
		MasterEpoch:  r.needInt32("masterEpoch"),
		InvokedAt:    r.integer("invokeTime"),
		Confirmed:    r.maybeInt64("gantryConfirmOffset"),
		Incarnations: r.incarnations("gantryIncarnations"),
	}
	return r.err
}

// formatIncarnations writes "id:incarnation;…".
func formatIncarnations(members []MemberIncarnation) string {
	parts := make([]string, len(members))
	for i, m := range members {
		parts[i] = strconv.FormatInt(m.BrokerID, 10) + ":" + strconv.FormatInt(m.Incarnation, 10)
	}
	return strings.Join(parts, ";")
}

// incarnations reads what formatIncarnations writes, in the order of ids. What cannot be read is a fault although the field is
// optional: a check that was asked for must not be left out.
func (r *fieldReader) incarnations(key string) []MemberIncarnation {
	var members []MemberIncarnation
	for _, part := range r.list(key, ";") {
		id, incarnation, _ := strings.Cut(part, ":")
		m, idOK := parseInt([]byte(id))
		n, incarnationOK := parseInt([]byte(incarnation))
		if !idOK || !incarnationOK {
			r.fail(&FieldError{Field: key, Value: shorten([]byte(part)), Want: "id:incarnation, joined by semicolons"})
			return nil
		}
		members = append(members, MemberIncarnation{BrokerID: m, Incarnation: n})
	}
	slices.SortFunc(members, func(a, b MemberIncarnation) int {
		return cmp.Or(cmp.Compare(a.BrokerID, b.BrokerID), cmp.Compare(a.Incarnation, b.Incarnation))
	})
	return members
}

// AlterSyncStateSetResponse is the header of its answer (class AlterSyncStateSetResponseHeader). The body is the SyncStateSet in force.
type AlterSyncStateSetResponse struct {
	NewSetEpoch int32 // newSyncStateSetEpoch
}

// EncodeFields writes the header.
func (h *AlterSyncStateSetResponse) EncodeFields(e *wire.Encoder) {
	e.Int("newSyncStateSetEpoch", int64(h.NewSetEpoch))
}

// DecodeFields reads the header.
func (h *AlterSyncStateSetResponse) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = AlterSyncStateSetResponse{NewSetEpoch: r.needInt32("newSyncStateSetEpoch")}
	return r.err
}

// GetReplicaInfo is the header of ReqControllerGetReplicaInfo (class GetReplicaInfoRequestHeader).
type GetReplicaInfo struct {
	BrokerName string // brokerName
}

// EncodeFields writes the header.
func (h *GetReplicaInfo) EncodeFields(e *wire.Encoder) { e.String("brokerName", h.BrokerName) }

// DecodeFields reads the header.
func (h *GetReplicaInfo) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetReplicaInfo{BrokerName: r.needText("brokerName")}
	return r.err
}

// GetReplicaInfoResponse is the header of its answer (class GetReplicaInfoResponseHeader). The body is a SyncStateSet, which holds the
// epoch of the set.
type GetReplicaInfoResponse struct {
	MasterID        Maybe[int64] // masterBrokerId: absent if the group has no master
	MasterAddress   string       // masterAddress
	MasterHAAddress string       // gantryMasterHaAddress
	MasterEpoch     int32        // masterEpoch
}

// EncodeFields writes the header.
func (h *GetReplicaInfoResponse) EncodeFields(e *wire.Encoder) {
	encodeMaybe(e, "masterBrokerId", h.MasterID)
	encodeText(e, "masterAddress", h.MasterAddress)
	encodeText(e, "gantryMasterHaAddress", h.MasterHAAddress)
	e.Int("masterEpoch", int64(h.MasterEpoch))
}

// DecodeFields reads the header.
func (h *GetReplicaInfoResponse) DecodeFields(f wire.Fields) error {
	var m MasterInfo
	err := m.DecodeFields(f)
	*h = GetReplicaInfoResponse{MasterID: m.BrokerID, MasterAddress: m.Address, MasterHAAddress: m.HAAddress, MasterEpoch: m.Epoch}
	return err
}
