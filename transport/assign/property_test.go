package assign_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gantrymq/gantry/transport/assign"
)

// names are drawn from few characters, of all lengths in UTF-8, so that common beginnings are frequent.
var names = rapid.StringOfN(rapid.SampledFrom([]rune("a@-\u007f\u00e9\u07ff\u65e5\ud7ff\ue000\uffff\U00010000\U0001f680\U0010ffff")), 1, 6, -1)

func drawQueues(t *rapid.T) []assign.Queue {
	return rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) assign.Queue {
		return assign.Queue{Topic: "t", BrokerName: names.Draw(t, "broker"), QueueID: rapid.Int32Range(0, 20).Draw(t, "id")}
	}), 1, 40, rapid.ID[assign.Queue]).Draw(t, "queues")
}

func drawMembers(t *rapid.T) []string {
	return rapid.SliceOfNDistinct(names, 1, 12, rapid.ID[string]).Draw(t, "members")
}

// complete are the strategies that leave no queue alone.
func complete() []assign.Strategy {
	return []assign.Strategy{
		assign.Average{}, assign.AverageByCircle{}, assign.ConsistentHash{}, assign.ConsistentHash{VirtualNodes: 1},
		assign.Nearby{Inner: assign.Average{}, Rooms: firstCharacter{}},
	}
}

// firstCharacter puts names that begin alike into one room.
type firstCharacter struct{}

func (firstCharacter) QueueRoom(q assign.Queue) string {
	return firstCharacter{}.MemberRoom(q.BrokerName)
}
func (firstCharacter) MemberRoom(id string) string { return string([]rune(id)[:1]) }

// shareOut asks for the share of each member, in order.
func shareOut(t require.TestingT, s assign.Strategy, queues []assign.Queue, members []string) [][]assign.Queue {
	var shares [][]assign.Queue
	for _, member := range members {
		share, err := s.Assign("group", member, queues, members)
		require.NoError(t, err)
		shares = append(shares, share)
	}
	return shares
}

func TestEveryQueueHasExactlyOneOwner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		queues, members := drawQueues(t), drawMembers(t)
		assign.SortQueues(queues)
		assign.SortMembers(members)
		for _, s := range complete() {
			all := slices.Concat(shareOut(t, s, queues, members)...)
			assign.SortQueues(all)
			require.Equal(t, queues, all, s.Name())
		}
	})
}

func TestSharesDoNotDependOnTheOrderOfTheAnswers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		queues, members := drawQueues(t), drawMembers(t)
		otherQueues := rapid.Permutation(queues).Draw(t, "other queues")
		otherMembers := rapid.Permutation(members).Draw(t, "other members")
		assign.SortQueues(queues)
		assign.SortMembers(members)
		assign.SortQueues(otherQueues)
		assign.SortMembers(otherMembers)
		for _, s := range complete() {
			require.Equal(t, shareOut(t, s, queues, members), shareOut(t, s, otherQueues, otherMembers), s.Name())
		}
	})
}

func TestSharesOfTheAveragesDifferByOneAtMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		queues, members := drawQueues(t), drawMembers(t)
		for _, s := range []assign.Strategy{assign.Average{}, assign.AverageByCircle{}} {
			for _, share := range shareOut(t, s, queues, members) {
				require.InDelta(t, float64(len(queues))/float64(len(members)), len(share), 0.9999, s.Name())
			}
		}
	})
}

func TestHashMovesOnlyTheQueuesOfTheMemberThatLeaves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		queues, members := drawQueues(t), drawMembers(t)
		before := shareOut(t, assign.ConsistentHash{}, queues, members)
		after := shareOut(t, assign.ConsistentHash{}, queues, members[1:])
		for i, share := range after {
			_, lost := assign.Diff(before[i+1], share)
			require.Empty(t, lost)
		}
	})
}

func TestStrategiesLeaveTheirArgumentsAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		queues, members := drawQueues(t), drawMembers(t)
		queuesBefore, membersBefore := slices.Clone(queues), slices.Clone(members)
		for _, s := range append(complete(), assign.MachineRooms{Rooms: []string{"a"}}) {
			for _, share := range shareOut(t, s, queues, members) {
				// Results are new: to change one changes nothing else.
				clear(share)
				_ = append(share, assign.Queue{})
			}
		}
		require.Equal(t, queuesBefore, queues)
		require.Equal(t, membersBefore, members)
	})
}

func TestDiffLeadsFromWhatIsHeldToWhatIsWanted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		held, wanted := drawQueues(t), drawQueues(t)
		// Something in common.
		wanted = append(wanted, held[:rapid.IntRange(0, len(held)).Draw(t, "kept")]...)
		added, removed := assign.Diff(held, wanted)
		for _, queue := range slices.Concat(held, wanted) {
			isHeld, isWanted := slices.Contains(held, queue), slices.Contains(wanted, queue)
			require.Equal(t, isWanted && !isHeld, slices.Contains(added, queue))
			require.Equal(t, isHeld && !isWanted, slices.Contains(removed, queue))
		}
		require.True(t, slices.IsSortedFunc(added, assign.Queue.Compare))
		require.True(t, slices.IsSortedFunc(removed, assign.Queue.Compare))
	})
}
