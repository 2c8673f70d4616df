package broker_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

const replyTopic = "DefaultCluster_REPLY_TOPIC"

// asker is a producer that answers the broker's requests as it is told; nil: never.
type asker struct {
	*otherClient
	answer func(in *transport.Incoming)
	pushed []*wire.Command
}

// asker adds a client that is known as a producer of some groups.
func (w *world) asker(id string, groups ...string) *asker {
	w.t.Helper()
	a := &asker{otherClient: w.addClient(id), answer: says("")}
	a.connect()
	a.produces(id, groups...)
	return a
}

// connect makes a client without a connection.
func (a *asker) connect() {
	a.client = transport.NewClient(a.machine.Node(a.machine.Name(), "."), transport.ClientOptions{
		Handler: transport.HandlerFunc(func(in *transport.Incoming) {
			a.pushed = append(a.pushed, in.Command.Clone())
			if a.answer != nil {
				a.answer(in)
			}
		}),
	})
}

func (a *asker) produces(id string, groups ...string) {
	a.w.t.Helper()
	data := &proto.HeartbeatData{ClientID: id}
	for _, g := range groups {
		data.Producers = append(data.Producers, proto.ProducerData{Group: g})
	}
	a.succeeds(&transport.Request{Code: proto.ReqHeartbeat, Body: data.Marshal()})
}

// disconnect ends the connection of a client.
func (a *asker) disconnect() {
	a.machine.Node(a.machine.Name(), ".").Tasks.Go("leave", func() { a.client.Close() })
	a.w.pass(time.Second)
}

// replyRequest is a reply to a client, as changed.
func replyRequest(client string, change ...func(*proto.SendMessage)) *transport.Request {
	request := sendRequest(replyTopic, 0, "answer", "MSG_TYPE\x01reply\x02CORRELATION_ID\x0117\x02REPLY_TO_CLIENT\x01"+client+"\x02TTL\x013000\x02")
	request.Code = proto.ReqSendReplyMessageV2
	for _, c := range change {
		c((*proto.SendMessage)(request.Header.(*proto.SendMessageShort)))
	}
	return request
}

// stored lists the bodies in the reply topic.
func (w *world) stored() []string {
	w.t.Helper()
	response := w.call(pullRequest(replyTopic, 0, 0, 0, "*"))
	return bodies(w.t, response)
}

func TestAReplyGoesToTheClientWhoAsked(t *testing.T) {
	w := newWorld(t)
	one, two := w.asker("one", "p"), w.asker("two", "p")
	response := w.succeeds(replyRequest("one", func(h *proto.SendMessage) {
		h.SysFlags, h.UserFlags, h.Redeliveries, h.UnitMode = 1, 5, 2, true
	}))
	require.Empty(t, two.pushed)
	require.Len(t, one.pushed, 1)
	require.EqualValues(t, proto.ReqPushReplyMessageToClient, one.pushed[0].Code)
	require.Equal(t, "answer", string(one.pushed[0].Body))
	var h proto.PushReplyMessage
	require.NoError(t, h.DecodeFields(one.pushed[0].Fields))
	properties := message.ParseProperties([]byte(h.Properties))
	require.Equal(t, "17", properties.Get("CORRELATION_ID"))
	require.NotEmpty(t, properties.Get("PUSH_REPLY_TIME"))
	from := netip.MustParseAddrPort(h.BornHost)
	require.Equal(t, "10.0.0.2", from.Addr().String())
	require.NotZero(t, h.StoredAt)
	h.Properties, h.BornHost, h.StoredAt = "", "", 0
	require.Equal(t, proto.PushReplyMessage{
		ProducerGroup: "p", Topic: replyTopic, DefaultTopic: proto.DefaultTopic, DefaultQueues: 4, SysFlags: 1, UserFlags: 5,
		BornAt: 1, Redeliveries: 2, UnitMode: true, StoreHost: address,
	}, h)

	var result proto.SendMessageResponse
	require.NoError(t, result.DecodeFields(response.Fields))
	id, err := message.ParseOffsetID(result.OffsetID)
	require.NoError(t, err)
	require.Equal(t, address, id.StoreHost.String())
	require.Equal(t, "DefaultRegion", result.Region)
	require.Equal(t, []string{"answer"}, w.stored())
}

func TestARepliesHeaderMayHaveWholeNames(t *testing.T) {
	w := newWorld(t)
	one := w.asker("one", "p")
	request := replyRequest("one")
	request.Code, request.Header = proto.ReqSendReplyMessage, (*proto.SendMessage)(request.Header.(*proto.SendMessageShort))
	w.succeeds(request)
	require.Len(t, one.pushed, 1)
	require.Equal(t, []string{"answer"}, w.stored())
}

func TestARepliesOffsetIsZeroIfRepliesAreNotStored(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.NoReplyStore = true })
	one := w.asker("one", "p")
	response := w.succeeds(replyRequest("one"))
	require.Len(t, one.pushed, 1)
	require.Equal(t, "0", response.Fields.String("msgId"))
	require.Equal(t, "0", response.Fields.String("queueOffset"))
	require.Empty(t, w.stored())
}

// TestAReplyThatWasTakenIsASuccessAlthoughItCannotBeStored because the client would get it twice otherwise.
func TestAReplyThatWasTakenIsASuccessAlthoughItCannotBeStored(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.Store.BodySizeMax = 4096 })
	one := w.asker("one", "p")
	request := replyRequest("one")
	request.Body = make([]byte, 5000)
	response := w.succeeds(request)
	require.Len(t, one.pushed, 1)
	require.Equal(t, "0", response.Fields.String("msgId"))
	require.Empty(t, w.stored())
	require.Len(t, w.logged.FilterMessage("a reply is not stored").All(), 1)
}

func TestAReplyThatNobodyTakesIsAnError(t *testing.T) {
	w := newWorld(t)
	w.refused(replyRequest("one"), proto.RespSystemError, "the client <one> is not connected to the broker broker-a as a producer")
	w.refused(replyRequest(""), proto.RespSystemError, "the property REPLY_TO_CLIENT is missing")
	one := w.asker("one", "p")
	one.answer = func(in *transport.Incoming) { in.Reply().Error(proto.RespSystemError, "not today") }
	w.refused(replyRequest("one"), proto.RespSystemError, "not today")
	one.disconnect()
	w.refused(replyRequest("one"), proto.RespSystemError, "push reply message to one failed: the client <one> is not connected")
	w.consumer("two", wire.OwnVersion, says(""))
	w.refused(replyRequest("two"), proto.RespSystemError, "the client <two> is not connected to the broker broker-a as a producer")
	require.Len(t, w.stored(), 5, "they are stored all the same")
}

// TestAClientThatDoesNotTakeItsReplyHoldsUpNobody but who has sent that reply, for ten seconds.
func TestAClientThatDoesNotTakeItsReplyHoldsUpNobody(t *testing.T) {
	w := newWorld(t)
	w.asker("slow", "p").answer = nil
	w.asker("quick", "p")
	began := w.kernel.Now()
	slow := w.begin(replyRequest("slow"))
	w.pass(time.Second)
	w.succeeds(replyRequest("quick"))
	w.succeeds(sendRequest("orders", 0, "over the same connection", ""))
	require.Less(t, w.kernel.Now().Sub(began), 2*time.Second)
	w.pass(8900 * time.Millisecond)
	require.Nil(t, *slow)
	w.pass(time.Second)
	require.EqualValues(t, proto.RespSystemError, (*slow).Code)
	require.Contains(t, (*slow).Remark, "push reply message to slow failed")

	w.begin(replyRequest("slow"))
	w.pass(time.Second)
	began = w.kernel.Now()
	w.close()
	require.Less(t, w.kernel.Now().Sub(began), 5*time.Second, "closing does not wait for the client")
}

// TestARepliesWayIsTheLastConnectionOfItsClient which may have lost an earlier one without the broker having noticed.
func TestARepliesWayIsTheLastConnectionOfItsClient(t *testing.T) {
	w := newWorld(t)
	first := w.asker("one", "p", "q")
	second := &asker{otherClient: first.otherClient, answer: says("")}
	old := *first.otherClient
	first.otherClient = &old
	second.connect()
	second.produces("one", "p")
	first.produces("one", "q") // of the other connection: it changes nothing
	w.succeeds(replyRequest("one"))
	require.Empty(t, first.pushed)
	require.Len(t, second.pushed, 1)

	second.disconnect()
	w.succeeds(replyRequest("one"))
	require.Len(t, first.pushed, 1, "the other one is left")
	first.produces("two", "p", "q")
	w.refused(replyRequest("one"), proto.RespSystemError, "the client <one> is not connected")
	w.succeeds(replyRequest("two"))
	for _, group := range []string{"p", "q"} {
		w.succeeds(replyRequest("two"))
		first.succeeds(&transport.Request{Code: proto.ReqUnregisterClient, Header: &proto.UnregisterClient{ClientID: "two", ProducerGroup: group}})
	}
	w.refused(replyRequest("two"), proto.RespSystemError, "the client <two> is not connected")
}

func TestAReplyIsCheckedLikeAnyMessage(t *testing.T) {
	w := newWorld(t)
	one := w.asker("one", "p")
	w.refused(&transport.Request{Code: proto.ReqSendReplyMessage}, proto.RespInvalidParameter, "producerGroup")
	w.refused(replyRequest("one", func(h *proto.SendMessage) { h.Topic = "no topic" }), proto.RespInvalidParameter, "no topic")
	w.refused(replyRequest("one", func(h *proto.SendMessage) { h.Topic = proto.DelayTopic }), proto.RespNoPermission, "forbidden")
	w.refused(replyRequest("one", func(h *proto.SendMessage) { h.QueueID = 9 }), proto.RespInvalidParameter, "queueId[9] is illegal")
	w.refused(replyRequest("one", func(h *proto.SendMessage) { h.Batch = true }), proto.RespMessageIllegal, "replies are sent one by one")
	w.refused(replyRequest("one", func(h *proto.SendMessage) { h.Properties += "DELAY\x013\x02" }), proto.RespMessageIllegal, "a reply cannot be delayed")
	w.refused(replyRequest("one", func(h *proto.SendMessage) { h.Properties += "DELAY\x01x\x02" }), proto.RespMessageIllegal, "no delay level")
	w.refused(replyRequest("one", func(h *proto.SendMessage) { h.SysFlags = 4 }), proto.RespNoPermission, "transaction")
	empty := replyRequest("one")
	empty.Body = nil
	w.refused(empty, proto.RespMessageIllegal, "no body")
	require.Empty(t, one.pushed)
	require.Empty(t, w.stored())
	w.succeeds(replyRequest("one", func(h *proto.SendMessage) { h.QueueID = -1 }))
	require.Len(t, one.pushed, 1)
}
