package broker_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// The limits of messages, each met exactly and exceeded by one, by requests that no client library has looked at.

// fourMebibytes is a broker with the limit of bodies that brokers have by default.
func fourMebibytes(o *broker.Options) {
	o.Store.BodySizeMax, o.Store.LogSegmentSize = store.DefaultOptions().BodySizeMax, 16<<20
}

const bodyMax = 4 << 20

func TestTheBodyOfAMessageHasALimit(t *testing.T) {
	w := newWorld(t, fourMebibytes)
	body := strings.Repeat("b", bodyMax+1)
	w.succeeds(sendRequest("orders", 0, body[:bodyMax], ""))
	w.refused(sendRequest("orders", 0, body, ""), proto.RespMessageIllegal, "the body has 4194305 bytes, the limit (maxMessageSize) is 4194304")
	w.succeeds(sendRequest("orders", 0, body[:bodyMax], "K\x01"+strings.Repeat("v", 30_000)+"\x02"))
	w.refused(sendRequest("orders", 0, "", ""), proto.RespMessageIllegal, "no body")
	require.Equal(t, "2", w.end("orders", 0), "what is beside the body does not count")
}

// TestWhatCountsOfABodyIsWhatIsSent: who compresses may send more.
func TestWhatCountsOfABodyIsWhatIsSent(t *testing.T) {
	w := newWorld(t)
	packed, err := new(message.Compressor).Append(nil, bytes.Repeat([]byte("b"), 1<<20), message.CompressionZlib, 5)
	require.NoError(t, err)
	require.Less(t, len(packed), 64<<10)
	request := changedSend("orders", func(h *proto.SendMessage) { h.SysFlags = int32(message.FlagCompressed) })
	request.Body = packed
	w.succeeds(request)
	request.Body = append(packed, make([]byte, 64<<10+1-len(packed))...)
	w.refused(request, proto.RespMessageIllegal, "the body has 65537 bytes")
}

func TestTheNameOfATopicHasALimitAndCertainCharacters(t *testing.T) {
	w := newWorld(t)
	name := strings.Repeat("t", 256)
	w.succeeds(sendRequest(name[:127], 0, "x", ""))
	w.refused(sendRequest(name[:128], 0, "x", ""), proto.RespInvalidParameter, "topic name is too long: 128 characters, at most 127 are allowed")
	w.succeeds(sendRequest("%DLQ%"+name[:250], 0, "x", ""))
	w.refused(sendRequest("%DLQ%"+name[:251], 0, "x", ""), proto.RespInvalidParameter, "256 characters, at most 255 are allowed")
	w.succeeds(updateTopicRequest(name[:126], nil))
	w.refused(updateTopicRequest(name[:128], nil), proto.RespInvalidParameter, "topic name is too long")

	w.succeeds(sendRequest("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%|_-", 0, "x", ""))
	for c := range 256 {
		if c < 128 && strings.ContainsRune("%|_-", rune(c)) || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' {
			continue
		}
		response := w.call(sendRequest("a"+string([]byte{byte(c)})+"b", 0, "x", ""))
		require.Equal(t, proto.ResponseName(proto.RespInvalidParameter), proto.ResponseName(response.Code), "character %#x", c)
	}
	w.refused(sendRequest("", 0, "x", ""), proto.RespInvalidParameter, "topic name is blank")
	w.refused(sendRequest(" \t ", 0, "x", ""), proto.RespInvalidParameter, "topic name is blank")
}

func TestTheNameOfAGroupHasALimit(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	name := strings.Repeat("g", 121)
	pullBy := func(group string) *transport.Request {
		request := pullRequest("orders", 0, 0, 0, "*")
		request.Header.(*proto.PullMessage).ConsumerGroup = group
		return request
	}
	w.succeeds(pullBy(name[:120]))
	w.refused(pullBy(name), proto.RespSubscriptionGroupNotExist, "group name is too long: 121 characters, at most 120 are allowed")
	w.succeeds(updateGroupRequest(name[:119], nil))
	w.refused(updateGroupRequest(name, nil), proto.RespSystemError, "group name is too long")
}

// addedInBatch is what the broker adds to the properties of a message of a batch that have a unique id: the cluster, and the checksum of the
// record.
const addedInBatch = len("CLUSTER\x01DefaultCluster\x02") + len("__CRC32#\x010123456789\x02")

// added is that of other messages, which get the region and the trace switch besides.
const added = len("MSG_REGION\x01DefaultRegion\x02") + len("TRACE_ON\x01true\x02") + addedInBatch

// propertiesOf has a unique id and so many bytes.
func propertiesOf(length int) string {
	const unique = "UNIQ_KEY\x010A000002000000000000000000000001\x02"
	return unique + "K\x01" + strings.Repeat("v", length-len(unique)-3) + "\x02"
}

func TestThePropertiesOfAStoredMessageHaveALimit(t *testing.T) {
	w := newWorld(t)
	const most = message.PropertiesLengthMax - added
	require.Equal(t, 32767, message.PropertiesLengthMax)
	w.succeeds(sendRequest("orders", 0, "x", propertiesOf(most)))
	require.Len(t, w.records("orders", 0)[0].Properties, 32767)
	w.refused(sendRequest("orders", 0, "x", propertiesOf(most+1)), proto.RespMessageIllegal, "properties")
	withoutEnd := strings.TrimSuffix(propertiesOf(most), "\x02")
	w.succeeds(sendRequest("orders", 0, "x", withoutEnd))
	w.refused(sendRequest("orders", 0, "x", withoutEnd+"vv"), proto.RespMessageIllegal, "properties")
	w.refused(sendRequest("orders", 0, "x", propertiesOf(32768)), proto.RespMessageIllegal, "properties")
	w.refused(sendRequest("orders", 0, "x", propertiesOf(100_000)), proto.RespMessageIllegal, "properties")
	require.Equal(t, "2", w.end("orders", 0))
}

// TestARedeliveryWhosePropertiesBecomeTooLongIsRefused: what the broker adds to a copy counts, too.
func TestARedeliveryWhosePropertiesBecomeTooLongIsRefused(t *testing.T) {
	w := newWorld(t, quickRetries)
	w.succeeds(sendRequest("orders", 1, "x", propertiesOf(message.PropertiesLengthMax-added)))
	w.refused(sendBackRequest("g", w.records("orders", 1)[0].LogOffset, 0, -1), proto.RespSystemError, "properties")
}

// TestKeysHaveNoLimitOfTheirOwn but that of all properties.
func TestKeysHaveNoLimitOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	for _, length := range []int{16 << 10, 16<<10 + 1} {
		key := strings.Repeat("k", length)
		w.succeeds(sendRequest("orders", 0, "x", "KEYS\x01"+key+"\x02"))
		w.pass(2 * time.Second)
		found := w.succeeds(&transport.Request{Code: proto.ReqQueryMessage, Header: &proto.QueryMessage{
			Topic: "orders", Key: key, Max: 32, End: 1 << 62,
		}})
		require.Len(t, bodies(t, found), 1, "%d bytes", length)
	}
	w.refused(sendRequest("orders", 0, "x", "KEYS\x01"+strings.Repeat("k", 32767)+"\x02"), proto.RespMessageIllegal, "properties")
}

// batchOf sends messages with these bodies.
func batchOf(t *testing.T, properties string, contents ...string) *transport.Request {
	t.Helper()
	var body []byte
	for _, content := range contents {
		var err error
		body, err = message.AppendBatchElement(body, &message.BatchElement{Body: []byte(content), Properties: []byte(properties)})
		require.NoError(t, err)
	}
	request := sendRequest("orders", 0, string(body), "")
	request.Code = proto.ReqSendBatchMessage
	return request
}

// TestABatchCountsAsAWhole: 22 bytes for each message, its body and its properties.
func TestABatchCountsAsAWhole(t *testing.T) {
	w := newWorld(t, fourMebibytes)
	half := strings.Repeat("b", bodyMax/2-22)
	exact := batchOf(t, "", half, half)
	require.Len(t, exact.Body, bodyMax)
	w.succeeds(exact)
	require.Equal(t, "2", w.end("orders", 0))
	w.refused(batchOf(t, "", half, half+"b"), proto.RespMessageIllegal, "the batch has 4194305 bytes, the limit (maxMessageSize) is 4194304")
	w.succeeds(batchOf(t, "", half+half+strings.Repeat("b", 22)))
	require.Equal(t, "3", w.end("orders", 0))
}

func TestTheMessagesOfABatchHaveTheLimitsOfAll(t *testing.T) {
	w := newWorld(t)
	const most = message.PropertiesLengthMax - addedInBatch
	w.succeeds(batchOf(t, propertiesOf(most), "x"))
	require.Len(t, w.records("orders", 0)[0].Properties, 32767)
	w.refused(batchOf(t, propertiesOf(most+1), "x"), proto.RespMessageIllegal, "properties")
	w.refused(batchOf(t, "", "x", ""), proto.RespMessageIllegal, "no body")
	w.refused(batchOf(t, "DELAY\x011\x02", "x"), proto.RespMessageIllegal, "cannot be sent in a batch")
	w.refused(batchOf(t, ""), proto.RespMessageIllegal, "batch")
	require.Equal(t, "1", w.end("orders", 0), "one bad message refuses all")
}

func TestABatchHasNoMoreThan65536Messages(t *testing.T) {
	w := newWorld(t, fourMebibytes)
	contents := make([]string, 65_537)
	for i := range contents {
		contents[i] = "x"
	}
	w.refused(batchOf(t, "", contents...), proto.RespMessageIllegal, "65536")
	require.Equal(t, "0", w.end("orders", 0))
	w.succeeds(batchOf(t, "", contents[:65_536]...))
	require.Equal(t, "65536", w.end("orders", 0))
}
