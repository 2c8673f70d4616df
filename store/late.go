package store

// Settler is a Completion that wants to know what became of an append that was answered because it took too long. Appended then gets a result that is
// Late, and Settled the last one: AppendOK is stored, AppendFailed says that the store is fenced, and anything else that nothing was stored. It
// runs with the baton and must not wait.
type Settler interface {
	Completion
	Settled(result AppendResult)
}

// answerEarly answers an append whose outcome is not known.
func (s *Store) answerEarly(w *waitingAppend, status AppendStatus, reason string) {
	done := w.done
	if done == nil {
		return
	}
	w.done = nil
	w.late, _ = done.(Settler)
	done.Appended(AppendResult{Status: status, Reason: reason, Places: s.placesOf(w), Late: true})
}

// settleLate tells who wants to know the outcome of an append that was answered.
func (s *Store) settleLate(w *waitingAppend, status AppendStatus, reason string) {
	if w.late != nil {
		w.late.Settled(AppendResult{Status: status, Reason: reason, Places: s.placesOf(w)})
	}
}

// placesOf uses the same memory for all.
func (s *Store) placesOf(w *waitingAppend) []Place {
	s.places = append(append(s.places[:0], w.first), w.more...)
	return s.places
}
