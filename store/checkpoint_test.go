package store_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/stretchr/testify/require"
)

// slots are where the two slots with our words begin, and how many bytes they have.
var slots = [2]int{128, 320}

const (
	slotBytes = 140
	javaBytes = 48 // at 0
)

// history are the contents of the checkpoint file after each of its writes.
func history(t *testing.T) (states [][]byte) {
	t.Helper()
	w := newWorld(1, small(store.SyncFlush))
	t.Cleanup(w.kernel.Close)
	w.meddler = &meddler{disk: w.machine.Disk(), before: func(_ int, call string) error {
		if call == "sync checkpoint" {
			states = append(states, w.content("checkpoint"))
		}
		return nil
	}}
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		for range 12 {
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 9_000))
			e.Tasks.Sleep(7 * time.Millisecond)
		}
		return nil
	}))
	require.Greater(t, len(states), 6)
	return states
}

// ours are the words that no Java broker writes.
func ours(info store.CheckpointInfo) store.CheckpointInfo {
	info.PhysicalAt, info.LogicsAt, info.IndexAt = 0, 0, 0
	return info
}

// A write is first of a slot and then of the longs for Java brokers. Whatever part of it has happened, the words are wholly the old or
// wholly the new ones.
func TestEveryTornWriteOfTheCheckpointLeavesTheOldOrTheNewOne(t *testing.T) {
	states := history(t)
	for n := range states[1:] {
		before, after := states[n], states[n+1]
		old, fresh := store.ParseCheckpoint(before), store.ParseCheckpoint(after)
		require.True(t, old.Own && fresh.Own)
		require.GreaterOrEqual(t, fresh.Saved, old.Saved)
		require.GreaterOrEqual(t, fresh.Durable, fresh.Saved)
		torn := slices.Clone(before)
		step := func(from, to int) {
			for at := from; at < to; at++ {
				torn[at] = after[at]
				info := store.ParseCheckpoint(torn)
				require.True(t, info.Own, "write %d, byte %d", n, at)
				require.Contains(t, []store.CheckpointInfo{ours(old), ours(fresh)}, ours(info), "write %d, byte %d", n, at)
			}
		}
		for _, at := range slots {
			step(at, at+slotBytes)
		}
		require.Equal(t, ours(fresh), ours(store.ParseCheckpoint(torn)), "the new slot counts before the longs are written")
		step(0, javaBytes)
		require.Equal(t, after, torn)
	}
}

func TestTheTwoSlotsAreWrittenInTurn(t *testing.T) {
	states := history(t)
	for n := range states[1:] {
		changed := 0
		for _, at := range slots {
			if !bytes.Equal(states[n][at:at+slotBytes], states[n+1][at:at+slotBytes]) {
				changed++
			}
		}
		if bytes.Equal(states[n][:javaBytes], states[n+1][:javaBytes]) {
			require.Equal(t, 1, changed, "write %d", n)
		} else {
			require.LessOrEqual(t, changed, 1, "write %d: the words of Java follow their slot", n)
		}
	}
	last := states[len(states)-1]
	info := store.ParseCheckpoint(last)
	for _, at := range slots {
		// Without either slot the other one counts, if it says nothing that the longs contradict.
		one := slices.Clone(last)
		clear(one[at : at+slotBytes])
		other := store.ParseCheckpoint(one)
		if other.Own {
			require.LessOrEqual(t, other.Saved, info.Saved)
		}
	}
	none := slices.Clone(last)
	clear(none[slots[0] : slots[0]+slotBytes])
	clear(none[slots[1] : slots[1]+slotBytes])
	require.False(t, store.ParseCheckpoint(none).Own)
}

// A Java broker writes the first longs. Whichever it has changed, and back again or not, our words do not count.
func TestAWriteOfAJavaBrokerInBetweenEndsOurWords(t *testing.T) {
	states := history(t)
	last := states[len(states)-1]
	times := store.ParseCheckpoint(last)
	for word := range 6 {
		for _, add := range []uint64{1, 1000, 1 << 40} {
			p := slices.Clone(last)
			value := binary.BigEndian.Uint64(p[8*word:]) + add
			binary.BigEndian.PutUint64(p[8*word:], value)
			info := store.ParseCheckpoint(p)
			require.False(t, info.Own, "word %d and %d", word, add)
			require.Zero(t, ours(info))
		}
	}
	for at := range javaBytes {
		p := slices.Clone(last)
		p[at] ^= 0x80
		require.False(t, store.ParseCheckpoint(p).Own, "byte %d", at)
	}
	require.NotZero(t, times.PhysicalAt)
	// After that, the next start puts new words with a higher sequence, and they count.
	w := filled(t)
	for round := range uint64(3) {
		p := w.content("checkpoint")
		binary.BigEndian.PutUint64(p, binary.BigEndian.Uint64(p)+1000*(round+1))
		w.overwrite(t, "checkpoint", 0, p[:8])
		require.False(t, store.ParseCheckpoint(w.content("checkpoint")).Own)
		require.NoError(t, w.repaired(sim.KillProcess))
		info := store.ParseCheckpoint(w.content("checkpoint"))
		require.True(t, info.Own)
		require.EqualValues(t, 233180, info.Durable)
	}
}

func TestEveryDamagedByteOfOurWordsIsNoticed(t *testing.T) {
	states := history(t)
	last := states[len(states)-1]
	info := store.ParseCheckpoint(last)
	for _, slot := range slots {
		for at := slot; at < slot+slotBytes; at++ {
			for _, flip := range []byte{1, 0x80, 0xff} {
				p := slices.Clone(last)
				p[at] ^= flip
				other := store.ParseCheckpoint(p)
				require.True(t, !other.Own || other.Saved <= info.Saved && other.Durable <= info.Durable && other.Durable >= other.Saved, "byte %d", at)
			}
		}
	}
}

func TestAShortCheckpointSaysNothing(t *testing.T) {
	states := history(t)
	last := states[len(states)-1]
	for n := range len(last) {
		info := store.ParseCheckpoint(last[:n])
		if n < 512 {
			require.Zero(t, info, "%d bytes", n)
		} else {
			require.Equal(t, store.ParseCheckpoint(last), info)
		}
	}
	require.Zero(t, store.ParseCheckpoint(nil))
}

// The disk fails in every write and sync of the checkpoint for a while, in each place.
func TestACheckpointWhoseWriteFailsLeavesTheLastOneThatIsDurable(t *testing.T) {
	for call := 1; call < 12; call++ {
		w := newWorld(uint64(call), small(store.SyncFlush))
		require.NoError(t, w.do(func(e env.Env) error {
			w.meddler = &meddler{disk: w.machine.Disk()}
			e.Disk = meddledDisk{e.Disk, w.meddler}
			s, err := store.Open(e, w.options)
			require.NoError(t, err)
			seen := 0
			w.meddler.before = func(_ int, what string) error {
				if what == "write checkpoint" || what == "sync checkpoint" || what == "open checkpoint" {
					if seen++; seen >= call && seen < call+3 {
						return env.ErrIO
					}
				}
				return nil
			}
			for range 20 {
				require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 3_000))
				e.Tasks.Sleep(8 * time.Millisecond)
			}
			require.Greater(t, seen, call+3)
			require.NoError(t, s.Fenced())
			return nil
		}))
		w.meddler = nil
		w.machine.Crash(sim.PowerLoss)
		require.True(t, store.ParseCheckpoint(w.content("checkpoint")).Own, "call %d", call)
		require.NoError(t, w.recheck(sim.PowerLoss), "call %d", call)
		w.kernel.Close()
	}
}

// Whatever the bytes are, our words are either all zero or make sense, and the times are the file's.
func FuzzParseCheckpoint(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 4096))
	f.Add(store.EncodeCheckpoint(nil, 1000, 77, 3))
	f.Add(store.EncodeCheckpoint(store.EncodeCheckpoint(nil, 1000, 77, 3), 2000, 99, 4))
	f.Fuzz(func(t *testing.T, p []byte) {
		info := store.ParseCheckpoint(p)
		if !info.Own {
			require.Zero(t, ours(info))
		}
		require.True(t, !info.Own || info.Saved >= 0 && info.Durable >= info.Saved, "%+v", info)
		if len(p) >= 512 {
			require.EqualValues(t, binary.BigEndian.Uint64(p), uint64(info.PhysicalAt))
			require.Equal(t, info, store.ParseCheckpoint(append(slices.Clone(p), 1, 2, 3)))
		}
		_ = info.String()
	})
}
