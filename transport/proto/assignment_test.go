package proto

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAssignmentsAreThoseOfJava(t *testing.T) {
	query := &QueryAssignment{Topic: "T", ConsumerGroup: "G", ClientID: "10.0.0.5@1", Strategy: StrategyAverage, Model: Clustering}
	requireSame(t, "QueryAssignmentRequestBody", UnmarshalQueryAssignment, query, query.Marshal())
	require.Equal(t, "10.0.0.5@1 of G asks for queues of T by AVG", query.String())

	assigned := &Assignment{Queues: Some([]AssignedQueue{{Queue: queueOfT(0)}})}
	requireSame(t, "QueryAssignmentResponseBody", UnmarshalAssignment, assigned, assigned.Marshal())
	require.Equal(t, "1 queues assigned", assigned.String())
	assigned.Queues.Value[0].Mode, assigned.Queues.Value[0].Attachments = ModePop, map[string]string{"k": "v"}
	requireSame(t, "QueryAssignmentResponseBody pop", UnmarshalAssignment, assigned, assigned.Marshal())
}

func TestNoAssignmentIsNotAnEmptyOne(t *testing.T) {
	none, empty := new(Assignment), &Assignment{Queues: Some([]AssignedQueue{})}
	requireSame(t, "QueryAssignmentResponseBody none", UnmarshalAssignment, none, none.Marshal())
	requireSame(t, "QueryAssignmentResponseBody empty", UnmarshalAssignment, empty, empty.Marshal())
	require.Equal(t, "no assignment", none.String())
	null, err := UnmarshalAssignment([]byte(`{"messageQueueAssignments":null}`))
	require.NoError(t, err)
	require.Equal(t, none, null)
}

func TestRequestModesAreThoseOfJava(t *testing.T) {
	mode := &SetMessageRequestMode{Topic: "T", ConsumerGroup: "G"}
	requireSame(t, "SetMessageRequestModeRequestBody default", UnmarshalSetMessageRequestMode, mode, mode.Marshal())
	mode.Mode, mode.PopShareQueues = ModePop, 8
	requireSame(t, "SetMessageRequestModeRequestBody", UnmarshalSetMessageRequestMode, mode, mode.Marshal())
	require.Equal(t, "G gets T by POP", mode.String())
	unknown, err := UnmarshalSetMessageRequestMode([]byte(`{"mode":"PUSH"}`))
	require.NoError(t, err)
	require.Equal(t, ModePull, unknown.Mode)
}

func TestBatchesOfAcknowledgementsAreThoseOfJava(t *testing.T) {
	batch := &BatchAckMessage{BrokerName: "b", Acks: []BatchAck{{
		ConsumerGroup: "G", Topic: "T", Retry: "0", StartOffset: 100, QueueID: 1, ReviveQueueID: 2,
		PoppedAt: 1700000000000, InvisibleMillis: 60000, Bits: []byte{1, 2},
	}}}
	requireSame(t, "BatchAckMessageRequestBody", UnmarshalBatchAckMessage, batch, batch.Marshal())
	long, err := UnmarshalBatchAckMessage([]byte(`{"brokerName":"b","acks":[{"bitSet":"AQI=","consumerGroup":"G","invisibleTime":60000,` +
		`"popTime":1700000000000,"queueId":1,"retry":"0","reviveQueueId":2,"startOffset":100,"topic":"T"}]}`))
	require.NoError(t, err)
	require.Equal(t, batch, long)
	require.Equal(t, "acknowledgements of 1 pops at b", batch.String())
	require.Equal(t, "G has consumed of T queue 1 from 100 on", batch.Acks[0].String())
	_, err = UnmarshalBatchAckMessage([]byte(`{"acks":[{"b":"?"}]}`))
	require.ErrorIs(t, err, ErrBody)
}

func TestBatchesOfAcknowledgementsTellTheMessages(t *testing.T) {
	ack := BatchAck{StartOffset: 100, Bits: []byte{0b1, 0b10}}
	var found []int64
	for offset := int64(-1); offset < 200; offset++ {
		if ack.Has(offset) {
			found = append(found, offset)
		}
	}
	require.Equal(t, []int64{100, 109}, found)
}
