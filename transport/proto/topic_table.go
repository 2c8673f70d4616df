package proto

import "fmt"

// TopicTable is the topics of a broker and their version (class
// TopicConfigSerializeWrapper; with Mappings, class TopicConfigAndMappingSerializeWrapper).
// It is the body of ReqGetAllTopicConfig's answer, a part of RegisterBrokerBody, and the
// file topics.json.
type TopicTable struct {
	Version DataVersion   // dataVersion
	Topics  []TopicConfig // topicConfigTable; by name when read, each name once
	// Mappings are the static topics, since 5.0. nil: the older class.
	Mappings *MappingTable
}

// MappingTable is the part of a TopicTable about static topics.
type MappingTable struct {
	Version DataVersion     // mappingDataVersion
	Infos   []TopicMapping  // topicQueueMappingInfoMap; by topic when read
	Details []MappingDetail // topicQueueMappingDetailMap; by topic when read
}

// String shows the version and the number of topics.
func (t *TopicTable) String() string {
	return fmt.Sprintf("%d topics, %s", len(t.Topics), t.Version)
}

// Marshal writes the table as JSON, topics in their order.
func (t *TopicTable) Marshal() []byte {
	var w writer
	w.topicTable(t)
	return w.text
}

// UnmarshalTopicTable reads what Marshal and Java peers write. The error is ErrBody.
func UnmarshalTopicTable(body []byte) (*TopicTable, error) {
	var in topicTableJSON
	if err := unmarshal("TopicConfigSerializeWrapper", body, &in); err != nil {
		return nil, err
	}
	t := in.table()
	return &t, nil
}

// topicTableJSON is both classes as they are written.
type topicTableJSON struct {
	DataVersion                DataVersion                 `json:"dataVersion"`
	TopicConfigTable           map[string]*topicConfigJSON `json:"topicConfigTable"`
	MappingDataVersion         *DataVersion                `json:"mappingDataVersion"`
	TopicQueueMappingInfoMap   map[string]*TopicMapping    `json:"topicQueueMappingInfoMap"`
	TopicQueueMappingDetailMap map[string]*MappingDetail   `json:"topicQueueMappingDetailMap"`
}

func (in *topicTableJSON) table() TopicTable {
	return TopicTable{Version: in.DataVersion, Topics: in.topics(), Mappings: in.mappings()}
}

func (in *topicTableJSON) topics() []TopicConfig {
	var topics []TopicConfig
	for _, name := range sortedKeys(in.TopicConfigTable) {
		if config := in.TopicConfigTable[name]; config != nil {
			// Java goes by the key; the name inside is a repetition.
			topics = append(topics, config.config(name))
		}
	}
	return topics
}

func (in *topicTableJSON) mappings() *MappingTable {
	if in.MappingDataVersion == nil && in.TopicQueueMappingInfoMap == nil && in.TopicQueueMappingDetailMap == nil {
		return nil
	}
	m := &MappingTable{
		Infos:   tableValues(in.TopicQueueMappingInfoMap),
		Details: tableValues(in.TopicQueueMappingDetailMap),
	}
	if in.MappingDataVersion != nil {
		m.Version = *in.MappingDataVersion
	}
	return m
}

// tableValues lists the values of a map by key.
func tableValues[V any](table map[string]*V) []V {
	var values []V
	for _, key := range sortedKeys(table) {
		if value := table[key]; value != nil {
			values = append(values, *value)
		}
	}
	return values
}

func (w *writer) topicTable(t *TopicTable) {
	w.open('{')
	w.key("dataVersion")
	w.dataVersion(t.Version)
	if t.Mappings != nil {
		w.key("mappingDataVersion")
		w.dataVersion(t.Mappings.Version)
	}
	w.key("topicConfigTable")
	w.open('{')
	for i := range t.Topics {
		w.key(t.Topics[i].Name)
		w.topicConfig(&t.Topics[i])
	}
	w.close('}')
	if t.Mappings != nil {
		w.mappings(t.Mappings)
	}
	w.close('}')
}

func (w *writer) mappings(m *MappingTable) {
	w.key("topicQueueMappingDetailMap")
	w.open('{')
	for i := range m.Details {
		w.key(m.Details[i].Topic)
		w.mappingDetail(&m.Details[i])
	}
	w.close('}')
	w.key("topicQueueMappingInfoMap")
	w.open('{')
	for i := range m.Infos {
		w.key(m.Infos[i].Topic)
		w.mapping(&m.Infos[i])
	}
	w.close('}')
}
