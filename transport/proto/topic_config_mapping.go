package proto

import "encoding/json"

// TopicConfigAndMapping is what a broker knows of one topic (class TopicConfigAndQueueMapping, since
// 5.0): the body of the answer to ReqGetTopicConfig.
type TopicConfigAndMapping struct {
	Config  TopicConfig
	Mapping *MappingDetail // mappingDetail: only of static topics
}

// String shows the topic.
func (t *TopicConfigAndMapping) String() string { return t.Config.String() }

// Marshal writes the body.
func (t *TopicConfigAndMapping) Marshal() []byte {
	var w writer
	w.open('{')
	w.tableMember("attributes", t.Config.Attributes)
	if t.Mapping != nil {
		w.key("mappingDetail")
		w.mappingDetail(t.Mapping)
	}
	w.topicConfigRest(&t.Config)
	w.close('}')
	return w.text
}

// UnmarshalTopicConfigAndMapping reads the body. The error is ErrBody.
func UnmarshalTopicConfigAndMapping(body []byte) (*TopicConfigAndMapping, error) {
	t := new(TopicConfigAndMapping)
	if err := unmarshal("TopicConfigAndQueueMapping", body, t); err != nil {
		return nil, err
	}
	return t, nil
}

// UnmarshalJSON reads strict JSON.
func (t *TopicConfigAndMapping) UnmarshalJSON(text []byte) error {
	var in struct {
		MappingDetail *MappingDetail `json:"mappingDetail"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	t.Mapping = in.MappingDetail
	return json.Unmarshal(text, &t.Config)
}
