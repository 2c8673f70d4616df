//go:build interop

package interop_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// move is one store directory that goes from one side to the other.
type move struct {
	*testing.T
	directory string
	checksums bool // Java adds the checksum property, and demands that each record has it
	shelf     *shelf
	writer    *writer
}

// withEachFlavour runs a test with a Java store as it is by default, and with the one that is most careful.
func withEachFlavour(t *testing.T, test func(m *move)) {
	t.Helper()
	t.Parallel()
	javaStore.need(t)
	for seed, checksums := range []bool{false, true} {
		t.Run(map[bool]string{false: "default", true: "careful"}[checksums], func(t *testing.T) {
			t.Parallel()
			test(&move{t, filepath.Join(t.TempDir(), "store"), checksums, newShelf(), newWriter(uint64(seed))})
		})
	}
}

func (m *move) javaSettings(halt bool) javaSettings {
	o := storeOptions()
	return javaSettings{
		BatchTopic: batchTopic,
		Directory:  m.directory, LogFileSize: o.LogSegmentSize, QueueEntries: o.QueueSegmentEntries,
		IndexSlots: o.Index.Slots, IndexItems: o.Index.Items, Checksums: m.checksums, SyncFlush: m.checksums, Halt: halt,
	}
}

// java opens the directory with Java's store, compares all that it reads with what was put, puts n more messages, and
// closes or halts.
func (m *move) java(command string, n int, halt bool) {
	m.Helper()
	letters := m.writer.letters(n)
	for i := 0; i < n; i += 25 {
		// Such messages are only in directories of old brokers; today's store them differently.
		if letters[i].Messages > 1 {
			continue
		}
		letters[i].SysFlags, letters[i].PreparedAt = transactionTypes[i/25%2], 0
	}
	m.javaPuts(command, letters, halt)
}

var transactionTypes = []message.SysFlags{message.SysFlags(message.TransactionPrepared), message.SysFlags(message.TransactionRolledBack)}

// javaPuts is java with given letters.
func (m *move) javaPuts(command string, letters []letter, halt bool) {
	m.Helper()
	var orders []javaOrder
	for i := range letters {
		orders = append(orders, javaOrder{Put: &letters[i]})
	}
	queries := m.shelf.queries()
	if command == "read" {
		for i := range queries {
			orders = append(orders, javaOrder{Find: &queries[i]})
		}
	}
	answers := runJava(m.T, command, m.javaSettings(halt), orders)
	m.shelf.requireSame(m.T, "Java", answers.inventory)
	m.shelf.acknowledgeJava(m.T, m.shelf.put(letters), answers.stored)
	m.requireMarker(halt)
	if command == "read" {
		m.requireJavaFinds(answers.found)
	}
}

// requireJavaFinds compares Java's answers to queries. It adds keys again after a crash, and then finds a message twice.
func (m *move) requireJavaFinds(answers []javaFound) {
	m.Helper()
	found := map[keyQuery][]int64{}
	for _, answer := range answers {
		slices.Sort(answer.LogOffsets)
		found[answer.keyQuery] = slices.Compact(answer.LogOffsets)
		if len(answer.LogOffsets) == 0 {
			found[answer.keyQuery] = nil
		}
	}
	m.shelf.requireFound(m.T, "Java", found)
}

// ours opens the directory with Gantry's store, compares all that it reads and finds with what was put, appends n more
// messages, and closes.
func (m *move) ours(n int) { m.Helper(); m.ourPuts(m.writer.letters(n)) }

// ourPuts is ours with given letters.
func (m *move) ourPuts(letters []letter) {
	m.Helper()
	var stocked inventory
	var found map[keyQuery][]int64
	places := make([]store.Place, len(letters))
	queries := m.shelf.queries()
	withOurStore(m.T, m.directory, func(e env.Env, s *store.Store) (err error) {
		if stocked, err = takeStock(s); err != nil {
			return err
		}
		if found, err = findOurs(s, queries); err != nil {
			return err
		}
		return postLetters(e, s, letters, func(number int, at store.Place) { places[number] = at })
	})
	m.shelf.requireSame(m.T, "Gantry", stocked)
	m.shelf.requireFound(m.T, "Gantry", found)
	for i, l := range m.shelf.put(letters) {
		m.shelf.acknowledge(m.T, l, int64(places[i].Log), int64(places[i].Queue))
	}
	m.requireMarker(false)
}

// requireMarker demands the crash marker, or that there is none.
func (m *move) requireMarker(exists bool) {
	m.Helper()
	_, err := os.Stat(filepath.Join(m.directory, "abort"))
	require.Equal(m.T, exists, err == nil, "the crash marker: %v", err)
}

// requireOrder demands that Check finds nothing in a directory that was closed.
func (m *move) requireOrder(who string) {
	m.Helper()
	report := checkOurs(m.T, m.directory)
	require.True(m.T, report.Clean, "%s: %v", who, report)
	require.Empty(m.T, report.Findings(), "%s: %v", who, report)
}

// requireRolled demands that the test has had several files of each kind.
func (m *move) requireRolled() {
	m.Helper()
	for _, pattern := range []string{"commitlog/*", "consumequeue/orders/0/*", "batchconsumequeue/parcels/3/*", "index/*"} {
		files, err := filepath.Glob(filepath.Join(m.directory, pattern))
		require.NoError(m.T, err)
		require.Greater(m.T, len(files), 1, pattern)
	}
}

func TestGantryGoesOnWithAStoreThatJavaClosed(t *testing.T) {
	withEachFlavour(t, func(m *move) {
		m.java("write", 400, false)
		m.requireOrder("Java")
		m.ours(200)
		m.requireOrder("Gantry")
		m.java("read", 0, false)
		m.requireRolled()
	})
}

func TestJavaGoesOnWithAStoreThatGantryClosed(t *testing.T) {
	withEachFlavour(t, func(m *move) {
		m.ours(400)
		m.requireOrder("Gantry")
		m.java("append", 200, false)
		m.requireOrder("Java")
		m.ours(100)
		m.java("read", 0, false)
		m.requireRolled()
	})
}

func TestGantryGoesOnWithAStoreThatJavaLeftInACrash(t *testing.T) {
	withEachFlavour(t, func(m *move) {
		m.java("write", 400, true)
		require.Empty(m, checkOurs(m.T, m.directory).Damage)
		m.ours(100)
		m.requireOrder("Gantry")
		m.java("append", 100, true)
		require.Empty(m, checkOurs(m.T, m.directory).Damage)
		m.ours(0)
		m.java("read", 0, false)
	})
}

func TestJavaGoesOnWithAStoreThatGantryLeftInACrash(t *testing.T) {
	withEachFlavour(t, func(m *move) {
		m.killedWriter(300)
		require.Empty(m, checkOurs(m.T, m.directory).Damage)
		m.java("append", 100, false)
		m.requireOrder("Java")
		m.ours(100)
		m.java("read", 0, false)
	})
}
