package broker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// sqlPull is a pull by an expression over properties, of queue 0.
func sqlPull(topic string, from int64, hold time.Duration, expression string) *transport.Request {
	request := pullRequest(topic, 0, from, hold, expression)
	request.Header.(*proto.PullMessage).ExpressionType = proto.ExpressionSQL
	return request
}

func sqlSubscription(topic, expression string, version int64) proto.SubscriptionData {
	s := subscription(topic, expression, version)
	s.ExpressionType = proto.ExpressionSQL
	return s
}

// sizes sends messages to "orders" with a property size, which is their body too.
func (w *world) sizes(sizes ...any) {
	w.t.Helper()
	for _, size := range sizes {
		w.succeeds(sendRequest("orders", 0, fmt.Sprint(size), fmt.Sprintf("size\x01%v\x02", size)))
	}
}

func next(response *wire.Command) string { return response.Fields.String("nextBeginOffset") }

func TestAnExpressionBringsOnlyTheMessagesThatMatch(t *testing.T) {
	w := newWorld(t)
	w.sizes(1, 7, 3, 9, 8, 2)
	w.succeeds(sendRequest("orders", 0, "without", ""))
	for expression, want := range map[string][]string{
		"size > 5":                    {"7", "9", "8"},
		"size IN ('1', '2')":          {"1", "2"},
		"size IS NULL":                {"without"},
		"size <> '1'":                 {"7", "3", "9", "8", "2"},
		"UNIQ_KEY IS NOT NULL":        {"1", "7", "3", "9", "8", "2", "without"},
		"NOT (size > 5) AND TAGS='x'": nil,
	} {
		response := w.call(sqlPull("orders", 0, 0, expression))
		require.Equal(t, "7", next(response), expression)
		if want == nil {
			require.Equal(t, "PULL_RETRY_IMMEDIATELY", proto.ResponseName(response.Code))
			require.Equal(t, "NO_MATCHED_MESSAGE", response.Remark)
			continue
		}
		require.Equal(t, want, bodies(t, response), expression)
	}
	response := w.call(sqlPull("orders", 7, 0, "size > 5"))
	require.Equal(t, "PULL_NOT_FOUND", proto.ResponseName(response.Code), "nothing has come yet")
	require.Equal(t, "7", next(response))
	w.refused(sqlPull("orders", 8, 0, "size > 5"), proto.RespPullOffsetMoved, "OFFSET_OVERFLOW_BADLY")
	w.refused(sqlPull("nothing", 0, 0, "size > 5"), proto.RespTopicNotExist, "nothing")
}

func TestAnExpressionMayComeFromHeartbeats(t *testing.T) {
	w := newWorld(t)
	w.sizes(1, 7, 3)
	w.succeeds(heartbeat("one", "g", subscribed(sqlSubscription("orders", "size > 5", 1))))
	require.Equal(t, []string{"7"}, bodies(t, w.succeeds(registeredPull("g", 1))))
	w.succeeds(heartbeat("one", "g", subscribed(sqlSubscription("orders", "size < 5", 2))))
	require.Equal(t, []string{"1", "3"}, bodies(t, w.succeeds(registeredPull("g", 2))))
}

// TestAnExpressionThatIsCalledTagsCountsAsItsHeartbeatSays: so the Go client calls it when it posts its subscription with each pull.
func TestAnExpressionThatIsCalledTagsCountsAsItsHeartbeatSays(t *testing.T) {
	w := newWorld(t)
	w.sizes(1, 7, 3)
	request := sqlPull("orders", 0, 0, "size > 5")
	request.Header.(*proto.PullMessage).ExpressionType = ""
	require.EqualValues(t, proto.RespPullRetryImmediately, w.call(request).Code)
	w.succeeds(heartbeat("one", "g", subscribed(sqlSubscription("orders", "size > 5", 1))))
	require.Equal(t, []string{"7"}, bodies(t, w.succeeds(request)))
}

func checkRequest(s proto.SubscriptionData) *transport.Request {
	return &transport.Request{Code: proto.ReqCheckClientConfig, Body: (&proto.ClientConfigCheck{ClientID: "one", Group: "g", Subscription: &s}).Marshal()}
}

func TestAnExpressionThatCannotBeReadIsRefusedWithWhatIsWrong(t *testing.T) {
	w := newWorld(t)
	w.sizes(1)
	const wrong = "not a filter expression: character 8"
	for range 2 {
		w.refused(sqlPull("orders", 0, 0, "size > = 5"), proto.RespSubscriptionParseFailed, wrong)
		w.refused(checkRequest(sqlSubscription("orders", "size > = 5", 1)), proto.RespSubscriptionParseFailed, wrong)
	}
	w.refused(pullRequest("orders", 0, 0, 0, "||"), proto.RespSubscriptionParseFailed, "names no tag")
	w.refused(sqlPull("orders", 0, 0, strings.Repeat("(", 3000)), proto.RespSubscriptionParseFailed, "too large")
	other := sqlSubscription("orders", "size > 5", 1)
	other.ExpressionType = "SQL93"
	w.refused(checkRequest(other), proto.RespSubscriptionParseFailed, "write TAG or SQL92")
	w.succeeds(checkRequest(sqlSubscription("orders", "size > 5", 1)))
	w.succeeds(checkRequest(subscription("orders", "red", 1)))
	w.refused(&transport.Request{Code: proto.ReqCheckClientConfig, Body: []byte("{}")}, proto.RespSystemError, "subscriptionData is missing")

	w.succeeds(heartbeat("one", "g", subscribed(sqlSubscription("orders", "size > = 5", 1))))
	w.succeeds(heartbeat("one", "g", subscribed(sqlSubscription("orders", "size > = 5", 2))))
	w.refused(registeredPull("g", 1), proto.RespSubscriptionParseFailed, wrong)
	told := w.logged.FilterMessageSnippet("cannot be used").All()
	require.Len(t, told, 1, "once for each expression")
	require.Contains(t, fmt.Sprint(told[0].ContextMap()), wrong)
}

func TestExpressionsOtherThanTagsCanBeSwitchedOff(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.NoPropertyFilter = true })
	w.sizes(1)
	const off = "the broker does not support consumer to filter message by SQL92: enablePropertyFilter is false"
	w.refused(sqlPull("orders", 0, 0, "size > 5"), proto.RespSystemError, off)
	w.refused(checkRequest(sqlSubscription("orders", "size > 5", 1)), proto.RespSystemError, off)
	w.succeeds(heartbeat("one", "g", subscribed(sqlSubscription("orders", "size > 5", 1))))
	w.refused(registeredPull("g", 1), proto.RespSystemError, off)
	require.Equal(t, 1, w.logged.FilterMessageSnippet("cannot be used").Len())
	w.succeeds(checkRequest(subscription("orders", "red", 1)))
	w.succeeds(pullRequest("orders", 0, 0, 0, "*"))
}

func TestAPullReadsOnUntilItHasEnough(t *testing.T) {
	w := newWorld(t)
	for n := range 450 {
		w.sizes(n % 20)
	}
	response := w.succeeds(sqlPull("orders", 0, 0, "size = 19"))
	require.Len(t, bodies(t, response), 22)
	require.Equal(t, "450", next(response))

	var all []string
	for n := range 450 {
		if n%20 >= 18 {
			all = append(all, fmt.Sprint(n%20))
		}
	}
	for _, limit := range []struct{ count, bytes int32 }{{1, 0}, {5, 0}, {7, 0}, {32, 1}, {32, 1000}} {
		var found []string
		for from := int64(0); from < 450; {
			request := sqlPull("orders", from, 0, "size >= 18")
			header := request.Header.(*proto.PullMessage)
			header.MaxMessages, header.MaxBytes = limit.count, limit.bytes
			response := w.call(request)
			if response.Code == proto.RespSuccess {
				brought := bodies(t, response)
				require.LessOrEqual(t, len(brought), int(limit.count), "%+v", limit)
				require.True(t, len(brought) == 1 || limit.bytes == 0 || len(response.Body) <= int(limit.bytes), "%+v", limit)
				found = append(found, brought...)
			}
			_, err := fmt.Sscan(next(response), &from)
			require.NoError(t, err)
		}
		require.Equal(t, all, found, "%+v", limit)
	}
}

func TestOnePullDoesNotReadAllOfALargeQueue(t *testing.T) {
	w := newWorld(t)
	large := strings.Repeat("x", 60<<10)
	for range 150 {
		w.succeeds(sendRequest("orders", 0, large, "size\x011\x02"))
	}
	w.sizes(9)
	response := w.call(sqlPull("orders", 0, time.Minute, "size > 5"))
	require.Equal(t, "PULL_RETRY_IMMEDIATELY", proto.ResponseName(response.Code))
	at := response.Fields.String("nextBeginOffset")
	require.Equal(t, "140", at, "8 MiB, and the rest of the last chunk")
	response = w.succeeds(sqlPull("orders", 140, time.Minute, "size > 5"))
	require.Equal(t, []string{"9"}, bodies(t, response))
	require.Equal(t, "151", next(response))
}

func TestABatchThatIsOneRecordIsJudgedByItsOwnProperties(t *testing.T) {
	w := newWorld(t)
	w.batchTopic("orders")
	w.succeeds(identified(batchRequest(t, "orders", "size\x019\x02", "size\x019\x02"), "size\x011\x02"))
	w.succeeds(identified(batchRequest(t, "orders", "size\x011\x02", "", ""), "size\x019\x02TAGS\x01red\x02"))
	w.succeeds(sendRequest("orders", 0, "single", "size\x019\x02"))
	response := w.succeeds(sqlPull("orders", 0, 0, "size > 5"))
	require.Equal(t, "6", next(response))
	var numbers []message.QueueOffset
	for r, err := range message.DecodeRecords(response.Body, true) {
		require.NoError(t, err)
		numbers = append(numbers, r.QueueOffset)
	}
	require.Equal(t, []message.QueueOffset{2, 5}, numbers)
	few := sqlPull("orders", 1, 0, "size > 5")
	few.Header.(*proto.PullMessage).MaxMessages = 3
	require.Equal(t, "5", next(w.succeeds(few)), "a batch counts as its messages")
	require.Equal(t, "6", next(w.succeeds(pullRequest("orders", 0, 3, 0, "red"))), "and is brought whole")
}

func TestRedeliveredMessagesComeWhateverTheExpression(t *testing.T) {
	w := newWorld(t, quickRetries)
	w.sizes(9)
	w.succeeds(heartbeat("one", "g", subscribed(sqlSubscription("orders", "size > 5 AND RETRY_TOPIC IS NULL", 1), subscription("%RETRY%g", "*", 1))))
	w.succeeds(sendBackRequest("g", w.records("orders", 0)[0].LogOffset, 0, -1))
	w.pass(5 * time.Second)
	request := registeredPull("g", 1)
	request.Header.(*proto.PullMessage).Topic = "%RETRY%g"
	require.Equal(t, []string{"9"}, bodies(t, w.succeeds(request)))
}

func TestMessagesThatCannotBeJudgedAreCountedAndToldOf(t *testing.T) {
	w := newWorld(t)
	w.sizes(1, "large", 9, "small")
	pull := func(group, expression string) []string {
		request := sqlPull("orders", 0, 0, expression)
		request.Header.(*proto.PullMessage).ConsumerGroup = group
		return bodies(t, w.succeeds(request))
	}
	for range 3 {
		require.Equal(t, []string{"9"}, pull("g", "size > 5"))
	}
	require.Equal(t, []string{"9", "small"}, pull("h", "size = 'small' OR size > 5"))
	require.Equal(t, []string{"1", "9"}, pull("h", "size > 0"))
	runtime := w.runtime()
	require.Equal(t, "6", runtime["filterFailures_g"])
	require.Equal(t, "3", runtime["filterFailures_h"])
	require.Equal(t, "9", runtime["filterFailures"])
	told := w.logged.FilterMessageSnippet("cannot compare").All()
	require.Len(t, told, 3, "once for each group and expression")
	require.Equal(t, "g", told[0].ContextMap()["group"])
	require.Equal(t, "SQL92 size > 5", told[0].ContextMap()["expression"])
	require.EqualValues(t, 1, told[0].ContextMap()["first"])
	require.Contains(t, told[0].ContextMap()["error"], `"large" is not`)
	w.succeeds(deleteGroupRequest("g", false))
	runtime = w.runtime()
	require.NotContains(t, runtime, "filterFailures_g")
	require.Equal(t, "3", runtime["filterFailures"])
}

// TestAMessageWithAnotherTagOfTheSameHashIsNotBrought: "Aa" and "BB" have the same hash.
func TestAMessageWithAnotherTagOfTheSameHashIsNotBrought(t *testing.T) {
	w := newWorld(t)
	for _, tag := range []string{"BB", "Aa", "BB", "C"} {
		w.succeeds(sendRequest("orders", 0, tag, "TAGS\x01"+tag+"\x02"))
	}
	require.Equal(t, message.TagHash([]byte("Aa")), message.TagHash([]byte("BB")))
	response := w.succeeds(pullRequest("orders", 0, 0, 0, "Aa || D"))
	require.Equal(t, []string{"Aa"}, bodies(t, response))
	require.Equal(t, "4", next(response))
	require.EqualValues(t, proto.RespPullRetryImmediately, w.call(pullRequest("orders", 0, 2, 0, "Aa")).Code)
}
