package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/gantrymq/gantry/cmd/gantry/table"
	"github.com/gantrymq/gantry/store"
)

// queuesView is the answer of inspect queue.
type queuesView struct {
	Queues []queueEntry `json:"queues"`
}

type queueEntry struct {
	Topic string `json:"topic"`
	Queue int32  `json:"queue"`
	First int64  `json:"first"` // first message that the log still has
	End   int64  `json:"end"`   // one past the last
	Files int    `json:"files"`
}

func compareQueues(a, b store.QueueKey) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.ID, b.ID))
}

func (v *queuesView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("Topic", ">Queue", ">First", ">End", ">Messages", ">Files")}
	for _, q := range v.Queues {
		t.Add(q.Topic, number(q.Queue), number(q.First), number(q.End), number(q.End-q.First), number(q.Files))
	}
	return t.Write(out, width)
}

// entriesView is the answer of inspect queue -t -q.
type entriesView struct {
	Topic   string      `json:"topic"`
	Queue   int32       `json:"queue"`
	First   int64       `json:"first"`
	End     int64       `json:"end"`
	Entries []entryView `json:"entries"`
}

// entryView is what a queue says of one message. A filler stands for one that the log no longer had when the queue was made.
type entryView struct {
	Number    int64 `json:"offset"`
	LogOffset int64 `json:"commitLogOffset"`
	Size      int32 `json:"size"`
	TagHash   int64 `json:"tagHash"`
	Filler    bool  `json:"filler,omitempty"`
}

func (v *entriesView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns(">Offset", ">Place in the log", ">Size", ">Tag hash", "")}
	for _, e := range v.Entries {
		note := ""
		if e.Filler {
			note = "filler"
		}
		t.Add(number(e.Number), number(e.LogOffset), number(e.Size), number(e.TagHash), note)
	}
	if err := t.Write(out, width); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nQueue %d of %s holds [%d, %d).\n", v.Queue, v.Topic, v.First, v.End)
	return err
}

// indexView is the answer of inspect index.
type indexView struct {
	Files []indexEntry `json:"files"`
}

type indexEntry struct {
	Path      string `json:"path"`
	Keys      int32  `json:"keys"`
	UsedSlots int32  `json:"usedSlots"`
	BeginLog  int64  `json:"beginLog"` // place of the first message with a key
	EndLog    int64  `json:"endLog"`   // and of the last
	BeginAt   moment `json:"beginAt"`
	EndAt     moment `json:"endAt"`
}

func (v *indexView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("File", ">Keys", ">Used slots", ">First place", ">Last place", "First stored", "Last stored")}
	for _, f := range v.Files {
		t.Add(f.Path, number(f.Keys), number(f.UsedSlots), number(f.BeginLog), number(f.EndLog), f.BeginAt.String(), f.EndAt.String())
	}
	return t.Write(out, width)
}

// searchView is the answer of inspect index -t -k.
type searchView struct {
	Records []recordView `json:"messages"`
	Others  int          `json:"others"` // messages with another key of the same hash
	Gone    int          `json:"gone"`   // messages that are no longer in the log
}

func (v *searchView) write(out io.Writer, width int) error {
	if err := writeRecords(out, width, v.Records); err != nil {
		return err
	}
	if v.Others == 0 && v.Gone == 0 {
		return nil
	}
	_, err := fmt.Fprintf(out, "\nThe index also leads to %d messages with other keys of the same hash, and to %d that are gone.\n", v.Others, v.Gone)
	return err
}

// checkpointView is the answer of inspect checkpoint.
type checkpointView struct {
	Running      bool           `json:"running"` // or crashed: the crash marker is there
	Own          bool           `json:"own"`     // a broker of this kind wrote it
	Saved        int64          `json:"saved"`
	Entries      int64          `json:"entries"`
	IndexLog     int64          `json:"indexLog"`
	IndexFile    int64          `json:"indexFile"`
	IndexKeys    int32          `json:"indexKeys"`
	IndexInDoubt bool           `json:"indexInDoubt"`
	PhysicalAt   moment         `json:"physicMsgTimestamp"`
	LogicsAt     moment         `json:"logicsMsgTimestamp"`
	IndexAt      moment         `json:"indexMsgTimestamp"`
	Dropped      []droppedEntry `json:"dropped"`
}

// droppedEntry is a removed topic: its messages before a place are shown to nobody.
type droppedEntry struct {
	Topic  string `json:"topic"`
	Before int64  `json:"before"`
}

func (v *checkpointView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("What", "Value")}
	state := "closed in order"
	if v.Running {
		state = "a broker runs, or has crashed"
	}
	t.Add("state", state)
	if v.Own {
		index := number(v.IndexLog) + ", with " + number(v.IndexKeys) + " keys in " + fmt.Sprintf("index/%017d", v.IndexFile)
		if v.IndexFile == 0 {
			index = number(v.IndexLog) + ", without files"
		}
		if v.IndexInDoubt {
			index += ", in doubt behind that"
		}
		t.Add("queues are durable up to", number(v.Saved))
		t.Add("entries of queues up to there", number(v.Entries))
		t.Add("the index is durable up to", index)
	} else {
		t.Add("written by", "a Java broker, or nobody: queues and the index are compared with the log at the next start")
	}
	t.Add("log flushed (physicMsgTimestamp)", orDash(v.PhysicalAt.String()))
	t.Add("queues flushed (logicsMsgTimestamp)", orDash(v.LogicsAt.String()))
	t.Add("index flushed (indexMsgTimestamp)", orDash(v.IndexAt.String()))
	for _, d := range v.Dropped {
		t.Add("removed topic "+d.Topic, "hidden before "+number(d.Before))
	}
	return t.Write(out, width)
}

// The verdicts of inspect check.
const (
	stateInOrder = "in order"
	stateRepairs = "repairs"
	stateDamaged = "damaged"
)

// checkView is the answer of inspect check.
type checkView struct {
	State   string   `json:"state"` // in order, repairs or damaged
	Clean   bool     `json:"closedInOrder"`
	Start   int64    `json:"start"`
	End     int64    `json:"end"`
	Records int64    `json:"messages"`
	Queues  int      `json:"queues"`
	Entries int64    `json:"entries"`
	Keys    int64    `json:"keys"`
	Damage  []string `json:"damage"`
	Repairs []string `json:"repairs"` // what the next start will put in order
}

func newCheckView(r *store.CheckReport) *checkView {
	v := &checkView{
		State: stateInOrder, Clean: r.Clean, Start: int64(r.Start), End: int64(r.End), Records: r.Records, Queues: r.Queues,
		Entries: r.Entries, Keys: r.Keys, Damage: append([]string{}, r.Damage...), Repairs: append([]string{}, r.Repairs...),
	}
	switch {
	case len(v.Damage) > 0:
		v.State = stateDamaged
	case len(v.Repairs) > 0:
		v.State = stateRepairs
	}
	return v
}

// write gives each finding a line of its own, however long it is.
func (v *checkView) write(out io.Writer, _ int) error {
	var text strings.Builder
	closed := "closed in order"
	if !v.Clean {
		closed = "not closed in order"
	}
	fmt.Fprintf(&text, "%s: log [%d, %d) with %d messages, %d queues with %d entries, %d keys in the index\n",
		closed, v.Start, v.End, v.Records, v.Queues, v.Entries, v.Keys)
	for _, line := range v.Damage {
		text.WriteString("damage: " + line + "\n")
	}
	for _, line := range v.Repairs {
		text.WriteString("repair: " + line + "\n")
	}
	if v.State == stateInOrder {
		text.WriteString("all is in order\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}
