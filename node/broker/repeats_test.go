package broker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// numbered gives a send a producer and a sequence.
func numbered(request *transport.Request, sequence int64) *transport.Request {
	header := (*proto.SendMessage)(request.Header.(*proto.SendMessageShort))
	header.Producer, header.Sequence = [16]byte([]byte("0123456789abcdef")), sequence
	return request
}

// place is what an answer says of where a message is.
func place(response *wire.Command) string {
	f := response.Fields
	return fmt.Sprint(f.String("msgId"), " queue ", f.String("queueId"), " at ", f.String("queueOffset"), " ", f.String("transactionId"), f.String("recallHandle"), f.String("batchUniqId"), f.String("gantryQueueOffsets"))
}

// isRepeat makes a send that must be answered as the first one was.
func (w *world) isRepeat(first *wire.Command, request *transport.Request) {
	w.t.Helper()
	again := w.succeeds(request)
	require.Equal(w.t, place(first), place(again))
	require.Equal(w.t, "true", again.Fields.String("gantryRepeat"))
}

func TestASendThatComesAgainIsAnsweredWithThePlaceOfTheFirst(t *testing.T) {
	w := newWorld(t)
	w.fillQueue("orders", 1, 3)
	first := w.succeeds(numbered(sendRequest("orders", 1, "one", "UNIQ_KEY\x01k1\x02"), 7))
	require.Empty(t, first.Fields.String("gantryRepeat"))
	w.fillQueue("orders", 1, 2)
	w.isRepeat(first, numbered(sendRequest("orders", 1, "one", "UNIQ_KEY\x01k1\x02"), 7))
	w.isRepeat(first, numbered(sendRequest("orders", 3, "another body", "UNIQ_KEY\x01k2\x02"), 7))
	require.Equal(t, "6", w.end("orders", 1))
	require.Equal(t, "0", w.end("orders", 3))
	w.refused(numbered(sendRequest("bills", 1, "one", ""), 7), proto.RespIllegalOperation, "another topic than bills")
	w.succeeds(numbered(sendRequest("orders", 1, "two", ""), 8))
	require.Equal(t, "7", w.end("orders", 1))
}

func TestASendThatComesAgainIsKnownAfterAnyRestart(t *testing.T) {
	for name, between := range map[string]func(w *world){
		"a kill":            func(w *world) { w.restart(sim.KillProcess) },
		"a loss of power":   func(w *world) { w.restart(sim.PowerLoss) },
		"an orderly one":    func(w *world) { w.close(); w.machine.Shutdown(); w.start() },
		"a kill long after": func(w *world) { w.pass(time.Minute); w.restart(sim.KillProcess) },
		"one without the file": func(w *world) {
			w.pass(time.Minute)
			w.machine.Crash(sim.KillProcess)
			w.remove("config/recentSends")
			w.start()
		},
		"one with a damaged file": func(w *world) { w.machine.Crash(sim.KillProcess); w.write("config/recentSends", "nonsense"); w.start() },
		"one with the file of another": func(w *world) {
			w.machine.Crash(sim.KillProcess)
			w.write("config/recentSends", foreignSends(w.t))
			w.start()
		},
		"two": func(w *world) { w.restart(sim.KillProcess); w.restart(sim.PowerLoss) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.succeeds(numbered(sendRequest("orders", 0, "one", ""), 1))
			early := w.succeeds(numbered(sendRequest("orders", 0, "two", ""), 2))
			w.pass(11 * time.Second)
			late := w.succeeds(numbered(sendRequest("orders", 1, "three", ""), 3))
			between(w)
			w.isRepeat(early, numbered(sendRequest("orders", 0, "two", ""), 2))
			w.isRepeat(late, numbered(sendRequest("orders", 1, "three", ""), 3))
			require.Equal(t, "2", w.end("orders", 0))
		})
	}
}

// remove takes a file from the disk of a broker that does not run, durably.
func (w *world) remove(name string) {
	w.t.Helper()
	e := w.machine.Boot("setup")
	done := false
	e.Tasks.Go("remove", func() {
		require.NoError(w.t, e.Disk.Remove(name))
		require.NoError(w.t, e.Disk.SyncDir("config"))
		done = true
	})
	w.kernel.Run(w.kernel.Now().Add(time.Minute), func() bool { return done })
	w.machine.Shutdown()
}

// foreignSends is a file of a broker whose log is longer.
func foreignSends(t *testing.T) string {
	t.Helper()
	other := newWorld(t)
	other.fillQueue("orders", 0, 100)
	other.succeeds(numbered(sendRequest("orders", 0, "x", ""), 2))
	other.pass(11 * time.Second)
	return other.file("config/recentSends")
}

func TestAFileThatIsAheadOfTheLogIsReplacedBeforeTheLogOvertakesIt(t *testing.T) {
	w := newWorld(t)
	w.machine.Crash(sim.KillProcess)
	w.write("config/recentSends", foreignSends(t))
	w.start()
	require.Equal(t, 1, w.logged.FilterMessageSnippet("recent sends are read from the log alone").Len())
	w.fillQueue("orders", 0, 200)
	w.restart(sim.PowerLoss)
	w.succeeds(numbered(sendRequest("orders", 0, "mine", ""), 2))
	require.Equal(t, "201", w.end("orders", 0))
	require.Zero(t, w.logged.FilterMessageSnippet("recent sends").Len())
}

func TestTwoAtOnceAreStoredOnceAndAnsweredAlike(t *testing.T) {
	w := newWorld(t)
	w.fillQueue("orders", 0, 1)
	w.slowDisk(time.Second)
	answers := []**wire.Command{w.begin(numbered(sendRequest("orders", 0, "one", ""), 1)), w.begin(numbered(sendRequest("orders", 2, "one", ""), 1))}
	w.pass(500 * time.Millisecond)
	require.Nil(t, *answers[0], "nothing is durable yet")
	require.Nil(t, *answers[1])
	w.pass(time.Minute)
	require.NotNil(t, *answers[0])
	require.NotNil(t, *answers[1])
	require.Equal(t, place(*answers[0]), place(*answers[1]))
	// Which of them came first is drawn.
	require.Contains(t, []string{"2 0", "1 1"}, w.end("orders", 0)+" "+w.end("orders", 2))
}

func TestARepeatIsToldWhatTheFirstWasTold(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.Store.FlushTimeout = time.Second })
	w.fillQueue("orders", 0, 1)
	w.slowDisk(10 * time.Second)
	first := w.call(numbered(sendRequest("orders", 0, "one", ""), 1))
	require.EqualValues(t, proto.RespFlushDiskTimeout, first.Code)
	again := w.call(numbered(sendRequest("orders", 0, "one", ""), 1))
	require.EqualValues(t, proto.RespFlushDiskTimeout, again.Code, "it is not durable yet")
	require.Equal(t, place(first), place(again))
	w.pass(time.Minute)
	w.isRepeat(first, numbered(sendRequest("orders", 0, "one", ""), 1))
}

func TestARefusedSendIsNotKnown(t *testing.T) {
	w := newWorld(t)
	w.fillQueue("orders", 0, 1)
	o := w.machine.Disk().Options()
	full := o
	full.Full = true
	w.machine.Disk().SetOptions(full)
	body := strings.Repeat("x", 60<<10)
	for n := int64(1); ; n++ {
		response := w.call(numbered(sendRequest("orders", 0, body, ""), n))
		if response.Code == proto.RespSuccess {
			continue
		}
		require.EqualValues(t, proto.RespServiceNotAvailable, response.Code, response.Remark)
		w.machine.Disk().SetOptions(o)
		w.pass(time.Minute)
		stored := w.succeeds(numbered(sendRequest("orders", 0, body, ""), n))
		require.Empty(t, stored.Fields.String("gantryRepeat"))
		require.Equal(t, fmt.Sprint(n), stored.Fields.String("queueOffset"))
		return
	}
}

func TestASendBelowTheWindowIsRefused(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.RepeatWindow = 3 })
	var last *wire.Command
	for n := range int64(5) {
		last = w.succeeds(numbered(sendRequest("orders", 0, "x", ""), n+1))
	}
	w.refused(numbered(sendRequest("orders", 0, "x", ""), 2), proto.RespIllegalOperation, "below the window of 3 sends")
	w.isRepeat(last, numbered(sendRequest("orders", 0, "x", ""), 5))
	w.restart(sim.KillProcess)
	w.refused(numbered(sendRequest("orders", 0, "x", ""), 2), proto.RespIllegalOperation, "below the window of 3 sends")
	require.Equal(t, "5", w.end("orders", 0))
	w.isRepeat(last, numbered(sendRequest("orders", 0, "x", ""), 5))
	w.refused(numbered(batchRequest(t, "orders", "", "", "", ""), 6), proto.RespMessageIllegal, "repeatWindow 3")
	s := w.measured()
	requireValue(t, 1, s, "gantry_repeats_below_window_total")
	requireValue(t, 2, s, "gantry_repeats_refused_total")
	requireValue(t, 1, s, "gantry_repeats_known_total")
	requireValue(t, 1, s, "gantry_repeats_producers")
	requireValue(t, 3, s, "gantry_repeats_sends")
	requireValue(t, 0, s, "gantry_repeats_producers_pushed_total")
}

func TestMessagesThatWaitAreKnownToo(t *testing.T) {
	for name, properties := range map[string]string{
		"for a level": "DELAY\x012\x02", "for a time": "TIMER_DELAY_MS\x0120000\x02", "for the end of a transaction": "TRAN_MSG\x01true\x02PGROUP\x01p\x02",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fillQueue("orders", 2, 1)
			request := func() *transport.Request { return numbered(sendRequest("orders", 2, "one", properties), 1) }
			first := w.succeeds(request())
			w.isRepeat(first, request())
			w.restart(sim.KillProcess)
			w.isRepeat(first, request())
			w.pass(time.Minute)
			w.isRepeat(first, request())
			w.restart(sim.KillProcess)
			w.isRepeat(first, request())
			if properties[0] != 'T' || strings.HasPrefix(properties, "TIMER") {
				require.Equal(t, "2", w.end("orders", 2), "it is delivered, once")
				require.NotContains(t, string(w.call(pullRequest("orders", 2, 1, 0, "*")).Body), message.PropertySent, "the copy is nothing that was sent")
			}
		})
	}
}

func TestABatchIsKnownAsAWhole(t *testing.T) {
	w := newWorld(t)
	w.batchTopic("parcels")
	inner := w.succeeds(numbered(identified(batchRequest(t, "parcels", "", "", ""), ""), 50))
	first := w.succeeds(numbered(batchRequest(t, "orders", "", "", ""), 1))
	next := w.succeeds(numbered(sendRequest("orders", 0, "x", ""), 4))
	for range 2 {
		w.isRepeat(first, numbered(batchRequest(t, "orders", "", "", ""), 1))
		w.isRepeat(next, numbered(sendRequest("orders", 0, "x", ""), 4))
		w.isRepeat(inner, numbered(identified(batchRequest(t, "parcels", "", "", ""), ""), 50))
		require.Equal(t, "3", w.end("parcels", 0))
		w.restart(sim.KillProcess)
	}
}

func TestABatchThatACrashHasPartedIsCompleted(t *testing.T) {
	w := newWorld(t)
	// The first two are there, as a crash leaves them: records of their own.
	one := w.succeeds(numbered(sendRequest("orders", 0, "x", "UNIQ_KEY\x01k1\x02"), 1))
	two := w.succeeds(numbered(sendRequest("orders", 0, "x", ""), 2))
	w.fillQueue("orders", 0, 3)
	rest := numbered(batchRequest(t, "orders", "UNIQ_KEY\x01k1\x02", "", "", ""), 1)
	(*proto.SendMessage)(rest.Header.(*proto.SendMessageShort)).QueueID = 2
	whole := w.succeeds(rest)
	require.Equal(t, "0", whole.Fields.String("queueId"), "it stays together, wherever the second try went")
	require.Equal(t, "0,1,5,6", whole.Fields.String("gantryQueueOffsets"))
	require.True(t, strings.HasPrefix(whole.Fields.String("msgId"), one.Fields.String("msgId")+","+two.Fields.String("msgId")+","))
	require.Equal(t, "7", w.end("orders", 0))
	w.isRepeat(whole, numbered(batchRequest(t, "orders", "", "", "", ""), 1))
	w.restart(sim.KillProcess)
	w.isRepeat(whole, numbered(batchRequest(t, "orders", "", "", "", ""), 1))
	w.succeeds(numbered(sendRequest("orders", 0, "x", ""), 9))
	w.refused(numbered(batchRequest(t, "orders", "", "", ""), 8), proto.RespIllegalOperation, "a sequence of its own")
}

func TestWhatAClientSendsOnIsAnotherMessage(t *testing.T) {
	w := newWorld(t)
	w.succeeds(numbered(sendRequest("orders", 0, "one", ""), 1))
	record := string(w.call(pullRequest("orders", 0, 0, 0, "*")).Body)
	at := strings.Index(record, message.PropertySent)
	require.Positive(t, at)
	sent := record[at : strings.IndexByte(record[at:], 2)+at+1]
	require.Equal(t, message.PropertySent+"\x01"+"30313233343536373839616263646566-1\x02", sent)
	w.succeeds(sendRequest("orders", 0, "two", sent))
	w.restart(sim.KillProcess)
	w.succeeds(sendRequest("orders", 0, "three", sent))
	require.Equal(t, "3", w.end("orders", 0))
	require.Equal(t, 1, strings.Count(string(w.call(pullRequest("orders", 0, 0, 0, "*")).Body), message.PropertySent))
}

func TestAProducerThatCannotBeReadIsRefused(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*proto.SendMessage){
		"no producer":         func(h *proto.SendMessage) { h.Producer = [16]byte{} },
		"a negative sequence": func(h *proto.SendMessage) { h.Sequence = -2 },
		"a huge one":          func(h *proto.SendMessage) { h.Sequence = 1<<62 + 1 },
	} {
		t.Log(name)
		request := numbered(sendRequest("orders", 0, "x", ""), 1)
		change((*proto.SendMessage)(request.Header.(*proto.SendMessageShort)))
		w.refused(request, proto.RespInvalidParameter, "gantrySequence")
	}
}

func TestWithoutRepeatsSequencesSayNothing(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.RepeatsOff = true })
	for range 2 {
		w.succeeds(numbered(sendRequest("orders", 0, "one", ""), 1))
	}
	require.Equal(t, "2", w.end("orders", 0))
	require.Empty(t, w.succeeds(heartbeat("one", "g", nil)).Fields.String("gantrySendWindow"))
	w = newWorld(t)
	require.Equal(t, "4096", w.succeeds(heartbeat("one", "g", nil)).Fields.String("gantrySendWindow"))
}

// A broker that does not have the file looks for the newest sends only: a log has more than that.
func TestOnlyTheNewestFilesOfTheLogAreReadForRecentSends(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) {
		o.RepeatsFor, o.Store.LogSegmentSize, o.Store.BodySizeMax = time.Minute, 150<<10, 20<<10
	})
	old := func() { w.succeeds(sendRequest("orders", 0, strings.Repeat("x", 19<<10), "")) }
	w.succeeds(numbered(sendRequest("orders", 1, "old", ""), 1))
	for range 20 {
		old()
		w.pass(20 * time.Second)
	}
	late := w.succeeds(numbered(sendRequest("orders", 1, "late", ""), 2))
	w.machine.Crash(sim.KillProcess)
	w.remove("config/recentSends")
	w.start()
	w.isRepeat(late, numbered(sendRequest("orders", 1, "late", ""), 2))
	w.succeeds(numbered(sendRequest("orders", 1, "old", ""), 1))
	require.Equal(t, "3", w.end("orders", 1), "the first one is older than is promised, and was not read")
}

func TestAsynchronouslyFlushedSendsAreKnownWithTheLog(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.Store.Flush, o.Store.FlushEvery = store.AsyncFlush, time.Hour })
	first := w.succeeds(numbered(sendRequest("orders", 0, "one", ""), 1))
	w.restart(sim.KillProcess)
	w.isRepeat(first, numbered(sendRequest("orders", 0, "one", ""), 1))
}
