package transport_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// answersInAnyOrder keeps requests until there are enough, then answers them in an order of its own.
type answersInAnyOrder struct {
	random *sim.Stream
	enough int
	kept   []func()
}

func (a *answersInAnyOrder) Serve(in *transport.Incoming) {
	reply, body := in.Reply(), string(in.Command.Body)
	a.kept = append(a.kept, func() { reply.Success([]byte("answer to " + body)) })
	if len(a.kept) < a.enough {
		return
	}
	env.Shuffle(a.random, len(a.kept), func(i, j int) { a.kept[i], a.kept[j] = a.kept[j], a.kept[i] })
	for _, answer := range a.kept {
		answer()
	}
	a.kept = nil
}

func TestAnswersFindTheirCallsInAnyOrder(t *testing.T) {
	const callers, rounds = 64, 3
	for seed := range uint64(5) {
		w := newWorld(t, seed)
		server := w.serve(transport.ServerOptions{Handler: &answersInAnyOrder{random: sim.NewStream(seed), enough: callers}})
		client := w.client(transport.ClientOptions{})
		var found, want [callers * rounds]string
		w.together(callers, func(i int) {
			for round := range rounds {
				body := fmt.Sprint("call ", i, " of round ", round)
				want[i*rounds+round] = "answer to " + body
				found[i*rounds+round] = text(client.Call(nil, address, request(body), time.Minute))
			}
		})
		require.Equal(t, want, found)
		require.Zero(t, server.Conns()[0].Unanswered())
		require.Equal(t, 1, w.nearWatch.dials, "all calls share a connection")
	}
}

func TestACallCarriesEverythingAndSoDoesItsAnswer(t *testing.T) {
	for _, encoding := range []wire.Encoding{wire.EncodingJSON, wire.EncodingBinary} {
		t.Run(encoding.String(), func(t *testing.T) {
			w := newWorld(t, 1)
			var got *wire.Command
			w.serveFunc(func(in *transport.Incoming) {
				got = in.Command.Clone()
				in.Reply().SendFields(proto.RespTopicNotExist, "no such \"topic\"", nil, wire.Fields{{Key: []byte("k"), Value: []byte("v")}}, []byte("body"))
			})
			call := &transport.Request{Code: 77, Encoding: encoding, Version: 301, Body: []byte("question")}
			call.Fields.Add("name", "value")
			conn := w.dial(w.client(transport.ClientOptions{}))
			var answer *wire.Command
			var err error
			w.run(func() { answer, err = conn.Call(nil, call, w.in(time.Second)) })
			require.NoError(t, err)

			require.EqualValues(t, 77, got.Code)
			require.EqualValues(t, 301, got.Version)
			require.Equal(t, encoding, got.Encoding)
			require.Equal(t, wire.LanguageGo, got.Language)
			require.Equal(t, "value", got.Fields.String("name"))
			require.Equal(t, "question", string(got.Body))

			require.EqualValues(t, proto.RespTopicNotExist, answer.Code)
			require.Equal(t, encoding, answer.Encoding, "an answer is written as its request was")
			require.Equal(t, got.Opaque, answer.Opaque)
			require.Equal(t, `no such "topic"`, answer.Remark)
			require.Equal(t, "v", answer.Fields.String("k"))
			require.Equal(t, "body", string(answer.Body))
		})
	}
}

func TestAnAnswerBelongsToTheCaller(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(echo)
	client := w.client(transport.ClientOptions{})
	var first *wire.Command
	w.run(func() {
		first, _ = client.Call(nil, address, request("first"), time.Second)
		for range 5 {
			_, _ = client.Call(nil, address, request("overwritten"), time.Second)
		}
	})
	require.Equal(t, "first", string(first.Body), "the read buffer was used again")
}

func TestAnErrorCodeIsAnErrorOfTheClientsCall(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(func(in *transport.Incoming) { in.Reply().Error(proto.RespNoPermission, "not yours") })
	client := w.client(transport.ClientOptions{})
	var err error
	w.run(func() { _, err = client.Call(nil, address, request(""), time.Second) })
	var refused *transport.ResponseError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, transport.ResponseError{Request: proto.ReqSendMessage, Code: proto.RespNoPermission, Remark: "not yours", Address: address}, *refused)
	require.False(t, transport.MaybeCarriedOut(err))
}

func TestAPeerWithoutAHandlerSaysThatItServesNothing(t *testing.T) {
	w := newWorld(t, 1)
	w.serve(transport.ServerOptions{})
	conn := w.dial(w.client(transport.ClientOptions{}))
	var answer *wire.Command
	var err error
	w.run(func() { answer, err = conn.Call(nil, request(""), w.in(time.Second)) })
	require.NoError(t, err)
	require.EqualValues(t, proto.RespRequestCodeNotSupported, answer.Code)
}

func TestBothEndsMayCall(t *testing.T) {
	w := newWorld(t, 1)
	server := w.serveFunc(echo)
	client := w.client(transport.ClientOptions{Handler: transport.HandlerFunc(func(in *transport.Incoming) {
		in.Reply().Success([]byte("client heard " + string(in.Command.Body)))
	})})
	w.dial(client)
	var answer string
	w.on(w.farEnv, func() { answer = text(server.Conns()[0].Call(nil, request("hello"), w.in(time.Second))) })
	require.Equal(t, "client heard hello", answer)
}

func TestAOnewayRequestIsServedAndGetsNoAnswer(t *testing.T) {
	w := newWorld(t, 1)
	var served []string
	var alive []bool
	server := w.serveFunc(func(in *transport.Incoming) {
		served, alive = append(served, string(in.Command.Body)), append(alive, in.Reply().Alive())
		in.Reply().Success(in.Command.Body)
	})
	peer := w.raw()
	var first *wire.Command
	var err error
	w.run(func() {
		_ = peer.Write(frameOf(wire.Header{Opaque: 1, Flags: wire.FlagOneway}, "one-way"), frame(2, "with answer"))
		first, err = peer.next()
	})
	require.NoError(t, err)
	require.Equal(t, []string{"one-way", "with answer"}, served)
	require.Equal(t, []bool{false, true}, alive)
	require.EqualValues(t, 2, first.Opaque, "the one-way request was answered")
	require.Zero(t, server.Conns()[0].Unanswered())
}

func TestOnewayReturnsBeforeThePeerHasIt(t *testing.T) {
	w := newWorld(t, 1)
	served := 0
	w.serveFunc(func(in *transport.Incoming) {
		served++
		if !in.Command.IsOneway() {
			served = -100
		}
	})
	client := w.client(transport.ClientOptions{})
	conn := w.dial(client)
	require.NoError(t, conn.Oneway(request("a")), "it does not wait, so it needs no task")
	var err error
	w.run(func() { err = client.Oneway(nil, address, request("b"), time.Second) })
	require.NoError(t, err)
	w.pass(time.Second)
	require.Equal(t, 2, served)
}

func TestACallEndsAtItsDeadline(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(silent)
	conn := w.dial(w.client(transport.ClientOptions{}))
	deadline := w.in(time.Second)
	var err error
	w.run(func() { _, err = conn.Call(nil, request(""), deadline) })
	require.ErrorIs(t, err, transport.ErrTimeout)
	require.True(t, transport.MaybeCarriedOut(err))
	require.Equal(t, deadline, w.kernel.Now())
	require.False(t, conn.Closed(), "others may still use it")
}

func TestTheTimeoutOfAClientCoversTheConnecting(t *testing.T) {
	w := newWorld(t, 1)
	w.kernel.Network().Block(w.far, w.near)
	client := w.client(transport.ClientOptions{})
	began := w.kernel.Now()
	var err error
	w.run(func() { _, err = client.Call(nil, address, request(""), time.Second) })
	require.ErrorIs(t, err, transport.ErrNotSent)
	require.ErrorIs(t, err, env.ErrDeadline)
	require.False(t, transport.MaybeCarriedOut(err))
	require.Equal(t, time.Second, w.kernel.Now().Sub(began))
}

// A peer that reads nothing must not make a call last longer than its caller wants to wait.
func TestACallThatCannotBeWrittenEndsAtItsDeadline(t *testing.T) {
	w := newWorld(t, 1)
	w.accept(func(peer *rawPeer) { w.farEnv.Tasks.Sleep(time.Hour) })
	conn := w.dial(w.client(transport.ClientOptions{}))
	began := w.kernel.Now()
	var err error
	w.run(func() { _, err = conn.Call(nil, request(string(make([]byte, 1<<20))), w.in(time.Second)) })
	require.ErrorIs(t, err, transport.ErrTimeout)
	require.Equal(t, time.Second, w.kernel.Now().Sub(began))
}

func TestACancelledCallThatCannotBeWrittenEndsAtOnce(t *testing.T) {
	w := newWorld(t, 1)
	w.accept(func(peer *rawPeer) { w.farEnv.Tasks.Sleep(time.Hour) })
	conn := w.dial(w.client(transport.ClientOptions{}))
	call := env.NewCall(env.Never, nil)
	w.kernel.After(time.Second, func() { call.Cancel(context.Canceled) })
	began := w.kernel.Now()
	var err error
	w.run(func() { _, err = conn.Call(call, request(string(make([]byte, 1<<20))), w.in(time.Minute)) })
	require.ErrorIs(t, err, transport.ErrCancelled)
	require.Equal(t, time.Second, w.kernel.Now().Sub(began))
}

func TestALateAnswerIsDropped(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(func(in *transport.Incoming) {
		if string(in.Command.Body) == "slow" {
			w.farEnv.Tasks.Sleep(2 * time.Second)
		}
		echo(in)
	})
	conn := w.dial(w.client(transport.ClientOptions{}))
	var late error
	var answer string
	w.run(func() {
		_, late = conn.Call(nil, request("slow"), w.in(time.Second))
		answer = text(conn.Call(nil, request("quick"), w.in(10*time.Second)))
	})
	require.ErrorIs(t, late, transport.ErrTimeout)
	require.Equal(t, "quick", answer)
}

func TestAnAnswerThatNobodyAskedForIsDropped(t *testing.T) {
	w := newWorld(t, 1)
	w.accept(func(peer *rawPeer) {
		question, err := peer.next()
		if err != nil {
			return
		}
		stranger := &wire.Command{Header: wire.Header{Opaque: question.Opaque + 1000}}
		_ = peer.Write(answerTo(stranger, "wrong"), answerTo(question, "right"), answerTo(question, "twice"))
		_, _ = peer.next()
	})
	conn := w.dial(w.client(transport.ClientOptions{}))
	var answer string
	w.run(func() { answer = text(conn.Call(nil, request(""), w.in(time.Second))) })
	require.Equal(t, "right", answer)
	w.pass(time.Second)
	require.False(t, conn.Closed())
}

func TestACancelledCallEndsAtOnce(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(silent)
	conn := w.dial(w.client(transport.ClientOptions{}))
	call, reason := env.NewCall(env.Never, nil), errors.New("the user pressed stop")
	w.kernel.After(time.Second, func() { call.Cancel(reason) })
	began := w.kernel.Now()
	var err error
	w.run(func() { _, err = conn.Call(call, request(""), w.in(time.Minute)) })
	require.ErrorIs(t, err, transport.ErrCancelled)
	require.ErrorIs(t, err, reason)
	require.True(t, transport.MaybeCarriedOut(err))
	require.Equal(t, time.Second, w.kernel.Now().Sub(began))
}

func TestTheDeadlineOfTheVisitorCountsToo(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(silent)
	conn := w.dial(w.client(transport.ClientOptions{}))
	call := env.NewCall(w.in(time.Second), nil)
	began := w.kernel.Now()
	var err error
	w.run(func() { _, err = conn.Call(call, request(""), w.in(time.Minute)) })
	require.ErrorIs(t, err, transport.ErrTimeout)
	require.Equal(t, time.Second, w.kernel.Now().Sub(began))
}

func TestStartedCallsEndSoonAfterTheirDeadlinesInOrder(t *testing.T) {
	const calls = 20
	w := newWorld(t, 1)
	w.serveFunc(silent)
	conn := w.dial(w.client(transport.ClientOptions{}))
	began := w.kernel.Now()
	var ended []int
	var errs []error
	var lateness []time.Duration
	for i := range calls {
		deadline := began.Add(time.Duration(i+1) * 30 * time.Millisecond)
		require.NoError(t, conn.Start(request(""), deadline, completion(func(_ *wire.Command, err error) {
			ended, errs = append(ended, i), append(errs, err)
			lateness = append(lateness, w.kernel.Now().Sub(deadline))
		})))
	}
	w.pass(10 * time.Second)
	require.Len(t, ended, calls)
	for i := range calls {
		require.Equal(t, i, ended[i])
		require.ErrorIs(t, errs[i], transport.ErrTimeout)
		require.GreaterOrEqual(t, lateness[i], time.Duration(0))
		require.Less(t, lateness[i], 110*time.Millisecond)
	}
	require.NotContains(t, w.near.TaskNames(), "expire calls", "nothing is left to watch")
}

func TestDeadlinesAreWatchedAgainAfterAQuietTime(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(silent)
	conn := w.dial(w.client(transport.ClientOptions{}))
	for range 3 {
		var got error
		require.NoError(t, conn.Start(request(""), w.in(time.Second), completion(func(_ *wire.Command, err error) { got = err })))
		w.pass(5 * time.Second)
		require.ErrorIs(t, got, transport.ErrTimeout)
	}
}

func TestACompletionMayCloseTheConnectionWhenItsTimeIsUp(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(silent)
	conn := w.dial(w.client(transport.ClientOptions{}))
	var ended []error
	for range 3 {
		require.NoError(t, conn.Start(request(""), w.in(time.Second), completion(func(_ *wire.Command, err error) {
			ended = append(ended, err)
			conn.Close()
		})))
	}
	w.pass(5 * time.Second)
	require.Len(t, ended, 3, "each call ends once")
	require.Equal(t, []bool{true, false, false}, errorsAre(ended, transport.ErrTimeout))
	require.Equal(t, []bool{false, true, true}, errorsAre(ended, transport.ErrClosed))
}

func TestACompletionMayStartTheNextCall(t *testing.T) {
	const calls = 50
	w := newWorld(t, 1)
	w.serveFunc(echo)
	conn := w.dial(w.client(transport.ClientOptions{}))
	var answers []string
	var failed error
	var start func(i int)
	start = func(i int) {
		err := conn.Start(request(fmt.Sprint(i)), w.in(time.Second), completion(func(response *wire.Command, err error) {
			answers = append(answers, text(response, err))
			if i+1 < calls {
				start(i + 1)
			}
		}))
		failed = errors.Join(failed, err)
	}
	start(0)
	w.pass(time.Second)
	require.NoError(t, failed)
	require.Len(t, answers, calls)
	require.Equal(t, "49", answers[calls-1])
}

// Each end has more to write than the other's window takes. If both stopped reading to write, neither
// would ever go on.
func TestTwoEndsThatWriteMuchDoNotWaitForEachOther(t *testing.T) {
	const calls = 60
	for seed := range uint64(6) {
		w := newWorld(t, seed)
		w.serveFunc(echo)
		conn, sizes := w.dial(w.client(transport.ClientOptions{})), sim.NewStream(seed)
		started, answered := 0, 0
		var failed []error
		var start func()
		start = func() {
			started++
			question := request(string(make([]byte, sizes.IntN(1<<20))))
			err := conn.Start(question, w.in(time.Minute), completion(func(_ *wire.Command, err error) {
				if err != nil {
					failed = append(failed, err)
				} else if answered++; started < calls {
					start()
				}
			}))
			if err != nil {
				failed = append(failed, err)
			}
		}
		began := w.kernel.Now()
		for range 1 + sizes.IntN(8) {
			start()
		}
		w.kernel.Run(w.in(2*time.Minute), func() bool { return answered == calls || len(failed) > 0 })
		require.Empty(t, failed)
		require.Equal(t, calls, answered)
		require.Less(t, w.kernel.Now().Sub(began), 10*time.Second, "seed %d", seed)
	}
}

// A caller that writes for the others as well must not do so for ever.
func TestACallReturnsSoonAfterItsAnswer(t *testing.T) {
	const callers = 32
	w := newWorld(t, 1)
	w.serveFunc(echo)
	client := w.client(transport.ClientOptions{})
	w.dial(client)
	body, longest := string(make([]byte, 32<<10)), time.Duration(0)
	w.together(callers, func(int) {
		for range 60 {
			began := w.kernel.Now()
			_, _ = client.Call(nil, address, request(body), time.Minute)
			longest = max(longest, w.kernel.Now().Sub(began))
		}
	})
	require.Less(t, longest, 20*time.Millisecond)
}
