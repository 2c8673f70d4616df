package linearizability

import (
	"math"
	"slices"
)

// resolve settles, by the final log of their queue, what came of sends without an
// answer, and drops what had no effect. What it returns has no unknown send, no refused
// operation and no read without an answer. It changes no operation of the history: those that
// have to differ are copies.
//
// An entry of the log belongs first to the send that was told its offset. The rest go, from
// the lowest offset on, to sends of the same message without an answer, the earliest called first: if
// any assignment can be ordered this one can, because exchanging two that are crossed
// never breaks a bound. Then come further copies of sends that may repeat.
func resolve(operations []*Operation, log *Log) []*Operation {
	entries := log.fromStart()
	told := make([]bool, len(entries))
	settled := make([]*Operation, 0, len(operations))
	for _, o := range operations {
		if o.Outcome != OutcomeDone {
			continue
		}
		settled = append(settled, o)
		if i := o.Offset - log.Start; o.Kind == KindSend && i >= 0 && i < int64(len(told)) {
			told[i] = told[i] || entries[i].Hash == o.Hash
		}
	}
	unclaimed := unclaimedEntries(entries, told)
	if len(unclaimed) == 0 {
		return settled
	}
	found := settle(operations, unclaimed)
	boundByFirstSight(found, settled, log)
	return append(settled, found...)
}

func unclaimedEntries(entries []Entry, told []bool) (unclaimed []Entry) {
	for i, entry := range entries {
		if !told[i] {
			unclaimed = append(unclaimed, entry)
		}
	}
	return unclaimed
}

// settle returns a copy of an operation for each entry that one explains.
func settle(operations []*Operation, unclaimed []Entry) (found []*Operation) {
	unanswered := map[Hash][]*Operation{}
	repeating := map[Hash]*Operation{}
	for _, entry := range unclaimed {
		unanswered[entry.Hash] = nil
	}
	for _, o := range operations {
		if _, wanted := unanswered[o.Hash]; !wanted || o.Kind != KindSend || o.Outcome == OutcomeRefused {
			continue
		}
		if o.Outcome == OutcomeUnknown {
			unanswered[o.Hash] = append(unanswered[o.Hash], o)
		}
		if first := repeating[o.Hash]; o.Repeats && (first == nil || o.Call < first.Call) {
			repeating[o.Hash] = o
		}
	}
	// order does not matter: each list is sorted by itself
	for _, list := range unanswered {
		slices.SortStableFunc(list, func(a, b *Operation) int { return compare(a.Call, b.Call) })
	}
	for _, entry := range unclaimed {
		source := repeating[entry.Hash]
		if list := unanswered[entry.Hash]; len(list) > 0 {
			source, unanswered[entry.Hash] = list[0], list[1:]
		}
		if source == nil {
			continue // the interval check will call it a phantom
		}
		happened := *source
		happened.Outcome, happened.Offset, happened.found = OutcomeDone, entry.Offset, true
		found = append(found, &happened)
	}
	return found
}

// boundByFirstSight gives each settled send the instant by which it must have happened:
// the first return of an operation that proves its offset taken, or else the
// end of the history, behind which the final log was read.
func boundByFirstSight(found, settled []*Operation, log *Log) {
	// The final log was read behind everything, so the last instant of all bounds the rest.
	last := int64(math.MinInt64)
	for _, o := range found {
		last = max(last, o.Call)
	}
	n := log.end() - log.Start
	// bySeen[i] is the first return that proves that offset Start+i is taken.
	bySeen := make([]int64, n)
	for i := range bySeen {
		bySeen[i] = never
	}
	for _, o := range settled {
		last = max(last, o.Return)
		top := o.Offset // a send proves the offsets below its own too
		if o.Kind == KindRead {
			top = o.seen() - 1
		}
		if i := top - log.Start; i >= 0 && i < n {
			bySeen[i] = min(bySeen[i], o.Return)
		}
	}
	for i := n - 2; i >= 0; i-- {
		bySeen[i] = min(bySeen[i], bySeen[i+1])
	}
	for _, o := range found {
		// A first sight before the call stays wrong when it is moved to the call.
		o.Return = max(o.Call, min(bySeen[o.Offset-log.Start], last))
	}
}
