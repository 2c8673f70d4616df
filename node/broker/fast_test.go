package broker_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

func fastPort(o *broker.Options) { o.FastListen = ":10909" }

// callAt is call for another port.
func (w *world) callAt(address string, request *transport.Request) *wire.Command {
	w.t.Helper()
	var response *wire.Command
	var err error
	w.run(func() {
		var conn *transport.Conn
		deadline := w.kernel.Now().Add(5 * time.Second)
		if conn, err = w.client.Conn(nil, address, deadline); err == nil {
			response, err = conn.Call(nil, request, deadline)
		}
	})
	require.NoError(w.t, err)
	return response
}

func TestTheFastPortServesAllButPulls(t *testing.T) {
	const fast = "10.0.0.1:10909"
	w := newWorld(t, fastPort)
	sent := w.callAt(fast, sendRequest("orders", 0, "hello", ""))
	require.EqualValues(t, proto.RespSuccess, sent.Code, sent.Remark)
	for _, code := range []int32{proto.ReqPullMessage, proto.ReqLitePullMessage} {
		pull := pullRequest("orders", 0, 0, 0, "*")
		pull.Code = code
		refused := w.callAt(fast, pull)
		require.EqualValues(t, proto.RespRequestCodeNotSupported, refused.Code)
		require.Contains(t, refused.Remark, "send it to port 10911")
	}
	found := w.call(pullRequest("orders", 0, 0, 0, "*"))
	require.EqualValues(t, proto.RespSuccess, found.Code, found.Remark)
	require.Contains(t, string(found.Body), "hello")
	w.close()
}

func TestWithoutAFastPortThereIsNone(t *testing.T) {
	w := newWorld(t)
	var err error
	w.run(func() { _, err = w.client.Conn(nil, "10.0.0.1:10909", w.kernel.Now().Add(5*time.Second)) })
	require.ErrorIs(t, err, env.ErrRefused)
}

func TestABrokerWhoseFastPortIsTakenDoesNotStart(t *testing.T) {
	w := prepareWorld(t, fastPort)
	e := w.machine.Boot("broker")
	b, err := broker.New(e, w.options)
	require.NoError(t, err)
	over := false
	var main error
	e.Tasks.Go("start", func() {
		_, _ = e.Network.Listen(":10909")
		err = b.Start()
		var l env.Listener
		if l, main = e.Network.Listen(":10911"); main == nil {
			main = l.Close()
		}
		over = true
	})
	w.kernel.Run(w.kernel.Now().Add(time.Minute), func() bool { return over })
	require.ErrorIs(t, err, broker.ErrFastListen)
	require.ErrorIs(t, err, env.ErrAddressInUse)
	require.NoError(t, main, "the main port is free again")
}
