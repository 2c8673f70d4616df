package linearizability

import (
	"fmt"
	"io"
	"slices"

	"github.com/anishathalye/porcupine"
)

// Mark is something that happened during a run, such as a fault, drawn beside the
// operations. Times are those of the history; Tag names the row.
type Mark struct {
	Tag        string
	Start, End int64
	Text       string
}

// reportEffort bounds the search of a report. Porcupine keeps every order it tries, so
// a step that succeeds costs as much as the piece is long; what a straight walk through the
// piece takes is granted beside it.
const reportEffort = 1 << 20

// WriteReport draws the operations of one kind on one key, and the longest orders that were
// found for them, as a self-contained page in HTML. Kind chooses by its
// family: KindSend for the log of a queue, KindCommitOffset, KindLock. Of an illegal history it
// draws the piece that breaks, up to the answer that breaks it. Where several orders are equally long
// porcupine shows any of them, so two pages of one history may differ.
func WriteReport(w io.Writer, history History, options Options, queue string, kind Kind, marks []Mark) error {
	options.fillDefaults()
	wanted := groupKey{queue, kind.family()}
	for _, g := range group(history, &options) {
		if g.groupKey == wanted {
			if v := g.checkSound(); v != nil {
				return fmt.Errorf("nothing to draw: %v", v)
			}
			g.checkQuickly(&options)
			return g.draw(w, &options, marks)
		}
	}
	return fmt.Errorf("no operations of kind %v on %q in a history of %d", kind, queue, len(history))
}

func (g *keyGroup) draw(w io.Writer, options *Options, marks []Mark) error {
	switch g.family {
	case familyLog:
		return drawModel(w, queueModel(options.start(g.queue)), dropReplicas(g.operations), options, marks)
	case familyOffset:
		return drawModel(w, offsetModel(options.committed(g.queue)), dropUnseenCommits(g.operations), options, marks)
	}
	return drawModel(w, lockModel(options.LeastLease, options.MostLease), dropRefused(g.operations), options, marks)
}

// drawModel draws the first piece that has no order, or all if each has one.
func drawModel[S any](w io.Writer, m model[S], operations []*Operation, options *Options, marks []Mark) error {
	state, piece := m.start, operations
	spend := options.effort()
	before := m.start
	for _, next := range m.pieces(operations) {
		if m.searchPiece(before, next, spend) != OK {
			state, piece = before, m.brokenPrefix(before, next)
			break
		}
		if m.carry != nil {
			before = m.carry(before, next)
		}
	}
	limited := m.limit(&effort{left: reportEffort + 2*len(piece)*len(piece)}, 1+len(piece))
	_, info := porcupine.CheckOperationsVerbose(limited.porcupine(state), porcupineHistory(renumberClients(piece)), 0)
	info.AddAnnotations(annotations(piece, marks))
	if err := porcupine.Visualize(m.porcupine(state), info, w); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// annotations returns the marks that touch the time of the piece.
func annotations(piece []*Operation, marks []Mark) (drawn []porcupine.Annotation) {
	first, last := span(piece)
	for _, mark := range marks {
		if mark.End >= first && mark.Start <= last {
			drawn = append(drawn, porcupine.Annotation{Tag: mark.Tag, Start: mark.Start, End: mark.End, Description: mark.Text})
		}
	}
	return drawn
}

// span returns the first and the last instant known of a piece.
func span(piece []*Operation) (first, last int64) {
	first = never
	for _, o := range piece {
		first, last = min(first, o.Call), max(last, o.Call)
		if o.Outcome != OutcomeUnknown {
			last = max(last, o.Return)
		}
	}
	return first, last
}

// renumberClients returns the operations with clients counted from 0, as the drawing has a row
// for each number.
func renumberClients(piece []*Operation) []*Operation {
	var clients []int
	for _, o := range piece {
		clients = append(clients, o.Client)
	}
	slices.Sort(clients)
	clients = slices.Compact(clients)
	renumbered := make([]*Operation, len(piece))
	for i, o := range piece {
		copied := *o
		copied.Client, _ = slices.BinarySearch(clients, o.Client)
		renumbered[i] = &copied
	}
	return renumbered
}
