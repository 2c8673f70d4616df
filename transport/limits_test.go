package transport_test

import (
	"io"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

func TestMoreCallsThanTheLimitAreBusy(t *testing.T) {
	w := newWorld(t, 1)
	served := 0
	w.serveFunc(func(*transport.Incoming) { served++ })
	conn := w.dial(w.client(transport.ClientOptions{Limits: transport.Limits{Pending: 3}}))
	w.startMany(conn, 3)
	err := conn.Start(request(""), w.in(time.Second), completion(func(*wire.Command, error) { t.Error("completed as well") }))
	require.ErrorIs(t, err, transport.ErrBusy)
	require.False(t, transport.MaybeCarriedOut(err))
	var call error
	w.run(func() { _, call = conn.Call(nil, request(""), w.in(time.Second)) })
	require.ErrorIs(t, call, transport.ErrBusy)
	w.pass(time.Second)
	require.Equal(t, 3, served)
}

func TestAPlaceIsFreeAgainWhenACallHasEnded(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(silent)
	conn := w.dial(w.client(transport.ClientOptions{Limits: transport.Limits{Pending: 1}}))
	for range 3 {
		var err error
		w.run(func() { _, err = conn.Call(nil, request(""), w.in(time.Second)) })
		require.ErrorIs(t, err, transport.ErrTimeout)
	}
}

func TestMoreUnansweredRequestsThanTheLimitAreAnsweredBusy(t *testing.T) {
	w := newWorld(t, 1)
	var kept []transport.Reply
	server := w.serve(transport.ServerOptions{
		Limits:  transport.Limits{Unanswered: 2},
		Handler: transport.HandlerFunc(func(in *transport.Incoming) { kept = append(kept, in.Reply()) }),
	})
	conn := w.dial(w.client(transport.ClientOptions{}))
	ended, _ := w.startMany(conn, 2)
	for range 3 {
		var busy *wire.Command
		w.run(func() { busy, _ = conn.Call(nil, request(""), w.in(time.Second)) })
		require.NotNil(t, busy)
		require.EqualValues(t, proto.RespSystemBusy, busy.Code)
		require.EqualValues(t, 2, busy.Code)
		require.Contains(t, busy.Remark, "the limit is 2")
	}
	require.Len(t, kept, 2, "a refused request reaches no handler")
	require.Equal(t, 2, server.Conns()[0].Unanswered())

	kept[0].Success(nil)
	w.pass(time.Second)
	require.Equal(t, []int{0}, *ended)
	require.Equal(t, 1, server.Conns()[0].Unanswered())
	w.startMany(conn, 1)
	w.pass(time.Second)
	require.Len(t, kept, 3, "an answer makes room for a request")
}

func TestOnewayRequestsAreServedAtTheLimitToo(t *testing.T) {
	w := newWorld(t, 1)
	served := 0
	server := w.serve(transport.ServerOptions{
		Limits: transport.Limits{Unanswered: 1}, Handler: transport.HandlerFunc(func(*transport.Incoming) { served++ }),
	})
	conn := w.dial(w.client(transport.ClientOptions{}))
	w.startMany(conn, 1)
	for range 5 {
		require.NoError(t, conn.Oneway(request("")))
	}
	w.pass(time.Second)
	require.Equal(t, 6, served)
	require.Equal(t, 1, server.Conns()[0].Unanswered())
}

// keepReplies serves by keeping the right to answer.
type keepReplies struct{ replies []transport.Reply }

func (k *keepReplies) Serve(in *transport.Incoming) { k.replies = append(k.replies, in.Reply()) }

func TestAPeerThatDoesNotReadIsCutOffAtTheOutputLimit(t *testing.T) {
	w := newWorld(t, 1)
	kept := &keepReplies{}
	server := w.serve(transport.ServerOptions{Handler: kept, Limits: transport.Limits{Output: 4 << 20}})
	peer := w.raw()
	w.run(func() {
		for i := range 20 {
			_ = peer.Write(frame(int32(i), ""))
		}
	})
	w.pass(time.Second)
	conn := server.Conns()[0]
	body := make([]byte, 1<<20)
	answered := 0
	for _, reply := range kept.replies {
		if !reply.Alive() {
			break
		}
		answered++
		reply.Success(body)
		w.pass(time.Millisecond)
	}
	// One is being written, some wait, and the next one is too much.
	require.GreaterOrEqual(t, answered, 5)
	require.LessOrEqual(t, answered, 6)
	require.True(t, conn.Closed())
	require.Empty(t, server.Conns())
}

// The limit is for peers that do not read. One that reads gets any number of answers, also to requests that
// came all at once.
func TestManyLargeAnswersToOneBurstReachAPeerThatReads(t *testing.T) {
	const requests, size = 100, 256 << 10
	w := newWorld(t, 1)
	w.serve(transport.ServerOptions{
		Limits:  transport.Limits{Output: 4 << 20},
		Handler: transport.HandlerFunc(func(in *transport.Incoming) { in.Reply().Success(make([]byte, size)) }),
	})
	peer := w.raw()
	var burst []byte
	for i := range requests {
		burst = append(burst, frame(int32(i), "")...)
	}
	answers, bytes := 0, 0
	var err error
	w.run(func() {
		for err = peer.Write(burst); err == nil && answers < requests; answers++ {
			var answer *wire.Command
			if answer, err = peer.next(); err == nil {
				bytes += len(answer.Body)
			}
		}
	})
	require.NoError(t, err)
	require.Equal(t, requests*size, bytes)
}

// The same where another task writes meanwhile.
func TestManyLargeAnswersBesideThoseOfOthersReachAPeerThatReads(t *testing.T) {
	const requests, size = 100, 256 << 10
	w := newWorld(t, 1)
	server := w.serve(transport.ServerOptions{
		Limits: transport.Limits{Output: 4 << 20},
		Handler: transport.HandlerFunc(func(in *transport.Incoming) {
			reply := in.Reply()
			if in.Command.Opaque%10 == 0 {
				w.farEnv.Tasks.Go("answer later", func() { reply.Success(make([]byte, size)) })
				return
			}
			reply.Success(make([]byte, size))
		}),
	})
	peer := w.raw()
	var burst []byte
	for i := range requests {
		burst = append(burst, frame(int32(i), "")...)
	}
	answers := 0
	var err error
	w.run(func() {
		for err = peer.Write(burst); err == nil && answers < requests; answers++ {
			_, err = peer.next()
		}
	})
	require.NoError(t, err)
	require.Equal(t, requests, answers)
	require.Zero(t, server.Conns()[0].Unanswered())
}

func TestOwnRequestsBeyondTheOutputLimitAreBusy(t *testing.T) {
	w := newWorld(t, 1)
	w.accept(func(*rawPeer) { w.farEnv.Tasks.Sleep(time.Hour) })
	conn := w.dial(w.client(transport.ClientOptions{Limits: transport.Limits{Output: 4 << 20}}))
	body := string(make([]byte, 1<<20))
	accepted := 0
	var err error
	for err == nil && accepted < 100 {
		if err = conn.Start(request(body), w.in(time.Second), completion(func(*wire.Command, error) {})); err == nil {
			accepted++
		}
		w.pass(time.Millisecond)
	}
	require.ErrorIs(t, err, transport.ErrBusy)
	require.LessOrEqual(t, accepted, 5)
	require.ErrorIs(t, conn.Oneway(request(body)), transport.ErrBusy)
	require.False(t, conn.Closed(), "a peer is not cut off for what it was not asked yet")
	var call error
	w.run(func() { _, call = conn.Call(nil, request(body), w.in(time.Second)) })
	require.ErrorIs(t, call, transport.ErrBusy)
}

func TestAPeerThatTakesNoByteIsCutOffAfterTheWriteTimeout(t *testing.T) {
	w := newWorld(t, 1)
	ends := []env.Instant{}
	w.serve(transport.ServerOptions{
		Limits:  transport.Limits{WriteTimeout: 3 * time.Second},
		Handler: transport.HandlerFunc(func(in *transport.Incoming) { in.Reply().Success(make([]byte, 1<<20)) }),
		OnClose: func(*transport.Conn) { ends = append(ends, w.kernel.Now()) },
	})
	peer := w.raw()
	w.run(func() { _ = peer.Write(frame(1, "")) })
	asked := w.kernel.Now()
	w.pass(20 * time.Second)
	require.Len(t, ends, 1)
	require.InDelta(t, float64(3*time.Second), float64(ends[0].Sub(asked)), float64(10*time.Millisecond))
}

func TestASlowPeerThatTakesBytesIsNotCutOff(t *testing.T) {
	const size = 8 << 20
	w := newWorld(t, 1)
	w.serve(transport.ServerOptions{
		Limits:  transport.Limits{WriteTimeout: 3 * time.Second},
		Handler: transport.HandlerFunc(func(in *transport.Incoming) { in.Reply().Success(make([]byte, size)) }),
	})
	peer := w.raw()
	began, taken := w.kernel.Now(), 0
	var err error
	w.run(func() {
		room := make([]byte, 64<<10)
		for err = peer.Write(frame(1, "")); err == nil && taken < size; {
			w.nearEnv.Tasks.Sleep(100 * time.Millisecond)
			var n int
			n, err = peer.Read(room, nil)
			taken += n
		}
	})
	require.NoError(t, err)
	require.Greater(t, w.kernel.Now().Sub(began), 10*time.Second)
}

func TestARequestOverTheFrameLimitIsNotSent(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(echo)
	conn := w.dial(w.client(transport.ClientOptions{}))
	tooLarge := request(string(make([]byte, wire.MaxFrameSize)))
	start := conn.Start(tooLarge, w.in(time.Second), completion(func(*wire.Command, error) { t.Error("completed as well") }))
	oneway := conn.Oneway(tooLarge)
	var call error
	var answer string
	w.run(func() {
		_, call = conn.Call(nil, tooLarge, w.in(time.Second))
		answer = text(conn.Call(nil, request("small"), w.in(time.Second)))
	})
	for _, err := range []error{start, oneway, call} {
		require.ErrorIs(t, err, transport.ErrNotSent)
		require.ErrorIs(t, err, wire.ErrFrameTooLarge)
	}
	require.Equal(t, "small", answer, "the connection is as good as before")
}

func TestAnAnswerOverTheFrameLimitIsAnError(t *testing.T) {
	for _, detached := range []bool{false, true} {
		w := newWorld(t, 1)
		released := 0
		server := w.serveFunc(func(in *transport.Incoming) {
			switch body := make([]byte, wire.MaxFrameSize); {
			case len(in.Command.Body) > 0:
				echo(in)
			case detached:
				in.Reply().SendDetached(proto.RespSuccess, "", nil, body, func() { released++ })
			default:
				in.Reply().Success(body)
			}
		})
		conn := w.dial(w.client(transport.ClientOptions{}))
		var first *wire.Command
		var second string
		w.run(func() {
			first, _ = conn.Call(nil, request(""), w.in(time.Second))
			second = text(conn.Call(nil, request("next"), w.in(time.Second)))
		})
		require.NotNil(t, first)
		require.EqualValues(t, proto.RespSystemError, first.Code)
		require.Contains(t, first.Remark, "too large")
		require.Equal(t, "next", second)
		require.Zero(t, server.Conns()[0].Unanswered())
		if detached {
			require.Equal(t, 1, released)
		}
	}
}

func TestTheLargestFramePassesBothWays(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(echo)
	conn := w.dial(w.client(transport.ClientOptions{}))
	// The headers of both directions have no more than this.
	body := make([]byte, wire.MaxFrameSize-300)
	for i := range body {
		body[i] = byte(i * 31)
	}
	var answer *wire.Command
	var err error
	w.run(func() { answer, err = conn.Call(nil, request(string(body)), w.in(time.Minute)) })
	require.NoError(t, err)
	require.True(t, string(body) == string(answer.Body), "%d bytes came back", len(answer.Body))
}

func TestAFrameOfExactlyTheLimitIsTakenAndOneByteMoreEndsTheConnection(t *testing.T) {
	const limit = 1000
	for _, size := range []int{limit, limit + 1} {
		w := newWorld(t, 1)
		var bodies []int
		server := w.serve(transport.ServerOptions{
			Limits:  transport.Limits{Wire: wire.Limits{Frame: limit}},
			Handler: transport.HandlerFunc(func(in *transport.Incoming) { bodies = append(bodies, len(in.Command.Body)); in.Reply().Success(nil) }),
		})
		peer := w.raw()
		body := size - len(frame(1, ""))
		var err error
		w.run(func() {
			_ = peer.Write(frame(1, string(make([]byte, body))))
			_, err = peer.next()
		})
		if size == limit {
			require.NoError(t, err)
			require.Equal(t, []int{body}, bodies)
			continue
		}
		require.Error(t, err)
		require.Empty(t, bodies)
		require.Empty(t, server.Conns())
	}
}

func TestTheReadBufferIsNotTakenForAFrameOverTheLimit(t *testing.T) {
	w := newWorld(t, 1)
	server := w.serveFunc(echo)
	peer := w.raw()
	var err error
	w.run(func() {
		_ = peer.Write([]byte{0x7f, 0xff, 0xff, 0xff})
		_, err = peer.next()
	})
	require.Error(t, err)
	require.Empty(t, server.Conns())
	require.Equal(t, []int{4096}, w.farWatch.rooms)
}

func TestGarbageEndsTheConnectionAfterTheAnswersBeforeIt(t *testing.T) {
	garbage := map[string][]byte{
		"another protocol":     []byte("GET / HTTP/1.1\r\nHost: broker\r\n\r\n"),
		"an unknown encoding":  {0, 0, 0, 8, 9, 0, 0, 4, 0, 0, 0, 0},
		"a header over a body": {0, 0, 0, 8, 0, 0, 0, 5, '{', '}', 0, 0},
		"a length of zero":     {0, 0, 0, 0, 0, 0, 0, 0},
		"a negative length":    {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0},
		"no JSON":              {0, 0, 0, 8, 0, 0, 0, 4, 'n', 'o', 'n', 'e'},
	}
	for name, bytes := range garbage {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1)
			server := w.serveFunc(echo)
			peer, other := w.raw(), w.raw()
			var answer, answerOfOther string
			var end error
			w.run(func() {
				_ = peer.Write(frame(1, "before"), bytes)
				answer = text(peer.next())
				_, end = peer.next()
				_ = other.Write(frame(1, "other"))
				answerOfOther = text(other.next())
			})
			require.Equal(t, "before", answer)
			require.ErrorIs(t, end, io.EOF)
			require.Equal(t, "other", answerOfOther, "other connections live on")
			require.Len(t, server.Conns(), 1)
		})
	}
}
