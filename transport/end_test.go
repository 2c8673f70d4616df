package transport_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// startMany starts n calls; the result lists them in the order they ended, with their errors.
func (w *world) startMany(conn *transport.Conn, n int) (ended *[]int, errs *[]error) {
	w.t.Helper()
	ended, errs = new([]int), new([]error)
	for i := range n {
		require.NoError(w.t, conn.Start(request(""), w.in(time.Minute), completion(func(_ *wire.Command, err error) {
			*ended, *errs = append(*ended, i), append(*errs, err)
		})))
	}
	return ended, errs
}

func requireAllClosedInOrder(t *testing.T, n int, ended []int, errs []error) {
	t.Helper()
	require.Len(t, ended, n)
	for i := range n {
		require.Equal(t, i, ended[i])
		require.ErrorIs(t, errs[i], transport.ErrClosed)
		require.True(t, transport.MaybeCarriedOut(errs[i]))
	}
}

func TestClosingAConnectionEndsItsCallsInOrder(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(silent)
	conn := w.dial(w.client(transport.ClientOptions{}))
	ended, errs := w.startMany(conn, 50)
	w.pass(time.Second)
	conn.Close()
	requireAllClosedInOrder(t, 50, *ended, *errs)
	require.ErrorIs(t, (*errs)[0], env.ErrConnClosed, "the cause is told")
}

func TestAPeerThatClosesEndsTheCallsInOrder(t *testing.T) {
	w := newWorld(t, 1)
	server := w.serveFunc(silent)
	conn := w.dial(w.client(transport.ClientOptions{}))
	ended, errs := w.startMany(conn, 50)
	w.pass(time.Second)
	server.Conns()[0].Close()
	w.pass(time.Second)
	requireAllClosedInOrder(t, 50, *ended, *errs)
	require.ErrorIs(t, (*errs)[0], io.EOF)
	require.True(t, conn.Closed())
}

func TestAKilledServerEndsWaitingCalls(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(silent)
	client := w.client(transport.ClientOptions{})
	w.dial(client)
	w.kernel.After(time.Second, func() { w.far.Crash(sim.KillProcess) })
	began := w.kernel.Now()
	var err error
	w.run(func() { _, err = client.Call(nil, address, request(""), time.Minute) })
	require.ErrorIs(t, err, transport.ErrClosed)
	require.ErrorIs(t, err, env.ErrReset)
	require.Less(t, w.kernel.Now().Sub(began), 1010*time.Millisecond)
	require.Empty(t, client.Addresses())
}

func TestAClientFindsAKilledServerAgainWhenItIsBack(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(echo)
	client := w.client(transport.ClientOptions{})
	w.dial(client)
	w.far.Crash(sim.KillProcess)
	w.pass(time.Second)
	w.bootFar()
	w.serveFunc(echo)
	var answer string
	w.run(func() { answer = text(client.Call(nil, address, request("back"), time.Second)) })
	require.Equal(t, "back", answer)
	require.Equal(t, 2, w.nearWatch.dials)
}

// A power loss tells nobody: the client's end is half-open until it sends something to the machine after its return.
func TestAHalfOpenConnectionCostsOneCall(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(echo)
	client := w.client(transport.ClientOptions{})
	conn := w.dial(client)
	w.far.Crash(sim.PowerLoss)
	w.pass(time.Second)
	require.False(t, conn.Closed(), "nothing can be known yet")
	var silence, lost error
	w.run(func() { _, silence = conn.Call(nil, request(""), w.in(time.Second)) })
	require.ErrorIs(t, silence, transport.ErrTimeout)

	w.bootFar()
	w.serveFunc(echo)
	var answer string
	w.run(func() {
		_, lost = client.Call(nil, address, request("lost"), time.Minute)
		answer = text(client.Call(nil, address, request("found"), time.Minute))
	})
	require.ErrorIs(t, lost, transport.ErrClosed)
	require.Equal(t, "found", answer)
}

func TestACallOnAClosedConnectionIsNotSent(t *testing.T) {
	w := newWorld(t, 1)
	served := 0
	w.serveFunc(func(in *transport.Incoming) { served++; echo(in) })
	conn := w.dial(w.client(transport.ClientOptions{}))
	conn.Close()
	called := errors.New("the completion was not called")
	start := conn.Start(request(""), w.in(time.Second), completion(func(*wire.Command, error) { called = nil }))
	oneway := conn.Oneway(request(""))
	var call error
	w.run(func() { _, call = conn.Call(nil, request(""), w.in(time.Second)) })
	for _, err := range []error{start, oneway, call} {
		require.ErrorIs(t, err, transport.ErrNotSent)
		require.False(t, transport.MaybeCarriedOut(err))
	}
	w.pass(5 * time.Second)
	require.Error(t, called, "Start returned an error and completed the call as well")
	require.Zero(t, served)
}

func TestACompletionThatSeesTheEndCannotSendAnyMore(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(silent)
	conn := w.dial(w.client(transport.ClientOptions{}))
	var again error
	require.NoError(t, conn.Start(request(""), w.in(time.Minute), completion(func(*wire.Command, error) {
		conn.Close()
		again = conn.Start(request(""), w.in(time.Minute), completion(func(*wire.Command, error) {}))
	})))
	conn.Close()
	require.ErrorIs(t, again, transport.ErrNotSent)
}

func TestClosingTwiceIsClosingOnce(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(silent)
	ends := 0
	conn := w.dial(w.client(transport.ClientOptions{OnClose: func(*transport.Conn) { ends++ }}))
	conn.Close()
	conn.Close()
	w.pass(time.Second)
	require.Equal(t, 1, ends)
}

func TestACrashOfTheClientEndsItsConnectionsAtTheServer(t *testing.T) {
	w := newWorld(t, 1)
	ends := 0
	server := w.serve(transport.ServerOptions{Handler: transport.HandlerFunc(silent), OnClose: func(*transport.Conn) { ends++ }})
	conn := w.dial(w.client(transport.ClientOptions{}))
	w.startMany(conn, 5)
	w.pass(time.Second)
	require.Equal(t, 5, server.Conns()[0].Unanswered())
	w.near.Crash(sim.KillProcess)
	w.pass(time.Second)
	require.Empty(t, server.Conns())
	require.Equal(t, 1, ends)
	require.Empty(t, w.near.TaskNames())
}

func TestAHandlerMayCloseItsConnection(t *testing.T) {
	w := newWorld(t, 1)
	served, bursts := 0, 0
	server := w.serve(transport.ServerOptions{
		Handler: transport.HandlerFunc(func(in *transport.Incoming) {
			served++
			in.Conn.Close()
			in.Reply().Success(nil)
		}),
		AfterBurst: func() { bursts++ },
	})
	peer := w.raw()
	var err error
	w.run(func() {
		_ = peer.Write(frame(1, ""), frame(2, ""), frame(3, ""))
		_, err = peer.next()
	})
	require.Error(t, err)
	require.Equal(t, 1, served, "requests after the end are not served")
	require.Equal(t, 1, bursts, "what was served is carried out all the same")
	require.Empty(t, server.Conns())
}
