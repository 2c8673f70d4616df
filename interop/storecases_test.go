//go:build interop

package interop_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// TestKeysOfOneMessageInTwoIndexFilesAreFoundAfterACrashOfJava: the second of the files was not complete, so it is removed. Its
// items come from the log again, also the last keys of the message whose first ones are in the file that stays.
func TestKeysOfOneMessageInTwoIndexFilesAreFoundAfterACrashOfJava(t *testing.T) {
	withEachFlavour(t, func(m *move) {
		letters := m.writer.letters(180)
		for i := range letters {
			// A file has 299 items, which three do not divide.
			letters[i].Properties[message.PropertyUniqueID] = fmt.Sprintf("7F0000010B1C18B4AAC2%012X", i)
			letters[i].Properties[message.PropertyKeys] = fmt.Sprintf("letter-%d day-%d", i, i/30)
		}
		m.javaPuts("write", letters, true)
		m.ours(10)
		m.requireOrder("Gantry")
	})
}

// TestKeysThatJavaAddedTwiceAreInOrder: after a crash a Java broker adds all keys of the last indexed message again.
func TestKeysThatJavaAddedTwiceAreInOrder(t *testing.T) {
	withEachFlavour(t, func(m *move) {
		m.java("write", 400, true)
		m.java("append", 100, false)
		m.requireOrder("Java")
		m.ours(100)
		m.requireOrder("Gantry")
		m.java("read", 0, false)
	})
}

// TestAllKeysThatJavaAddedTwiceAreInOrder: a Java broker that crashes when it has made an index file, and not yet its header, believes
// afterwards that the file is the newest one, and that it has no keys of the log yet.
func TestAllKeysThatJavaAddedTwiceAreInOrder(t *testing.T) {
	withEachFlavour(t, func(m *move) {
		m.java("write", 400, false)
		files, err := filepath.Glob(filepath.Join(m.directory, "index/*"))
		require.NoError(t, err)
		made, err := os.Stat(files[0])
		require.NoError(t, err)
		newest, err := strconv.Atoi(filepath.Base(files[len(files)-1]))
		require.NoError(t, err)
		unfinished := filepath.Join(m.directory, "index", strconv.Itoa(newest+1))
		require.NoError(t, os.WriteFile(unfinished, make([]byte, made.Size()), 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(m.directory, "abort"), nil, 0o644))
		m.java("append", 100, false)
		require.Positive(t, checkOurs(t, m.directory).KeysAgain)
		m.requireOrder("Java")
		m.ours(100)
		m.requireOrder("Gantry")
		m.java("read", 0, false)
	})
}

// delayed are letters that wait in a queue of their level. The tag field of their entries says when they are due: a Java broker
// delivers at once what is due before now.
func (m *move) delayed(n int) []letter {
	letters := m.writer.letters(n)
	for i := range letters {
		l := &letters[i]
		level := i%len(delayMillis) + 1
		l.Properties[message.PropertyDelayLevel] = strconv.Itoa(level)
		l.Properties[message.PropertyRealTopic], l.Properties[message.PropertyRealQueueID] = l.Topic, strconv.Itoa(int(l.Queue))
		l.Topic, l.Queue, l.SysFlags, l.PreparedAt, l.Messages = scheduleTopic, int32(level-1), 0, 0, 1
		delete(l.Properties, message.PropertyInnerCount)
	}
	return letters
}

func TestGantryKeepsWhenMessagesAreDueThatJavaStored(t *testing.T) {
	withEachFlavour(t, func(m *move) {
		m.javaPuts("write", m.delayed(100), false)
		m.requireOrder("Java")
		m.ours(0)
		m.java("read", 0, false)
	})
}

func TestGantryKeepsWhenMessagesAreDueThatJavaLeftInACrash(t *testing.T) {
	withEachFlavour(t, func(m *move) {
		m.javaPuts("write", m.delayed(200), true)
		m.ours(0)
		m.java("read", 0, false)
	})
}

func TestJavaLearnsWhenMessagesAreDueThatGantryStored(t *testing.T) {
	withEachFlavour(t, func(m *move) {
		m.ourPuts(m.delayed(100))
		m.java("read", 0, false)
	})
}

// TestRecordsThatFillAFileMoveBothWays has records that leave no byte more than the marker needs, one byte more, and
// nearly the size of a record.
func TestRecordsThatFillAFileMoveBothWays(t *testing.T) {
	withEachFlavour(t, func(m *move) {
		m.javaPuts("write", m.fillers(0, 8, 9, 90, 8), false)
		m.requireOrder("Java")
		m.ours(0)
		m.ourPuts(m.fillers(checksumBytes, 100, 8, 40, 8))
		m.requireOrder("Gantry")
		m.java("append", 20, false)
		m.requireOrder("Java")
		m.ours(0)
	})
}

// checksumBytes is what the checksum adds to a record.
const checksumBytes = 20

// fillers are letters of which each leaves so many bytes of a log file, which is at its beginning before.
func (m *move) fillers(added int64, left ...int64) (all []letter) {
	m.Helper()
	if m.checksums {
		added = checksumBytes
	}
	for _, bytes := range left {
		// Bodies have at most 64 KiB, so it takes some to fill a file.
		const each = 50 << 10
		rest := storeOptions().LogSegmentSize - bytes
		for rest > 0 {
			size := int64(each)
			if rest < 2*each {
				size = rest
			}
			if size > 64<<10 {
				size /= 2
			}
			all = append(all, m.sized(size-added))
			rest -= size
		}
	}
	return all
}

// sized is a letter whose record has a size.
func (m *move) sized(size int64) letter {
	m.Helper()
	l := m.writer.letter()
	m.writer.made++
	l.BornHost, l.StoreHost, l.Body, l.Topic, l.SysFlags, l.Messages = hosts[0], hosts[0], nil, "orders", 0, 1
	delete(l.Properties, message.PropertyInnerCount)
	r := l.record()
	n, err := message.RecordSize(0, len(r.Topic), len(r.Properties), 0)
	require.NoError(m.T, err)
	l.Body = bytes.Repeat([]byte{'x'}, int(size)-n)
	return l
}

// TestBothSidesReadAStoreWhoseOldestFileIsGone: it is removed while the store is closed, as cleaning does it.
func TestBothSidesReadAStoreWhoseOldestFileIsGone(t *testing.T) {
	withEachFlavour(t, func(m *move) {
		m.java("write", 300, false)
		m.removeOldest()
		m.requireOrder("Java")
		m.ours(300)
		m.java("append", 300, false)
		m.removeOldest()
		m.java("read", 0, false)
		m.requireOrder("Java")
		m.ours(100)
		m.requireOrder("Gantry")
		m.removeOldest()
		m.java("append", 100, true)
		m.ours(0)
		m.java("read", 0, false)
	})
}

// removeOldest removes the first file of the log, and the files of queues that have only entries of its messages.
func (m *move) removeOldest() {
	m.Helper()
	require.NoError(m.T, os.Remove(filepath.Join(m.directory, "commitlog", fmt.Sprintf("%020d", m.shelf.start))))
	m.shelf.start += storeOptions().LogSegmentSize
	m.removeEntries("consumequeue", 20)
	m.removeEntries("batchconsumequeue", 46)
}

func (m *move) removeEntries(tree string, size int) {
	m.Helper()
	directories, err := filepath.Glob(filepath.Join(m.directory, tree, "*", "*"))
	require.NoError(m.T, err)
	for _, directory := range directories {
		files, err := filepath.Glob(filepath.Join(directory, "*"))
		require.NoError(m.T, err)
		// The last one stays, whatever it has: it tells the number of the next message.
		for _, file := range files[:len(files)-1] {
			entries, err := os.ReadFile(file)
			require.NoError(m.T, err)
			if last := binary.BigEndian.Uint64(entries[len(entries)-size:]); int64(last) < m.shelf.start {
				require.NoError(m.T, os.Remove(file))
			}
		}
	}
}
