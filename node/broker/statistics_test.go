package broker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func statisticRequest(name, key string) *transport.Request {
	return &transport.Request{Code: proto.ReqViewBrokerStatsData, Header: &proto.ViewBrokerStatsData{Name: name, Key: key}}
}

// counted is the sum of a statistic over the last minute.
func (w *world) counted(name, key string) int64 {
	w.t.Helper()
	data, err := proto.UnmarshalBrokerStatsData(w.succeeds(statisticRequest(name, key)).Body)
	require.NoError(w.t, err)
	require.Equal(w.t, data.Minute.Sum, data.Hour.Sum)
	require.Equal(w.t, data.Minute.Sum, data.Day.Sum)
	return data.Minute.Sum
}

func TestToolsSeeWhatGoesInAndOut(t *testing.T) {
	w := newWorld(t, quickRetries)
	w.succeeds(heartbeat("one", "g", nil))
	w.succeeds(sendRequest("orders", 1, "hello", ""))
	w.succeeds(sendRequest("orders", 2, "hello", ""))
	w.succeeds(batchRequest(t, "orders", "", "", ""))
	w.succeeds(pullRequest("orders", 1, 0, 0, "*"))
	w.call(pullRequest("orders", 1, 1, 0, "*"))
	sizes := map[string]int64{}
	for _, r := range w.records("orders", 1) {
		sizes["orders@1"] += int64(r.TotalSize)
	}
	for key, size := range sizes {
		require.Equal(t, size, w.counted("QUEUE_PUT_SIZE", key))
	}
	require.EqualValues(t, 5, w.counted("TOPIC_PUT_NUMS", "orders"))
	require.Greater(t, w.counted("TOPIC_PUT_SIZE", "orders"), int64(300))
	require.EqualValues(t, 1, w.counted("QUEUE_PUT_NUMS", "orders@1"))
	require.EqualValues(t, 5, w.counted("BROKER_PUT_NUMS", "DefaultCluster"))
	require.EqualValues(t, 5, w.counted("BROKER_PUT_NUMS_WITHOUT_SYSTEM_TOPIC", "DefaultCluster"))
	w.counted("TOPIC_PUT_LATENCY", "1@orders")
	pulls := w.counted("GROUP_GET_NUMS", "orders@g")
	require.Positive(t, pulls)
	require.Equal(t, pulls, w.counted("QUEUE_GET_NUMS", "orders@1@g"))
	require.Equal(t, w.counted("GROUP_GET_SIZE", "orders@g"), w.counted("QUEUE_GET_SIZE", "orders@1@g"))
	require.Equal(t, pulls, w.counted("BROKER_GET_NUMS", "DefaultCluster"))
	w.counted("GROUP_GET_LATENCY", "1@orders@g")
	w.counted("GROUP_GET_LATENCY", "orders@g")

	at := w.records("orders", 2)[0].LogOffset
	w.succeeds(sendBackRequest("g", at, 0, -1))
	w.succeeds(sendBackRequest("g", at, -1, -1))
	require.EqualValues(t, 2, w.counted("SNDBCK_PUT_NUMS", "orders@g"))
	require.EqualValues(t, 1, w.counted("DLQ_PUT_NUMS", "orders@g"))
	require.EqualValues(t, 1, w.counted("DLQ_PUT_NUMS", "owner@orders@g@type"))

	w.pass(80 * time.Second)
	data, err := proto.UnmarshalBrokerStatsData(w.succeeds(statisticRequest("TOPIC_PUT_NUMS", "orders")).Body)
	require.NoError(t, err)
	require.Zero(t, data.Minute.Sum)
	require.EqualValues(t, 5, data.Hour.Sum)
	require.InDelta(t, 5.0/3, data.Hour.PerCall, 0.001)
	require.Positive(t, data.Hour.PerSecond)
}

func TestWhatNobodyCountsIsSaid(t *testing.T) {
	w := newWorld(t)
	w.refused(statisticRequest("GROUP_GET_FALL_SIZE", "orders@g"), proto.RespSystemError, `statsName: this broker has no statistics named "GROUP_GET_FALL_SIZE"`)
	for name, key := range map[string]string{
		"TOPIC_PUT_NUMS": "orders", "QUEUE_PUT_NUMS": "orders@x", "QUEUE_GET_NUMS": "orders@g", "GROUP_GET_LATENCY": "1@orders@g",
		"BROKER_PUT_NUMS": "elsewhere", "DLQ_PUT_NUMS": "", "GROUP_GET_NUMS": "@@@",
	} {
		w.refused(statisticRequest(name, key), proto.RespSystemError, "nothing was counted as "+name)
	}
	w.refused(&transport.Request{Code: proto.ReqViewBrokerStatsData}, proto.RespInvalidParameter, "statsName")
}

func TestADeletedTopicOrGroupHasNoStatistics(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.succeeds(pullRequest("orders", 0, 0, 0, "*"))
	require.EqualValues(t, 1, w.counted("GROUP_GET_NUMS", "orders@g"))
	w.succeeds(deleteGroupRequest("g", false))
	w.refused(statisticRequest("GROUP_GET_NUMS", "orders@g"), proto.RespSystemError, "nothing was counted")
	w.succeeds(deleteTopicRequest("orders"))
	w.refused(statisticRequest("TOPIC_PUT_NUMS", "orders"), proto.RespSystemError, "nothing was counted")
}

// TestTheRuntimeViewHasTheKeysThatToolsLookFor of section 26.2 of the reference.
func TestTheRuntimeViewHasTheKeysThatToolsLookFor(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.Store.Zone = time.FixedZone("east", 3600) })
	w.delayed("x", 2)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.succeeds(pullRequest("orders", 0, 0, 0, "*"))
	w.call(pullRequest("orders", 0, 1, 0, "*"))
	w.pass(2 * time.Second)
	table := w.runtime()
	for _, key := range strings.Fields(`bootTimestamp runtime putMessageEntireTimeMax getMessageEntireTimeMax putMessageTimesTotal putMessageFailedTimes
		putMessageSizeTotal putMessageDistributeTime putMessageAverageSize dispatchMaxBuffer putTps getFoundTps getMissTps getTotalTps getTransferredTps
		putLatency99 putLatency999 commitLogDiskRatio consumeQueueDiskRatio commitLogMinOffset commitLogMaxOffset scheduleMessageOffset_1
		brokerActive brokerVersionDesc msgPutTotalYesterdayMorning msgPutTotalTodayMorning msgPutTotalTodayNow msgGetTotalYesterdayMorning
		msgGetTotalTodayMorning msgGetTotalTodayNow dispatchBehindBytes pageCacheLockTimeMills earliestMessageTimeStamp
		startAcceptSendRequestTimeStamp timerReadBehind timerOffsetBehind timerCongestNum timerEnqueueTps timerDequeueTps remainHowManyDataToFlush
		commitLogDirCapacity sendThreadPoolQueueSize sendThreadPoolQueueCapacity sendThreadPoolQueueHeadWaitTimeMills
		pullThreadPoolQueueHeadWaitTimeMills queryThreadPoolQueueSize litePullThreadPoolQueueSize ackThreadPoolQueueSize
		EndTransactionQueueSize EndTransactionThreadPoolQueueCapacity`) {
		require.Contains(t, table, key)
	}
	require.Equal(t, "V5_3_2", table["brokerVersionDesc"], "as MQVersion spells it")
	require.Equal(t, "477", table["brokerVersion"])
	require.Equal(t, "2", table["putMessageTimesTotal"])
	require.Equal(t, "1", table["msgPutTotalTodayNow"], "the topic of delayed messages is the broker's own")
	require.Equal(t, "0,1", table["scheduleMessageOffset_2"])
	require.Equal(t, "[ 0 days, 0 hours, 0 minutes, 2 seconds ]", table["runtime"])
	for _, key := range []string{"putTps", "getTotalTps", "getTransferredTps"} {
		rates := strings.Split(table[key], " ")
		require.Len(t, rates, 3, key)
		for _, rate := range rates {
			require.Regexp(t, `^\d+\.\d\d$`, rate)
		}
	}
	require.True(t, strings.HasPrefix(table["putTps"], "0.20 0.20 "), table["putTps"])
	w.pass(26 * time.Hour)
	table = w.runtime()
	require.Equal(t, "1", table["msgPutTotalTodayMorning"])
	require.Equal(t, "0.00 0.00 0.00", table["putTps"])
}
