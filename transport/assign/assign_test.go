package assign_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gantrymq/gantry/transport/assign"
)

// queuesOf makes queues 0 to count-1 of a topic at one broker.
func queuesOf(broker string, count int) []assign.Queue {
	var queues []assign.Queue
	for id := range count {
		queues = append(queues, assign.Queue{Topic: "orders", BrokerName: broker, QueueID: int32(id)})
	}
	return queues
}

func TestHashRefusesACountOfVirtualNodesThatCannotWork(t *testing.T) {
	for _, count := range []int{-1, assign.MaxVirtualNodes + 1} {
		share, err := assign.ConsistentHash{VirtualNodes: count}.Assign("group", "a", queuesOf("b", 3), []string{"a"})
		require.ErrorIs(t, err, assign.ErrSettings)
		require.ErrorContains(t, err, fmt.Sprintf("VirtualNodes is %d", count))
		require.Empty(t, share)
	}
}

func TestNearbyNeedsAnInnerStrategyAndAResolver(t *testing.T) {
	for _, strategy := range []assign.Nearby{{}, {Inner: assign.Average{}}, {Rooms: byPrefix{}}} {
		_, err := strategy.Assign("group", "a", queuesOf("b", 3), []string{"a"})
		require.ErrorIs(t, err, assign.ErrSettings)
		require.Contains(t, strategy.Name(), "MACHINE_ROOM_NEARBY-")
	}
}

func TestNearbySaysWhoseRoomIsNotKnown(t *testing.T) {
	nearby := assign.Nearby{Inner: assign.Average{}, Rooms: byPrefix{}}

	_, err := nearby.Assign("group", "r1@a", queuesOf("@lost", 1), []string{"r1@a"})
	require.ErrorIs(t, err, assign.ErrNoRoom)
	require.ErrorContains(t, err, "queue orders@@lost:0")

	_, err = nearby.Assign("group", "r1@a", queuesOf("r1@b", 1), []string{"@nowhere", "r1@a"})
	require.ErrorIs(t, err, assign.ErrNoRoom)
	require.ErrorContains(t, err, "member @nowhere")
}

func TestNearbyFailsAsItsInnerStrategyDoes(t *testing.T) {
	nearby := assign.Nearby{Inner: assign.ConsistentHash{VirtualNodes: -1}, Rooms: byPrefix{}}
	_, err := nearby.Assign("group", "r1@a", queuesOf("r1@b", 1), []string{"r1@a"})
	require.ErrorIs(t, err, assign.ErrSettings)
	require.ErrorContains(t, err, "machine room r1")
}

func TestFixedKeepsItsOwnList(t *testing.T) {
	fixed := assign.Fixed{Queues: queuesOf("b", 2)}
	share, err := fixed.Assign("", "", nil, nil)
	require.NoError(t, err)
	share[0].Topic = "other"
	require.Equal(t, queuesOf("b", 2), fixed.Queues)
}

func TestBrokersKnowTwoStrategies(t *testing.T) {
	for _, name := range []string{"AVG", "AVG_BY_CIRCLE"} {
		strategy, known := assign.BrokerStrategy(name)
		require.True(t, known)
		require.Equal(t, name, strategy.Name())
	}
	for _, name := range []string{"CONSISTENT_HASH", "avg", ""} {
		_, known := assign.BrokerStrategy(name)
		require.False(t, known)
	}
}

func TestOneWhoPopsMustBeAMemberToHaveAShare(t *testing.T) {
	_, err := assign.ForPop(assign.Average{}, "group", "x", queuesOf("b", 8), []string{"a", "b", "c", "d"}, 1)
	require.ErrorIs(t, err, assign.ErrNotMember)
	_, err = assign.ForPop(assign.ConsistentHash{VirtualNodes: -1}, "group", "a", queuesOf("b", 8), []string{"a", "b", "c", "d"}, 1)
	require.ErrorIs(t, err, assign.ErrSettings)
}

func TestDiffTellsWhatComesAndWhatGoes(t *testing.T) {
	q := queuesOf("b", 5)
	cases := []struct {
		held, wanted, added, removed []assign.Queue
	}{
		{nil, nil, nil, nil},
		{nil, q[:2], q[:2], nil},
		{q[:2], nil, nil, q[:2]},
		{q[:3], q[:3], nil, nil},
		{[]assign.Queue{q[3], q[1], q[0]}, []assign.Queue{q[4], q[2], q[1]}, []assign.Queue{q[2], q[4]}, []assign.Queue{q[0], q[3]}},
		{[]assign.Queue{q[1], q[1]}, []assign.Queue{q[2], q[2]}, q[2:3], q[1:2]},
	}
	for _, c := range cases {
		added, removed := assign.Diff(c.held, c.wanted)
		require.Equal(t, c.added, added)
		require.Equal(t, c.removed, removed)
	}
}

func TestMembersThatAllShareEverythingPopFromWholeBrokers(t *testing.T) {
	queues := append(queuesOf("c", 3), queuesOf("b", 2)...)
	share, err := assign.ForPop(assign.Average{}, "group", "a", queues, []string{"a", "b"}, 1)
	require.NoError(t, err)
	require.Equal(t, []assign.Queue{{Topic: "orders", BrokerName: "b", QueueID: -1}, {Topic: "orders", BrokerName: "c", QueueID: -1}}, share)
}
