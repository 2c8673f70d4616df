package store

import (
	"bytes"
	"fmt"

	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/transport/message"
)

// CheckpointSlot is one of the two places in the checkpoint file in which our words are written in turn. The words are 0 unless it is
// valid.
type CheckpointSlot struct {
	At       int64 // its first byte in the file
	Written  bool  // something stands there
	Valid    bool  // it has our magic number, and fits its checksum
	Counts   bool  // its words are those of the checkpoint
	Sequence int64 // grows with each write
	Saved    message.LogOffset
	Durable  message.LogOffset
	Entries  int64
	Index    index.Mark
}

// String tells the slot's state in one line.
func (s CheckpointSlot) String() string {
	switch {
	case !s.Written:
		return fmt.Sprintf("byte %d: nothing was written", s.At)
	case !s.Valid:
		return fmt.Sprintf("byte %d: not valid", s.At)
	}
	return fmt.Sprintf("byte %d: sequence %d, saved %d, durable %d", s.At, s.Sequence, s.Saved, s.Durable)
}

// CheckpointSlots reads both slots of the checkpoint file; a file that is not there reads as two that were never written. While a broker
// runs, one of them may just be written and then is not valid.
func (i *Inspector) CheckpointSlots() ([2]CheckpointSlot, error) {
	p, err := checkpointBytes(i.env.Disk)
	return slotsOf(p), err
}

func slotsOf(p []byte) (slots [2]CheckpointSlot) {
	counts := decodeCheckpoint(p)
	for n, at := range slotsAt {
		slots[n] = CheckpointSlot{At: at}
		if len(p) < usedBytes {
			continue
		}
		raw := p[at:][:slotSize]
		slots[n].Written = len(bytes.Trim(raw, "\x00")) > 0
		if c, _ := decodeSlot(raw); c.own {
			slots[n] = CheckpointSlot{
				At: at, Written: true, Valid: true, Counts: counts.own && c.sequence == counts.sequence,
				Sequence: c.sequence, Saved: c.saved, Durable: c.durable, Entries: c.entries, Index: c.mark,
			}
		}
	}
	return slots
}
