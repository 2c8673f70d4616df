package broker_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func (w *world) timerCheckpoint() proto.TimerCheckpoint {
	w.t.Helper()
	c, err := proto.UnmarshalTimerCheckpoint(w.succeeds(&transport.Request{Code: proto.ReqGetTimerCheckPoint}).Body)
	require.NoError(w.t, err)
	return c
}

func TestATimerCheckpointTellsWhatIsDeliveredInWholeSlots(t *testing.T) {
	w := newWorld(t)
	w.pass(time.Second)
	require.Zero(t, w.timerCheckpoint().ReadMillis, "nothing ever was")
	w.sends("orders", 0, "TIMER_DELAY_MS\x012500\x02")
	w.sends("orders", 0, "TIMER_DELAY_MS\x0160000\x02")
	w.pass(time.Second)
	require.EqualValues(t, 2, w.timerCheckpoint().MasterQueueOffset)
	due := int64(w.machine.Wall()) + 1500
	w.pass(10 * time.Second)
	c := w.timerCheckpoint()
	require.Zero(t, c.ReadMillis%1000, "Apache's wheel looks into slots of a second")
	require.InDelta(t, due, c.ReadMillis, 1500, "the slot of what was delivered last")
	require.LessOrEqual(t, c.ReadMillis, due+1)
	require.EqualValues(t, 2, c.MasterQueueOffset)
	require.NotZero(t, c.Version.Timestamp)
}

func TestNoSlaveIsToldOfDeliveriesThatItLacks(t *testing.T) {
	for name, code := range map[string]int32{"timers": proto.ReqGetTimerCheckPoint, "delay levels": proto.ReqGetAllDelayOffset} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, openToCopies)
			w.sends("orders", 0, "DELAY\x011\x02")
			w.sends("orders", 0, "TIMER_DELAY_MS\x011000\x02")
			copy := w.connectCopy(0)
			ask := &transport.Request{Code: code}
			w.refused(ask, proto.RespSystemError, "slaves lack messages whose delivery this would tell of")
			before := int64(w.broker.Store().Written())
			w.pass(5 * time.Second)
			require.Greater(t, int64(w.broker.Store().Written()), before, "they were delivered")
			copy.report(before)
			early := w.succeeds(ask).Body
			require.Equal(t, early, w.succeeds(ask).Body, "what it has not is not told, however often it asks")
			copy.report(int64(w.broker.Store().Written()))
			w.succeeds(ask)
			require.NotEqual(t, early, w.succeeds(ask).Body)
		})
	}
}

func TestTimerMetricsCountWhatWaits(t *testing.T) {
	w := newWorld(t)
	for _, topic := range []string{"orders", "bills", "orders"} {
		w.sends(topic, 0, "TIMER_DELAY_MS\x0160000\x02")
	}
	w.pass(time.Second)
	var told struct {
		TimingCount map[string]struct{ Count, TimeStamp int64 }
	}
	require.NoError(t, json.Unmarshal(w.succeeds(&transport.Request{Code: proto.ReqGetTimerMetrics}).Body, &told))
	require.EqualValues(t, 2, told.TimingCount["orders"].Count)
	require.EqualValues(t, 1, told.TimingCount["bills"].Count)
	require.NotZero(t, told.TimingCount["bills"].TimeStamp)
}
