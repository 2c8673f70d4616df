package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// quickRetries makes the levels of redeliveries short: level 3 is a second, and each further one a second more.
func quickRetries(o *broker.Options) {
	o.Store.DelayLevels = nil
	for level := range 18 {
		o.Store.DelayLevels = append(o.Store.DelayLevels, time.Duration(max(level-1, 1))*time.Second)
	}
}

func sendBackRequest(group string, at message.LogOffset, level int32, most int32) *transport.Request {
	h := &proto.ConsumerSendMessageBack{LogOffset: int64(at), Group: group, DelayLevel: level}
	if most >= 0 {
		h.RedeliveriesMax = proto.Some(most)
	}
	return &transport.Request{Code: proto.ReqConsumerSendMessageBack, Header: h}
}

func TestAMessageThatComesBackIsDeliveredAgainLaterAndAtLastADeadLetter(t *testing.T) {
	w := newWorld(t, quickRetries)
	w.succeeds(sendRequest("orders", 1, "x", "TAGS\x01red\x02KEYS\x01k\x02"))
	w.succeeds(heartbeat("one", "g", nil))
	origin := w.records("orders", 1)[0]
	at := origin.LogOffset
	for times := 1; times <= 16; times++ {
		w.succeeds(sendBackRequest("g", at, 0, -1))
		w.pass(time.Duration(times)*time.Second - 100*time.Millisecond)
		require.Len(t, w.records("%RETRY%g", 0), times-1, "redelivery %d is not due", times)
		w.pass(200 * time.Millisecond)
		all := w.records("%RETRY%g", 0)
		require.Len(t, all, times, "redelivery %d", times)
		r := all[times-1]
		require.EqualValues(t, times, r.Redeliveries)
		require.Equal(t, "x", string(r.Body))
		require.Equal(t, "orders", message.PropertyString(r.Properties, "RETRY_TOPIC"))
		require.Equal(t, origin.OffsetID().String(), message.PropertyString(r.Properties, "ORIGIN_MESSAGE_ID"))
		require.Equal(t, "red", message.PropertyString(r.Properties, "TAGS"))
		require.Equal(t, message.PropertyString(origin.Properties, "UNIQ_KEY"), message.PropertyString(r.Properties, "UNIQ_KEY"))
		at = r.LogOffset
	}
	require.NotContains(t, w.topicTable(), "%DLQ%g")
	w.succeeds(sendBackRequest("g", at, 0, -1))
	dead := w.records("%DLQ%g", 0)
	require.Len(t, dead, 1)
	require.EqualValues(t, 17, dead[0].Redeliveries)
	require.Equal(t, "orders", message.PropertyString(dead[0].Properties, "DLQ_ORIGIN_TOPIC"))
	require.Equal(t, origin.OffsetID().String(), message.PropertyString(dead[0].Properties, "DLQ_ORIGIN_MESSAGE_ID"))
	w.pass(time.Minute)
	require.Len(t, w.records("%RETRY%g", 0), 16)
	require.EqualValues(t, 1, w.topicTable()["%DLQ%g"].WriteQueues)
}

func TestWhereAMessageGoesThatComesBack(t *testing.T) {
	for _, c := range []struct {
		level, most int32
		after       time.Duration // 0: a dead letter
	}{
		{0, -1, time.Second}, {5, -1, 3 * time.Second}, {-1, -1, 0}, {0, 0, 0}, {3, 0, 0}, {0, 1, time.Second}, {99, -1, 16 * time.Second},
	} {
		w := newWorld(t, quickRetries)
		w.succeeds(sendRequest("orders", 1, "x", ""))
		w.succeeds(sendBackRequest("g", w.records("orders", 1)[0].LogOffset, c.level, c.most))
		if c.after == 0 {
			require.Len(t, w.records("%DLQ%g", 0), 1, "%+v", c)
			continue
		}
		w.pass(c.after - 50*time.Millisecond)
		require.Empty(t, w.records("%RETRY%g", 0), "%+v", c)
		w.pass(100 * time.Millisecond)
		require.Len(t, w.records("%RETRY%g", 0), 1, "%+v", c)
	}
}

func TestWhatCannotComeBackIsRefusedWithAReason(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.NoAutoGroups = true })
	w.succeeds(sendRequest("orders", 1, "x", ""))
	w.refused(sendBackRequest("g", 0, 0, -1), proto.RespSubscriptionGroupNotExist, "subscription group not exist, g")
	for _, at := range []message.LogOffset{-1, 7, 1 << 40} {
		w.refused(sendBackRequest(proto.ToolsConsumerGroup, at, 0, -1), proto.RespSystemError, fmt.Sprintf("look message by offset failed, %d", at))
	}
}

// retried is a message that a consumer itself sends to the retry topic of its group.
func retried(times int32, most int32) *transport.Request {
	request := sendRequest("%RETRY%g", 0, "x", "RETRY_TOPIC\x01orders\x02ORIGIN_MESSAGE_ID\x01id\x02DELAY\x013\x02")
	h := (*proto.SendMessage)(request.Header.(*proto.SendMessageShort))
	h.Redeliveries, h.RedeliveriesMax = times, proto.Some(most)
	return request
}

func TestWhatAConsumerItselfSendsToItsRetryTopicTooOftenIsADeadLetter(t *testing.T) {
	w := newWorld(t, quickRetries)
	w.succeeds(heartbeat("one", "g", nil))
	w.succeeds(retried(2, 2))
	require.NotContains(t, w.topicTable(), "%DLQ%g")
	w.succeeds(retried(3, 2))
	dead := w.records("%DLQ%g", 0)
	require.Len(t, dead, 1)
	require.Equal(t, "orders", message.PropertyString(dead[0].Properties, "DLQ_ORIGIN_TOPIC"))
	w.pass(2 * time.Second)
	require.Len(t, w.records("%RETRY%g", 0), 1)
}

func TestWhatAConsumerInOrderGivesUpIsADeadLetterAtOnce(t *testing.T) {
	w := newWorld(t, quickRetries)
	w.succeeds(heartbeat("one", "g", nil))
	w.succeeds(lockRequest("g", "one", 0))
	w.succeeds(retried(1, 16))
	require.Len(t, w.records("%DLQ%g", 0), 1)
}
