package linearizability

import (
	"cmp"
	"math"
	"slices"
)

// never is the return of an operation that was not answered.
const never = math.MaxInt64

func compare(a, b int64) int { return cmp.Compare(a, b) }

// returns gives the end of an operation's interval.
func (o *Operation) returns() int64 {
	if o.Outcome == OutcomeUnknown {
		return never
	}
	return o.Return
}

// sortByCall puts operations in the order of their calls, equal ones as they stand.
func sortByCall(operations []*Operation) {
	byCall := func(a, b *Operation) int { return compare(a.Call, b.Call) }
	if !slices.IsSortedFunc(operations, byCall) {
		slices.SortStableFunc(operations, byCall)
	}
}

// cut divides operations, which are in the order of their calls, at quiet points: instants
// at which none is open. Every order puts all of one piece before all of the next, so
// the pieces can be judged one after the other, if the state between them is certain.
//
// For a log it is. For a register it is only if the last operation before the point
// overlapped none: lastAlone asks for that. A piece has at least the given number of
// operations, except the last, since starting a search has its price.
func cut(operations []*Operation, least int, lastAlone bool) (pieces [][]*Operation) {
	start := 0
	open, before := int64(math.MinInt64), int64(math.MinInt64) // latest return so far, and without the last operation
	for i, o := range operations {
		quiet := o.Call > open
		if quiet && i-start >= least && (!lastAlone || operations[i-1].Call > before) {
			pieces = append(pieces, operations[start:i])
			start = i
		}
		before = open
		open = max(open, o.returns())
	}
	if start < len(operations) {
		pieces = append(pieces, operations[start:])
	}
	return pieces
}
