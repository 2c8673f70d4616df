package scenario

import "github.com/gantrymq/gantry/linearizability"

// judge compares what the clients saw with what may be: acknowledged messages are in the final logs at the offsets
// that were told, offsets are contiguous and unique, bodies are whole, reads saw a growing log and nothing that was taken
// back, and committed offsets were kept.
func (p *pubsub) judge() {
	p.phase = "judge"
	p.History = p.recorder.History()
	verdict := linearizability.Check(p.History, linearizability.Options{Logs: p.Logs})
	switch verdict.Result {
	case linearizability.Illegal:
		p.failSafety("%s: %s", verdict.Queue, verdict.Sentence)
	case linearizability.Unknown:
		p.Undecided = verdict.Sentence
	}
}
