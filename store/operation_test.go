package store_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/store"
	"github.com/stretchr/testify/require"
)

// script opens a store, sends so much that files of the log, of the queues and of the index roll while entries are saved,
// the checkpoint moves on and, with cleaning, old files go; removes a topic and makes it again; and closes the store.
func (w *world) script(e env.Env) error {
	s, err := store.Open(e, w.options)
	if err != nil {
		return err
	}
	second := make([]*oracle.Sending, 0, 20)
	for n := range 18 {
		key := store.QueueKey{Topic: "topic", ID: int32(n % 2)}
		// Two appends go into one write, the larger sometimes across the end of a file.
		second = append(second, w.ledger.Append(e, s, store.QueueKey{Topic: "batch", ID: 0}, 20, 300))
		w.ledger.Send(e, s, key, 9000+n*400)
		switch n {
		case 3, 13:
			w.ledger.Send(e, s, brief, 20, 400)
		case 9:
			if err := w.ledger.Drop(s, brief.Topic); err != nil {
				return errors.Join(err, s.Close())
			}
		}
		e.Tasks.Sleep(time.Duration(n%4) * 3 * time.Millisecond)
	}
	s.Kick()
	for _, a := range second {
		a.Wait()
	}
	return s.Close()
}

var brief = store.QueueKey{Topic: "brief", ID: 2}

// cleaning lets files of the log expire after some messages more.
func cleaning(o store.Options) store.Options {
	o.KeepFor, o.CleanEvery, o.DeletePause = 25*time.Millisecond, 4*time.Millisecond, time.Millisecond
	for hour := range 24 {
		o.DeleteAt = append(o.DeleteAt, hour)
	}
	return o
}

// scripted are the options of a run of the script; every second one cleans.
func scripted(call int, flush store.FlushMode) store.Options {
	if call%2 == 0 {
		return cleaning(small(flush))
	}
	return small(flush)
}

var key0 = store.QueueKey{Topic: "topic", ID: 0}

// again sends a little more, so that the store builds on what a recovery left.
func (w *world) again(e env.Env, s *store.Store) error {
	for range 6 {
		if status := w.ledger.Send(e, s, key0, 700, 700); status != store.AppendOK {
			return fmt.Errorf("after the recovery: %v", status)
		}
	}
	return nil
}

// runUntil runs a task until a call on the disk, which does not happen any more, and crashes the machine. It
// reports whether the task ended before.
func (w *world) runUntil(call int, style sim.CrashStyle, task func(e env.Env) error) (ended bool, err error) {
	reached := false
	w.meddler = &meddler{changes: true, disk: w.machine.Disk()}
	w.meddler.before = func(number int, _ string) error {
		for number >= call {
			reached = true
			w.machine.Node("broker", ".").Tasks.NewCond().Wait()
		}
		return nil
	}
	done, failure := w.start(task)
	w.kernel.Run(w.kernel.Now().Add(time.Hour), func() bool { return reached || done() })
	w.machine.Crash(style)
	w.meddler = nil
	return !reached, failure()
}

// A crash at every call, then a recovery, more messages, and a crash of the other style.
func TestTheStoreSurvivesACrashAtEveryOperation(t *testing.T) {
	for _, flush := range []store.FlushMode{store.SyncFlush, store.AsyncFlush} {
		for call, ended := 1, false; !ended; call += stride(3) {
			style, other := sim.PowerLoss, sim.KillProcess
			if call%4 == 0 {
				style, other = other, style
			}
			var err error
			ended, err = crashAtOperation(call, flush, style, other)
			require.NoError(t, err, "%v, %v at operation %d", flush, style, call)
			require.True(t, !ended || call > 100, "the script is too short: %d operations", call)
		}
	}
}

// exhaustive makes the crash tests leave nothing out; make crash sets it. It takes minutes.
var exhaustive = os.Getenv("GANTRY_CRASH") == "all"

// stride leaves some calls out unless the run is exhaustive. Odd ones meet all styles of crashes.
func stride(usual int) int {
	switch {
	case exhaustive:
		return 1
	case testing.Short():
		return 3 * usual
	}
	return usual
}

func crashAtOperation(call int, flush store.FlushMode, style, other sim.CrashStyle) (ended bool, err error) {
	w := newWorld(uint64(call), scripted(call, flush))
	defer w.kernel.Close()
	if ended, err = w.runUntil(call, style, w.script); err != nil {
		return ended, err
	}
	if err := w.recheck(style); err != nil {
		return ended, err
	}
	if err := w.use(w.again); err != nil {
		return ended, err
	}
	w.machine.Crash(other)
	return ended, w.recheck(other)
}

func TestRecoverySurvivesACrashAtEveryOperation(t *testing.T) {
	for _, flush := range []store.FlushMode{store.SyncFlush, store.AsyncFlush} {
		for first := 7; first < 160; first += 19 * stride(3) {
			for call, ended := 1, false; !ended; call++ {
				var err error
				ended, err = crashInRecovery(first, call, flush)
				require.NoError(t, err, "%v, a crash at operation %d, another at operation %d of the recovery", flush, first, call)
			}
		}
	}
}

// crashInRecovery crashes the script at one operation and the recovery at another.
func crashInRecovery(first, call int, flush store.FlushMode) (ended bool, err error) {
	w := newWorld(uint64(first), scripted(first/19, flush))
	defer w.kernel.Close()
	style := sim.CrashStyle(first % 2)
	if _, err := w.runUntil(first, style, w.script); err != nil {
		return false, err
	}
	lossy := w.lossy(style)
	style = sim.CrashStyle(call % 2)
	ended, err = w.runUntil(call, style, func(e env.Env) error {
		s, err := store.Open(e, w.options)
		if err != nil {
			return err
		}
		err = errors.Join(w.ledger.Verify(e, s, lossy), w.again(e, s))
		lossy = false
		return errors.Join(err, s.Close())
	})
	if err != nil {
		return false, err
	}
	w.options.Flush = flush
	if err := w.expectNoDamage("after the second crash"); err != nil {
		return false, err
	}
	err = w.use(func(e env.Env, s *store.Store) error { return w.ledger.Verify(e, s, lossy || w.lossy(style)) })
	return ended, errors.Join(err, w.expectOrder())
}

// failing makes the calls from one number on fail, as many as length.
func (w *world) failing(from, length int, with error) {
	w.meddler = &meddler{disk: w.machine.Disk(), before: func(number int, call string) error {
		needsSpace := strings.HasPrefix(call, "create") || strings.HasPrefix(call, "write")
		if number < from || number >= from+length || (errors.Is(with, env.ErrNoSpace) && !needsSpace) {
			return nil
		}
		return fmt.Errorf("%s: %w", call, with)
	}}
}

func TestTheStoreSurvivesAFailureOfEveryOperation(t *testing.T) {
	for _, flush := range []store.FlushMode{store.SyncFlush, store.AsyncFlush} {
		for call, ended := 1, false; !ended; call += stride(5) {
			var err error
			ended, err = failAtOperation(call, 1, flush, env.ErrIO)
			require.NoError(t, err, "%v, a failure of operation %d", flush, call)
		}
	}
}

func TestTheStoreSurvivesAFullDiskAtEveryOperation(t *testing.T) {
	for _, flush := range []store.FlushMode{store.SyncFlush, store.AsyncFlush} {
		for call, ended := 1, false; !ended; call += stride(9) {
			var err error
			ended, err = failAtOperation(call, 1+call%12, flush, env.ErrNoSpace)
			require.NoError(t, err, "%v, a disk that is full from operation %d on", flush, call)
		}
	}
}

// failAtOperation runs the script with failing calls and crashes the machine once it has ended.
func failAtOperation(call, length int, flush store.FlushMode, with error) (ended bool, err error) {
	w := newWorld(uint64(call), scripted(call, flush))
	defer w.kernel.Close()
	w.failing(call, length, with)
	failed := w.do(w.script)
	ended = w.meddler.count < call
	healthyEnd := w.meddler.count > call+length+60
	w.meddler = nil
	if failed != nil && !errors.Is(failed, with) {
		return ended, failed
	}
	if errors.Is(with, env.ErrNoSpace) && failed == nil && healthyEnd {
		if last := w.ledger.Messages[len(w.ledger.Messages)-1]; last.Status != store.AppendOK {
			return ended, fmt.Errorf("the store did not take messages again: %v", last.Status)
		}
	}
	// The machine and its cache live on; then a power loss shows what the medium really has.
	w.machine.Crash(sim.KillProcess)
	if err := w.recheck(sim.KillProcess); err != nil {
		return ended, err
	}
	if err := w.use(w.again); err != nil {
		return ended, err
	}
	w.machine.Crash(sim.PowerLoss)
	return ended, w.recheck(sim.KillProcess)
}
