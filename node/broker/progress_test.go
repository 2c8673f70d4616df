package broker_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// pullAndCommit is a pull that carries a commit.
func pullAndCommit(from, commit int64) *transport.Request {
	request := pullRequest("orders", 0, from, 0, "*")
	h := request.Header.(*proto.PullMessage)
	h.Flags |= proto.PullCommit
	h.CommitOffset = commit
	return request
}

// TestAMemberThatTakesAQueueOverMovesNoOffsetBack: it has asked for the offset too early, or was paused.
func TestAMemberThatTakesAQueueOverMovesNoOffsetBack(t *testing.T) {
	w, one, two := shared(t)
	one.pull(0)
	require.Empty(t, one.commit(5))
	two.pull(5)
	require.Empty(t, two.commit(12))
	one.call(pullAndCommit(8, 7))
	one.call(pullAndCommit(9, 8))
	require.Equal(t, "12", w.offset())
	require.Contains(t, one.commit(9), "has committed more")
	require.Empty(t, one.commit(12))
	require.Empty(t, one.commit(13))
	require.Equal(t, "13", w.offset())
}

func TestACommitOnItsWayToTheDiskCountsAgainstASuccessor(t *testing.T) {
	w, one, two := shared(t)
	one.pull(0)
	w.slowDisk(time.Second)
	w.client = one.client
	done := w.begin(commitRequest("g", "orders", 0, 9))
	w.pass(100 * time.Millisecond)
	two.call(pullAndCommit(6, 5))
	w.pass(5 * time.Second)
	require.EqualValues(t, proto.RespSuccess, (*done).Code)
	require.Contains(t, two.commit(6), "has committed more")
	require.Equal(t, "9", w.offset())
}

func TestWhoChoosesOffsetsByItselfMayGoBack(t *testing.T) {
	w, one, two := shared(t)
	for _, p := range []*peer{one, two} {
		p.call(heartbeat(p.name, "g", func(data *proto.HeartbeatData) { data.Consumers[0].ConsumeType = proto.ConsumePull }))
	}
	one.pull(0)
	require.Empty(t, one.commit(15))
	two.pull(3)
	require.Empty(t, two.commit(4))
	require.Equal(t, "4", w.offset())
}

func TestAfterARestartNoMemberMovesAnOffsetBackBeforeAnybodyPulls(t *testing.T) {
	w, one, two := shared(t)
	one.pull(0)
	require.Empty(t, one.commit(9))
	w.restart(sim.KillProcess)
	for _, p := range []*peer{one, two} {
		p.call(heartbeat(p.name, "g", nil))
	}
	require.Contains(t, two.commit(4), "has committed more")
	require.Equal(t, "9", w.offset())
	require.Empty(t, two.commit(11))
	require.Equal(t, "11", w.offset())
}

func TestAPullThatComesBeforeAHeartbeatMovesNoOffsetBack(t *testing.T) {
	w, one, two := shared(t)
	one.pull(0)
	require.Empty(t, one.commit(9))
	w.restart(sim.KillProcess)
	two.call(pullAndCommit(5, 4))
	require.Equal(t, "9", w.offset())
	two.call(heartbeat(two.name, "g", nil))
	two.call(pullAndCommit(8, 7))
	require.Equal(t, "9", w.offset())
	require.Empty(t, two.commit(10))
	require.Equal(t, "10", w.offset())
}
