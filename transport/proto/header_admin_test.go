package proto

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gantrymq/gantry/transport/wire"
)

// headerTable returns the fields that each class of a release of Java writes.
func headerTable(t *testing.T, release string) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/headers_" + release + ".txt")
	require.NoError(t, err)
	table := map[string]map[string]string{}
	for line := range strings.Lines(string(text)) {
		if class, fields, ok := strings.Cut(line, "\t"); ok {
			var parsed map[string]string
			require.NoError(t, json.Unmarshal([]byte(fields), &parsed))
			table[class] = parsed
		}
	}
	return table
}

func asFields(table map[string]string) (f wire.Fields) {
	for _, key := range sortedKeys(table) {
		f.Add(key, table[key])
	}
	return f
}

func asTable(f wire.Fields) map[string]string {
	table := map[string]string{}
	for _, field := range f {
		table[string(field.Key)] = string(field.Value)
	}
	return table
}

// The values are those of testdata: texts are s1, s2 …, numbers their place or 5000000000 and their place.
const big = 5000000000

var headersOfJava5 = map[string]struct{ read, want Header }{
	"ConsumerSendMsgBackRequestHeader": {new(ConsumerSendMessageBack), &ConsumerSendMessageBack{
		LogOffset: big + 1, Group: "s2", DelayLevel: 3, OffsetID: "s4", OriginTopic: "s5", UnitMode: true, RedeliveriesMax: Some[int32](7),
	}},
	"ResetOffsetRequestHeader": {new(ResetOffset), &ResetOffset{
		Topic: "s2", Group: "s1", Timestamp: big + 5, Force: true, QueueID: Some[int32](3), Offset: Some[int64](big + 4),
	}},
	"GetConsumerStatusRequestHeader":         {new(GetConsumerStatus), &GetConsumerStatus{Topic: "s1", Group: "s2", ClientAddress: "s3"}},
	"GetConsumerConnectionListRequestHeader": {new(GetConsumerConnectionList), &GetConsumerConnectionList{ConsumerGroup: "s1"}},
	"GetProducerConnectionListRequestHeader": {new(GetProducerConnectionList), &GetProducerConnectionList{ProducerGroup: "s1"}},
	"GetConsumerRunningInfoRequestHeader": {new(GetConsumerRunningInfo), &GetConsumerRunningInfo{
		ConsumerGroup: "s1", ClientID: "s2", StackDump: true,
	}},
	"ConsumeMessageDirectlyResultRequestHeader": {new(ConsumeMessageDirectly), &ConsumeMessageDirectly{
		ConsumerGroup: "s1", ClientID: "s2", OffsetID: "s3", BrokerName: "s4", Topic: "s5",
		TopicSysFlags: Some[int32](6), GroupSysFlags: Some[int32](7),
	}},
	"GetConsumeStatsRequestHeader":             {new(GetConsumeStats), &GetConsumeStats{ConsumerGroup: "s1", Topic: "s2", Topics: []string{"s3"}}},
	"GetConsumeStatsInBrokerHeader":            {new(GetBrokerConsumeStats), &GetBrokerConsumeStats{Ordered: true}},
	"QueryTopicConsumeByWhoRequestHeader":      {new(QueryTopicConsumeByWho), &QueryTopicConsumeByWho{Topic: "s1"}},
	"QueryTopicsByConsumerRequestHeader":       {new(QueryTopicsByConsumer), &QueryTopicsByConsumer{Group: "s1"}},
	"QuerySubscriptionByConsumerRequestHeader": {new(QuerySubscriptionByConsumer), &QuerySubscriptionByConsumer{Group: "s1", Topic: "s2"}},
	"QueryConsumeTimeSpanRequestHeader":        {new(QueryConsumeTimeSpan), &QueryConsumeTimeSpan{Topic: "s1", Group: "s2"}},
	"QueryConsumeQueueRequestHeader": {new(QueryConsumeQueue), &QueryConsumeQueue{
		Topic: "s1", QueueID: 2, Index: big + 3, Count: 4, ConsumerGroup: "s5",
	}},
	"GetSubscriptionGroupConfigRequestHeader": {new(GetSubscriptionGroupConfig), &GetSubscriptionGroupConfig{Group: "s1"}},
	"CloneGroupOffsetRequestHeader": {new(CloneGroupOffset), &CloneGroupOffset{
		FromGroup: "s1", ToGroup: "s2", Topic: "s3", Offline: true,
	}},
	"QueryCorrectionOffsetHeader": {new(QueryCorrectionOffset), &QueryCorrectionOffset{
		IgnoredGroups: []string{"s1"}, Group: "s2", Topic: "s3",
	}},
	"GetTopicConfigRequestHeader":      {new(GetTopicConfig), &GetTopicConfig{Topic: "s1"}},
	"ViewBrokerStatsDataRequestHeader": {new(ViewBrokerStatsData), &ViewBrokerStatsData{Name: "s1", Key: "s2"}},
	"ReplyMessageRequestHeader": {new(PushReplyMessage), &PushReplyMessage{
		ProducerGroup: "s1", Topic: "s2", DefaultTopic: "s3", DefaultQueues: 4, QueueID: 5, SysFlags: 6, BornAt: big + 7, UserFlags: 8,
		Properties: "s9", Redeliveries: 10, UnitMode: true, BornHost: "s12", StoreHost: "s13", StoredAt: big + 14,
	}},
	"EndTransactionRequestHeader": {new(EndTransaction), &EndTransaction{
		Topic: "s1", ProducerGroup: "s2", HalfOffset: big + 3, LogOffset: big + 4, Outcome: 5, AnswersCheck: true,
		UniqueID: "s7", TransactionID: "s8", BrokerName: "b",
	}},
	"CheckTransactionStateRequestHeader": {new(CheckTransactionState), &CheckTransactionState{
		Topic: "s1", HalfOffset: big + 2, LogOffset: big + 3, UniqueID: "s4", TransactionID: "s5", OffsetID: "s6", BrokerName: "b",
	}},
	"PopMessageRequestHeader": {new(PopMessage), &PopMessage{
		ConsumerGroup: "s1", Topic: "s2", QueueID: 3, MaxMessages: 4, InvisibleMillis: big + 5, HoldForMillis: big + 6, BornAt: big + 7,
		From: 8, ExpressionType: "s9", Expression: "s10", Ordered: true, AttemptID: "s12",
	}},
	"PopMessageResponseHeader": {new(PopMessageResponse), &PopMessageResponse{
		PoppedAt: big + 1, InvisibleMillis: big + 2, ReviveQueueID: 3, Left: big + 4, StartOffsets: "s5", MessageOffsets: "s6", OrderCounts: "s7",
	}},
	"AckMessageRequestHeader": {new(AckMessage), &AckMessage{
		ConsumerGroup: "s1", Topic: "s2", QueueID: 3, CheckPoint: "s4", QueueOffset: big + 5,
	}},
	"ChangeInvisibleTimeRequestHeader": {new(ChangeMessageInvisibleTime), &ChangeMessageInvisibleTime{
		ConsumerGroup: "s1", Topic: "s2", QueueID: 3, CheckPoint: "s4", QueueOffset: big + 5, InvisibleMillis: big + 6,
	}},
	"ChangeInvisibleTimeResponseHeader": {new(ChangeMessageInvisibleTimeResponse), &ChangeMessageInvisibleTimeResponse{
		PoppedAt: big + 1, InvisibleMillis: big + 2, ReviveQueueID: 3,
	}},
	"NotificationRequestHeader": {new(Notification), &Notification{
		ConsumerGroup: "s1", Topic: "s2", QueueID: 3, HoldForMillis: big + 4, BornAt: big + 5, Ordered: true, AttemptID: "s7",
	}},
	"NotificationResponseHeader": {new(NotificationResponse), &NotificationResponse{HasMessage: true, PollingFull: true}},
}

func TestHeadersAreThoseOfJava(t *testing.T) {
	table := headerTable(t, java5)
	delete(table, "DeleteSubscriptionGroupRequestHeader") // has a test of its own
	require.Len(t, headersOfJava5, len(table))
	for class, fields := range table {
		header := headersOfJava5[class]
		require.NotNil(t, header.read, class)
		require.NoError(t, header.read.DecodeFields(asFields(fields)), class)
		require.Equal(t, header.want, header.read, class)
		require.Equal(t, fields, asTable(sent(t, wire.EncodingJSON, header.want)), class)
	}
}

// Java writes exactly its required fields if the rest is null, or zero in a primitive.
func TestHeadersNeedWhatJavaNeeds(t *testing.T) {
	optional := map[string]string{
		"ConsumerSendMsgBackRequestHeader": "originMsgId originTopic unitMode maxReconsumeTimes",
		"ResetOffsetRequestHeader":         "queueId offset",
		"GetConsumerStatusRequestHeader":   "clientAddr", "GetConsumerRunningInfoRequestHeader": "jstackEnable",
		"ConsumeMessageDirectlyResultRequestHeader": "clientId msgId brokerName topic topicSysFlag groupSysFlag",
		"GetConsumeStatsRequestHeader":              "topic topicList", "QuerySubscriptionByConsumerRequestHeader": "topic",
		"QueryConsumeQueueRequestHeader": "consumerGroup",
		"CloneGroupOffsetRequestHeader":  "topic offline", "QueryCorrectionOffsetHeader": "filterGroups",
		"ReplyMessageRequestHeader":          "properties reconsumeTimes unitMode",
		"EndTransactionRequestHeader":        "topic fromTransactionCheck transactionId bname",
		"CheckTransactionStateRequestHeader": "topic msgId transactionId offsetMsgId bname",
		"PopMessageRequestHeader":            "expType exp order attemptId", "NotificationRequestHeader": "order attemptId",
		"PopMessageResponseHeader": "startOffsetInfo msgOffsetInfo orderCountInfo", "NotificationResponseHeader": "pollingFull",
	}
	table := headerTable(t, java5)
	for class, header := range headersOfJava5 {
		for key := range table[class] {
			rest := asTable(asFields(table[class]))
			delete(rest, key)
			err := header.read.DecodeFields(asFields(rest))
			if strings.Contains(" "+optional[class]+" ", " "+key+" ") {
				require.NoError(t, err, "%s without %s", class, key)
			} else {
				require.Equal(t, &FieldError{Field: key, Missing: true}, err, "%s without %s", class, key)
			}
		}
	}
}

func TestHeadersOfJava4LackFields(t *testing.T) {
	for class, header := range map[string]struct{ read, want Header }{
		"ResetOffsetRequestHeader": {new(ResetOffset), &ResetOffset{Topic: "s1", Group: "s2", Timestamp: big + 3, Force: true}},
		"ConsumeMessageDirectlyResultRequestHeader": {new(ConsumeMessageDirectly), &ConsumeMessageDirectly{
			ConsumerGroup: "s1", ClientID: "s2", OffsetID: "s3", BrokerName: "s4",
		}},
		"GetConsumeStatsRequestHeader": {new(GetConsumeStats), &GetConsumeStats{ConsumerGroup: "s1", Topic: "s2"}},
		"EndTransactionRequestHeader": {new(EndTransaction), &EndTransaction{
			ProducerGroup: "s1", HalfOffset: big + 2, LogOffset: big + 3, Outcome: 4, AnswersCheck: true, UniqueID: "s6", TransactionID: "s7",
		}},
		"CheckTransactionStateRequestHeader": {new(CheckTransactionState), &CheckTransactionState{
			HalfOffset: big + 1, LogOffset: big + 2, UniqueID: "s3", TransactionID: "s4", OffsetID: "s5",
		}},
	} {
		require.NoError(t, header.read.DecodeFields(asFields(headerTable(t, java4)[class])), class)
		require.Equal(t, header.want, header.read, class)
	}
}

func TestDeletingAGroupSpeaksToBothReleases(t *testing.T) {
	want := &DeleteSubscriptionGroup{Group: "s1", CleanOffsets: true}
	for _, release := range []string{java4, java5} {
		fields := headerTable(t, release)["DeleteSubscriptionGroupRequestHeader"]
		read := new(DeleteSubscriptionGroup)
		require.NoError(t, read.DecodeFields(asFields(fields)))
		require.Equal(t, want, read, release)
		require.Subset(t, asTable(sent(t, wire.EncodingJSON, want)), fields, release)
	}
}

func TestResettingAllQueuesIsNoQueueOfItsOwn(t *testing.T) {
	reset := &ResetOffset{Topic: "T", Group: "G", Timestamp: -1}
	require.Equal(t, map[string]string{"topic": "T", "group": "G", "timestamp": "-1", "isForce": "false", "queueId": "-1"},
		asTable(sent(t, wire.EncodingJSON, reset)))
	read := new(ResetOffset)
	require.NoError(t, read.DecodeFields(sent(t, wire.EncodingJSON, reset)))
	require.Equal(t, reset, read)
	require.Equal(t, "reset of G on T to the time -1, force false", reset.String())
}

func TestListsInFieldsHaveNoEmptyTexts(t *testing.T) {
	read := new(GetConsumeStats)
	require.NoError(t, read.DecodeFields(fields("consumerGroup", "G", "topicList", ";A;;B;")))
	require.Equal(t, []string{"A", "B"}, read.Topics)
	require.Equal(t, "A;B", asTable(sent(t, wire.EncodingJSON, read))["topicList"])
	groups := new(QueryCorrectionOffset)
	require.NoError(t, groups.DecodeFields(fields("compareGroup", "G", "topic", "T", "filterGroups", "")))
	require.Nil(t, groups.IgnoredGroups)
}

func TestPagesOfTablesAreOptional(t *testing.T) {
	topics, groups := new(GetAllTopicConfig), new(GetAllSubscriptionGroupConfig)
	require.NoError(t, topics.DecodeFields(fields("topicSeq", "5", "dataVersion", `{"counter":3,"timestamp":1700000000000}`, "maxTopicNum", "2000")))
	require.Equal(t, &GetAllTopicConfig{First: Some[int32](5), Version: Some(thirdVersion()), Max: Some[int32](2000)}, topics)
	require.NoError(t, groups.DecodeFields(fields("groupSeq", "0", "dataVersion", `null and void`)))
	require.Equal(t, &GetAllSubscriptionGroupConfig{First: Some[int32](0)}, groups, "a version that cannot be read is absent")
	for _, header := range []Header{topics, groups, new(GetAllTopicConfigResponse), new(GetAllSubscriptionGroupConfigResponse)} {
		require.NoError(t, header.DecodeFields(nil), "older peers send no header")
		require.Empty(t, asTable(sent(t, wire.EncodingJSON, header)))
	}
}

func TestOutcomesOfTransactionsHaveNames(t *testing.T) {
	require.Equal(t, []string{"unknown", "commit", "rollback", "outcome 7"},
		[]string{OutcomeUnknown.String(), OutcomeCommit.String(), OutcomeRollback.String(), TransactionOutcome(7).String()})
}
