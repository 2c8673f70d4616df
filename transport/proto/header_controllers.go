package proto

import (
	"slices"
	"strconv"

	"github.com/gantrymq/gantry/transport/wire"
)

// What tools ask of controllers, and controllers of each other.

// GetMetadataInfoResponse is the header of the answer to ReqControllerGetMetadataInfo (class GetMetaDataResponseHeader): which
// controllers there are, and which of them leads. The request has no header.
type GetMetadataInfoResponse struct {
	Group         string // group
	LeaderID      string // controllerLeaderId: such as "n0", "" if nobody is known to lead
	LeaderAddress string // controllerLeaderAddress: host:port
	IsLeader      bool   // isLeader: the one who answers leads
	Peers         string // peers: "n0:host:port;n1:host:port"
}

// EncodeFields writes the header.
func (h *GetMetadataInfoResponse) EncodeFields(e *wire.Encoder) {
	e.String("group", h.Group)
	encodeText(e, "controllerLeaderId", h.LeaderID)
	encodeText(e, "controllerLeaderAddress", h.LeaderAddress)
	e.Bool("isLeader", h.IsLeader)
	e.String("peers", h.Peers)
}

// DecodeFields reads the header.
func (h *GetMetadataInfoResponse) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetMetadataInfoResponse{
		Group:         r.text("group"),
		LeaderID:      r.text("controllerLeaderId"),
		LeaderAddress: r.text("controllerLeaderAddress"),
		IsLeader:      r.flag("isLeader", false),
		Peers:         r.text("peers"),
	}
	return r.err
}

// CleanBrokerData is the header of ReqCleanBrokerData (class CleanControllerBrokerDataRequestHeader): brokers that will not come back
// are to be forgotten.
type CleanBrokerData struct {
	ClusterName string // clusterName: "" if living brokers are to be forgotten, too
	BrokerName  string // brokerName
	// IDs (brokerControllerIdsToClean, joined by semicolons) are those of the brokers; nil: all of the group.
	IDs []int64
	// LivingToo (isCleanLivingBroker): brokers that are alive are forgotten as well.
	LivingToo bool
	InvokedAt int64 // invokeTime: wall milliseconds; 0: not sent
}

const brokerIDsToClean = "brokerControllerIdsToClean"

// EncodeFields writes the header.
func (h *CleanBrokerData) EncodeFields(e *wire.Encoder) {
	encodeText(e, "clusterName", h.ClusterName)
	e.String("brokerName", h.BrokerName)
	ids := make([]string, len(h.IDs))
	for i, id := range h.IDs {
		ids[i] = strconv.FormatInt(id, 10)
	}
	encodeList(e, brokerIDsToClean, ids, ";")
	e.Bool("isCleanLivingBroker", h.LivingToo)
	e.Int("invokeTime", h.InvokedAt)
}

// DecodeFields reads the header. Ids come out sorted, each once. One that is not a number is a fault although the field is optional: without it all of the
// group would be meant.
func (h *CleanBrokerData) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = CleanBrokerData{
		ClusterName: r.text("clusterName"),
		BrokerName:  r.needText("brokerName"),
		LivingToo:   r.flag("isCleanLivingBroker", false),
		InvokedAt:   r.integer("invokeTime"),
	}
	for _, part := range r.list(brokerIDsToClean, ";") {
		id, ok := parseInt([]byte(part))
		if !ok {
			r.fail(&FieldError{Field: brokerIDsToClean, Value: shorten([]byte(part)), Want: "decimal numbers, joined by semicolons"})
		}
		h.IDs = append(h.IDs, id)
	}
	slices.Sort(h.IDs)
	h.IDs = slices.Compact(h.IDs)
	return r.err
}

// RaftMessage is the header of ReqRaftMessage. The body is the message itself.
type RaftMessage struct {
	Group string // gantryGroup: controllers of different groups must not take each other's messages
	From  string // gantryFrom: id of the sender, such as "n0"
	To    string // gantryTo: id of the receiver
	// SentAt (gantrySentAt) is a time of the sender's own clock if the sender leads; nobody else can tell what it means. 0: none.
	SentAt int64
	// Heard (gantryHeard) is the SentAt of the last message that the sender has taken from the receiver as its leader in this term. 0: none.
	Heard int64
	// Election (gantryElectionNanos) is the sender's election timeout, in nanoseconds: leases are only safe if it is the same at all. 0: not sent.
	Election int64
}

// EncodeFields writes the header.
func (h *RaftMessage) EncodeFields(e *wire.Encoder) {
	e.String("gantryGroup", h.Group)
	e.String("gantryFrom", h.From)
	e.String("gantryTo", h.To)
	encodeInteger(e, "gantrySentAt", h.SentAt)
	encodeInteger(e, "gantryHeard", h.Heard)
	encodeInteger(e, "gantryElectionNanos", h.Election)
}

// DecodeFields reads the header.
func (h *RaftMessage) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = RaftMessage{
		Group:  r.needText("gantryGroup"),
		From:   r.needText("gantryFrom"),
		To:     r.needText("gantryTo"),
		SentAt: r.integer("gantrySentAt"),
		Heard:  r.integer("gantryHeard"),

		Election: r.integer("gantryElectionNanos"),
	}
	return r.err
}
