package linearizability

import (
	"fmt"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// model is a sequential object: what each operation would answer if they came one
// after the other. Its functions are pure and never change a state.
type model[S any] struct {
	start S
	// step returns the state behind an operation, and whether the operation could have had
	// its answer in this state.
	step     func(state S, o *Operation) (S, bool)
	equal    func(a, b S) bool
	hash     func(state S) uint64
	describe func(state S) string

	// carry returns the state behind a legal piece; nil if it is not certain, then a
	// history is not cut. With lastAlone it is certain only behind an operation that
	// overlapped none.
	carry     func(state S, piece []*Operation) S
	lastAlone bool
}

// A piece is not made smaller than this, because starting a search costs as much as a
// few hundred steps.
const pieceLeast = 64

// effort is what a search may still spend. A step that is tried costs one; one that
// succeeds costs one more for each 64 operations of its piece, because that many words
// are kept. So the limit bounds both time and memory, and the same history
// always gets equally far.
type effort struct {
	left  int
	until time.Duration // wall time for each piece, 0 for none
}

// search looks for an order of the operations of one key, piece by piece. It returns nil
// if there is one.
func (m model[S]) search(queue string, operations []*Operation, spend *effort) *Verdict {
	state := m.start
	for _, piece := range m.pieces(operations) {
		switch m.searchPiece(state, piece, spend) {
		case Illegal:
			return m.explain(queue, state, piece)
		case Unknown:
			return &Verdict{Result: Unknown, Queue: queue, Sentence: fmt.Sprintf(
				"the search gave up in a piece of %d operations, at most %d of them open at once; use fewer clients a queue or a higher limit",
				len(piece), widest(piece))}
		}
		if m.carry != nil {
			state = m.carry(state, piece)
		}
	}
	return nil
}

func (m model[S]) pieces(operations []*Operation) [][]*Operation {
	sortByCall(operations)
	if m.carry == nil {
		return [][]*Operation{operations}
	}
	return cut(operations, pieceLeast, m.lastAlone)
}

// searchPiece runs porcupine from a state on. When the effort is spent no step succeeds any
// more, which makes it come to an end soon; its answer then means nothing.
func (m model[S]) searchPiece(state S, piece []*Operation, spend *effort) Result {
	limited := m.limit(spend, 1+len(piece)/64).porcupine(state)
	result := porcupine.CheckOperationsTimeout(limited, porcupineHistory(piece), spend.until)
	switch {
	case result == porcupine.Ok:
		return OK
	case result == porcupine.Illegal && spend.left >= 0:
		return Illegal
	}
	// After a time limit the search may take one more step: spend is not looked at again.
	return Unknown
}

// limit returns the model with a price: one for a step, and more for one that succeeds.
func (m model[S]) limit(spend *effort, success int) model[S] {
	step := m.step
	m.step = func(state S, o *Operation) (S, bool) {
		if spend.left--; spend.left < 0 {
			return state, false
		}
		next, ok := step(state, o)
		if ok {
			spend.left -= success
		}
		return next, ok
	}
	return m
}

// porcupine returns the model as porcupine wants it, starting from a state.
func (m model[S]) porcupine(start S) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return start },
		Step: func(state, input, _ any) (bool, any) {
			next, ok := m.step(state.(S), input.(*Operation))
			return ok, next
		},
		Equal:             func(a, b any) bool { return m.equal(a.(S), b.(S)) },
		Hash:              func(state any) uint64 { return m.hash(state.(S)) },
		DescribeState:     func(state any) string { return m.describe(state.(S)) },
		DescribeOperation: func(input, _ any) string { return input.(*Operation).deed() },
	}
}

func porcupineHistory(piece []*Operation) []porcupine.Operation {
	history := make([]porcupine.Operation, len(piece))
	for i, o := range piece {
		history[i] = porcupine.Operation{ClientId: o.Client, Input: o, Call: o.Call, Return: o.returns()}
	}
	return history
}

// widest returns the largest number of operations open at one instant.
func widest(piece []*Operation) int {
	returns := make([]int64, len(piece))
	for i, o := range piece {
		returns[i] = o.returns()
	}
	slices.Sort(returns)
	most, ended := 0, 0
	for i, o := range piece {
		for returns[ended] < o.Call {
			ended++
		}
		most = max(most, i+1-ended)
	}
	return most
}
