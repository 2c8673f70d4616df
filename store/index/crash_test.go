package index_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// small makes a file of four pages of slots, so that a part of the slots can be lost.
var small = index.Sizes{Slots: 4000, Items: 14}

// wideLog is like busyLog, with hashes that reach a new page of slots now and then: a part of a file's items needs less pages
// than all.
func wideLog(records int) *journal {
	j := &journal{}
	for i := range records {
		hashes := []int32{int32(i) * 97, 1400 + int32(i%3), 7}[:i%4]
		j.write(noon+int64(i)*1000, hashes...)
	}
	return j
}

// attempt is one life of an index, and the marks that its checkpoints had.
type attempt struct {
	journal *journal
	marks   []index.Mark // of all checkpoints; the last one counts
	repeat  bool         // what a full disk refuses is tried again
	x       *index.Index
}

// again does a step until a full disk takes it.
func (a *attempt) again(step func() error) error {
	for {
		err := step()
		if !a.repeat || !errors.Is(err, env.ErrNoSpace) {
			return err
		}
	}
}

// add feeds the index up to a place, in pieces as a store does that repeats what was refused.
func (a *attempt) add(to message.LogOffset, wall int64) error {
	items := a.journal.items(max(a.x.Next(), a.journal.start), to)
	return a.again(func() error {
		added, err := a.x.Add(items, to, wall)
		items = items[added:]
		return err
	})
}

// save saves, and makes a checkpoint some time after it.
func (a *attempt) save(disk env.Disk) error {
	if err := a.again(a.x.Save); err != nil {
		return err
	}
	mark := a.x.Durable()
	// A crash in this call leaves the checkpoint of before.
	if err := a.again(func() error { return disk.SyncDir(index.Dir) }); err != nil {
		return err
	}
	a.marks = append(a.marks, mark)
	return nil
}

// script adds, writes, saves, rolls over several files and removes old ones.
func (a *attempt) script(disk env.Disk, options index.Options) (err error) {
	if a.x, err = index.Open(disk, options); err != nil {
		return err
	}
	for i := 1; i <= 12; i++ {
		if err := a.add(message.LogOffset(i*5*recordSize), noon+int64(i)); err != nil {
			return err
		}
		if i%2 == 0 {
			if err := a.again(a.x.Write); err != nil {
				return err
			}
		}
		if i%3 == 1 {
			if err := a.save(disk); err != nil {
				return err
			}
		}
		if i == 8 {
			a.journal.start = 20 * recordSize
			if _, err := a.x.RemoveBefore(a.journal.start); err != nil {
				return err
			}
		}
	}
	return errors.Join(a.save(disk), a.x.Close())
}

// mark is the one of the last checkpoint, or an older one.
func (a *attempt) mark(back int) index.Mark {
	if len(a.marks) <= back {
		return index.Mark{Count: 1}
	}
	return a.marks[len(a.marks)-1-back]
}

// until crashes the machine at a call that changes the disk. It reports whether the task ended before.
func (w *world) until(call int, style sim.CrashStyle, task func(disk env.Disk) error) (ended bool, err error) {
	reached, count := false, 0
	w.calls = &calls{before: func(_ int, what string) error {
		if changes(what) {
			count++
		}
		for count >= call {
			reached = true
			w.machine.Node("node", ".").Tasks.NewCond().Wait()
		}
		return nil
	}}
	done, failure := w.start(task)
	w.kernel.Run(w.kernel.Now().Add(time.Hour), func() bool { return reached || done() })
	w.machine.Crash(style)
	w.calls = nil
	return !reached, failure()
}

// recheck opens what a crash left, adds the rest of the log and compares; then again after a clean end.
func (w *world) recheck(a *attempt, mark index.Mark, clean bool) error {
	_, marked := w.machine.Disk().Content(fmt.Sprintf("index/%017d", mark.File))
	var saved index.Mark
	err := w.try(func(disk env.Disk) error {
		x, err := index.Open(disk, index.Options{Sizes: small, Mark: &mark, Clean: clean})
		if err != nil {
			return err
		}
		if x.Next() != mark.Log && (marked || mark.File == 0 || x.Next() != 0) {
			return fmt.Errorf("%v after opening with %v", x, mark)
		}
		err = errors.Join(a.journal.expectAll(x, max(x.Next(), a.journal.start)), a.journal.feed(x, a.journal.end(), noon), a.journal.expectAll(x, a.journal.end()), x.Save())
		saved = x.Durable()
		return errors.Join(err, x.Close(), verify(disk, small))
	})
	if err != nil {
		return err
	}
	w.machine.Crash(sim.PowerLoss)
	return w.try(func(disk env.Disk) error {
		x, err := index.Open(disk, index.Options{Sizes: small, Mark: &saved, Clean: true})
		if err != nil {
			return err
		}
		if x.Next() != a.journal.end() {
			return fmt.Errorf("%v after a clean end at %v", x, a.journal.end())
		}
		return errors.Join(a.journal.expectAll(x, a.journal.end()), x.Close(), verify(disk, small))
	})
}

func TestNothingIsMissingAfterACrashAtAnyOperation(t *testing.T) {
	for _, style := range []sim.CrashStyle{sim.PowerLoss, sim.KillProcess} {
		for back := range 2 {
			for call, ended := 1, false; !ended; call++ {
				for seed := range uint64(4) {
					w, a := newWorld(seed<<20|uint64(call)), &attempt{journal: wideLog(60)}
					var err error
					ended, err = w.until(call, style, func(disk env.Disk) error {
						return a.script(disk, index.Options{Sizes: small, Clean: true, Mark: &index.Mark{Count: 1}})
					})
					require.NoError(t, err)
					require.NoError(t, w.recheck(a, a.mark(back), false), "%v at operation %d, seed %d, checkpoint %d before the last", style, call, seed, back)
					require.True(t, !ended || call > 80, "the script has only %d operations", call)
					w.kernel.Close()
				}
			}
		}
	}
}

// A crash of the machine between two calls is not all: one may come while a call is under way.
func TestNothingIsMissingAfterACrashAtAnyStep(t *testing.T) {
	for step, ended := uint64(1), false; !ended; step += 2 {
		w, a := newWorld(step), &attempt{journal: wideLog(60)}
		done, failure := w.start(func(disk env.Disk) error {
			return a.script(disk, index.Options{Sizes: small, Clean: true, Mark: &index.Mark{Count: 1}})
		})
		w.kernel.Run(env.Never, func() bool { return done() || w.kernel.Step() >= step })
		ended = done()
		require.NoError(t, failure())
		w.machine.Crash(sim.PowerLoss)
		require.NoError(t, w.recheck(a, a.mark(0), false), "at step %d", step)
		w.kernel.Close()
	}
}

// The second crash comes while the index is opened and filled again after the first.
func TestNothingIsMissingAfterACrashDuringTheRepair(t *testing.T) {
	kept := 0
	for first := 5; first < 90; first += 7 {
		for call, ended := 1, false; !ended; call++ {
			w, a := newWorld(uint64(first*1000+call)), &attempt{journal: wideLog(60)}
			_, err := w.until(first, sim.CrashStyle(first%2), func(disk env.Disk) error {
				return a.script(disk, index.Options{Sizes: small, Clean: true, Mark: &index.Mark{Count: 1}})
			})
			require.NoError(t, err)
			mark := a.mark(0)
			opened := false
			ended, err = w.until(call, sim.CrashStyle(call%2), func(disk env.Disk) error {
				if a.x, err = index.Open(disk, index.Options{Sizes: small, Mark: &mark}); err != nil {
					return err
				}
				opened = true
				return errors.Join(a.add(a.journal.end(), noon), a.x.Close())
			})
			require.NoError(t, err)
			if !opened && mark.File > 0 {
				_, ok := w.machine.Disk().Content(fmt.Sprintf("index/%017d", mark.File))
				require.True(t, ok)
				kept++
			}
			require.NoError(t, w.recheck(a, mark, false), "a crash at operation %d, another at operation %d of the repair", first, call)
			w.kernel.Close()
		}
	}
	require.Greater(t, kept, 30, "the repair was hardly interrupted")
}

// failing lets calls fail that come from a number on.
func failing(from, length int, with error, when func(call string) bool) *calls {
	return &calls{before: func(number int, call string) error {
		if number >= from && number < from+length && when(call) {
			return with
		}
		return nil
	}}
}

func TestAfterAFailureOfAnyOperationTheIndexCanBeOpenedAgain(t *testing.T) {
	any := func(string) bool { return true }
	for number, ended := 1, false; !ended; number++ {
		for _, clean := range []bool{false, true} {
			w, a := newWorld(uint64(number)), &attempt{journal: wideLog(60)}
			w.calls = failing(number, 1, env.ErrIO, any)
			failed := w.try(func(disk env.Disk) error {
				err := a.script(disk, index.Options{Sizes: small, Clean: true, Mark: &index.Mark{Count: 1}})
				if err == nil || a.x == nil {
					return err
				}
				// What failed is not repeated as if nothing had happened, and all is closed. A removal that failed does not concern adding.
				if again := a.x.Save(); again == nil && a.x.Durable() != a.mark(0) {
					a.marks = append(a.marks, a.x.Durable())
				}
				return errors.Join(err, a.x.Close())
			})
			ended = w.calls.count < number
			require.True(t, ended == (failed == nil), "operation %d: %v", number, failed)
			require.True(t, ended || errors.Is(failed, env.ErrIO), "%v", failed)
			require.Zero(t, w.calls.open, "operation %d", number)
			w.calls = nil
			w.machine.Crash(sim.CrashStyle(number % 2))
			mark := a.mark(0)
			mark.InDoubt = clean
			require.NoError(t, w.recheck(a, mark, clean), "operation %d failed, clean: %v", number, clean)
			w.kernel.Close()
		}
	}
}

// Opening may fail at any operation too, and be repeated while the machine and its cache live on. A power loss
// after all was saved shows what the medium really has.
func TestAfterAFailureDuringTheRepairTheIndexCanBeOpenedAgain(t *testing.T) {
	for _, with := range []error{env.ErrIO, env.ErrNoSpace} {
		for first := 5; first < 90; first += 7 {
			for number, ended := 1, false; !ended; number++ {
				w, a := newWorld(uint64(first*1000+number)), &attempt{journal: wideLog(60)}
				_, err := w.until(first, sim.KillProcess, func(disk env.Disk) error {
					return a.script(disk, index.Options{Sizes: small, Clean: true, Mark: &index.Mark{Count: 1}})
				})
				require.NoError(t, err)
				w.calls = failing(number, 1, with, func(call string) bool { return with == env.ErrIO || needsSpace(call) })
				// Behind an older mark is much that was synced, and must be erased.
				mark := a.mark(first % 2)
				err = w.try(func(disk env.Disk) error {
					x, err := index.Open(disk, index.Options{Sizes: small, Mark: &mark})
					if err == nil {
						err = x.Close()
					}
					return err
				})
				ended = w.calls.count < number
				require.True(t, err == nil || errors.Is(err, env.ErrIO) && with == env.ErrIO, "a full disk hinders no start: %v", err)
				require.Zero(t, w.calls.open)
				w.calls = nil
				clean := (number+first/7)%2 == 0
				if clean {
					// Nothing is added that would write the slots once more.
					w.do(t, func(disk env.Disk) error {
						x, err := index.Open(disk, index.Options{Sizes: small, Mark: &mark})
						require.NoError(t, err)
						mark = x.Durable()
						return x.Close()
					})
					w.machine.Crash(sim.PowerLoss)
					w.do(t, func(disk env.Disk) error { return verify(disk, small) })
				}
				require.NoError(t, w.recheck(a, mark, clean), "a crash at operation %d, %v at operation %d of the repair", first, with, number)
				w.kernel.Close()
			}
		}
	}
}

func TestWhatAFullDiskRefusedCanBeRepeated(t *testing.T) {
	for number, ended := 1, false; !ended; number++ {
		w, a := newWorld(uint64(number)), &attempt{journal: wideLog(60), repeat: true}
		w.calls = failing(number, 1+number%5, env.ErrNoSpace, needsSpace)
		w.do(t, func(disk env.Disk) error {
			require.NoError(t, a.script(disk, index.Options{Sizes: small, Clean: true, Mark: &index.Mark{Count: 1}}), "operation %d", number)
			return verify(disk, small)
		})
		ended = w.calls.count < number
		w.calls = nil
		require.Equal(t, a.journal.end(), a.mark(0).Log)
		w.machine.Crash(sim.PowerLoss)
		require.NoError(t, w.recheck(a, a.mark(0), true), "operation %d", number)
		w.kernel.Close()
	}
}

// A part of a record's keys may be added when the disk is full, and saved: the others are added after a restart.
func TestARecordOfWhichAPartWasSavedIsCompletedAfterARestart(t *testing.T) {
	j := &journal{}
	j.write(noon, 1, 2, 3)
	j.write(noon, 4, 5, 4, 6)
	w := newWorld(1)
	defer w.kernel.Close()
	w.calls = &calls{}
	w.do(t, func(disk env.Disk) error {
		x, err := index.Open(disk, index.Options{Sizes: tiny, Clean: true, Mark: &index.Mark{Count: 1}})
		require.NoError(t, err)
		require.NoError(t, j.feed(x, 100, noon))
		w.calls.before = failing(w.calls.count, 100, env.ErrNoSpace, func(call string) bool { return call == "create" }).before
		added, err := x.Add(j.items(100, 200), 200, noon)
		require.ErrorIs(t, err, env.ErrNoSpace)
		require.Equal(t, 2, added)
		require.EqualValues(t, 100, x.Next())
		w.calls.before = nil
		require.NoError(t, x.Save())
		mark := x.Durable()
		require.EqualValues(t, 100, mark.Log)
		require.NoError(t, x.Close())
		for _, clean := range []bool{true, false} {
			x, err = index.Open(disk, index.Options{Sizes: tiny, Clean: clean, Mark: &mark})
			require.NoError(t, err)
			require.NoError(t, j.feed(x, 200, noon))
			require.Equal(t, 40, x.Unwritten(), "the two that are missing, also the second one of hash 4")
			require.NoError(t, errors.Join(j.expectAll(x, 200), x.Close()))
		}
		return nil
	})
}

// A failed sync may make the system forget what it did not write, so a second one proves nothing.
func TestASyncThatFindsNoSpaceIsNotRepeated(t *testing.T) {
	w := newWorld(1)
	defer w.kernel.Close()
	j := wideLog(30)
	var mark index.Mark
	w.calls = &calls{}
	w.do(t, func(disk env.Disk) error {
		x, err := index.Open(disk, index.Options{Sizes: small, Clean: true, Mark: &index.Mark{Count: 1}})
		require.NoError(t, err)
		require.NoError(t, j.feed(x, 500, noon))
		require.NoError(t, x.Save())
		mark = x.Durable()
		require.NoError(t, j.feed(x, 600, noon))
		w.calls.before = failing(1, 1000, env.ErrNoSpace, func(call string) bool { return call == "sync" }).before
		err = x.Save()
		require.ErrorIs(t, err, env.ErrIO)
		require.NotErrorIs(t, err, env.ErrNoSpace, "who sees that tries again")
		w.calls.before = nil
		require.ErrorIs(t, x.Save(), env.ErrIO)
		require.ErrorIs(t, x.Write(), env.ErrIO)
		require.ErrorIs(t, j.feed(x, 700, noon), env.ErrIO)
		require.Equal(t, mark, x.Durable())
		require.NoError(t, j.expectAll(x, 600), "searches go on")
		return x.Close()
	})
	w.calls = nil
	require.NoError(t, w.recheck(&attempt{journal: j}, mark, true))
}

// What Open brought back to the mark is durable, and so is what it removed.
func TestARepairIsDurable(t *testing.T) {
	for seed := range uint64(30) {
		w := newWorld(seed)
		j := wideLog(60)
		var mark index.Mark
		w.do(t, func(disk env.Disk) error {
			x, err := index.Open(disk, index.Options{Sizes: small, Clean: true, Mark: &index.Mark{Count: 1}})
			require.NoError(t, err)
			require.NoError(t, j.feed(x, 500, noon))
			require.NoError(t, x.Save())
			mark = x.Durable()
			return errors.Join(j.feed(x, j.end(), noon), x.Write(), x.Close())
		})
		w.machine.Crash(sim.KillProcess)
		w.do(t, func(disk env.Disk) error {
			x, err := index.Open(disk, index.Options{Sizes: small, Mark: &mark})
			require.NoError(t, err)
			require.Equal(t, mark, x.Durable())
			return x.Close()
		})
		w.machine.Crash(sim.PowerLoss)
		require.Len(t, w.files(), 1, "seed %d", seed)
		w.do(t, func(disk env.Disk) error { return verify(disk, small) })
		require.NoError(t, w.recheck(&attempt{journal: j}, mark, true), "seed %d", seed)
		w.kernel.Close()
	}
}

func TestARemovalIsDurable(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(seed)
		j := wideLog(60)
		left := 0
		w.do(t, func(disk env.Disk) error {
			x, err := index.Open(disk, index.Options{Sizes: small, Clean: true, Mark: &index.Mark{Count: 1}})
			require.NoError(t, err)
			require.NoError(t, j.feed(x, j.end(), noon))
			removed, err := x.RemoveBefore(4000)
			require.NoError(t, err)
			require.Positive(t, removed)
			left = len(x.Files())
			return x.Close()
		})
		w.machine.Crash(sim.PowerLoss)
		require.Len(t, w.files(), left, "seed %d", seed)
		w.kernel.Close()
	}
}

// If everything is made again and the machine crashes before a checkpoint, the old mark is read with new files.
func TestAnOldMarkDoesNotFitFilesThatWereMadeAgain(t *testing.T) {
	w := newWorld(1)
	defer w.kernel.Close()
	j := wideLog(60)
	w.do(t, func(disk env.Disk) error {
		x, err := index.Open(disk, index.Options{Sizes: small, Clean: true, Mark: &index.Mark{Count: 1}})
		require.NoError(t, err)
		require.NoError(t, j.feed(x, 4000, noon))
		require.NoError(t, x.Save())
		mark := x.Durable()
		require.NoError(t, x.RemoveAll())
		require.Zero(t, x.Next())
		require.Equal(t, index.Mark{Count: 1}, x.Durable())
		// The log begins later now, so the same number of items goes less far.
		j.start = 1000
		require.NoError(t, j.feed(x, 6000, noon-tolerance))
		require.Greater(t, x.Files()[0].Path, fmt.Sprintf("index/%017d", mark.File))
		require.NoError(t, errors.Join(x.Save(), x.Close()))
		x, err = index.Open(disk, index.Options{Sizes: small, Mark: &mark})
		require.NoError(t, err)
		require.Zero(t, x.Next())
		require.Empty(t, x.Files())
		require.NoError(t, j.feed(x, 6000, noon-tolerance))
		require.Greater(t, x.Files()[0].Path, fmt.Sprintf("index/%017d", mark.File))
		return errors.Join(j.expectAll(x, 6000), x.Close())
	})
}

// A calendar that was set back by hours must not make the repair give up the file at every crash.
func TestAFileIsRepairedThoughTheCalendarWasSetBackFar(t *testing.T) {
	j := &journal{}
	for i := range 8 {
		j.write(noon-int64(i)*3600_000, int32(i), 1)
	}
	w := newWorld(1)
	defer w.kernel.Close()
	w.do(t, func(disk env.Disk) error {
		x, err := index.Open(disk, index.Options{Sizes: index.Sizes{Slots: 3, Items: 100}, Clean: true, Mark: &index.Mark{Count: 1}})
		require.NoError(t, err)
		require.NoError(t, j.feed(x, 800, noon))
		require.NoError(t, errors.Join(x.Save(), x.Close()))
		mark := x.Durable()
		x, err = index.Open(disk, index.Options{Sizes: index.Sizes{Slots: 3, Items: 100}, Mark: &mark})
		require.NoError(t, err)
		require.EqualValues(t, 800, x.Next())
		require.NoError(t, j.expectAll(x, 800))
		return x.Close()
	})
}
