package segment_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/stretchr/testify/require"
)

// progress is what a task that may crash has been promised so far.
type progress struct {
	synced  int64 // bytes before it are durable
	cutAt   int64 // bytes from it on are zero, until written again
	removed int64 // files before it are gone
}

// roll writes three files full, syncs, cuts in the second, and removes the first.
func roll(disk env.Disk, p *progress) error {
	r := segment.New(segment.NewHandles(disk, 2), "row", size)
	for at := int64(0); at < 3*size; at += size / 2 {
		if !r.Has(at) {
			if err := r.Create(at); err != nil {
				return err
			}
		}
		if err := r.WriteAt(letters(at, size/2), at); err != nil {
			return err
		}
		if err := r.Sync(p.synced, at+size/2); err != nil {
			return err
		}
		p.synced = at + size/2
	}
	p.synced = 1700
	if err := r.Cut(1700); err != nil {
		return err
	}
	p.cutAt = 1700
	if err := r.Create(2000); err != nil {
		return err
	}
	p.removed = -1 // under way
	if _, err := r.RemoveBefore(1500); err != nil {
		return err
	}
	p.removed = size
	return r.Close()
}

// letters are bytes that tell where they belong.
func letters(at int64, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = 'a' + byte((at+int64(i))%23)
	}
	return p
}

func TestARowIsWholeAfterACrashAtAnyStep(t *testing.T) {
	for _, style := range []sim.CrashStyle{sim.KillProcess, sim.PowerLoss} {
		for step := uint64(1); ; step++ {
			ended, err := crashAt(t, step, style)
			require.NoError(t, err, "%v at step %d", style, step)
			if ended {
				require.Greater(t, step, uint64(40), "the task was too short to mean anything")
				break
			}
		}
	}
}

// crashAt crashes the task at a step of the world and checks what is left.
func crashAt(t *testing.T, step uint64, style sim.CrashStyle) (ended bool, err error) {
	t.Helper()
	w := newWorld(step)
	defer w.kernel.Close()
	p := &progress{cutAt: -1}
	done, failure := w.start(func(disk env.Disk) error { return roll(disk, p) })
	w.kernel.Run(env.Never, func() bool { return done() || w.kernel.Step() >= step })
	if err := failure(); err != nil {
		return true, err
	}
	w.machine.Crash(style)
	w.do(t, func(disk env.Disk) error {
		r, openErr := segment.Open(segment.NewHandles(disk, 2), "row", size, true)
		if openErr != nil {
			err = openErr
			return nil
		}
		err = errors.Join(whole(r, p), r.Close())
		return nil
	})
	return done(), err
}

// whole compares the row with what the task was promised.
func whole(r *segment.Row, p *progress) error {
	if p.removed == 0 && r.Start() != 0 || p.removed > 0 && r.Start() != p.removed {
		return fmt.Errorf("the row begins at %d, promised %d", r.Start(), p.removed)
	}
	found := make([]byte, size)
	for start := r.Start(); start < r.End(); start += size {
		if err := r.ReadAt(found, start); err != nil {
			return err
		}
		want := letters(start, size)
		for i, b := range found {
			at := start + int64(i)
			switch {
			case p.cutAt >= 0 && at >= p.cutAt && b != 0:
				return fmt.Errorf("byte %d was cut and is %q", at, b)
			case at < p.synced && b != want[i]:
				return fmt.Errorf("byte %d was synced as %q and is %q", at, want[i], b)
			case b != 0 && b != want[i]:
				return fmt.Errorf("byte %d is %q, which nobody wrote", at, b)
			}
		}
	}
	if r.End() < p.synced {
		return fmt.Errorf("the row ends at %d, %d was synced", r.End(), p.synced)
	}
	return nil
}

// bounds are what a row may be like after a crash: it begins and ends at one of these places or between them.
type bounds struct {
	start, end [2]int64
	empty      bool // it may be empty too
	zeroFrom   int64
}

// between says that a change is under way that moves the beginning or the end.
func (b *bounds) between(start, end int64) {
	b.start[1], b.end[0] = start, end
}

// settled says that the change has happened.
func (b *bounds) settled(start, end int64) {
	*b = bounds{start: [2]int64{start, start}, end: [2]int64{end, end}, zeroFrom: math.MaxInt64}
}

// shrink makes six files, cuts the row across four of them, extends it again, removes the first four, and then cuts before its
// beginning.
func shrink(disk env.Disk, b *bounds) error {
	r := segment.New(segment.NewHandles(disk, 2), "row", size)
	for at := int64(0); at < 6*size; at += size {
		b.end[1], b.empty = at+size, at == 0
		if err := errors.Join(r.Create(at), r.WriteAt(letters(at, size), at), r.Sync(at, at+size)); err != nil {
			return err
		}
		b.settled(0, at+size)
	}
	b.between(0, 2*size)
	if err := r.Cut(size + 500); err != nil {
		return err
	}
	b.settled(0, 2*size)
	b.zeroFrom = size + 500
	for at := int64(2 * size); at < 6*size; at += size {
		b.end[1] = at + size
		if err := r.Create(at); err != nil {
			return err
		}
		b.end[0] = at + size
	}
	b.between(4*size, 6*size)
	if _, err := r.RemoveBefore(4*size + 500); err != nil {
		return err
	}
	b.settled(4*size, 6*size)
	b.empty, b.end[0] = true, 5*size
	if err := r.Cut(3 * size); err != nil {
		return err
	}
	b.settled(0, 0)
	b.empty = true
	return r.Close()
}

// A sick disk fails every sync from the step on, and the crash comes when the task has given up.
func TestCutsAndRemovalsLeaveNoGapAfterACrashAtAnyStep(t *testing.T) {
	for _, style := range []sim.CrashStyle{sim.KillProcess, sim.PowerLoss} {
		for _, sick := range []bool{false, true} {
			for step := uint64(1); ; step++ {
				ended, err := shrinkAt(t, step, sick, style)
				require.NoError(t, err, "%v at step %d, sick disk: %v", style, step, sick)
				if ended {
					require.Greater(t, step, uint64(60), "the task was too short to mean anything")
					break
				}
			}
		}
	}
}

func shrinkAt(t *testing.T, step uint64, sick bool, style sim.CrashStyle) (ended bool, err error) {
	t.Helper()
	w := newWorld(step)
	defer w.kernel.Close()
	b := &bounds{empty: true, zeroFrom: math.MaxInt64}
	done, failure := w.start(func(disk env.Disk) error { return shrink(disk, b) })
	w.kernel.Run(env.Never, func() bool { return done() || w.kernel.Step() >= step })
	ended = done()
	if sick {
		o := sim.DefaultDisk()
		o.SyncError = 1
		w.machine.Disk().SetOptions(o)
		w.kernel.Run(env.Never, done)
		w.machine.Disk().SetOptions(sim.DefaultDisk())
	}
	if err := failure(); err != nil && !(sick && errors.Is(err, env.ErrIO)) {
		return true, err
	}
	w.machine.Crash(style)
	w.do(t, func(disk env.Disk) error {
		r, openErr := segment.Open(segment.NewHandles(disk, 2), "row", size, true)
		if openErr != nil {
			err = openErr
			return nil
		}
		err = errors.Join(b.check(r), r.Close())
		return nil
	})
	return ended, err
}

func (b *bounds) check(r *segment.Row) error {
	if r.Empty() && b.empty {
		return nil
	}
	if r.Start() < b.start[0] || r.Start() > b.start[1] || r.End() < b.end[0] || r.End() > b.end[1] {
		return fmt.Errorf("the row is [%d, %d), promised %+v", r.Start(), r.End(), *b)
	}
	p := make([]byte, size)
	for start := r.Start(); start < r.End(); start += size {
		if err := r.ReadAt(p, start); err != nil {
			return err
		}
		for i := max(b.zeroFrom-start, 0); i < size; i++ {
			if p[i] != 0 {
				return fmt.Errorf("byte %d was cut and is %q", start+i, p[i])
			}
		}
	}
	return nil
}
