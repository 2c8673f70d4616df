package proto

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gantrymq/gantry/transport/wire"
)

func consumeStats() ConsumeStats {
	return ConsumeStats{ConsumedPerSecond: 12.5, Queues: []QueueProgress{
		{Queue: queueOfT(0), BrokerOffset: 10, ConsumerOffset: 8, PullOffset: 9, ConsumedTo: 1700000000000},
	}}
}

func TestConsumeStatsAreThoseOfJava(t *testing.T) {
	stats := consumeStats()
	requireSame(t, "ConsumeStats", UnmarshalConsumeStats, &stats, stats.Marshal(FormFastJSON))
	require.Equal(t, "1 queues, 2 behind, 12.5 messages a second", stats.String())
	require.Equal(t, "T@b:0 8 of 10", stats.Queues[0].String())
	empty := new(ConsumeStats)
	requireSame(t, "ConsumeStats empty", UnmarshalConsumeStats, empty, empty.Marshal(FormFastJSON))

	list := &ConsumeStatsList{
		BrokerAddress: "10.0.0.1:10911", Behind: 2, InFlight: 1,
		Groups: []GroupConsumeStats{{Group: "G", Stats: []ConsumeStats{stats}}},
	}
	requireSame(t, "ConsumeStatsList", UnmarshalConsumeStatsList, list, list.Marshal(FormFastJSON))
	require.Equal(t, "1 groups at 10.0.0.1:10911, 2 behind", list.String())
}

func TestConsumeStatsOfJava4HaveNoPulls(t *testing.T) {
	stats := consumeStats()
	stats.Queues[0].PullOffset = 0
	requireRead(t, java4, "ConsumeStats", UnmarshalConsumeStats, &stats)
	requireRead(t, java4, "ConsumeStatsList", UnmarshalConsumeStatsList, &ConsumeStatsList{
		BrokerAddress: "10.0.0.1:10911", Behind: 2, Groups: []GroupConsumeStats{{Group: "G", Stats: []ConsumeStats{stats}}},
	})
}

func TestConsumeStatsAreWrittenStrictlyToo(t *testing.T) {
	stats := consumeStats()
	strict := stats.Marshal(FormStrict)
	require.True(t, json.Valid(strict), "%s", strict)
	read, err := UnmarshalConsumeStats(strict)
	require.NoError(t, err)
	require.Equal(t, &stats, read)
	list := &ConsumeStatsList{Groups: []GroupConsumeStats{{Group: "G", Stats: []ConsumeStats{stats}}}}
	require.True(t, json.Valid(list.Marshal(FormStrict)))
}

func TestListsOfGroupsAreThoseOfJava(t *testing.T) {
	list := &GroupList{Groups: []string{"G"}}
	requireSame(t, "GroupList", UnmarshalGroupList, list, list.Marshal())
	require.Equal(t, "1 groups", list.String())
}

func TestTimeSpansLackTheTextsOfJava(t *testing.T) {
	spans := &ConsumeTimeSpans{Spans: []QueueTimeSpan{{
		Queue: queueOfT(0), Min: 1700000000000, Max: 1700000060000, ConsumedTo: 1700000030000, DelayMillis: 30000,
	}}}
	requireRead(t, java5, "QueryConsumeTimeSpanBody", UnmarshalConsumeTimeSpans, spans)
	requireRead(t, java4, "QueryConsumeTimeSpanBody", UnmarshalConsumeTimeSpans, spans)
	require.Equal(t, `{"consumeTimeSpanSet":[{"consumeTimeStamp":1700000030000,"delayTime":30000,"maxTimeStamp":1700000060000,`+
		`"messageQueue":{"brokerName":"b","queueId":0,"topic":"T"},"minTimeStamp":1700000000000}]}`, string(spans.Marshal()))
	require.Equal(t, "time spans of 1 queues", spans.String())
	require.Equal(t, "T@b:0 consumed to 1700000030000, 30000 ms late", spans.Spans[0].String())
}

func TestStatisticsOfBrokersAreThoseOfJava(t *testing.T) {
	data := &BrokerStatsData{Minute: BrokerStatsItem{Sum: 7, PerSecond: 0.5, PerCall: 3.5}}
	requireSame(t, "BrokerStatsData", UnmarshalBrokerStatsData, data, data.Marshal())
	requireRead(t, java5, "BrokerStatsData minute", UnmarshalBrokerStatsData, data)
	requireRead(t, java4, "BrokerStatsData", UnmarshalBrokerStatsData, data)
	require.Equal(t, "7 in a minute, 0 in an hour, 0 in a day", data.String())
}

func TestOffsetsOfMembersAreThoseOfJava(t *testing.T) {
	offsets := []QueueOffset{{queueOfT(0), 100}, {queueOfT(1), 7}}
	client := &ConsumerStatus{Queues: offsets}
	requireSame(t, "GetConsumerStatusBody client", UnmarshalConsumerStatus, client, client.Marshal())
	broker := &ConsumerStatus{Members: []MemberStatus{{ClientID: "10.0.0.5@1", Queues: offsets}, {ClientID: "10.0.0.6@1"}}}
	requireSame(t, "GetConsumerStatusBody broker", UnmarshalConsumerStatus, broker, broker.Marshal())
	requireRead(t, java4, "GetConsumerStatusBody broker", UnmarshalConsumerStatus, broker)
	require.Equal(t, "offsets of 0 queues, 2 members", broker.String())

	reset := &ResetOffsets{Offsets: offsets}
	requireSame(t, "ResetOffsetBody", UnmarshalResetOffsets, reset, reset.Marshal(wire.LanguageJava))
	requireRead(t, java4, "ResetOffsetBody", UnmarshalResetOffsets, reset)
	local := &ResetOffsets{Offsets: offsets[:1]}
	requireSame(t, "OffsetSerializeWrapper", UnmarshalResetOffsets, local, local.Marshal(wire.LanguageJava))
	requireRead(t, java4, "OffsetSerializeWrapper", UnmarshalResetOffsets, local)
}

func TestCorrectionOffsetsAreThoseOfJava(t *testing.T) {
	offsets := &CorrectionOffsets{Queues: []NumberedOffset{{0, 123}, {1, math.MaxInt64}}}
	requireSame(t, "QueryCorrectionOffsetBody", UnmarshalCorrectionOffsets, offsets, offsets.Marshal())
	require.Equal(t, "offsets of 2 queues", offsets.String())
}
