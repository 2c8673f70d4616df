package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// held is what the broker's runtime view says of held pulls.
func (w *world) held() string {
	w.t.Helper()
	return w.runtime()["pullWaitingRequests"]
}

func (w *world) runtime() map[string]string {
	w.t.Helper()
	table, err := proto.UnmarshalKVTable(w.succeeds(runtimeRequest()).Body)
	require.NoError(w.t, err)
	return table.Table
}

func TestAMessageWakesAllPullsThatWaitForItAndNoOther(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "first", "TAGS\x01red\x02"))
	w.succeeds(sendRequest("orders", 1, "first", "TAGS\x01red\x02"))
	all := w.begin(pullRequest("orders", 0, 1, time.Minute, "*"))
	red := w.begin(pullRequest("orders", 0, 1, time.Minute, "red || green"))
	blue := w.begin(pullRequest("orders", 0, 1, time.Minute, "blue"))
	elsewhere := w.begin(pullRequest("orders", 1, 1, time.Minute, "*"))
	w.pass(time.Second)
	require.Equal(t, "4", w.held())
	w.succeeds(sendRequest("orders", 0, "second", "TAGS\x01red\x02"))
	w.pass(time.Second)
	require.NotNil(t, *all)
	require.Equal(t, []string{"second"}, bodies(t, *all))
	require.NotNil(t, *red)
	require.Equal(t, []string{"second"}, bodies(t, *red))
	require.Nil(t, *blue, "its tag has not come")
	require.Nil(t, *elsewhere, "its queue has got nothing")
	require.Equal(t, "2", w.held())
	w.pass(time.Minute)
	require.EqualValues(t, proto.RespPullRetryImmediately, (*blue).Code, "what came meanwhile is passed over")
	require.Equal(t, "2", (*blue).Fields.String("nextBeginOffset"))
	require.EqualValues(t, proto.RespPullNotFound, (*elsewhere).Code)
	require.Equal(t, "0", w.held())
}

func TestHeldPullsHaveALimit(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.HeldPullsMax = 2 })
	w.succeeds(sendRequest("orders", 0, "first", ""))
	first := w.begin(pullRequest("orders", 0, 1, time.Minute, "*"))
	second := w.begin(pullRequest("orders", 0, 1, time.Minute, "*"))
	w.pass(time.Second)
	third := w.begin(pullRequest("orders", 0, 1, time.Minute, "*"))
	w.pass(time.Second)
	require.Nil(t, *first)
	require.Nil(t, *second)
	require.NotNil(t, *third)
	require.EqualValues(t, proto.RespPullNotFound, (*third).Code, "it is answered at once")
	w.succeeds(sendRequest("orders", 0, "second", ""))
	w.pass(time.Second)
	fourth := w.begin(pullRequest("orders", 0, 2, time.Minute, "*"))
	w.pass(time.Second)
	require.Nil(t, *fourth, "there is room again")
}

func TestWithoutLongPollingAPullIsHeldForAMoment(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.NoLongPolling = true; o.ShortPollingFor = 500 * time.Millisecond })
	w.succeeds(sendRequest("orders", 0, "first", ""))
	began := w.kernel.Now()
	require.EqualValues(t, proto.RespPullNotFound, w.call(pullRequest("orders", 0, 1, time.Minute, "*")).Code)
	require.InDelta(t, 0.5, w.kernel.Now().Sub(began).Seconds(), 0.25)
}

func TestAPullIsHeldNoLongerThanFiveMinutes(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "first", ""))
	request := pullRequest("orders", 0, 1, time.Minute, "*")
	request.Header.(*proto.PullMessage).HoldForMillis = 1 << 62
	response := w.begin(request)
	w.pass(4 * time.Minute)
	require.Nil(t, *response)
	require.Equal(t, "1", w.held())
	w.pass(2 * time.Minute)
	require.Equal(t, "0", w.held())
}

func TestCloseAnswersAllHeldPulls(t *testing.T) {
	w := newWorld(t)
	for queue := range int32(4) {
		w.succeeds(sendRequest("orders", queue, "first", ""))
	}
	var code []*int32
	for n := range 20 {
		response := w.begin(pullRequest("orders", int32(n%4), 1, time.Duration(20+n)*time.Second, "*"))
		answered := new(int32)
		*answered = -1
		code = append(code, answered)
		w.clientEnv().Tasks.Go("watch", func() {
			for *response == nil {
				w.clientEnv().Tasks.Sleep(time.Millisecond)
			}
			*answered = (*response).Code
		})
	}
	w.pass(time.Second)
	require.Equal(t, "20", w.held())
	began := w.kernel.Now()
	w.close()
	require.Less(t, w.kernel.Now().Sub(began), time.Second)
	w.pass(time.Second)
	for n := range code {
		require.EqualValues(t, proto.RespPullNotFound, *code[n], "pull %d", n)
	}
}

func TestThePullOfAConnectionThatHasEndedIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "first", ""))
	w.begin(pullRequest("orders", 0, 1, 10*time.Second, "*"))
	w.pass(time.Second)
	require.Equal(t, "1", w.held())
	w.kernel.Machines()[1].Crash(sim.KillProcess)
	other := w.addClient("other")
	other.succeeds(sendRequest("orders", 0, "second", ""))
	w.pass(time.Second)
	require.Empty(t, heldLeft(t, other), "the message finds nobody to wake, and nothing is left behind")
	w.pass(time.Minute)
	w.close()
	require.Empty(t, w.machine.TaskNames())
}

// heldLeft is held for a client other than the first.
func heldLeft(t *testing.T, o *otherClient) string {
	t.Helper()
	table, err := proto.UnmarshalKVTable(o.succeeds(runtimeRequest()).Body)
	require.NoError(t, err)
	if n := table.Table["pullWaitingRequests"]; n != "0" {
		return fmt.Sprint(n, " pulls are held")
	}
	return ""
}

// TestManyShortHoldsDoNotAddUp: a consumer at the end of its queue is woken by every message, long
// before its holds are over.
func TestManyShortHoldsDoNotAddUp(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.HeldPullsMax = 3 })
	w.succeeds(sendRequest("orders", 0, "first", ""))
	for n := range int64(50) {
		response := w.begin(pullRequest("orders", 0, n+1, time.Minute, "*"))
		w.pass(10 * time.Millisecond)
		require.Nil(t, *response, "pull %d is held", n)
		w.succeeds(sendRequest("orders", 0, "next", ""))
		w.pass(10 * time.Millisecond)
		require.NotNil(t, *response)
		require.EqualValues(t, proto.RespSuccess, (*response).Code)
	}
	require.Equal(t, "0", w.held())
}
