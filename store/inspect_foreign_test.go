package store_test

import (
	"strings"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/store/index"
	"github.com/stretchr/testify/require"
)

// A file of somebody else hides nothing from an inspection, which names it. WithSizesOf is not misled by it, either.
func TestAnInspectionPassesOverForeignFilesAndNamesThem(t *testing.T) {
	for _, name := range []string{
		"commitlog/.DS_Store", "commitlog/notes.txt", "commitlog/00000000000000000000~", "commitlog/00000000000000000001", "commitlog/7",
		"consumequeue/topic/0/.DS_Store", "consumequeue/topic/0/zz", "consumequeue/topic/0/00000000000000000141", "consumequeue/quiet/11/.hidden",
		"index/.DS_Store", "index/777", "index/20260101000000999.tmp",
	} {
		w := filled(t)
		w.overwrite(t, name, 0, []byte(strings.Repeat("mine", 15)))
		require.NoError(t, w.do(func(e env.Env) error {
			found, err := store.WithSizesOf(e, store.DefaultOptions())
			require.NoError(t, err)
			require.EqualValues(t, 96<<10, found.LogSegmentSize, name)
			require.EqualValues(t, 7, found.QueueSegmentEntries, name)
			require.Equal(t, w.options.Index, found.Index, name)
			return nil
		}))
		w.inspect(t, func(i *store.Inspector) {
			w.look(t, i, 28)
			require.Equal(t, []string{name + " is no file of a broker and was left out; move it elsewhere: the broker does not start with it"}, i.Warnings())
		})
	}
}

func TestAnInspectionOfADirectoryInOrderWarnsOfNothing(t *testing.T) {
	w := filled(t)
	w.inspect(t, func(i *store.Inspector) {
		w.look(t, i, 28)
		require.Empty(t, i.Warnings())
	})
}

// What a file of a row lacks is shown as zeros, and what it has too much is not shown.
func TestAnInspectionShowsTheRestBesideAFileOfAWrongSize(t *testing.T) {
	for _, change := range []int{-5, 5} {
		for _, name := range []string{"commitlog/00000000000000098304", "consumequeue/topic/0/00000000000000000000"} {
			w := filled(t)
			content := w.content(name)
			size := len(content) + change
			require.NoError(t, w.do(func(e env.Env) error {
				f, err := e.Disk.Open(name)
				require.NoError(t, err)
				require.NoError(t, f.Truncate(int64(size)))
				return f.Close()
			}))
			w.inspect(t, func(i *store.Inspector) {
				_, end := i.Log()
				require.EqualValues(t, 294912, end)
				info, err := i.Queue(key0)
				require.NoError(t, err)
				require.Equal(t, store.QueueInfo{Key: key0, End: 12, Files: 2}, info)
				require.Len(t, i.Warnings(), 1)
				require.Contains(t, i.Warnings()[0], name+" has ")
				require.Contains(t, i.Warnings()[0], "what it lacks is shown as zeros")
			})
		}
	}
}

// If no file fits, the sizes are wrong, and that is no matter of one foreign file.
func TestAnInspectionWithWrongSizesFails(t *testing.T) {
	w := filled(t)
	for _, change := range []func(o *store.Options){
		func(o *store.Options) { o.LogSegmentSize = 128 << 10 },
		func(o *store.Options) { o.LogSegmentSize = 192 << 10 },
	} {
		options := w.options
		change(&options)
		require.NoError(t, w.do(func(e env.Env) error {
			_, err := store.Inspect(e, options)
			require.Error(t, err)
			return nil
		}))
	}
	options := w.options
	options.Index = index.Sizes{Slots: 5_000_000, Items: 20_000_000}
	require.NoError(t, w.do(func(e env.Env) error {
		i, err := store.Inspect(e, options)
		require.NoError(t, err)
		_, err = i.IndexFiles()
		require.ErrorIs(t, err, index.ErrForeign)
		require.ErrorContains(t, err, "it was made with maxHashSlotNum 50 and maxIndexNum 40: set these")
		return i.Close()
	}))
}

func TestBothSlotsOfTheCheckpointAreShown(t *testing.T) {
	w := filled(t)
	var before [2]store.CheckpointSlot
	w.inspect(t, func(i *store.Inspector) {
		slots, err := i.CheckpointSlots()
		require.NoError(t, err)
		checkpoint, err := i.Checkpoint()
		require.NoError(t, err)
		newest, other := slots[0], slots[1]
		if other.Counts {
			newest, other = other, newest
		}
		require.EqualValues(t, []int64{128, 320}, []int64{slots[0].At, slots[1].At})
		require.True(t, newest.Counts)
		require.False(t, other.Counts)
		require.True(t, newest.Valid && newest.Written && other.Valid && other.Written)
		require.Equal(t, newest.Sequence-1, other.Sequence)
		require.Equal(t, checkpoint.Durable, newest.Durable)
		require.Equal(t, checkpoint.Saved, newest.Saved)
		require.Equal(t, checkpoint.Entries, newest.Entries)
		require.Equal(t, checkpoint.Index, newest.Index)
		before = slots
	})
	// The one that counts is damaged: the other one counts then, unless its words for a Java broker do not fit.
	newest := 0
	if before[1].Counts {
		newest = 1
	}
	w.overwrite(t, "checkpoint", before[newest].At+20, []byte{0xff})
	w.inspect(t, func(i *store.Inspector) {
		slots, err := i.CheckpointSlots()
		require.NoError(t, err)
		require.Equal(t, store.CheckpointSlot{At: before[newest].At, Written: true}, slots[newest])
		require.Contains(t, slots[newest].String(), "not valid")
		require.Equal(t, before[1-newest].Sequence, slots[1-newest].Sequence)
		require.True(t, slots[1-newest].Valid)
		checkpoint, err := i.Checkpoint()
		require.NoError(t, err)
		require.Equal(t, checkpoint.Own, slots[1-newest].Counts)
	})
	empty := newWorld(1, small(store.SyncFlush))
	defer empty.kernel.Close()
	empty.inspect(t, func(i *store.Inspector) {
		slots, err := i.CheckpointSlots()
		require.NoError(t, err)
		require.Equal(t, [2]store.CheckpointSlot{{At: 128}, {At: 320}}, slots)
		require.Equal(t, "byte 128: nothing was written", slots[0].String())
	})
}

// A start that is refused for a foreign file must leave no crash marker: the next one would verify as after a crash.
func TestAStartThatIsRefusedDoesNotLookLikeACrash(t *testing.T) {
	w := filled(t)
	w.overwrite(t, "index/notes.txt", 0, []byte("mine"))
	require.ErrorContains(t, w.openError(t), "index/notes.txt")
	w.inspect(t, func(i *store.Inspector) {
		checkpoint, err := i.Checkpoint()
		require.NoError(t, err)
		require.False(t, checkpoint.Running)
	})
	w.remove(t, "index/notes.txt")
	options := w.options
	w.options.Index = index.Sizes{Slots: 51, Items: 40}
	require.ErrorIs(t, w.openError(t), index.ErrForeign)
	w.options = options
	require.NoError(t, w.expectOrder(), "and as it was closed in order, it is in order")
	require.NoError(t, w.recheck(sim.KillProcess))
}
