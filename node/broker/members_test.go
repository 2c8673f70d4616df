package broker_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

func consumerConnectionsRequest(group string) *transport.Request {
	return &transport.Request{Code: proto.ReqGetConsumerConnectionList, Header: &proto.GetConsumerConnectionList{ConsumerGroup: group}}
}

func producerConnectionsRequest(group string) *transport.Request {
	return &transport.Request{Code: proto.ReqGetProducerConnectionList, Header: &proto.GetProducerConnectionList{ProducerGroup: group}}
}

func TestToolsSeeWhoConsumesInAGroup(t *testing.T) {
	w := newWorld(t)
	w.refused(consumerConnectionsRequest("g"), proto.RespConsumerNotOnline, "the consumer group[g] is not online")
	old := heartbeat("one", "g", nil)
	old.Version = wire.V4_9_4
	w.succeeds(old)
	other := w.addClient("other")
	other.succeeds(heartbeat("two", "g", nil))
	response := w.succeeds(consumerConnectionsRequest("g"))
	require.Empty(t, response.Remark)
	got, err := proto.UnmarshalConsumerConnection(response.Body)
	require.NoError(t, err)
	require.Len(t, got.Members, 2)
	require.Equal(t, "one", got.Members[0].ClientID)
	require.Equal(t, wire.LanguageGo, got.Members[0].Language)
	require.EqualValues(t, wire.V4_9_4, got.Members[0].Version)
	require.Regexp(t, `^10\.0\.0\.2:\d+$`, got.Members[0].Address)
	require.Regexp(t, `^10\.0\.0\.3:\d+$`, got.Members[1].Address)
	require.Equal(t, proto.ConsumePush, got.ConsumeType)
	require.Equal(t, proto.Clustering, got.Model)
	require.Len(t, got.Subscriptions, 1)
	w.refused(&transport.Request{Code: proto.ReqGetConsumerConnectionList}, proto.RespInvalidParameter, "consumerGroup")
}

// TestMembersThatDifferAreShown: with Java brokers the last heartbeat hides what the others want.
func TestMembersThatDifferAreShown(t *testing.T) {
	w := newWorld(t)
	other := w.addClient("other")
	w.succeeds(heartbeat("one", "g", subscribed(subscription("orders", "red", 1), subscription("bills", "*", 1))))
	other.succeeds(heartbeat("two", "g", subscribed(subscription("orders", "blue", 2))))
	response := w.succeeds(consumerConnectionsRequest("g"))
	require.Contains(t, response.Remark, "client two of group g subscribes nothing of topic bills, others TAG *")
	require.Contains(t, response.Remark, "of topic orders")
	got, err := proto.UnmarshalConsumerConnection(response.Body)
	require.NoError(t, err)
	require.Len(t, got.Subscriptions, 2)
	require.Equal(t, "bills", got.Subscriptions[0].Topic)
	require.Equal(t, "blue", got.Subscriptions[1].Expression)
}

func TestToolsSeeWhoProduces(t *testing.T) {
	w := newWorld(t)
	w.refused(producerConnectionsRequest("p"), proto.RespSystemError, "the producer group[p] is not online")
	producer := &proto.HeartbeatData{ClientID: "one", Producers: []proto.ProducerData{{Group: "p"}, {Group: "a"}}}
	w.succeeds(&transport.Request{Code: proto.ReqHeartbeat, Body: producer.Marshal()})
	beat := int64(w.clientEnv().Clock.Wall())
	w.pass(20 * time.Second)
	got, err := proto.UnmarshalProducerConnection(w.succeeds(producerConnectionsRequest("p")).Body)
	require.NoError(t, err)
	require.Len(t, got.Members, 1)
	require.Equal(t, "one", got.Members[0].ClientID)
	table, err := proto.UnmarshalProducerTable(w.succeeds(&transport.Request{Code: proto.ReqGetAllProducerInfo}).Body)
	require.NoError(t, err)
	require.Len(t, table.Groups, 2)
	require.Equal(t, "a", table.Groups[0].Group)
	require.Equal(t, got.Members[0], table.Groups[1].Members[0].Connection)
	require.InDelta(t, beat, table.Groups[1].Members[0].SeenAt, 100)
	w.refused(&transport.Request{Code: proto.ReqGetProducerConnectionList}, proto.RespInvalidParameter, "producerGroup")
}
