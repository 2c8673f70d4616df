package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/stretchr/testify/require"
)

// seeds is how many random runs a test makes: a third of them unless the run is exhaustive.
func seeds(many int) uint64 {
	switch {
	case exhaustive:
		return uint64(many)
	case testing.Short():
		return uint64(max(many/10, 1))
	}
	return uint64(max(many/3, 1))
}

// keep sends messages until the store takes no more.
func (w *world) keep(e env.Env, s *store.Store, random *sim.Stream, worker int) {
	key := store.QueueKey{Topic: []string{"topic0", "topic1", "batch"}[worker%3], ID: int32(worker % 3)}
	for {
		sizes := make([]int, 1+random.IntN(3)*random.IntN(2))
		for i := range sizes {
			sizes[i] = 14 + random.IntN(3000)
		}
		switch w.ledger.Send(e, s, key, sizes...) {
		case store.AppendUnavailable, store.AppendFailed:
			return
		case store.AppendNoSpace:
			e.Tasks.Sleep(time.Millisecond)
		}
		if random.Chance(0.3) {
			e.Tasks.Sleep(time.Duration(random.IntN(2_000_000)))
		}
	}
}

// crashes runs a store through crashes at random times, in the styles given, one drawn for each.
// tune, if not nil, may make the disk sick before each start.
func crashes(seed uint64, flush store.FlushMode, rounds int, tune func(*sim.Machine, *sim.Stream), styles ...sim.CrashStyle) error {
	options := small(flush)
	options.QueueSegmentEntries = 50 // a directory of hundreds of files would take most of the time
	w := newWorld(seed, options)
	defer w.kernel.Close()
	random := w.kernel.Stream("test")
	for round := range rounds {
		style := styles[random.IntN(len(styles))]
		if err := w.round(random, tune, style); err != nil {
			return fmt.Errorf("seed %d, round %d (%v): %w", seed, round, style, err)
		}
	}
	return nil
}

// round opens the store, lets several tasks send, and crashes the machine or closes the store.
func (w *world) round(random *sim.Stream, tune func(*sim.Machine, *sim.Stream), style sim.CrashStyle) error {
	if tune != nil {
		tune(w.machine, random)
	}
	var s *store.Store
	err := w.do(func(e env.Env) (err error) {
		if s, err = store.Open(e, w.options); err != nil {
			return err
		}
		for worker := range 5 {
			e.Tasks.Go("work", func() { w.keep(e, s, random, worker) })
		}
		return nil
	})
	if err != nil && (tune == nil || !errors.Is(err, env.ErrIO) && !errors.Is(err, env.ErrNoSpace)) {
		return err
	}
	w.kernel.Run(w.kernel.Now().Add(time.Duration(random.IntN(30_000_000))), nil)
	if s != nil && random.Chance(0.2) {
		// A store on a sick disk need not close well.
		_ = w.do(func(env.Env) error { return s.Close() })
	}
	if f := w.kernel.Failure(); f != nil {
		return fmt.Errorf("%w\n%s", f, f.Stack)
	}
	w.machine.Crash(style)
	w.machine.Disk().SetOptions(sim.DefaultDisk())
	return w.recheck(style)
}

func TestAcknowledgedMessagesSurviveAnyCrashWithSyncFlush(t *testing.T) {
	for seed := range seeds(50) {
		require.NoError(t, crashes(seed, store.SyncFlush, 6, nil, sim.PowerLoss, sim.PowerLoss, sim.KillProcess))
	}
}

func TestAcknowledgedMessagesSurviveTheDeathOfTheProcessWithAsyncFlush(t *testing.T) {
	for seed := range seeds(20) {
		require.NoError(t, crashes(seed, store.AsyncFlush, 6, nil, sim.KillProcess))
	}
}

func TestAfterAPowerLossWithAsyncFlushOnlyTheNewestMessagesAreMissing(t *testing.T) {
	for seed := range seeds(30) {
		require.NoError(t, crashes(seed, store.AsyncFlush, 6, nil, sim.PowerLoss, sim.KillProcess))
	}
}

// sick makes a disk fail now and then.
func sick(m *sim.Machine, random *sim.Stream) {
	o := sim.DefaultDisk()
	switch random.IntN(5) {
	case 0:
		o.SyncError = 0.02
	case 1:
		o.WriteError = 0.02
	case 2:
		o.Capacity = 400 << 10
	case 3:
		o.SyncMax = 20 * time.Millisecond
	}
	m.Disk().SetOptions(o)
}

func TestNothingAcknowledgedIsLostWhenTheDiskFailsOrIsFull(t *testing.T) {
	for seed := range seeds(40) {
		require.NoError(t, crashes(seed, store.SyncFlush, 6, sick, sim.PowerLoss, sim.KillProcess))
		require.NoError(t, crashes(seed, store.AsyncFlush, 6, sick, sim.KillProcess))
	}
}
