package broker

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var sampleTable = markOf([]byte(`{"offsetTable":{}}`))

// goldenJournal is one of two entries, written from the format in journal.go.
const goldenJournal = "" +
	"47414e5452594f4a" + // "GANTRYOJ"
	"0000000000000012" + // the table has 18 bytes
	"466f5a07" + // and this CRC-32
	"0008" + "00000003" + "000000000000002a" + "6f72646572734067" + "cd3b28ab" + // "orders@g" queue 3 offset 42
	"0003" + "00000000" + "0000000000000000" + "614062" + "faf7ab29" // "a@b" queue 0 offset 0

var sampleEntries = []journalEntry{{key: "orders@g", queue: 3, offset: 42}, {key: "a@b"}}

func encodeJournal(table tableMark, entries ...journalEntry) []byte {
	p := journalHeader(table)
	for _, e := range entries {
		p = e.append(p)
	}
	return p
}

func TestAJournalHasTheBytesOfItsFormat(t *testing.T) {
	require.Equal(t, goldenJournal, hex.EncodeToString(encodeJournal(sampleTable, sampleEntries...)))
	golden, err := hex.DecodeString(goldenJournal)
	require.NoError(t, err)
	entries, end, ok := decodeJournal(golden, sampleTable)
	require.True(t, ok)
	require.Equal(t, sampleEntries, entries)
	require.EqualValues(t, len(golden), end)
}

func TestAJournalOfAnotherTableDoesNotCount(t *testing.T) {
	p := encodeJournal(sampleTable, sampleEntries...)
	for _, other := range []tableMark{{}, markOf([]byte(`{"offsetTable":{ }}`)), {length: sampleTable.length, checksum: sampleTable.checksum + 1}} {
		_, _, ok := decodeJournal(p, other)
		require.False(t, ok, "%+v", other)
	}
	_, _, ok := decodeJournal(p[:journalHeaderSize-1], sampleTable)
	require.False(t, ok, "a header that is not whole")
}

func TestAJournalIsReadUpToTheFirstEntryInDoubt(t *testing.T) {
	p := encodeJournal(sampleTable, sampleEntries...)
	first := len(encodeJournal(sampleTable, sampleEntries[0]))
	for cut := first; cut < len(p); cut++ {
		entries, end, ok := decodeJournal(p[:cut], sampleTable)
		require.True(t, ok)
		require.Equal(t, sampleEntries[:1], entries, "cut at %d", cut)
		require.EqualValues(t, first, end)
	}
	for at := first; at < len(p); at++ {
		damaged := append([]byte(nil), p...)
		damaged[at] ^= 0x10
		entries, _, _ := decodeJournal(damaged, sampleTable)
		require.Equal(t, sampleEntries[:1], entries, "changed at %d", at)
	}
}

// FuzzDecodeJournal: whatever is in the file, reading ends within it, and what was read is written as the same bytes.
func FuzzDecodeJournal(f *testing.F) {
	f.Add([]byte{}, false)
	f.Add(encodeJournal(sampleTable, sampleEntries...), false)
	f.Add(encodeJournal(sampleTable, journalEntry{key: strings.Repeat("k", 1<<16-1), queue: -1, offset: -1 << 63})[journalHeaderSize:], true)
	f.Add(binary.BigEndian.AppendUint32(make([]byte, entryHeadSize), crc32.ChecksumIEEE(make([]byte, entryHeadSize))), true)
	f.Fuzz(func(t *testing.T, p []byte, withHeader bool) {
		if withHeader {
			p = append(journalHeader(sampleTable), p...)
		}
		entries, end, ok := decodeJournal(p, sampleTable)
		if !ok {
			require.Empty(t, entries)
			return
		}
		require.LessOrEqual(t, end, int64(len(p)))
		require.Equal(t, p[:end], encodeJournal(sampleTable, entries...))
		again, _, ok := decodeJournal(p[:end], sampleTable)
		require.True(t, ok)
		require.Equal(t, entries, again)
	})
}
