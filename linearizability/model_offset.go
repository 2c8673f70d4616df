package linearizability

import "strconv"

// offsetModel is the offset a consumer group has committed in a queue: a register that starts
// with the given value, or OffsetNone. A commit without an answer may come at any time
// after its call, or last of all.
func offsetModel(start int64) model[int64] {
	return model[int64]{
		start:    start,
		step:     stepOffset,
		equal:    func(a, b int64) bool { return a == b },
		hash:     func(offset int64) uint64 { return uint64(offset) },
		describe: func(offset int64) string { return "offset " + strconv.FormatInt(offset, 10) },
		// Of commits that overlapped the order is not known. An operation that overlapped none
		// leaves no doubt, be it a commit or a fetch.
		carry:     func(_ int64, piece []*Operation) int64 { return piece[len(piece)-1].Offset },
		lastAlone: true,
	}
}

func stepOffset(offset int64, o *Operation) (int64, bool) {
	if o.Kind == KindFetchOffset {
		return offset, o.Offset == offset
	}
	return o.Offset, true
}

// dropUnseenCommits drops operations without effect: those refused, fetches without an
// answer, and commits without an answer whose offset nobody fetched. Such a commit may be
// put last in every order, so it explains nothing; but each one doubles the search.
func dropUnseenCommits(operations []*Operation) []*Operation {
	fetched := map[int64]bool{}
	for _, o := range operations {
		if o.Kind == KindFetchOffset && o.Outcome == OutcomeDone {
			fetched[o.Offset] = true
		}
	}
	var kept []*Operation
	for _, o := range operations {
		if o.Outcome == OutcomeDone || o.Outcome == OutcomeUnknown && o.Kind == KindCommitOffset && fetched[o.Offset] {
			kept = append(kept, o)
		}
	}
	return kept
}
