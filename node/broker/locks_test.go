package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

func lockBody(group, clientID string, queues []int32) []byte {
	body := &proto.LockBatch{ConsumerGroup: group, ClientID: clientID}
	for _, id := range queues {
		body.Queues = append(body.Queues, proto.Queue{Topic: "orders", BrokerName: "broker-a", QueueID: id})
	}
	return body.Marshal()
}

func lockRequest(group, clientID string, queues ...int32) *transport.Request {
	return &transport.Request{Code: proto.ReqLockBatchQueues, Body: lockBody(group, clientID, queues)}
}

func unlockRequest(group, clientID string, queues ...int32) *transport.Request {
	return &transport.Request{Code: proto.ReqUnlockBatchQueues, Body: lockBody(group, clientID, queues)}
}

// lock asks for queues and returns those that were granted.
func (w *world) lock(group, clientID string, queues ...int32) (granted []int32) {
	w.t.Helper()
	body, err := proto.UnmarshalLockBatchResponse(w.succeeds(lockRequest(group, clientID, queues...)).Body)
	require.NoError(w.t, err)
	for _, q := range body.Queues {
		granted = append(granted, q.QueueID)
	}
	return granted
}

func TestAQueueIsLockedByOneMemberAtATime(t *testing.T) {
	w := newWorld(t)
	require.Equal(t, []int32{0, 1}, w.lock("g", "one", 0, 1))
	require.Equal(t, []int32{2}, w.lock("g", "two", 0, 1, 2))
	require.Equal(t, []int32{0}, w.lock("h", "two", 0), "another group")
	w.succeeds(unlockRequest("g", "two", 0))
	require.Empty(t, w.lock("g", "two", 0), "what somebody else holds cannot be given back")
	w.succeeds(unlockRequest("g", "one", 0))
	require.Equal(t, []int32{0}, w.lock("g", "two", 0))
	require.Equal(t, []int32{1}, w.lock("g", "one", 0, 1))
}

func TestALockThatIsNotRenewedEndsAfterAMinute(t *testing.T) {
	w := newWorld(t)
	w.lock("g", "one", 0, 1)
	w.pass(40 * time.Second)
	require.Equal(t, []int32{0}, w.lock("g", "one", 0))
	w.pass(21 * time.Second)
	require.Equal(t, []int32{1}, w.lock("g", "two", 0, 1))
	w.pass(40 * time.Second)
	require.Equal(t, []int32{0, 1}, w.lock("g", "two", 0, 1))
	require.Empty(t, w.lock("g", "one", 0, 1))
}

func TestALockOutlivesTheBroker(t *testing.T) {
	w := newWorld(t)
	w.lock("g", "one", 0)
	w.restart(sim.PowerLoss)
	require.Empty(t, w.lock("g", "two", 0))
	require.Equal(t, []int32{0}, w.lock("g", "one", 0))
	w.restart(sim.PowerLoss)
	w.pass(61 * time.Second)
	require.Equal(t, []int32{0}, w.lock("g", "two", 0), "its owner has not come back")
	w.restart(sim.PowerLoss)
	require.Empty(t, w.lock("g", "one", 0))
}

func TestALockThatWasGivenBackStaysFree(t *testing.T) {
	w := newWorld(t)
	w.lock("g", "one", 0)
	w.succeeds(unlockRequest("g", "one", 0))
	w.restart(sim.PowerLoss)
	require.Equal(t, []int32{0}, w.lock("g", "two", 0), "nobody waits until it expires")
	o := sim.DefaultDisk()
	o.WriteError = 1
	w.machine.Disk().SetOptions(o)
	w.refused(unlockRequest("g", "two", 0), proto.RespSystemError, "could not be made durable")
	w.machine.Disk().SetOptions(sim.DefaultDisk())
	w.succeeds(unlockRequest("g", "two", 0))
	w.restart(sim.PowerLoss)
	require.Equal(t, []int32{0}, w.lock("g", "one", 0))
	w.pass(65 * time.Second)
	w.succeeds(unlockRequest("g", "one", 0))
	w.restart(sim.PowerLoss)
	require.Equal(t, []int32{0}, w.lock("g", "two", 0), "it had expired before, but the file did not say so")
}

func TestALockThatCannotBeMadeDurableIsNotGranted(t *testing.T) {
	w := newWorld(t)
	o := sim.DefaultDisk()
	o.WriteError = 1
	w.machine.Disk().SetOptions(o)
	w.refused(lockRequest("g", "one", 0), proto.RespSystemError, "could not be made durable")
	w.machine.Disk().SetOptions(sim.DefaultDisk())
	require.Equal(t, []int32{0}, w.lock("g", "one", 0))
	w.restart(sim.PowerLoss)
	require.Empty(t, w.lock("g", "two", 0))
}

func TestABadLockRequestNamesTheField(t *testing.T) {
	w := newWorld(t)
	w.refused(lockRequest("", "one", 0), proto.RespInvalidParameter, "consumerGroup")
	w.refused(lockRequest("g", "", 0), proto.RespInvalidParameter, "clientId")
	w.refused(&transport.Request{Code: proto.ReqLockBatchQueues, Body: []byte("{")}, proto.RespInvalidParameter, "LockBatchRequestBody")
}

func TestTheLocksOfATopicGoWithIt(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.lock("g", "one", 0)
	w.succeeds(deleteTopicRequest("orders"))
	require.Equal(t, []int32{0}, w.lock("g", "two", 0))
}

// peer is another client, with a connection of its own.
type peer struct {
	w      *world
	name   string
	client *transport.Client
}

func (w *world) peer(name string) *peer {
	w.t.Helper()
	p := &peer{w: w, name: name, client: transport.NewClient(w.clientEnv(), transport.ClientOptions{})}
	require.EqualValues(w.t, proto.RespSuccess, p.call(heartbeat(name, "g", nil)).Code)
	return p
}

// call sends a request over the peer's own connection.
func (p *peer) call(request *transport.Request) (response *wire.Command) {
	p.w.t.Helper()
	own := p.w.client
	p.w.client = p.client
	defer func() { p.w.client = own }()
	return p.w.call(request)
}

func (p *peer) pull(from int64)        { p.call(pullRequest("orders", 0, from, 0, "*")) }
func (p *peer) commit(at int64) string { return p.call(commitRequest("g", "orders", 0, at)).Remark }

func (w *world) offset() string {
	w.t.Helper()
	return w.succeeds(queryRequest("g", "orders", 0)).Fields.String("offset")
}

// shared is a queue with 20 messages and two members of a group.
func shared(t *testing.T, change ...func(*broker.Options)) (w *world, one, two *peer) {
	t.Helper()
	w = newWorld(t, change...)
	for n := range 20 {
		w.succeeds(sendRequest("orders", 0, fmt.Sprint(n), ""))
	}
	return w, w.peer("one"), w.peer("two")
}

func TestAMemberThatHasLostAQueueDoesNotMoveItsOffset(t *testing.T) {
	w, one, two := shared(t)
	one.pull(0)
	require.Empty(t, one.commit(5))
	two.pull(5)
	require.Empty(t, two.commit(12))
	require.Contains(t, one.commit(7), "another client has pulled the queue since")
	require.Contains(t, one.commit(15), "another client has pulled the queue since")
	require.Equal(t, "12", w.offset())
	one.pull(12)
	require.Empty(t, one.commit(13))
	require.Contains(t, two.commit(12), "another client")
	require.Equal(t, "13", w.offset())
}

func TestWhatWasConsumedCountsIfNobodyElseIsAtWork(t *testing.T) {
	w, one, two := shared(t)
	one.pull(0)
	two.pull(0)
	require.Empty(t, two.commit(2))
	w.run(func() { two.client.Close() })
	w.pass(time.Second)
	require.Empty(t, one.commit(9))
	require.Contains(t, one.commit(1), "another client")
	require.Equal(t, "9", w.offset())
}

func TestWhoChoosesTheOffsetsGoesBackByPullingThere(t *testing.T) {
	w, one, two := shared(t)
	for _, p := range []*peer{one, two} {
		polls := func(data *proto.HeartbeatData) { data.Consumers[0].ConsumeType = proto.ConsumePull }
		require.EqualValues(t, proto.RespSuccess, p.call(heartbeat(p.name, "g", polls)).Code)
	}
	one.pull(9)
	require.Empty(t, one.commit(12))
	require.Empty(t, one.commit(5), "it may count anew")
	two.pull(5)
	require.Empty(t, two.commit(15))
	one.pull(12)
	require.Contains(t, one.commit(5), "has committed more", "what it had before another one was at work is old")
	require.Equal(t, "15", w.offset())
	require.Empty(t, one.commit(13))
	one.pull(3)
	require.Empty(t, one.commit(4))
	one.pull(7)
	require.Empty(t, one.commit(3))
	require.Equal(t, "3", w.offset())
}

func TestOnlyTheOwnerOfALockMovesTheOffset(t *testing.T) {
	w, one, two := shared(t)
	require.Equal(t, []int32{0}, w.lock("g", "one", 0))
	one.pull(0)
	require.Empty(t, one.commit(3))
	two.pull(3)
	require.Contains(t, two.commit(4), "the queue is locked by another member of the group, one")
	require.Equal(t, "3", w.offset())
	w.pass(61 * time.Second)
	require.Equal(t, []int32{0}, w.lock("g", "two", 0))
	two.pull(3)
	require.Contains(t, one.commit(6), "locked by another member of the group, two")
	require.Empty(t, two.commit(4))
	require.Equal(t, "4", w.offset())
}

func resetRequest(timestamp int64, change func(*proto.ResetOffset)) *transport.Request {
	h := &proto.ResetOffset{Topic: "orders", Group: "g", Timestamp: timestamp, Force: true}
	if change != nil {
		change(h)
	}
	return &transport.Request{Code: proto.ReqInvokeBrokerToResetOffset, Header: h}
}

func toOffset(at int64) func(*proto.ResetOffset) {
	return func(h *proto.ResetOffset) { h.QueueID, h.Offset = proto.Some(int32(0)), proto.Some(at) }
}

func TestAResetIsSeenByWhoConsumesAndNeverLost(t *testing.T) {
	w, one, two := shared(t)
	one.pull(0)
	require.Empty(t, one.commit(15))
	reply := w.succeeds(resetRequest(0, toOffset(4)))
	body, err := proto.UnmarshalResetOffsets(reply.Body)
	require.NoError(t, err)
	require.Equal(t, []proto.QueueOffset{{Queue: proto.Queue{Topic: "orders", BrokerName: "broker-a", QueueID: 0}, Offset: 4}}, body.Offsets)
	for range 2 {
		require.Contains(t, one.commit(16), "the offset was reset")
		require.Contains(t, two.commit(3), "the offset was reset")
		for _, p := range []*peer{one, two} {
			moved := p.call(pullRequest("orders", 0, 16, 0, "*"))
			require.EqualValues(t, proto.RespPullOffsetMoved, moved.Code)
			require.Equal(t, "4", moved.Fields.String("nextBeginOffset"))
		}
		require.Equal(t, "4", w.offset())
		w.restart(sim.PowerLoss)
	}
	one.pull(4)
	require.Empty(t, one.commit(6))
	require.Equal(t, "6", w.offset())
	w.pass(10 * time.Second)
	w.restart(sim.PowerLoss)
	one.pull(6)
	require.Empty(t, one.commit(7), "it was taken")
}

func TestAHeldPullIsToldOfAReset(t *testing.T) {
	w, one, _ := shared(t)
	one.pull(0)
	held := w.begin(pullRequest("orders", 0, 20, 30*time.Second, "*"))
	w.pass(time.Second)
	require.Nil(t, *held)
	w.succeeds(resetRequest(0, toOffset(4)))
	w.pass(100 * time.Millisecond)
	require.NotNil(t, *held)
	require.EqualValues(t, proto.RespPullOffsetMoved, (*held).Code)
	require.Equal(t, "4", (*held).Fields.String("nextBeginOffset"))
}

func TestAResetByTimeIsForAllQueues(t *testing.T) {
	w, one, _ := shared(t)
	one.pull(0)
	w.pass(time.Minute)
	wall := int64(w.machine.Wall())
	w.succeeds(sendRequest("orders", 0, "late", ""))
	w.succeeds(sendRequest("orders", 2, "late", ""))
	body, err := proto.UnmarshalResetOffsets(w.succeeds(resetRequest(wall, nil)).Body)
	require.NoError(t, err)
	require.Len(t, body.Offsets, 4)
	require.Equal(t, "20", w.offset())
	w.succeeds(resetRequest(-1, nil))
	require.Equal(t, "21", w.offset())
	w.succeeds(resetRequest(0, nil))
	require.Equal(t, "0", w.offset())
}

func TestAResetThatCannotBeIsRefused(t *testing.T) {
	w, _, _ := shared(t)
	w.refused(resetRequest(0, func(h *proto.ResetOffset) { h.Topic = "nowhere" }), proto.RespTopicNotExist, "Topic nowhere does not exist")
	w.refused(resetRequest(0, func(h *proto.ResetOffset) { h.Group = "nobody" }), proto.RespSubscriptionGroupNotExist, "Group nobody does not exist")
	w.refused(resetRequest(0, func(h *proto.ResetOffset) { h.QueueID = proto.Some(int32(9)) }), proto.RespInvalidParameter, "queueId[9]")
	w.refused(resetRequest(0, toOffset(21)), proto.RespSystemError, "offset 21 is not in queue 0 of orders: it has [0, 20]")
}

// A broker that was started anew, or that all members have left, knows nobody: over a new connection a member says who it is, or wants no answer.
func TestAMemberThatComesBackBeforeItsHeartbeatMovesNoOffsetBack(t *testing.T) {
	w := newWorld(t)
	w.fillQueue("orders", 0, 20)
	w.succeeds(commitRequest("g", "orders", 0, 15))
	late := commitRequest("g", "orders", 0, 12)
	w.oneway(late)
	w.committed("g", "orders", 0, "15")
	late.Header.(*proto.UpdateConsumerOffset).ClientID = "one"
	w.refused(late, proto.RespSystemError, "pull first")
	w.succeeds(commitRequest("g", "orders", 0, 12)) // a tool may
	w.committed("g", "orders", 0, "12")
}
