package broker_test

import (
	"testing"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func noAutoTopics(o *broker.Options) { o.NoAutoTopics = true }
func noAutoGroups(o *broker.Options) { o.NoAutoGroups = true }

// topicTable is the broker's answer to GET_ALL_TOPIC_CONFIG.
func (w *world) topicTable() map[string]proto.TopicConfig {
	w.t.Helper()
	table, err := proto.UnmarshalTopicTable(w.succeeds(&transport.Request{Code: proto.ReqGetAllTopicConfig}).Body)
	require.NoError(w.t, err)
	topics := map[string]proto.TopicConfig{}
	for _, topic := range table.Topics {
		topics[topic.Name] = topic
	}
	return topics
}

// sendWith is a send that names its own default topic and number of queues.
func sendWith(topic, defaultTopic string, queues int32) *transport.Request {
	header := &proto.SendMessage{ProducerGroup: "p", Topic: topic, DefaultTopic: defaultTopic, DefaultQueues: queues, BornAt: 1}
	return &transport.Request{Code: proto.ReqSendMessageV2, Header: header.Short(), Body: []byte("x")}
}

func TestASendMakesATopicAfterTheDefaultTopic(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendWith("few", proto.DefaultTopic, 3))
	w.succeeds(sendWith("many", proto.DefaultTopic, 100))
	w.succeeds(sendWith("cluster", "DefaultCluster", 100))
	topics := w.topicTable()
	require.EqualValues(t, 3, topics["few"].WriteQueues, "as many as the producer wants")
	require.EqualValues(t, 3, topics["few"].ReadQueues)
	require.EqualValues(t, 8, topics["many"].WriteQueues, "but no more than the default topic has")
	require.EqualValues(t, 16, topics["cluster"].WriteQueues, "any topic with the inherit bit is a default topic")
	require.Equal(t, proto.PermReadWrite, topics["few"].Perm, "the inherit bit is not inherited")
}

func TestASendMakesNoTopicAfterOneThatDoesNotLetIt(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendWith("orders", proto.DefaultTopic, 4))
	w.refused(sendWith("other", "orders", 4), proto.RespTopicNotExist, "topic[other] not exist, apply first please!")
	w.refused(sendWith("other", "nowhere", 4), proto.RespTopicNotExist, "other")
	w.refused(sendWith("other", proto.DefaultTopic, -1), proto.RespTopicNotExist, "other")
	require.NotContains(t, w.topicTable(), "other")
}

func TestWithoutAutomaticTopicsOnlyTheDefaultTopicIsSwitchedOff(t *testing.T) {
	w := newWorld(t, noAutoTopics)
	w.refused(sendWith("orders", proto.DefaultTopic, 4), proto.RespTopicNotExist, "topic[orders] not exist, apply first please!")
	w.succeeds(sendWith("orders", "DefaultCluster", 4))
	w.succeeds(updateTopicRequest("invoices", nil))
	w.succeeds(sendWith("invoices", proto.DefaultTopic, 4))
}

func TestAutomaticTopicsCanBeSwitchedOffLater(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendWith("orders", proto.DefaultTopic, 4))
	require.Contains(t, w.file("config/topics.json"), proto.DefaultTopic, "the file knows the default topic")
	w.options.NoAutoTopics = true
	w.restart(sim.KillProcess)
	w.refused(sendWith("invoices", proto.DefaultTopic, 4), proto.RespTopicNotExist, "invoices")
	w.succeeds(sendWith("orders", proto.DefaultTopic, 4))
}

func TestTheNumberOfTopicsHasALimit(t *testing.T) {
	w := newWorld(t)
	n := len(w.topicTable())
	w.options.TopicsMax = n + 1
	w.restart(sim.KillProcess)
	w.succeeds(sendWith("orders", proto.DefaultTopic, 4))
	w.refused(sendWith("invoices", proto.DefaultTopic, 4), proto.RespSystemError, "topics already")
	w.succeeds(updateTopicRequest("invoices", nil))
}

func TestWithoutAutomaticGroupsAnUnknownGroupIsRefused(t *testing.T) {
	w := newWorld(t, noAutoGroups)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.refused(pullRequest("orders", 0, 0, 0, "*"), proto.RespSubscriptionGroupNotExist, "autoCreateSubscriptionGroup=false")
	w.refused(commitRequest("g", "orders", 0, 1), proto.RespSubscriptionGroupNotExist, "Group g not exist!")
	w.succeeds(heartbeat("one", "g", nil))
	w.refused(consumersRequest("g"), proto.RespSystemError, "no consumer for this group")
	w.succeeds(commitRequest(proto.ToolsConsumerGroup, "orders", 0, 1))
	w.succeeds(commitRequest("CID_RMQ_SYS_OWN", "orders", 0, 1))
}

func TestAGroupIsMadeByItsFirstPullAndSurvivesAPowerLoss(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.succeeds(pullRequest("orders", 0, 0, 0, "*"))
	w.options.NoAutoGroups = true
	w.restart(sim.PowerLoss)
	w.succeeds(pullRequest("orders", 0, 0, 0, "*"))
}

func TestAGroupWithAnIllegalNameIsNotMade(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	pull := pullRequest("orders", 0, 0, 0, "*")
	pull.Header.(*proto.PullMessage).ConsumerGroup = "a@b"
	w.refused(pull, proto.RespSubscriptionGroupNotExist, "a@b")
}

func TestTheNumberOfGroupsHasALimit(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.GroupsMax = len(proto.StartGroups()) + 1 })
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.succeeds(commitRequest("g", "orders", 0, 1))
	w.refused(commitRequest("h", "orders", 0, 1), proto.RespSubscriptionGroupNotExist, "Group h not exist!")
}

func TestAHeartbeatMakesTheGroupAndItsRetryTopic(t *testing.T) {
	w := newWorld(t)
	w.succeeds(heartbeat("one", "g", nil))
	retry := w.topicTable()["%RETRY%g"]
	require.EqualValues(t, 1, retry.WriteQueues)
	require.Equal(t, proto.PermReadWrite, retry.Perm)
	w.succeeds(updateTopicRequest("%RETRY%g", nil))
	w.succeeds(heartbeat("one", "g", nil))
	require.EqualValues(t, 4, w.topicTable()["%RETRY%g"].WriteQueues, "one that was changed stays as it is")
}

func TestAttributesAreChangedOneByOne(t *testing.T) {
	w := newWorld(t)
	with := func(attributes string) *transport.Request {
		return updateTopicRequest("orders", func(h *proto.UpdateAndCreateTopic) { h.Attributes = attributes })
	}
	w.refused(with("-message.type"), proto.RespSystemError, "for a topic that exists")
	w.succeeds(with("+message.type=FIFO"))
	w.succeeds(with(""))
	require.Equal(t, map[string]string{"message.type": "FIFO"}, w.topicTable()["orders"].Attributes)
	w.refused(with("+message.type=FIFO,+message.type=NORMAL"), proto.RespSystemError, "twice")
	w.refused(with("+message.type=OTHER"), proto.RespSystemError, "want one of")
	w.refused(with("+color=red"), proto.RespSystemError, "no attribute")
	w.refused(with("-cleanup.policy"), proto.RespSystemError, "no cleanup.policy")
	w.succeeds(with("+queue.type=SimpleCQ"))
	w.refused(with("+queue.type=BatchCQ"), proto.RespSystemError, "queue.type cannot be changed, the topic has its queues: delete it and make it again")
	w.succeeds(with("-queue.type"))
	w.refused(with("+cleanup.policy=COMPACTION"), proto.RespSystemError, "want one of DELETE")
	w.succeeds(with("-message.type"))
	require.Empty(t, w.topicTable()["orders"].Attributes)
}

func TestAToolCanOnlyMakeWhatATopicCanBe(t *testing.T) {
	w := newWorld(t)
	for why, c := range map[string]func(*proto.UpdateAndCreateTopic){
		"conflict with system topic": func(h *proto.UpdateAndCreateTopic) { h.Topic = "DefaultCluster" },
		"or ders":                    func(h *proto.UpdateAndCreateTopic) { h.Topic = "or ders" },
		"readQueueNums 0":            func(h *proto.UpdateAndCreateTopic) { h.ReadQueues = 0 },
		"writeQueueNums 65537":       func(h *proto.UpdateAndCreateTopic) { h.WriteQueues = 65_537 },
		"perm 8":                     func(h *proto.UpdateAndCreateTopic) { h.Perm = 8 },
	} {
		w.refused(updateTopicRequest("orders", c), proto.RespInvalidParameter, why)
	}
	w.refused(deleteTopicRequest("DefaultCluster"), proto.RespInvalidParameter, "conflict with system topic")
	w.refused(deleteTopicRequest(" "), proto.RespInvalidParameter, "topic")
	w.succeeds(deleteTopicRequest("never-was"))
}
