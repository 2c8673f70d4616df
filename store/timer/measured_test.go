package timer_test

import (
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store/timer"
	"github.com/stretchr/testify/require"
)

func TestACalendarTellsForHowLongItsMessagesWaitYet(t *testing.T) {
	w := newWorld(t, 1)
	defer w.kernel.Close()
	for _, after := range []int64{-700_000, 0, 4000, 70_000, 3_000_000, 3_000_000, 90_000_000} {
		w.add(w.now+after, false)
	}
	until := []int64{w.now + 5000, w.now + 60_000, w.now + 300_000, w.now + 3_600_000}
	pauses := 0
	require.Equal(t, []int64{3, 0, 1, 2}, w.c.DueWithin(until, func() { pauses++ }))
	require.Equal(t, 3, pauses, "a page that begins behind the last time is not looked at")
	require.Empty(t, w.c.DueWithin(nil, func() {}))

	w.save(t)
	w.crash(t, sim.PowerLoss)
	require.Equal(t, []int64{3, 0, 1, 2}, w.c.DueWithin(until, func() {}), "as it was before the crash")
	w.deliver(t, 2, 2)
	require.Equal(t, []int64{1, 0, 1, 2}, w.c.DueWithin(until, func() {}))
}

func TestACalendarKeepsHowManyWaitForATopic(t *testing.T) {
	w := newWorld(t, 1)
	defer w.kernel.Close()
	w.add(w.now, false)
	topics := map[string]int64{"orders": 1}
	s := w.c.Snapshot(w.end(), topics)
	topics["orders"] = 7 // what comes later is not in the snapshot
	require.NoError(t, w.try(func(disk env.Disk) error {
		if err := w.c.Save(s); err != nil {
			return err
		}
		_, mark, err := timer.Open(disk, func(timer.Entry) {})
		require.Equal(t, map[string]int64{"orders": 1}, mark.Topics)
		return err
	}))
}

// Entries that are whole, and stand in the file of another time.
func TestAPageOfAnotherTimeIsDamage(t *testing.T) {
	w := newWorld(t, 1)
	defer w.kernel.Close()
	w.add(w.now, false)
	w.add(w.now+600_000, false)
	w.save(t)
	other, found := w.machine.Disk().Content("timers/00000001700000400000")
	require.True(t, found)
	w.put(t, pagePath, other)
	require.ErrorIs(t, w.try(func(disk env.Disk) error {
		_, _, err := timer.Open(disk, func(timer.Entry) {})
		return err
	}), timer.ErrDamaged)
}
