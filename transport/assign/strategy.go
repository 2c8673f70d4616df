package assign

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/transport/proto"
)

// Queue names one queue of a topic at one broker name (class MessageQueue).
type Queue = proto.Queue

// Strategy shares the queues of one topic among the members of a group (interface AllocateMessageQueueStrategy).
//
// Assign is called by each member for itself, and must give each the part that the others expect it to have. It may be called
// from any goroutine, and must not change its arguments.
type Strategy interface {
	// Name is what the strategy is called in logs and in the request to a broker ("strategyName", getName).
	Name() string
	// Assign returns the queues of one member, given its client id, all queues of the topic and the client ids of all members. Both
	// lists must be sorted by SortQueues and SortMembers. No queue and no error means that there are not enough for
	// this member. After an error the member had better keep what it has.
	Assign(group, member string, queues []Queue, members []string) ([]Queue, error)
}

// Reasons for assigning nothing. They come wrapped, with the group in the text.
var (
	// ErrNoMember: the member that asks has an empty client id.
	ErrNoMember = errors.New("the client id of the member is empty")
	// ErrNoQueues: the topic has no queues.
	ErrNoQueues = errors.New("there are no queues to assign")
	// ErrNoMembers: the list of members is empty.
	ErrNoMembers = errors.New("the list of members is empty")
	// ErrNotMember: the list of members lacks the one that asks. A broker gives such a list when it has not had the member's heartbeat, or
	// has missed too many.
	ErrNotMember = errors.New("the member is not in the list of members")
	// ErrNoRoom: a RoomResolver does not know the machine room of a queue or of a member.
	ErrNoRoom = errors.New("the machine room is not known")
	// ErrSettings: the strategy is set up in a way that cannot work.
	ErrSettings = errors.New("the strategy is not set up rightly")
)

// check finds what all strategies but Fixed refuse, in Java's order, and returns the place of the member.
func check(group, member string, queues []Queue, members []string) (int, error) {
	switch {
	case member == "":
		return 0, fmt.Errorf("group %s: %w", group, ErrNoMember)
	case len(queues) == 0:
		return 0, fmt.Errorf("group %s: %w", group, ErrNoQueues)
	case len(members) == 0:
		return 0, fmt.Errorf("group %s: %w", group, ErrNoMembers)
	}
	// A client with two connections may be listed twice. Its first place counts; the share of the second is nobody's.
	index := slices.Index(members, member)
	if index < 0 {
		return 0, fmt.Errorf("group %s: %w: %s is none of %d", group, ErrNotMember, member, len(members))
	}
	return index, nil
}
