package broker

import (
	"testing"

	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// TestAPullOfAQueueThatIsGoneLeavesNothing: while its filter was compiled, the topic was deleted. A topic of that name that is made later must
// not begin at its commit.
func TestAPullOfAQueueThatIsGoneLeavesNothing(t *testing.T) {
	b := &Broker{
		topics: &topicTable{byName: map[string]*proto.TopicConfig{}}, groups: &groupTable{byName: map[string]*groupConfig{"g": newGroupConfig("g")}},
		offsets: &offsetTable{byKey: map[string]map[int32]int64{}}, locks: &lockTable{}, store: &store.Store{},
	}
	b.clients = newClientTable(b)
	b.progress = &progressTable{broker: b, pullers: map[groupQueue]puller{}}
	pull := func() {
		b.progress.pulled(nil, &proto.PullMessage{ConsumerGroup: "g", Topic: "orders", Flags: proto.PullCommit})
	}
	pull()
	require.Empty(t, b.progress.pullers)
	require.Empty(t, b.offsets.byKey)
	b.topics.byName["orders"] = &proto.TopicConfig{}
	pull()
	require.Len(t, b.progress.pullers, 1)
	require.Equal(t, map[string]map[int32]int64{"orders@g": {0: 0}}, b.offsets.byKey)
}
