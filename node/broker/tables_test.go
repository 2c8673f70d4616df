package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// goldenTopic is a topic as topics.json has it.
func goldenTopic(name string, queues int, perm int) string {
	return fmt.Sprintf(`"%[1]s":{"attributes":{},"order":false,"perm":%[3]d,"readQueueNums":%[2]d,"topicFilterType":"SINGLE_TAG","topicName":"%[1]s","topicSysFlag":0,"writeQueueNums":%[2]d}`, name, queues, perm)
}

func TestTheTopicsFileHasTheLayoutOfAJavaBroker(t *testing.T) {
	w := newWorld(t)
	w.succeeds(updateTopicRequest("orders", func(h *proto.UpdateAndCreateTopic) {
		h.ReadQueues, h.WriteQueues, h.Perm, h.Ordered = 4, 2, proto.PermRead, true
		h.Attributes, h.FilterType = "+message.type=FIFO", proto.MultiTag
		h.SysFlags = proto.Some(proto.TopicUnit)
	}))
	require.Equal(t, `{"dataVersion":{"counter":1,"stateVersion":0,"timestamp":T},"topicConfigTable":{`+
		goldenTopic("BenchmarkTest", 1024, 6)+","+
		goldenTopic("DefaultCluster", 16, 7)+","+
		goldenTopic("DefaultCluster_REPLY_TOPIC", 1, 6)+","+
		goldenTopic("OFFSET_MOVED_EVENT", 1, 6)+","+
		goldenTopic("RMQ_SYS_TRANS_HALF_TOPIC", 1, 6)+","+
		goldenTopic("RMQ_SYS_TRANS_OP_HALF_TOPIC", 1, 6)+","+
		goldenTopic("SCHEDULE_TOPIC_XXXX", 18, 6)+","+
		goldenTopic("SELF_TEST_TOPIC", 1, 6)+","+
		goldenTopic("TBW102", 8, 7)+","+
		goldenTopic("TRANS_CHECK_MAX_TIME_TOPIC", 1, 6)+","+
		goldenTopic("broker-a", 1, 7)+","+
		goldenTopic("rmq_sys_wheel_timer", 1, 6)+","+
		`"orders":{"attributes":{"message.type":"FIFO"},"order":true,"perm":4,"readQueueNums":4,"topicFilterType":"MULTI_TAG",`+
		`"topicName":"orders","topicSysFlag":1,"writeQueueNums":2}}}`, stamped(w.file("config/topics.json")))
}

func TestTheTopicsOfAJavaBrokerAreTakenOver(t *testing.T) {
	w := prepareWorld(t)
	w.write("config/topics.json", `{
	"dataVersion":{"counter":7,"stateVersion":0,"timestamp":1767225600000},
	"topicConfigTable":{
		"orders":{"attributes":{},"order":true,"perm":6,"readQueueNums":3,"topicFilterType":"SINGLE_TAG","topicName":"orders","topicSysFlag":0,"writeQueueNums":2},
		"TBW102":{"perm":7,"readQueueNums":5,"topicName":"TBW102","writeQueueNums":5}
	}
}`)
	w.start()
	topics := w.topicTable()
	require.EqualValues(t, 3, topics["orders"].ReadQueues)
	require.EqualValues(t, 2, topics["orders"].WriteQueues)
	require.True(t, topics["orders"].Ordered)
	require.EqualValues(t, 5, topics["TBW102"].WriteQueues, "the file overrides what every broker has")
	require.EqualValues(t, 1024, topics["BenchmarkTest"].WriteQueues)
	w.succeeds(sendRequest("bills", 0, "x", ""))
	require.Contains(t, w.file("config/topics.json"), `"counter":8,`)
}

func TestAChangeThatChangesNothingIsNotSaved(t *testing.T) {
	w := newWorld(t)
	w.succeeds(updateTopicRequest("orders", nil))
	before := w.file("config/topics.json")
	w.succeeds(updateTopicRequest("orders", nil))
	require.Equal(t, before, w.file("config/topics.json"))
	w.succeeds(updateTopicRequest("orders", func(h *proto.UpdateAndCreateTopic) { h.WriteQueues = 3 }))
	require.NotEqual(t, before, w.file("config/topics.json"))
}

// goldenGroup is a group with the settings of one that was made by itself.
func goldenGroup(name string) string {
	return fmt.Sprintf(`"%[1]s":{"groupName":"%[1]s","consumeEnable":true,"consumeFromMinEnable":true,"consumeBroadcastEnable":true,`+
		`"consumeMessageOrderly":false,"retryQueueNums":1,"retryMaxTimes":16,"brokerId":0,"whichBrokerWhenConsumeSlowly":1,`+
		`"notifyConsumerIdsChangedEnable":true,"groupSysFlag":0,"consumeTimeoutMinute":15}`, name)
}

func TestTheGroupsFileHasTheLayoutOfAJavaBroker(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.succeeds(commitRequest("g", "orders", 0, 1))
	want := `{"dataVersion":{"counter":1,"stateVersion":0,"timestamp":T},"subscriptionGroupTable":{`
	for _, name := range []string{
		"CID_ONS-HTTP-PROXY", "CID_ONSAPI_OWNER", "CID_ONSAPI_PERMISSION", "CID_ONSAPI_PULL", "CID_RMQ_SYS_TRANS", "FILTERSRV_CONSUMER",
		"SELF_TEST_C_GROUP", "TOOLS_CONSUMER",
	} {
		want += goldenGroup(name) + ","
	}
	require.Equal(t, want+goldenGroup("g")+"}}", stamped(w.file("config/subscriptionGroup.json")))
}

// TestTheGroupsOfAJavaBrokerKeepTheirSettings includes those that this broker does not use.
func TestTheGroupsOfAJavaBrokerKeepTheirSettings(t *testing.T) {
	w := prepareWorld(t)
	const javaGroup = `"groupRetryPolicy":{"type":"CUSTOMIZED"},"brokerId":0,"whichBrokerWhenConsumeSlowly":1,"notifyConsumerIdsChangedEnable":true,` +
		`"groupSysFlag":0,"consumeTimeoutMinute":30,"subscriptionDataSet":[{"topic":"orders"}],"attributes":{"a":"b"}}`
	w.write("config/subscriptionGroup.json", `{"dataVersion":{"counter":4,"stateVersion":0,"timestamp":1},"subscriptionGroupTable":{"mine":{"groupName":"mine",`+
		`"consumeEnable":true,"consumeMessageOrderly":true,"retryQueueNums":2,"retryMaxTimes":3,`+javaGroup+`}}`)
	w.start()
	w.succeeds(heartbeat("one", "mine", nil))
	require.EqualValues(t, 2, w.topicTable()["%RETRY%mine"].WriteQueues)
	w.succeeds(heartbeat("one", "other", nil))
	file := w.file("config/subscriptionGroup.json")
	require.Contains(t, file, `"counter":5,`)
	require.Contains(t, file, `"consumeMessageOrderly":true,"retryQueueNums":2,"retryMaxTimes":3,`+javaGroup)
}

func TestABrokerDoesNotStartOverAFileItCannotRead(t *testing.T) {
	for _, name := range []string{"topics.json", "subscriptionGroup.json", "consumerOffset.json"} {
		w := prepareWorld(t)
		w.write("config/"+name, `{"dataVersion":`)
		e := w.machine.Boot("broker")
		b, err := broker.New(e, w.options)
		require.NoError(t, err)
		done := false
		e.Tasks.Go("start", func() { err = b.Start(); done = true })
		w.kernel.Run(0, func() bool { return done })
		require.ErrorContains(t, err, "config/"+name)
		require.ErrorContains(t, err, "repair the file")
		w.machine.Shutdown()
		w.write("config/"+name, "")
		w.start()
	}
}

// TestATopicThatOnlyTheStoreKnowsIsAddedToTheTable: its messages were acknowledged.
func TestATopicThatOnlyTheStoreKnowsIsAddedToTheTable(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 2, "x", ""))
	w.close()
	w.machine.Crash(sim.KillProcess)
	w.write("config/topics.json", `{"topicConfigTable":{}}`)
	w.start()
	require.EqualValues(t, 3, w.topicTable()["orders"].ReadQueues)
	require.Equal(t, []string{"x"}, bodies(t, w.succeeds(pullRequest("orders", 2, 0, 0, "*"))))
}

// TestTheTablesAreReadAsAStartWouldReadThem, also while the broker runs: nothing is changed.
func TestTheTablesAreReadAsAStartWouldReadThem(t *testing.T) {
	w := newWorld(t)
	w.succeeds(updateTopicRequest("orders", nil))
	w.fillQueue("orders", 0, 3)
	w.fillQueue("orders", 1, 7)
	w.succeeds(commitRequest("g", "orders", 1, 7))
	w.pass(10 * time.Second)
	w.succeeds(commitRequest("g", "orders", 0, 3))
	w.succeeds(commitRequest("f", "orders", 0, 1))
	before := w.file("config/consumerOffset.journal")
	var tables broker.Tables
	var err error
	done := false
	e := w.machine.Node("reader", ".")
	e.Tasks.Go("read", func() { tables, err = broker.ReadTables(e); done = true })
	w.kernel.Run(w.kernel.Now().Add(time.Minute), func() bool { return done })
	require.NoError(t, err)
	require.Equal(t, []broker.CommittedOffset{
		{Group: "f", Topic: "orders", Queue: 0, Offset: 1, Journalled: true},
		{Group: "g", Topic: "orders", Queue: 0, Offset: 3, Journalled: true},
		{Group: "g", Topic: "orders", Queue: 1, Offset: 7},
	}, tables.Offsets)
	names := []string{}
	for _, topic := range tables.Topics {
		names = append(names, topic.Name)
	}
	require.Contains(t, names, "orders")
	require.Equal(t, "g", tables.Groups[len(tables.Groups)-1].Name)
	require.Equal(t, before, w.file("config/consumerOffset.journal"))
}
