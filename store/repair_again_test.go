package store_test

import (
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/stretchr/testify/require"
)

// A bridge of a repair that was killed may be in the cache only, and the next one finds it whole.
func TestARepeatedRepairMakesTheBridgesOfAKilledOneDurable(t *testing.T) {
	for call := 4; call < 9; call++ {
		w := filled(t)
		w.forgive(5, 13)
		w.logByte(t, w.ledger.Messages[5].Place.Log+12, 4)
		w.logByte(t, w.ledger.Messages[13].Place.Log+12, 4)
		_, err := w.runUntil(call, sim.KillProcess, func(e env.Env) error {
			_, err := store.Repair(e, w.options, store.BridgeDamage, nil)
			return err
		})
		require.NoError(t, err)
		w.repair(t, store.BridgeDamage)
		require.NoError(t, w.repaired(sim.KillProcess), "operation %d", call)
		w.machine.Crash(sim.PowerLoss)
		require.NoError(t, w.repaired(sim.KillProcess), "operation %d", call)
	}
}

// The last file of a closed store's log was cut short.
func TestARepairGivesTheLastFileOfTheLogItsSize(t *testing.T) {
	for _, size := range []int64{60_000, 30_000} {
		w := filled(t)
		w.truncate(t, lastLog, size)
		if size < 36_572 {
			w.forgive(27)
		}
		require.NotEmpty(t, w.repair(t, store.BridgeDamage).Steps)
		require.NoError(t, w.repaired(sim.KillProcess), "%d bytes are left", size)
	}
}

// One flipped bit in the store time of the first record of a file must not let the file before it go at once, with messages that are a moment old.
func TestADamagedStoreTimeDoesNotLetYoungMessagesExpire(t *testing.T) {
	w := filled(t)
	w.tidy()
	for _, m := range w.ledger.Messages {
		if m.Place.Log == secondFile {
			w.logByte(t, secondFile+56+2, 0x01) // storeTimestamp, 35 years less
		}
	}
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		s.CleanNow()
		rounds(e)
		require.Zero(t, s.Start())
		return nil
	}))
}

// The queues do not fit the log, and the log is damaged as well, where the newest message of a queue stood. Its number is known to the queue's
// file alone, which must still be there when the repair looks.
func TestAStartThatFindsTheLogDamagedLeavesTheQueuesToTheRepair(t *testing.T) {
	w := filled(t)
	w.forgive(2)
	victim := w.ledger.Messages[2]
	w.logByte(t, victim.Place.Log+12, 4)
	require.Positive(t, w.remove(t, "consumequeue/quiet/11"))
	before := w.contents()
	require.Equal(t, victim.Place.Log, w.damageError(t).From)
	unchanged(t, before, w.contents())
	require.Contains(t, w.repair(t, store.BridgeDamage).String(), "quiet-0 [2, 3)")
	require.NoError(t, w.repaired(sim.KillProcess))
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		_, end := s.Bounds(victim.Key)
		require.Equal(t, victim.Place.Queue+1, end, "the number is not given again")
		return nil
	}))
}

// A repair that is killed has removed a damaged index in the cache only; the next one finds none.
func TestARepeatedRepairLeavesNothingOfADamagedIndex(t *testing.T) {
	for call, ended := 1, false; !ended; call++ {
		w := filled(t)
		w.flipIndex(t, 40+4*int64(w.options.Index.Slots)+20*5+16) // the item before, in its hash chain
		repair := func(e env.Env) error {
			_, err := store.Repair(e, w.options, store.BridgeDamage, nil)
			return err
		}
		var err error
		ended, err = w.runUntil(call, sim.KillProcess, repair)
		require.NoError(t, err)
		require.NoError(t, w.do(repair))
		w.machine.Crash(sim.PowerLoss)
		require.NoError(t, w.repaired(sim.KillProcess), "operation %d", call)
	}
}

// A repair that is killed has set the list of removed topics aside in the cache only; the next one finds nothing to do.
func TestARepeatedRepairKeepsADamagedListAside(t *testing.T) {
	for call, ended := 1, false; !ended; call++ {
		w := dropped(t, "topic")
		w.overwrite(t, droppedFile, 0, []byte("{{"))
		repair := func(e env.Env) error {
			_, err := store.Repair(e, w.options, store.BridgeDamage, nil)
			return err
		}
		var err error
		ended, err = w.runUntil(call, sim.KillProcess, repair)
		require.NoError(t, err)
		require.NoError(t, w.do(repair))
		w.machine.Crash(sim.PowerLoss)
		require.NoError(t, w.use(func(env.Env, *store.Store) error { return nil }), "operation %d", call)
	}
}

// A bridge stands where messages of a topic were that had been removed, and names them not. When the list of removed topics is gone, the queue is that
// of the topic as it was made again, and nothing in it stands for the old ones.
func TestMessagesThatARemovedTopicLostAreNoDamageWhenTheListIsGone(t *testing.T) {
	w := dropped(t, "topic")
	w.logByte(t, w.ledger.Messages[10].Place.Log+12, 4)
	w.ledger.Messages[10].Lost = true
	w.repair(t, store.BridgeDamage)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, w.ledger.Messages[10].Key, 500))
		return nil
	}))
	w.remove(t, droppedFile)
	w.ledger.Revive("topic")
	require.NoError(t, w.expectNoDamage("without the list"))
	require.NoError(t, w.repaired(sim.KillProcess))
}
