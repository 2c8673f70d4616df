package transport_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

func TestRefusedRequestsAreCountedAndToldHowLongOthersHaveWaited(t *testing.T) {
	w := newWorld(t, 1)
	var kept []transport.Reply
	server := w.serve(transport.ServerOptions{
		Limits:  transport.Limits{Unanswered: 2},
		Handler: transport.HandlerFunc(func(in *transport.Incoming) { kept = append(kept, in.Reply()) }),
	})
	conn := w.dial(w.client(transport.ClientOptions{}))
	w.startMany(conn, 2)
	w.pass(300 * time.Millisecond)
	require.Equal(t, 2, server.Unanswered())
	require.Zero(t, server.Refused())
	var busy *wire.Command
	w.run(func() { busy, _ = conn.Call(nil, request(""), w.in(time.Second)) })
	require.NotNil(t, busy)
	require.Regexp(t, `^\[OVERLOAD\]3 requests of this connection wait for an answer, and some have for 30\dms, the limit is 2: send less at once$`, busy.Remark)
	require.EqualValues(t, 1, server.Refused())
	require.Equal(t, 2, server.Unanswered())
	require.NoError(t, conn.Oneway(request("")))
	w.pass(10 * time.Millisecond)
	require.Len(t, kept, 3, "a request without an answer is none that waits for one")
	require.True(t, kept[2].Oneway())
	require.False(t, kept[0].Oneway())
	require.EqualValues(t, 1, server.Refused())
}
