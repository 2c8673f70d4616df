package assign

import (
	"slices"

	"github.com/gantrymq/gantry/transport/proto"
)

// SortQueues puts queues in the order that strategies need (Collections.sort over MessageQueue).
func SortQueues(queues []Queue) { slices.SortFunc(queues, Queue.Compare) }

// SortMembers puts client ids in the order that strategies need (Collections.sort over String).
func SortMembers(members []string) { slices.SortFunc(members, proto.CompareNames) }
