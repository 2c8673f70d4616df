package linearizability

import "fmt"

// checkInterval judges the sends and reads of one queue by their offsets, in time linear in
// their number. The operations are resolved. It returns nil if an order exists that
// gives the final log; together with the final log it is exact: what it lets pass has an order.
func checkInterval(queue string, operations []*Operation, log *Log) *Verdict {
	v := intervalView{queue: queue, operations: operations, log: log, entries: log.fromStart()}
	for _, check := range []func() *Verdict{v.placeSends, v.matchSends, v.matchReads, v.checkTimes} {
		if verdict := check(); verdict != nil {
			return verdict
		}
	}
	return nil
}

// checkLog judges the final log by itself. The other checks rely on its result.
func checkLog(queue string, log *Log) *Verdict {
	if i := log.gap(); i >= 0 {
		want := log.Start
		if i > 0 {
			want = log.Entries[i-1].Offset + 1
		}
		return illegal(queue, RuleHole, fmt.Sprintf("the final log has offset %d where offset %d must follow",
			log.Entries[i].Offset, want))
	}
	if log.end() < log.Start {
		return illegal(queue, RuleHole, fmt.Sprintf("the final log ends at %d, below %d where the queue ended when the history began",
			log.end(), log.Start))
	}
	return nil
}

// intervalView is a queue seen by offset. Index i stands for offset log.Start+i.
type intervalView struct {
	queue      string
	operations []*Operation
	log        *Log
	entries    []Entry
	sends      []*Operation // the send of each entry
}

// placeSends puts each send at its offset.
func (v *intervalView) placeSends() *Verdict {
	v.sends = make([]*Operation, len(v.entries))
	var lost *Verdict
	for _, o := range v.operations {
		if o.Kind != KindSend {
			continue
		}
		i := o.Offset - v.log.Start
		switch {
		case i < 0:
			return illegal(v.queue, RuleDuplicate, fmt.Sprintf("%v: the offset was taken before the history began", o), o)
		case i >= int64(len(v.sends)):
			if lost == nil {
				lost = illegal(v.queue, RuleLost, fmt.Sprintf("%v: the final log ends at %d", o, v.log.end()), o)
			}
		case v.sends[i] != nil && (o.found || v.sends[i].found):
			// Only one of them was told this offset, and the final log has the other there.
			return illegal(v.queue, RuleLost, fmt.Sprintf("at one offset are %v and %v", v.sends[i], o), v.sends[i], o)
		case v.sends[i] != nil:
			return illegal(v.queue, RuleDuplicate, fmt.Sprintf("%v and %v were given the same offset", v.sends[i], o), v.sends[i], o)
		default:
			v.sends[i] = o
		}
	}
	return lost
}

// matchSends compares each entry of the final log with its send.
func (v *intervalView) matchSends() *Verdict {
	for i, o := range v.sends {
		entry := v.entries[i]
		switch {
		case o == nil:
			return illegal(v.queue, RulePhantom, fmt.Sprintf("the final log has %v at offset %d, which nobody sent there",
				entry.Hash, entry.Offset))
		case o.Hash != entry.Hash:
			return illegal(v.queue, RuleLost, fmt.Sprintf("%v: the final log has %v at this offset", o, entry.Hash), o)
		}
	}
	return nil
}

// matchReads compares what reads showed with the final log. Messages older than the
// history are compared as far as the final log has them.
func (v *intervalView) matchReads() *Verdict {
	for _, o := range v.operations {
		if o.Kind != KindRead {
			continue
		}
		if o.seen() > v.log.end() {
			return illegal(v.queue, RuleVanished, fmt.Sprintf("%v: the final log ends at %d", o, v.log.end()), o)
		}
		if o.End != OffsetNone && o.End < v.log.Start && !o.Replica {
			return illegal(v.queue, RuleStaleRead, fmt.Sprintf("%v: the queue ended at %d when the history began", o, v.log.Start), o)
		}
		if shown := o.Offset + int64(len(o.Hashes)); o.End != OffsetNone && len(o.Hashes) > 0 && shown > o.End {
			return illegal(v.queue, RuleStaleRead, fmt.Sprintf("%v: it showed messages up to %d, beyond the end it told", o, shown), o)
		}
		if verdict := v.matchRead(o); verdict != nil {
			return verdict
		}
	}
	return nil
}

func (v *intervalView) matchRead(o *Operation) *Verdict {
	if len(o.Hashes) == 0 || len(v.log.Entries) == 0 {
		return nil
	}
	base := v.log.Entries[0].Offset
	for i, hash := range o.Hashes {
		offset := o.Offset + int64(i)
		if offset >= base && v.log.Entries[offset-base].Hash != hash {
			return illegal(v.queue, RuleDifferent, fmt.Sprintf("%v: it showed %v at offset %d, where the final log has %v",
				o, hash, offset, v.log.Entries[offset-base].Hash), o)
		}
	}
	return nil
}
