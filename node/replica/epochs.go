package replica

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/transport/message"
)

// Epoch numbers the masters of a group of brokers (masterEpoch). The controller raises it with each election, so that no two processes are ever
// master in the same one. 0 is the time before the first election, and of brokers that have no controller.
type Epoch int32

// Era is a part of a log that one master has written: from Start on, up to where the next era begins.
type Era struct {
	Epoch Epoch
	Start message.LogOffset
}

// String tells epoch and start, as a line of the epoch file does.
func (e Era) String() string { return fmt.Sprintf("%d-%d", e.Epoch, e.Start) }

// Epochs says who has written which part of a log (class EpochFileCache). Two logs that have the same epoch at the same place have
// the same bytes there and before. The zero value is a log that was written before any election: all of it belongs to epoch 0.
//
// Both epochs and starts grow strictly: a master that has written nothing leaves no era, or an empty one at the end of the log.
type Epochs struct{ eras []Era }

// ErrEpoch: eras that no log can have, or an epoch that is not newer than those that are there.
var ErrEpoch = errors.New("epochs do not fit")

// NewEpochs takes a list of eras.
func NewEpochs(eras []Era) (Epochs, error) {
	for i, e := range eras {
		if e.Epoch < 1 || e.Start < 0 || i > 0 && (e.Epoch <= eras[i-1].Epoch || e.Start <= eras[i-1].Start) {
			return Epochs{}, fmt.Errorf("%w: era %v: epochs must be at least 1, and both epochs and places must grow", ErrEpoch, e)
		}
	}
	return Epochs{slices.Clone(eras)}, nil
}

// Eras lists them, the oldest first. The list is the caller's.
func (e *Epochs) Eras() []Era { return slices.Clone(e.eras) }

// Last is the newest epoch, 0 if there was no election.
func (e *Epochs) Last() Epoch {
	if len(e.eras) == 0 {
		return 0
	}
	return e.eras[len(e.eras)-1].Epoch
}

// Begin notes that from a place on, the end of the log, the master of a new epoch writes. Eras that would begin there too have no bytes: they go, so
// that their place is never taken for this one's.
func (e *Epochs) Begin(epoch Epoch, end message.LogOffset) error {
	if epoch <= e.Last() {
		return fmt.Errorf("%w: epoch %d begins at %d, and epoch %d has begun already", ErrEpoch, epoch, end, e.Last())
	}
	for len(e.eras) > 0 && e.eras[len(e.eras)-1].Start >= end {
		if e.eras[len(e.eras)-1].Start > end {
			return fmt.Errorf("%w: epoch %d begins at %d, before %v, where another one began", ErrEpoch, epoch, end, e.eras[len(e.eras)-1])
		}
		e.eras = e.eras[:len(e.eras)-1]
	}
	e.eras = append(e.eras, Era{epoch, end})
	return nil
}

// Cut forgets the eras of a log that was cut off at a place.
func (e *Epochs) Cut(end message.LogOffset) {
	for len(e.eras) > 0 && e.eras[len(e.eras)-1].Start >= end {
		e.eras = e.eras[:len(e.eras)-1]
	}
}

// FitTo forgets eras that begin behind the end of a log: their bytes were lost in a crash. One that begins at the end has none yet, and stays.
func (e *Epochs) FitTo(end message.LogOffset) {
	for len(e.eras) > 0 && e.eras[len(e.eras)-1].Start > end {
		e.eras = e.eras[:len(e.eras)-1]
	}
}

// DropBefore forgets eras that end at or before a place, where the log begins now. The last one stays.
func (e *Epochs) DropBefore(start message.LogOffset) (dropped bool) {
	for len(e.eras) > 1 && e.eras[1].Start <= start {
		e.eras, dropped = e.eras[1:], true
	}
	return dropped
}

// At is the epoch in which the byte at a place was written, and where that era begins and ends in a log with an end.
func (e *Epochs) At(place, end message.LogOffset) (era Era, until message.LogOffset) {
	until = end
	for i := len(e.eras) - 1; i >= 0; i-- {
		if e.eras[i].Start <= place {
			return e.eras[i], until
		}
		until = min(until, e.eras[i].Start)
	}
	return Era{}, until
}

// endOf is where the era of an epoch ends, in a log with an end. Epoch 0 is what stands before the first era.
func (e *Epochs) endOf(epoch Epoch, end message.LogOffset) (_ message.LogOffset, ok bool) {
	if epoch == 0 {
		if len(e.eras) > 0 {
			end = min(end, e.eras[0].Start)
		}
		return end, true
	}
	for i, era := range e.eras {
		if era.Epoch != epoch {
			continue
		}
		if i+1 < len(e.eras) {
			end = e.eras[i+1].Start
		}
		return end, true
	}
	return 0, false
}

// CommonPoint is up to where two logs are surely the same: to the end of the newest epoch that both have, in the log where that ends sooner. vouched
// is false if that is epoch 0, which says nothing of who wrote it: then the bytes must be compared.
func CommonPoint(one *Epochs, oneEnd message.LogOffset, other *Epochs, otherEnd message.LogOffset) (point message.LogOffset, vouched bool, err error) {
	for i := len(one.eras) - 1; i >= 0; i-- {
		era := one.eras[i]
		end, known := other.endOf(era.Epoch, otherEnd)
		if !known {
			continue
		}
		if start, _ := other.startOf(era.Epoch); start != era.Start {
			return 0, false, fmt.Errorf("%w: epoch %d begins at %d in one log and at %d in the other", ErrEpoch, era.Epoch, era.Start, start)
		}
		ownEnd, _ := one.endOf(era.Epoch, oneEnd)
		return min(end, ownEnd), true, nil
	}
	a, _ := one.endOf(0, oneEnd)
	b, _ := other.endOf(0, otherEnd)
	return min(a, b), false, nil
}

func (e *Epochs) startOf(epoch Epoch) (message.LogOffset, bool) {
	for _, era := range e.eras {
		if era.Epoch == epoch {
			return era.Start, true
		}
	}
	return 0, false
}

// String lists the eras.
func (e *Epochs) String() string {
	parts := make([]string, len(e.eras))
	for i, era := range e.eras {
		parts[i] = era.String()
	}
	return "epochs [" + strings.Join(parts, " ") + "]"
}
