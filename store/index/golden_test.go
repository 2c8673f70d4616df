package index_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// unhex reads hex digits; spaces and what follows a slash on a line do not count.
func unhex(t *testing.T, text string) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(text) {
		code, _, _ := strings.Cut(line, "//")
		digits.WriteString(strings.Join(strings.Fields(code), ""))
	}
	p, err := hex.DecodeString(digits.String())
	require.NoError(t, err)
	return p
}

// tiny makes files of 40 + 4·4 + 20·6 = 176 bytes with room for five items.
var tiny = index.Sizes{Slots: 4, Items: 6}

// key is the item of a key of the topic T.
func key(key string, at message.LogOffset, storedAt int64) index.Item {
	return index.Item{Hash: message.IndexKeyHash([]byte("T"), []byte(key)), Log: at, StoredAt: storedAt}
}

// fullFile has five items. The text "T#A" has the hash (84·31 + 35)·31 + 65 = 81874 = 0x13FD2, and 81874 mod 4 = 2.
const fullFile = `
	0000 018B CFE5 6800 // begin timestamp 1700000000000
	0000 018B CFE6 5A2F // end timestamp 1700000061999
	0000 0000 0000 0100 // begin physical offset 256
	0000 0000 0000 03E8 // end physical offset 1000
	0000 0002           // used slots
	0000 0006           // index count: the number of the next item

	0000 0000           // slot 0
	0000 0000           // slot 1
	0000 0005           // slot 2: T#A, T#E
	0000 0002           // slot 3: T#B

	0000 0000 0000 0000 0000 0000 0000 0000 0000 0000 // item 0 is never used

	0001 3FD2           // item 1: hash of T#A
	0000 0000 0000 0100 // physical offset 256
	0000 0000           // 0 s
	0000 0000           // the first of its slot

	0001 3FD3           // item 2: T#B, of the same record
	0000 0000 0000 0100
	0000 0000
	0000 0000

	0001 3FD6           // item 3: T#E, 81878 mod 4 = 2
	0000 0000 0000 0250 // 592
	0000 0001           // 1999 ms later
	0000 0001           // behind item 1

	0001 3FD6           // item 4: T#E, stored when the calendar had gone back
	0000 0000 0000 0251 // 593
	0000 0000           // 0 s
	0000 0003           // behind item 3

	0001 3FD2           // item 5: T#A
	0000 0000 0000 03E8 // 1000
	0000 003D           // 61999 ms later
	0000 0004           // behind item 4
`

// secondFile has the sixth item.
const secondFile = `
	0000 018B CFE6 5A30 // 1700000062000
	0000 018B CFE6 5A30
	0000 0000 0000 03E8 // 1000
	0000 0000 0000 03E8
	0000 0001
	0000 0002

	0000 0000
	0000 0000
	0000 0000
	0000 0001           // slot 3: T#B

	0000 0000 0000 0000 0000 0000 0000 0000 0000 0000

	0001 3FD3           // item 1: T#B
	0000 0000 0000 03E8
	0000 0000
	0000 0000

	0000 0000 0000 0000 0000 0000 0000 0000 0000 0000
	0000 0000 0000 0000 0000 0000 0000 0000 0000 0000
	0000 0000 0000 0000 0000 0000 0000 0000 0000 0000
	0000 0000 0000 0000 0000 0000 0000 0000 0000 0000
`

func TestTheBytesOfFiles(t *testing.T) {
	const begin = 1700000000000 // 2023-11-14 22:13:20 UTC
	items := []index.Item{
		key("A", 256, begin), key("B", 256, begin), key("E", 592, begin+1999), key("E", 593, begin-5000),
		key("A", 1000, begin+61999), key("B", 1000, begin+62000),
	}
	w := newWorld(1)
	defer w.kernel.Close()
	w.do(t, func(disk env.Disk) error {
		x, err := index.Open(disk, index.Options{Sizes: tiny, Zone: time.FixedZone("", 8*3600), Clean: true})
		require.NoError(t, err)
		added, err := x.Add(items[:5], 1000, begin+123)
		require.NoError(t, err)
		require.Equal(t, 5, added)
		require.Zero(t, x.CompleteAt(), "full, but the next file was not begun")
		require.NoError(t, x.Save())
		require.Equal(t, index.Mark{Log: 1000, File: 20231115061320123, Count: 6, EndAt: begin + 61999}, x.Durable())
		_, err = x.Add(items[5:], 1100, begin+100)
		require.NoError(t, err)
		require.EqualValues(t, begin+61999, x.CompleteAt())
		require.EqualValues(t, begin+62000, x.EndAt())
		require.EqualValues(t, 1100, x.Next())
		require.NoError(t, x.Save())
		require.Equal(t, []index.FileInfo{
			{Path: "index/20231115061320123", Header: index.Header{BeginAt: begin, EndAt: begin + 61999, BeginLog: 256, EndLog: 1000, Used: 2, Count: 6}},
			{Path: "index/20231115061320124", Header: index.Header{BeginAt: begin + 62000, EndAt: begin + 62000, BeginLog: 1000, EndLog: 1000, Used: 1, Count: 2}},
		}, x.Files())
		return x.Close()
	})
	require.Equal(t, map[string]string{
		"index/20231115061320123": string(unhex(t, fullFile)),
		"index/20231115061320124": string(unhex(t, secondFile)), // the calendar stepped back, the name did not
	}, w.files())
}

func TestTheDefaultFileIsAsLongAsJavas(t *testing.T) {
	require.EqualValues(t, 420_000_040, index.Sizes{Slots: 5_000_000, Items: 20_000_000}.FileSize())
}

func TestSizesThatMakeNoFileAreRefused(t *testing.T) {
	require.NoError(t, index.Sizes{Slots: 1, Items: 2}.Validate())
	for _, sizes := range []index.Sizes{{}, {Slots: 0, Items: 2}, {Slots: -1, Items: 2}, {Slots: 1, Items: 1}} {
		_, err := index.Open(nil, index.Options{Sizes: sizes})
		require.ErrorContains(t, err, "at least 1 slot and 2 items")
		_, err = index.Inspect(nil, sizes)
		require.Error(t, err)
	}
}
