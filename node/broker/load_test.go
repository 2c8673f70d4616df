package broker_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/stretchr/testify/require"
)

func TestToolsSeeWhatWaitsForTheDisk(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "first", ""))
	require.Equal(t, "0", w.runtime()["sendThreadPoolQueueSize"])
	o := sim.DefaultDisk()
	o.StuckUntil = w.kernel.Now().Add(time.Second)
	w.machine.Disk().SetOptions(o)
	w.begin(sendRequest("orders", 0, "second", ""))
	w.begin(sendRequest("orders", 1, "third", ""))
	w.pass(500 * time.Millisecond)
	table := w.runtime()
	require.Equal(t, "2", table["sendThreadPoolQueueSize"])
	require.Regexp(t, `^49\d|50\d$`, table["sendThreadPoolQueueHeadWaitTimeMills"])
	require.Regexp(t, `^[3-9]\d\d$`, table["sendWaitingBytes"])
	require.Equal(t, "3", table["unansweredRequests"], "both, and this one")
	w.pass(time.Second)
	require.Equal(t, "0", w.runtime()["sendWaitingBytes"])
}

func TestAOnewaySendThatIsRefusedIsCounted(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.Store.BodySizeMax = 10 })
	w.oneway(sendRequest("orders", 0, "small", ""))
	require.Equal(t, "0", w.runtime()["sendOnewayFailedTotal"])
	w.oneway(sendRequest("orders", 0, "much too large", ""))
	w.oneway(sendRequest("orders", 1000, "nowhere", ""))
	malformed := sendRequest("orders", 0, "small", "")
	malformed.Header = nil
	w.oneway(malformed)
	require.Equal(t, "3", w.runtime()["sendOnewayFailedTotal"])
	require.Equal(t, "3", w.runtime()["sendFailedTotal"])
	w.call(sendRequest("orders", 1000, "nowhere", ""))
	require.Equal(t, "3", w.runtime()["sendOnewayFailedTotal"], "this sender was told")
	require.Equal(t, "4", w.runtime()["sendFailedTotal"])
}
