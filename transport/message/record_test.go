package message

import (
	"bytes"
	"encoding/binary"
	"math"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawHost draws an address of either family.
func drawHost(t *rapid.T, name string) netip.AddrPort {
	width := rapid.SampledFrom([]int{4, 16}).Draw(t, name+" width")
	raw := rapid.SliceOfN(rapid.Byte(), width, width).Draw(t, name)
	address, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(address, rapid.Uint16().Draw(t, name+" port"))
}

func drawBytes(t *rapid.T, name string, least, most int) []byte {
	return rapid.SliceOfN(rapid.Byte(), least, most).Draw(t, name)
}

// drawRecord draws a record as encoding it and decoding it again leaves it.
func drawRecord(t *rapid.T) Record {
	r := Record{
		QueueID:      rapid.Int32().Draw(t, "queue id"),
		UserFlags:    rapid.Int32().Draw(t, "user flags"),
		QueueOffset:  QueueOffset(rapid.Int64().Draw(t, "queue offset")),
		LogOffset:    LogOffset(rapid.Int64().Draw(t, "log offset")),
		SysFlags:     SysFlags(rapid.Uint32().Draw(t, "flags")),
		BornAt:       rapid.Int64().Draw(t, "born at"),
		BornHost:     drawHost(t, "born host"),
		StoredAt:     rapid.Int64().Draw(t, "stored at"),
		StoreHost:    drawHost(t, "store host"),
		Redeliveries: rapid.Int32().Draw(t, "redeliveries"),
		PreparedAt:   LogOffset(rapid.Int64().Draw(t, "prepared at")),
		Body:         drawBytes(t, "body", 0, 300),
		Topic:        drawBytes(t, "topic", 1, 200),
		Properties:   drawBytes(t, "properties", 0, 300),
	}
	r.SysFlags = r.hostFlags()
	return r
}

func TestPropRecordsSurviveTheRoundTripInARow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var written []Record
		var body []byte
		for range rapid.IntRange(0, 4).Draw(t, "records") {
			r := drawRecord(t)
			before := len(body)
			var err error
			body, err = AppendRecord(body, &r)
			require.NoError(t, err)
			r.TotalSize = int32(len(body) - before)
			r.Magic = magicFor(r.Topic)
			r.BodyCRC = BodyChecksum(r.Body)
			written = append(written, r)
		}
		var read []Record
		for r, err := range DecodeRecords(body, true) {
			require.NoError(t, err)
			read = append(read, *r.Clone())
		}
		require.Equal(t, written, read)
	})
}

func TestPropEveryCutRecordIsShort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t)
		raw, err := AppendRecord(nil, &r)
		require.NoError(t, err)
		cut := rapid.IntRange(0, len(raw)-1).Draw(t, "cut")
		_, err = DecodeRecord(raw[:cut], &r, false)
		require.ErrorIs(t, err, ErrShort)
	})
}

func TestTheTopicDecidesTheVersion(t *testing.T) {
	host := netip.MustParseAddrPort("127.0.0.1:1")
	for length, want := range map[int]Magic{1: MagicV1, 127: MagicV1, 128: MagicV2, 255: MagicV2, 32767: MagicV2} {
		raw, err := AppendRecord(nil, &Record{BornHost: host, StoreHost: host, Topic: make([]byte, length)})
		require.NoError(t, err)
		magic, _ := PeekMagic(raw)
		require.Equal(t, want, magic, "topic of %d bytes", length)
	}
}

func TestALimitIsNamedByItsField(t *testing.T) {
	for _, limit := range []struct {
		body, topic, properties int
		flags                   SysFlags
		want                    error
	}{
		{0, 1, 0, 0, nil},
		{0, 0, 0, 0, ErrTopicLength},
		{0, 32767, 0, 0, nil},
		{0, 32768, 0, 0, ErrTopicLength},
		{0, 1, 32767, 0, nil},
		{0, 1, 32768, 0, ErrPropertiesLength},
		{math.MaxInt32 - 92, 1, 0, 0, nil},
		{math.MaxInt32 - 91, 1, 0, 0, ErrBodyLength},
		{math.MaxInt32 - 92, 1, 0, FlagBornHostIPv6, ErrBodyLength},
		{math.MaxInt32 - 104, 1, 0, FlagStoreHostIPv6, nil},
		{math.MaxInt32 - 91 - 127, 127, 0, 0, nil},
		{math.MaxInt32 - 91 - 128, 128, 0, 0, ErrBodyLength},
	} {
		size, err := RecordSize(limit.body, limit.topic, limit.properties, limit.flags)
		require.ErrorIs(t, err, limit.want, "%+v", limit)
		if limit.want == nil {
			require.LessOrEqual(t, size, math.MaxInt32)
		}
	}
}

func TestAppendRecordLeavesTheBytesAloneOnAnError(t *testing.T) {
	host := netip.MustParseAddrPort("127.0.0.1:1")
	before := []byte("before")
	for _, bad := range []struct {
		record Record
		want   error
	}{
		{Record{BornHost: host, StoreHost: host}, ErrTopicLength},
		{Record{BornHost: host, StoreHost: host, Topic: []byte("T"), Properties: make([]byte, 32768)}, ErrPropertiesLength},
		{Record{BornHost: host, Topic: []byte("T")}, ErrHost},
		{Record{StoreHost: host, Topic: []byte("T")}, ErrHost},
	} {
		got, err := AppendRecord(before, &bad.record)
		require.ErrorIs(t, err, bad.want)
		require.Equal(t, before, got)
	}
}

func TestDecodeRecordRefusesContradictions(t *testing.T) {
	put32 := func(at int, value uint32) func([]byte) {
		return func(p []byte) { binary.BigEndian.PutUint32(p[at:], value) }
	}
	for _, damage := range []struct {
		name string
		do   func([]byte)
		want error
	}{
		{"magic of the end of a file", put32(magicAt, uint32(MagicEndOfFile)), ErrMagic},
		{"magic of nothing", put32(magicAt, 0), ErrMagic},
		{"size below the least", put32(sizeAt, 90), ErrMalformed},
		{"negative size", put32(sizeAt, 1<<31), ErrMalformed},
		{"size one less", put32(sizeAt, 103), ErrMalformed},
		{"size beyond the bytes", put32(sizeAt, 105), ErrShort},
		{"host wider than it is", put32(sysFlagsAt, uint32(FlagBornHostIPv6)), ErrMalformed},
		{"both hosts wider than the record", put32(sysFlagsAt, uint32(FlagBornHostIPv6|FlagStoreHostIPv6)), ErrMalformed},
		{"born port no port", put32(bornHostAt+4, 65536), ErrMalformed},
		{"store port negative", put32(68, 1<<31), ErrMalformed},
		{"body one longer", put32(84, 6), ErrMalformed},
		{"body far longer", put32(84, math.MaxInt32), ErrMalformed},
		{"body negative", put32(84, math.MaxUint32), ErrMalformed},
		{"topic longer", func(p []byte) { p[93] = 127 }, ErrMalformed},
		{"topic length with a sign", func(p []byte) { p[93] = 0x80 }, ErrMalformed},
		{"properties one shorter", func(p []byte) { p[96] = 6 }, ErrMalformed},
		{"properties negative", func(p []byte) { p[95] = 0x80 }, ErrMalformed},
		{"version two", put32(magicAt, uint32(MagicV2)), ErrMalformed},
		{"body changed", func(p []byte) { p[88] ^= 1 }, ErrChecksum},
		{"checksum with its top bit", func(p []byte) { p[8] |= 0x80 }, ErrChecksum},
	} {
		raw := readHex(t, "record_v1_ipv4.hex")
		damage.do(raw)
		var r Record
		n, err := DecodeRecord(raw, &r, true)
		require.ErrorIs(t, err, damage.want, damage.name)
		if damage.want != ErrChecksum {
			require.Zero(t, n, damage.name)
			continue
		}
		require.Equal(t, 104, n, "the reader may step over it: %s", damage.name)
		_, err = DecodeRecord(raw, &r, false)
		require.NoError(t, err, "nobody asked for the checksum: %s", damage.name)
	}
}

func TestTheLengthOfATopicInVersionOneHasASign(t *testing.T) {
	host := netip.MustParseAddrPort("127.0.0.1:1")
	raw, err := AppendRecord(nil, &Record{BornHost: host, StoreHost: host, Topic: make([]byte, 128)})
	require.NoError(t, err)
	// The same record with one byte for the length, as the reference never writes and cannot read it.
	raw = append(raw[:88], raw[89:]...)
	binary.BigEndian.PutUint32(raw, uint32(len(raw)))
	binary.BigEndian.PutUint32(raw[magicAt:], uint32(MagicV1))
	_, err = DecodeRecord(raw, new(Record), false)
	require.ErrorIs(t, err, ErrMalformed)
	require.ErrorContains(t, err, "length of topic is -128")
}

func TestDecodeRecordsGoesOnBehindAWrongChecksumAndStopsAtNonsense(t *testing.T) {
	good := readHex(t, "record_v1_ipv4.hex")
	wrong := bytes.Clone(good)
	wrong[88] ^= 1
	body := bytes.Join([][]byte{good, wrong, good, []byte("nonsense")}, nil)
	var told []string
	for r, err := range DecodeRecords(body, true) {
		switch {
		case r == nil:
			require.ErrorIs(t, err, ErrMagic)
			require.ErrorContains(t, err, "byte 312 of 320")
			told = append(told, "stop")
		case err != nil:
			require.ErrorIs(t, err, ErrChecksum)
			told = append(told, "wrong")
		default:
			told = append(told, "good")
		}
	}
	require.Equal(t, []string{"good", "wrong", "good", "stop"}, told)
}

func TestDecodeRecordsCanBeLeftEarly(t *testing.T) {
	good := readHex(t, "record_v1_ipv4.hex")
	turns := 0
	for range DecodeRecords(append(good, good...), true) {
		turns++
		break
	}
	require.Equal(t, 1, turns)
}

func TestPeekSaysWhenTheFieldIsNotThere(t *testing.T) {
	raw := readHex(t, "record_v1_ipv6.hex")
	for _, peek := range []struct {
		name string
		end  int
		ok   func([]byte) bool
	}{
		{"size", 4, func(p []byte) bool { _, ok := PeekSize(p); return ok }},
		{"magic", 8, func(p []byte) bool { _, ok := PeekMagic(p); return ok }},
		{"queue id", 16, func(p []byte) bool { _, ok := PeekQueueID(p); return ok }},
		{"queue offset", 28, func(p []byte) bool { _, ok := PeekQueueOffset(p); return ok }},
		{"log offset", 36, func(p []byte) bool { _, ok := PeekLogOffset(p); return ok }},
		{"system flags", 40, func(p []byte) bool { _, ok := PeekSysFlags(p); return ok }},
		{"stored at", 76, func(p []byte) bool { _, ok := PeekStoredAt(p); return ok }},
	} {
		require.True(t, peek.ok(raw[:peek.end]), peek.name)
		require.False(t, peek.ok(raw[:peek.end-1]), peek.name)
		require.False(t, peek.ok(nil), peek.name)
	}
}

func TestTheEndOfAFileIsMarkedWhereARecordDoesNotFit(t *testing.T) {
	require.True(t, FitsFile(92, 100), "eight bytes remain for the marker")
	require.False(t, FitsFile(93, 100))
	marker := AppendEndOfFile(nil, 100)
	require.Equal(t, []byte{0, 0, 0, 100, 0xCB, 0xD4, 0x31, 0x94}, marker)
	size, _ := PeekSize(marker)
	magic, _ := PeekMagic(marker)
	require.Equal(t, int32(100), size)
	require.Equal(t, MagicEndOfFile, magic)
}

func TestALogLineShowsWhatARecordIs(t *testing.T) {
	r := goldenRecords[1].record
	require.Equal(t, "record of Orders queue 3: queue offset 0, log offset 78187493530, 0 body bytes, "+
		"flags prepared|born host IPv6|store host IPv6", r.String())
	require.Equal(t, "v1 v2 end of file 0xff", strings.Join([]string{
		MagicV1.String(), MagicV2.String(), MagicEndOfFile.String(), Magic(255).String()}, " "))
}

func TestACloneOutlivesTheBytesItCameFrom(t *testing.T) {
	raw := readHex(t, "record_v1_ipv4.hex")
	var r Record
	_, err := DecodeRecord(raw, &r, true)
	require.NoError(t, err)
	clone := r.Clone()
	clear(raw)
	require.Equal(t, "hello", string(clone.Body))
	require.Equal(t, "T", string(clone.Topic))
	require.Equal(t, "A", PropertyString(clone.Properties, PropertyTags))
}
