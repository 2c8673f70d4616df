package proto

import "github.com/gantrymq/gantry/transport/wire"

// OrderTopicNamespace is the key-value namespace of the order configuration
// ("ORDER_TOPIC_CONFIG"): key a topic, value "broker-a:8;broker-b:4".
const OrderTopicNamespace = "ORDER_TOPIC_CONFIG"

// PutKVConfig is the header of ReqPutKVConfig (class PutKVConfigRequestHeader).
type PutKVConfig struct {
	Namespace string // namespace
	Key       string // key
	Value     string // value
}

// EncodeFields writes the header.
func (h *PutKVConfig) EncodeFields(e *wire.Encoder) {
	e.String("namespace", h.Namespace)
	e.String("key", h.Key)
	e.String("value", h.Value)
}

// DecodeFields reads the header.
func (h *PutKVConfig) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = PutKVConfig{Namespace: r.needText("namespace"), Key: r.needText("key"), Value: r.needText("value")}
	return r.err
}

// GetKVConfig is the header of ReqGetKVConfig (class GetKVConfigRequestHeader).
type GetKVConfig struct {
	Namespace string // namespace
	Key       string // key
}

// EncodeFields writes the header.
func (h *GetKVConfig) EncodeFields(e *wire.Encoder) {
	e.String("namespace", h.Namespace)
	e.String("key", h.Key)
}

// DecodeFields reads the header.
func (h *GetKVConfig) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetKVConfig{Namespace: r.needText("namespace"), Key: r.needText("key")}
	return r.err
}

// GetKVConfigResponse is the header of its answer (class GetKVConfigResponseHeader).
type GetKVConfigResponse struct {
	Value string // value
}

// EncodeFields writes the header.
func (h *GetKVConfigResponse) EncodeFields(e *wire.Encoder) { e.String("value", h.Value) }

// DecodeFields reads the header.
func (h *GetKVConfigResponse) DecodeFields(f wire.Fields) error {
	*h = GetKVConfigResponse{Value: f.String("value")}
	return nil
}

// DeleteKVConfig is the header of ReqDeleteKVConfig (class DeleteKVConfigRequestHeader).
type DeleteKVConfig struct {
	Namespace string // namespace
	Key       string // key
}

// EncodeFields writes the header.
func (h *DeleteKVConfig) EncodeFields(e *wire.Encoder) {
	e.String("namespace", h.Namespace)
	e.String("key", h.Key)
}

// DecodeFields reads the header.
func (h *DeleteKVConfig) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = DeleteKVConfig{Namespace: r.needText("namespace"), Key: r.needText("key")}
	return r.err
}

// GetKVListByNamespace is the header of ReqGetKVListByNamespace (class
// GetKVListByNamespaceRequestHeader). The answer's body is a KVTable.
type GetKVListByNamespace struct {
	Namespace string // namespace
}

// EncodeFields writes the header.
func (h *GetKVListByNamespace) EncodeFields(e *wire.Encoder) {
	e.String("namespace", h.Namespace)
}

// DecodeFields reads the header.
func (h *GetKVListByNamespace) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetKVListByNamespace{Namespace: r.needText("namespace")}
	return r.err
}
