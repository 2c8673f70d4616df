package store_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// mostlyGone has a closed store whose log has lost its first files: of the idle queue nothing is left but what its file says, of the busy one the newest
// messages.
func mostlyGone(t *testing.T, idle, busy store.QueueKey) *world {
	t.Helper()
	options := small(store.SyncFlush)
	options.QueueSegmentEntries, options.BatchSegmentEntries = 100, 100
	w := newWorld(3, options)
	t.Cleanup(w.kernel.Close)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		for range 6 {
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, idle, 1000))
		}
		for range 36 {
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, busy, 6000))
		}
		return nil
	}))
	w.tidy()
	w.machine.StepWall(2 * time.Hour)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		s.CleanNow()
		rounds(e)
		require.Equal(t, lastFile, s.Start())
		w.loseBefore(lastFile)
		return nil
	}))
	require.NoError(t, w.expectOrder())
	return w
}

// Entries of messages that are gone may be damaged in any way, the newest one excepted: once the queues are built again their numbers go on,
// and whoever searches their files finds what is left.
func TestDamagedEntriesOfMessagesThatAreGoneLeadNobodyAstray(t *testing.T) {
	simple := [2]store.QueueKey{{Topic: "idle", ID: 0}, {Topic: "busy", ID: 0}}
	batch := [2]store.QueueKey{{Topic: "batch", ID: 1}, {Topic: "batch", ID: 2}}
	random := rand.New(rand.NewPCG(3, 3))
	for _, c := range []struct {
		keys [2]store.QueueKey
		dir  string
		size int
	}{{simple, "consumequeue", 20}, {batch, "batchconsumequeue", 46}} {
		for _, key := range c.keys {
			path := fmt.Sprintf("%s/%s/%d/%020d", c.dir, key.Topic, key.ID, 0)
			for at := range 5 * c.size {
				w := mostlyGone(t, c.keys[0], c.keys[1])
				was := w.content(path)[at]
				w.overwrite(t, path, int64(at), []byte{was ^ 1<<random.IntN(8)})
				require.Equal(t, 1, w.remove(t, "checkpoint"))
				w.overwrite(t, "abort", 0, nil)
				require.NoError(t, w.repaired(sim.KillProcess))
				require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
					require.Zero(t, w.log.FilterMessageSnippet("built again").Len(), "byte %d of %v: one start was enough", at, key)
					_, end := s.Bounds(key)
					require.Equal(t, endOfQueue(w, key), end, "byte %d of %v", at, key)
					for _, key := range c.keys {
						require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key, 20))
					}
					return w.ledger.Verify(e, s, false)
				}))
				require.NoError(t, w.expectOrder(), "byte %d of %v", at, key)
				w.kernel.Close()
			}
		}
	}
}

// endOfQueue is the number behind the newest message that a queue ever had.
func endOfQueue(w *world, key store.QueueKey) (end message.QueueOffset) {
	for _, m := range w.ledger.Messages {
		if m.Key == key {
			end = max(end, m.Place.Queue+message.QueueOffset(span(m)))
		}
	}
	return end
}

// After a crash the newest entries tell whether files of the log are missing. One that is damaged, and would have the log go further than it ever did, does not.
func TestADamagedNewestEntryDoesNotSpeakOfFilesOfTheLogThatNeverWere(t *testing.T) {
	for file, newest := range map[string]int64{
		"consumequeue/quiet/0/00000000000000000000": 2, "consumequeue/quiet/11/00000000000000000000": 0, "consumequeue/topic/0/00000000000000000140": 4,
	} {
		w := filled(t)
		w.overwrite(t, "abort", 0, nil)
		require.True(t, w.machine.Disk().Corrupt(file, newest*20+5, 0x40))
		require.NoError(t, w.repaired(sim.KillProcess), "%s", file)
	}
}
