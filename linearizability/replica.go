package linearizability

import "fmt"

// A replica may lag behind, so a read from one need not see every message that was
// acknowledged before it. What it shows must stand in the final log and must have been
// sent by then (the interval check sees to both), and a reader never sees the queue
// shrink: what it saw once it sees again in every read it calls later.

// checkReplicas judges the reads from replicas of one queue by that last rule.
func checkReplicas(queue string, operations []*Operation) *Verdict {
	perReader := map[int]*readerProgress{}
	var reads []*Operation
	for _, o := range operations {
		if o.Kind == KindRead && o.Replica && o.Outcome == OutcomeDone {
			reads = append(reads, o)
		}
	}
	sortByCall(reads)
	for _, o := range reads {
		reader := perReader[o.Client]
		if reader == nil {
			reader = &readerProgress{}
			perReader[o.Client] = reader
		}
		if before := reader.provenBefore(o.Call); before != nil && o.End != OffsetNone && o.End < before.seen() {
			return illegal(queue, RuleReplica, fmt.Sprintf("%v, then %v", before, o), before, o)
		}
		reader.open = append(reader.open, o)
	}
	return nil
}

// readerProgress is what one reader has seen.
type readerProgress struct {
	open []*Operation // called, and not known to have returned
	best *Operation   // of those returned, the one that saw most
}

// provenBefore returns the read that had returned before an instant and saw most, or nil.
func (r *readerProgress) provenBefore(instant int64) *Operation {
	still := r.open[:0]
	for _, o := range r.open {
		switch {
		case o.Return >= instant:
			still = append(still, o)
		case r.best == nil || o.seen() > r.best.seen():
			r.best = o
		}
	}
	r.open = still
	return r.best
}
