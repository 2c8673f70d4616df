package index_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// fresh opens an empty index for a task.
func fresh(t *testing.T, sizes index.Sizes, task func(w *world, x *index.Index)) {
	t.Helper()
	w := newWorld(1)
	defer w.kernel.Close()
	w.calls = &calls{}
	w.do(t, func(disk env.Disk) error {
		x, err := index.Open(disk, index.Options{Sizes: sizes, Clean: true, Mark: &index.Mark{Count: 1}})
		require.NoError(t, err)
		task(w, x)
		return x.Close()
	})
	require.Zero(t, w.calls.open)
}

func TestAnEmptyIndexFindsNothing(t *testing.T) {
	fresh(t, tiny, func(_ *world, x *index.Index) {
		require.Zero(t, searchAll(x))
		require.Zero(t, x.EndAt())
		require.Zero(t, x.CompleteAt())
		require.Empty(t, x.Files())
		require.NoError(t, x.Write())
		require.NoError(t, x.Save())
		require.Equal(t, index.Mark{Count: 1}, x.Durable())
		require.Equal(t, "index of 0 files, up to log offset 0, durable log offset 0, file 00000000000000000 up to item 1", x.String())
		removed, err := x.RemoveBefore(100)
		require.NoError(t, err)
		require.Zero(t, removed)
	})
}

func TestRecordsWithoutKeysMoveTheIndexOn(t *testing.T) {
	fresh(t, tiny, func(_ *world, x *index.Index) {
		_, err := x.Add(nil, 500, noon)
		require.NoError(t, err)
		require.EqualValues(t, 500, x.Next())
		require.Empty(t, x.Files())
		require.NoError(t, x.Save())
		require.Equal(t, index.Mark{Log: 500, Count: 1}, x.Durable())
	})
}

// Files keep whole seconds, so a search may find records that were stored a little outside the window, and never misses one
// inside.
func TestASearchFindsAllRecordsOfATime(t *testing.T) {
	j := &journal{}
	for _, storedAt := range []int64{0, 1, 999, 1000, 1999, 1000, -1, -tolerance, -tolerance / 2, 0, 500_000, 500_001} {
		j.write(noon+storedAt, 5)
	}
	fresh(t, index.Sizes{Slots: 3, Items: 8}, func(_ *world, x *index.Index) {
		require.NoError(t, j.feed(x, j.end(), noon))
		for from := range j.records {
			for to := range j.records {
				for _, less := range []int64{0, 1} {
					a, b := j.records[from].storedAt+less, j.records[to].storedAt
					require.NoError(t, j.expect(x, j.end(), 5, a, b), "from %d to %d", a-noon, b-noon)
				}
			}
		}
		require.NoError(t, j.expect(x, j.end(), 5, math.MinInt64, math.MaxInt64))
	})
}

func TestItemsThatCannotBeAreRefused(t *testing.T) {
	for _, item := range []index.Item{{Hash: -1, Log: 100}, {Hash: 1, Log: 50}} {
		fresh(t, tiny, func(_ *world, x *index.Index) {
			_, err := x.Add([]index.Item{{Hash: 1, Log: 100}}, 200, noon)
			require.NoError(t, err)
			added, err := x.Add([]index.Item{item}, 300, noon)
			require.ErrorContains(t, err, "there can be no item")
			require.Zero(t, added)
			require.EqualValues(t, 200, x.Next())
		})
	}
}

func TestTheTimesOfItemsMayBeAnything(t *testing.T) {
	times := []int64{math.MinInt64, -1, 0, math.MaxInt64, 5}
	fresh(t, index.Sizes{Slots: 2, Items: 4}, func(_ *world, x *index.Index) {
		for i, at := range times {
			_, err := x.Add([]index.Item{{Hash: 1, Log: message.LogOffset(i), StoredAt: at}}, message.LogOffset(i+1), noon)
			require.NoError(t, err)
		}
		require.NoError(t, x.Search(1, math.MinInt64, math.MaxInt64, func(message.LogOffset) (bool, error) { return true, nil }))
	})
}

func TestWhenNoNameIsLeftNothingIsMade(t *testing.T) {
	w := newWorld(1)
	defer w.kernel.Close()
	w.do(t, func(disk env.Disk) error {
		require.NoError(t, put(disk, "index/99999999999999999", unhex(t, fullFile)))
		x, err := index.Open(disk, index.Options{Sizes: tiny, Clean: true})
		require.NoError(t, err)
		_, err = x.Add([]index.Item{{Hash: 1, Log: 2000}}, 3000, noon)
		require.ErrorContains(t, err, "no name is left behind 99999999999999999")
		return errors.Join(x.Close(), verify(disk, tiny))
	})
	require.Len(t, w.files(), 1)
}

// Other tasks search while one adds, writes, saves and removes. What was added before a search begins is found.
func TestSearchesRunWhileTheIndexChanges(t *testing.T) {
	for seed := range uint64(30) {
		w := newWorld(seed)
		w.calls = &calls{}
		e := w.machine.Boot("node")
		w.calls.disk = w.machine.Disk()
		random := w.kernel.Stream("test")
		j := wideLog(150)
		running, searches := 1, 0
		fed := message.LogOffset(0)
		e.Tasks.Go("index", func() {
			defer func() { running-- }()
			x, err := index.Open(meddledDisk{e.Disk, w.calls}, index.Options{Sizes: small, Clean: true, Mark: &index.Mark{Count: 1}})
			require.NoError(t, err)
			for range 3 {
				running++
				e.Tasks.Go("search", func() {
					defer func() { running-- }()
					for fed < j.end() {
						e.Tasks.Sleep(time.Duration(random.IntN(30_000)))
						require.NoError(t, searchDuring(j, x, &fed, []int32{7, 1400, 300, 3}[random.IntN(4)]), "seed %d", seed)
						searches++
					}
				})
			}
			for to := message.LogOffset(0); to < j.end(); {
				to = min(to+message.LogOffset(100*random.IntN(8)), j.end())
				require.NoError(t, j.feed(x, to, noon))
				fed = to
				switch random.IntN(5) {
				case 0:
					require.NoError(t, x.Write())
				case 1:
					require.NoError(t, x.Save())
				case 2:
					j.start = max(j.start, to/2/100*100)
					_, err := x.RemoveBefore(j.start)
					require.NoError(t, err)
				}
			}
			for running > 1 {
				e.Tasks.Sleep(time.Millisecond)
			}
			require.NoError(t, x.Close())
		})
		require.True(t, w.kernel.Run(env.Never, func() bool { return running == 0 }), "%v", w.kernel.Failure())
		require.Nil(t, w.kernel.Failure())
		require.Greater(t, searches, 30)
		require.Zero(t, w.calls.open)
		w.machine.Crash(sim.KillProcess)
		w.kernel.Close()
	}
}

// searchDuring expects what was added before and is not removed after, and nothing of another hash.
func searchDuring(j *journal, x *index.Index, fed *message.LogOffset, hash int32) error {
	before := *fed
	found := map[message.LogOffset]bool{}
	last := message.LogOffset(math.MaxInt64)
	err := x.Search(hash, 0, math.MaxInt64, func(at message.LogOffset) (bool, error) {
		if at > last {
			return false, errors.New("an older record came first")
		}
		last, found[at] = at, true
		return true, nil
	})
	for _, r := range j.records {
		has := false
		for _, h := range r.hashes {
			has = has || h == hash
		}
		if found[r.at] && !has || !found[r.at] && has && r.at >= j.start && r.at < before {
			return errors.Join(err, errors.New(r.at.String()+" is found wrongly, or not"))
		}
	}
	return err
}

func TestASearchThatTheRemovalOfItsFileMeetsEndsWell(t *testing.T) {
	j := wideLog(60)
	fresh(t, small, func(w *world, x *index.Index) {
		require.NoError(t, j.feed(x, j.end(), noon))
		removed := false
		w.calls.before = func(_ int, call string) error {
			if call == "read" && !removed {
				removed = true
				_, err := x.RemoveBefore(j.end())
				require.NoError(t, err)
			}
			return nil
		}
		require.NoError(t, j.expect(x, j.end(), math.MaxInt32, 0, math.MaxInt64))
		require.True(t, removed)
		require.Len(t, x.Files(), 1)
	})
}

// A broker writes the header last. What an inspection meanwhile sees of the slots leads to items that the header does not count, and
// through them to all that it does.
func TestAnInspectionFindsOldItemsWhileNewOnesAreWritten(t *testing.T) {
	w := newWorld(1)
	defer w.kernel.Close()
	sizes := index.Sizes{Slots: 3, Items: 40}
	w.do(t, func(disk env.Disk) error {
		x, err := index.Open(disk, index.Options{Sizes: sizes})
		require.NoError(t, err)
		var log journal
		for n := range int32(5) {
			log.write(int64(n), 9, 9+3*n)
		}
		require.NoError(t, errors.Join(log.feed(x, log.end(), 1_700_000_000_000), x.Save()))
		path := x.Files()[0].Path
		header := []byte(w.files()[path])[:40]
		for n := range int32(5) {
			log.write(int64(n), 9, 9+3*n)
		}
		require.NoError(t, errors.Join(log.feed(x, log.end(), 1_700_000_000_000), x.Save(), x.Close()))
		require.NoError(t, patch(disk, path, 0, header))
		seen, err := index.Inspect(disk, sizes)
		require.NoError(t, err)
		require.EqualValues(t, 11, seen.Files()[0].Header.Count)
		require.NoError(t, log.expectAll(seen, log.end()))
		return seen.Close()
	})
}
