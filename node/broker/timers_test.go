package broker_test

import (
	"encoding/base64"
	"encoding/binary"
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
	"github.com/stretchr/testify/require"
)

// timed sends a message that is due after some time, and returns its recall handle.
func (w *world) timed(body string, after time.Duration) (handle string) {
	w.t.Helper()
	response := w.succeeds(sendRequest("orders", 1, body, fmt.Sprintf("TIMER_DELAY_MS\x01%d\x02KEYS\x01k\x02UNIQ_KEY\x01unique-%s\x02", after.Milliseconds(), body)))
	return response.Fields.String("recallHandle")
}

func (w *world) bodiesOf(topic string, queue int32) (bodies []string) {
	for _, r := range w.records(topic, queue) {
		bodies = append(bodies, string(r.Body))
	}
	return bodies
}

func recallRequest(topic, handle string) *transport.Request {
	return &transport.Request{Code: proto.ReqRecallMessage, Header: &proto.RecallMessage{ProducerGroup: "p", Topic: topic, Handle: handle}}
}

func TestATimedMessageIsDeliveredWhenItIsDueToTheMillisecond(t *testing.T) {
	w := newWorld(t)
	w.timed("later", 3_000*time.Millisecond)
	w.timed("soon", 1_234*time.Millisecond)
	w.pass(1_220 * time.Millisecond)
	require.Empty(t, w.bodiesOf("orders", 1))
	w.pass(30 * time.Millisecond)
	got := w.records("orders", 1)
	require.Len(t, got, 1)
	require.Equal(t, "soon", string(got[0].Body))
	for name, want := range map[string]string{"TIMER_DELAY_MS": "", "KEYS": "k", "REAL_TOPIC": "orders", "UNIQ_KEY": "unique-soon"} {
		require.Equal(t, want, message.PropertyString(got[0].Properties, name), name)
	}
	require.NotEmpty(t, message.PropertyString(got[0].Properties, "TIMER_OUT_MS"))
	w.pass(2 * time.Second)
	require.Equal(t, []string{"soon", "later"}, w.bodiesOf("orders", 1))
}

func TestTimersAreAskedForInThreeWaysAndALevelWins(t *testing.T) {
	w := newWorld(t)
	at := int64(w.machine.Wall()) + 2000
	for _, properties := range []string{
		"TIMER_DELAY_SEC\x012\x02", "TIMER_DELAY_MS\x012000\x02", fmt.Sprintf("TIMER_DELIVER_MS\x01%d\x02", at), "DELAY\x011\x02TIMER_DELAY_SEC\x01900\x02",
		"TIMER_DELAY_SEC\x010\x02", "TIMER_DELIVER_MS\x0177\x02", "TIMER_DELAY_SEC\x01-4\x02", "TIMER_DELAY_SEC\x012\x02TIMER_OUT_MS\x011\x02",
	} {
		w.succeeds(sendRequest("orders", 1, properties, properties))
	}
	require.Len(t, w.records("orders", 1), 4, "those whose time has come, and who were delivered already")
	w.pass(1100 * time.Millisecond)
	require.Len(t, w.records("orders", 1), 5)
	w.pass(time.Second)
	require.Len(t, w.records("orders", 1), 8)
}

// Every point at which the broker may die: nothing is lost, nothing delivered twice, and what is due first comes first.
func TestATimedMessageIsDeliveredOnceWhereverTheBrokerDies(t *testing.T) {
	for _, flush := range []store.FlushMode{store.SyncFlush, store.AsyncFlush} {
		for at := 0; at < 40; at++ {
			w := newWorld(t, func(o *broker.Options) { o.Store.Flush = flush })
			for n := range 10 {
				w.timed(fmt.Sprint(n), time.Second+time.Duration(n)*10*time.Millisecond)
			}
			w.pass(950*time.Millisecond + time.Duration(at)*5*time.Millisecond)
			style := sim.PowerLoss
			if flush == store.AsyncFlush {
				style = sim.KillProcess
			}
			w.restart(style)
			w.pass(12 * time.Second) // the calendar is saved in it
			w.restart(style)
			w.pass(3 * time.Second)
			require.Equal(t, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, w.bodiesOf("orders", 1), "%v, %d", flush, at)
		}
	}
}

func TestTimersSurviveTheLossOfTheirFiles(t *testing.T) {
	for _, damage := range []func(w *world){
		func(w *world) { w.write("timers/mark", "") },
		func(w *world) { w.write("timers/mark", "{}") },
		func(w *world) {
			for _, path := range w.machine.Disk().Paths() {
				if strings.HasPrefix(path, "timers/0") {
					w.machine.Disk().Corrupt(path, 3, 1)
				}
			}
		},
	} {
		w := newWorld(t)
		w.timed("early", time.Second)
		w.timed("late", 20*time.Second)
		w.pass(12 * time.Second)
		w.close()
		w.machine.Crash(sim.KillProcess)
		require.NotEmpty(t, w.file("timers/mark"))
		damage(w)
		w.start()
		w.pass(10 * time.Second)
		require.Equal(t, []string{"early", "late"}, w.bodiesOf("orders", 1))
	}
}

func TestWhatAJavaBrokerHasDeliveredIsNotDeliveredAgain(t *testing.T) {
	w := newWorld(t)
	w.timed("done", time.Second)
	w.timed("waits", 5*time.Second)
	w.close()
	w.machine.Crash(sim.KillProcess)
	for _, path := range w.machine.Disk().Paths() {
		if strings.HasPrefix(path, "timers/") || strings.HasPrefix(path, "config/timers.json") {
			w.write(path, "")
		}
	}
	w.write("config/timercheck", string(binary.BigEndian.AppendUint64(nil, uint64(w.machine.Wall())+1001))+strings.Repeat("\x00", 48))
	w.start()
	w.pass(6 * time.Second)
	require.Equal(t, []string{"waits"}, w.bodiesOf("orders", 1))
}

func TestToolsSeeHowManyMessagesWaitForTheirTime(t *testing.T) {
	w := newWorld(t)
	w.timed("soon", time.Second)
	w.timed("later", time.Minute)
	w.beginTransaction("x")
	w.pass(10 * time.Second)
	table, err := proto.UnmarshalKVTable(w.succeeds(runtimeRequest()).Body)
	require.NoError(t, err)
	for key, want := range map[string]string{"timerCongestNum": "1", "timerReadBehind": "0", "timerOffsetBehind": "0", "timedMessagesLost": "0", "openTransactions": "1"} {
		require.Equal(t, want, table.Table[key], key)
	}
}

// What brokers write of messages that wait, nobody else may write.
func TestNobodySendsToTheTopicsInWhichMessagesWait(t *testing.T) {
	w := newWorld(t)
	for _, topic := range []string{proto.DelayTopic, proto.TimerTopic, proto.HalfTopic, proto.OpTopic, proto.UncheckableTopic} {
		w.refused(sendRequest(topic, 0, "x", "REAL_TOPIC\x01orders\x02REAL_QID\x010\x02TIMER_OUT_MS\x011\x02"), proto.RespNoPermission, topic)
	}
}

func TestATimedMessageIsRecalled(t *testing.T) {
	for _, crash := range []bool{false, true} {
		w := newWorld(t)
		gone, stays := w.timed("gone", 3*time.Second), w.timed("stays", 3*time.Second)
		require.NotEqual(t, gone, stays)
		text, err := base64.URLEncoding.DecodeString(gone)
		require.NoError(t, err)
		require.Regexp(t, `^v1 orders broker-a \d{13} unique-gone$`, string(text))
		require.Equal(t, "unique-gone", w.succeeds(recallRequest("orders", gone)).Fields.String("msgId"))
		if crash {
			w.pass(2 * time.Second)
			w.restart(sim.PowerLoss)
		}
		w.pass(14 * time.Second)
		require.Equal(t, []string{"stays"}, w.bodiesOf("orders", 1))
		w.refused(recallRequest("orders", stays), proto.RespIllegalOperation, "it is too late")
		w.restart(sim.KillProcess)
		w.pass(time.Second)
		require.Equal(t, []string{"stays"}, w.bodiesOf("orders", 1))
	}
}

// The log tells what was delivered. The calendar of a broker that starts, or becomes master, may be an hour behind.
func TestWhatWasDeliveredCannotBeRecalledByAnotherCalendar(t *testing.T) {
	w := newWorld(t)
	handle := w.timed("goes", 3*time.Second)
	w.pass(3100 * time.Millisecond)
	require.Equal(t, []string{"goes"}, w.bodiesOf("orders", 1))
	w.machine.StepWall(-time.Hour)
	w.restart(sim.PowerLoss)
	w.pass(time.Second)
	w.refused(recallRequest("orders", handle), proto.RespSystemError, "it may be delivered or not")
}

func TestARecallThatCannotBeIsRefused(t *testing.T) {
	w := newWorld(t)
	handle := w.timed("x", time.Minute)
	other := base64.URLEncoding.EncodeToString(fmt.Appendf(nil, "v1 orders broker-b %d u", int64(w.machine.Wall())+1000))
	w.succeeds(sendRequest("invoices", 0, "x", ""))
	w.refused(recallRequest("nowhere", handle), proto.RespTopicNotExist, "nowhere")
	w.refused(recallRequest("invoices", handle), proto.RespIllegalOperation, "topic orders, not invoices")
	w.refused(recallRequest("orders", other), proto.RespIllegalOperation, "broker-b, not broker-a")
	w.refused(recallRequest("orders", "$"), proto.RespIllegalOperation, "no handle")
	w.refused(recallRequest("orders", base64.URLEncoding.EncodeToString([]byte("v2 a b 1 c"))), proto.RespIllegalOperation, "version 1")
	w = newWorld(t, func(o *broker.Options) { o.NoRecalls = true })
	w.refused(recallRequest("orders", w.timed("x", time.Minute)), proto.RespNoPermission, "recallMessageEnable")
}

func TestABrokerTakesNoMoreTimersThanItsLimits(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.TimersMax, o.TimerMax = 2, time.Minute })
	w.timed("a", time.Second)
	w.timed("b", time.Minute)
	w.pass(10 * time.Millisecond)
	one := sendRequest("orders", 1, "c", "TIMER_DELAY_MS\x011000\x02")
	w.refused(one, proto.RespSystemError, "2 messages wait for their time")
	w.refused(sendRequest("orders", 1, "c", "TIMER_DELAY_MS\x0160001\x02"), proto.RespMessageIllegal, "1m0s at most (timerMaxDelaySec)")
	w.refused(sendRequest("orders", 1, "c", "TIMER_DELAY_SEC\x019223372036854775807\x02"), proto.RespMessageIllegal, "timerMaxDelaySec")
	w.pass(1100 * time.Millisecond)
	w.succeeds(one)
	w = newWorld(t, func(o *broker.Options) { o.TimersOff = true })
	w.refused(one, proto.RespSystemError, "timerWheelEnable")
}

// A copy cleans as its master does, but for what still waits.
func TestACopyKeepsTheLogFromTheOldestTimerOn(t *testing.T) {
	for _, waits := range []time.Duration{0, 3 * time.Second, 10 * time.Hour} {
		g := newElectedGroup(t, everyHour)
		g.follow(1)
		g.requireEqual()
		if waits > 0 {
			g.timed("x", waits)
		}
		g.pass(20 * time.Second)
		for range 10 {
			g.fill("orders", 16)
			g.pass(30 * time.Second)
		}
		g.pass(5 * time.Minute)
		g.requireEqual()
		require.Equal(t, g.broker.Store().Start(), g.copy.Store().Start(), "%v", waits)
		require.Equal(t, waits > time.Hour, g.copy.Store().Start() == 0, "%v", waits)
	}
}

// everyHour has a broker remove what is older than a minute, at any hour.
func everyHour(o *broker.Options) {
	o.Store.DeleteAt, o.Store.KeepFor = nil, time.Minute
	for hour := range 24 {
		o.Store.DeleteAt = append(o.Store.DeleteAt, hour)
	}
}

// While it starts it does not know yet where the oldest one stands, but for the table.
func TestAStartRemovesNothingThatWaits(t *testing.T) {
	w := newWorld(t, everyHour)
	w.timed("late", 10*time.Hour)
	w.fill("orders", 40)
	w.pass(15 * time.Second)
	w.restart(sim.KillProcess)
	w.pass(3 * time.Minute)
	require.Zero(t, w.broker.Store().Start())
	w.pass(10 * time.Hour)
	require.Equal(t, []string{"late"}, w.bodiesOf("orders", 1))
	require.Positive(t, w.broker.Store().Start())
}
