package broker_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// consumer is a client that answers the broker's requests as it is told; nil: never.
type consumer struct {
	*otherClient
	answer func(in *transport.Incoming)
	asked  []*wire.Command
}

// consumer adds a member of group g, of a version.
func (w *world) consumer(id string, version int32, answer func(in *transport.Incoming)) *consumer {
	w.t.Helper()
	c := &consumer{otherClient: w.addClient(id), answer: answer}
	c.client = transport.NewClient(c.machine.Node(id, "."), transport.ClientOptions{Handler: transport.HandlerFunc(func(in *transport.Incoming) {
		if in.Command.Code == proto.ReqNotifyConsumerIDsChanged {
			return
		}
		c.asked = append(c.asked, in.Command.Clone())
		if c.answer != nil {
			c.answer(in)
		}
	})})
	beat := heartbeat(id, "g", nil)
	beat.Version = version
	c.succeeds(beat)
	return c
}

// says answers with a body.
func says(body string) func(in *transport.Incoming) {
	return func(in *transport.Incoming) { in.Reply().Success([]byte(body)) }
}

func runningInfoRequest(id string) *transport.Request {
	return &transport.Request{Code: proto.ReqGetConsumerRunningInfo, Header: &proto.GetConsumerRunningInfo{ConsumerGroup: "g", ClientID: id, StackDump: true}}
}

func directlyRequest(id, offsetID string) *transport.Request {
	return &transport.Request{Code: proto.ReqConsumeMessageDirectly, Header: &proto.ConsumeMessageDirectly{
		ConsumerGroup: "g", ClientID: id, OffsetID: offsetID, Topic: "orders",
	}}
}

func statusRequest(address string) *transport.Request {
	return &transport.Request{Code: proto.ReqInvokeBrokerToGetConsumerStatus, Header: &proto.GetConsumerStatus{Topic: "orders", Group: "g", ClientAddress: address}}
}

func TestAToolAsksAConsumerThroughTheBroker(t *testing.T) {
	w := newWorld(t)
	one := w.consumer("one", wire.V3_1_8_SNAPSHOT, says(`{"properties":{"a":"b"}}`))
	two := w.consumer("two", wire.OwnVersion, says(`{}`))
	response := w.succeeds(runningInfoRequest("one"))
	require.Equal(t, `{"properties":{"a":"b"}}`, string(response.Body))
	require.Empty(t, two.asked)
	require.Len(t, one.asked, 1)
	require.Equal(t, "true", one.asked[0].Fields.String("jstackEnable"))
	require.Equal(t, "one", one.asked[0].Fields.String("clientId"))
	one.answer = func(in *transport.Incoming) { in.Reply().Error(proto.RespSystemError, "no such group here") }
	w.refused(runningInfoRequest("one"), proto.RespSystemError, "no such group here")
}

func TestAConsumerThatCannotBeAskedIsSaid(t *testing.T) {
	w := newWorld(t)
	w.refused(runningInfoRequest("one"), proto.RespSystemError, "the consumer <g> <one> is not online")
	w.consumer("one", wire.V3_1_8_SNAPSHOT-1, says(`{}`))
	w.refused(runningInfoRequest("one"), proto.RespSystemError, "which cannot answer: it must be V3_1_8_SNAPSHOT or later")
	w.refused(runningInfoRequest("two"), proto.RespSystemError, "the consumer <g> <two> is not online")
	w.refused(&transport.Request{Code: proto.ReqGetConsumerRunningInfo}, proto.RespInvalidParameter, "consumerGroup")
}

// TestAConsumerThatDoesNotAnswerHoldsUpNobody but who has asked.
func TestAConsumerThatDoesNotAnswerHoldsUpNobody(t *testing.T) {
	w := newWorld(t)
	silent := w.consumer("one", wire.OwnVersion, nil)
	began := w.kernel.Now()
	asked := w.begin(runningInfoRequest("one"))
	w.pass(time.Second)
	w.succeeds(sendRequest("orders", 0, "over the connection of the tool", ""))
	require.Less(t, w.kernel.Now().Sub(began), 2*time.Second)
	require.Nil(t, *asked)
	w.pass(8900 * time.Millisecond)
	require.Nil(t, *asked)
	w.pass(time.Second)
	require.EqualValues(t, proto.RespConsumeMessageTimeout, (*asked).Code)
	require.Equal(t, "the consumer <g> <one> did not answer within 10s", (*asked).Remark)

	asked = w.begin(runningInfoRequest("one"))
	w.pass(time.Second)
	silent.machine.Node("one", ".").Tasks.Go("leave", func() { silent.client.Close() })
	w.pass(time.Second)
	require.EqualValues(t, proto.RespSystemError, (*asked).Code)
	require.Contains(t, (*asked).Remark, "the consumer <g> <one> could not be asked")
}

// TestAConsumerMayAskForItself over its only connection.
func TestAConsumerMayAskForItself(t *testing.T) {
	w := newWorld(t)
	one := w.consumer("one", wire.OwnVersion, says(`{}`))
	require.EqualValues(t, proto.RespSuccess, one.succeeds(runningInfoRequest("one")).Code)
}

func TestAConsumerConsumesAMessageOfTheStoreDirectly(t *testing.T) {
	w := newWorld(t)
	one := w.consumer("one", wire.OwnVersion, says(`{"consumeResult":"CR_SUCCESS"}`))
	w.succeeds(updateGroupRequest("g", func(g *proto.SubscriptionGroupConfig) { g.SysFlags = 8 }))
	w.succeeds(updateTopicRequest("orders", func(h *proto.UpdateAndCreateTopic) { h.SysFlags = proto.Some(proto.TopicUnit) }))
	w.succeeds(sendRequest("orders", 0, "first", ""))
	id := w.succeeds(sendRequest("orders", 0, "second", "")).Fields.String("msgId")
	for _, name := range []string{"one", ""} {
		require.Equal(t, `{"consumeResult":"CR_SUCCESS"}`, string(w.succeeds(directlyRequest(name, id)).Body))
	}
	require.Len(t, one.asked, 2, "without a client id any member will do")
	var record message.Record
	_, err := message.DecodeRecord(one.asked[0].Body, &record, true)
	require.NoError(t, err)
	require.Equal(t, "second", string(record.Body))
	fields := one.asked[0].Fields
	require.Equal(t, "broker-a", fields.String("brokerName"))
	require.Equal(t, "1", fields.String("topicSysFlag"))
	require.Equal(t, "8", fields.String("groupSysFlag"))
	require.Equal(t, id, fields.String("msgId"))

	w.refused(directlyRequest("one", ""), proto.RespInvalidParameter, "msgId")
	w.refused(directlyRequest("one", "zz"), proto.RespInvalidParameter, "msgId")
	beyond := message.OffsetID{StoreHost: record.StoreHost, LogOffset: 1 << 40}
	w.refused(directlyRequest("one", beyond.String()), proto.RespSystemError, "msgId: there is no message at 1099511627776")
	w.refused(directlyRequest("two", id), proto.RespSystemError, "the consumer <g> <two> is not online")
	w.refused(&transport.Request{Code: proto.ReqConsumeMessageDirectly}, proto.RespInvalidParameter, "consumerGroup")
}

// queueAt is how a client says where it is.
func queueAt(offset int64) string {
	status := proto.ConsumerStatus{Queues: []proto.QueueOffset{{Queue: proto.Queue{Topic: "orders", BrokerName: "broker-a"}, Offset: offset}}}
	return string(status.Marshal())
}

func TestAllMembersAreAskedHowFarTheyAre(t *testing.T) {
	w := newWorld(t)
	w.refused(statusRequest(""), proto.RespSystemError, "no consumer of the group[g] is online")
	w.consumer("one", wire.OwnVersion, says(queueAt(5)))
	two := w.consumer("two", wire.V3_0_7_SNAPSHOT, says(queueAt(7)))
	of := func(request *transport.Request) map[string]int64 {
		status, err := proto.UnmarshalConsumerStatus(w.succeeds(request).Body)
		require.NoError(t, err)
		found := map[string]int64{}
		for _, member := range status.Members {
			found[member.ClientID] = member.Queues[0].Offset
		}
		return found
	}
	require.Equal(t, map[string]int64{"one": 5, "two": 7}, of(statusRequest("")))
	require.Equal(t, map[string]int64{"two": 7}, of(statusRequest("two")))
	require.Equal(t, map[string]int64{"one": 5}, of(statusRequest("10.0.0.3")))
	require.Equal(t, "orders", two.asked[0].Fields.String("topic"))
	require.EqualValues(t, proto.ReqGetConsumerStatusFromClient, two.asked[0].Code)
	w.refused(&transport.Request{Code: proto.ReqInvokeBrokerToGetConsumerStatus}, proto.RespInvalidParameter, "topic")
}

func TestMembersThatDoNotAnswerAreLeftOutAndNamed(t *testing.T) {
	w := newWorld(t)
	one := w.consumer("one", wire.OwnVersion, nil)
	w.refused(statusRequest(""), proto.RespConsumeMessageTimeout, "the client one has not answered")
	w.consumer("old", wire.V3_0_7_SNAPSHOT-1, says(queueAt(1)))
	w.refused(statusRequest("old"), proto.RespSystemError, "it must be V3_0_7_SNAPSHOT or later")
	wrong := w.consumer("wrong", wire.OwnVersion, says("nonsense"))
	w.refused(statusRequest("wrong"), proto.RespSystemError, "the client wrong has not answered")
	wrong.answer = func(in *transport.Incoming) { in.Reply().Error(proto.RespSystemError, "not today") }
	w.refused(statusRequest("wrong"), proto.RespSystemError, "not today")
	w.consumer("good", wire.OwnVersion, says(queueAt(9)))
	began := w.kernel.Now()
	response := w.succeeds(statusRequest(""))
	require.InDelta(t, 5*time.Second, w.kernel.Now().Sub(began), float64(200*time.Millisecond))
	status, err := proto.UnmarshalConsumerStatus(response.Body)
	require.NoError(t, err)
	require.Len(t, status.Members, 1)
	for _, name := range []string{"one", "old", "wrong"} {
		require.Contains(t, response.Remark, "the client "+name+" has not answered")
	}
	require.NotEmpty(t, one.asked)
}
