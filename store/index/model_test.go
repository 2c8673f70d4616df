package index_test

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// model drives an index on a simulated machine and knows what it must find.
type model struct {
	world   *world
	sizes   index.Sizes
	journal *journal
	wall    int64
	newest  int64 // the latest that wall ever was
	fed     message.LogOffset
	saved   index.Mark // what a checkpoint has
	names   []string   // all files that were ever seen, in the order they were made
	index   *index.Index
}

// tolerance is how far the calendar may step back, in milliseconds.
const tolerance = 10 * 60 * 1000

// drawRecords adds records to the log. Now and then the calendar steps back.
func (m *model) drawRecords(t *rapid.T) {
	for range rapid.IntRange(1, 12).Draw(t, "records") {
		m.wall += rapid.SampledFrom([]int64{0, 1, 999, 1000, 1001, 61_000, -1500, -tolerance / 3}).Draw(t, "later")
		m.newest = max(m.newest, m.wall)
		m.wall = max(m.wall, m.newest-tolerance)
		// Hashes of few slots, and equal ones in one record.
		m.journal.write(m.wall, rapid.SliceOfN(rapid.Int32Range(0, 25), 0, 4).Draw(t, "hashes")...)
	}
}

func (m *model) open(clean bool, mark index.Mark) error {
	return m.world.try(func(disk env.Disk) (err error) {
		m.index, err = index.Open(disk, index.Options{Sizes: m.sizes, Clean: clean, Mark: &mark})
		return err
	})
}

// reopened checks that the index is where the mark says, and offers what it lacks.
func (m *model) reopened(mark index.Mark) error {
	if m.index.Next() != mark.Log || m.index.Durable() != mark {
		return fmt.Errorf("%v after opening with %v", m.index, mark)
	}
	return m.world.try(func(env.Disk) error {
		return errors.Join(m.journal.expectAll(m.index, mark.Log), m.journal.feed(m.index, m.fed, m.wall))
	})
}

// look notes new files, which must have greater names than all before.
func (m *model) look() error {
	paths := m.world.machine.Disk().Paths()
	for _, name := range paths {
		if slices.Contains(m.names, name) {
			continue
		}
		if n := len(m.names); n > 0 && name <= m.names[n-1] {
			return fmt.Errorf("%s was made after %s", name, m.names[n-1])
		}
		m.names = append(m.names, name)
	}
	return nil
}

// restart closes or kills, and opens again.
func (m *model) restart(t *rapid.T) error {
	switch rapid.SampledFrom([]string{"clean", "killed", "power", "failed"}).Draw(t, "restart") {
	case "clean":
		err := m.world.try(func(disk env.Disk) error {
			err := errors.Join(m.index.Save(), m.index.Close())
			m.saved = m.index.Durable()
			return errors.Join(err, verify(disk, m.sizes))
		})
		// What was saved needs no clean end of the machine.
		m.world.machine.Crash(sim.PowerLoss)
		return errors.Join(err, m.open(true, m.saved), m.reopened(m.saved))
	case "failed":
		// The store was closed well, but the index not saved.
		err := m.world.try(func(env.Disk) error { return errors.Join(m.index.Write(), m.index.Close()) })
		mark := m.saved
		mark.InDoubt = rapid.Bool().Draw(t, "said so")
		return errors.Join(err, m.open(true, mark), m.reopened(m.saved))
	case "killed":
		m.world.machine.Crash(sim.KillProcess)
	default:
		m.world.machine.Crash(sim.PowerLoss)
	}
	return errors.Join(m.open(false, m.saved), m.reopened(m.saved))
}

// search compares random searches, of which some end early.
func (m *model) search(t *rapid.T) error {
	hash := rapid.Int32Range(0, 26).Draw(t, "hash")
	from := m.wall + rapid.Int64Range(-2*tolerance, 2000).Draw(t, "from")
	to := from + rapid.Int64Range(-1, 2*tolerance).Draw(t, "window")
	limit := rapid.IntRange(1, 3).Draw(t, "limit")
	return m.world.try(func(env.Disk) error {
		found := 0
		err := m.index.Search(hash, from, to, func(message.LogOffset) (bool, error) {
			found++
			return found < limit, nil
		})
		if found > limit {
			err = fmt.Errorf("%d calls after the search was ended at %d", found, limit)
		}
		stop := errors.New("stop")
		calls := 0
		if failed := m.index.Search(hash, from, to, func(message.LogOffset) (bool, error) { calls++; return true, stop }); calls > 1 || (calls == 1) != errors.Is(failed, stop) {
			err = fmt.Errorf("%d calls and %v after an error", calls, failed)
		}
		return errors.Join(err, m.journal.expect(m.index, m.fed, hash, from, to))
	})
}

func (m *model) removeBefore(t *rapid.T) error {
	start := message.LogOffset(rapid.IntRange(int(m.journal.start/recordSize), int(m.saved.Log/recordSize)).Draw(t, "start") * recordSize)
	// The file of the mark must stay, as the newest one does: a checkpoint comes before a removal.
	for _, f := range m.index.Files() {
		if path.Base(f.Path) == fmt.Sprintf("%017d", m.saved.File) {
			start = min(start, f.Header.EndLog/recordSize*recordSize)
		}
	}
	m.journal.start = max(m.journal.start, start)
	return m.world.try(func(env.Disk) error {
		before := len(m.index.Files())
		removed, err := m.index.RemoveBefore(m.journal.start)
		files := m.index.Files()
		if removed != before-len(files) || len(files) > 1 && files[0].Header.EndLog < m.journal.start {
			err = fmt.Errorf("removed %d of %d files before %v, and the first is now %v", removed, before, m.journal.start, files[0])
		}
		return err
	})
}

func TestPropAnIndexIsAMapFromHashesToPlaces(t *testing.T) {
	rolled := 0
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			world: newWorld(rapid.Uint64().Draw(t, "seed")), wall: noon, newest: noon, journal: &journal{}, saved: index.Mark{Count: 1},
			sizes: index.Sizes{Slots: rapid.Int32Range(1, 2100).Draw(t, "slots"), Items: rapid.Int32Range(2, 40).Draw(t, "items")},
		}
		defer m.world.kernel.Close()
		m.world.calls = &calls{}
		require.NoError(t, m.open(rapid.Bool().Draw(t, "clean"), m.saved))
		for range rapid.IntRange(1, 15).Draw(t, "steps") {
			var err error
			switch rapid.SampledFrom([]string{"add", "add", "add", "write", "save", "save", "search", "remove", "restart"}).Draw(t, "step") {
			case "add":
				m.drawRecords(t)
				m.fed = message.LogOffset(rapid.IntRange(int(m.fed/recordSize), len(m.journal.records)).Draw(t, "to") * recordSize)
				err = m.world.try(func(env.Disk) error { return m.journal.feed(m.index, m.fed, m.wall) })
			case "write":
				err = m.world.try(func(env.Disk) error { return m.index.Write() })
				require.Zero(t, m.index.Unwritten())
			case "save":
				err = m.world.try(func(env.Disk) error { return m.index.Save() })
				m.saved = m.index.Durable()
				require.Equal(t, m.fed, m.saved.Log)
			case "search":
				err = m.search(t)
			case "remove":
				err = m.removeBefore(t)
			case "restart":
				before := m.world.calls.open
				m.world.calls.open = 0
				err = m.restart(t)
				require.LessOrEqual(t, before, 17, "open files")
			}
			require.NoError(t, err)
			require.NoError(t, m.look())
		}
		m.world.do(t, func(disk env.Disk) error {
			require.NoError(t, m.journal.expectAll(m.index, m.fed))
			return errors.Join(m.index.Save(), m.index.Close(), verify(disk, m.sizes))
		})
		rolled += len(m.names)
	})
	require.Greater(t, rolled, 5, "the test hardly made any files")
}

// Whatever is added in whatever pieces, files have the bytes that a Java broker makes, but for the header of a
// file without items, which never is there.
func TestPropFilesHaveTheBytesThatAJavaBrokerMakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(1)
		defer w.kernel.Close()
		m := &model{wall: noon, newest: noon, journal: &journal{}, sizes: index.Sizes{Slots: rapid.Int32Range(1, 1100).Draw(t, "slots"), Items: rapid.Int32Range(2, 20).Draw(t, "items")}}
		pieces := rapid.SliceOfN(rapid.SampledFrom([]string{"", "write", "save"}), 1, 6).Draw(t, "pieces")
		var ends []message.LogOffset
		for range pieces {
			m.drawRecords(t)
			ends = append(ends, m.journal.end())
		}
		w.do(t, func(disk env.Disk) error {
			x, err := index.Open(disk, index.Options{Sizes: m.sizes, Clean: true, Mark: &index.Mark{Count: 1}})
			require.NoError(t, err)
			for i, piece := range pieces {
				require.NoError(t, m.journal.feed(x, ends[i], noon))
				switch piece {
				case "write":
					require.NoError(t, x.Write())
				case "save":
					require.NoError(t, x.Save())
				}
			}
			return errors.Join(x.Save(), x.Close())
		})
		var want, found []string
		for _, f := range javaFiles(m.sizes, m.journal.items(0, m.journal.end())) {
			want = append(want, string(f.bytes))
		}
		files := w.files()
		for _, path := range slices.Sorted(maps.Keys(files)) {
			found = append(found, files[path])
		}
		require.Equal(t, want, found)
	})
}
