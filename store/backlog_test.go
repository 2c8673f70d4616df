package store_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/stretchr/testify/require"
)

func TestABusyStoreTellsHowMuchWaitsAndForHowLong(t *testing.T) {
	options := small(store.SyncFlush)
	options.WaitingMax, options.FlushTimeout = 2000, time.Minute
	opened(t, options, func(w *world, e env.Env, s *store.Store) {
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 10), "now there is a file")
		require.Equal(t, store.Backlog{}, s.Backlog())
		o := sim.DefaultDisk()
		o.StuckUntil = e.Clock.Now().Add(time.Second)
		w.machine.Disk().SetOptions(o)
		for range 2 {
			w.ledger.Append(e, s, key0, 1000)
			s.Kick()
			e.Tasks.Sleep(100 * time.Millisecond)
		}
		backlog := s.Backlog()
		require.Equal(t, 2, backlog.Appends)
		require.Greater(t, backlog.Bytes, 2000)
		require.GreaterOrEqual(t, backlog.Oldest, 200*time.Millisecond)
		require.Less(t, backlog.Oldest, 220*time.Millisecond)
		a := w.ledger.Append(e, s, key0, 1000)
		require.True(t, a.Answered)
		require.Equal(t, store.AppendBusy, a.Status)
		require.Regexp(t, `^more than 2000 bytes must not wait for the disk; now 2 appends with 2\d\d\d bytes wait for the disk, the oldest for 20\dms: send again later$`, a.Reason)
		require.Equal(t, backlog.Appends, s.Backlog().Appends, "what is refused does not wait")
		e.Tasks.Sleep(time.Second)
		require.Equal(t, store.Backlog{}, s.Backlog())
	})
}
