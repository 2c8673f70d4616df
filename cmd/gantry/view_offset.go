package main

import (
	"io"

	"github.com/gantrymq/gantry/cmd/gantry/table"
)

// resetView is the answer of the commands that reset offsets.
type resetView struct {
	Group  string       `json:"group"`
	Topic  string       `json:"topic"`
	Queues []resetEntry `json:"queues"`
	Failed failures     `json:"failed,omitempty"`
}

type resetEntry struct {
	Broker string `json:"broker"`
	Queue  int32  `json:"queue"`
	Was    *int64 `json:"was,omitempty"` // the offset before; nil if nobody told
	Offset int64  `json:"offset"`        // the offset now
}

func (v *resetView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("Broker", ">Queue", ">Was", ">Offset")}
	for _, q := range v.Queues {
		was := "-"
		if q.Was != nil {
			was = number(*q.Was)
		}
		t.Add(q.Broker, number(q.Queue), was, number(q.Offset))
	}
	return t.Write(out, width)
}
