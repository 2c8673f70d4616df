package proto

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestStartsOfAPopAreTheTextOfTheProtocol(t *testing.T) {
	want := []PopStart{{PopNormal, 3, 1200}, {PopRetryV1, 0, 7}, {PopRetryV2, 0, 0}}
	require.Equal(t, "0 3 1200;1 0 7;2 0 0", FormatPopStarts(want))
	got, err := ParsePopStarts("0 3 1200;1 0 7;2 0 0")
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestOffsetsOfAPopAreTheTextOfTheProtocol(t *testing.T) {
	want := []PopQueueOffsets{{PopNormal, 3, []int64{1200, 1201}}, {PopRetryV1, 0, []int64{7}}}
	require.Equal(t, "0 3 1200,1201;1 0 7", FormatPopQueueOffsets(want))
	got, err := ParsePopQueueOffsets("0 3 1200,1201;1 0 7")
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestOrderCountsOfAPopAreTheTextOfTheProtocol(t *testing.T) {
	want := []PopOrderCount{{PopNormal, 3, -1, 1}, {PopNormal, 3, 1200, 2}}
	require.Equal(t, "0 3 1;0 qo3%1200 2", FormatPopOrderCounts(want))
	got, err := ParsePopOrderCounts("0 3 1;0 qo3%1200 2")
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestNothingIsNoItem(t *testing.T) {
	require.Empty(t, FormatPopStarts(nil))
	starts, err := ParsePopStarts("")
	require.NoError(t, err)
	require.Empty(t, starts)
}

func TestOffsetsOfAPopThatAreNoneAreRefusedByItemAndField(t *testing.T) {
	starts := func(text string) error { _, err := ParsePopStarts(text); return err }
	offsets := func(text string) error { _, err := ParsePopQueueOffsets(text); return err }
	counts := func(text string) error { _, err := ParsePopOrderCounts(text); return err }
	for _, c := range []struct {
		parse      func(string) error
		text, want string
	}{
		{starts, ";", `item "" has 1 fields: it must have 3`},
		{starts, "0 3 1;", `item "" has 1 fields: it must have 3`},
		{starts, "0 3 1 9", `item "0 3 1 9" has 4 fields: it must have 3`},
		{starts, "4 3 1", `item "4 3 1": retry is "4": it must be 0, 1 or 2`},
		{starts, "0 3 1;0 3 2", `item "0 3 2": queue is "0 3": it must be named once`},
		{starts, "0 3 -1", `item "0 3 -1": offset is "-1": it must be a decimal number from 0 to 9223372036854775807`},
		{offsets, "0 3 1,1", `item "0 3 1,1": offset is "1": it must be greater than the one before it`},
		{offsets, "0 3 1,", `item "0 3 1,": offset is "": it must be a decimal number from 0 to 9223372036854775807`},
		{counts, "0 qo3 1", `item "0 qo3 1": offset is "": it must be a decimal number from 0 to 9223372036854775807`},
		{counts, "0 qo%3 1", `item "0 qo%3 1": queueId is "": it must be a decimal number from 0 to 2147483647`},
		{counts, "0 3 2147483648", `item "0 3 2147483648": count is "2147483648": it must be a decimal number from 0 to 2147483647`},
	} {
		err := c.parse(c.text)
		require.ErrorIs(t, err, ErrPopInfo, c.text)
		require.EqualError(t, err, ErrPopInfo.Error()+": "+c.want)
	}
}

func TestOffsetsOfAPopSurviveTheirText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		retries := rapid.SampledFrom([]PopRetry{PopNormal, PopRetryV1, PopRetryV2})
		var want []PopQueueOffsets
		for id := range int32(rapid.IntRange(0, 5).Draw(t, "queues")) {
			q := PopQueueOffsets{Retry: retries.Draw(t, "retry"), QueueID: id}
			offset := rapid.Int64Range(0, 1<<40).Draw(t, "first")
			for range rapid.IntRange(1, 32).Draw(t, "messages") {
				q.Offsets = append(q.Offsets, offset)
				offset += rapid.Int64Range(1, 1000).Draw(t, "gap")
			}
			want = append(want, q)
		}
		got, err := ParsePopQueueOffsets(FormatPopQueueOffsets(want))
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

// FuzzPopInfo: no text makes a reader panic; what it takes is written as the same text; errors are ErrPopInfo.
func FuzzPopInfo(f *testing.F) {
	for _, text := range []string{"", "0 3 1200;1 0 7", "0 3 1200,1201;1 0 7", "0 3 1;0 qo3%1200 2"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		survivesPopInfo(t, text, ParsePopStarts, FormatPopStarts)
		survivesPopInfo(t, text, ParsePopQueueOffsets, FormatPopQueueOffsets)
		survivesPopInfo(t, text, ParsePopOrderCounts, FormatPopOrderCounts)
	})
}

func survivesPopInfo[T any](t *testing.T, text string, parse func(string) ([]T, error), format func([]T) string) {
	t.Helper()
	items, err := parse(text)
	if err != nil {
		require.ErrorIs(t, err, ErrPopInfo)
		return
	}
	require.Equal(t, text, format(items))
}

func TestRetryTopicsOfPopsAreTakenApart(t *testing.T) {
	require.Equal(t, "T", PopRetryTopic("G", "T", PopNormal))
	for _, retry := range []PopRetry{PopNormal, PopRetryV1, PopRetryV2} {
		topic, got := SplitPopRetryTopic("G_1", PopRetryTopic("G_1", "T_1", retry))
		require.Equal(t, "T_1", topic)
		require.Equal(t, retry, got)
	}
	for _, name := range []string{"%RETRY%G", "%RETRY%G_", "%RETRY%G+", "%RETRY%GG_T", "T"} {
		topic, retry := SplitPopRetryTopic("G", name)
		require.Equal(t, name, topic)
		require.Equal(t, PopNormal, retry)
		_, _, ok := SplitPopRetryTopicV2(name)
		require.False(t, ok)
	}
	group, topic, ok := SplitPopRetryTopicV2("%RETRY%G_1+T_1")
	require.True(t, ok)
	require.Equal(t, []string{"G_1", "T_1"}, []string{group, topic})
}
