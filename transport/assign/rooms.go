package assign

import (
	"slices"
	"strings"
)

// MachineRooms shares out only queues of brokers in some machine rooms, which their names tell: "<room>@<name>" (class
// AllocateMessageQueueByMachineRoom). Nobody gets the others. All members must have the same rooms.
type MachineRooms struct {
	Rooms []string // consumeridcs, in any order
}

// Name is MACHINE_ROOM.
func (MachineRooms) Name() string { return "MACHINE_ROOM" }

// Assign is as in Strategy. Each member gets queues next to each other; what does not come out even is dealt out
// from the end of the list.
func (s MachineRooms) Assign(group, member string, queues []Queue, members []string) ([]Queue, error) {
	index, err := check(group, member, queues, members)
	if err != nil {
		return nil, err
	}
	within := slices.DeleteFunc(slices.Clone(queues), func(q Queue) bool { return !s.covers(q.BrokerName) })
	size, extra := len(within)/len(members), len(within)%len(members)
	share := slices.Clone(within[index*size : (index+1)*size])
	if index < extra {
		share = append(share, within[len(members)*size+index])
	}
	return share, nil
}

// covers reports whether a broker name is of one of the rooms. Java splits it at each "@" and takes no notice of those at the end: there
// must be one other.
func (s MachineRooms) covers(brokerName string) bool {
	room, name, found := strings.Cut(strings.TrimRight(brokerName, "@"), "@")
	return found && !strings.Contains(name, "@") && slices.Contains(s.Rooms, room)
}
