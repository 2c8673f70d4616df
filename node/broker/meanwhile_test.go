package broker_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// What changes while a request waits for the disk.

// begin is like that of the world, over the other client's connection.
func (o *otherClient) begin(request *transport.Request) **wire.Command {
	var response *wire.Command
	o.machine.Node(o.machine.Name(), ".").Tasks.Go("call", func() {
		conn, err := o.client.Conn(nil, address, o.w.kernel.Now().Add(time.Minute))
		if err == nil {
			response, _ = conn.Call(nil, request, o.w.kernel.Now().Add(time.Minute))
		}
	})
	return &response
}

// quickDisk is the disk before slowDisk.
func (w *world) quickDisk() { w.machine.Disk().SetOptions(sim.DefaultDisk()) }

// TestAResetThatWaitsForTheDiskDoesNotOutliveItsTopic: a topic that is made again begins at 0, and so does the group.
func TestAResetThatWaitsForTheDiskDoesNotOutliveItsTopic(t *testing.T) {
	for _, after := range []time.Duration{0, 100, 200, 300, 400, 500, 700} {
		w := newWorld(t)
		w.fillQueue("orders", 0, 20)
		w.succeeds(updateGroupRequest("g", nil))
		tool := w.addClient("tool")
		w.slowDisk(300 * time.Millisecond)
		deleted := w.begin(deleteTopicRequest("orders"))
		w.pass(after*time.Millisecond + 10*time.Millisecond)
		reset := tool.begin(resetRequest(0, toOffset(15)))
		w.pass(10 * time.Second)
		require.NotNil(t, *deleted)
		require.EqualValues(t, proto.RespSuccess, (*deleted).Code, (*deleted).Remark)
		require.NotNil(t, *reset)
		w.quickDisk()
		for range 2 {
			w.committed("g", "orders", 0, "")
			w.restart(sim.PowerLoss)
		}
		w.fillQueue("orders", 0, 20)
		require.Len(t, w.records("orders", 0), 20, "%s after the deletion began", after)
	}
}

// TestAResetDoesNotOutliveItsTopicInACrash: the topic that is made again may have as many messages by then.
func TestAResetDoesNotOutliveItsTopicInACrash(t *testing.T) {
	w, one, _ := shared(t)
	w.succeeds(resetRequest(0, toOffset(15)))
	w.succeeds(deleteTopicRequest("orders"))
	w.fillQueue("orders", 0, 20)
	one.pull(0)
	require.Empty(t, one.commit(3))
	w.restart(sim.PowerLoss)
	require.EqualValues(t, proto.RespSuccess, one.call(pullRequest("orders", 0, 3, 0, "*")).Code)
}

func TestAResetThatFailedLeavesTheOffset(t *testing.T) {
	w := newWorld(t)
	w.fillQueue("orders", 0, 20)
	w.succeeds(commitRequest("g", "orders", 0, 15))
	w.slowDisk(300 * time.Millisecond)
	// The file of the resets can be saved, and that of the offsets cannot.
	reset := w.begin(resetRequest(0, toOffset(4)))
	w.pass(700 * time.Millisecond)
	require.Nil(t, *reset)
	disk := w.machine.Disk().Options()
	disk.SyncError = 1
	w.machine.Disk().SetOptions(disk)
	w.pass(time.Second)
	require.NotNil(t, *reset)
	require.EqualValues(t, proto.RespSystemError, (*reset).Code)
	w.quickDisk()
	w.committed("g", "orders", 0, "15")
	w.pass(10 * time.Second)
	w.restart(sim.PowerLoss)
	w.committed("g", "orders", 0, "15")
}

// TestAGroupMayGoWhileAMessageOfItsIsGivenUp: the topic of dead letters is made, which takes its time.
func TestAGroupMayGoWhileAMessageOfItsIsGivenUp(t *testing.T) {
	w := newWorld(t, noAutoGroups)
	w.succeeds(updateGroupRequest("g", nil))
	w.succeeds(sendRequest("%RETRY%g", 0, "x", ""))
	tool, other := w.addClient("tool"), w.addClient("other")
	w.slowDisk(300 * time.Millisecond)
	other.begin(updateTopicRequest("other", nil))
	w.pass(10 * time.Millisecond)
	request := sendRequest("%RETRY%g", 0, "x", "")
	(*proto.SendMessage)(request.Header.(*proto.SendMessageShort)).Redeliveries = 17
	dead := w.begin(request)
	w.pass(10 * time.Millisecond)
	deleted := tool.begin(deleteGroupRequest("g", true))
	w.pass(5 * time.Second)
	require.NotNil(t, *deleted)
	require.EqualValues(t, proto.RespSuccess, (*deleted).Code, (*deleted).Remark)
	require.NotNil(t, *dead)
	require.EqualValues(t, proto.RespSubscriptionGroupNotExist, (*dead).Code, (*dead).Remark)
}

func TestGroupsThatAreMadeAtOnceKeepToTheLimit(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.GroupsMax = len(proto.StartGroups()) + 1 })
	other := w.addClient("other")
	w.slowDisk(300 * time.Millisecond)
	one := w.begin(heartbeat("one", "g", nil))
	two := other.begin(heartbeat("two", "h", nil))
	w.pass(5 * time.Second)
	require.NotNil(t, *one)
	require.NotNil(t, *two)
	made := 0
	for _, group := range []string{"g", "h"} {
		if w.call(groupRequest(group)).Code == proto.RespSuccess {
			made++
		}
	}
	require.Equal(t, 1, made)
}

func TestARequestModeDoesNotOutliveItsTopic(t *testing.T) {
	w := newWorld(t)
	for _, topic := range []string{"orders", "bills"} {
		w.succeeds(updateTopicRequest(topic, nil))
	}
	w.succeeds(updateGroupRequest("g", nil))
	one, two := w.addClient("one"), w.addClient("two")
	w.slowDisk(300 * time.Millisecond)
	deleted := w.begin(deleteTopicRequest("orders"))
	// It has the table of modes to itself until the topic is gone. Then the topic's are forgotten, before or after the late one is set.
	one.begin(modeRequest("bills", "g", proto.ModePull))
	w.pass(400 * time.Millisecond)
	late := two.begin(modeRequest("orders", "g", proto.ModePull))
	w.pass(5 * time.Second)
	require.NotNil(t, *deleted)
	require.EqualValues(t, proto.RespSuccess, (*deleted).Code, (*deleted).Remark)
	require.NotNil(t, *late)
	require.NotContains(t, string(w.succeeds(&transport.Request{Code: proto.ReqGetAllMessageRequestMode}).Body), "orders")
}

// TestAPullThatReadsWhileItsGroupIsResetIsToldAtOnce: it was held, and a message has woken it in vain.
func TestAPullThatReadsWhileItsGroupIsResetIsToldAtOnce(t *testing.T) {
	w := newWorld(t)
	w.sizes(1, 2, 3)
	w.succeeds(commitRequest("g", "orders", 0, 3))
	tool, producer := w.addClient("tool"), w.addClient("producer")
	held := w.begin(sqlPull("orders", 3, time.Minute, "size > 5"))
	w.pass(time.Second)
	disk := w.machine.Disk().Options()
	disk.ReadMin, disk.ReadMax = time.Second, time.Second
	w.machine.Disk().SetOptions(disk)
	producer.begin(sendRequest("orders", 0, "x", "size\x014\x02"))
	w.pass(500 * time.Millisecond)
	tool.begin(resetRequest(0, toOffset(1)))
	w.pass(400 * time.Millisecond)
	w.committed("g", "orders", 0, "1")
	w.pass(5 * time.Second)
	require.NotNil(t, *held)
	require.EqualValues(t, proto.RespPullOffsetMoved, (*held).Code)
}

// TestAMessageComesBackToAQueueThatIsRead although the retry topic has fewer queues than the group wants, because a client or a tool has made it.
func TestAMessageComesBackToAQueueThatIsRead(t *testing.T) {
	w := newWorld(t, quickRetries)
	w.setGroup(func(g *proto.SubscriptionGroupConfig) { g.RetryQueues = 16 })
	w.succeeds(updateTopicRequest("%RETRY%g", func(h *proto.UpdateAndCreateTopic) { h.ReadQueues, h.WriteQueues = 2, 2 }))
	w.succeeds(sendRequest("orders", 1, "x", ""))
	for range 20 {
		w.succeeds(sendBackRequest("g", w.records("orders", 1)[0].LogOffset, 0, -1))
	}
	w.pass(2 * time.Second)
	require.Equal(t, 20, len(w.records("%RETRY%g", 0))+len(w.records("%RETRY%g", 1)))
}

func TestABrokerThatCannotReadItsDelayCursorsOpensNoPort(t *testing.T) {
	w := prepareWorld(t)
	w.write("config/delayOffset.json", `{"offsetTable":`)
	e := w.machine.Boot("broker")
	b, err := broker.New(e, w.options)
	require.NoError(t, err)
	started := false
	e.Tasks.Go("start", func() { err = b.Start(); started = true })
	w.kernel.Run(w.kernel.Now().Add(time.Minute), func() bool { return started })
	require.ErrorContains(t, err, "delayOffset.json")
	w.pass(time.Second)
	require.Empty(t, w.machine.TaskNames())
}

func TestABrokerThatClosesDoesNotWaitForNameServersThatItAsksForRoutes(t *testing.T) {
	w := prepareWorld(t, withNameServers("10.0.1.1:9876", "10.0.1.2:9876"))
	servers := []*nameServer{w.addNameServer("namesrv0", 1), w.addNameServer("namesrv1", 2)}
	w.start()
	w.succeeds(heartbeat("one", "g", nil))
	w.pass(time.Second)
	for _, s := range servers {
		w.kernel.Network().Block(s.machine, w.machine)
	}
	asked := w.begin(assignmentRequest("one", nil))
	w.pass(100 * time.Millisecond)
	require.Nil(t, *asked)
	began := w.kernel.Now()
	w.close()
	require.Less(t, w.kernel.Now().Sub(began), 1500*time.Millisecond, "a second is for telling them that it leaves")
	w.pass(time.Second)
	require.NotNil(t, *asked)
	require.JSONEq(t, "{}", string((*asked).Body), "the member keeps what it has")
}
