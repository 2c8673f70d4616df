package broker_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// What changes while a pop waits for the disk.

// coldStore takes only the newest few messages to be in memory.
func coldStore(o *broker.Options) { o.Store.Cached = 4096 }

// cool pushes what was sent so far out of memory.
func (w *world) cool() {
	w.t.Helper()
	w.succeeds(sendRequest("filler", 0, strings.Repeat("x", 8192), ""))
}

// slowReads makes each read of the broker's disk take so long.
func (w *world) slowReads(d time.Duration) {
	o := w.machine.Disk().Options()
	o.ReadMin, o.ReadMax = d, d
	w.machine.Disk().SetOptions(o)
}

// slowWrites makes each write of the broker's disk take so long.
func (w *world) slowWrites(d time.Duration) {
	o := w.machine.Disk().Options()
	o.WriteMin, o.WriteMax = d, d
	w.machine.Disk().SetOptions(o)
}

func TestAMessageThatIsAcknowledgedWhileItIsReadAgainIsNotHandedOut(t *testing.T) {
	w := newWorld(t, coldStore)
	w.sendOrders(0, 3)
	list := w.pop()
	w.cool()
	w.pass(time.Minute)
	tool := w.addClient("tool")
	w.slowReads(time.Second)
	again := w.begin(popRequest())
	w.pass(500 * time.Millisecond)
	require.Nil(t, *again, "it reads")
	acked, hidden := tool.begin(ackRequest(list[0])), tool.begin(hideRequest(list[1], time.Hour))
	w.pass(100 * time.Millisecond)
	require.EqualValues(t, proto.RespSuccess, (*acked).Code, (*acked).Remark)
	require.EqualValues(t, proto.RespSuccess, (*hidden).Code, (*hidden).Remark)
	w.pass(time.Minute)
	require.Equal(t, []string{"2"}, bodiesIn(popped(t, *again)))
	w.pass(10 * time.Minute)
	w.quickDisk()
	require.Equal(t, []string{"2"}, bodiesIn(w.pop()))
}

// TestATopicThatIsMadeAgainWhileItIsPoppedLosesNothing: its first messages have the numbers of those of the old one, of which the pop has read some.
func TestATopicThatIsMadeAgainWhileItIsPoppedLosesNothing(t *testing.T) {
	all := func(h *proto.PopMessage) { h.QueueID = -1 }
	fill := func(w *world, count int) (bodies []string) {
		for i := range count {
			for queue := range int32(4) {
				bodies = append(bodies, fmt.Sprintf("%d of %d in %d", i, count, queue))
				w.succeeds(sendRequest("orders", queue, bodies[len(bodies)-1], ""))
			}
		}
		return bodies
	}
	for after := 5 * time.Second; after < 40*time.Second; after += 10 * time.Second {
		w := newWorld(t, coldStore)
		fill(w, 2)
		w.cool()
		tool := w.addClient("tool")
		w.slowReads(10 * time.Second)
		pop := w.begin(popRequest(all))
		w.pass(after)
		require.Nil(t, *pop)
		deleted, made := tool.begin(deleteTopicRequest("orders")), tool.begin(updateTopicRequest("orders", nil))
		w.pass(3 * time.Minute)
		require.EqualValues(t, proto.RespSuccess, (*deleted).Code, (*deleted).Remark)
		require.EqualValues(t, proto.RespSuccess, (*made).Code, (*made).Remark)
		require.NotNil(t, *pop)
		w.quickDisk()
		want := fill(w, 4)
		require.ElementsMatch(t, want, bodiesIn(w.pop(all)), "deleted after %s", after)
	}
}

// TestAPopThatCannotBeStoredLosesNothing although another one reads already what comes behind its messages.
func TestAPopThatCannotBeStoredLosesNothing(t *testing.T) {
	w := newWorld(t, coldStore)
	w.sendOrders(0, 4)
	m := w.pop(atMost(1))[0]
	w.cool()
	w.fillLog(m)
	other := w.addClient("other")
	w.slowWrites(10 * time.Second)
	first := w.begin(popRequest(atMost(1)))
	w.pass(time.Second)
	require.Nil(t, *first, "it is being written")
	w.slowWrites(time.Microsecond)
	w.slowReads(20 * time.Second)
	second := other.begin(popRequest(atMost(1)))
	w.pass(15 * time.Second)
	require.NotNil(t, *first)
	require.EqualValues(t, proto.RespServiceNotAvailable, (*first).Code, (*first).Remark)
	w.quickDisk()
	w.pass(30 * time.Second)
	require.NotNil(t, *second)
	w.pass(time.Minute)
	require.Equal(t, []string{"1", "2", "3"}, bodiesIn(w.pop()))
}

// fillLog fills the disk, and the file of the log that has its space already: to the end with receipts of a message.
func (w *world) fillLog(m taken) {
	w.t.Helper()
	o := w.machine.Disk().Options()
	o.Full = true
	w.machine.Disk().SetOptions(o)
	for _, body := range []string{strings.Repeat("x", 60_000), strings.Repeat("x", 1000), ""} {
		for w.call(sendRequest("others", 0, body, "")).Code == proto.RespSuccess {
		}
	}
	for response := w.call(hideRequest(m, time.Hour)); response.Code == proto.RespSuccess; response = w.call(hideRequest(m, time.Hour)) {
		var h proto.ChangeMessageInvisibleTimeResponse
		require.NoError(w.t, h.DecodeFields(response.Fields))
		m.receipt.PoppedAt = h.PoppedAt
	}
}

func TestAPopThatIsHeldOutlivesThatItsTopicIsDeletedWhileItIsServed(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 2)
	odd := func(h *proto.PopMessage) { h.Expression, h.QueueID = "odd", -1 }
	w.succeeds(ackRequest(w.pop(odd)[0]))
	held := w.begin(popRequest(odd, waiting(30*time.Second)))
	w.pass(time.Second)
	tool, producer := w.addClient("tool"), w.addClient("producer")
	w.slowWrites(time.Second)
	producer.begin(sendRequest("orders", 1, "even", "TAGS\x01even\x02"))
	w.pass(1500 * time.Millisecond)
	// That the message was passed over is being written. Only the last write of the deletion is slow.
	deleted := tool.begin(deleteTopicRequest("orders"))
	w.slowWrites(time.Microsecond)
	w.pass(10 * time.Second)
	require.NotNil(t, *deleted)
	require.NotNil(t, *held, "whoever waits is told")
	w.refused(popRequest(), proto.RespTopicNotExist, "orders")
}

func TestAPopIsNotAnsweredWithMessagesByRightsThatAreGone(t *testing.T) {
	for _, hold := range []time.Duration{0, 30 * time.Second} {
		w := newWorld(t, guarded, coldStore)
		alice := w.user("alice", may("Sub", "Topic:orders"), may("Sub", "Group:g"))
		w.client = w.as(root)
		w.sendOrders(0, 2)
		w.cool()
		w.slowReads(20 * time.Second)
		w.client = w.as(alice)
		pop := w.begin(popRequest(waiting(hold)))
		w.pass(time.Second)
		require.Nil(t, *pop, "it reads")
		w.quickDisk()
		w.client = w.as(root)
		w.succeeds(&transport.Request{Code: proto.ReqAuthDeleteUser, Header: &proto.AuthUser{Username: "alice"}})
		w.pass(time.Minute)
		require.NotNil(t, *pop)
		require.EqualValues(t, proto.RespPollingTimeout, (*pop).Code, (*pop).Remark)
		require.Empty(t, (*pop).Body)
		require.Equal(t, []string{"0", "1"}, bodiesIn(w.pop()), "nobody has them")
	}
}

func TestAHeldPopWhoseClientIsGoneTakesNothing(t *testing.T) {
	w := newWorld(t, coldStore)
	w.sendOrders(0, 2)
	w.pop()
	w.cool()
	gone := w.addClient("gone")
	gone.begin(popRequest(waiting(5 * time.Minute)))
	w.slowReads(2 * time.Second)
	w.pass(61 * time.Second)
	gone.machine.Crash(sim.KillProcess)
	w.pass(10 * time.Second)
	w.quickDisk()
	require.Equal(t, []string{"0", "1"}, bodiesIn(w.pop()))
}

// TestAResetWhileAGroupBeginsToPopCounts: where the group begins is stored just then.
func TestAResetWhileAGroupBeginsToPopCounts(t *testing.T) {
	for after := time.Duration(0); after < 2*time.Second; after += 100 * time.Millisecond {
		w := newWorld(t, func(o *broker.Options) { o.Store.Flush = store.SyncFlush })
		w.sendOrders(0, 6)
		w.succeeds(commitRequest("g", "orders", 1, 4))
		tool := w.addClient("tool")
		w.slowDisk(300 * time.Millisecond)
		reset := tool.begin(resetRequest(0, func(h *proto.ResetOffset) { h.QueueID, h.Offset = proto.Some(int32(1)), proto.Some(int64(2)) }))
		w.pass(after)
		pop := w.begin(popRequest(atMost(1)))
		w.pass(20 * time.Second)
		require.NotNil(t, *pop)
		require.NotNil(t, *reset)
		require.EqualValues(t, proto.RespSuccess, (*reset).Code, (*reset).Remark)
		w.quickDisk()
		w.pass(2 * time.Minute)
		require.Contains(t, bodiesIn(w.pop()), "2", "popped %s after the reset began", after)
	}
}

// TestACommitWhileAGroupBeginsToPopCounts likewise.
func TestACommitWhileAGroupBeginsToPopCounts(t *testing.T) {
	for after := time.Duration(0); after < 2*time.Second; after += 100 * time.Millisecond {
		w := newWorld(t, func(o *broker.Options) { o.Store.Flush = store.SyncFlush })
		w.sendOrders(0, 6)
		w.succeeds(commitRequest("g", "orders", 1, 2))
		tool := w.addClient("tool")
		w.slowDisk(300 * time.Millisecond)
		w.begin(popRequest(atMost(1)))
		w.pass(after)
		committed := tool.begin(commitRequest("g", "orders", 1, 5))
		w.pass(20 * time.Second)
		require.NotNil(t, *committed)
		require.EqualValues(t, proto.RespSuccess, (*committed).Code, (*committed).Remark)
		require.EqualValues(t, 5, w.floor(), "committed %s after the pop", after)
	}
}

func TestAHeldPopIsServedAfterAReset(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 2)
	for _, m := range w.pop() {
		w.succeeds(ackRequest(m))
	}
	held := w.begin(popRequest(waiting(time.Minute)))
	w.pass(time.Second)
	w.succeeds(resetRequest(0, func(h *proto.ResetOffset) { h.QueueID, h.Offset = proto.Some(int32(1)), proto.Some(int64(1)) }))
	w.pass(time.Second)
	require.NotNil(t, *held)
	require.Equal(t, []string{"1"}, bodiesIn(popped(t, *held)))
}

func TestAHeldPopIsServedWhenWhatWasBeforeBecomesADeadLetter(t *testing.T) {
	w := newWorld(t)
	w.succeeds(updateGroupRequest("g", func(g *proto.SubscriptionGroupConfig) { g.RedeliveriesMax = 0 }))
	w.sendOrders(0, 3)
	w.pop(inOrder("a"), atMost(1))
	held := w.begin(popRequest(inOrder("b"), waiting(5*time.Minute)))
	w.pass(62 * time.Second)
	require.NotNil(t, *held)
	require.Equal(t, []string{"1", "2"}, bodiesIn(popped(t, *held)))
}

func TestAPopThatNeedNotWaitIsServedBesideOrderedOnesThatMust(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 1)
	w.pop()
	ordered := w.begin(popRequest(inOrder("a"), waiting(30*time.Second)))
	w.pass(time.Second)
	plain := w.begin(popRequest(waiting(30 * time.Second)))
	w.pass(time.Second)
	w.sendOrders(1, 2)
	w.pass(time.Second)
	require.Nil(t, *ordered)
	require.NotNil(t, *plain)
	require.Equal(t, []string{"1"}, bodiesIn(popped(t, *plain)))
}

func TestWhatAJavaBrokerHasLeftToBeRetriedIsPoppedOfOneQueueToo(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 1)
	w.succeeds(ackRequest(w.pop()[0]))
	w.succeeds(updateGroupRequest("g_orders", nil)) // by its name the topic is also that of another group
	w.succeeds(sendRequest("%RETRY%g_orders", 0, "left", ""))
	first := w.pop()
	require.Equal(t, []string{"left"}, bodiesIn(first))
	require.Equal(t, proto.PopRetryV1, first[0].receipt.Retry)
	held := w.begin(popRequest(waiting(2 * time.Minute)))
	w.pass(62 * time.Second)
	require.NotNil(t, *held, "it is visible again")
	again := popped(t, *held)
	require.Equal(t, []string{"left"}, bodiesIn(again))
	w.succeeds(ackRequest(again[0]))
}

func TestAPopTakesNoMoreBytesOfWhatComesAgainThanOfWhatIsNew(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.PullBytesMax = 10_000 })
	for i := range 8 {
		w.succeeds(sendRequest("orders", 1, strconv.Itoa(i)+strings.Repeat("x", 4000), ""))
	}
	for range 3 {
		w.pop()
	}
	w.pass(time.Minute)
	require.Len(t, w.pop(), 3)
}

// TestPopsPassOverWhatWasLost: a repair leaves entries in queues that lead to no message.
func TestPopsPassOverWhatWasLost(t *testing.T) {
	for _, count := range []int32{1, 32} {
		w := newWorld(t)
		w.sendOrders(0, 44)
		w.close()
		const name = "consumequeue/orders/1/00000000000000000000"
		w.machine.Shutdown()
		entries := []byte(w.file(name))
		for i := 2; i < 42; i++ {
			copy(entries[20*i+8:], "\x7f\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00")
		}
		w.write(name, string(entries))
		w.start()
		var all []string
		for range 50 {
			if response := w.call(popRequest(atMost(count), waiting(time.Second))); response.Code == proto.RespSuccess {
				all = append(all, bodiesIn(popped(t, response))...)
			}
		}
		require.Equal(t, []string{"0", "1", "42", "43"}, all)
	}
}

func TestWhoPeeksSeesNothingByRightsThatAreGone(t *testing.T) {
	w := newWorld(t, guarded, coldStore)
	alice := w.user("alice", may("Sub", "Topic:orders"), may("Sub", "Group:g"))
	w.client = w.as(root)
	w.sendOrders(0, 2)
	w.cool()
	w.client = w.as(alice)
	peek := &transport.Request{Code: proto.ReqPeekMessage, Header: &proto.PeekMessage{ConsumerGroup: "g", Topic: "orders", QueueID: 1, MaxMessages: 2}}
	require.Len(t, bodies(t, w.succeeds(peek)), 2)
	w.slowReads(20 * time.Second)
	seen := w.begin(peek)
	w.pass(time.Second)
	require.Nil(t, *seen, "it reads")
	w.quickDisk()
	w.client = w.as(root)
	w.succeeds(&transport.Request{Code: proto.ReqAuthDeleteUser, Header: &proto.AuthUser{Username: "alice"}})
	w.pass(time.Minute)
	require.NotNil(t, *seen)
	require.EqualValues(t, proto.RespPullNotFound, (*seen).Code, (*seen).Remark)
	require.Empty(t, (*seen).Body)
}
