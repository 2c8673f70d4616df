package proto

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gantrymq/gantry/transport/wire"
)

func TestDescribeNamesTheCode(t *testing.T) {
	c := &wire.Command{Header: wire.Header{Code: ReqSendMessageV2}, Fields: fields("b", "orders", "Signature", "secret")}
	require.Regexp(t, `^SEND_MESSAGE_V2 request .*b=orders`, Describe(c))
	require.NotContains(t, Describe(c), "secret")
	c.Flags = wire.FlagResponse
	require.Regexp(t, `^response 310 `, Describe(c))
	c.Code = RespTopicNotExist
	require.Regexp(t, `^TOPIC_NOT_EXIST response `, Describe(c))
}

func TestWhatShowsInLogsIsOneLine(t *testing.T) {
	for want, value := range map[string]fmt.Stringer{
		"send to T queue -1 by P, born 5":                        &SendMessage{ProducerGroup: "P", Topic: "T", QueueID: -1, BornAt: 5},
		"stored as id in queue 1 at 7":                           &SendMessageResponse{OffsetID: "id", QueueID: 1, QueueOffset: 7},
		"pull by G of T queue 1 from 7, at most 32, flags 0x6":   &PullMessage{ConsumerGroup: "G", Topic: "T", QueueID: 1, QueueOffset: 7, MaxMessages: 32, Flags: PullHold | PullSubscription},
		"next 8 of [0, 9) at broker 1":                           &PullMessageResponse{SuggestedBrokerID: 1, Next: 8, Max: 9},
		"commit 7 by G on T queue 1":                             &UpdateConsumerOffset{ConsumerGroup: "G", Topic: "T", QueueID: 1, CommitOffset: 7},
		`c leaves producer group "", consumer group "G"`:         &UnregisterClient{ClientID: "c", ConsumerGroup: "G"},
		"topic T: 8 read queues, 4 write queues, R--":            &UpdateAndCreateTopic{Topic: "T", ReadQueues: 8, WriteQueues: 4, Perm: PermRead},
		"broker C/b id 1 at 10.0.0.1:10911":                      &RegisterBroker{ClusterName: "C", BrokerName: "b", BrokerID: 1, BrokerAddress: "10.0.0.1:10911"},
		"broker C/b id 0 at 10.0.0.1:10911":                      &UnregisterBroker{ClusterName: "C", BrokerName: "b", BrokerAddress: "10.0.0.1:10911"},
		"C/b: 1 members":                                         &BrokerMemberGroup{Cluster: "C", BrokerName: "b", Addresses: []BrokerAddress{{}}},
		"2 topics":                                               &TopicList{Topics: []string{"a", "b"}},
		"1 consumers":                                            &ConsumerList{ClientIDs: []string{"a"}},
		"0 entries":                                              &KVTable{},
		"offsets of 1 queues":                                    &ResetOffsets{Offsets: []QueueOffset{{}}},
		"T@b:1=7":                                                QueueOffset{Queue{"T", "b", 1}, 7},
		"static topic S at b epoch 3, 1 of 8 queues":             &TopicMapping{Topic: "S", BrokerName: "b", Epoch: 3, TotalQueues: 8, Current: []QueueIDPair{{}}},
		"message at 7 comes back to G, delay level 3":            &ConsumerSendMessageBack{LogOffset: 7, Group: "G", DelayLevel: 3},
		"commit by P of the half message at 7":                   &EndTransaction{ProducerGroup: "P", LogOffset: 7, Outcome: OutcomeCommit},
		"check of transaction x, half message at 7":              &CheckTransactionState{TransactionID: "x", LogOffset: 7},
		"answer on T by P at 10.0.0.1:4, born 5":                 &PushReplyMessage{Topic: "T", ProducerGroup: "P", BornHost: "10.0.0.1:4", BornAt: 5},
		"pop by G of T queue -1, at most 32, invisible for 9 ms": &PopMessage{ConsumerGroup: "G", Topic: "T", QueueID: -1, MaxMessages: 32, InvisibleMillis: 9},
		"popped at 5, 3 left":                                    &PopMessageResponse{PoppedAt: 5, Left: 3},
		"G has consumed 7 of T queue 1":                          &AckMessage{ConsumerGroup: "G", Topic: "T", QueueID: 1, QueueOffset: 7},
		"G hides 7 of T queue 1 for 9 ms":                        &ChangeMessageInvisibleTime{ConsumerGroup: "G", Topic: "T", QueueID: 1, QueueOffset: 7, InvisibleMillis: 9},
		"strict":                                                 FormStrict,
		"fastjson":                                               FormFastJSON,
	} {
		require.Equal(t, want, value.String())
	}
}

func TestLongValuesAreCutInErrors(t *testing.T) {
	var h GetMinOffset
	err := h.DecodeFields(fields("topic", "T", "queueId", strings.Repeat("x", 1<<20)))
	require.ErrorContains(t, err, strings.Repeat("x", shown)+"…")
	require.Less(t, len(err.Error()), 200)
}
