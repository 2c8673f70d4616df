package proto

import "fmt"

// TopicConfigList is several topics to be made or changed (class CreateTopicListRequestBody, since 5.3): the body of
// ReqUpdateAndCreateTopicList. The keys of their attributes begin with + or -, as in UpdateAndCreateTopic.Attributes.
type TopicConfigList struct {
	Topics []TopicConfig // topicConfigList
}

// String shows the number of topics.
func (l *TopicConfigList) String() string { return fmt.Sprintf("%d topics", len(l.Topics)) }

// Marshal writes the body.
func (l *TopicConfigList) Marshal() []byte {
	var w writer
	w.open('{')
	w.key("topicConfigList")
	w.open('[')
	for i := range l.Topics {
		w.topicConfig(&l.Topics[i])
	}
	w.close(']')
	w.close('}')
	return w.text
}

// UnmarshalTopicConfigList reads the body. The error is ErrBody.
func UnmarshalTopicConfigList(body []byte) (*TopicConfigList, error) {
	var in struct {
		Topics []TopicConfig `json:"topicConfigList"`
	}
	if err := unmarshal("CreateTopicListRequestBody", body, &in); err != nil {
		return nil, err
	}
	return &TopicConfigList{Topics: in.Topics}, nil
}

// GroupConfigList is several groups to be made or changed (class SubscriptionGroupList, since 5.3.1): the body of
// ReqUpdateAndCreateSubscriptionGroupList.
type GroupConfigList struct {
	Groups []SubscriptionGroupConfig // groupConfigList
}

// String shows the number of groups.
func (l *GroupConfigList) String() string { return fmt.Sprintf("%d groups", len(l.Groups)) }

// Marshal writes the body.
func (l *GroupConfigList) Marshal() []byte {
	var w writer
	w.open('{')
	w.key("groupConfigList")
	w.open('[')
	for i := range l.Groups {
		w.groupConfig(&l.Groups[i])
	}
	w.close(']')
	w.close('}')
	return w.text
}

// UnmarshalGroupConfigList reads the body. The error is ErrBody.
func UnmarshalGroupConfigList(body []byte) (*GroupConfigList, error) {
	var in struct {
		Groups []SubscriptionGroupConfig `json:"groupConfigList"`
	}
	if err := unmarshal("SubscriptionGroupList", body, &in); err != nil {
		return nil, err
	}
	return &GroupConfigList{Groups: in.Groups}, nil
}
