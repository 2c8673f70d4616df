package assign

import (
	"slices"

	"github.com/gantrymq/gantry/transport/proto"
)

// Average gives each member about the same number of queues, next to each other; the first members get one more if it does not come
// out even (class AllocateMessageQueueAveragely). It is the default.
type Average struct{}

// Name is AVG.
func (Average) Name() string { return proto.StrategyAverage }

// Assign is as in Strategy.
func (Average) Assign(group, member string, queues []Queue, members []string) ([]Queue, error) {
	index, err := check(group, member, queues, members)
	if err != nil {
		return nil, err
	}
	size, extra := len(queues)/len(members), len(queues)%len(members)
	// Each of the first members has one more. Those behind them begin that much later, and with too few queues have none.
	start := index*size + min(index, extra)
	if index < extra {
		size++
	}
	return slices.Clone(queues[start : start+size]), nil
}

// AverageByCircle deals out queues one by one, like cards (class AllocateMessageQueueAveragelyByCircle). Members get as many as
// by Average, but from all brokers.
type AverageByCircle struct{}

// Name is AVG_BY_CIRCLE.
func (AverageByCircle) Name() string { return proto.StrategyAverageByCircle }

// Assign is as in Strategy.
func (AverageByCircle) Assign(group, member string, queues []Queue, members []string) ([]Queue, error) {
	index, err := check(group, member, queues, members)
	if err != nil {
		return nil, err
	}
	var share []Queue
	for i := index; i < len(queues); i += len(members) {
		share = append(share, queues[i])
	}
	return share, nil
}
