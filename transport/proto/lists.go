package proto

import "fmt"

// TopicList is a list of topic names (class TopicList): the body of the answers to
// ReqGetAllTopicListFromNameServer, ReqGetTopicsByCluster and the other lists of topics.
type TopicList struct {
	Topics        []string // topicList; a set, in no order
	BrokerAddress string   // brokerAddr: only with ReqGetSystemTopicListFromNameServer, any master's
}

// String shows the number of topics.
func (l *TopicList) String() string { return fmt.Sprintf("%d topics", len(l.Topics)) }

// Marshal writes the body.
func (l *TopicList) Marshal() []byte {
	var w writer
	w.open('{')
	if l.BrokerAddress != "" {
		w.stringMember("brokerAddr", l.BrokerAddress)
	}
	w.stringsMember("topicList", l.Topics)
	w.close('}')
	return w.text
}

// UnmarshalTopicList reads the body. The error is ErrBody.
func UnmarshalTopicList(body []byte) (*TopicList, error) {
	var in struct {
		BrokerAddr looseString `json:"brokerAddr"`
		TopicList  []string    `json:"topicList"`
	}
	if err := unmarshal("TopicList", body, &in); err != nil {
		return nil, err
	}
	return &TopicList{Topics: in.TopicList, BrokerAddress: string(in.BrokerAddr)}, nil
}

// ConsumerList is the client ids of a group (class GetConsumerListByGroupResponseBody):
// the body of the answer to ReqGetConsumerListByGroup.
type ConsumerList struct {
	ClientIDs []string // consumerIdList; clients sort it
}

// String shows the number of members.
func (l *ConsumerList) String() string { return fmt.Sprintf("%d consumers", len(l.ClientIDs)) }

// Marshal writes the body.
func (l *ConsumerList) Marshal() []byte {
	var w writer
	w.open('{')
	w.stringsMember("consumerIdList", l.ClientIDs)
	w.close('}')
	return w.text
}

// UnmarshalConsumerList reads the body. The error is ErrBody.
func UnmarshalConsumerList(body []byte) (*ConsumerList, error) {
	var in struct {
		ConsumerIDList []string `json:"consumerIdList"`
	}
	if err := unmarshal("GetConsumerListByGroupResponseBody", body, &in); err != nil {
		return nil, err
	}
	return &ConsumerList{ClientIDs: in.ConsumerIDList}, nil
}

// KVTable is a table of texts (class KVTable): the body of the answers to
// ReqGetKVListByNamespace, ReqRegisterBroker and ReqGetBrokerRuntimeInfo.
type KVTable struct {
	Table map[string]string // table
}

// String shows the number of entries.
func (t *KVTable) String() string { return fmt.Sprintf("%d entries", len(t.Table)) }

// Marshal writes the body, by key.
func (t *KVTable) Marshal() []byte {
	var w writer
	w.open('{')
	w.tableMember("table", t.Table)
	w.close('}')
	return w.text
}

// UnmarshalKVTable reads the body. The error is ErrBody.
func UnmarshalKVTable(body []byte) (*KVTable, error) {
	var in struct {
		Table looseTable `json:"table"`
	}
	if err := unmarshal("KVTable", body, &in); err != nil {
		return nil, err
	}
	return &KVTable{Table: in.Table.plain()}, nil
}
