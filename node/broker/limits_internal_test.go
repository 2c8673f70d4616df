package broker

import (
	"testing"

	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// Limits that are too large to be met by requests in a test.

func TestTheQueuesThatAreLockedHaveALimit(t *testing.T) {
	b := &Broker{locks: &lockTable{byQueue: map[groupQueue]*queueLock{{}: {}}}}
	asked := &proto.LockBatch{ConsumerGroup: "g", ClientID: "one", Queues: make([]proto.Queue, locksMax)}
	require.Equal(t, refused(proto.RespSystemBusy, "1 queues are locked, no more than 1000000 can be"), b.refuseLock(asked))
	asked.Queues = asked.Queues[1:]
	require.Zero(t, b.refuseLock(asked))
}

func TestTheCommitsThatWaitForTheDiskHaveALimit(t *testing.T) {
	offsets := &offsetTable{pending: make([]pendingCommit, pendingMax)}
	offsets.enqueue(pendingCommit{entry: journalEntry{key: "orders@g", offset: 1}})
	require.Len(t, offsets.pending, 100_000)
	require.Zero(t, offsets.pending[pendingMax-1], "those that were there stay")
}
