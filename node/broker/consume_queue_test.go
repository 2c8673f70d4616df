package broker_test

import (
	"testing"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func entriesRequest(topic string, index int64, count int32, group string) *transport.Request {
	return &transport.Request{Code: proto.ReqQueryConsumeQueue, Header: &proto.QueryConsumeQueue{Topic: topic, Index: index, Count: count, ConsumerGroup: group}}
}

func (w *world) entries(request *transport.Request) *proto.ConsumeQueuePart {
	w.t.Helper()
	part, err := proto.UnmarshalConsumeQueuePart(w.succeeds(request).Body)
	require.NoError(w.t, err)
	return part
}

func TestToolsSeeWhatAQueueSaysOfItsMessages(t *testing.T) {
	w := newWorld(t)
	for _, tag := range []string{"red", "blue", "red"} {
		w.succeeds(sendRequest("orders", 0, "x", "TAGS\x01"+tag+"\x02"))
	}
	stored := w.records("orders", 0)
	part := w.entries(entriesRequest("orders", 1, 10, ""))
	require.Equal(t, []proto.ConsumeQueueEntry{
		{LogOffset: int64(stored[1].LogOffset), Size: int32(stored[2].LogOffset - stored[1].LogOffset), TagHash: message.TagHash([]byte("blue"))},
		{LogOffset: int64(stored[2].LogOffset), Size: int32(stored[1].LogOffset - stored[0].LogOffset), TagHash: message.TagHash([]byte("red"))},
	}, part.Entries)
	require.Equal(t, []int64{0, 3}, []int64{part.Min, part.Max})
	require.Nil(t, part.Subscription)
	require.Empty(t, part.FilterData)
	require.Len(t, w.entries(entriesRequest("orders", 0, 2, "")).Entries, 2)
	require.Empty(t, w.entries(entriesRequest("orders", 0, -1, "")).Entries)
	require.Equal(t, `{"maxQueueIndex":3,"minQueueIndex":0,"queueData":[]}`, string(w.succeeds(entriesRequest("orders", 0, 0, "")).Body))
}

func TestAnIndexThatAQueueDoesNotHaveIsTold(t *testing.T) {
	w := newWorld(t)
	w.refused(entriesRequest("orders", 0, 1, ""), proto.RespSystemError, "0@orders is not exist!")
	w.succeeds(updateTopicRequest("orders", nil))
	w.refused(entriesRequest("orders", 0, 1, ""), proto.RespSystemError, "0@orders is not exist!")
	w.succeeds(sendRequest("orders", 0, "x", ""))
	for _, index := range []int64{-1, 1, 1 << 62} {
		response := w.succeeds(entriesRequest("orders", index, 1, ""))
		require.Regexp(t, `^Index -?\d+ of 0@orders is not exist!$`, response.Remark)
		require.Equal(t, `{"maxQueueIndex":1,"minQueueIndex":0}`, string(response.Body))
	}
	w.refused(&transport.Request{Code: proto.ReqQueryConsumeQueue}, proto.RespInvalidParameter, "topic")
}

func TestEntriesComeWithWhatAGroupSubscribes(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	offline := w.entries(entriesRequest("orders", 0, 1, "g"))
	require.Equal(t, "g@orders is not online!", offline.FilterData)
	require.Nil(t, offline.Subscription)
	require.Len(t, offline.Entries, 1)
	w.succeeds(heartbeat("one", "g", subscribed(subscription("orders", "red", 3))))
	tags := w.entries(entriesRequest("orders", 0, 1, "g"))
	require.Equal(t, "red", tags.Subscription.Expression)
	require.Equal(t, "null", tags.FilterData)
	w.succeeds(heartbeat("one", "g", subscribed(sqlSubscription("orders", "size > 5", 4))))
	sql := w.entries(entriesRequest("orders", 0, 1, "g"))
	require.Equal(t, "size > 5", sql.Subscription.Expression)
	require.Contains(t, sql.FilterData, `"expression": "size > 5"`)
	require.JSONEq(t, `{"clientVersion":4,"consumerGroup":"g","expression":"size > 5","expressionType":"SQL92","topic":"orders"}`, sql.FilterData)
}

func TestEntriesOfBatchesSayWhichMessagesTheyHold(t *testing.T) {
	w := newWorld(t)
	w.batchTopic("bulk")
	w.succeeds(sendRequest("bulk", 0, "x", ""))
	w.succeeds(identified(batchRequest(t, "bulk", "UNIQ_KEY\x01a\x02", "UNIQ_KEY\x01b\x02"), ""))
	part := w.entries(entriesRequest("bulk", 2, 5, ""))
	require.Len(t, part.Entries, 1)
	require.Equal(t, "messages [1, 3)", part.Entries[0].Note)
	require.Equal(t, []int64{1}, part.Numbers(2))
	require.Equal(t, []int64{0, 1}, w.entries(entriesRequest("bulk", 0, 5, "")).Numbers(0))
}
