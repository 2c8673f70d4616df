package proto

import (
	"slices"
	"strings"
)

// Topics that exist by themselves. See also ReplyTopic and ReviveTopic.
const (
	DefaultTopic            = "TBW102" // AUTO_CREATE_TOPIC_KEY_TOPIC: unknown topics get its settings
	BenchmarkTopic          = "BenchmarkTest"
	TraceTopic              = "RMQ_SYS_TRACE_TOPIC"
	CheckpointTopic         = "CHECKPOINT_TOPIC"
	DelayTopic              = "SCHEDULE_TOPIC_XXXX" // one queue for each delay level
	HalfTopic               = "RMQ_SYS_TRANS_HALF_TOPIC"
	OpTopic                 = "RMQ_SYS_TRANS_OP_HALF_TOPIC"
	UncheckableTopic        = "TRANS_CHECK_MAX_TIME_TOPIC" // half messages that nobody decided
	SelfTestTopic           = "SELF_TEST_TOPIC"
	OffsetMovedTopic        = "OFFSET_MOVED_EVENT"
	TimerTopic              = "rmq_sys_wheel_timer"
	PopTopic                = "rmq_sys_gantry_pop" // Gantry's own: what has happened to messages that were popped
	systemTopicPrefix       = "rmq_sys_"
	reviveTopicPrefix       = "rmq_sys_REVIVE_LOG_"
	brokerMemberTopicPrefix = "rmq_sys_SYNC_BROKER_MEMBER_"
	replyTopicSuffix        = "_REPLY_TOPIC"
)

// Prefixes of topics that belong to something else.
const (
	RetryPrefix      = "%RETRY%" // RETRY_GROUP_TOPIC_PREFIX
	DeadLetterPrefix = "%DLQ%"   // DLQ_GROUP_TOPIC_PREFIX
	LightPrefix      = "%LMQ%"   // LMQ_PREFIX: a light queue, of which only queue 0 exists
)

// RetryTopic is the topic of messages that a group is to get again.
func RetryTopic(group string) string { return RetryPrefix + group }

// DeadLetterTopic is the topic of messages that a group has failed on too often (DLQ).
func DeadLetterTopic(group string) string { return DeadLetterPrefix + group }

// PopRetryTopic is the topic that a popped message of a topic and a group is read from: the topic itself, or RetryTopic for
// pops in its first form, %RETRY%<group>_<topic>, or its second, %RETRY%<group>+<topic>. The plus sign is no character of a
// name, so ValidateTopic refuses the second form.
func PopRetryTopic(group, topic string, retry PopRetry) string {
	switch retry {
	case PopRetryV1:
		return RetryPrefix + group + popSeparatorV1 + topic
	case PopRetryV2:
		return RetryPrefix + group + popSeparatorV2 + topic
	}
	return topic
}

const (
	popSeparatorV1 = "_"
	popSeparatorV2 = "+"
)

// SplitPopRetryTopic undoes PopRetryTopic for a group that is known: in the first form, group and topic cannot be told apart
// without it, as both may hold the underscore. A name that is no retry topic for pops of this group comes back as it is, with PopNormal.
func SplitPopRetryTopic(group, name string) (topic string, retry PopRetry) {
	rest, found := strings.CutPrefix(name, RetryTopic(group))
	if topic, ok := strings.CutPrefix(rest, popSeparatorV1); found && ok && topic != "" {
		return topic, PopRetryV1
	}
	if topic, ok := strings.CutPrefix(rest, popSeparatorV2); found && ok && topic != "" {
		return topic, PopRetryV2
	}
	return name, PopNormal
}

// SplitPopRetryTopicV2 tells group and topic of the second form of PopRetryTopic. It reports false for any other name.
func SplitPopRetryTopicV2(name string) (group, topic string, ok bool) {
	rest, found := strings.CutPrefix(name, RetryPrefix)
	group, topic, ok = strings.Cut(rest, popSeparatorV2)
	if !found || !ok || group == "" || topic == "" {
		return "", "", false
	}
	return group, topic, true
}

// ReplyTopic is the topic of answers in request-reply exchanges of a cluster.
func ReplyTopic(cluster string) string { return cluster + replyTopicSuffix }

// ReviveTopic is the topic that pops and acknowledgements of a cluster are logged to.
func ReviveTopic(cluster string) string { return reviveTopicPrefix + cluster }

// BrokerMemberTopic is the topic by which the members of a broker name find each other.
func BrokerMemberTopic(brokerName string) string { return brokerMemberTopicPrefix + brokerName }

// IsRetryTopic reports whether a topic is the retry topic of some group.
func IsRetryTopic(topic string) bool { return strings.HasPrefix(topic, RetryPrefix) }

// IsDeadLetterTopic reports whether a topic is the dead-letter topic of some group.
func IsDeadLetterTopic(topic string) bool { return strings.HasPrefix(topic, DeadLetterPrefix) }

// IsLightQueue reports whether a topic names a light queue.
func IsLightQueue(topic string) bool { return strings.HasPrefix(topic, LightPrefix) }

// forbiddenTopics are system topics that only brokers write to. Java's take messages for TimerTopic from anybody, who could then write to any
// other topic by it.
var forbiddenTopics = []string{DelayTopic, TimerTopic, PopTopic, HalfTopic, OpTopic, UncheckableTopic, SelfTestTopic, OffsetMovedTopic}

// IsWaitingTopic reports whether brokers keep in a topic what is to go elsewhere, or what they have noted of it.
func IsWaitingTopic(topic string) bool {
	return topic == DelayTopic || topic == TimerTopic || topic == PopTopic || topic == HalfTopic || topic == OpTopic
}

// openTopics are system topics that anybody may write to.
var openTopics = []string{DefaultTopic, BenchmarkTopic, TraceTopic, CheckpointTopic}

// MaySendTo reports whether clients may send to a topic of this name. Brokers answer
// RespNoPermission if not.
func MaySendTo(topic string) bool { return !slices.Contains(forbiddenTopics, topic) }

// IsSystemTopic reports whether a topic exists by itself on every broker, or bears the
// prefix of such topics. Users cannot create or delete it. Topics named after a cluster or a broker
// are system topics too; only their broker knows.
func IsSystemTopic(topic string) bool {
	return slices.Contains(openTopics, topic) || slices.Contains(forbiddenTopics, topic) ||
		strings.HasPrefix(topic, systemTopicPrefix)
}

// Groups that exist by themselves.
const (
	DefaultProducerGroup = "DEFAULT_PRODUCER"      // users may not take it
	DefaultConsumerGroup = "DEFAULT_CONSUMER"      // users may not take it
	ToolsConsumerGroup   = "TOOLS_CONSUMER"        // of admin tools
	InnerProducerGroup   = "CLIENT_INNER_PRODUCER" // in the heartbeats of all Java clients
	systemGroupPrefix    = "CID_RMQ_SYS_"
	ReviveGroup          = systemGroupPrefix + "REVIVE_GROUP" // whose offsets say how far a Java broker has read ReviveTopic
)

var systemGroups = []string{
	DefaultProducerGroup, DefaultConsumerGroup, ToolsConsumerGroup, InnerProducerGroup,
	"SCHEDULE_CONSUMER", "FILTERSRV_CONSUMER", "__MONITOR_CONSUMER", "SELF_TEST_P_GROUP", "SELF_TEST_C_GROUP",
	"CID_ONS-HTTP-PROXY", "CID_ONSAPI_PERMISSION", "CID_ONSAPI_OWNER", "CID_ONSAPI_PULL", "CID_RMQ_SYS_TRANS",
}

// startGroups are the consumer groups that every broker has from its start.
var startGroups = []string{
	ToolsConsumerGroup, "FILTERSRV_CONSUMER", "SELF_TEST_C_GROUP", "CID_ONS-HTTP-PROXY",
	"CID_ONSAPI_PULL", "CID_ONSAPI_PERMISSION", "CID_ONSAPI_OWNER", "CID_RMQ_SYS_TRANS",
}

// StartGroups lists the consumer groups that every broker has without anybody creating
// them. The slice is the caller's.
func StartGroups() []string { return slices.Clone(startGroups) }

// IsSystemGroup reports whether a group is reserved.
func IsSystemGroup(group string) bool {
	return slices.Contains(systemGroups, group) || strings.HasPrefix(group, systemGroupPrefix)
}
