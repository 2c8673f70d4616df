package broker_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

func TestASentMessageCanBePulled(t *testing.T) {
	w := newWorld(t)
	sent := w.call(sendRequest("orders", 1, "hello", "TAGS\x01red\x02"))
	require.EqualValues(t, proto.RespSuccess, sent.Code, sent.Remark)
	require.Equal(t, "1", sent.Fields.String("queueId"))
	require.Equal(t, "0", sent.Fields.String("queueOffset"))
	require.Len(t, sent.Fields.String("msgId"), 32)
	require.NotEmpty(t, sent.Fields.String("transactionId"), "the broker makes a unique key where the sender gave none")

	pulled := w.call(pullRequest("orders", 1, 0, 0, "*"))
	require.EqualValues(t, proto.RespSuccess, pulled.Code, pulled.Remark)
	require.Equal(t, []string{"hello"}, bodies(t, pulled))
	require.Equal(t, "1", pulled.Fields.String("nextBeginOffset"))
	require.Equal(t, "FOUND", pulled.Remark)
}

func TestAMessageAndItsTopicSurviveAPowerLoss(t *testing.T) {
	w := newWorld(t)
	for n := range 20 {
		response := w.call(sendRequest("orders", 0, fmt.Sprint("message ", n), ""))
		require.EqualValues(t, proto.RespSuccess, response.Code, response.Remark)
	}
	w.restart(sim.PowerLoss)
	require.Len(t, bodies(t, w.call(pullRequest("orders", 0, 0, 0, "*"))), 20)
}

func TestAHeldPullIsAnsweredWhenAMessageWithItsTagArrives(t *testing.T) {
	w := newWorld(t)
	w.call(sendRequest("orders", 0, "first", "TAGS\x01red\x02"))
	e := w.kernel.Machines()[1].Node("client", ".")
	var response *wire.Command
	var waited time.Duration
	e.Tasks.Go("pull", func() {
		began := e.Clock.Now()
		conn, err := w.client.Conn(nil, address, env.Never)
		if err == nil {
			response, _ = conn.Call(nil, pullRequest("orders", 0, 1, 20*time.Second, "blue || green"), began.Add(time.Minute))
			waited = e.Clock.Now().Sub(began)
		}
	})
	w.run(func() { e.Tasks.Sleep(2 * time.Second) })
	w.call(sendRequest("orders", 0, "red", "TAGS\x01red\x02"))
	w.run(func() { e.Tasks.Sleep(2 * time.Second) })
	require.Nil(t, response, "a message with another tag does not end the hold")
	w.call(sendRequest("orders", 0, "blue", "TAGS\x01blue\x02"))
	w.run(func() { e.Tasks.Sleep(time.Second) })
	require.NotNil(t, response)
	require.Equal(t, []string{"blue"}, bodies(t, response))
	require.Less(t, waited, 10*time.Second)
}

func TestAHeldPullEndsWithNothingFoundWhenItsTimeIsOver(t *testing.T) {
	w := newWorld(t)
	w.call(sendRequest("orders", 0, "first", ""))
	began := w.kernel.Now()
	response := w.call(pullRequest("orders", 0, 1, 3*time.Second, "*"))
	require.EqualValues(t, proto.RespPullNotFound, response.Code)
	require.InDelta(t, 3, w.kernel.Now().Sub(began).Seconds(), 0.5)
	require.Equal(t, "1", response.Fields.String("nextBeginOffset"))
}

func TestAnAnsweredCommitSurvivesAPowerLoss(t *testing.T) {
	w := newWorld(t)
	w.call(sendRequest("orders", 0, "first", ""))
	commit := &transport.Request{Code: proto.ReqUpdateConsumerOffset, Header: &proto.UpdateConsumerOffset{ConsumerGroup: "g", Topic: "orders", QueueID: 0, CommitOffset: 1}}
	require.EqualValues(t, proto.RespSuccess, w.call(commit).Code)
	query := &transport.Request{Code: proto.ReqQueryConsumerOffset, Header: &proto.QueryConsumerOffset{ConsumerGroup: "g", Topic: "orders", QueueID: 0}}
	for range 3 {
		w.restart(sim.PowerLoss)
		require.Equal(t, "1", w.call(query).Fields.String("offset"))
	}
}

func TestWhatCannotBeIsRefusedWithItsCodeAndReason(t *testing.T) {
	w := newWorld(t)
	w.call(sendRequest("orders", 0, "first", ""))
	long := make([]byte, 64<<10+1)
	for _, c := range []struct {
		why     string
		request *transport.Request
		code    int32
		remark  string
	}{
		{"an illegal name", sendRequest("or ders", 0, "x", ""), proto.RespInvalidParameter, "topic"},
		{"a queue that does not exist", sendRequest("orders", 4, "x", ""), proto.RespInvalidParameter, "queueId[4]"},
		{"a system topic", sendRequest(proto.DelayTopic, 0, "x", ""), proto.RespNoPermission, "forbidden"},
		{"a body that is too long", sendRequest("orders", 0, string(long), ""), proto.RespMessageIllegal, "maxMessageSize"},
		{"a delay that is none", sendRequest("orders", 0, "x", "DELAY\x01soon\x02"), proto.RespMessageIllegal, `property DELAY: "soon" is no delay level`},
		{"a timer that is none", sendRequest("orders", 0, "x", "TIMER_DELAY_SEC\x01soon\x02"), proto.RespMessageIllegal, `property TIMER_DELAY_SEC: "soon" is no number of seconds`},
		{"a timer beyond the horizon", sendRequest("orders", 0, "x", "TIMER_DELAY_SEC\x01259201\x02"), proto.RespMessageIllegal, "timerMaxDelaySec"},
		{"a half message of nobody", sendRequest("orders", 0, "x", "TRAN_MSG\x01true\x02"), proto.RespMessageIllegal, "property PGROUP"},
		{"a pull of an unknown topic", pullRequest("nowhere", 0, 0, 0, "*"), proto.RespTopicNotExist, "nowhere"},
		{"a pull of an unknown queue", pullRequest("orders", 9, 0, 0, "*"), proto.RespInvalidParameter, "queueId[9]"},
		{"a pull beyond the end", pullRequest("orders", 0, 5, 0, "*"), proto.RespPullOffsetMoved, "OFFSET_OVERFLOW_BADLY"},
		{"an unknown request", &transport.Request{Code: 9999}, proto.RespRequestCodeNotSupported, "9999"},
	} {
		response := w.call(c.request)
		require.EqualValues(t, c.code, response.Code, "%s: %s", c.why, response.Remark)
		require.Contains(t, response.Remark, c.remark, c.why)
	}
}

func TestABatchGetsConsecutiveOffsets(t *testing.T) {
	w := newWorld(t)
	var body []byte
	for n := range 3 {
		var err error
		body, err = message.AppendBatchElement(body, &message.BatchElement{Body: []byte{byte('a' + n)}, Properties: []byte("UNIQ_KEY\x01k\x02")})
		require.NoError(t, err)
	}
	request := sendRequest("orders", 0, string(body), "")
	request.Code = proto.ReqSendBatchMessage
	response := w.call(request)
	require.EqualValues(t, proto.RespSuccess, response.Code, response.Remark)
	require.Len(t, response.Fields.String("msgId"), 3*32+2)
	require.Equal(t, []string{"a", "b", "c"}, bodies(t, w.call(pullRequest("orders", 0, 0, 0, "*"))))
}

func TestADeletedTopicIsGoneAfterARestartToo(t *testing.T) {
	w := newWorld(t)
	w.call(sendRequest("orders", 0, "first", ""))
	remove := &transport.Request{Code: proto.ReqDeleteTopicInBroker, Header: &proto.DeleteTopicInBroker{Topic: "orders"}}
	require.EqualValues(t, proto.RespSuccess, w.call(remove).Code)
	w.restart(sim.PowerLoss)
	require.EqualValues(t, proto.RespTopicNotExist, w.call(pullRequest("orders", 0, 0, 0, "*")).Code)
	w.call(sendRequest("orders", 0, "second", ""))
	require.Equal(t, []string{"second"}, bodies(t, w.call(pullRequest("orders", 0, 0, 0, "*"))))
}

func TestMembersOfAGroupAreToldWhenAnotherComesOrGoes(t *testing.T) {
	w := newWorld(t)
	beat := func(id string) *transport.Request {
		data := &proto.HeartbeatData{ClientID: id, Consumers: []proto.ConsumerData{{
			Group: "g", ConsumeType: proto.ConsumePush, Model: proto.Clustering,
			Subscriptions: []proto.SubscriptionData{{Topic: "orders", Expression: "*", ExpressionType: proto.ExpressionTag, Version: 1}},
		}}}
		return &transport.Request{Code: proto.ReqHeartbeat, Body: data.Marshal()}
	}
	require.EqualValues(t, proto.RespSuccess, w.call(beat("one")).Code)
	other := transport.NewClient(w.kernel.AddMachine("other", netip.MustParseAddr("10.0.0.3")).Boot("other"), transport.ClientOptions{})
	before := len(w.pushed)
	done := false
	w.kernel.Machines()[2].Node("other", ".").Tasks.Go("beat", func() {
		_, err := other.Call(nil, address, beat("two"), 5*time.Second)
		done = err == nil
	})
	w.kernel.Run(w.kernel.Now().Add(5*time.Second), nil)
	require.True(t, done)
	require.Greater(t, len(w.pushed), before, "the first member hears of the second")
	list := w.call(&transport.Request{Code: proto.ReqGetConsumerListByGroup, Header: &proto.GetConsumerListByGroup{ConsumerGroup: "g"}})
	require.Contains(t, string(list.Body), `"one","two"`)
	before = len(w.pushed)
	w.kernel.Machines()[2].Crash(sim.KillProcess)
	w.kernel.Run(w.kernel.Now().Add(5*time.Second), nil)
	require.Greater(t, len(w.pushed), before, "the first member hears that the second has gone")
}

func TestCloseLeavesNoTaskBehind(t *testing.T) {
	w := newWorld(t)
	w.call(sendRequest("orders", 0, "first", ""))
	w.close()
	require.Empty(t, w.machine.TaskNames())
}
