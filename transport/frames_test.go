package transport_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPropFramesArriveWholeHoweverTheyAreCut(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sizes := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(0, 100), rapid.IntRange(0, 20_000)), 1, 30).Draw(rt, "body sizes")
		var stream []byte
		want := make([]string, len(sizes))
		for i, size := range sizes {
			want[i] = strings.Repeat(string(rune('a'+i%26)), size)
			stream = append(stream, frame(int32(i), want[i])...)
		}
		cuts := rapid.SliceOfN(rapid.IntRange(0, len(stream)), 0, 20).Draw(rt, "cuts")
		slices.Sort(cuts)
		require.Equal(rt, want, echoed(t, rapid.Uint64().Draw(rt, "seed"), stream, cuts, len(sizes)))
	})
}

// echoed writes a stream in pieces and returns the bodies of the answers.
func echoed(t *testing.T, seed uint64, stream []byte, cuts []int, answers int) []string {
	t.Helper()
	w := newWorld(t, seed)
	defer w.kernel.Close()
	w.serveFunc(echo)
	peer := w.raw()
	var bodies []string
	w.nearEnv.Tasks.Go("write in pieces", func() {
		from := 0
		for _, to := range append(cuts, len(stream)) {
			_ = peer.Write(stream[from:to])
			from = to
			w.nearEnv.Tasks.Sleep(time.Millisecond)
		}
	})
	w.run(func() {
		for range answers {
			bodies = append(bodies, text(peer.next()))
		}
	})
	return bodies
}

func TestCallsSurviveANetworkThatDeliversInPieces(t *testing.T) {
	for seed := range uint64(5) {
		w := newWorld(t, seed)
		links := sim.DefaultLinks()
		links.Pieces, links.Loss, links.Window = 0.7, 0.02, 16<<10
		w.kernel.Network().SetLinks(links)
		w.serveFunc(echo)
		client, sizes := w.client(transport.ClientOptions{}), sim.NewStream(seed)
		wrong := ""
		w.together(8, func(i int) {
			for n := range 10 {
				body := fmt.Sprint(i, n, strings.Repeat("x", sizes.IntN(40_000)))
				if got := text(client.Call(nil, address, request(body), time.Minute)); got != body {
					wrong = fmt.Sprintf("call %d of %d: %.80s", n, i, got)
				}
			}
		})
		require.Empty(t, wrong)
	}
}

// burst is n frames in one piece.
func burst(n int) []byte {
	var all []byte
	for i := range n {
		all = append(all, frame(int32(i), "")...)
	}
	return all
}

func TestAllAnswersToOneReadGoOutInOneWrite(t *testing.T) {
	const requests = 25
	w := newWorld(t, 1)
	served, bursts, written := 0, []int{}, []int{}
	w.serve(transport.ServerOptions{
		Handler:    transport.HandlerFunc(func(in *transport.Incoming) { served++; echo(in) }),
		AfterBurst: func() { bursts, written = append(bursts, served), append(written, len(w.farWatch.writes)) },
	})
	peer := w.raw()
	w.run(func() {
		_ = peer.Write(burst(requests))
		for range requests {
			_, _ = peer.next()
		}
	})
	require.Equal(t, []int{requests}, bursts, "one burst, after all its requests")
	require.Equal(t, []int{0}, written, "and before their answers")
	require.Len(t, w.farWatch.writes, 1)
}

func TestAnswersOfAnotherTaskGoOutTogether(t *testing.T) {
	const requests = 25
	w := newWorld(t, 1)
	kept := &keepReplies{}
	w.serve(transport.ServerOptions{Handler: kept})
	peer := w.raw()
	answered := 0
	w.run(func() {
		_ = peer.Write(burst(requests))
		w.nearEnv.Tasks.Sleep(time.Second)
		w.farEnv.Tasks.Go("answer all", func() {
			for _, reply := range kept.replies {
				reply.Success(nil)
			}
		})
		for range requests {
			if _, err := peer.next(); err == nil {
				answered++
			}
		}
	})
	require.Equal(t, requests, answered)
	require.Len(t, w.farWatch.writes, 1)
}

func TestCallsThatAreMadeTogetherGoOutTogether(t *testing.T) {
	const callers, rounds = 50, 20
	w := newWorld(t, 1)
	w.serveFunc(echo)
	client := w.client(transport.ClientOptions{})
	w.dial(client)
	w.together(callers, func(int) {
		for range rounds {
			_, _ = client.Call(nil, address, request(""), time.Second)
		}
	})
	require.Less(t, len(w.nearWatch.writes), callers*rounds/4)
}

func TestTheReadBufferGrowsWithTheTrafficAndShrinksAfterALargeFrame(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(echo)
	conn := w.dial(w.client(transport.ClientOptions{}))
	call := func(size int) {
		w.run(func() { _, _ = conn.Call(nil, request(string(make([]byte, size))), w.in(time.Minute)) })
	}
	rooms := func() int { return slices.Max(w.farWatch.rooms) }

	for range 10 {
		call(10)
	}
	require.Equal(t, 4<<10, rooms(), "small frames need little")
	call(100 << 10)
	require.Greater(t, rooms(), 90<<10)
	call(5 << 20)
	require.Greater(t, rooms(), 3<<20, "a large frame is read into a buffer of its size")
	w.farWatch.rooms = nil
	for range 3 {
		call(10)
	}
	require.LessOrEqual(t, rooms(), 256<<10, "and the buffer is given back")
}

func TestTheAnnouncementOfALargeFrameTakesLittleMemory(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(echo)
	peer, whole := w.raw(), frame(1, string(make([]byte, 15<<20)))
	w.run(func() { _ = peer.Write(whole[:1000]) })
	w.pass(time.Second)
	require.LessOrEqual(t, slices.Max(w.farWatch.rooms), 256<<10)
}

func TestALargeFrameIsNotReadByteByByte(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(echo)
	conn := w.dial(w.client(transport.ClientOptions{}))
	w.run(func() { _, _ = conn.Call(nil, request(string(make([]byte, 8<<20))), w.in(time.Minute)) })
	require.Less(t, len(w.farWatch.rooms), 200)
}

// A handler that waits must find its request as it was, whatever arrives meanwhile.
func TestARequestKeepsItsBytesWhileItsHandlerWaits(t *testing.T) {
	w := newWorld(t, 1)
	var before, after []string
	w.serveFunc(func(in *transport.Incoming) {
		before = append(before, string(in.Command.Body))
		w.farEnv.Tasks.Sleep(10 * time.Millisecond)
		after = append(after, string(in.Command.Body))
		echo(in)
	})
	client := w.client(transport.ClientOptions{})
	w.together(30, func(i int) {
		_, _ = client.Call(nil, address, request(strings.Repeat(fmt.Sprint(i), 500)), time.Minute)
	})
	require.Len(t, after, 30)
	require.Equal(t, before, after)
}

func TestAnswersOfOthersAreNotHeldUpByAHandlerThatSaysThatItWaits(t *testing.T) {
	w := newWorld(t, 1)
	var kept transport.Reply
	w.serveFunc(func(in *transport.Incoming) {
		if in.Command.Opaque == 0 {
			kept = in.Reply()
			return
		}
		w.farEnv.Tasks.Go("answer the first", func() { kept.Success(nil) })
		burst := in.Conn.BeginWait()
		w.farEnv.Tasks.Sleep(time.Second)
		in.Conn.EndWait(burst)
		in.Reply().Success(nil)
	})
	peer := w.raw()
	began := w.kernel.Now()
	var arrived []time.Duration
	w.run(func() {
		_ = peer.Write(burst(2))
		for range 2 {
			_, _ = peer.next()
			arrived = append(arrived, w.kernel.Now().Sub(began))
		}
	})
	require.Less(t, arrived[0], 100*time.Millisecond)
	require.GreaterOrEqual(t, arrived[1], time.Second)
}

// Another task may say that it waits while the reader is in a burst, and come back when the burst is long over.
func TestAWaitThatOutlivesTheBurstHoldsNothingUp(t *testing.T) {
	w := newWorld(t, 1)
	server := w.serveFunc(func(in *transport.Incoming) {
		conn := in.Conn
		w.farEnv.Tasks.Go("wait for long", func() {
			token := conn.BeginWait()
			w.farEnv.Tasks.Sleep(time.Second)
			conn.EndWait(token)
		})
		// The reader waits as well, so that the other one begins within the burst.
		w.farEnv.Tasks.Sleep(100 * time.Millisecond)
	})
	heard := 0
	conn := w.dial(w.client(transport.ClientOptions{Handler: transport.HandlerFunc(func(*transport.Incoming) { heard++ })}))
	require.NoError(t, conn.Oneway(request("")))
	w.pass(5 * time.Second)
	require.NoError(t, server.Conns()[0].Oneway(request("")))
	w.pass(5 * time.Second)
	require.Equal(t, 1, heard)
}

// The same with a call, which waits for its answer.
func TestACallThatOutlivesABurstHoldsNothingUp(t *testing.T) {
	w := newWorld(t, 1)
	var answer string
	server := w.serveFunc(func(in *transport.Incoming) {
		conn := in.Conn
		w.farEnv.Tasks.Go("call", func() { answer = text(conn.Call(nil, request("slowly"), w.in(time.Minute))) })
		w.farEnv.Tasks.Sleep(100 * time.Millisecond)
	})
	heard := 0
	client := w.client(transport.ClientOptions{Handler: transport.HandlerFunc(func(in *transport.Incoming) {
		heard++
		w.nearEnv.Tasks.Sleep(time.Second)
		echo(in)
	})})
	require.NoError(t, w.dial(client).Oneway(request("")))
	w.pass(5 * time.Second)
	require.Equal(t, "slowly", answer)
	require.NoError(t, server.Conns()[0].Oneway(request("")))
	w.pass(5 * time.Second)
	require.Equal(t, 2, heard)
}

func TestEveryFrameIsAnsweredInTheOrderItCame(t *testing.T) {
	w := newWorld(t, 1)
	w.serveFunc(echo)
	peer := w.raw()
	var opaques []int32
	w.run(func() {
		for from := int32(0); from < 100; from += 10 {
			var piece []byte
			for i := range int32(10) {
				piece = append(piece, frame(from+i, "")...)
			}
			_ = peer.Write(piece)
		}
		for range 100 {
			var answer *wire.Command
			if answer, _ = peer.next(); answer == nil {
				return
			}
			opaques = append(opaques, answer.Opaque)
		}
	})
	require.Len(t, opaques, 100)
	require.True(t, slices.IsSorted(opaques))
}
