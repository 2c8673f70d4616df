package proto

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gantrymq/gantry/transport/wire"
)

// rewriter reads a body and writes it again.
type rewriter func(body []byte) ([]byte, error)

func rewrites[T any](read func([]byte) (*T, error), write func(*T) []byte) rewriter {
	return func(body []byte) ([]byte, error) {
		value, err := read(body)
		if err != nil {
			return nil, err
		}
		return write(value), nil
	}
}

// rewriters are the bodies of consumers and tools.
var rewriters = map[string]rewriter{
	"LockBatch":          rewrites(UnmarshalLockBatch, (*LockBatch).Marshal),
	"LockBatchResponse":  rewrites(UnmarshalLockBatchResponse, (*LockBatchResponse).Marshal),
	"ConsumerStatus":     rewrites(UnmarshalConsumerStatus, (*ConsumerStatus).Marshal),
	"ConsumerConnection": rewrites(UnmarshalConsumerConnection, (*ConsumerConnection).Marshal),
	"ProducerConnection": rewrites(UnmarshalProducerConnection, (*ProducerConnection).Marshal),
	"ProducerTable":      rewrites(UnmarshalProducerTable, (*ProducerTable).Marshal),
	"RunningInfo":        rewrites(UnmarshalConsumerRunningInfo, (*ConsumerRunningInfo).Marshal),
	"Directly":           rewrites(UnmarshalConsumeMessageDirectlyResult, (*ConsumeMessageDirectlyResult).Marshal),
	"ConsumeStats":       rewrites(UnmarshalConsumeStats, func(s *ConsumeStats) []byte { return s.Marshal(FormFastJSON) }),
	"ConsumeStatsList":   rewrites(UnmarshalConsumeStatsList, func(l *ConsumeStatsList) []byte { return l.Marshal(FormFastJSON) }),
	"GroupList":          rewrites(UnmarshalGroupList, (*GroupList).Marshal),
	"GroupSubscription":  rewrites(UnmarshalGroupSubscription, (*GroupSubscription).Marshal),
	"ClientConfigCheck":  rewrites(UnmarshalClientConfigCheck, (*ClientConfigCheck).Marshal),
	"TimeSpans":          rewrites(UnmarshalConsumeTimeSpans, (*ConsumeTimeSpans).Marshal),
	"ConsumeQueuePart":   rewrites(UnmarshalConsumeQueuePart, (*ConsumeQueuePart).Marshal),
	"ConsumerOffsets":    rewrites(UnmarshalConsumerOffsetTable, (*ConsumerOffsetTable).Marshal),
	"DelayOffsets":       rewrites(UnmarshalDelayOffsetTable, (*DelayOffsetTable).Marshal),
	"CorrectionOffsets":  rewrites(UnmarshalCorrectionOffsets, (*CorrectionOffsets).Marshal),
	"ResetOffsets":       rewrites(UnmarshalResetOffsets, func(r *ResetOffsets) []byte { return r.Marshal(wire.LanguageJava) }),
	"BrokerStatsData":    rewrites(UnmarshalBrokerStatsData, (*BrokerStatsData).Marshal),
	"GroupTable":         rewrites(UnmarshalSubscriptionGroupTable, (*SubscriptionGroupTable).Marshal),
	"TopicAndMapping":    rewrites(UnmarshalTopicConfigAndMapping, (*TopicConfigAndMapping).Marshal),
	"RequestMode":        rewrites(UnmarshalSetMessageRequestMode, (*SetMessageRequestMode).Marshal),
	"QueryAssignment":    rewrites(UnmarshalQueryAssignment, (*QueryAssignment).Marshal),
	"Assignment":         rewrites(UnmarshalAssignment, (*Assignment).Marshal),
	"UserInfo":           rewrites(UnmarshalUserInfo, (*UserInfo).Marshal),
	"AclInfo":            rewrites(UnmarshalACLInfo, (*ACLInfo).Marshal),
	"AclConfig":          rewrites(UnmarshalACLConfig, (*ACLConfig).Marshal),
	"CopiesStatus":       rewrites(UnmarshalCopiesStatus, (*CopiesStatus).Marshal),
	"BatchAck":           rewrites(UnmarshalBatchAckMessage, (*BatchAckMessage).Marshal),
	"SyncStateSet":       rewrites(UnmarshalSyncStateSet, (*SyncStateSet).Marshal),
	"ElectedMaster":      rewrites(UnmarshalElectedMaster, (*ElectedMaster).Marshal),
	"ReplicasInfo":       rewrites(UnmarshalBrokerReplicasInfo, (*BrokerReplicasInfo).Marshal),
	"GroupConfig": func(body []byte) ([]byte, error) {
		g, err := UnmarshalSubscriptionGroupConfig(body)
		return g.Marshal(), err
	},
}

// FuzzBodiesOfConsumersAndTools: no body makes a reader panic; errors are ErrBody; what was read is
// written in a form that is read as the same, and is at most so much longer.
func FuzzBodiesOfConsumersAndTools(f *testing.F) {
	for _, release := range []string{java4, java5} {
		text, err := os.ReadFile("testdata/bodies_" + release + ".txt")
		require.NoError(f, err)
		for line := range strings.Lines(string(text)) {
			if _, body, ok := strings.Cut(line, "\t"); ok {
				f.Add([]byte(body))
			}
		}
	}
	f.Add([]byte(`{"offsetTable":{"@":{1:1},"a":{"1":null}},"data":{"":[null]},"acks":[null],"mqSet":[null,{}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, name := range sortedKeys(rewriters) {
			once, err := rewriters[name](body)
			if err != nil {
				require.ErrorIs(t, err, ErrBody, name)
				continue
			}
			// An empty element is written with all its members, so a few bytes become many.
			require.LessOrEqual(t, len(once), 1024+512*len(body), name)
			twice, err := rewriters[name](once)
			require.NoError(t, err, "%s\n%s", name, once)
			require.Equal(t, string(once), string(twice), name)
		}
	})
}

// FuzzHeadersOfConsumersAndTools: no fields make a decoder panic; errors are ErrField; what was read
// is written in a form that is read as the same.
func FuzzHeadersOfConsumersAndTools(f *testing.F) {
	for _, class := range []string{"PopMessageRequestHeader", "ResetOffsetRequestHeader", "GetConsumeStatsRequestHeader", "ReplyMessageRequestHeader"} {
		f.Add(class, "topic", "T", "queueId", "-1", "offset", "+7")
	}
	f.Add("QueryCorrectionOffsetHeader", "compareGroup", "G", "topic", "T", "filterGroups", ",a,,b")
	f.Fuzz(func(t *testing.T, class, key1, value1, key2, value2, key3, value3 string) {
		header, ok := headersOfJava5[class]
		if !ok {
			return
		}
		// The class's own fields, in part replaced by random ones.
		table := asTable(sent(t, wire.EncodingJSON, header.want))
		table[key1], table[key2], table[key3] = value1, value2, value3
		if err := header.read.DecodeFields(asFields(table)); err != nil {
			require.ErrorIs(t, err, ErrField)
			return
		}
		once := asTable(sent(t, wire.EncodingJSON, header.read))
		require.NoError(t, header.read.DecodeFields(asFields(once)))
		require.Equal(t, once, asTable(sent(t, wire.EncodingJSON, header.read)))
	})
}
