package proto

import "github.com/gantrymq/gantry/transport/wire"

// GetRouteInfoByTopic is the header of ReqGetRouteInfoByTopic (class
// GetRouteInfoRequestHeader). The answer's body is a Route.
type GetRouteInfoByTopic struct {
	Topic string // topic
	// AcceptStrictOnly (acceptStandardJsonOnly): the asker reads strict JSON only,
	// whatever its version. See RouteForm.
	AcceptStrictOnly bool
	// ZoneMode (__ZONE_MODE) asks for brokers of the zone ZoneName (__ZONE_NAME) only.
	ZoneMode bool
	ZoneName string
}

// EncodeFields writes the header.
func (h *GetRouteInfoByTopic) EncodeFields(e *wire.Encoder) {
	e.String("topic", h.Topic)
	if h.AcceptStrictOnly {
		e.Bool("acceptStandardJsonOnly", true)
	}
	if h.ZoneMode {
		e.Bool("__ZONE_MODE", true)
	}
	encodeText(e, "__ZONE_NAME", h.ZoneName)
}

// DecodeFields reads the header.
func (h *GetRouteInfoByTopic) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetRouteInfoByTopic{
		Topic:            r.needText("topic"),
		AcceptStrictOnly: r.flag("acceptStandardJsonOnly", false),
		ZoneMode:         r.flag("__ZONE_MODE", false),
		ZoneName:         r.text("__ZONE_NAME"),
	}
	return r.err
}

// RegisterTopicInNameServer is the header of ReqRegisterTopicInNameServer (class
// RegisterTopicRequestHeader). The body is a Route, of which only the queues count.
type RegisterTopicInNameServer struct {
	Topic string // topic
}

// EncodeFields writes the header.
func (h *RegisterTopicInNameServer) EncodeFields(e *wire.Encoder) { e.String("topic", h.Topic) }

// DecodeFields reads the header.
func (h *RegisterTopicInNameServer) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = RegisterTopicInNameServer{Topic: r.needText("topic")}
	return r.err
}

// GetTopicsByCluster is the header of ReqGetTopicsByCluster (class
// GetTopicsByClusterRequestHeader). The answer's body is a TopicList.
type GetTopicsByCluster struct {
	Cluster string // cluster
}

// EncodeFields writes the header.
func (h *GetTopicsByCluster) EncodeFields(e *wire.Encoder) { e.String("cluster", h.Cluster) }

// DecodeFields reads the header.
func (h *GetTopicsByCluster) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetTopicsByCluster{Cluster: r.needText("cluster")}
	return r.err
}

// WipeWritePermOfBroker is the header of ReqWipeWritePermOfBroker (class
// WipeWritePermOfBrokerRequestHeader): take the write permission from all topics of a
// broker name, until its next registration.
type WipeWritePermOfBroker struct {
	BrokerName string // brokerName
}

// EncodeFields writes the header.
func (h *WipeWritePermOfBroker) EncodeFields(e *wire.Encoder) {
	e.String("brokerName", h.BrokerName)
}

// DecodeFields reads the header.
func (h *WipeWritePermOfBroker) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = WipeWritePermOfBroker{BrokerName: r.needText("brokerName")}
	return r.err
}

// WipeWritePermOfBrokerResponse is the header of its answer (class
// WipeWritePermOfBrokerResponseHeader).
type WipeWritePermOfBrokerResponse struct {
	Topics int32 // wipeTopicCount: topics changed
}

// EncodeFields writes the header.
func (h *WipeWritePermOfBrokerResponse) EncodeFields(e *wire.Encoder) {
	e.Int("wipeTopicCount", int64(h.Topics))
}

// DecodeFields reads the header.
func (h *WipeWritePermOfBrokerResponse) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = WipeWritePermOfBrokerResponse{Topics: r.needInt32("wipeTopicCount")}
	return r.err
}

// AddWritePermOfBroker is the header of ReqAddWritePermOfBroker (class
// AddWritePermOfBrokerRequestHeader): give all topics of a broker name the permissions
// to read and write.
type AddWritePermOfBroker struct {
	BrokerName string // brokerName
}

// EncodeFields writes the header.
func (h *AddWritePermOfBroker) EncodeFields(e *wire.Encoder) {
	e.String("brokerName", h.BrokerName)
}

// DecodeFields reads the header.
func (h *AddWritePermOfBroker) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = AddWritePermOfBroker{BrokerName: r.needText("brokerName")}
	return r.err
}

// AddWritePermOfBrokerResponse is the header of its answer (class
// AddWritePermOfBrokerResponseHeader).
type AddWritePermOfBrokerResponse struct {
	Topics int32 // addTopicCount: topics changed
}

// EncodeFields writes the header.
func (h *AddWritePermOfBrokerResponse) EncodeFields(e *wire.Encoder) {
	e.Int("addTopicCount", int64(h.Topics))
}

// DecodeFields reads the header.
func (h *AddWritePermOfBrokerResponse) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = AddWritePermOfBrokerResponse{Topics: r.needInt32("addTopicCount")}
	return r.err
}
