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

// neverByItself lets expired files go only when somebody asks, whatever the hour.
func (w *world) neverByItself(o *broker.Options) {
	hour := time.UnixMilli(int64(w.machine.Wall())).UTC().Hour()
	o.Store.DeleteAt, o.Store.KeepFor = []int{(hour + 12) % 24}, time.Minute
}

// fill writes so many messages of 60 KiB into a queue: 17 fill a file of the log.
func (w *world) fill(topic string, messages int) {
	w.t.Helper()
	for range messages {
		w.succeeds(sendRequest(topic, 0, string(make([]byte, 60<<10)), ""))
	}
}

// bounds are the first and the next number of queue 0.
func (w *world) bounds(topic string) (first, end string) {
	w.t.Helper()
	header := proto.GetMinOffset{Topic: topic}
	first = w.succeeds(&transport.Request{Code: proto.ReqGetMinOffset, Header: &header}).Fields.String("offset")
	end = w.succeeds(&transport.Request{Code: proto.ReqGetMaxOffset, Header: &proto.GetMaxOffset{Topic: topic}}).Fields.String("offset")
	return first, end
}

func TestExpiredFilesGoWhenAToolSaysSo(t *testing.T) {
	w := prepareWorld(t)
	w.neverByItself(&w.options)
	w.start()
	w.fill("orders", 40)
	before := w.runtime()
	require.Equal(t, "0", before["commitLogMinOffset"])
	require.Equal(t, "0", before["cleanedFiles"])
	w.pass(3 * time.Minute)
	require.Equal(t, before["earliestMessageTimeStamp"], w.runtime()["earliestMessageTimeStamp"], "it is not the hour")
	w.succeeds(&transport.Request{Code: proto.ReqDeleteExpiredCommitLog})
	w.pass(time.Minute)
	after := w.runtime()
	require.Equal(t, "2097152", after["commitLogMinOffset"])
	require.Equal(t, "2", after["cleanedFiles"])
	require.Equal(t, "2097152", after["cleanedBytes"])
	require.Equal(t, "0", after["forciblyCleanedMessages"])
	require.Greater(t, after["earliestMessageTimeStamp"], before["earliestMessageTimeStamp"])
	first, end := w.bounds("orders")
	require.Equal(t, "34", first)
	require.Equal(t, "40", end)
	w.refused(pullRequest("orders", 0, 0, 0, "*"), proto.RespPullOffsetMoved, "OFFSET_TOO_SMALL")
}

func TestATopicMayKeepItsMessagesShorter(t *testing.T) {
	w := newWorld(t)
	with := func(topic, attributes string) *transport.Request {
		return updateTopicRequest(topic, func(h *proto.UpdateAndCreateTopic) { h.Attributes = attributes })
	}
	w.succeeds(with("old", "+reserve.time=30000"))
	w.succeeds(with("large", "+reserve.size=200000"))
	w.succeeds(with("plain", "+reserve.time=-1"))
	for range 2 {
		for _, topic := range []string{"old", "large", "plain"} {
			w.fill(topic, 4)
		}
		w.pass(20 * time.Second)
	}
	w.pass(15 * time.Second)
	for topic, want := range map[string]string{"old": "4", "large": "5", "plain": "0"} {
		first, end := w.bounds(topic)
		require.Equal(t, want, first, topic)
		require.Equal(t, "8", end, topic)
	}
	w.restart(sim.PowerLoss)
	require.Equal(t, map[string]string{"reserve.time": "30000"}, w.topicTable()["old"].Attributes)
	w.pass(time.Minute)
	first, _ := w.bounds("old")
	require.Equal(t, "8", first)
}

// After a start the limits hold from the first request on, and not from the first round of cleaning on.
func TestWhatATopicDoesNotKeepIsNotShownAgainByAStart(t *testing.T) {
	w := newWorld(t)
	w.succeeds(updateTopicRequest("large", func(h *proto.UpdateAndCreateTopic) { h.Attributes = "+reserve.size=200000" }))
	w.succeeds(updateTopicRequest("old", func(h *proto.UpdateAndCreateTopic) { h.Attributes = "+reserve.time=30000" }))
	w.fill("old", 4)
	w.fill("large", 8)
	w.pass(time.Minute)
	for _, style := range []sim.CrashStyle{sim.PowerLoss, sim.KillProcess} {
		w.restart(style)
		for topic, want := range map[string][2]string{"large": {"5", "8"}, "old": {"4", "4"}} {
			first, end := w.bounds(topic)
			require.Equal(t, want, [2]string{first, end}, topic)
		}
		w.refused(pullRequest("large", 0, 0, 0, "*"), proto.RespPullOffsetMoved, "OFFSET_TOO_SMALL")
	}
}

func TestALimitOfATopicIsANumberAboveZeroOrNone(t *testing.T) {
	w := newWorld(t)
	for _, attributes := range []string{"+reserve.time=0", "+reserve.time=-2", "+reserve.time=1h", "+reserve.size=0", "+reserve.size="} {
		request := updateTopicRequest("orders", func(h *proto.UpdateAndCreateTopic) { h.Attributes = attributes })
		w.refused(request, proto.RespSystemError, "want a whole number above 0, or -1 for no limit")
	}
	w.succeeds(updateTopicRequest("orders", func(h *proto.UpdateAndCreateTopic) { h.Attributes = "+reserve.time=9223372036854775807" }))
	w.fill("orders", 1)
	w.pass(time.Minute)
	first, _ := w.bounds("orders")
	require.Equal(t, "0", first, "the greatest age there is does not overflow")
}

// TestCleaningQueuesLeavesThoseOfTopicsThatExist keeps what a Java broker would reset: the numbers of a queue whose messages
// have all expired.
func TestCleaningQueuesLeavesThoseOfTopicsThatExist(t *testing.T) {
	w := newWorld(t)
	w.succeeds(updateTopicRequest("orders", func(h *proto.UpdateAndCreateTopic) { h.Attributes = "+reserve.time=1000" }))
	w.fill("orders", 3)
	w.pass(time.Minute)
	clean := &transport.Request{Code: proto.ReqCleanExpiredConsumeQueue}
	w.succeeds(clean)
	first, end := w.bounds("orders")
	require.Equal(t, "3", first)
	require.Equal(t, "3", end)
	require.Contains(t, w.broker.Store().Queues(), store.QueueKey{Topic: "orders"})
}

// TestCleaningQueuesFinishesARemovalThatFailed begins where a removal of which only the first step succeeded ends.
func TestCleaningQueuesFinishesARemovalThatFailed(t *testing.T) {
	w := newWorld(t)
	w.fill("orders", 3)
	w.succeeds(commitRequest("g", "orders", 0, 2))
	w.broker.ForgetTopic("orders")
	w.succeeds(&transport.Request{Code: proto.ReqCleanUnusedTopic})
	require.NotContains(t, w.broker.Store().Queues(), store.QueueKey{Topic: "orders"})
	w.refused(queryRequest("g", "orders", 0), proto.RespQueryNotFound, "Not found")
	w.fill("orders", 1)
	first, end := w.bounds("orders")
	require.Equal(t, "0", first)
	require.Equal(t, "1", end)
}
