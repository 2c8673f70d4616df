package replica

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/gantrymq/gantry/transport/message"
)

// Quorum is how far the copies of a master are that was configured, not elected (class GroupTransferService). Copies have no names there: those
// on one machine count as one, however many connections they have.
type Quorum struct {
	needed int // copies, the master's own included (inSyncReplicas)
	copies map[netip.Addr]map[uint64]message.LogOffset
	own    message.LogOffset
	// confirmed never goes back.
	confirmed message.LogOffset
}

// NewQuorum counts up to needed copies. With 1 a master's own copy is enough.
func NewQuorum(needed int, confirmed message.LogOffset) *Quorum {
	return &Quorum{needed: needed, confirmed: confirmed, copies: map[netip.Addr]map[uint64]message.LogOffset{}}
}

// Own notes how far the master's own copy counts.
func (q *Quorum) Own(at message.LogOffset) { q.own = max(q.own, at); q.settle() }

// Report notes what a connection of a machine has said.
func (q *Quorum) Report(machine netip.Addr, connection uint64, at message.LogOffset) {
	if q.copies[machine] == nil {
		q.copies[machine] = map[uint64]message.LogOffset{}
	}
	q.copies[machine][connection] = at
	q.settle()
}

// Leave forgets a connection.
func (q *Quorum) Leave(machine netip.Addr, connection uint64) {
	delete(q.copies[machine], connection)
	if len(q.copies[machine]) == 0 {
		delete(q.copies, machine)
	}
}

// Need changes how many copies are needed (enableAutoInSyncReplicas).
func (q *Quorum) Need(n int) { q.needed = n; q.settle() }

// Confirmed is up to where enough copies have the log.
func (q *Quorum) Confirmed() message.LogOffset { return q.confirmed }

// InSync counts the copies that are less than gap bytes behind the end of the master's log, the master's own included.
func (q *Quorum) InSync(end message.LogOffset, gap int64) int {
	n := 1
	// order does not matter: they are counted
	for _, connections := range q.copies {
		if int64(end-newest(connections)) < gap {
			n++
		}
	}
	return n
}

// newest is how far a machine's copy is for certain. Of two connections the older one may be of a process that is gone; what either was told was true when it was.
func newest(connections map[uint64]message.LogOffset) message.LogOffset {
	return connections[slices.Max(slices.Sorted(maps.Keys(connections)))]
}

func (q *Quorum) settle() {
	var ends []message.LogOffset
	// order does not matter: they are sorted
	for _, connections := range q.copies {
		ends = append(ends, newest(connections))
	}
	slices.Sort(ends)
	// The master's own copy is one of those that are needed.
	others := q.needed - 1
	if others > len(ends) {
		return
	}
	reached := q.own
	if others > 0 {
		reached = min(reached, ends[len(ends)-others])
	}
	q.confirmed = max(q.confirmed, reached)
}
