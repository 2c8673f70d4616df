package proto

import "github.com/gantrymq/gantry/transport/wire"

// GetTopicConfig is the header of ReqGetTopicConfig (class GetTopicConfigRequestHeader, since
// 5.0). The answer's body is a TopicConfigAndMapping.
type GetTopicConfig struct {
	Topic   string      // topic
	Logical Maybe[bool] // lo: false asks about the physical topic; absent means true
}

// EncodeFields writes the header.
func (h *GetTopicConfig) EncodeFields(e *wire.Encoder) {
	e.String("topic", h.Topic)
	encodeMaybeFlag(e, "lo", h.Logical)
}

// DecodeFields reads the header.
func (h *GetTopicConfig) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetTopicConfig{Topic: r.needText("topic"), Logical: r.maybeFlag("lo")}
	return r.err
}

// GetAllTopicConfig is the header of ReqGetAllTopicConfig (class GetAllTopicConfigRequestHeader,
// after 5.3.3; peers before send no header). With it a slave asks for the table in pages; a
// broker may give all of it all the same. The answer's body is a TopicTable.
type GetAllTopicConfig struct {
	First   Maybe[int32]       // topicSeq: number of the first wanted topic in the order of names, from 0; absent: give all
	Version Maybe[DataVersion] // dataVersion, as JSON text, optional: the version that the pages before had
	Max     Maybe[int32]       // maxTopicNum, optional: topics in a page
}

// EncodeFields writes the header.
func (h *GetAllTopicConfig) EncodeFields(e *wire.Encoder) {
	encodeMaybe(e, "topicSeq", h.First)
	encodeVersion(e, "dataVersion", h.Version)
	encodeMaybe(e, "maxTopicNum", h.Max)
}

// DecodeFields reads the header.
func (h *GetAllTopicConfig) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetAllTopicConfig{
		First:   r.maybeInt32("topicSeq"),
		Version: r.maybeVersion("dataVersion"),
		Max:     r.maybeInt32("maxTopicNum"),
	}
	return r.err
}

// GetAllTopicConfigResponse is the header of its answer (class GetAllTopicConfigResponseHeader;
// the field is there after 5.3.3).
type GetAllTopicConfigResponse struct {
	Total Maybe[int32] // totalTopicNum: topics on all pages; absent: the body has all
}

// EncodeFields writes the header.
func (h *GetAllTopicConfigResponse) EncodeFields(e *wire.Encoder) {
	encodeMaybe(e, "totalTopicNum", h.Total)
}

// DecodeFields reads the header.
func (h *GetAllTopicConfigResponse) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetAllTopicConfigResponse{Total: r.maybeInt32("totalTopicNum")}
	return r.err
}
