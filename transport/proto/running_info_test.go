package proto

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func runningInfo() *ConsumerRunningInfo {
	return &ConsumerRunningInfo{
		Properties:    map[string]string{RunningConsumeType: "CONSUME_PASSIVELY"},
		Subscriptions: []SubscriptionData{subscriptionToT()},
		Queues: []ProcessQueueInfo{{
			Queue: queueOfT(0), CommitOffset: 8, CachedMin: 8, CachedMax: 9, Cached: 2, CachedMebibytes: 1,
			ConsumingMin: 3, ConsumingMax: 4, Consuming: 5, Locked: true, UnlockTries: 6, LockedAt: 1700000000001,
			Dropped: true, PulledAt: 1700000000002, ConsumedAt: 1700000000003,
		}, {Queue: queueOfT(1)}},
		PopQueues: []PopProcessQueueInfo{{Queue: queueOfT(2), Unfinished: 3, PoppedAt: 1700000000004}},
		Rates: []ConsumeRates{{
			Topic: "T", PullMillis: 1.5, PulledPerSecond: 2, ConsumeMillis: 0.25,
			ConsumedPerSecond: 1234567890.5, FailedPerSecond: 1e-7, Failed: 9,
		}},
		UserInfo:  map[string]string{"k": "v"},
		StackDump: "at A\n\tat B",
	}
}

func TestRunningInfoIsThatOfJava(t *testing.T) {
	info := runningInfo()
	requireSame(t, "ConsumerRunningInfo", UnmarshalConsumerRunningInfo, info, info.Marshal())
	require.Equal(t, "1 subscriptions, 2 queues, 1 popped", info.String())
	require.Equal(t, "T@b:0 next 8, 2 cached", info.Queues[0].String())
	require.Equal(t, "T@b:2, 3 popped and unfinished", info.PopQueues[0].String())
	require.Equal(t, "T: 2.0 pulled, 1234567890.5 consumed, 0.0 failed a second", info.Rates[0].String())

	empty := &ConsumerRunningInfo{Properties: map[string]string{}, Subscriptions: []SubscriptionData{}, UserInfo: map[string]string{}}
	requireSame(t, "ConsumerRunningInfo empty", UnmarshalConsumerRunningInfo, empty, empty.Marshal())
}

func TestRunningInfoOfJava4HasNoPops(t *testing.T) {
	info := runningInfo()
	info.PopQueues, info.UserInfo = nil, nil
	requireRead(t, java4, "ConsumerRunningInfo", UnmarshalConsumerRunningInfo, info)
}

// Go clients put the text together by hand and spell one word right.
func TestRunningInfoOfGo(t *testing.T) {
	info, err := UnmarshalConsumerRunningInfo([]byte(`{"properties":{"PROP_CONSUMER_START_TIMESTAMP":1700000000000},"statusTable":{},` +
		`"subscriptionSet":[{"topic":"T","codeSet":["2598919"]}],"mqTable":{{"brokerName":"b","queueId":1,"topic":"T"}:{"commitOffset":7,"dropped":true},` +
		`"{\"topic\":\"T\",\"brokerName\":\"b\",\"queueId\":0}":{"droped":true}}}`))
	require.NoError(t, err)
	require.Equal(t, map[string]string{RunningStartedAt: "1700000000000"}, info.Properties)
	require.Equal(t, []int32{2598919}, info.Subscriptions[0].TagHashes)
	require.Equal(t, []ProcessQueueInfo{
		{Queue: queueOfT(0), Dropped: true}, {Queue: queueOfT(1), CommitOffset: 7, Dropped: true},
	}, info.Queues)
}

func TestResultsOfDirectConsumptionAreThoseOfJava(t *testing.T) {
	result := &ConsumeMessageDirectlyResult{Ordered: true, ManualCommit: true, Result: ResultException, Remark: "boom", SpentMillis: 3}
	requireSame(t, "ConsumeMessageDirectlyResult", UnmarshalConsumeMessageDirectlyResult, result, result.Marshal())
	requireRead(t, java4, "ConsumeMessageDirectlyResult", UnmarshalConsumeMessageDirectlyResult, result)
	require.Equal(t, `CR_THROW_EXCEPTION after 3 ms "boom"`, result.String())
	empty := &ConsumeMessageDirectlyResult{Result: ResultUnknown}
	requireSame(t, "ConsumeMessageDirectlyResult empty", UnmarshalConsumeMessageDirectlyResult, empty, empty.Marshal())

	ofGo, err := UnmarshalConsumeMessageDirectlyResult([]byte(`{"order":false,"autoCommit":true,"consumeResult":1,"remark":"","spentTimeMills":0}`))
	require.NoError(t, err)
	require.Equal(t, &ConsumeMessageDirectlyResult{Result: ResultLater}, ofGo)
}

func TestResultsOfConsumptionHaveTheProtocolsNames(t *testing.T) {
	names := map[ConsumeResult]string{
		ResultUnknown: "UNKNOWN", ResultSuccess: "CR_SUCCESS", ResultLater: "CR_LATER", ResultRollback: "CR_ROLLBACK",
		ResultCommit: "CR_COMMIT", ResultException: "CR_THROW_EXCEPTION", ResultNull: "CR_RETURN_NULL",
	}
	for result, name := range names {
		require.Equal(t, name, result.String())
		var read ConsumeResult
		require.NoError(t, json.Unmarshal([]byte(`"`+name+`"`), &read))
		require.Equal(t, result, read)
	}
}
