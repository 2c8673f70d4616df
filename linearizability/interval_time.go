package linearizability

import "fmt"

// The offsets put everything in order but for ties: the send of offset 0, then reads
// that saw the end 1, then the send of offset 1, and so on; a read that was not told the
// end only has to come behind the last message it showed. Such an order can be given
// instants if and only if no operation was called after one that stands behind it had
// returned. So for each offset the latest call of what stands at or before its send is
// compared with the first return of what stands at or behind it.

// checkTimes makes that comparison, from the lowest offset up.
func (v *intervalView) checkTimes() *Verdict {
	lastAtEnd, firstProof := v.readBounds()
	v.spreadBack(firstProof)
	latest := lastAtEnd[0] // of sends below i and reads that saw an end of at most i
	for i, send := range v.sends {
		latest = calledLater(latest, lastAtEnd[i])
		latest = calledLater(latest, send)
		if first := firstProof[i]; first.Return < latest.Call {
			return v.tooLate(latest, first)
		}
	}
	return nil
}

// readBounds returns, for each end, the read that saw it and was called last, and for each
// offset the read that proves it taken, and no more, and returned first.
func (v *intervalView) readBounds() (lastAtEnd, firstProof []*Operation) {
	lastAtEnd = make([]*Operation, len(v.entries)+1)
	firstProof = make([]*Operation, len(v.entries))
	for _, o := range v.operations {
		if o.Kind != KindRead {
			continue
		}
		if i := o.seen() - v.log.Start - 1; i >= 0 {
			firstProof[i] = returnedSooner(firstProof[i], o)
		}
		if o.End != OffsetNone && !o.Replica {
			i := o.End - v.log.Start
			lastAtEnd[i] = calledLater(lastAtEnd[i], o)
		}
	}
	return lastAtEnd, firstProof
}

// spreadBack makes of firstProof[i] the first return of all that proves offset i
// taken: its own send, later sends, and reads that saw it or a later one.
func (v *intervalView) spreadBack(firstProof []*Operation) {
	var first *Operation
	for i := len(v.sends) - 1; i >= 0; i-- {
		first = returnedSooner(first, firstProof[i])
		first = returnedSooner(first, v.sends[i])
		firstProof[i] = first
	}
}

func calledLater(a, b *Operation) *Operation {
	if a == nil || b != nil && b.Call > a.Call {
		return b
	}
	return a
}

func returnedSooner(a, b *Operation) *Operation {
	if a == nil || b != nil && b.Return < a.Return {
		return b
	}
	return a
}

// tooLate says which rule is broken when an operation was called after one had returned that
// stands behind it.
func (v *intervalView) tooLate(called, returned *Operation) *Verdict {
	rule, why := RuleReorder, "had returned before the other was called, yet was given the higher offset"
	switch {
	case called.Kind == KindSend && returned.Kind == KindRead:
		rule, why = RuleEarlyRead, "had returned before the other was called, yet saw its message or one behind it"
	case called.Kind == KindRead && returned.Kind == KindSend:
		rule, why = RuleStaleRead, "had returned before the other was called, yet the other saw an end below it"
	case called.Kind == KindRead && returned.Kind == KindRead:
		rule, why = RuleBackwards, "had returned before the other was called, yet the other saw less"
	}
	return illegal(v.queue, rule, fmt.Sprintf("%v %s: %v", returned, why, called), returned, called)
}
