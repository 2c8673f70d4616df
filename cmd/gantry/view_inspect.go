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

// indexView is the answer of inspect index: what the files say.
type indexView struct {
	Files   []indexEntry `json:"files"`
	Running bool         `json:"running"` // or crashed: the broker may know the keys of newer messages
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
	err := t.Write(out, width)
	if err == nil && v.Running {
		_, err = io.WriteString(out, "\nA broker runs, or has crashed. One that runs has the keys of newer messages in its memory, and writes them here later; after a crash\n"+
			"the next start takes them from the log.\n")
	}
	return err
}

// searchView is the answer of inspect index -t -k.
type searchView struct {
	Records []recordView `json:"messages"`
	Others  int          `json:"others"`  // messages with another key of the same hash
	Gone    int          `json:"gone"`    // messages that are no longer in the log
	Running bool         `json:"running"` // or crashed: the broker may know more messages with the key
}

func (v *searchView) write(out io.Writer, width int) error {
	if err := writeRecords(out, width, v.Records); err != nil {
		return err
	}
	text := ""
	if v.Others > 0 || v.Gone > 0 {
		text += fmt.Sprintf("\nThe index also leads to %d messages with other keys of the same hash, and to %d that are gone.\n", v.Others, v.Gone)
	}
	if v.Running && len(v.Records) > 0 {
		text += "\nThese are the messages to which the files lead. A broker that runs may know newer ones: ask it with gantry admin queryMsgByKey.\n"
	}
	_, err := io.WriteString(out, text)
	return err
}

// checkpointView is the answer of inspect checkpoint.
type checkpointView struct {
	Running      bool           `json:"running"` // or crashed: the crash marker is there
	Own          bool           `json:"own"`     // a broker of this kind wrote it
	Saved        int64          `json:"saved"`   // queue entries of messages before it are on the medium
	Durable      int64          `json:"durable"` // the log is, up to here
	Entries      int64          `json:"entries"`
	IndexLog     int64          `json:"indexLog"`
	IndexFile    int64          `json:"indexFile"`
	IndexKeys    int32          `json:"indexKeys"`
	IndexInDoubt bool           `json:"indexInDoubt"`
	PhysicalAt   moment         `json:"physicMsgTimestamp"`
	LogicsAt     moment         `json:"logicsMsgTimestamp"`
	IndexAt      moment         `json:"indexMsgTimestamp"`
	Dropped      []droppedEntry `json:"dropped"`
	Slots        []slotEntry    `json:"slots"`
}

// slotEntry is one of the two places in the file where our words are written in turn. Only a valid one has words.
type slotEntry struct {
	At       int64 `json:"at"` // byte in the file
	Written  bool  `json:"written"`
	Valid    bool  `json:"valid"`
	Counts   bool  `json:"counts"` // its words are those of the checkpoint
	Sequence int64 `json:"sequence"`
	Saved    int64 `json:"saved"`
	Durable  int64 `json:"durable"`
}

func newSlotEntry(s store.CheckpointSlot) slotEntry {
	return slotEntry{At: s.At, Written: s.Written, Valid: s.Valid, Counts: s.Counts, Sequence: s.Sequence, Saved: int64(s.Saved), Durable: int64(s.Durable)}
}

// state says in words what stands in the slot.
func (s slotEntry) state() string {
	switch {
	case !s.Written:
		return "never written"
	case !s.Valid:
		return "not valid: a write that failed, or damage"
	}
	text := fmt.Sprintf("valid, sequence %d, log durable up to %d, queues up to %d", s.Sequence, s.Durable, s.Saved)
	if s.Counts {
		return text + "; this one counts"
	}
	return text
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
		t.Add("the log is durable up to", number(v.Durable))
		t.Add("queues are durable up to", number(v.Saved))
		t.Add("entries of queues up to there", number(v.Entries))
		t.Add("the index is durable up to", index)
	} else {
		t.Add("written by", "a Java broker, or nobody: queues and the index are compared with the log at the next start")
	}
	for _, slot := range v.Slots {
		t.Add(fmt.Sprintf("slot at byte %d", slot.At), slot.state())
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
	Again   int64    `json:"keysTwice"` // of those, how often a Java broker has added them again
	Damage  []string `json:"damage"`
	Repairs []string `json:"repairs"` // what the next start will put in order
}

func newCheckView(r *store.CheckReport) *checkView {
	v := &checkView{
		State: stateInOrder, Clean: r.Clean, Start: int64(r.Start), End: int64(r.End), Records: r.Records, Queues: r.Queues,
		Entries: r.Entries, Keys: r.Keys, Again: r.KeysAgain, Damage: append([]string{}, r.Damage...), Repairs: append([]string{}, r.Repairs...),
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
	fmt.Fprintf(&text, "%s: log [%d, %d) with %d messages, %d queues with %d entries, %d keys in the index",
		closed, v.Start, v.End, v.Records, v.Queues, v.Entries, v.Keys)
	if v.Again > 0 {
		fmt.Fprintf(&text, ", %d of them twice, which does no harm", v.Again)
	}
	text.WriteString("\n")
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
