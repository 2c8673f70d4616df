package repeat

// pass lets time go on to when a record was stored. Calendars step: an hour forwards must not forget who has sent a moment ago, and an hour
// backwards is no time. So between two records at most a tenth of Limits.Forget passes, which errs on the side of remembering.
func (t *Table) pass(storedAt int64) {
	if passed := storedAt - t.latest; passed > 0 {
		t.clock += min(passed, t.limits.Forget.Milliseconds()/10)
	}
	t.latest = storedAt
}

// forget drops producers whose time is over, and then as many more as it takes.
func (t *Table) forget() {
	for t.ring.next != &t.ring {
		oldest := t.ring.next
		expired := t.clock-oldest.at > t.limits.Forget.Milliseconds()
		if !expired && len(t.producers) <= t.limits.Producers && t.sends <= t.limits.Sends {
			return
		}
		if !expired {
			t.pushed++
		}
		oldest.unlink()
		t.sends -= len(oldest.sends) - oldest.head
		delete(t.producers, oldest.id)
	}
}

// link puts a sender behind all others.
func (t *Table) link(s *sender) {
	s.prev, s.next = t.ring.prev, &t.ring
	s.prev.next, t.ring.prev = s, s
}

func (s *sender) unlink() {
	s.prev.next, s.next.prev = s.next, s.prev
	s.prev, s.next = nil, nil
}
