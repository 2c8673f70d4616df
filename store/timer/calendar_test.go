package timer_test

import (
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store/timer"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// world is a machine with a calendar, and the log that it is derived from.
type world struct {
	kernel  *sim.Kernel
	machine *sim.Machine
	c       *timer.Calendar
	now     int64
	log     []event
	waiting map[message.LogOffset]timer.Entry // as they stand in the log, by where they end
	recalls []timer.Entry                     // that the hook was told of
}

// event is a record of the log: an entry, or the delivery of one.
type event struct {
	at        message.LogOffset
	entry     timer.Entry
	delivered message.LogOffset // the end of an entry, or 0
}

const recordSize = 100

func newWorld(t require.TestingT, seed uint64) *world {
	k := sim.New(seed, sim.Options{})
	w := &world{kernel: k, machine: k.AddMachine("a", netip.MustParseAddr("10.0.0.1")), now: 1_700_000_000_000, waiting: map[message.LogOffset]timer.Entry{}}
	w.open(t)
	return w
}

func (w *world) try(task func(disk env.Disk) error) (err error) {
	if !w.machine.Up() {
		w.machine.Boot("node")
	}
	e, done := w.machine.Node("node", "."), false
	e.Tasks.Go("test", func() { err, done = task(e.Disk), true })
	if !w.kernel.Run(w.kernel.Now().Add(time.Hour), func() bool { return done }) {
		return fmt.Errorf("the task did not end: %v", w.kernel.Failure())
	}
	return err
}

func (w *world) end() message.LogOffset { return message.LogOffset(len(w.log) * recordSize) }

// open opens the calendar and brings it up to the end of the log.
func (w *world) open(t require.TestingT) {
	w.begin(t, timer.Open)
}

// begin makes a calendar by some way, and brings it up to the end of the log.
func (w *world) begin(t require.TestingT, made func(env.Disk, func(timer.Entry)) (*timer.Calendar, timer.Mark, error)) {
	w.recalls = nil
	require.NoError(t, w.try(func(disk env.Disk) error {
		c, mark, err := made(disk, func(e timer.Entry) { w.recalls = append(w.recalls, e) })
		if err != nil {
			return err
		}
		for _, e := range w.log {
			switch {
			case e.delivered > 0 && e.at >= mark.Covered:
				c.Delivered(e.delivered, e.entry.Due)
			case e.delivered == 0 && e.at >= mark.Added:
				c.Add(e.entry)
			}
		}
		for _, e := range w.log {
			require.True(t, e.delivered == 0 || c.Taken(e.entry.Due), "what was delivered at %d cannot be recalled", e.entry.Due)
		}
		w.c = c
		return nil
	}))
}

// add puts an entry into the log and the calendar.
func (w *world) add(due int64, recall bool) timer.Entry {
	e := timer.Entry{Due: due, Log: w.end(), Size: recordSize - 1, Recall: recall}
	w.log = append(w.log, event{at: e.Log, entry: e})
	w.waiting[e.End()] = e
	w.c.Add(e)
	return e
}

// take takes one entry, and demands that it is one that waits, and no other has waited longer.
func (w *world) take(t require.TestingT) (e timer.Entry, ok bool) {
	var next int64
	require.NoError(t, w.try(func(env.Disk) (err error) {
		e, ok, next, err = w.c.Take(w.now)
		return err
	}))
	earliest := int64(0)
	for _, waits := range w.waiting {
		if earliest == 0 || waits.Due < earliest {
			earliest = waits.Due
		}
	}
	if !ok {
		require.True(t, earliest == 0 || earliest > w.now, "what is due at %d was not taken at %d", earliest, w.now)
		require.Equal(t, earliest, next)
		return e, false
	}
	was, waits := w.waiting[e.End()]
	require.True(t, waits, "%v does not wait", e)
	require.Equal(t, was.Due, e.Due)
	require.LessOrEqual(t, e.Due, w.now, "too early")
	require.Equal(t, was.Recall, e.Recall)
	delete(w.waiting, e.End())
	return e, true
}

// deliver takes up to count entries, delivers some of them, and puts the others back.
func (w *world) deliver(t require.TestingT, count, done int) {
	var taken []timer.Entry
	for range count {
		if e, ok := w.take(t); ok {
			taken = append(taken, e)
		}
	}
	done = min(done, len(taken))
	for _, e := range taken[:done] {
		w.log = append(w.log, event{at: w.end(), delivered: e.End(), entry: e})
	}
	w.c.Done(done)
	for _, e := range taken[done:] {
		w.waiting[e.End()] = w.log[e.Log/recordSize].entry
	}
	w.c.Return()
}

func (w *world) save(t require.TestingT) {
	s := w.c.Snapshot(w.end(), nil)
	require.NoError(t, w.try(func(env.Disk) error { return w.c.Save(s) }))
}

// takeOver makes the calendar that a copy has which knows the log and a mark, and no files.
func (w *world) takeOver(t require.TestingT, mark timer.Mark) {
	require.NoError(t, w.try(timer.Reset))
	w.begin(t, func(disk env.Disk, recall func(timer.Entry)) (*timer.Calendar, timer.Mark, error) {
		c, err := timer.Restore(disk, recall, mark)
		for _, e := range w.log {
			if err == nil && e.delivered == 0 && e.at >= mark.Oldest && e.at < mark.Added {
				c.AddAgain(e.entry)
			}
		}
		return c, mark, err
	})
	w.readWaiting()
}

// crash kills the machine, and opens the calendar again.
func (w *world) crash(t require.TestingT, style sim.CrashStyle) {
	w.machine.Crash(style)
	w.open(t)
	w.readWaiting()
}

// readWaiting takes from the log what waits.
func (w *world) readWaiting() {
	clear(w.waiting)
	for i := range w.log {
		if e := w.log[i].entry; e.Size > 0 && !w.delivered(e) {
			w.waiting[e.End()] = e
		}
	}
}

func TestWhatWaitsIsTakenOnceWhenItIsDueWhateverCrashes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.Uint64().Draw(t, "seed"))
		defer w.kernel.Close()
		t.Repeat(map[string]func(*rapid.T){
			// Entries that are gone count until they are read.
			"": func(t *rapid.T) {
				require.LessOrEqual(t, len(w.waiting), w.c.Waiting())
				counts := w.c.DueWithin([]int64{w.now, w.now + 60_000, math.MaxInt64}, func() {})
				require.EqualValues(t, w.c.Waiting(), counts[0]+counts[1]+counts[2], "each that waits is due sometime: %v", counts)
			},
			"add": func(t *rapid.T) {
				after := rapid.SampledFrom([]int64{-5, 0, 1, 1000, 599_999, 600_000, 4_000_000}).Draw(t, "after")
				for range rapid.IntRange(1, 5).Draw(t, "entries") {
					w.add(w.now+after, false)
				}
			},
			"wait": func(t *rapid.T) {
				w.now += rapid.SampledFrom([]int64{1, 700, 600_000, 5_000_000, -800, -2_000_000}).Draw(t, "milliseconds")
			},
			"deliver": func(t *rapid.T) {
				w.deliver(t, rapid.IntRange(1, 6).Draw(t, "taken"), rapid.IntRange(0, 6).Draw(t, "done"))
			},
			"save":  func(t *rapid.T) { w.save(t) },
			"crash": func(t *rapid.T) { w.crash(t, sim.CrashStyle(rapid.IntRange(0, 1).Draw(t, "style"))) },
			"crash while it is saved": func(t *rapid.T) {
				snapshot := w.c.Snapshot(w.end(), nil)
				w.machine.Node("node", ".").Tasks.Go("save", func() { _ = w.c.Save(snapshot) })
				w.kernel.Run(w.kernel.Now().Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "microseconds"))*time.Microsecond), func() bool { return false })
				w.crash(t, sim.CrashStyle(rapid.IntRange(0, 1).Draw(t, "style")))
			},
			"a copy takes over": func(t *rapid.T) {
				mark := w.c.Snapshot(w.end(), nil).Mark()
				w.deliver(t, rapid.IntRange(0, 6).Draw(t, "taken"), rapid.IntRange(0, 6).Draw(t, "done"))
				w.add(w.now+rapid.SampledFrom([]int64{-5, 1, 4_000_000}).Draw(t, "after"), false)
				w.takeOver(t, mark)
			},
			"a disk that fails": func(t *rapid.T) {
				sick, healthy := sim.DefaultDisk(), w.machine.Disk().Options()
				sick.Full, sick.SyncError = rapid.Bool().Draw(t, "full"), rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(t, "failing syncs")
				w.machine.Disk().SetOptions(sick)
				snapshot := w.c.Snapshot(w.end(), nil)
				_ = w.try(func(env.Disk) error { return w.c.Save(snapshot) })
				w.machine.Disk().SetOptions(healthy)
			},
		})
	})
}

func (w *world) delivered(e timer.Entry) bool {
	for _, other := range w.log {
		if other.delivered == e.End() {
			return true
		}
	}
	return false
}
