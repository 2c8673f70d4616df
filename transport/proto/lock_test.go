package proto

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLocksOfQueuesAreThoseOfJava(t *testing.T) {
	lock := &LockBatch{ConsumerGroup: "G", ClientID: "10.0.0.5@1", Queues: []Queue{queueOfT(0)}}
	for _, name := range []string{"LockBatchRequestBody", "UnlockBatchRequestBody"} {
		requireSame(t, name, UnmarshalLockBatch, lock, lock.Marshal())
		requireRead(t, java4, name, UnmarshalLockBatch, lock)
	}
	require.Equal(t, "10.0.0.5@1 of G, 1 queues", lock.String())

	locked := &LockBatchResponse{Queues: []Queue{queueOfT(0)}}
	requireSame(t, "LockBatchResponseBody", UnmarshalLockBatchResponse, locked, locked.Marshal())
	none := &LockBatchResponse{Queues: []Queue{}}
	requireSame(t, "LockBatchResponseBody empty", UnmarshalLockBatchResponse, none, none.Marshal())
	require.Equal(t, "1 queues locked", locked.String())
}

func TestLocksOfOtherClientsLackMembers(t *testing.T) {
	lock, err := UnmarshalLockBatch([]byte(`{"consumerGroup":"G","clientId":"c","mqSet":null}`))
	require.NoError(t, err)
	require.Equal(t, &LockBatch{ConsumerGroup: "G", ClientID: "c"}, lock)
	lock, err = UnmarshalLockBatch([]byte(`{"onlyThisBroker":true}`))
	require.NoError(t, err)
	require.Equal(t, &LockBatch{OnlyThisBroker: true}, lock)
}
