package broker_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// TestAMemberThatHasNotHeardOfAResetDoesNotUndoIt: it was paused, and believes that the queue is still its own.
func TestAMemberThatHasNotHeardOfAResetDoesNotUndoIt(t *testing.T) {
	w, one, two := shared(t)
	one.pull(0)
	require.Empty(t, one.commit(15))
	w.succeeds(resetRequest(0, toOffset(4)))
	two.pull(4)
	require.Empty(t, two.commit(6))
	again := commitRequest("g", "orders", 0, 16)
	again.Header.(*proto.UpdateConsumerOffset).ClientID = "one"
	w.refused(again, proto.RespSystemError, "the offset was reset") // over a new connection, before a heartbeat
	for range 2 {
		late := pullRequest("orders", 0, 16, 0, "*")
		h := late.Header.(*proto.PullMessage)
		h.Flags |= proto.PullCommit
		h.CommitOffset = 16
		moved := one.call(late)
		require.EqualValues(t, proto.RespPullOffsetMoved, moved.Code)
		require.Equal(t, "6", moved.Fields.String("nextBeginOffset"), "where its successor is")
		require.Equal(t, "6", w.offset())
		require.NotEmpty(t, one.commit(5))
		w.pass(10 * time.Second)
		w.restart(sim.PowerLoss)
		two.pull(6)
	}
	require.Empty(t, two.commit(7))
	one.pull(7)
	require.Empty(t, one.commit(8), "it has heard of it")
	require.Contains(t, one.commit(3), "the offset was reset", "nobody goes back behind it")
}

func TestACrashDoesNotUndoWhatIsCommittedAfterAReset(t *testing.T) {
	w, one, _ := shared(t)
	one.pull(0)
	require.Empty(t, one.commit(15))
	w.succeeds(resetRequest(0, toOffset(4)))
	one.pull(4)
	require.Empty(t, one.commit(9))
	w.restart(sim.PowerLoss)
	require.Equal(t, "9", w.offset())
	require.EqualValues(t, proto.RespSuccess, one.call(pullRequest("orders", 0, 9, 0, "*")).Code, "it is not sent back")
	require.Empty(t, one.commit(10))
}

func TestAResetThatFailedSendsNobodyBack(t *testing.T) {
	w, one, two := shared(t)
	one.pull(0)
	require.Empty(t, one.commit(15))
	disk := w.machine.Disk().Options()
	full := disk
	full.Full = true
	w.machine.Disk().SetOptions(full)
	w.refused(resetRequest(0, toOffset(4)), proto.RespSystemError, "the offsets could not be reset")
	w.machine.Disk().SetOptions(disk)
	require.EqualValues(t, proto.RespSuccess, two.call(pullRequest("orders", 0, 15, 0, "*")).Code)
	require.Empty(t, two.commit(16))
	w.pass(10 * time.Second)
	w.restart(sim.PowerLoss)
	require.Equal(t, "16", w.offset())
	require.EqualValues(t, proto.RespSuccess, two.call(pullRequest("orders", 0, 16, 0, "*")).Code)
}

func TestAResetIsForgottenWhenEverybodyMustHaveHeardOfIt(t *testing.T) {
	w, one, two := shared(t)
	one.pull(0)
	require.Empty(t, one.commit(15))
	w.succeeds(resetRequest(0, toOffset(4)))
	two.pull(4)
	for range 22 {
		w.pass(30 * time.Second)
		two.pull(4)
	}
	require.Equal(t, `{"resets":[]}`, w.file("config/pendingResets.json"))
	one.pull(2)
	require.Empty(t, one.commit(3))
}

// TestResetsAtTheSameTimeAreAllDurable: they share a file.
func TestResetsAtTheSameTimeAreAllDurable(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.succeeds(sendRequest("orders", 1, "x", ""))
	tool := w.addClient("tool")
	for _, group := range []string{"g", "h"} {
		w.succeeds(commitRequest(group, "orders", 0, 1))
	}
	w.slowDisk(300 * time.Millisecond)
	first := w.begin(resetRequest(0, toOffset(0)))
	w.pass(100 * time.Millisecond)
	response := tool.succeeds(resetRequest(0, func(h *proto.ResetOffset) {
		h.Group = "h"
		toOffset(0)(h)
	}))
	require.EqualValues(t, proto.RespSuccess, response.Code, response.Remark)
	w.pass(5 * time.Second)
	require.NotNil(t, *first)
	require.EqualValues(t, proto.RespSuccess, (*first).Code, (*first).Remark)
	w.restart(sim.PowerLoss)
	require.Equal(t, `{"resets":[{"group":"g","topic":"orders","queue":0,"offset":0},{"group":"h","topic":"orders","queue":0,"offset":0}]}`,
		w.file("config/pendingResets.json"))
}
