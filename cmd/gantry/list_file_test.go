package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func TestAListOfTopicsIsReadWithTheDefaultsOfMqadmin(t *testing.T) {
	kind := topicLists()
	list, err := kind.parse([]byte(`[
		{"topicName":"orders","readQueueNums":8,"writeQueueNums":"4","perm":4,"order":true,"topicSysFlag":1,"topicFilterType":"MULTI_TAG",
		 "attributes":{"+message.type":"FIFO"}},
		{"topicName":"bills"}
	]`))
	require.NoError(t, err)
	require.Equal(t, []client.TopicConfig{
		{
			Name: "orders", ReadQueues: 8, WriteQueues: 4, Perm: proto.PermRead, Ordered: true, SysFlags: proto.TopicUnit, FilterType: proto.MultiTag,
			Attributes: map[string]string{"+message.type": "FIFO"},
		},
		proto.NewTopicConfig("bills"),
	}, list)
}

func TestAListOfGroupsIsReadWithTheDefaultsOfMqadmin(t *testing.T) {
	kind := groupLists()
	list, err := kind.parse([]byte(`[{"groupName":"billing","retryMaxTimes":3,"consumeBroadcastEnable":false,
		"groupRetryPolicy":{"type":"CUSTOMIZED","customizedRetryPolicy":{"next":[1000]}},"subscriptionDataSet":[{"topic":"orders","expression":"*"}]}]`))
	require.NoError(t, err)
	want := proto.NewSubscriptionGroupConfig("billing")
	want.RedeliveriesMax, want.ConsumeBroadcast = 3, false
	require.Len(t, list, 1)
	require.Equal(t, "orders", list[0].Subscriptions[0].Topic)
	require.Equal(t, []int64{1000}, list[0].RetryPolicy.Customized.Value)
	list[0].Subscriptions, list[0].RetryPolicy = nil, want.RetryPolicy
	require.Equal(t, want, list[0])
}

func TestWhatIsWrongWithAListIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      `line 1: it is not a JSON array of objects such as [{"topicName":"orders"}]`,
		"[\n{\"topicName\":\"a\"\n,,}]":         "line 3: it is not a JSON array",
		`{"topicName":"a"}`:                     "line 1: it is not a JSON array",
		`["a"]`:                                 "line 1: it is not a JSON array",
		`[]`:                                    "it lists no topic",
		`null`:                                  "it lists no topic",
		`[{"topicName":"a"},{}]`:                "topic 2: topicName is missing: say which topic it is about",
		`[null]`:                                "topic 1: topicName is missing",
		`[{"topicName":"a"},{"topicName":"a"}]`: "topics 1 and 2: both are a",
		`[{"topicName":"a","readQueueNum":8}]`:  `topic 1: "readQueueNum" is no setting of a topic: did you mean readQueueNums?`,
		`[{"topicName":"a","zzzzzzzzzzzzzzz":8}]`:    `"zzzzzzzzzzzzzzz" is no setting of a topic: there are ["attributes" "order" "perm"`,
		`[{"topicName":"a","readQueueNums":"many"}]`: `topic 1: readQueueNums: "many" cannot be read`,
		`[{"topicName":"a","order":"maybe"}]`:        `topic 1: order: "maybe" cannot be read`,
		`[{"topicName":"a","readQueueNums":0}]`:      "topic 1: a: readQueueNums: 0 is not a number of queues between 1 and 65536",
		`[{"topicName":"a","writeQueueNums":-1}]`:    "topic 1: a: writeQueueNums: -1 is not a number of queues between 1 and 65536",
		`[{"topicName":"a","perm":9}]`:               "topic 1: a: perm: 9 is none of 2 (write), 4 (read), 6 (both)",
		`[{"topicName":"a b"}]`:                      "topic 1: a b: ",
	} {
		kind := topicLists()
		_, err := kind.parse([]byte(text))
		require.ErrorContains(t, err, want, text)
	}
	kind := groupLists()
	_, err := kind.parse([]byte(`[{"groupName":"a","retryQueueNums":-1}]`))
	require.ErrorContains(t, err, "group 1: a: retryQueueNums: -1 is not a number of queues between 0 and 65536")
	_, err = kind.parse([]byte(`[{"groupName":"a b"}]`))
	require.ErrorContains(t, err, "group 1: a b: ")
}

func TestAFileThatCannotBeReadIsNamed(t *testing.T) {
	kind := topicLists()
	path := filepath.Join(t.TempDir(), "topics.json")
	_, err := kind.readFile(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte("[]"), 0o600))
	_, err = kind.readFile(path)
	require.EqualError(t, err, path+": it lists no topic")
}
