package proto

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gantrymq/gantry/transport/wire"
)

// The headers below are what clients write for one and the same message.

const javaSend = `{"code":310,"extFields":{"a":"G","b":"T","c":"TBW102","d":"4","e":"2","f":"0","g":"1700000000000",` +
	`"h":"0","i":"KEYS\u0001k1\u0002TAGS\u0001TagA\u0002","j":"0","k":"false","m":"false","n":"broker-a"},` +
	`"flag":0,"language":"JAVA","opaque":7,"serializeTypeCurrentRPC":"JSON","version":479}`

const goSend = `{"code":10,"language":"GO","version":317,"opaque":1,"flag":0,"remark":"","extFields":{"batch":"false",` +
	`"bornTimestamp":"1700000000000","defaultTopic":"TBW102","defaultTopicQueueNums":"4","flag":"0","maxReconsumeTimes":"0",` +
	`"producerGroup":"G","properties":"KEYS\u0001k1\u0002TAGS\u0001TagA\u0002","queueId":"2","reconsumeTimes":"0",` +
	`"sysFlag":"0","topic":"T","unitMode":"false"}}`

// Numbers and booleans are bare.
const aliSend = `{"code":310,"language":"JAVA","version":121,"opaque":1,"flag":0,"extFields":{"a":"G","b":"T","c":"TBW102",` +
	`"d":4,"e":2,"f":0,"g":1700000000000,"h":0,"i":"KEYS\u0001k1\u0002TAGS\u0001TagA\u0002","j":0,"k":false}}`

// Numbers are bare, booleans quoted, and credentials are always there.
const cppSend = `{"code":310,"language":"CPP","version":333,"opaque":3,"flag":0,"remark":"","extFields":{"Signature":"",` +
	`"AccessKey":"","OnsChannel":"","a":"G","b":"T","c":"TBW102","d":4,"e":2,"f":0,"g":"1700000000000","h":0,` +
	`"i":"KEYS\u0001k1\u0002TAGS\u0001TagA\u0002","j":"0","k":"false","m":"false"}}` + "\n"

func TestSendsOfAllClientsReadAlike(t *testing.T) {
	want := SendMessage{
		ProducerGroup: "G", Topic: "T", DefaultTopic: DefaultTopic, DefaultQueues: 4, QueueID: 2,
		BornAt: 1700000000000, Properties: "KEYS\x01k1\x02TAGS\x01TagA\x02",
	}
	for _, client := range []struct {
		name, header string
		code         int32
		change       func(*SendMessage)
	}{
		{"Java", javaSend, ReqSendMessageV2, func(h *SendMessage) { h.BrokerName = "broker-a" }},
		{"Go", goSend, ReqSendMessage, func(h *SendMessage) { h.RedeliveriesMax = Some[int32](0) }},
		{"ali-ons", aliSend, ReqSendMessageV2, func(*SendMessage) {}},
		{"C++", cppSend, ReqSendMessageV2, func(*SendMessage) {}},
	} {
		want := want
		client.change(&want)
		var h SendMessage
		require.NoError(t, DecodeSendMessage(client.code, arrived(t, client.header), &h), client.name)
		require.Equal(t, want, h, client.name)
	}
}

func TestSendsAreReadByTheNamesOfTheirCode(t *testing.T) {
	h := SendMessage{ProducerGroup: "G", Topic: "T", DefaultTopic: DefaultTopic}
	whole, letters := sent(t, wire.EncodingJSON, &h), sent(t, wire.EncodingJSON, h.Short())
	for code, f := range map[int32]wire.Fields{
		ReqSendMessage: whole, ReqSendReplyMessage: whole,
		ReqSendMessageV2: letters, ReqSendBatchMessage: letters, ReqSendReplyMessageV2: letters,
	} {
		var read SendMessage
		require.NoError(t, DecodeSendMessage(code, f, &read), RequestName(code))
		require.Equal(t, h, read)
	}
	require.ErrorIs(t, DecodeSendMessage(ReqSendMessage, letters, &h), ErrField)
	require.ErrorIs(t, DecodeSendMessage(ReqSendMessageV2, whole, &h), ErrField)
}

func TestSendNamesTheFieldThatCannotBeRead(t *testing.T) {
	f := sent(t, wire.EncodingJSON, (&SendMessage{}).Short())
	for i := range f {
		if string(f[i].Key) == "e" {
			f[i].Value = []byte("any")
		}
	}
	var h SendMessage
	require.EqualError(t, DecodeSendMessage(ReqSendMessageV2, f, &h),
		`header field "e (queueId)" holds "any": send a decimal number of 32 bits`)
}

func TestSendIgnoresFieldsItDoesNotKnow(t *testing.T) {
	f := sent(t, wire.EncodingJSON, (&SendMessage{Topic: "T"}).Short())
	f.Add("z", "1")
	f.Add("", "1")
	f.Add("`", "1")
	f.Add("AccessKey", "k")
	var h SendMessage
	require.NoError(t, h.Short().DecodeFields(f))
	require.Equal(t, "T", h.Topic)
}

func TestLastOfRepeatedSendFieldsCounts(t *testing.T) {
	f := sent(t, wire.EncodingJSON, (&SendMessage{Topic: "first"}).Short())
	f.Add("b", "second")
	var h SendMessage
	require.NoError(t, h.Short().DecodeFields(f))
	require.Equal(t, "second", h.Topic)
}

func TestSendResponseHasEveryFieldThatClientsNeed(t *testing.T) {
	f := sent(t, wire.EncodingJSON, &SendMessageResponse{OffsetID: "id", QueueID: 1, QueueOffset: 2})
	require.Equal(t, fields("msgId", "id", "queueId", "1", "queueOffset", "2", "MSG_REGION", "DefaultRegion", "TRACE_ON", "true"), f)
}

func TestPullResponseHasEveryFieldThatClientsNeed(t *testing.T) {
	f := sent(t, wire.EncodingJSON, &PullMessageResponse{})
	require.Equal(t, fields("suggestWhichBrokerId", "0", "nextBeginOffset", "0", "minOffset", "0", "maxOffset", "0"), f)
}

func TestSendsAndPullsAllocateLittle(t *testing.T) {
	send := SendMessage{ProducerGroup: "group", Topic: "topic", DefaultTopic: DefaultTopic, Properties: "KEYS\x01k\x02", BrokerName: "broker-a"}
	letters, whole := sent(t, wire.EncodingBinary, send.Short()), sent(t, wire.EncodingBinary, &send)
	pull := PullMessage{ConsumerGroup: "group", Topic: "topic", Expression: "*", ExpressionType: ExpressionTag}
	pulled := sent(t, wire.EncodingBinary, &pull)
	requireAllocations(t, 4, func() { send.Short().DecodeFields(letters) })
	requireAllocations(t, 4, func() { send.DecodeFields(whole) })
	requireAllocations(t, 3, func() { pull.DecodeFields(pulled) })

	buffer := make([]byte, 0, 4096)
	header := wire.Header{}
	answer, pullAnswer := SendMessageResponse{OffsetID: "id"}, PullMessageResponse{}
	requireAllocations(t, 0, func() {
		e := wire.Begin(buffer, &header)
		send.Short().EncodeFields(&e)
		e.End(nil)
		e = wire.Begin(buffer, &header)
		answer.EncodeFields(&e)
		e.End(nil)
		e = wire.Begin(buffer, &header)
		pullAnswer.EncodeFields(&e)
		e.End(nil)
	})
}

func requireAllocations(t *testing.T, most float64, f func()) {
	t.Helper()
	require.LessOrEqual(t, testing.AllocsPerRun(100, f), most)
}

func BenchmarkDecodeSendMessageShort(b *testing.B) {
	f := sent(b, wire.EncodingBinary, (&SendMessage{
		ProducerGroup: "group", Topic: "topic", DefaultTopic: DefaultTopic, DefaultQueues: 4, QueueID: 3,
		BornAt: 1700000000000, Properties: "KEYS\x01k1\x02TAGS\x01TagA\x02UNIQ_KEY\x01AC1100010001\x02WAIT\x01true\x02", BrokerName: "broker-a",
	}).Short())
	var h SendMessage
	b.ReportAllocs()
	for b.Loop() {
		if err := h.Short().DecodeFields(f); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodePullMessage(b *testing.B) {
	f := sent(b, wire.EncodingBinary, &PullMessage{ConsumerGroup: "group", Topic: "topic", MaxMessages: 32, Expression: "*", ExpressionType: ExpressionTag})
	var h PullMessage
	b.ReportAllocs()
	for b.Loop() {
		if err := h.DecodeFields(f); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeSendMessageResponse(b *testing.B) {
	buffer, header := make([]byte, 0, 1024), wire.Header{}
	h := SendMessageResponse{OffsetID: "7F00000100002A9F0000000000000000", QueueID: 3, QueueOffset: 12345, TransactionID: "AC1100010001"}
	b.ReportAllocs()
	for b.Loop() {
		e := wire.Begin(buffer, &header)
		h.EncodeFields(&e)
		e.End(nil)
	}
}

func TestASendWhoseProducerOrSequenceCannotBeReadSaysSo(t *testing.T) {
	for name, c := range map[string]struct {
		producer, sequence string
		want               int64
	}{
		"both are right": {"30313233343536373839616263646566", "7", 7}, "few digits": {"3031", "7", -1}, "no digits": {"3031323334353637383961626364656g", "7", -1},
		"no number": {"30313233343536373839616263646566", "seven", -1},
	} {
		h := SendMessage{ProducerGroup: "G", Topic: "T", DefaultTopic: DefaultTopic}
		f := append(sent(t, wire.EncodingJSON, h.Short()), fields("gantryProducer", c.producer, "gantrySequence", c.sequence)...)
		require.NoError(t, DecodeSendMessage(ReqSendMessageV2, f, &h), name)
		require.Equal(t, c.want, h.Sequence, name)
		require.Equal(t, c.want > 0, h.Producer != [16]byte{}, name)
	}
}
