package broker_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// changedSend is sendRequest with another header.
func changedSend(topic string, change func(*proto.SendMessage)) *transport.Request {
	request := sendRequest(topic, 0, "x", "")
	change((*proto.SendMessage)(request.Header.(*proto.SendMessageShort)))
	return request
}

// batchRequest sends elements with these properties, each with the body "x".
func batchRequest(t *testing.T, topic string, properties ...string) *transport.Request {
	t.Helper()
	var body []byte
	for _, p := range properties {
		var err error
		body, err = message.AppendBatchElement(body, &message.BatchElement{Body: []byte("x"), Properties: []byte(p)})
		require.NoError(t, err)
	}
	request := sendRequest(topic, 0, string(body), "")
	request.Code = proto.ReqSendBatchMessage
	return request
}

// end is where a queue ends.
func (w *world) end(topic string, queue int32) string {
	w.t.Helper()
	return w.succeeds(&transport.Request{Code: proto.ReqGetMaxOffset, Header: &proto.GetMaxOffset{Topic: topic, QueueID: queue}}).Fields.String("offset")
}

func TestTheFirstReasonToRefuseASendIsTheOneThatIsTold(t *testing.T) {
	w := newWorld(t)
	w.refused(sendRequest("or ders", 99, "x", "TRAN_MSG\x01true\x02"), proto.RespInvalidParameter, "or ders")
	w.refused(sendRequest(proto.DelayTopic, 99, "x", ""), proto.RespNoPermission, "Sending message to topic[SCHEDULE_TOPIC_XXXX] is forbidden.")
	w.refused(sendRequest("orders", 99, "x", "TRAN_MSG\x01true\x02"), proto.RespInvalidParameter, "queueId[99]")
	require.Contains(t, w.topicTable(), "orders", "the topic is made before the queue is looked at")
	w.refused(sendRequest("%RETRY%nobody", 99, "x", ""), proto.RespInvalidParameter, "queueId[99]")
	w.refused(sendRequest("%RETRY%nobody", 0, "x", "DELAY\x011\x02"), proto.RespSubscriptionGroupNotExist, "subscription group not exist, nobody")
	w.refused(sendRequest("orders", 0, string(make([]byte, 64<<10+1)), "TIMER_DELAY_MS\x01x\x02"), proto.RespMessageIllegal, "TIMER_DELAY_MS")
}

func TestASendToTheRetryTopicOfAGroupNeedsTheGroup(t *testing.T) {
	w := newWorld(t)
	w.refused(sendRequest("%RETRY%g", 0, "x", ""), proto.RespSubscriptionGroupNotExist, "subscription group not exist, g")
	require.Equal(t, "0", w.end("%RETRY%g", 0))
	w.succeeds(heartbeat("one", "g", nil))
	w.succeeds(sendRequest("%RETRY%g", 0, "x", ""))
}

func TestABrokerThatIsNotWritableRefusesOnlyOrderedTopics(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.Perm = proto.PermRead })
	w.succeeds(updateTopicRequest("ordered", func(h *proto.UpdateAndCreateTopic) { h.Ordered = true }))
	w.refused(sendRequest("ordered", 0, "x", ""), proto.RespNoPermission, "the broker["+address+"] sending message is forbidden")
	w.succeeds(sendRequest("orders", 0, "x", ""))
	require.Equal(t, []string{"x"}, bodies(t, w.succeeds(pullRequest("orders", 0, 0, 0, "*"))))
}

func TestABrokerOrTopicThatIsNotReadableRefusesPulls(t *testing.T) {
	w := newWorld(t)
	w.succeeds(updateTopicRequest("orders", func(h *proto.UpdateAndCreateTopic) { h.Perm = proto.PermWrite }))
	w.refused(pullRequest("orders", 99, 0, 0, "*"), proto.RespNoPermission, "the topic[orders] pulling message is forbidden")
	w.options.Perm = proto.PermWrite
	w.restart(sim.KillProcess)
	w.refused(pullRequest("nowhere", 0, 0, 0, "*"), proto.RespNoPermission, "the broker["+address+"] pulling message is forbidden")
}

func TestABrokerPicksAWriteQueueForASenderThatHasNone(t *testing.T) {
	w := newWorld(t)
	w.succeeds(updateTopicRequest("orders", func(h *proto.UpdateAndCreateTopic) { h.ReadQueues, h.WriteQueues = 4, 2 }))
	seen := map[string]int{}
	for range 30 {
		seen[w.succeeds(sendRequest("orders", -1, "x", "")).Fields.String("queueId")]++
	}
	require.Len(t, seen, 2, "queues 0 and 1, not those that are only read")
	w.succeeds(sendRequest("orders", 3, "x", ""))
	w.refused(sendRequest("orders", 4, "x", ""), proto.RespInvalidParameter, "queueId[4]")
}

// TestAMessageThatQueuesWouldNotListAfterARestartIsRefused: such records have no entry in their queue when it is built from the log.
func TestAMessageThatQueuesWouldNotListAfterARestartIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		flags message.SysFlags
		code  int32
	}{
		{message.SysFlags(message.TransactionPrepared), proto.RespNoPermission},
		{message.SysFlags(message.TransactionCommitted), proto.RespNoPermission},
		{message.SysFlags(message.TransactionRolledBack), proto.RespNoPermission},
		{message.FlagInnerBatch, proto.RespMessageIllegal},
		{message.FlagNeedsUnwrap, proto.RespMessageIllegal},
	} {
		w.refused(changedSend("orders", func(h *proto.SendMessage) { h.SysFlags = int32(c.flags) }), c.code, "")
	}
	w.succeeds(changedSend("orders", func(h *proto.SendMessage) { h.SysFlags = int32(message.FlagCompressed | message.FlagMultiTags) }))
	require.Equal(t, "1", w.end("orders", 0))
	w.restart(sim.PowerLoss)
	require.Equal(t, "1", w.end("orders", 0))
}

func TestABatchIsTakenWholeOrNotAtAll(t *testing.T) {
	w := newWorld(t)
	torn := batchRequest(t, "orders", "", "")
	torn.Body = torn.Body[:len(torn.Body)-1]
	empty := batchRequest(t, "orders")
	delayed := batchRequest(t, "orders", "", "DELAY\x013\x02", "")
	header := batchRequest(t, "orders", "", "")
	(*proto.SendMessage)(header.Header.(*proto.SendMessageShort)).Properties = "DELAY\x013\x02"
	large := batchRequest(t, "orders", "", "K\x01"+strings.Repeat("v", message.PropertiesLengthMax-3)+"\x02")
	flagged := changedSend("orders", func(h *proto.SendMessage) { h.Batch = true })
	for _, c := range []struct {
		request *transport.Request
		remark  string
	}{
		{torn, "batch"}, {empty, "batch"}, {delayed, "DELAY"}, {header, "DELAY"}, {large, "properties"}, {flagged, "batch"},
		{batchRequest(t, "%RETRY%g", "", ""), "takes no batches"},
	} {
		if strings.HasPrefix(c.remark, "takes") {
			w.succeeds(heartbeat("one", "g", nil))
		}
		w.refused(c.request, proto.RespMessageIllegal, c.remark)
	}
	require.Equal(t, "0", w.end("orders", 0), "nothing of them is stored")
	require.Equal(t, "0", w.end("%RETRY%g", 0))
}

func TestABatchHasALimitOfMessagesAndOfBytes(t *testing.T) {
	w := newWorld(t)
	many := batchRequest(t, "orders", make([]string, 65_537)...)
	w.refused(many, proto.RespMessageIllegal, "65536")
	long := batchRequest(t, "orders", make([]string, 30_000)...)
	w.refused(long, proto.RespMessageIllegal, "the limit (maxMessageSize) is 65536: send smaller batches")
	require.Equal(t, "0", w.end("orders", 0))
	w.succeeds(batchRequest(t, "orders", make([]string, 1000)...))
	require.Equal(t, "1000", w.end("orders", 0))
}

func TestARecordHasAUniqueKeyAndTheClusterAndKeepsWhatWasSent(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", "a\x01b\x02UNIQ_KEY\x01mine\x02"))
	w.succeeds(sendRequest("orders", 0, "x", "a\x01b"))
	w.succeeds(sendRequest("orders", 0, "x", ""))
	pulled := w.succeeds(pullRequest("orders", 0, 0, 0, "*"))
	var found []message.Properties
	for r, err := range message.DecodeRecords(pulled.Body, true) {
		require.NoError(t, err)
		require.Equal(t, "10.0.0.2", r.BornHost.Addr().String())
		require.Equal(t, address, r.StoreHost.String())
		found = append(found, message.ParseProperties(bytes.Clone(r.Properties)))
	}
	require.Len(t, found, 3)
	for _, p := range found {
		require.Equal(t, "DefaultCluster", p.Get("CLUSTER"))
	}
	require.Equal(t, "mine", found[0].Get("UNIQ_KEY"))
	require.Equal(t, "b", found[1].Get("a"), "the separator that the sender left out is put in")
	require.Len(t, found[1].Get("UNIQ_KEY"), 32)
	require.NotEqual(t, found[1].Get("UNIQ_KEY"), found[2].Get("UNIQ_KEY"))
}

// TestARecordHasTheRegionOfItsBroker: consumers trace only messages that say their region, so a sent one says it, once.
func TestARecordHasTheRegionOfItsBroker(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", "a\x01b"))
	w.succeeds(sendRequest("orders", 0, "x", "MSG_REGION\x01elsewhere\x02TRACE_ON\x01false\x02a\x01b\x02"))
	w.succeeds(sendRequest("orders", 0, "x", ""))
	records := w.records("orders", 0)
	require.Len(t, records, 3)
	for i, record := range records {
		properties := message.ParseProperties(record.Properties)
		require.Equal(t, "DefaultRegion", properties.Get("MSG_REGION"))
		require.Equal(t, "true", properties.Get("TRACE_ON"))
		require.Equal(t, 1, bytes.Count(record.Properties, []byte("MSG_REGION")))
		require.Equal(t, []string{"b", "b", ""}[i], properties.Get("a"))
	}
}

// batchTopic makes a topic whose batches are stored whole.
func (w *world) batchTopic(name string) {
	w.t.Helper()
	w.succeeds(updateTopicRequest(name, func(h *proto.UpdateAndCreateTopic) { h.Attributes = "+queue.type=BatchCQ" }))
}

// identified gives a batch an id of its own, as newer clients do.
func identified(request *transport.Request, more string) *transport.Request {
	(*proto.SendMessage)(request.Header.(*proto.SendMessageShort)).Properties = "UNIQ_KEY\x01whole\x02" + more
	return request
}

func TestATopicOfBatchesKeepsABatchAsOneRecord(t *testing.T) {
	w := newWorld(t)
	w.batchTopic("orders")
	w.succeeds(sendRequest("orders", 0, "single", ""))
	reply := w.succeeds(identified(batchRequest(t, "orders", "UNIQ_KEY\x01a\x02", "UNIQ_KEY\x01b\x02", "UNIQ_KEY\x01c\x02"), "TAGS\x01red\x02"))
	require.Equal(t, "1", reply.Fields.String("queueOffset"))
	require.Equal(t, "whole", reply.Fields.String("batchUniqId"))
	require.Equal(t, "whole", reply.Fields.String("transactionId"))
	require.NotContains(t, reply.Fields.String("msgId"), ",")
	require.Empty(t, w.succeeds(batchRequest(t, "orders", "", "")).Fields.String("batchUniqId"), "the batch of an old client is stored as single messages")
	for range 2 {
		require.Equal(t, "6", w.end("orders", 0))
		pulled := w.succeeds(pullRequest("orders", 0, 2, 0, "*"))
		require.Equal(t, "6", pulled.Fields.String("nextBeginOffset"))
		var numbers []message.QueueOffset
		for r, err := range message.DecodeRecords(pulled.Body, true) {
			require.NoError(t, err)
			numbers = append(numbers, r.QueueOffset)
			if r.QueueOffset == 1 {
				require.True(t, r.SysFlags.InnerBatch() && r.SysFlags.NeedsUnwrap())
				require.Equal(t, "red", message.PropertyString(r.Properties, "TAGS"))
				require.Equal(t, "3", message.PropertyString(r.Properties, "INNER_NUM"))
				require.Equal(t, "1", message.PropertyString(r.Properties, "INNER_BASE"))
			}
		}
		require.Equal(t, []message.QueueOffset{1, 4, 5}, numbers, "a batch comes whole")
		w.restart(sim.PowerLoss)
	}
}

func TestATopicOfBatchesRefusesWhatItCannotKeepWhole(t *testing.T) {
	w := newWorld(t)
	w.batchTopic("orders")
	for _, c := range []struct {
		request *transport.Request
		remark  string
	}{
		{identified(batchRequest(t, "orders", ""), "DELAY\x011\x02"), "DELAY"},
		{identified(batchRequest(t, "orders", "DELAY\x011\x02"), ""), "DELAY"},
		{identified(batchRequest(t, "orders", ""), "INNER_NUM\x011\x02"), "INNER_NUM is set by the broker"},
		{sendRequest("orders", 0, "x", "INNER_NUM\x011\x02"), "must have its flag"},
	} {
		w.refused(c.request, proto.RespMessageIllegal, c.remark)
	}
	require.Equal(t, "0", w.end("orders", 0))
}

func TestTheReceiptOfAPoppedMessageIsNotPassedOn(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", "A\x011\x02POP_CK\x010 1 2\x02TAGS\x01red\x02"))
	properties := w.records("orders", 0)[0].Properties
	require.Empty(t, message.PropertyString(properties, "POP_CK"))
	require.Equal(t, "1", message.PropertyString(properties, "A"))
	require.Equal(t, "red", message.PropertyString(properties, "TAGS"))
}
