package replica

import (
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/transport/message"
)

// Errors of a handshake.
var (
	// ErrDiverged: the two logs are not of one group, or one of them is damaged. Nothing is cut off; an operator decides.
	ErrDiverged = errors.New("the logs of master and copy have nothing in common that can be relied on")
	// ErrNotMaster: who answers is not the master that the controller has named.
	ErrNotMaster = errors.New("not the master of this epoch")
	// ErrStream: a frame does not continue what came before.
	ErrStream = errors.New("the stream of the master does not go on where it was")
)

// checkMax is how many bytes before the common point are compared.
const checkMax = 64 << 10

// Answer is what a master answers to a copy that introduces itself; the checksum is for the caller to add. start and end are those of the master's log,
// confirmed is what it may show. The error is ErrDiverged, or says what is wrong with the copy's settings.
func Answer(h *Hello, epochs *Epochs, start, end, confirmed message.LogOffset, segmentSize int64) (*Welcome, error) {
	if h.SegmentSize != segmentSize {
		return nil, fmt.Errorf("mappedFileSizeCommitLog is %d at the master and %d at the copy: they must be the same", segmentSize, h.SegmentSize)
	}
	theirs, err := NewEpochs(h.Eras)
	if err != nil {
		return nil, err
	}
	w := &Welcome{Confirmed: confirmed, End: end, Eras: epochs.Eras()}
	if h.Start == h.End {
		w.Point, w.CheckFrom, w.Anew = start, start, h.End != start
		return w, nil
	}
	point, vouched, err := CommonPoint(&theirs, h.End, epochs, end)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDiverged, err)
	}
	if lowest := max(h.Start, start); point <= lowest {
		// Nothing is left that both have. What elected masters have written may go, since it was never confirmed; what nobody knows whence it came may not.
		if unlabelled, _ := theirs.endOf(0, h.End); !vouched && unlabelled > h.Start {
			return nil, fmt.Errorf("%w: the master's log has [%d, %d), that of the copy [%d, %d), and no election joins them: empty the directory of the copy if it is to follow this master", ErrDiverged, start, end, h.Start, h.End)
		}
		w.Point, w.CheckFrom, w.Anew = start, start, true
		return w, nil
	}
	w.Point, w.CheckFrom = point, max(point-checkMax, h.Start, start, point-1-(point-1)%message.LogOffset(segmentSize))
	return w, nil
}

// Follower is how a copy judges what its master sends. It decides, and does nothing.
type Follower struct {
	epoch     Epoch
	epochs    Epochs
	end       message.LogOffset
	confirmed message.LogOffset
	welcomed  bool
	number    uint64 // of the last change of the tables
	first     bool   // the copy of all tables has not ended yet
}

// NewFollower is for a copy whose log has an end, and that follows the master of an epoch.
func NewFollower(epoch Epoch, epochs Epochs, end message.LogOffset) *Follower {
	return &Follower{epoch: epoch, epochs: Epochs{epochs.Eras()}, end: end, first: true}
}

// Plan is what a copy does to its log before it follows.
type Plan struct {
	CutAt     message.LogOffset // what is behind goes
	Anew      bool              // all goes, and the log begins at CutAt
	CheckFrom message.LogOffset // [CheckFrom, CutAt) must have the checksum Check
	Check     uint32
}

// Welcome judges the master's answer. The copy comes to the same conclusion by itself, or does nothing.
func (f *Follower) Welcome(epoch Epoch, w *Welcome, start message.LogOffset) (Plan, error) {
	if epoch != f.epoch {
		return Plan{}, fmt.Errorf("%w: it answers in epoch %d, the controller has named the master of %d", ErrNotMaster, epoch, f.epoch)
	}
	theirs, err := NewEpochs(w.Eras)
	if err != nil {
		return Plan{}, err
	}
	plan := Plan{CutAt: w.Point, Anew: w.Anew, CheckFrom: w.CheckFrom, Check: w.Check}
	point, _, err := CommonPoint(&f.epochs, f.end, &theirs, w.End)
	switch {
	case start == f.end:
	case err != nil:
		return Plan{}, fmt.Errorf("%w: %w", ErrDiverged, err)
	case w.Anew && point > start && w.Point < point:
		return Plan{}, fmt.Errorf("%w: it wants all to be thrown away, and both logs are the same up to %d", ErrStream, point)
	case !w.Anew && (w.Point != point || w.CheckFrom > point || w.CheckFrom < start):
		return Plan{}, fmt.Errorf("%w: it says that both logs are the same from %d to %d, and they are up to %d", ErrStream, w.CheckFrom, w.Point, point)
	}
	if w.Anew {
		f.epochs = Epochs{}
	}
	// Also an era that has no bytes yet: the master may have another one there.
	f.epochs.Cut(w.Point)
	f.end, f.welcomed = w.Point, true
	f.confirm(w.Confirmed)
	return plan, nil
}

// Bytes judges a part of the log. begins says that its era is new: it must be noted durably before the bytes are.
func (f *Follower) Bytes(epoch Epoch, b *Bytes) (begins bool, err error) {
	switch {
	case epoch != f.epoch || !f.welcomed:
		return false, fmt.Errorf("%w: bytes of epoch %d, the copy follows the master of %d", ErrNotMaster, epoch, f.epoch)
	case b.At != f.end:
		return false, fmt.Errorf("%w: bytes for %d, the log of the copy ends at %d", ErrStream, b.At, f.end)
	case b.Era.Epoch > epoch || len(b.Bytes) > 0 && b.Era.Epoch < f.epochs.Last():
		return false, fmt.Errorf("%w: bytes of era %v behind %v, by the master of epoch %d", ErrStream, b.Era, &f.epochs, epoch)
	}
	if len(b.Bytes) > 0 && b.Era.Epoch > f.epochs.Last() {
		// An era may have begun before the log of this copy does.
		if b.Era.Start > b.At || b.Era.Start < b.At && len(f.epochs.eras) > 0 {
			return false, fmt.Errorf("%w: era %v begins, and the copy is at %d", ErrStream, b.Era, b.At)
		}
		if err := f.epochs.Begin(b.Era.Epoch, b.Era.Start); err != nil {
			return false, err
		}
		begins = true
	}
	f.end += message.LogOffset(len(b.Bytes))
	f.confirm(b.Confirmed)
	return begins, nil
}

// Change judges a change of the tables.
func (f *Follower) Change(epoch Epoch, c *Change) error {
	switch {
	case epoch != f.epoch || !f.welcomed:
		return fmt.Errorf("%w: a change of epoch %d, the copy follows the master of %d", ErrNotMaster, epoch, f.epoch)
	case c.Operation == OperationStage:
		return nil
	case f.first && !c.First:
		return fmt.Errorf("%w: change %d of the tables comes before all of them were copied", ErrStream, c.Number)
	case !f.first && (c.First || c.Number != f.number+1):
		return fmt.Errorf("%w: change %d of the tables behind %d", ErrStream, c.Number, f.number)
	}
	if !c.First {
		f.number = c.Number
	} else if c.LastOfFirst {
		f.first, f.number = false, c.Number
	}
	return nil
}

func (f *Follower) confirm(at message.LogOffset) { f.confirmed = max(f.confirmed, at) }

// Confirmed is up to where the copy may show its log, as far as it has it.
func (f *Follower) Confirmed() message.LogOffset { return min(f.confirmed, f.end) }

// End is where the next bytes belong.
func (f *Follower) End() message.LogOffset { return f.end }

// Table is the number of the last change of the tables; ok is false until all were copied.
func (f *Follower) Table() (number uint64, ok bool) { return f.number, !f.first }

// Epochs are those of the copy's log.
func (f *Follower) Epochs() *Epochs { return &f.epochs }

// String tells epoch, end and watermark in one line.
func (f *Follower) String() string {
	return fmt.Sprintf("copy in epoch %d, end %d, confirmed %d, table %d, %v", f.epoch, f.end, f.Confirmed(), f.number, &f.epochs)
}
