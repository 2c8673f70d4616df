package proto

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestListsOfTopicsAndGroupsAreReadAsTheyAreWritten(t *testing.T) {
	first, second := NewTopicConfig("A"), NewTopicConfig("B")
	first.Attributes, second.Attributes, second.Ordered = map[string]string{"+message.type": "FIFO"}, map[string]string{}, true
	topics := &TopicConfigList{Topics: []TopicConfig{first, second}}
	require.Equal(t, `{"topicConfigList":[{"attributes":{"+message.type":"FIFO"},"order":false,"perm":6,"readQueueNums":16,"topicFilterType":"SINGLE_TAG",`+
		`"topicName":"A","topicSysFlag":0,"writeQueueNums":16},{"attributes":{},"order":true,"perm":6,"readQueueNums":16,"topicFilterType":"SINGLE_TAG",`+
		`"topicName":"B","topicSysFlag":0,"writeQueueNums":16}]}`, string(topics.Marshal()))
	readTopics, err := UnmarshalTopicConfigList(topics.Marshal())
	require.NoError(t, err)
	require.Equal(t, topics, readTopics)
	require.Equal(t, "2 topics", topics.String())

	groups := &GroupConfigList{Groups: []SubscriptionGroupConfig{NewSubscriptionGroupConfig("G"), NewSubscriptionGroupConfig("H")}}
	groups.Groups[0].Attributes, groups.Groups[1].Attributes = map[string]string{}, map[string]string{}
	readGroups, err := UnmarshalGroupConfigList(groups.Marshal())
	require.NoError(t, err)
	require.Equal(t, groups, readGroups)
	require.Equal(t, "2 groups", groups.String())

	_, err = UnmarshalTopicConfigList([]byte("["))
	require.ErrorIs(t, err, ErrBody)
	_, err = UnmarshalGroupConfigList([]byte("["))
	require.ErrorIs(t, err, ErrBody)
}
