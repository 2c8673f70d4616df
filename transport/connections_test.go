package transport_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/stretchr/testify/require"
)

func TestConnectionsWithoutTrafficAreClosed(t *testing.T) {
	w := newWorld(t, 1)
	server := w.serve(transport.ServerOptions{Handler: transport.HandlerFunc(echo), IdleTimeout: 40 * time.Second})
	busy, idle := w.client(transport.ClientOptions{}), w.client(transport.ClientOptions{})
	busyConn, idleConn := w.dial(busy), w.dial(idle)
	for range 10 {
		w.pass(10 * time.Second)
		w.run(func() { _, _ = busyConn.Call(nil, request(""), w.in(time.Second)) })
		require.Equal(t, w.kernel.Now() > env.Instant(46*time.Second), idleConn.Closed(), "at %v", w.kernel.Now())
	}
	require.False(t, busyConn.Closed())
	require.Len(t, server.Conns(), 1)
	require.Empty(t, idle.Addresses())
}

func TestAnswersAreTrafficToo(t *testing.T) {
	w := newWorld(t, 1)
	kept := &keepReplies{}
	w.serve(transport.ServerOptions{Handler: kept, IdleTimeout: 40 * time.Second})
	conn := w.dial(w.client(transport.ClientOptions{}))
	w.startMany(conn, 10)
	for range 10 {
		w.pass(30 * time.Second)
		require.False(t, conn.Closed())
		kept.replies[0].Success(nil)
		kept.replies = kept.replies[1:]
	}
}

func TestTheIdleTimeoutIs120SecondsUnlessStated(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(echo)
	conn := w.dial(w.client(transport.ClientOptions{}))
	w.pass(119 * time.Second)
	require.False(t, conn.Closed())
	w.pass(17 * time.Second)
	require.True(t, conn.Closed())
}

func TestMoreConnectionsThanTheLimitAreRefused(t *testing.T) {
	w := newWorld(t, 1)
	opened := 0
	server := w.serve(transport.ServerOptions{
		Handler: transport.HandlerFunc(echo), ConnectionsMax: 2, OnOpen: func(*transport.Conn) { opened++ },
	})
	clients := make([]*transport.Client, 3)
	errs := make([]error, 3)
	for i := range clients {
		clients[i] = w.client(transport.ClientOptions{})
		w.run(func() { _, errs[i] = clients[i].Call(nil, address, request(""), time.Second) })
	}
	require.NoError(t, errs[0])
	require.NoError(t, errs[1])
	require.Error(t, errs[2])
	require.Equal(t, 2, opened)

	w.on(w.nearEnv, clients[0].Close)
	w.pass(time.Second)
	require.Len(t, server.Conns(), 1)
	var err error
	w.run(func() { _, err = clients[2].Call(nil, address, request(""), time.Second) })
	require.NoError(t, err, "a place is free again")
}

func TestServersNumberTheirConnections(t *testing.T) {
	w := newWorld(t, 1)
	var opened, ended []uint64
	server := w.serve(transport.ServerOptions{
		Handler: transport.HandlerFunc(echo),
		OnOpen:  func(c *transport.Conn) { opened = append(opened, c.ID()) },
		OnClose: func(c *transport.Conn) { ended = append(ended, c.ID()) },
	})
	var conns []*transport.Conn
	for range 3 {
		conns = append(conns, w.dial(w.client(transport.ClientOptions{})))
		w.pass(time.Millisecond)
	}
	require.Equal(t, []uint64{1, 2, 3}, opened)
	require.Equal(t, conns[2].Local(), server.Conns()[2].Remote())
	require.Equal(t, conns[2].Local().String(), server.Conns()[2].Address())
	conns[1].Close()
	w.pass(time.Second)
	require.Equal(t, []uint64{2}, ended)
	require.Len(t, server.Conns(), 2)
}

func TestTheListOfConnectionsStaysWhileTheyEnd(t *testing.T) {
	w := newWorld(t, 1)
	server := w.serveFunc(echo)
	for range 4 {
		w.dial(w.client(transport.ClientOptions{}))
	}
	w.pass(time.Second)
	for _, conn := range server.Conns() {
		conn.Close()
	}
	require.Empty(t, server.Conns())
}

func TestCallersShareOneDial(t *testing.T) {
	const callers = 20
	w := newWorld(t, 1)
	w.serveFunc(echo)
	client := w.client(transport.ClientOptions{})
	failed := 0
	w.together(callers, func(int) {
		if _, err := client.Call(nil, address, request(""), time.Second); err != nil {
			failed++
		}
	})
	require.Zero(t, failed)
	require.Equal(t, 1, w.nearWatch.dials)
	require.Equal(t, []string{address}, client.Addresses())
}

func TestCallersShareTheFailureOfADial(t *testing.T) {
	const callers = 20
	w := newWorld(t, 1)
	client := w.client(transport.ClientOptions{})
	errs := make([]error, callers)
	w.together(callers, func(i int) { _, errs[i] = client.Call(nil, address, request(""), time.Second) })
	for _, err := range errs {
		require.ErrorIs(t, err, env.ErrRefused)
		require.ErrorIs(t, err, transport.ErrNotSent)
		require.False(t, transport.MaybeCarriedOut(err))
	}
	require.Equal(t, 1, w.nearWatch.dials)

	w.serveFunc(echo)
	var err error
	w.run(func() { _, err = client.Call(nil, address, request(""), time.Second) })
	require.NoError(t, err, "the next caller tries again")
}

func TestEachCallerOfADialHasADeadlineOfItsOwn(t *testing.T) {
	w := newWorld(t, 1)
	w.kernel.Network().SlowAccept(w.far, 2*time.Second)
	w.serveFunc(echo)
	client := w.client(transport.ClientOptions{})
	var early, late error
	var earlyAt env.Instant
	began := w.kernel.Now()
	w.together(2, func(i int) {
		if i == 0 {
			_, early = client.Call(nil, address, request(""), time.Second)
			earlyAt = w.kernel.Now()
			return
		}
		_, late = client.Call(nil, address, request(""), 10*time.Second)
	})
	require.ErrorIs(t, early, transport.ErrNotSent)
	require.Equal(t, time.Second, earlyAt.Sub(began))
	require.NoError(t, late)
	require.Equal(t, 1, w.nearWatch.dials)
}

func TestACancelledCallerOfADialGoesAtOnce(t *testing.T) {
	w := newWorld(t, 1)
	w.far.Crash(sim.PowerLoss)
	client := w.client(transport.ClientOptions{})
	call, reason := env.NewCall(env.Never, nil), errors.New("the user pressed stop")
	w.kernel.After(time.Second, func() { call.Cancel(reason) })
	began := w.kernel.Now()
	var err error
	w.run(func() { _, err = client.Call(call, address, request(""), time.Minute) })
	require.ErrorIs(t, err, reason)
	require.ErrorIs(t, err, transport.ErrNotSent)
	require.Equal(t, time.Second, w.kernel.Now().Sub(began))
}

func TestADialEndsAtItsTimeout(t *testing.T) {
	w := newWorld(t, 1)
	w.far.Crash(sim.PowerLoss)
	client := w.client(transport.ClientOptions{DialTimeout: 2 * time.Second})
	began := w.kernel.Now()
	var err error
	w.run(func() { err = client.Oneway(nil, address, request(""), time.Minute) })
	require.ErrorIs(t, err, transport.ErrNotSent)
	require.ErrorIs(t, err, env.ErrDeadline)
	require.Equal(t, 2*time.Second, w.kernel.Now().Sub(began))
}

func TestAnAddressThatMeansNothingIsNotSentTo(t *testing.T) {
	w := newWorld(t, 1)
	client := w.client(transport.ClientOptions{})
	for _, address := range []string{"nowhere:1", "10.0.0.1", "10.0.0.1:port", ""} {
		var err error
		w.run(func() { _, err = client.Call(nil, address, request(""), time.Second) })
		require.ErrorIs(t, err, transport.ErrNotSent, address)
	}
}

func TestAClientKeepsAConnectionForEachAddress(t *testing.T) {
	w := newWorld(t, 1)
	server := transport.NewServer(w.farEnv, transport.ServerOptions{Handler: transport.HandlerFunc(echo)})
	client := w.client(transport.ClientOptions{})
	var want []string
	for port := range 5 {
		address := fmt.Sprint("10.0.0.1:", 9005-port)
		want = append([]string{address}, want...)
		_, err := server.Listen(address)
		require.NoError(t, err)
		w.run(func() { _, err = client.Call(nil, address, request(""), time.Second) })
		require.NoError(t, err)
	}
	require.Equal(t, want, client.Addresses())
	require.Len(t, server.Conns(), 5)
}

func TestAPortThatIsTakenIsRefused(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(echo)
	_, err := transport.NewServer(w.farEnv, transport.ServerOptions{}).Listen(address)
	require.ErrorIs(t, err, env.ErrAddressInUse)
}

func TestClosingLeavesNoTask(t *testing.T) {
	w := newWorld(t, 1)
	server := w.serveFunc(func(in *transport.Incoming) {
		if string(in.Command.Body) == "slow" {
			w.farEnv.Tasks.Sleep(5 * time.Second)
		}
	})
	client := w.client(transport.ClientOptions{})
	conn := w.dial(client)
	_, errs := w.startMany(conn, 10)
	require.NoError(t, conn.Oneway(request("slow")))
	require.NoError(t, conn.Oneway(request(string(make([]byte, 4<<20)))))
	w.pass(time.Second)
	w.run(client.Close)
	require.Empty(t, w.near.TaskNames())
	require.Len(t, *errs, 10)
	w.on(w.farEnv, server.Close)
	require.Empty(t, w.far.TaskNames())
}

func TestClosingAClientThatDialsLeavesNothing(t *testing.T) {
	w := newWorld(t, 1)
	w.kernel.Network().SlowAccept(w.far, 2*time.Second)
	server := w.serveFunc(echo)
	client := w.client(transport.ClientOptions{})
	var err error
	w.nearEnv.Tasks.Go("caller", func() { _, err = client.Call(nil, address, request(""), time.Minute) })
	w.pass(time.Second)
	closed := false
	w.nearEnv.Tasks.Go("close", func() {
		client.Close()
		closed = true
	})
	w.pass(time.Millisecond)
	require.True(t, closed, "Close waits for a peer that may never answer")
	require.ErrorIs(t, err, transport.ErrNotSent)
	w.pass(2 * time.Second)
	require.Empty(t, w.near.TaskNames())
	require.Empty(t, server.Conns())
}

func TestAClosedClientSendsNothing(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(echo)
	client := w.client(transport.ClientOptions{})
	w.dial(client)
	var err error
	w.run(func() {
		client.Close()
		client.Close()
		_, err = client.Call(nil, address, request(""), time.Second)
	})
	require.ErrorIs(t, err, transport.ErrNotSent)
	require.Equal(t, 1, w.nearWatch.dials)
}

func TestAClosedServerOpensNoPort(t *testing.T) {
	w := newWorld(t, 1)
	server := w.serveFunc(echo)
	w.on(w.farEnv, server.Close)
	_, err := server.Listen(address)
	require.Error(t, err)
	listener, err := w.farEnv.Network.Listen(address)
	require.NoError(t, err, "the port is free")
	require.NoError(t, listener.Close())
}

// failsAtFirst is a listener that cannot accept at first, as one without file descriptors.
type failsAtFirst struct {
	env.Listener
	failures int
}

func (l *failsAtFirst) Accept() (env.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, errors.New("too many open files")
	}
	return l.Listener.Accept()
}

// failingNetwork opens such listeners.
type failingNetwork struct{ env.Network }

func (n failingNetwork) Listen(address string) (env.Listener, error) {
	l, err := n.Network.Listen(address)
	return &failsAtFirst{l, 5}, err
}

func TestAServerThatCannotAcceptForAWhileGoesOn(t *testing.T) {
	w := newWorld(t, 1)
	w.farEnv.Network = failingNetwork{w.farEnv.Network}
	w.serveFunc(echo)
	client := w.client(transport.ClientOptions{})
	began := w.kernel.Now()
	var answer string
	w.run(func() { answer = text(client.Call(nil, address, request("x"), 5*time.Second)) })
	require.Equal(t, "x", answer)
	require.Greater(t, w.kernel.Now().Sub(began), 100*time.Millisecond, "it does not try without a pause")
}
