package message

import (
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// readHex returns the bytes of a file of hexadecimal text, where # starts a comment.
func readHex(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	var digits strings.Builder
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	raw, err := hex.DecodeString(digits.String())
	require.NoError(t, err, name)
	return raw
}

// goldenRecords are the records whose bytes stand in testdata, field by field.
var goldenRecords = []struct {
	file   string
	record Record
}{
	{"record_v1_ipv4.hex", Record{
		TotalSize: 104, Magic: MagicV1, BodyCRC: 0x3610a686, QueueOffset: 7, LogOffset: 1024,
		BornAt: 1700000000000, BornHost: netip.MustParseAddrPort("10.0.0.1:40000"),
		StoredAt: 1700000000001, StoreHost: netip.MustParseAddrPort("10.0.0.2:10911"),
		Body: []byte("hello"), Topic: []byte("T"), Properties: []byte("TAGS\x01A\x02"),
	}},
	{"record_v1_ipv6.hex", Record{
		TotalSize: 143, Magic: MagicV1, QueueID: 3, UserFlags: -2, LogOffset: 0x123456789a,
		SysFlags: FlagBornHostIPv6 | FlagStoreHostIPv6 | SysFlags(TransactionPrepared),
		BornAt:   1700000000000, BornHost: netip.MustParseAddrPort("[2001:db8::1]:1"),
		StoredAt: 1700000000001, StoreHost: netip.MustParseAddrPort("[2001:db8::2]:65535"),
		Redeliveries: 2, PreparedAt: 4096,
		Body: []byte{}, Topic: []byte("Orders"), Properties: []byte("KEYS\x01k1 k2\x02UNIQ_KEY\x01U\x02"),
	}},
	{"record_v1_born_ipv6.hex", Record{
		TotalSize: 112, Magic: MagicV1, BodyCRC: 0x352441c2, QueueID: 1, UserFlags: 1, QueueOffset: 2, LogOffset: 3,
		SysFlags: SysFlags(0).WithCompression(CompressionZstd) | FlagBornHostIPv6,
		BornAt:   4, BornHost: netip.MustParseAddrPort("[2001:db8::1]:40000"),
		StoredAt: 5, StoreHost: netip.MustParseAddrPort("10.0.0.2:10911"),
		Redeliveries: 6, PreparedAt: 7,
		Body: []byte("abc"), Topic: []byte("订单"), Properties: []byte{},
	}},
	{"record_v2_store_ipv6.hex", Record{
		TotalSize: 244, Magic: MagicV2, BodyCRC: 0x4bf43926, QueueID: 1<<31 - 1, UserFlags: 1<<31 - 1,
		QueueOffset: 1<<63 - 1, LogOffset: 1 << 62, SysFlags: FlagStoreHostIPv6,
		BornAt: -1, BornHost: netip.MustParseAddrPort("10.0.0.1:0"),
		StoredAt: 0, StoreHost: netip.MustParseAddrPort("[2001:db8::2]:10911"), Redeliveries: 16,
		Body:  []byte("123456789"),
		Topic: []byte("%RETRY%" + strings.Repeat("g", 121)), Properties: []byte("A\x01b"),
	}},
}

func TestAppendRecordWritesTheGoldenBytes(t *testing.T) {
	for _, golden := range goldenRecords {
		want := readHex(t, golden.file)
		// What encoding computes it must not take from the record.
		r := golden.record
		r.TotalSize, r.Magic, r.BodyCRC = 1, 2, 3
		r.SysFlags ^= FlagBornHostIPv6 | FlagStoreHostIPv6
		got, err := AppendRecord([]byte("before"), &r)
		require.NoError(t, err, golden.file)
		require.Equal(t, hex.EncodeToString(want), hex.EncodeToString(got[len("before"):]), golden.file)
		size, err := r.Size()
		require.NoError(t, err)
		require.Len(t, want, size, golden.file)
	}
}

func TestDecodeRecordReadsTheGoldenBytes(t *testing.T) {
	for _, golden := range goldenRecords {
		raw := readHex(t, golden.file)
		var got Record
		n, err := DecodeRecord(append(raw, "behind"...), &got, true)
		require.NoError(t, err, golden.file)
		require.Equal(t, len(raw), n, golden.file)
		require.Equal(t, golden.record, got, golden.file)
	}
}

func TestPeekReadsTheFieldsOfTheGoldenBytes(t *testing.T) {
	for _, golden := range goldenRecords {
		raw, want := readHex(t, golden.file), golden.record
		size, _ := PeekSize(raw)
		magic, _ := PeekMagic(raw)
		queueID, _ := PeekQueueID(raw)
		queueOffset, _ := PeekQueueOffset(raw)
		logOffset, _ := PeekLogOffset(raw)
		flags, _ := PeekSysFlags(raw)
		storedAt, ok := PeekStoredAt(raw)
		require.True(t, ok)
		got := Record{TotalSize: size, Magic: magic, QueueID: queueID, QueueOffset: queueOffset,
			LogOffset: logOffset, SysFlags: flags, StoredAt: storedAt}
		require.Equal(t, Record{TotalSize: want.TotalSize, Magic: want.Magic, QueueID: want.QueueID,
			QueueOffset: want.QueueOffset, LogOffset: want.LogOffset, SysFlags: want.SysFlags,
			StoredAt: want.StoredAt}, got, golden.file)
	}
}

func TestPatchRedeliveriesChangesOneFieldAndNothingElse(t *testing.T) {
	for _, golden := range goldenRecords {
		raw := readHex(t, golden.file)
		PatchRedeliveries(raw, 7)
		want := golden.record
		want.Redeliveries = 7
		var got Record
		_, err := DecodeRecord(raw, &got, true)
		require.NoError(t, err, golden.file)
		require.Equal(t, want, got, golden.file)
	}
}

func TestPatchRecordChangesThreeFieldsAndNothingElse(t *testing.T) {
	for _, golden := range goldenRecords {
		raw := readHex(t, golden.file)
		PatchRecord(raw, 11, 22, 33)
		want := golden.record
		want.QueueOffset, want.LogOffset, want.StoredAt = 11, 22, 33
		var got Record
		_, err := DecodeRecord(raw, &got, true)
		require.NoError(t, err, golden.file)
		require.Equal(t, want, got, golden.file)
	}
}
