package speed_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// frame is a request as clients write it.
func frame(request *transport.Request, opaque int32) []byte {
	header := wire.Header{Code: request.Code, Language: wire.LanguageGo, Version: wire.V5_3_2, Opaque: opaque}
	e := wire.Begin(nil, &header)
	request.Header.EncodeFields(&e)
	return e.End(request.Body)
}

// sendRequest sends a body of 1 KiB.
func sendRequest(topic string, queue int32) *transport.Request {
	header := &proto.SendMessage{
		ProducerGroup: "senders", Topic: topic, DefaultTopic: proto.DefaultTopic, DefaultQueues: 4, QueueID: queue, BornAt: 1_790_000_000_000,
		Properties: "UNIQ_KEY\x017F0000010BB80BFE8BB48F2D4CF00001\x02WAIT\x01true\x02",
	}
	return &transport.Request{Code: proto.ReqSendMessageV2, Header: header.Short(), Body: bytes.Repeat([]byte("x"), 1<<10)}
}

// pullRequest asks for a batch, or waits for a minute until there is one.
func pullRequest(topic string, queue int32, from int64) *transport.Request {
	return &transport.Request{Code: proto.ReqPullMessage, Header: &proto.PullMessage{
		ConsumerGroup: "pullers", Topic: topic, QueueID: queue, QueueOffset: from, MaxMessages: 32, HoldForMillis: 60_000,
		Flags: proto.PullSubscription | proto.PullHold, Expression: "*", ExpressionType: proto.ExpressionTag,
	}}
}

// dial opens a connection that ends with the benchmark.
func dial(b *testing.B, address string) net.Conn {
	b.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(b, err)
	b.Cleanup(func() { _ = conn.Close() })
	return conn
}

// call writes a request and returns it with its response, both as bytes.
func call(b *testing.B, conn net.Conn, request *transport.Request) (asked, answered []byte) {
	b.Helper()
	asked = frame(request, 1)
	_, err := conn.Write(asked)
	require.NoError(b, err)
	for {
		answered = readFrame(b, conn)
		var response wire.Command
		require.NoError(b, wire.Limits{}.Decode(bytes.Clone(answered), &response))
		if response.IsResponse() {
			require.EqualValues(b, proto.RespSuccess, response.Code, response.Remark)
			return asked, answered
		}
		// The broker says that its group has changed.
	}
}

func readFrame(b *testing.B, conn net.Conn) []byte {
	b.Helper()
	size := make([]byte, 4)
	_, err := io.ReadFull(conn, size)
	require.NoError(b, err)
	whole := append(size, make([]byte, binary.BigEndian.Uint32(size))...)
	_, err = io.ReadFull(conn, whole[4:])
	require.NoError(b, err)
	return whole
}
