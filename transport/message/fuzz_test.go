package message

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever the bytes are: no panic; a record that decodes lies within them and, encoded
// again, gives the same bytes if its checksum is right and its topic not empty.
func FuzzDecodeRecord(f *testing.F) {
	for _, golden := range goldenRecords {
		f.Add(readHex(f, golden.file))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		var r Record
		n, err := DecodeRecord(p, &r, true)
		if err != nil {
			return
		}
		require.LessOrEqual(t, n, len(p))
		require.Equal(t, int(r.TotalSize), n)
		_ = r.String()
		again, err := AppendRecord(nil, &r)
		if len(r.Topic) == 0 {
			require.ErrorIs(t, err, ErrTopicLength)
			return
		}
		require.NoError(t, err)
		if r.Magic == magicFor(r.Topic) {
			require.Equal(t, p[:n], again)
		}
	})
}

// Whatever the bytes are: the walk ends; without an error the records' sizes add up
// to all of them; at most one turn comes without a record, and it is the last.
func FuzzDecodeRecords(f *testing.F) {
	var all []byte
	for _, golden := range goldenRecords {
		all = append(all, readHex(f, golden.file)...)
	}
	f.Add(all)
	f.Add(all[:len(all)-1])
	f.Fuzz(func(t *testing.T, body []byte) {
		total, stopped := 0, false
		for r, err := range DecodeRecords(body, true) {
			require.False(t, stopped, "a turn after the walk had ended")
			if r == nil {
				require.Error(t, err)
				stopped = true
				continue
			}
			total += int(r.TotalSize)
		}
		require.Equal(t, !stopped, total == len(body))
	})
}

// Whatever the bytes are: the walk, the list and the look-up tell the same story, and
// the list can be encoded and read again.
func FuzzProperties(f *testing.F) {
	f.Add([]byte("TAGS\x01A\x02KEYS\x01k1 k2"), "TAGS")
	f.Add([]byte("a\x01b\x01c\x02\x02\x01\x02a\x01d\x02"), "a")
	f.Fuzz(func(t *testing.T, encoded []byte, name string) {
		last := map[string]string{}
		for name, value := range EachProperty(encoded) {
			last[string(name)] = string(value)
		}
		list := ParseProperties(encoded)
		require.Len(t, list, len(last))
		clean := true
		for _, p := range list {
			require.Equal(t, last[p.Name], p.Value)
			require.Equal(t, p.Value, PropertyString(encoded, p.Name))
			clean = clean && CheckProperty(p.Name, p.Value) == nil
		}
		if _, found := last[name]; !found && !bytes.Contains([]byte(name), []byte{nameEnd}) {
			_, ok := PropertyBytes(encoded, name)
			require.False(t, ok)
		}
		again, err := list.Append(nil)
		if clean && len(again) <= PropertiesLengthMax && err == nil && len(list) > 0 {
			require.Equal(t, list, ParseProperties(again))
		}
		for key := range IndexKeys(encoded) {
			require.NotEmpty(t, key)
		}
	})
}

// Whatever the bytes are: the walk ends; counting agrees with it; what was read
// gives the same bytes again, apart from magic and checksum.
func FuzzBatch(f *testing.F) {
	f.Add(readHex(f, "batch.hex"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var again []byte
		turns := 0
		var failed error
		for e, err := range DecodeBatch(body) {
			if failed = err; err != nil {
				break
			}
			before := len(again)
			again, err = AppendBatchElement(again, e)
			require.NoError(t, err)
			copy(again[before+4:before+12], body[before+4:])
			turns++
		}
		require.Equal(t, body[:len(again)], append([]byte{}, again...))
		count, err := CountBatch(body, len(body))
		if failed == nil && turns > 0 {
			require.NoError(t, err)
			require.Equal(t, turns, count)
			require.Len(t, again, len(body))
		} else {
			require.Error(t, err)
		}
	})
}

// Whatever the bytes are: no panic, no endless loop, nothing beyond the limit.
func FuzzDecompress(f *testing.F) {
	for _, kind := range compressions {
		stored, err := new(Compressor).Append(nil, []byte("hello hello hello"), kind, 5)
		require.NoError(f, err)
		f.Add(stored, uint8(kind))
	}
	f.Fuzz(func(t *testing.T, stored []byte, kind uint8) {
		got, err := new(Decompressor).Append(nil, stored, Compression(kind), 1000)
		if err != nil {
			require.Nil(t, got)
		}
		require.LessOrEqual(t, len(got), 1000)
	})
}
