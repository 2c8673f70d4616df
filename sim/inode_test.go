package sim

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPropASyncedInodeSurvivesEveryCrash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i := &inode{}
		for range rapid.IntRange(1, 20).Draw(t, "changes") {
			changeSomehow(t, i)
		}
		i.sync(i.changes, 0, 1<<40)
		want := slices.Clone(i.shown)
		i.crash(drawLosses(t), NewStream(rapid.Uint64().Draw(t, "seed")))
		require.Equal(t, want, i.shown)
		require.Equal(t, want, i.durable)
	})
}

func TestPropKeepingEverythingAtACrashChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i := &inode{}
		for range rapid.IntRange(1, 20).Draw(t, "changes") {
			changeSomehow(t, i)
			if rapid.Bool().Draw(t, "sync a part") {
				from := rapid.Int64Range(0, 3000).Draw(t, "from")
				i.sync(i.changes, from, from+rapid.Int64Range(0, 1500).Draw(t, "length"))
			}
		}
		want := slices.Clone(i.shown)
		i.crash(keepAll, NewStream(1))
		require.Equal(t, want, i.shown, "an older change came back over a newer one that was synced")
	})
}

// Without resizes a byte may be, after a crash, what it was at the last sync that
// covered it or what was written to it since, and nothing else.
func TestPropACrashLeavesOnlyBytesThatWereWritten(t *testing.T) {
	const size = 3000
	rapid.Check(t, func(t *rapid.T) {
		i := &inode{}
		i.write(make([]byte, size), 0)
		i.sync(i.changes, 0, size)
		allowed := make([][]byte, size)
		for at := range allowed {
			allowed[at] = []byte{0}
		}
		for value := byte(1); value < 20; value++ {
			from := rapid.IntRange(0, size-1).Draw(t, "from")
			to := rapid.IntRange(from, size).Draw(t, "to")
			if rapid.IntRange(0, 2).Draw(t, "sync or write") > 0 {
				i.write(bytes.Repeat([]byte{value}, to-from), int64(from))
				for at := from; at < to; at++ {
					allowed[at] = append(allowed[at], value)
				}
				continue
			}
			i.sync(i.changes, int64(from), int64(to))
			for at := from; at < to; at++ {
				allowed[at] = allowed[at][len(allowed[at])-1:]
			}
		}
		i.crash(drawLosses(t), NewStream(rapid.Uint64().Draw(t, "seed")))
		for at, found := range i.shown {
			if !slices.Contains(allowed[at], found) {
				t.Fatalf("byte %d is %d, allowed are %v", at, found, allowed[at])
			}
		}
	})
}

func changeSomehow(t *rapid.T, i *inode) {
	if rapid.IntRange(0, 3).Draw(t, "resize or write") == 0 {
		i.resize(rapid.Int64Range(0, 4000).Draw(t, "size"))
		return
	}
	p := rapid.SliceOfN(rapid.ByteRange(1, 255), 0, 1200).Draw(t, "bytes")
	i.write(p, rapid.Int64Range(0, 3000).Draw(t, "offset"))
}

func drawLosses(t *rapid.T) losses {
	return losses(rapid.IntRange(0, int(lossKinds)-1).Draw(t, "losses"))
}

func TestTruncatedBytesDoNotComeBackBehindASyncElsewhere(t *testing.T) {
	i := &inode{}
	i.write(bytes.Repeat([]byte{'x'}, 2000), 1000)
	i.resize(500)
	i.resize(4096)
	i.sync(i.changes, 0, 100)
	i.crash(keepAll, NewStream(1))
	require.Equal(t, make([]byte, 4096), i.shown)
}

func TestASyncCoversOnlyItsRange(t *testing.T) {
	i := &inode{}
	i.write([]byte("front"), 0)
	i.write([]byte("back"), 2048)
	i.sync(i.changes, 2048, 2052)
	i.crash(loseAll, NewStream(1))
	require.Equal(t, append(make([]byte, 2048), "back"...), i.shown)
}

func TestAFailedSyncDropsWhatItCoveredFromTheMediumAndNotFromTheCache(t *testing.T) {
	i := &inode{}
	i.write([]byte("lost"), 0)
	i.drop(i.changes, 0, 4)
	require.Equal(t, "lost", string(i.shown))
	i.sync(i.changes, 0, 4)
	i.crash(keepAll, NewStream(1))
	require.Empty(t, i.shown, "a later sync wrote pages that are clean")
}

func TestATornWriteIsTornBetweenSectors(t *testing.T) {
	i := &inode{}
	i.write(make([]byte, 4096), 0)
	i.sync(i.changes, 0, 4096)
	i.write(bytes.Repeat([]byte{'x'}, 3000), 100)
	i.crash(keepSectors, NewStream(6))
	torn := 0
	for at := 0; at < 4096; at += sectorSize {
		written := bytes.Count(i.shown[at:at+sectorSize], []byte{'x'})
		whole := min(at+sectorSize, 3100) - max(at, 100)
		require.True(t, written == 0 || written == whole, "sector at %d has %d of %d bytes", at, written, whole)
		if written == 0 {
			torn++
		}
	}
	require.NotZero(t, torn, "choose a seed that tears")
	require.Less(t, torn, 6, "choose a seed that tears")
}
