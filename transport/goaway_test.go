package transport_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// holdSome answers at once, apart from requests whose body is "hold": those it keeps.
type holdSome struct {
	name string // comes before the body of an answer
	keepReplies
}

func (h *holdSome) Serve(in *transport.Incoming) {
	if string(in.Command.Body) == "hold" {
		h.keepReplies.Serve(in)
		return
	}
	in.Reply().Success([]byte(h.name + string(in.Command.Body)))
}

// shutdown begins to shut a server down; the result is set once that is over.
func (w *world) shutdown(server *transport.Server, grace time.Duration) (over *bool) {
	over = new(bool)
	w.farEnv.Tasks.Go("shut down", func() { server.Shutdown(grace); *over = true })
	return over
}

// held dials and makes a call that the server keeps.
func (w *world) held(client *transport.Client) (conn *transport.Conn, outcome *string) {
	w.t.Helper()
	conn, outcome = w.dial(client), new(string)
	require.NoError(w.t, conn.Start(request("hold"), w.in(time.Minute), completion(func(response *wire.Command, err error) {
		*outcome = text(response, err)
	})))
	w.pass(100 * time.Millisecond)
	return conn, outcome
}

func TestAServerThatShutsDownSendsNewerPeersAwayAndServesOlderOnes(t *testing.T) {
	w := newWorld(t, 1)
	handler := &holdSome{}
	server := w.serve(transport.ServerOptions{Handler: handler})
	_, outcome := w.held(w.client(transport.ClientOptions{}))
	peer := w.raw()
	over := w.shutdown(server, time.Minute)
	// What the server answers to a request of each version.
	codes := map[int32]int32{}
	w.run(func() {
		for opaque, version := range []int32{0, 317, 474, 475, 476, 477, 513} {
			_ = peer.Write(frameOf(wire.Header{Opaque: int32(opaque), Version: version}, ""))
			if answer, err := peer.next(); err == nil {
				codes[version] = answer.Code
			}
		}
	})
	require.Equal(t, map[int32]int32{0: 0, 317: 0, 474: 0, 475: 0, 476: 1500, 477: 1500, 513: 1500}, codes)

	require.False(t, *over, "a request is under way")
	handler.replies[0].Success([]byte("in the end"))
	w.pass(100 * time.Millisecond)
	require.Equal(t, "in the end", *outcome)
	require.True(t, *over)
	require.Empty(t, server.Conns())
}

func TestAServerThatShutsDownWaitsNoLongerThanTheGrace(t *testing.T) {
	w := newWorld(t, 1)
	server := w.serveFunc(silent)
	conn := w.dial(w.client(transport.ClientOptions{}))
	_, errs := w.startMany(conn, 3)
	w.pass(time.Second)
	began := w.kernel.Now()
	w.on(w.farEnv, func() { server.Shutdown(3 * time.Second) })
	require.InDelta(t, float64(3*time.Second), float64(w.kernel.Now().Sub(began)), float64(10*time.Millisecond))
	w.pass(time.Second)
	require.Len(t, *errs, 3)
	require.Equal(t, []bool{true, true, true}, errorsAre(*errs, transport.ErrClosed))
	require.Empty(t, w.far.TaskNames())
}

func TestAnIdleServerShutsDownAtOnceAndFreesItsPort(t *testing.T) {
	w := newWorld(t, 1)
	server := w.serveFunc(echo)
	w.dial(w.client(transport.ClientOptions{}))
	began := w.kernel.Now()
	w.on(w.farEnv, func() { server.Shutdown(time.Minute) })
	require.Less(t, w.kernel.Now().Sub(began), 10*time.Millisecond)
	require.Empty(t, w.far.TaskNames())
	w.serveFunc(echo)
}

func TestAServerThatShutsDownWritesWhatItHasAnswered(t *testing.T) {
	const answers, size = 8, 1 << 20
	w := newWorld(t, 1)
	kept := &keepReplies{}
	server := w.serve(transport.ServerOptions{Handler: kept})
	peer := w.raw()
	w.run(func() { _ = peer.Write(burst(answers)) })
	w.pass(time.Second)
	for _, reply := range kept.replies {
		reply.Success(make([]byte, size))
	}
	over := w.shutdown(server, time.Minute)
	bytes := 0
	w.run(func() {
		for range answers {
			w.nearEnv.Tasks.Sleep(50 * time.Millisecond)
			if answer, err := peer.next(); err == nil {
				bytes += len(answer.Body)
			}
		}
	})
	require.Equal(t, answers*size, bytes)
	w.pass(time.Second)
	require.True(t, *over)
}

func TestAServerThatShutsDownTakesNoNewConnection(t *testing.T) {
	w := newWorld(t, 1)
	server := w.serve(transport.ServerOptions{Handler: &holdSome{}})
	w.held(w.client(transport.ClientOptions{}))
	w.shutdown(server, 5*time.Second)
	w.pass(time.Millisecond)
	var err error
	other := w.client(transport.ClientOptions{})
	w.run(func() { _, err = other.Call(nil, address, request(""), time.Second) })
	require.ErrorIs(t, err, env.ErrRefused)
	require.ErrorIs(t, err, transport.ErrNotSent)
}

func TestAClientThatIsSentAwayAsksOnceMoreOverANewConnection(t *testing.T) {
	w := newWorld(t, 1)
	old := &holdSome{name: "old "}
	first := w.serve(transport.ServerOptions{Handler: old})
	var ended []*transport.Conn
	client := w.client(transport.ClientOptions{OnClose: func(c *transport.Conn) { ended = append(ended, c) }})
	conn, outcome := w.held(client)
	w.shutdown(first, time.Minute)
	w.pass(time.Millisecond)
	w.serve(transport.ServerOptions{Handler: &holdSome{name: "new "}})

	var answers []string
	w.run(func() {
		for range 3 {
			answers = append(answers, text(client.Call(nil, address, request("question"), time.Second)))
		}
	})
	require.Equal(t, []string{"new question", "new question", "new question"}, answers)
	require.Equal(t, 2, w.nearWatch.dials)

	require.Empty(t, ended, "the retired connection has a call under way")
	require.Empty(t, *outcome)
	old.replies[0].Success([]byte("at last"))
	w.pass(5 * time.Millisecond)
	require.Equal(t, "at last", *outcome)
	require.Equal(t, []*transport.Conn{conn}, ended)
	require.Equal(t, []string{address}, client.Addresses())
}

func TestAClientThatIsSentAwayByTheNewConnectionToldSo(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(func(in *transport.Incoming) { in.Reply().Error(proto.RespGoAway, "elsewhere") })
	client := w.client(transport.ClientOptions{})
	var err error
	w.run(func() { _, err = client.Call(nil, address, request(""), time.Second) })
	var response *transport.ResponseError
	require.ErrorAs(t, err, &response)
	require.EqualValues(t, proto.RespGoAway, response.Code)
	require.Equal(t, 2, w.nearWatch.dials)
}

func TestAClientThatIsSentAwayFromTheOnlyServerHasNotSent(t *testing.T) {
	w := newWorld(t, 1)
	server := w.serve(transport.ServerOptions{Handler: &holdSome{}})
	client := w.client(transport.ClientOptions{})
	w.held(client)
	w.shutdown(server, time.Minute)
	w.pass(time.Millisecond)
	var err error
	w.run(func() { _, err = client.Call(nil, address, request(""), time.Second) })
	require.ErrorIs(t, err, transport.ErrNotSent)
	require.False(t, transport.MaybeCarriedOut(err), "it may be tried elsewhere")
}

// sendAway is a server that keeps some requests and sends away the others, and does not close by itself.
func sendAway(in *transport.Incoming) {
	if string(in.Command.Body) != "hold" {
		in.Reply().Error(proto.RespGoAway, "elsewhere")
	}
}

func TestARetiredConnectionClosesWhenItsLastCallHasExpired(t *testing.T) {
	ends := map[string]func(w *world, conn *transport.Conn){
		"started": func(w *world, conn *transport.Conn) {
			require.NoError(w.t, conn.Start(request("hold"), w.in(time.Second), completion(func(*wire.Command, error) {})))
		},
		"called": func(w *world, conn *transport.Conn) {
			w.nearEnv.Tasks.Go("call", func() { _, _ = conn.Call(nil, request("hold"), w.in(time.Second)) })
		},
		"cancelled": func(w *world, conn *transport.Conn) {
			call := env.NewCall(env.Never, nil)
			w.kernel.After(time.Second, func() { call.Cancel(transport.ErrBusy) })
			w.nearEnv.Tasks.Go("call", func() { _, _ = conn.Call(call, request("hold"), w.in(time.Minute)) })
		},
	}
	for name, begin := range ends {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1)
			w.serveFunc(sendAway)
			client := w.client(transport.ClientOptions{})
			conn := w.dial(client)
			begin(w, conn)
			w.pass(time.Millisecond)
			w.run(func() { _, _ = client.Call(nil, address, request(""), 500*time.Millisecond) })
			require.False(t, conn.Closed())
			w.pass(2 * time.Second)
			require.True(t, conn.Closed())
		})
	}
}

func TestARetiredConnectionIsWrittenToItsEnd(t *testing.T) {
	w := newWorld(t, 1)
	heard := 0
	w.serveFunc(func(in *transport.Incoming) {
		if in.Command.IsOneway() {
			heard++
			return
		}
		sendAway(in)
	})
	client := w.client(transport.ClientOptions{})
	conn := w.dial(client)
	var failed error
	require.NoError(t, conn.Start(request(""), w.in(time.Second), completion(func(*wire.Command, error) {
		// The connection retires right after this.
		for range 3 {
			if err := conn.Oneway(request(string(make([]byte, 200<<10)))); err != nil {
				failed = err
			}
		}
	})))
	w.run(func() { _, _ = client.Call(nil, address, request(""), time.Second) })
	w.pass(5 * time.Second)
	require.NoError(t, failed)
	require.Equal(t, 3, heard)
	require.True(t, conn.Closed())
}
