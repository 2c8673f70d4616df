package transport_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

func TestAnswersMayComeFromAnotherTask(t *testing.T) {
	w := newWorld(t, 1)
	server := w.serveFunc(func(in *transport.Incoming) {
		reply, body := in.Reply(), string(in.Command.Body)
		w.farEnv.Tasks.Go("answer later", func() {
			w.farEnv.Tasks.Sleep(time.Second)
			reply.Success([]byte("later: " + body))
		})
	})
	client := w.client(transport.ClientOptions{})
	answers := make([]string, 10)
	w.together(len(answers), func(i int) {
		answers[i] = text(client.Call(nil, address, request("x"), time.Minute))
	})
	for _, answer := range answers {
		require.Equal(t, "later: x", answer)
	}
	require.Zero(t, server.Conns()[0].Unanswered())
}

func TestAnAnswerToAClosedConnectionDoesNothing(t *testing.T) {
	w := newWorld(t, 1)
	kept := &keepReplies{}
	server := w.serve(transport.ServerOptions{Handler: kept})
	client := w.client(transport.ClientOptions{})
	w.startMany(w.dial(client), 3)
	w.pass(time.Second)
	conn := server.Conns()[0]
	conn.Close()
	for _, reply := range kept.replies {
		require.False(t, reply.Alive())
		reply.Success(nil)
		require.Same(t, conn, reply.Conn())
	}
	require.Zero(t, conn.Unanswered())
}

func TestABodyOfTheCallersIsCopied(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(func(in *transport.Incoming) {
		body := []byte("as it was")
		in.Reply().Success(body)
		copy(body, "changed !")
	})
	var answer string
	client := w.client(transport.ClientOptions{})
	w.run(func() { answer = text(client.Call(nil, address, request(""), time.Second)) })
	require.Equal(t, "as it was", answer)
}

// detached counts how often each body was given back, and whether that was too early.
type detached struct {
	t        *testing.T
	released []int
}

// send answers with a body that is spoilt as soon as it is given back.
func (d *detached) send(reply transport.Reply, size int) {
	number := len(d.released)
	d.released = append(d.released, 0)
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(number)
	}
	reply.SendDetached(proto.RespSuccess, "", nil, body, func() {
		d.released[number]++
		clear(body)
	})
}

func (d *detached) requireAllReleasedOnce(n int) {
	d.t.Helper()
	require.Len(d.t, d.released, n)
	for number, times := range d.released {
		require.Equal(d.t, 1, times, "body %d", number)
	}
}

func TestADetachedBodyIsGivenBackOnceItIsWritten(t *testing.T) {
	for _, size := range []int{0, 1, 1000, 1 << 20} {
		w := newWorld(t, 1)
		d := &detached{t: t}
		w.serveFunc(func(in *transport.Incoming) { d.send(in.Reply(), size) })
		conn := w.dial(w.client(transport.ClientOptions{}))
		var bodies [][]byte
		for range 10 {
			require.NoError(t, conn.Start(request(""), w.in(time.Minute), completion(func(response *wire.Command, err error) {
				if err == nil {
					bodies = append(bodies, response.Clone().Body)
				}
			})))
		}
		w.pass(10 * time.Second)
		require.Len(t, bodies, 10)
		for number, body := range bodies {
			whole := len(body) == size && bytes.Count(body, []byte{byte(number)}) == size
			require.True(t, whole, "body %d of %d bytes was given back before it was written", number, size)
		}
		d.requireAllReleasedOnce(10)
	}
}

func TestADetachedBodyForAOnewayRequestIsGivenBackAtOnce(t *testing.T) {
	w := newWorld(t, 1)
	d := &detached{t: t}
	w.serveFunc(func(in *transport.Incoming) { d.send(in.Reply(), 10) })
	conn := w.dial(w.client(transport.ClientOptions{}))
	require.NoError(t, conn.Oneway(request("")))
	w.pass(time.Second)
	d.requireAllReleasedOnce(1)
}

func TestADetachedBodyForAClosedConnectionIsGivenBackAtOnce(t *testing.T) {
	w := newWorld(t, 1)
	kept, d := &keepReplies{}, &detached{t: t}
	server := w.serve(transport.ServerOptions{Handler: kept})
	w.startMany(w.dial(w.client(transport.ClientOptions{})), 1)
	w.pass(time.Second)
	server.Conns()[0].Close()
	d.send(kept.replies[0], 10)
	d.requireAllReleasedOnce(1)
}

func TestDetachedBodiesThatWaitWhenTheConnectionEndsAreGivenBack(t *testing.T) {
	ends := map[string]func(w *world, peer *rawPeer, conn *transport.Conn){
		"closed here":      func(_ *world, _ *rawPeer, conn *transport.Conn) { conn.Close() },
		"closed there":     func(w *world, peer *rawPeer, _ *transport.Conn) { w.run(func() { _ = peer.Close() }) },
		"output limit":     func(*world, *rawPeer, *transport.Conn) {},
		"write timeout":    func(w *world, _ *rawPeer, _ *transport.Conn) { w.pass(time.Minute) },
		"server is closed": func(w *world, _ *rawPeer, _ *transport.Conn) {},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1)
			kept, d := &keepReplies{}, &detached{t: t}
			limits := transport.Limits{Output: 100 << 20}
			if name == "output limit" {
				limits.Output = 5 << 20
			}
			server := w.serve(transport.ServerOptions{Handler: kept, Limits: limits})
			peer := w.raw()
			w.run(func() { _ = peer.Write(burst(10)) })
			w.pass(time.Second)
			conn := server.Conns()[0]
			for _, reply := range kept.replies {
				d.send(reply, 1<<20)
				// The first ones are being written when the last ones come.
				w.pass(time.Millisecond)
			}
			end(w, peer, conn)
			if name == "server is closed" {
				w.on(w.farEnv, server.Close)
			}
			w.pass(time.Second)
			require.True(t, conn.Closed())
			d.requireAllReleasedOnce(10)
		})
	}
}

// A release that answers another request, as one that gives back a place for it would.
func TestAReleaseMayAnswer(t *testing.T) {
	w := newWorld(t, 1)
	var first transport.Reply
	w.serveFunc(func(in *transport.Incoming) {
		if in.Command.Opaque == 0 {
			first = in.Reply()
			return
		}
		in.Reply().SendDetached(proto.RespSuccess, "", nil, []byte("second"), func() { first.Success([]byte("first")) })
	})
	peer := w.raw()
	var answers []string
	w.run(func() {
		_ = peer.Write(burst(2))
		answers = append(answers, text(peer.next()), text(peer.next()))
	})
	require.Equal(t, []string{"second", "first"}, answers)
}

// Everything the seed can mix up: who answers, with what, and when the connection ends.
func TestUnansweredNeverDrifts(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(t, seed)
		d, random := &detached{t: t}, env.Rand(w.kernel.Stream("handler"))
		later := func(reply transport.Reply, answer func(transport.Reply)) {
			w.farEnv.Tasks.Go("answer later", func() {
				w.farEnv.Tasks.Sleep(time.Duration(env.IntN(random, 20)) * time.Millisecond)
				answer(reply)
			})
		}
		sent := 0
		answer := func(reply transport.Reply) {
			if env.Chance(random, 0.5) {
				sent++
				d.send(reply, env.IntN(random, 100_000))
			} else {
				reply.Success(make([]byte, env.IntN(random, 100_000)))
			}
		}
		server := w.serve(transport.ServerOptions{
			Limits: transport.Limits{Unanswered: 8},
			Handler: transport.HandlerFunc(func(in *transport.Incoming) {
				switch env.IntN(random, 4) {
				case 0:
					answer(in.Reply())
				case 1:
					w.farEnv.Tasks.Sleep(time.Millisecond)
					answer(in.Reply())
				default:
					later(in.Reply(), answer)
				}
			}),
		})
		conn := w.dial(w.client(transport.ClientOptions{}))
		ended := 0
		for n := range 100 {
			if n%5 == 0 {
				require.NoError(t, conn.Oneway(request("")))
				continue
			}
			require.NoError(t, conn.Start(request(""), w.in(time.Minute), completion(func(*wire.Command, error) { ended++ })))
			w.pass(time.Duration(env.IntN(random, 3)) * time.Millisecond)
		}
		w.pass(10 * time.Second)
		require.Equal(t, 80, ended)
		require.Zero(t, server.Conns()[0].Unanswered())
		d.requireAllReleasedOnce(sent)
	}
}

func TestTheOwnerIsToldOfEachAnswer(t *testing.T) {
	w := newWorld(t, 1)
	var told []transport.Answered
	var held transport.Reply
	server := w.serve(transport.ServerOptions{
		Answered: func(a transport.Answered) { told = append(told, a) },
		Handler: transport.HandlerFunc(func(in *transport.Incoming) {
			if string(in.Command.Body) == "hold" {
				held = in.Reply().Held()
				return
			}
			in.Reply().Error(proto.RespSystemBusy, "later")
		}),
	})
	client := w.client(transport.ClientOptions{})
	w.startMany(w.dial(client), 1)
	w.pass(time.Second)
	require.Len(t, told, 1)
	require.Equal(t, request("x").Code, told[0].Request)
	require.Equal(t, int32(proto.RespSystemBusy), told[0].Response)
	require.False(t, told[0].Held || told[0].Oneway || told[0].Gone)

	w.together(1, func(int) {
		require.NoError(t, client.Oneway(nil, address, request("x"), time.Minute))
		_, err := client.Call(nil, address, request("hold"), time.Second)
		require.ErrorIs(t, err, transport.ErrTimeout)
	})
	server.Conns()[0].Close()
	held.Success(nil)
	require.Len(t, told, 3)
	require.True(t, told[1].Oneway)
	require.True(t, told[2].Held && told[2].Gone)
	require.Greater(t, told[2].Took, time.Second/2)
	require.Contains(t, told[2].String(), "answered SUCCESS after ")
}
