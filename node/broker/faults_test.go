package broker_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// What goes wrong with a Java broker in this layer and must not here. Where each is shown:
//
//	members that subscribe differently   TestAMemberThatPullsWithoutItsSubscriptionGetsWhatItSaidItself, TestMembersThatSubscribeDifferentlyAreToldOfOnceAndListed
//	notices of changed members           TestAClientWithoutHeartbeatsLeavesAndTheOthersAreTold
//	locks in memory, by the calendar     TestALockOutlivesTheBroker, TestOnlyTheOwnerOfALockMovesTheOffset, TestALockLastsAsLongWhateverTheCalendarSays
//	commits of anybody                   TestAMemberThatHasLostAQueueDoesNotMoveItsOffset, TestWhatWasConsumedCountsIfNobodyElseIsAtWork
//	offsets beyond a lost tail           TestAGroupDoesNotPassOverMessagesThatTakeThePlaceOfLostOnes, TestAMemberThatHasConsumedLostMessagesDoesNotCommitThemAgain
//	commits that a crash takes           TestACommitThatIsAnsweredSurvivesAPowerLoss
//	resets that are lost                 TestAResetIsSeenByWhoConsumesAndNeverLost
//	a question that deletes offsets      TestTheSmallestOffsetOfAllGroupsIsToldAndNothingIsDeleted
//	first commits at once                TestFirstCommitsAtOnceAllCount
//	bans that go with another one        TestAGroupIsKeptFromATopicUntilItIsLetInAgain, TestADeletedGroupLosesItsOwnBansOnly
//	messages between look and hold       TestNoMessageSlipsThroughBetweenReadingAndHolding
//	pulls without an answer              TestAPeerThatDoesNotReadIsCutOffAtTheOutputLimit of package transport
//	sends that were refused and stored   TestASendThatIsRefusedAsBusyIsNotStored
//	replies pushed, and answered failed  TestAReplyThatWasTakenIsASuccessAlthoughItCannotBeStored, TestARepliesWayIsTheLastConnectionOfItsClient
//	expressions that cannot be evaluated TestMessagesThatCannotBeJudgedAreCountedAndToldOf
//	tags of the same hash                TestAMessageWithAnotherTagOfTheSameHashIsNotBrought
//	half-written settings                TestASettingThatCannotBeSavedIsNotInForce, and of cmd/gantry TestAFileThatABrokerCannotStartWithIsNotWritten

func TestALockLastsAsLongWhateverTheCalendarSays(t *testing.T) {
	w := newWorld(t)
	w.lock("g", "one", 0)
	w.machine.StepWall(24 * time.Hour)
	w.pass(50 * time.Second)
	require.Empty(t, w.lock("g", "two", 0), "a minute is not over")
	w.machine.StepWall(-48 * time.Hour)
	w.pass(15 * time.Second)
	require.Equal(t, []int32{0}, w.lock("g", "two", 0), "now it is")
}

func TestACommitThatIsAnsweredSurvivesAPowerLoss(t *testing.T) {
	w := newWorld(t)
	w.fillQueue("orders", 0, 9)
	for n := range int64(9) {
		w.succeeds(commitRequest("g", "orders", 0, n+1))
		if n%4 == 0 {
			w.restart(sim.PowerLoss)
		}
	}
	w.restart(sim.PowerLoss)
	w.committed("g", "orders", 0, "9")
}

func TestFirstCommitsAtOnceAllCount(t *testing.T) {
	w := newWorld(t)
	for queue := range int32(4) {
		w.fillQueue("orders", queue, 2)
	}
	w.succeeds(updateGroupRequest("g", nil))
	w.slowDisk(100 * time.Millisecond)
	for queue := range int32(4) {
		w.begin(commitRequest("g", "orders", queue, int64(queue%2)+1))
	}
	w.pass(2 * time.Second)
	for range 2 {
		for queue, want := range []string{"1", "2", "1", "2"} {
			w.committed("g", "orders", int32(queue), want)
		}
		w.restart(sim.PowerLoss)
	}
}

// TestASendThatIsRefusedAsBusyIsNotStored: a Java broker takes sends out of its queues that have waited for too long, and its clients cannot tell these
// from sends whose answer is late.
func TestASendThatIsRefusedAsBusyIsNotStored(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.Store.BusyAfter = 200 * time.Millisecond })
	w.succeeds(sendRequest("orders", 0, "first", ""))
	other := w.addClient("other")
	other.succeeds(heartbeat("other", "g", nil))
	healthy := w.machine.Disk().Options()
	slow := healthy
	slow.WriteMin, slow.WriteMax = 2*time.Second, 2*time.Second
	w.machine.Disk().SetOptions(slow)
	late := w.begin(sendRequest("orders", 0, "late", ""))
	w.pass(time.Second)
	// The connection of the one that waits reads no further.
	var err error
	other.machine.Node("other", ".").Tasks.Go("send", func() {
		_, err = other.client.Call(nil, address, sendRequest("orders", 0, "refused", ""), 500*time.Millisecond)
	})
	w.pass(600 * time.Millisecond)
	var answer *transport.ResponseError
	require.ErrorAs(t, err, &answer)
	require.Equal(t, proto.ResponseName(proto.RespSystemBusy), proto.ResponseName(answer.Code))
	w.machine.Disk().SetOptions(healthy)
	w.pass(5 * time.Second)
	require.NotNil(t, *late)
	require.EqualValues(t, proto.RespSuccess, (*late).Code)
	w.succeeds(sendRequest("orders", 0, "last", ""))
	want := []string{"first", "late", "last"}
	require.Equal(t, want, bodies(t, w.succeeds(pullRequest("orders", 0, 0, 0, "*"))))
	w.restart(sim.PowerLoss)
	require.Equal(t, want, bodies(t, w.succeeds(pullRequest("orders", 0, 0, 0, "*"))))
}

// TestASendWhoseFlushIsLateIsAnsweredWithThat and counts as stored, which is what the protocol's code says.
func TestASendWhoseFlushIsLateIsAnsweredWithThat(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.Store.FlushTimeout = 200 * time.Millisecond })
	w.succeeds(sendRequest("orders", 0, "first", ""))
	w.slowDisk(time.Second)
	late := w.call(sendRequest("orders", 0, "late", ""))
	require.Equal(t, proto.ResponseName(proto.RespFlushDiskTimeout), proto.ResponseName(late.Code))
	require.Equal(t, "1", late.Fields.String("queueOffset"))
	require.NotEmpty(t, late.Fields.String("msgId"))
	w.pass(5 * time.Second)
	require.Equal(t, []string{"first", "late"}, bodies(t, w.succeeds(pullRequest("orders", 0, 0, 0, "*"))))
	require.Equal(t, store.SyncFlush, w.options.Store.Flush)
}
