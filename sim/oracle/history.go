package oracle

import (
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/linearizability"
)

// ErrUndecided: the search gave up. The run neither passed nor failed.
var ErrUndecided = errors.New("undecided")

// History compares what clients saw with what may be: acknowledged messages are in the final logs at the offsets that were
// told, offsets are contiguous and unique, bodies are whole, reads saw a growing log and nothing that was taken
// back, and committed offsets were kept.
func History(history linearizability.History, logs map[string]linearizability.Log) error {
	return judge(history, linearizability.Options{Logs: logs})
}

// CrowdedHistory is History by the interval check alone: where very many clients use one queue at once, a search does not end.
func CrowdedHistory(history linearizability.History, logs map[string]linearizability.Log) error {
	return judge(history, linearizability.Options{Logs: logs, SkipSearch: true})
}

func judge(history linearizability.History, options linearizability.Options) error {
	verdict := linearizability.Check(history, options)
	switch verdict.Result {
	case linearizability.Illegal:
		return fmt.Errorf("%s: %s", verdict.Queue, verdict.Sentence)
	case linearizability.Unknown:
		return fmt.Errorf("%w: %s: %s", ErrUndecided, verdict.Queue, verdict.Sentence)
	}
	return nil
}
