package repeat_test

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"testing"

	"github.com/gantrymq/gantry/node/repeat"
	"github.com/stretchr/testify/require"
)

func saved() []byte {
	table := repeat.NewTable(limits())
	table.Add(id(1, 5), repeat.Place{Log: 100, Offset: 3, QueueID: 1, Topic: 0xAABBCCDD}, 1000)
	table.Add(id(1, 7), repeat.Place{Log: 300, Offset: 2, QueueID: 0, Topic: 1}, 1010)
	return table.Snapshot(400).Encode()
}

func TestTheBytesOfASnapshot(t *testing.T) {
	want := "47414e5452595301" + // GANTRYS, version 1
		"a006" + "e40f" /* 1010 */ + "e40f" /* 1010 */ + "02" + // covered 400, clock, latest, one producer
		"00000000000000000000000000000001" + "00" + "e40f" + "04" + // its id, floor, time, two sends
		"0a" + "c801" + "06" + "02" + "aabbccdd" + // sequence 5, log 100, offset 3, queue 1, topic
		"04" + "9003" + "01" + "00" + "00000001" // 2 more, 200 more, 1 less, queue 0, topic
	text := saved()
	require.Equal(t, want, hex.EncodeToString(text[:len(text)-4]))
	require.Equal(t, crc32.ChecksumIEEE(text[:len(text)-4]), binary.BigEndian.Uint32(text[len(text)-4:]))
}

func TestADamagedSnapshotIsNotTaken(t *testing.T) {
	text := saved()
	for i := range text {
		damaged := append([]byte(nil), text...)
		damaged[i] ^= 4
		_, err := repeat.Decode(damaged)
		require.ErrorIs(t, err, repeat.ErrDamaged, "byte %d", i)
		_, err = repeat.Decode(text[:i])
		require.ErrorIs(t, err, repeat.ErrDamaged, "%d bytes", i)
	}
}

func TestASnapshotIsTakenWithinSmallerLimits(t *testing.T) {
	table := repeat.NewTable(limits())
	for n := int64(1); n <= 3; n++ {
		table.Add(id(1, n), at(n), n)
	}
	smaller := limits()
	smaller.Window = 1
	table = table.Snapshot(10).Table(smaller)
	require.Equal(t, repeat.Below, verdictOf(table, id(1, 2)))
	require.Equal(t, repeat.Known, verdictOf(table, id(1, 3)))
	require.Equal(t, 1, table.Sends())
}

func TestAnIdentityIsReadAsItIsWritten(t *testing.T) {
	i := repeat.Identity{Producer: repeat.Producer{0xAB, 15: 1}, Sequence: 42}
	require.Equal(t, "ab000000000000000000000000000001-42", i.String())
	read, ok := repeat.ParseIdentity([]byte(i.String()))
	require.True(t, ok)
	require.Equal(t, i, read)
	for _, wrong := range []string{"", "-1", "ab000000000000000000000000000001", "ab000000000000000000000000000001-0", "AB000000000000000000000000000001-1",
		"ab000000000000000000000000000001-01", "ab000000000000000000000000000001--1", "ab-1", "zz000000000000000000000000000001-1", "ab000000000000000000000000000001-99999999999999999999"} {
		_, ok := repeat.ParseIdentity([]byte(wrong))
		require.False(t, ok, wrong)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(saved()[:len(saved())-4])
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := repeat.Decode(binary.BigEndian.AppendUint32(text[:len(text):len(text)], crc32.ChecksumIEEE(text)))
		if err != nil {
			require.ErrorIs(t, err, repeat.ErrDamaged)
			return
		}
		again, err := repeat.Decode(s.Encode())
		require.NoError(t, err)
		require.Equal(t, s.Encode(), again.Encode())
		table := s.Table(limits())
		require.LessOrEqual(t, table.Producers(), limits().Producers)
		require.LessOrEqual(t, table.Sends(), limits().Sends)
	})
}
