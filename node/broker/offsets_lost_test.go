package broker_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// TestAGroupDoesNotPassOverMessagesThatTakeThePlaceOfLostOnes: with ASYNC_FLUSH a loss of power may take messages that were
// consumed, and leave the offset. If it stayed, the group would miss as many of those that come later.
func TestAGroupDoesNotPassOverMessagesThatTakeThePlaceOfLostOnes(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.Store.Flush, o.Store.FlushEvery = store.AsyncFlush, 10*time.Second })
	w.succeeds(sendRequest("orders", 0, "kept", ""))
	w.pass(11 * time.Second)
	for range 7 {
		w.succeeds(sendRequest("orders", 0, "lost", ""))
	}
	require.Len(t, bodies(t, w.succeeds(pullRequest("orders", 0, 0, 0, "*"))), 8)
	w.succeeds(commitRequest("g", "orders", 0, 8))
	w.succeeds(commitRequest("h", "orders", 0, 1))
	w.succeeds(commitRequest("g", "orders", 3, 0))
	w.restart(sim.PowerLoss)
	end := w.end("orders", 0)
	require.Contains(t, "1234567", end, "messages were lost; otherwise this test shows nothing")
	w.committed("g", "orders", 0, end)
	w.committed("h", "orders", 0, "1")
	w.committed("g", "orders", 3, "0")
	require.Len(t, w.logged.FilterMessageSnippet("beyond").All(), 1)

	for range 9 {
		w.succeeds(sendRequest("orders", 0, "new", ""))
	}
	w.pass(11 * time.Second)
	w.restart(sim.PowerLoss)
	w.committed("g", "orders", 0, end)
	require.Empty(t, w.logged.FilterMessageSnippet("beyond").All(), "what was set right stays so")
	from, err := strconv.ParseInt(end, 10, 64)
	require.NoError(t, err)
	require.Equal(t, "new", bodies(t, w.succeeds(pullRequest("orders", 0, from, 0, "*")))[0])
}

// TestAResetBeyondTheEndOfALogThatLostItsTailIsSetRightToo so that the members are told of a place that there is.
func TestAResetBeyondTheEndOfALogThatLostItsTailIsSetRightToo(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.Store.Flush, o.Store.FlushEvery = store.AsyncFlush, 10*time.Second })
	w.succeeds(sendRequest("orders", 0, "kept", ""))
	w.pass(11 * time.Second)
	for range 30 {
		w.succeeds(sendRequest("orders", 0, "lost", ""))
	}
	w.succeeds(updateGroupRequest("g", nil))
	w.succeeds(resetRequest(0, toOffset(31)))
	w.restart(sim.PowerLoss)
	end := w.end("orders", 0)
	require.NotEqual(t, "31", end, "messages were lost; otherwise this test shows nothing")
	for range 39 {
		w.succeeds(sendRequest("orders", 0, "new", ""))
	}
	w.restart(sim.KillProcess)
	moved := w.call(pullRequest("orders", 0, 0, 0, "*"))
	require.EqualValues(t, proto.RespPullOffsetMoved, moved.Code)
	require.Equal(t, end, moved.Fields.String("nextBeginOffset"))
}

// TestAMemberThatHasConsumedLostMessagesDoesNotCommitThemAgain: it lives on, and commits as far as it is now and then. Were that taken, who has
// the queue next would miss as many of the messages that come later.
func TestAMemberThatHasConsumedLostMessagesDoesNotCommitThemAgain(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.Store.Flush, o.Store.FlushEvery = store.AsyncFlush, 10*time.Second })
	w.succeeds(sendRequest("orders", 0, "kept", ""))
	w.pass(11 * time.Second)
	var from, consumed int64
	// Which of the messages a loss of power takes is chance; at times it takes none.
	for end := "1"; from+9 >= consumed; end = w.end("orders", 0) {
		require.Less(t, w.kernel.Now(), env.Instant(5*time.Minute), "messages were lost; otherwise this test shows nothing")
		before, err := strconv.ParseInt(end, 10, 64)
		require.NoError(t, err)
		for range 50 {
			w.succeeds(sendRequest("orders", 0, "lost", ""))
		}
		consumed = before + 50
		w.succeeds(commitRequest("g", "orders", 0, consumed))
		w.restart(sim.PowerLoss)
		from, err = strconv.ParseInt(w.end("orders", 0), 10, 64)
		require.NoError(t, err)
	}
	end := strconv.FormatInt(from, 10)
	w.refused(commitRequest("g", "orders", 0, consumed), proto.RespSystemError, "the queue ends at "+end)
	w.oneway(commitRequest("g", "orders", 0, consumed))
	w.committed("g", "orders", 0, end)
	for range 9 {
		w.succeeds(sendRequest("orders", 0, "new", ""))
	}
	w.call(pullAndCommit(from, from+10))
	w.committed("g", "orders", 0, end)
	w.call(pullAndCommit(from, from+9))
	w.committed("g", "orders", 0, strconv.FormatInt(from+9, 10))
}
