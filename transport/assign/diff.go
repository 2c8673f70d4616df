package assign

// Diff tells how to get from the queues that are held to those that are wanted: what to take on and what to give up, both sorted. The
// lists may be in any order, and a queue that is there twice counts once.
func Diff(held, wanted []Queue) (added, removed []Queue) {
	held, wanted = sortedSet(held), sortedSet(wanted)
	for len(held) > 0 && len(wanted) > 0 {
		switch order := held[0].Compare(wanted[0]); {
		case order < 0:
			removed, held = append(removed, held[0]), held[1:]
		case order > 0:
			added, wanted = append(added, wanted[0]), wanted[1:]
		default:
			held, wanted = held[1:], wanted[1:]
		}
	}
	return append(added, wanted...), append(removed, held...)
}
