package broker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// records are all messages of a queue.
func (w *world) records(topic string, queue int32) (all []*message.Record) {
	w.t.Helper()
	response := w.call(pullRequest(topic, queue, 0, 0, "*"))
	if response.Code == proto.RespSuccess {
		for r, err := range message.DecodeRecords(response.Body, true) {
			require.NoError(w.t, err)
			all = append(all, r.Clone())
		}
	}
	return all
}

// delayed sends a message with a delay level.
func (w *world) delayed(body string, level int) {
	w.t.Helper()
	w.succeeds(sendRequest("orders", 1, body, fmt.Sprintf("DELAY\x01%d\x02KEYS\x01k\x02", level)))
}

func TestADelayedMessageIsDeliveredWhenItsLevelSays(t *testing.T) {
	w := newWorld(t)
	w.delayed("soon", 1)
	w.delayed("later", 2)
	w.pass(900 * time.Millisecond)
	require.Empty(t, w.records("orders", 1))
	w.pass(200 * time.Millisecond)
	got := w.records("orders", 1)
	require.Len(t, got, 1)
	require.Equal(t, "soon", string(got[0].Body))
	require.Empty(t, message.PropertyString(got[0].Properties, "DELAY"))
	require.Equal(t, "k", message.PropertyString(got[0].Properties, "KEYS"))
	require.Equal(t, "orders", message.PropertyString(got[0].Properties, "REAL_TOPIC"))
	require.Equal(t, 1, strings.Count(string(got[0].Properties), "__CRC32#"))
	w.pass(3700 * time.Millisecond)
	require.Len(t, w.records("orders", 1), 1)
	w.pass(300 * time.Millisecond)
	require.Len(t, w.records("orders", 1), 2)
}

func TestALevelBeyondTheLastOneIsTheLastOneAndNoneIsNoDelay(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.Store.DelayLevels = []time.Duration{time.Second, 3 * time.Second} })
	w.delayed("a", 99)
	w.delayed("b", 0)
	w.delayed("c", -7)
	require.Len(t, w.records("orders", 1), 2)
	w.pass(3100 * time.Millisecond)
	require.Len(t, w.records("orders", 1), 3)
}

// Every point at which the broker may die: nothing is lost, and nothing delivered twice.
func TestADelayedMessageIsDeliveredOnceWhereverTheBrokerDies(t *testing.T) {
	for _, flush := range []store.FlushMode{store.SyncFlush, store.AsyncFlush} {
		for at := 0; at < 40; at++ {
			w := newWorld(t, func(o *broker.Options) { o.Store.Flush = flush })
			for n := range 10 {
				w.delayed(fmt.Sprint(n), 1)
			}
			w.pass(950*time.Millisecond + time.Duration(at)*5*time.Millisecond)
			style := sim.PowerLoss
			if flush == store.AsyncFlush {
				style = sim.KillProcess
			}
			w.restart(style)
			w.pass(12 * time.Second) // the cursors are saved in it
			w.restart(style)
			w.pass(3 * time.Second)
			var bodies []string
			for _, r := range w.records("orders", 1) {
				bodies = append(bodies, string(r.Body))
			}
			require.Equal(t, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, bodies, "%v, %d", flush, at)
		}
	}
}

func TestWithoutTheFileOfTheCursorsTheLogTellsWhatWasDelivered(t *testing.T) {
	w := newWorld(t)
	w.delayed("a", 1)
	w.pass(2 * time.Second)
	w.delayed("b", 1)
	w.close()
	w.machine.Crash(sim.KillProcess)
	require.Contains(t, w.file("config/delayOffset.json"), `"offsetTable":{"1":1,`)
	w.write("config/delayOffset.json", "")
	w.start()
	w.pass(2 * time.Second)
	require.Len(t, w.records("orders", 1), 2)
}

func TestTheCursorsOfAJavaBrokerAreTakenOver(t *testing.T) {
	w := newWorld(t)
	w.delayed("a", 1)
	w.delayed("b", 1)
	w.close()
	w.machine.Crash(sim.KillProcess)
	w.write("config/delayOffset.json", `{"dataVersion":{"counter":1,"timestamp":7,"stateVersion":0},"offsetTable":{1:1,18:0}}`)
	w.start()
	w.pass(2 * time.Second)
	got := w.records("orders", 1)
	require.Len(t, got, 1)
	require.Equal(t, "b", string(got[0].Body))
}

func TestACalendarThatJumpsBackKeepsNobodyWaitingForLongerThanTheLevel(t *testing.T) {
	w := newWorld(t)
	w.delayed("a", 2)
	w.machine.StepWall(-time.Hour)
	w.pass(6 * time.Second)
	require.Len(t, w.records("orders", 1), 1)
}

func TestADelayedMessageOfATopicThatWasDeletedIsGoneAndHoldsUpNoOther(t *testing.T) {
	w := newWorld(t)
	w.delayed("a", 1)
	w.succeeds(deleteTopicRequest("orders"))
	w.succeeds(sendRequest("bills", 0, "b", "DELAY\x011\x02"))
	w.pass(2 * time.Second)
	require.Len(t, w.records("bills", 0), 1)
	require.NotContains(t, w.topicTable(), "orders")
}

// A table that became shorter: what waits for the levels that are gone is delivered, and once, also when they are back.
func TestMessagesOfLevelsThatAreGoneAreDelivered(t *testing.T) {
	longer := []time.Duration{time.Second, 2 * time.Second, 30 * time.Second}
	w := newWorld(t, func(o *broker.Options) { o.Store.DelayLevels = longer })
	w.delayed("delivered", 2)
	w.delayed("waits", 3)
	w.pass(12 * time.Second) // the cursors are saved in it
	require.Equal(t, []string{"delivered"}, w.bodiesOf("orders", 1))
	w.options.Store.DelayLevels = longer[:1]
	w.restart(sim.KillProcess)
	w.pass(2 * time.Second)
	require.Equal(t, []string{"delivered", "waits"}, w.bodiesOf("orders", 1), "as if it waited for the last level")
	w.delayed("capped", 3)
	w.pass(11 * time.Second)
	require.Contains(t, w.file("config/delayOffset.json"), `"offsetTable":{"1":1,"2":1,"3":1}`)
	w.options.Store.DelayLevels = longer
	w.restart(sim.PowerLoss)
	w.delayed("new", 3)
	w.pass(29 * time.Second)
	require.Equal(t, []string{"delivered", "waits", "capped"}, w.bodiesOf("orders", 1))
	w.pass(2 * time.Second)
	require.Equal(t, []string{"delivered", "waits", "capped", "new"}, w.bodiesOf("orders", 1))
}

// The broker dies after a delivery, and is back at a time that is before that; then the cursors are saved, and it is started once more.
func TestADelayedMessageIsDeliveredOnceWhenTheCalendarWasSetBackAtAStart(t *testing.T) {
	w := newWorld(t)
	for _, body := range []string{"a", "b"} {
		w.delayed(body, 2)
	}
	w.pass(5200 * time.Millisecond)
	require.Len(t, w.records("orders", 1), 2)
	w.machine.Crash(sim.KillProcess)
	w.machine.StepWall(-3 * time.Second)
	w.start()
	w.pass(500 * time.Millisecond)
	w.close()
	w.machine.Crash(sim.KillProcess)
	require.Contains(t, w.file("config/delayOffset.json"), `"2":2,`, "what was delivered waits for nothing")
	w.start()
	w.pass(10 * time.Second)
	require.Equal(t, []string{"a", "b"}, w.bodiesOf("orders", 1))
}

// In front of those that were delivered there is one that cannot be, and which is not due: the file keeps which ones were.
func TestTheFileOfTheCursorsKeepsWhatWasDeliveredBehindThem(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("bills", 0, "gone", "DELAY\x012\x02"))
	w.delayed("a", 2)
	w.succeeds(deleteTopicRequest("bills"))
	w.pass(5200 * time.Millisecond)
	require.Len(t, w.records("orders", 1), 1)
	w.machine.Crash(sim.KillProcess)
	w.machine.StepWall(-3 * time.Second)
	for range 2 {
		w.start()
		w.succeeds(sendRequest("orders", 1, "other", "DELAY\x011\x02"))
		w.pass(1500 * time.Millisecond)
		w.close()
		w.machine.Crash(sim.KillProcess)
		require.Contains(t, w.file("config/delayOffset.json"), "\"delivered\":[")
		w.machine.StepWall(-2 * time.Second)
	}
	w.start()
	w.pass(10 * time.Second)
	require.ElementsMatch(t, []string{"a", "other", "other"}, w.bodiesOf("orders", 1))
}
