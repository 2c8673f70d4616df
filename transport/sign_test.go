package transport_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/signature"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

func TestEveryRequestOfAClientWithCredentialsIsSigned(t *testing.T) {
	w := newWorld(t, 1)
	var verified []bool
	w.serveFunc(func(in *transport.Incoming) {
		c := in.Command
		verified = append(verified, c.Fields.String("AccessKey") == "orders" && signature.Verify(c.Fields, c.Body, c.Version, "12345678"))
		in.Reply().Success(nil)
	})
	client := w.client(transport.ClientOptions{Signer: signature.Credentials{AccessKey: "orders", SecretKey: "12345678"}})
	for _, encoding := range []wire.Encoding{wire.EncodingJSON, wire.EncodingBinary} {
		request := &transport.Request{
			Code: proto.ReqSendMessage, Encoding: encoding, Body: []byte("hello"),
			Header: &proto.GetKVConfig{Namespace: "a \"b\"\n", Key: strings.Repeat("k", 300)},
		}
		// What is no UTF-8 is replaced on its way in JSON, and must be signed as it arrives.
		request.Fields.Add("more", "\"\u00fc\xff")
		var err, late error
		w.run(func() {
			_, err = client.Call(nil, address, request, time.Second)
			late = client.Oneway(nil, address, request, time.Second)
		})
		require.NoError(t, err)
		require.NoError(t, late)
		require.Len(t, request.Fields, 1, "the request is as the caller has made it")
	}
	w.pass(time.Second)
	require.Equal(t, []bool{true, true, true, true}, verified)
}

func TestRequestsWithoutCredentialsCarryNoSignature(t *testing.T) {
	w := newWorld(t, 1)
	var got *wire.Command
	w.serveFunc(func(in *transport.Incoming) { got = in.Command.Clone(); in.Reply().Success(nil) })
	client := w.client(transport.ClientOptions{})
	var err error
	w.run(func() {
		_, err = client.Call(nil, address, &transport.Request{Code: proto.ReqSendMessage}, time.Second)
	})
	require.NoError(t, err)
	require.Empty(t, got.Fields)
}
