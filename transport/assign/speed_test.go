package assign_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gantrymq/gantry/transport/assign"
)

// bigGroup is 1000 queues at 10 brokers, and 200 members.
func bigGroup() ([]assign.Queue, []string) {
	var queues []assign.Queue
	for broker := range 10 {
		queues = append(queues, queuesOf(fmt.Sprintf("r%d@broker-%d", broker%3, broker), 100)...)
	}
	var members []string
	for member := range 200 {
		members = append(members, fmt.Sprintf("r%d@10.0.%d.%d@4711#%d", member%2, member/100, member%100, member))
	}
	assign.SortQueues(queues)
	assign.SortMembers(members)
	return queues, members
}

// BenchmarkAssign is one member's part of a rebalance of a big group.
func BenchmarkAssign(b *testing.B) {
	queues, members := bigGroup()
	for _, s := range []assign.Strategy{
		assign.Average{}, assign.AverageByCircle{}, assign.ConsistentHash{}, assign.MachineRooms{Rooms: []string{"r0", "r1"}},
		assign.Nearby{Inner: assign.Average{}, Rooms: byPrefix{}}, assign.Nearby{Inner: assign.ConsistentHash{}, Rooms: byPrefix{}},
	} {
		b.Run(s.Name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Assign("group", members[100], queues, members); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSort is what comes before it, from the worst order.
func BenchmarkSort(b *testing.B) {
	queues, members := bigGroup()
	slices.Reverse(queues)
	slices.Reverse(members)
	for b.Loop() {
		assign.SortQueues(slices.Clone(queues))
		assign.SortMembers(slices.Clone(members))
	}
}
