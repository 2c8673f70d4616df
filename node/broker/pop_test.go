package broker_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// taken is a message that was popped.
type taken struct {
	body         string
	receipt      proto.PopReceipt
	redeliveries int32
}

// popRequest pops from orders, queue 1, for a minute, and waits for nothing.
func popRequest(change ...func(*proto.PopMessage)) *transport.Request {
	h := &proto.PopMessage{ConsumerGroup: "g", Topic: "orders", QueueID: 1, MaxMessages: 32, InvisibleMillis: 60_000, Expression: "*"}
	for _, c := range change {
		c(h)
	}
	return &transport.Request{Code: proto.ReqPopMessage, Header: h}
}

func atMost(count int32) func(*proto.PopMessage) {
	return func(h *proto.PopMessage) { h.MaxMessages = count }
}

func waiting(d time.Duration) func(*proto.PopMessage) {
	return func(h *proto.PopMessage) { h.HoldForMillis = d.Milliseconds() }
}

func inOrder(attempt string) func(*proto.PopMessage) {
	return func(h *proto.PopMessage) { h.Ordered, h.AttemptID = true, attempt }
}

// popped reads the messages of an answer, with their receipts, as clients make them.
func popped(t *testing.T, response *wire.Command) (list []taken) {
	t.Helper()
	require.EqualValues(t, proto.RespSuccess, response.Code, response.Remark)
	var h proto.PopMessageResponse
	require.NoError(t, h.DecodeFields(response.Fields))
	starts, err := proto.ParsePopStarts(h.StartOffsets)
	require.NoError(t, err)
	offsets, err := proto.ParsePopQueueOffsets(h.MessageOffsets)
	require.NoError(t, err)
	require.Len(t, starts, len(offsets))
	var receipts []proto.PopReceipt
	for i, q := range offsets {
		require.Equal(t, starts[i].QueueID, q.QueueID)
		require.Equal(t, starts[i].Offset, q.Offsets[0])
		for _, offset := range q.Offsets {
			receipts = append(receipts, proto.PopReceipt{
				StartOffset: starts[i].Offset, PoppedAt: h.PoppedAt, InvisibleMillis: h.InvisibleMillis, ReviveQueueID: h.ReviveQueueID, Retry: q.Retry,
				BrokerName: "broker-a", QueueID: q.QueueID, QueueOffset: offset, LogOffset: -1,
			})
		}
	}
	for r, err := range message.DecodeRecords(response.Body, true) {
		require.NoError(t, err)
		list = append(list, taken{string(r.Body), receipts[len(list)], r.Redeliveries})
	}
	require.Len(t, list, len(receipts))
	return list
}

func ackRequest(m taken) *transport.Request {
	return &transport.Request{Code: proto.ReqAckMessage, Header: &proto.AckMessage{
		ConsumerGroup: "g", Topic: "orders", QueueID: m.receipt.QueueID, CheckPoint: m.receipt.String(), QueueOffset: m.receipt.QueueOffset,
	}}
}

func hideRequest(m taken, d time.Duration) *transport.Request {
	return &transport.Request{Code: proto.ReqChangeMessageInvisibleTime, Header: &proto.ChangeMessageInvisibleTime{
		ConsumerGroup: "g", Topic: "orders", QueueID: m.receipt.QueueID, CheckPoint: m.receipt.String(), QueueOffset: m.receipt.QueueOffset,
		InvisibleMillis: d.Milliseconds(),
	}}
}

// hide replaces the receipt of a message.
func (w *world) hide(m taken, d time.Duration) taken {
	w.t.Helper()
	response := w.succeeds(hideRequest(m, d))
	var h proto.ChangeMessageInvisibleTimeResponse
	require.NoError(w.t, h.DecodeFields(response.Fields))
	require.Equal(w.t, d.Milliseconds(), h.InvisibleMillis)
	m.receipt.StartOffset, m.receipt.PoppedAt, m.receipt.InvisibleMillis = m.receipt.QueueOffset, h.PoppedAt, h.InvisibleMillis
	return m
}

func (w *world) pop(change ...func(*proto.PopMessage)) []taken {
	w.t.Helper()
	return popped(w.t, w.call(popRequest(change...)))
}

func (w *world) popsNothing(change ...func(*proto.PopMessage)) {
	w.t.Helper()
	w.refused(popRequest(change...), proto.RespPollingTimeout, "no message found")
}

// sendOrders sends messages to orders, queue 1, with their numbers as bodies.
func (w *world) sendOrders(from, to int) {
	w.t.Helper()
	for i := from; i < to; i++ {
		w.succeeds(sendRequest("orders", 1, strconv.Itoa(i), "TAGS\x01"+[]string{"even", "odd"}[i%2]+"\x02"))
	}
}

func bodiesIn(list []taken) (bodies []string) {
	for _, m := range list {
		bodies = append(bodies, m.body)
	}
	return bodies
}

func (w *world) floor() int64 {
	w.t.Helper()
	var h proto.OffsetResponse
	require.NoError(w.t, h.DecodeFields(w.succeeds(queryRequest("g", "orders", 1)).Fields))
	return h.Offset
}

func TestAPoppedMessageIsHiddenAndComesAgainWhenItsTimeIsOver(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 3)
	first := w.pop(atMost(2))
	require.Equal(t, []string{"0", "1"}, bodiesIn(first))
	require.Equal(t, []string{"2"}, bodiesIn(w.pop()))
	w.popsNothing()
	w.pass(time.Minute)
	again := w.pop()
	require.Equal(t, []string{"0", "1", "2"}, bodiesIn(again))
	for _, m := range again {
		require.EqualValues(t, 1, m.redeliveries)
		w.succeeds(ackRequest(m))
	}
	w.pass(2 * time.Minute)
	w.popsNothing()
	require.EqualValues(t, 3, w.floor())
}

func TestAMessageIsAcknowledgedOnceAndOnlyByItsNewestReceipt(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 2)
	first := w.pop()
	w.succeeds(ackRequest(first[0]))
	w.refused(ackRequest(first[0]), proto.RespNoMessage, "not in flight")
	w.pass(time.Minute)
	second := w.pop()
	require.Equal(t, []string{"1"}, bodiesIn(second))
	w.refused(ackRequest(first[1]), proto.RespNoMessage, "only the newest receipt counts")
	w.refused(hideRequest(first[1], time.Second), proto.RespNoMessage, "only the newest receipt counts")
	w.succeeds(ackRequest(second[0]))
	require.EqualValues(t, 2, w.floor())
}

func TestAReceiptIsGoodUntilTheMessageIsHandedOutAgain(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 1)
	first := w.pop()
	w.pass(5 * time.Minute)
	w.succeeds(ackRequest(first[0]))
	w.popsNothing()
}

func TestTwoAcknowledgementsAtOnceHaveOneSuccess(t *testing.T) {
	w := newWorld(t)
	w.slowDisk(50 * time.Millisecond)
	w.sendOrders(0, 1)
	m := w.pop()[0]
	one, two := w.begin(ackRequest(m)), w.begin(ackRequest(m))
	w.pass(time.Second)
	codes := []int32{(*one).Code, (*two).Code}
	require.ElementsMatch(t, []int32{proto.RespSuccess, proto.RespNoMessage}, codes)
}

func TestANewReceiptReplacesTheOldOneAndItsTime(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 2)
	list := w.pop()
	longer := w.hide(list[0], 2*time.Minute)
	w.refused(ackRequest(list[0]), proto.RespNoMessage, "its receipt replaced")
	w.pass(90 * time.Second)
	require.Equal(t, []string{"1"}, bodiesIn(w.pop()), "0 is hidden for longer")
	w.succeeds(ackRequest(longer))
	w.pass(time.Hour)
	require.Equal(t, []string{"1"}, bodiesIn(w.pop()))
}

func TestAMessageThatIsGivenBackComesAtOnce(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 1)
	m := w.pop()[0]
	answer := w.begin(popRequest(waiting(10 * time.Second)))
	w.pass(time.Second)
	require.Nil(t, *answer)
	w.hide(m, 0)
	w.pass(100 * time.Millisecond)
	again := popped(t, *answer)
	require.Equal(t, []string{"0"}, bodiesIn(again))
	require.EqualValues(t, 1, again[0].redeliveries)
}

func TestWhatIsInFlightOutlivesTheBroker(t *testing.T) {
	for _, pause := range []time.Duration{0, 15 * time.Second} { // the state is saved in the second
		t.Run(pause.String(), func(t *testing.T) {
			w := newWorld(t)
			w.sendOrders(0, 4)
			list := w.pop(atMost(3))
			w.succeeds(ackRequest(list[1]))
			changed := w.hide(list[2], 10*time.Minute)
			w.pass(pause)
			w.restart(sim.PowerLoss)
			require.Equal(t, []string{"3"}, bodiesIn(w.pop()))
			w.refused(ackRequest(list[1]), proto.RespNoMessage, "not in flight")
			w.refused(ackRequest(list[2]), proto.RespNoMessage, "its receipt replaced")
			w.succeeds(ackRequest(changed))
			require.EqualValues(t, 0, w.floor(), "0 is not acknowledged")
			w.pass(time.Minute)
			again := w.pop()
			require.Equal(t, []string{"0", "3"}, bodiesIn(again))
			w.restart(sim.KillProcess)
			w.succeeds(ackRequest(again[0]))
			require.EqualValues(t, 3, w.floor())
		})
	}
}

func TestPopsOfAllQueuesTakeFromAllOfThem(t *testing.T) {
	w := newWorld(t)
	for queue := range int32(4) {
		w.succeeds(sendRequest("orders", queue, fmt.Sprint("in ", queue), ""))
	}
	all := func(h *proto.PopMessage) { h.QueueID = -1 }
	list := w.pop(all)
	require.ElementsMatch(t, []string{"in 0", "in 1", "in 2", "in 3"}, bodiesIn(list))
	for _, m := range list {
		require.Equal(t, "in "+strconv.Itoa(int(m.receipt.QueueID)), m.body)
		w.succeeds(ackRequest(m))
	}
	w.popsNothing(all)
}

func TestAPopWaitsForAMessage(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 1)
	w.succeeds(ackRequest(w.pop()[0]))
	one := w.begin(popRequest(waiting(10 * time.Second)))
	w.pass(100 * time.Millisecond)
	two := w.begin(popRequest(waiting(10 * time.Second)))
	w.pass(900 * time.Millisecond)
	require.Nil(t, *one)
	w.sendOrders(1, 2)
	w.pass(time.Second)
	require.Equal(t, []string{"1"}, bodiesIn(popped(t, *one)), "who waits longest is served first")
	require.Nil(t, *two)
	w.pass(10 * time.Second)
	require.EqualValues(t, proto.RespPollingTimeout, (*two).Code)
}

func TestAPopWaitsUntilAMessageIsVisibleAgain(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 1)
	w.pop()
	answer := w.begin(popRequest(waiting(2 * time.Minute)))
	w.pass(59 * time.Second)
	require.Nil(t, *answer)
	w.pass(1200 * time.Millisecond)
	require.Equal(t, []string{"0"}, bodiesIn(popped(t, *answer)))
}

func TestPopsThatDoNotMatchLeaveNothingBehind(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 6)
	odd := func(h *proto.PopMessage) { h.Expression = "odd" }
	list := w.pop(odd)
	require.Equal(t, []string{"1", "3", "5"}, bodiesIn(list))
	for _, m := range list {
		w.succeeds(ackRequest(m))
	}
	require.EqualValues(t, 6, w.floor())
	w.sendOrders(6, 7)
	answer := w.begin(popRequest(odd, waiting(time.Minute)))
	w.sendOrders(8, 9)
	w.pass(time.Second)
	require.Nil(t, *answer)
	require.EqualValues(t, 8, w.floor())
	w.sendOrders(9, 10)
	w.pass(time.Second)
	require.Equal(t, []string{"9"}, bodiesIn(popped(t, *answer)))
}

func TestAGroupBeginsToPopWhereItIs(t *testing.T) {
	newest := func(h *proto.PopMessage) { h.From = proto.PopFromMax }
	t.Run("at the first message of a young queue", func(t *testing.T) {
		w := newWorld(t)
		w.sendOrders(0, 3)
		require.Equal(t, []string{"0", "1", "2"}, bodiesIn(w.pop(newest)))
	})
	t.Run("at its offset", func(t *testing.T) {
		w := newWorld(t)
		w.sendOrders(0, 3)
		w.succeeds(commitRequest("g", "orders", 1, 2))
		require.Equal(t, []string{"2"}, bodiesIn(w.pop()))
	})
	t.Run("further on if it has pulled meanwhile", func(t *testing.T) {
		w := newWorld(t)
		w.sendOrders(0, 4)
		list := w.pop(atMost(2))
		w.succeeds(commitRequest("g", "orders", 1, 3))
		require.Equal(t, []string{"3"}, bodiesIn(w.pop()))
		w.refused(ackRequest(list[0]), proto.RespNoMessage, "not in flight")
	})
}

func TestAResetCountsForWhoPops(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 4)
	list := w.pop(atMost(3))
	w.succeeds(ackRequest(list[0]))
	w.succeeds(&transport.Request{Code: proto.ReqInvokeBrokerToResetOffset, Header: &proto.ResetOffset{
		Topic: "orders", Group: "g", QueueID: proto.Some[int32](1), Offset: proto.Some[int64](0), Timestamp: -1,
	}})
	w.refused(ackRequest(list[1]), proto.RespNoMessage, "the group has moved")
	require.Equal(t, []string{"0", "1"}, bodiesIn(w.pop(atMost(2))))
	w.restart(sim.PowerLoss)
	require.Equal(t, []string{"2", "3"}, bodiesIn(w.pop()))
	require.EqualValues(t, 0, w.floor())
}

func TestOrderedPopsWaitForEachOther(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 4)
	first := w.pop(inOrder("a"), atMost(2))
	require.Equal(t, []string{"0", "1"}, bodiesIn(first))
	require.EqualValues(t, proto.ReviveQueueOrdered, first[0].receipt.ReviveQueueID)
	w.popsNothing(inOrder("b"))
	again := w.pop(inOrder("a"), atMost(2))
	require.Equal(t, []string{"0", "1"}, bodiesIn(again), "the answer was lost")
	w.refused(ackRequest(first[0]), proto.RespNoMessage, "only the newest receipt counts")
	w.succeeds(ackRequest(again[0]))
	w.popsNothing(inOrder("b"))
	w.pass(time.Minute)
	third := w.pop(inOrder("b"), atMost(1))
	require.Equal(t, []string{"1"}, bodiesIn(third))
	answer := w.begin(popRequest(inOrder("c"), waiting(time.Minute)))
	w.pass(time.Second)
	require.Nil(t, *answer)
	w.succeeds(ackRequest(third[0]))
	w.pass(time.Second)
	require.Equal(t, []string{"2", "3"}, bodiesIn(popped(t, *answer)))
}

func TestOrderedPopsTellHowOftenAMessageWasDelivered(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 2)
	w.pop(inOrder(""))
	w.pass(time.Minute)
	var h proto.PopMessageResponse
	require.NoError(t, h.DecodeFields(w.succeeds(popRequest(inOrder(""))).Fields))
	counts, err := proto.ParsePopOrderCounts(h.OrderCounts)
	require.NoError(t, err)
	require.Equal(t, []proto.PopOrderCount{{Retry: proto.PopNormal, QueueID: 1, Offset: 0, Count: 1}, {Retry: proto.PopNormal, QueueID: 1, Offset: 1, Count: 1}}, counts)
}

func TestWhatWasDeliveredTooOftenBecomesADeadLetter(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 1)
	var last []taken
	for delivery := range int32(17) {
		last = w.pop()
		require.Equal(t, delivery, last[0].redeliveries)
		w.pass(time.Minute)
	}
	w.popsNothing()
	dead := w.records(proto.DeadLetterTopic("g"), 0)
	require.Len(t, dead, 1)
	require.Equal(t, "0", string(dead[0].Body))
	require.Equal(t, "orders", message.PropertyString(dead[0].Properties, message.PropertyDeadLetterOriginTopic))
	w.refused(ackRequest(last[0]), proto.RespNoMessage, "became a dead letter")
	require.EqualValues(t, 1, w.floor())
}

func TestManyMessagesAreAcknowledgedAtOnce(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 10)
	list := w.pop()
	ack := func(bits ...byte) *transport.Request {
		r := list[0].receipt
		body := proto.BatchAckMessage{BrokerName: "broker-a", Acks: []proto.BatchAck{{
			ConsumerGroup: "g", Topic: "orders", Retry: "0", StartOffset: 0, QueueID: 1, PoppedAt: r.PoppedAt, InvisibleMillis: r.InvisibleMillis, Bits: bits,
		}}}
		return &transport.Request{Code: proto.ReqBatchAckMessage, Body: body.Marshal()}
	}
	w.succeeds(ack(0b10000101, 0b01))
	w.refused(ack(0b00000110), proto.RespNoMessage, "1 of 2 messages are not settled, the others are: message 2 ")
	w.refused(ack(0, 0b100), proto.RespNoMessage, "offset is illegal: 10")
	w.pass(time.Minute)
	require.Equal(t, []string{"3", "4", "5", "6", "9"}, bodiesIn(w.pop()))
}

func TestWhatCannotBePoppedIsRefused(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 1)
	for _, c := range []struct {
		change func(*proto.PopMessage)
		code   int32
		remark string
	}{
		{atMost(33), proto.RespInvalidParameter, "maxMsgNums: 33"},
		{atMost(0), proto.RespInvalidParameter, "maxMsgNums: 0"},
		{func(h *proto.PopMessage) { h.InvisibleMillis = 0 }, proto.RespInvalidParameter, "invisibleTime: 0 ms"},
		{func(h *proto.PopMessage) { h.From = 2 }, proto.RespInvalidParameter, "initMode: 2"},
		{func(h *proto.PopMessage) { h.QueueID = -2 }, proto.RespInvalidParameter, "queueId[-2]"},
		{func(h *proto.PopMessage) { h.QueueID = 4 }, proto.RespInvalidParameter, "queueId[4] is illegal"},
		{func(h *proto.PopMessage) { h.Topic = "none" }, proto.RespTopicNotExist, "topic[none] not exist"},
		{func(h *proto.PopMessage) { h.Topic = proto.PopTopic }, proto.RespNoPermission, "nobody pops that"},
		{func(h *proto.PopMessage) { h.ExpressionType, h.Expression = "SQL92", "a >" }, proto.RespSubscriptionParseFailed, "parse"},
	} {
		w.refused(popRequest(c.change), c.code, c.remark)
	}
	m := w.pop()[0]
	other := m
	other.receipt.BrokerName = "broker-b"
	w.refused(ackRequest(other), proto.RespInvalidParameter, "popped from broker broker-b")
	other = m
	other.receipt.PoppedAt--
	w.refused(ackRequest(other), proto.RespNoMessage, "only the newest receipt counts")
	w.refused(hideRequest(m, 13*time.Hour), proto.RespInvalidParameter, "invisibleTime")
	request := ackRequest(m)
	request.Header.(*proto.AckMessage).QueueOffset = 5
	w.refused(request, proto.RespInvalidParameter, "the receipt is for message 0 of queue 1, not for 5 of 1")
	request.Header.(*proto.AckMessage).CheckPoint = "nonsense"
	w.refused(request, proto.RespInvalidParameter, "extraInfo")
	w.refused(sendRequest(proto.PopTopic, 0, "forged", ""), proto.RespNoPermission, "")
	w.succeeds(ackRequest(m))
}

func TestAPopThatCannotBeStoredIsRefusedAndTheMessagesComeAgain(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.Store.Flush = store.SyncFlush })
	w.sendOrders(0, 2)
	m := w.pop(atMost(1))[0]
	disk := w.machine.Disk()
	o := disk.Options()
	full := o
	full.Full = true
	disk.SetOptions(full)
	// The file of the log that there is has its space already.
	for _, body := range []string{strings.Repeat("x", 60_000), strings.Repeat("x", 1000), ""} {
		for w.call(sendRequest("others", 0, body, "")).Code == proto.RespSuccess {
		}
	}
	for response := w.call(hideRequest(m, time.Minute)); response.Code == proto.RespSuccess; response = w.call(hideRequest(m, time.Minute)) {
		var h proto.ChangeMessageInvisibleTimeResponse
		require.NoError(t, h.DecodeFields(response.Fields))
		m.receipt.PoppedAt = h.PoppedAt
	}
	for _, request := range []*transport.Request{popRequest(), ackRequest(m), hideRequest(m, time.Second)} {
		w.refused(request, proto.RespServiceNotAvailable, "the disk of the broker is full")
	}
	disk.SetOptions(o)
	require.Equal(t, []string{"1"}, bodiesIn(w.pop()))
	w.succeeds(ackRequest(m))
}

func TestWhoAsksIsToldWhenThereIsSomethingToPop(t *testing.T) {
	w := newWorld(t)
	ask := func(hold time.Duration) *transport.Request {
		return &transport.Request{Code: proto.ReqNotification, Header: &proto.Notification{ConsumerGroup: "g", Topic: "orders", QueueID: -1, HoldForMillis: hold.Milliseconds()}}
	}
	has := func(response *wire.Command) bool {
		var h proto.NotificationResponse
		require.EqualValues(t, proto.RespSuccess, response.Code, response.Remark)
		require.NoError(t, h.DecodeFields(response.Fields))
		return h.HasMessage
	}
	w.sendOrders(0, 1)
	require.True(t, has(w.call(ask(0))))
	m := w.pop()[0]
	require.False(t, has(w.call(ask(0))))
	answer := w.begin(ask(10 * time.Second))
	w.pass(time.Second)
	require.Nil(t, *answer)
	var polls proto.PollingInfoResponse
	info := &transport.Request{Code: proto.ReqPollingInfo, Header: &proto.PollingInfo{ConsumerGroup: "g", Topic: "orders", QueueID: 1}}
	require.NoError(t, polls.DecodeFields(w.succeeds(info).Fields))
	require.EqualValues(t, 1, polls.Polls)
	w.hide(m, 0)
	w.pass(time.Second)
	require.True(t, has(*answer))
	require.Equal(t, []string{"0"}, bodiesIn(w.pop()), "it has taken nothing")
}

func TestWhoPeeksTakesNothing(t *testing.T) {
	w := newWorld(t)
	peek := &transport.Request{Code: proto.ReqPeekMessage, Header: &proto.PeekMessage{ConsumerGroup: "g", Topic: "orders", QueueID: 1, MaxMessages: 2}}
	w.sendOrders(0, 3)
	for range 2 {
		require.Equal(t, []string{"0", "1"}, bodies(t, w.succeeds(peek)))
	}
	w.pop()
	w.refused(peek, proto.RespPullNotFound, "no message found")
}

func TestTooManyPopsAreNotHeld(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.HeldPopsOfLineMax = 2 })
	w.sendOrders(0, 1)
	w.pop()
	w.begin(popRequest(waiting(30 * time.Second)))
	w.begin(popRequest(waiting(30 * time.Second)))
	w.pass(time.Second)
	w.refused(popRequest(waiting(30*time.Second)), proto.RespPollingFull, "polling full")
}

func TestNoMoreThanTheLimitIsInFlight(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.InFlightMax = 32 })
	w.sendOrders(0, 40)
	list := w.pop()
	require.Len(t, list, 32)
	w.popsNothing()
	answer := w.begin(popRequest(waiting(30 * time.Second)))
	w.pass(time.Second)
	require.Nil(t, *answer)
	w.succeeds(ackRequest(list[4]))
	w.pass(time.Second)
	require.Equal(t, []string{"32"}, bodiesIn(popped(t, *answer)))
}

func TestADeletedTopicHasNothingInFlight(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 2)
	m := w.pop()[0]
	answer := w.begin(popRequest(waiting(30 * time.Second)))
	w.pass(time.Second)
	w.succeeds(deleteTopicRequest("orders"))
	require.EqualValues(t, proto.RespPollingTimeout, (*answer).Code)
	w.refused(ackRequest(m), proto.RespTopicNotExist, "orders")
	w.sendOrders(7, 9)
	w.restart(sim.PowerLoss)
	require.Equal(t, []string{"7", "8"}, bodiesIn(w.pop()))
}

func TestToolsSeeWhatIsInFlight(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 6)
	list := w.pop(atMost(4))
	w.succeeds(ackRequest(list[1]))
	w.succeeds(ackRequest(list[2]))
	s := w.measured()
	of := []string{"g", "orders", "false", "false"}
	requireValue(t, 2, s, "rocketmq_consumer_inflight_messages", of...)
	requireValue(t, 2, s, "rocketmq_consumer_ready_messages", of...)
	requireValue(t, 4, s, "rocketmq_consumer_lag_messages", of...)
	requireValue(t, 4, s, "gantry_consumer_queue_lag_messages", "g", "orders", "1")
	require.EqualValues(t, 4, w.counted("GROUP_GET_NUMS", "orders@g"))
	require.EqualValues(t, 2, w.counted("GROUP_ACK_NUMS", "orders@g"))
	require.EqualValues(t, 1, w.counted("GROUP_CK_NUMS", "orders@g"))
	require.EqualValues(t, 2, w.counted("BROKER_ACK_NUMS", "DefaultCluster"))
	require.EqualValues(t, 1, w.counted("BROKER_CK_NUMS", "DefaultCluster"))
	request := &transport.Request{Code: proto.ReqGetConsumeStats, Header: &proto.GetConsumeStats{ConsumerGroup: "g", Topic: "orders"}}
	require.Contains(t, string(w.succeeds(request).Body), `"pullOffset":4`)
}

func TestMessagesThatAreAcknowledgedTogetherAreBounded(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 1)
	m := w.pop()[0]
	some := proto.BatchAck{ConsumerGroup: "g", Topic: "orders", QueueID: 1, PoppedAt: m.receipt.PoppedAt, Bits: bytes.Repeat([]byte{0xff}, 10_000)}
	body := proto.BatchAckMessage{Acks: []proto.BatchAck{some, some}}
	w.refused(&transport.Request{Code: proto.ReqBatchAckMessage, Body: body.Marshal()}, proto.RespInvalidParameter, "bitSet: 20000 bytes in all, 16384 may be")
	w.succeeds(ackRequest(m))
}
