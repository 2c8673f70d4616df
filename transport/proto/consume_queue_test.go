package proto

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPartsOfConsumeQueuesAreThoseOfJava(t *testing.T) {
	part := &ConsumeQueuePart{Min: 2, Max: 9}
	requireSame(t, "QueryConsumeQueueResponseBody none", UnmarshalConsumeQueuePart, part, part.Marshal())
	subscription := subscriptionToT()
	part.Subscription, part.FilterData, part.Entries = &subscription, "null", []ConsumeQueueEntry{}
	requireSame(t, "QueryConsumeQueueResponseBody empty", UnmarshalConsumeQueuePart, part, part.Marshal())
	part.Entries = []ConsumeQueueEntry{
		{LogOffset: 5000000001, Size: 207, TagHash: 2598919},
		{LogOffset: 5000000208, Size: 180, TagHash: math.MinInt64, Note: "Cq extend not exist!addr: -9223372036854775808"},
		{LogOffset: 7, Size: 180, TagHash: -5, Extension: "{}", FilterBits: "01", Matches: true},
	}
	requireSame(t, "QueryConsumeQueueResponseBody", UnmarshalConsumeQueuePart, part, part.Marshal())
	requireRead(t, java4, "QueryConsumeQueueResponseBody", UnmarshalConsumeQueuePart, part)
	require.Equal(t, "3 entries of a queue with [2, 9)", part.String())
	require.Equal(t, "180 bytes at 7, tag -5", part.Entries[2].String())
	_, err := UnmarshalConsumeQueuePart([]byte("["))
	require.ErrorIs(t, err, ErrBody)
}

func TestEntriesAreNumberedAsTheirNotesSay(t *testing.T) {
	part := &ConsumeQueuePart{Entries: []ConsumeQueueEntry{{}, {Note: "the message is gone"}, {}}}
	require.Equal(t, []int64{7, 8, 9}, part.Numbers(7))
	part.Entries[0].Note = MessagesNote(4, 10)
	part.Entries[2].Note = MessagesNote(19, 20)
	require.Equal(t, []int64{4, 10, 19}, part.Numbers(7))
	require.Empty(t, new(ConsumeQueuePart).Numbers(7))
}
