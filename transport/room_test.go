package transport_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/transport"
	"github.com/stretchr/testify/require"
)

// A request whose header alone goes beyond the limit is refused, too: let in, it would end the connection, and take along what waits.
func TestARequestThatIsAHeaderTooLargeIsBusyAndTakesNothingAlong(t *testing.T) {
	const limit = 4000
	var served []string
	w := newWorld(t, 1)
	w.serveFunc(func(in *transport.Incoming) {
		served = append(served, string(in.Command.Body[:1]))
		echo(in)
	})
	conn := w.dial(w.client(transport.ClientOptions{Limits: transport.Limits{Output: limit}}))
	first := "first" + string(make([]byte, 1000))
	waits := len(frame(1, first))
	var oneway, start error
	w.run(func() {
		// Nothing is written before this task waits.
		require.NoError(t, conn.Oneway(request(first)))
		large := "large" + string(make([]byte, limit-waits-len("large")))
		oneway = conn.Oneway(request(large))
		start = conn.Start(request(large), w.in(time.Second), completion(nil))
	})
	require.ErrorIs(t, oneway, transport.ErrBusy)
	require.ErrorContains(t, oneway, "the limit is 4000")
	require.ErrorIs(t, start, transport.ErrBusy)
	require.False(t, conn.Closed())
	w.pass(time.Second)
	require.Equal(t, []string{"f"}, served)

	// What fits to the byte passes, and the refused ones have left nothing behind.
	var answer string
	w.run(func() {
		fitting := "x" + string(make([]byte, limit-len(frame(1, ""))-100))
		response, err := conn.Call(nil, request(fitting), w.in(time.Second))
		answer = text(response, err)[:1]
	})
	require.Equal(t, "x", answer)
	require.Equal(t, []string{"f", "x"}, served)
}

// The whole frame counts, and the limit itself is not beyond the limit.
func TestARequestMayFillTheOutputToTheByte(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(echo)
	ask := func(limit int) (*transport.Conn, error) {
		conn := w.dial(w.client(transport.ClientOptions{Limits: transport.Limits{Output: limit}}))
		var err error
		w.run(func() { _, err = conn.Call(nil, request("body"), w.in(time.Second)) })
		return conn, err
	}
	_, err := ask(1 << 20)
	require.NoError(t, err)
	whole := w.nearWatch.writes[0]
	_, err = ask(whole)
	require.NoError(t, err)
	conn, err := ask(whole - 1)
	require.ErrorIs(t, err, transport.ErrBusy)
	require.False(t, conn.Closed())
}
