package broker_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func TestTheFirstReasonToRefuseAPullIsTheOneThatIsTold(t *testing.T) {
	w := newWorld(t, noAutoGroups)
	w.succeeds(updateTopicRequest("orders", func(h *proto.UpdateAndCreateTopic) { h.ReadQueues = 2 }))
	pull := func(group, topic string, queue int32) *transport.Request {
		request := registeredPull(group, 1)
		header := request.Header.(*proto.PullMessage)
		header.Topic, header.QueueID = topic, queue
		return request
	}
	known := proto.ToolsConsumerGroup
	w.refused(pull("unknown", "nowhere", 9), proto.RespSubscriptionGroupNotExist, "subscription group [unknown] does not exist")
	w.refused(pull(known, "nowhere", 9), proto.RespTopicNotExist, "topic[nowhere] not exist, apply first please!")
	w.refused(pull(known, "orders", 2), proto.RespInvalidParameter, "queueId[2] is illegal, topic:[orders] topicConfig.readQueueNums:[2]")
	w.refused(pull(known, "orders", -1), proto.RespInvalidParameter, "queueId[-1]")
	w.refused(pull(known, "orders", 1), proto.RespSubscriptionNotExist, "the consumer's subscription not exist")
	sql := pullRequest("orders", 0, 0, 0, "a >")
	sql.Header.(*proto.PullMessage).ConsumerGroup = known
	sql.Header.(*proto.PullMessage).ExpressionType = proto.ExpressionSQL
	w.refused(sql, proto.RespSubscriptionParseFailed, "parse the consumer's subscription failed")
}

func TestEveryAnswerToAPullSaysWhereTheQueueIs(t *testing.T) {
	w := newWorld(t)
	w.succeeds(updateTopicRequest("orders", nil))
	for _, c := range []struct {
		why    string
		from   int64
		tags   string
		code   int32
		status string
		next   string
	}{
		{"a queue that was never written to, from 0", 0, "*", proto.RespPullNotFound, "NO_MATCHED_LOGIC_QUEUE", "0"},
		{"the same, from elsewhere", 3, "*", proto.RespPullOffsetMoved, "NO_MATCHED_LOGIC_QUEUE", "0"},
	} {
		w.answers(c.why, c.from, c.tags, c.code, c.status, c.next, "0")
	}
	for range 3 {
		w.succeeds(sendRequest("orders", 0, "x", "TAGS\x01red\x02"))
	}
	w.answers("from the start", 0, "*", proto.RespSuccess, "FOUND", "3", "3")
	w.answers("another tag", 1, "blue", proto.RespPullRetryImmediately, "NO_MATCHED_MESSAGE", "3", "3")
	w.answers("its end", 3, "*", proto.RespPullNotFound, "OFFSET_OVERFLOW_ONE", "3", "3")
	w.answers("behind its end", 4, "*", proto.RespPullOffsetMoved, "OFFSET_OVERFLOW_BADLY", "3", "3")
	w.answers("before its start", -1, "*", proto.RespPullOffsetMoved, "OFFSET_TOO_SMALL", "0", "3")
}

func (w *world) answers(why string, from int64, tags string, code int32, status, next, end string) {
	w.t.Helper()
	response := w.call(pullRequest("orders", 0, from, 0, tags))
	require.Equal(w.t, proto.ResponseName(code), proto.ResponseName(response.Code), why)
	require.Equal(w.t, status, response.Remark, why)
	require.Equal(w.t, next, response.Fields.String("nextBeginOffset"), why)
	require.Equal(w.t, "0", response.Fields.String("minOffset"), why)
	require.Equal(w.t, end, response.Fields.String("maxOffset"), why)
	require.Equal(w.t, "0", response.Fields.String("suggestWhichBrokerId"), why)
}

func TestAPullBringsNoMoreThanItAskedForAndTheBrokerLets(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.PullMessagesMax, o.PullBytesMax = 5, 8<<10 })
	for range 10 {
		w.succeeds(sendRequest("orders", 0, "x", ""))
	}
	for range 10 {
		w.succeeds(sendRequest("orders", 1, string(make([]byte, 3<<10)), ""))
	}
	count := func(queue, most, bytesMax int32) int {
		request := pullRequest("orders", queue, 0, 0, "*")
		header := request.Header.(*proto.PullMessage)
		header.MaxMessages, header.MaxBytes = most, bytesMax
		return len(bodies(t, w.succeeds(request)))
	}
	require.Equal(t, 2, count(0, 2, 0))
	require.Equal(t, 5, count(0, 32, 0))
	require.Equal(t, 1, count(0, 0, 0), "at least one, whatever was asked for")
	require.Equal(t, 2, count(1, 32, 0))
	require.Equal(t, 1, count(1, 32, 4<<10))
	require.Equal(t, 1, count(1, 32, 10), "a message that is larger than what was asked for is brought alone")
}

func TestQueuesCanBeAskedForTimesAndPlaces(t *testing.T) {
	w := newWorld(t)
	var offsets, stored []int64
	for range 3 {
		sent := w.succeeds(sendRequest("orders", 0, "x", ""))
		id, err := message.ParseOffsetID(sent.Fields.String("msgId"))
		require.NoError(t, err)
		offsets = append(offsets, int64(id.LogOffset))
		stored = append(stored, int64(w.machine.Wall()))
		w.pass(10 * time.Second)
	}
	at := func(wall int64) string {
		return w.succeeds(&transport.Request{Code: proto.ReqSearchOffsetByTimestamp, Header: &proto.SearchOffsetByTimestamp{Topic: "orders", Timestamp: wall}}).Fields.String("offset")
	}
	require.Equal(t, "0", at(0))
	require.Equal(t, "1", at(stored[0]+1000))
	require.Equal(t, "3", at(stored[2]+60_000))
	earliest := func(topic string) int64 {
		response := w.succeeds(&transport.Request{Code: proto.ReqGetEarliestMessageStoreTime, Header: &proto.GetEarliestMessageStoreTime{Topic: topic}})
		wall, err := strconv.ParseInt(response.Fields.String("timestamp"), 10, 64)
		require.NoError(t, err)
		return wall
	}
	require.InDelta(t, stored[0], earliest("orders"), 1000)
	require.EqualValues(t, -1, earliest("nowhere"))
	view := func(offset int64) *transport.Request {
		return &transport.Request{Code: proto.ReqViewMessageByID, Header: &proto.ViewMessageByID{Offset: offset}}
	}
	require.Equal(t, []string{"x"}, bodies(t, w.succeeds(view(offsets[1]))))
	w.refused(view(offsets[1]+1), proto.RespSystemError, "can not find message by the offset")
	w.refused(view(1<<40), proto.RespSystemError, "can not find message by the offset")
	stats := w.succeeds(&transport.Request{Code: proto.ReqGetTopicStatsInfo, Header: &proto.GetTopicStatsInfo{Topic: "orders"}})
	require.Contains(t, string(stats.Body), `"maxOffset":3,"minOffset":0`)
	w.refused(&transport.Request{Code: proto.ReqGetTopicStatsInfo, Header: &proto.GetTopicStatsInfo{Topic: "nowhere"}}, proto.RespTopicNotExist, "nowhere")
}
