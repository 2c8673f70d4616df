package assign

import (
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/transport/proto"
)

// RoomResolver tells where brokers and members are (interface MachineRoomResolver). All members must get the same answers; an
// empty one is an error.
type RoomResolver interface {
	// QueueRoom is the machine room of the broker that has the queue (brokerDeployIn).
	QueueRoom(queue Queue) string
	// MemberRoom is the machine room of a member, by its client id (consumerDeployIn).
	MemberRoom(clientID string) string
}

// Nearby shares the queues of a machine room among the members in that room, and those of rooms without members among all
// (class AllocateMachineRoomNearby).
type Nearby struct {
	Inner Strategy     // how to share the queues of one room; needed
	Rooms RoomResolver // needed
}

// Name is MACHINE_ROOM_NEARBY- and the name of the inner strategy.
func (s Nearby) Name() string {
	const name = "MACHINE_ROOM_NEARBY-"
	if s.Inner == nil {
		return name
	}
	return name + s.Inner.Name()
}

// Assign is as in Strategy, and fails with ErrNoRoom and ErrSettings too, or as the inner strategy does. Queues of the member's own room
// come first.
func (s Nearby) Assign(group, member string, queues []Queue, members []string) ([]Queue, error) {
	if s.Inner == nil || s.Rooms == nil {
		return nil, fmt.Errorf("%w: Nearby needs Inner and Rooms", ErrSettings)
	}
	index, err := check(group, member, queues, members)
	if err != nil {
		return nil, err
	}
	queueRooms, err := roomsOf(queues, s.Rooms.QueueRoom)
	if err != nil {
		return nil, fmt.Errorf("group %s: queue %w", group, err)
	}
	memberRooms, err := roomsOf(members, s.Rooms.MemberRoom)
	if err != nil {
		return nil, fmt.Errorf("group %s: member %w", group, err)
	}
	return s.assignRooms(group, member, memberRooms[index], groupBy(queues, queueRooms), groupBy(members, memberRooms), members)
}

// assignRooms asks the inner strategy once for each room that the member has a part in.
func (s Nearby) assignRooms(group, member, own string, queuesIn map[string][]Queue, membersIn map[string][]string, all []string) ([]Queue, error) {
	var share []Queue
	for _, room := range roomsInOrder(queuesIn, own) {
		candidates := membersIn[room]
		switch {
		case len(candidates) == 0:
			candidates = all
		case room != own:
			continue // its own members see to it
		}
		part, err := s.Inner.Assign(group, member, queuesIn[room], candidates)
		if err != nil {
			return nil, fmt.Errorf("machine room %s: %w", room, err)
		}
		share = append(share, part...)
	}
	return share, nil
}

// roomsOf tells the room of each item.
func roomsOf[T any](items []T, roomOf func(T) string) ([]string, error) {
	rooms := make([]string, len(items))
	for i, item := range items {
		rooms[i] = roomOf(item)
		if rooms[i] == "" {
			return nil, fmt.Errorf("%v: %w: the RoomResolver must name one", item, ErrNoRoom)
		}
	}
	return rooms, nil
}

// groupBy collects the items of each room, in their order.
func groupBy[T any](items []T, rooms []string) map[string][]T {
	groups := map[string][]T{}
	for i, item := range items {
		groups[rooms[i]] = append(groups[rooms[i]], item)
	}
	return groups
}

// roomsInOrder lists the rooms that have queues: the member's own before the others, which are sorted.
func roomsInOrder(queuesIn map[string][]Queue, own string) []string {
	var rooms []string
	// order does not matter: it is sorted below
	for room := range queuesIn {
		if room != own {
			rooms = append(rooms, room)
		}
	}
	slices.SortFunc(rooms, proto.CompareNames)
	if len(queuesIn[own]) > 0 {
		rooms = slices.Insert(rooms, 0, own)
	}
	return rooms
}
