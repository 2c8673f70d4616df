package broker_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func TestAHeldPullEndsWhenItsTopicIsDeleted(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "first", ""))
	w.succeeds(sendRequest("others", 0, "first", ""))
	held := w.begin(pullRequest("orders", 0, 1, time.Minute, "*"))
	empty := w.begin(pullRequest("orders", 1, 0, time.Minute, "*"))
	other := w.begin(pullRequest("others", 0, 1, time.Minute, "*"))
	w.pass(time.Second)
	require.Equal(t, "3", w.held())
	w.succeeds(deleteTopicRequest("orders"))
	w.pass(100 * time.Millisecond)
	require.NotNil(t, *held)
	require.EqualValues(t, proto.RespTopicNotExist, (*held).Code)
	require.Equal(t, "topic[orders] not exist, apply first please!", (*held).Remark)
	require.NotNil(t, *empty)
	require.EqualValues(t, proto.RespTopicNotExist, (*empty).Code)
	require.Nil(t, *other, "its topic is still there")
	require.Equal(t, "1", w.held())
	w.succeeds(sendRequest("orders", 0, "again", ""))
	require.Equal(t, []string{"again"}, bodies(t, w.succeeds(pullRequest("orders", 0, 0, time.Minute, "*"))), "the topic was made again")
}

func TestAHeldPullEndsWhenItsGroupIsDeleted(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "first", ""))
	request := pullRequest("orders", 0, 1, time.Minute, "*")
	request.Header.(*proto.PullMessage).ConsumerGroup = "leaving"
	leaving := w.begin(request)
	staying := w.begin(pullRequest("orders", 0, 1, time.Minute, "*"))
	w.pass(time.Second)
	w.succeeds(deleteGroupRequest("leaving", false))
	w.pass(100 * time.Millisecond)
	require.NotNil(t, *leaving)
	require.EqualValues(t, proto.RespSubscriptionGroupNotExist, (*leaving).Code)
	require.Nil(t, *staying)
	require.Equal(t, "1", w.held())
}

func TestAHeldPullIsRefusedWhenItsTimeIsOverIfItsTopicWasClosedMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "first", ""))
	held := w.begin(pullRequest("orders", 0, 1, 5*time.Second, "*"))
	w.pass(time.Second)
	w.succeeds(updateTopicRequest("orders", func(h *proto.UpdateAndCreateTopic) { h.Perm = proto.PermWrite }))
	w.pass(5 * time.Second)
	require.NotNil(t, *held)
	require.EqualValues(t, proto.RespNoPermission, (*held).Code)
}

func TestNoPullIsHeldForANegativeTime(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "first", ""))
	// The second one is a large positive number of nanoseconds if nobody looks, and the pull is held for ever.
	for _, millis := range []int64{-1, -9_223_372_040_000, -1 << 63} {
		request := pullRequest("orders", 0, 1, time.Minute, "*")
		request.Header.(*proto.PullMessage).HoldForMillis = millis
		response := w.begin(request)
		w.pass(100 * time.Millisecond)
		require.NotNil(t, *response, "%d ms", millis)
		require.EqualValues(t, proto.RespPullNotFound, (*response).Code)
	}
	require.Equal(t, "0", w.held())
}
