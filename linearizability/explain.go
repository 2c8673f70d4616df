package linearizability

import (
	"fmt"
	"slices"
	"sort"
)

// explainEffort bounds each search for the point where a history breaks.
const explainEffort = 1 << 20

// explain says where an illegal piece breaks: at the first answer that nothing known
// by then can explain.
func (m model[S]) explain(queue string, state S, piece []*Operation) *Verdict {
	broken := m.brokenPrefix(state, piece)
	last := broken[0]
	for _, o := range broken {
		if o.Outcome != OutcomeUnknown && (last.Outcome == OutcomeUnknown || o.Return >= last.Return) {
			last = o
		}
	}
	return illegal(queue, RuleOrder, fmt.Sprintf(
		"%v: its answer fits into no order of the %d operations called by then that is right for all before it",
		last, len(broken)), last)
}

// brokenPrefix returns what an observer had seen when a piece that is illegal became so: the
// operations called by then, those not yet answered without their answers. What is
// legal stays so when its end is cut off, so the point can be found by halving.
func (m model[S]) brokenPrefix(state S, piece []*Operation) []*Operation {
	var instants []int64
	for _, o := range piece {
		if o.Outcome != OutcomeUnknown {
			instants = append(instants, o.Return)
		}
	}
	slices.Sort(instants)
	// A search that gives up counts as legal: then a later point is named, still a true one.
	first := sort.Search(len(instants), func(i int) bool {
		spend := effort{left: explainEffort}
		return m.searchPiece(state, prefix(piece, instants[i]), &spend) == Illegal
	})
	if first == len(instants) {
		return piece
	}
	return prefix(piece, instants[first])
}

// prefix returns what had been seen of the operations at an instant.
func prefix(operations []*Operation, instant int64) (seen []*Operation) {
	for _, o := range operations {
		switch {
		case o.Call > instant:
		case o.Outcome != OutcomeUnknown && o.Return <= instant:
			seen = append(seen, o)
		case o.changesState():
			open := *o
			open.Outcome = OutcomeUnknown
			seen = append(seen, &open)
		}
	}
	return seen
}

// changesState reports whether an operation may have an effect though its answer is not known.
func (o *Operation) changesState() bool {
	return o.Kind != KindRead && o.Kind != KindFetchOffset
}
