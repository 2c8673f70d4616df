package assign

import (
	"slices"

	"github.com/gantrymq/gantry/transport/proto"
)

// WholeBroker is the queue id that stands for all queues of a topic at a broker, where members pop.
const WholeBroker = -1

// BrokerStrategy returns the strategy that a broker uses for a name that members send ("strategyName" of QUERY_ASSIGNMENT).
// It reports false for all but AVG and AVG_BY_CIRCLE: such a request gets no assignment.
func BrokerStrategy(name string) (Strategy, bool) {
	switch name {
	case proto.StrategyAverage:
		return Average{}, true
	case proto.StrategyAverageByCircle:
		return AverageByCircle{}, true
	}
	return nil, false
}

// ForPop returns the queues of a member that pops (allocate4Pop of class QueryAssignmentProcessor), sorted. Members that pop may share
// a queue, because the broker hands out each message once. Each member has its own share by the strategy, and those of
// as many members behind it as shared says ("popShareQueueNum"); if that is none or all, everybody has all queues, as one with the id WholeBroker
// for each broker, and nothing is checked. If there are fewer queues than members, each has one.
func ForPop(strategy Strategy, group, member string, queues []Queue, members []string, shared int) ([]Queue, error) {
	if shared <= 0 || shared >= len(members)-1 {
		return wholeBrokers(queues), nil
	}
	index, err := check(group, member, queues, members)
	if err != nil {
		return nil, err
	}
	if len(members) > len(queues) {
		return []Queue{queues[index%len(queues)]}, nil
	}
	var all []Queue
	for i := range shared + 1 {
		part, err := strategy.Assign(group, members[(index+i)%len(members)], queues, members)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return sortedSet(all), nil
}

func wholeBrokers(queues []Queue) []Queue {
	whole := make([]Queue, 0, len(queues))
	for _, q := range queues {
		whole = append(whole, Queue{Topic: q.Topic, BrokerName: q.BrokerName, QueueID: WholeBroker})
	}
	return sortedSet(whole)
}

// sortedSet returns each queue once, sorted.
func sortedSet(queues []Queue) []Queue {
	set := slices.Clone(queues)
	SortQueues(set)
	return slices.Compact(set)
}
