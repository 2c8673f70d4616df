package proto

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTopicsOfGroupsAndClusters(t *testing.T) {
	require.Equal(t, "%RETRY%G", RetryTopic("G"))
	require.Equal(t, "%DLQ%G", DeadLetterTopic("G"))
	require.Equal(t, "%RETRY%G_T", PopRetryTopic("G", "T", PopRetryV1))
	require.Equal(t, "%RETRY%G+T", PopRetryTopic("G", "T", PopRetryV2))
	require.Equal(t, "DefaultCluster_REPLY_TOPIC", ReplyTopic("DefaultCluster"))
	require.Equal(t, "rmq_sys_REVIVE_LOG_DefaultCluster", ReviveTopic("DefaultCluster"))
	require.Equal(t, "rmq_sys_SYNC_BROKER_MEMBER_broker-a", BrokerMemberTopic("broker-a"))
	require.True(t, IsRetryTopic("%RETRY%G"))
	require.False(t, IsRetryTopic("%DLQ%G"))
	require.True(t, IsDeadLetterTopic("%DLQ%G"))
	require.True(t, IsLightQueue("%LMQ%a"))
}

func TestSystemTopicsAndWhoMayWriteToThem(t *testing.T) {
	for topic, open := range map[string]bool{
		"TBW102": true, "BenchmarkTest": true, "RMQ_SYS_TRACE_TOPIC": true, "CHECKPOINT_TOPIC": true, "rmq_sys_anything": true,
		"SCHEDULE_TOPIC_XXXX": false, "rmq_sys_wheel_timer": false, "RMQ_SYS_TRANS_HALF_TOPIC": false, "RMQ_SYS_TRANS_OP_HALF_TOPIC": false,
		"TRANS_CHECK_MAX_TIME_TOPIC": false, "SELF_TEST_TOPIC": false, "OFFSET_MOVED_EVENT": false,
	} {
		require.True(t, IsSystemTopic(topic), topic)
		require.Equal(t, open, MaySendTo(topic), topic)
	}
	for _, topic := range []string{"T", "%RETRY%G", "sys_rmq", ""} {
		require.False(t, IsSystemTopic(topic), topic)
		require.True(t, MaySendTo(topic), topic)
	}
}

func TestSystemGroups(t *testing.T) {
	for _, group := range append(StartGroups(), "DEFAULT_PRODUCER", "CLIENT_INNER_PRODUCER", "CID_RMQ_SYS_ANYTHING") {
		require.True(t, IsSystemGroup(group), group)
	}
	require.False(t, IsSystemGroup("CID_MINE"))
	groups := StartGroups()
	groups[0] = "changed"
	require.False(t, slices.Contains(StartGroups(), "changed"))
}

func TestNamesAreChecked(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct {
		check func(string) error
		name  string
		want  string
	}{
		{ValidateTopic, "T", ""},
		{ValidateTopic, "%RETRY%G|_-09azAZ", ""},
		{ValidateTopic, long(127), ""},
		{ValidateTopic, RetryTopic(long(248)), ""},
		{ValidateTopic, DeadLetterTopic(long(250)), ""},
		{ValidateGroup, long(120), ""},
		{ValidateTopic, "", "topic name is blank: it needs one character at least"},
		{ValidateGroup, " \t", "group name is blank: it needs one character at least"},
		{ValidateTopic, "a b", `topic name has an illegal character: letters, digits and % | - _ are legal: "a b"`},
		{ValidateTopic, "a@b", `topic name has an illegal character: letters, digits and % | - _ are legal: "a@b"`},
		{ValidateGroup, "订单", `group name has an illegal character: letters, digits and % | - _ are legal: "订单"`},
		{ValidateTopic, PopRetryTopic("G", "T", PopRetryV2), `topic name has an illegal character: letters, digits and % | - _ are legal: "%RETRY%G+T"`},
		{ValidateTopic, long(128), "topic name is too long: 128 characters, at most 127 are allowed"},
		{ValidateTopic, RetryTopic(long(249)), "topic name is too long: 256 characters, at most 255 are allowed"},
		{ValidateGroup, long(121), "group name is too long: 121 characters, at most 120 are allowed"},
	} {
		err := c.check(c.name)
		if c.want == "" {
			require.NoError(t, err, c.name)
			continue
		}
		require.EqualError(t, err, c.want)
	}
	require.ErrorIs(t, ValidateTopic(""), ErrNameBlank)
	require.ErrorIs(t, ValidateTopic("@"), ErrNameCharacter)
	require.ErrorIs(t, ValidateTopic(long(128)), ErrNameTooLong)
}

func TestEveryOtherByteIsIllegalInNames(t *testing.T) {
	legal := "%|-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for c := range 256 {
		name := "x" + string([]byte{byte(c)})
		require.Equal(t, strings.IndexByte(legal, byte(c)) >= 0, ValidateTopic(name) == nil, "%q", name)
	}
}

func TestTagHashIsJavas(t *testing.T) {
	for tag, want := range map[string]int32{"": 0, "TagA": 2598919, "TagB": 2598920, "*": 42, "订单": 1129459} {
		require.Equal(t, want, TagHash(tag), tag)
	}
	rapid.Check(t, func(r *rapid.T) {
		tag := rapid.String().Draw(r, "tag")
		var want uint32
		for _, unit := range utf16.Encode([]rune(tag)) {
			want = 31*want + uint32(unit)
		}
		require.Equal(r, int32(want), TagHash(tag))
	})
}

func TestPermissionsShowTheirBits(t *testing.T) {
	for perm, want := range map[Perm]string{0: "---", 1: "--X", 2: "-W-", 4: "R--", 6: "RW-", 7: "RWX", 14: "RW-"} {
		require.Equal(t, want, perm.String())
	}
	require.True(t, Perm(7).Valid())
	require.False(t, PermPriority.Valid())
	require.False(t, Perm(-1).Valid())
	require.True(t, TopicSysFlag(3).Has(TopicUnit|TopicUnitSubscription))
	require.False(t, TopicUnit.Has(TopicUnitSubscription))
	require.True(t, (PullHold | PullCommit).Has(PullHold))
	require.False(t, PullHold.Has(PullHold|PullLite))
}
