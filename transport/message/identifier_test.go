package message

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAnOffsetIDIsTheStoreHostAndTheLogOffset(t *testing.T) {
	const text = "0A00000200002A9F0000000000000400"
	record := goldenRecords[0].record
	require.Equal(t, text, record.OffsetID().String())
	for _, given := range []string{text, strings.ToLower(text)} {
		id, err := ParseOffsetID(given)
		require.NoError(t, err)
		require.Equal(t, OffsetID{netip.MustParseAddrPort("10.0.0.2:10911"), 1024}, id)
	}
	v6 := goldenRecords[1].record
	require.Equal(t, "20010DB80000000000000000000000020000FFFF000000123456789A", v6.OffsetID().String())
}

func TestPropIdentifiersSurviveTheRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		host := drawHost(t, "host")
		offsetID := OffsetID{host, LogOffset(rapid.Int64().Draw(t, "log offset"))}
		gotOffsetID, err := ParseOffsetID(offsetID.String())
		require.NoError(t, err)
		require.Equal(t, offsetID, gotOffsetID)

		uniqueID := UniqueID{host.Addr(), rapid.Uint16().Draw(t, "process"), rapid.Uint32().Draw(t, "loader"),
			rapid.Uint32().Draw(t, "elapsed"), rapid.Uint16().Draw(t, "counter")}
		gotUniqueID, err := ParseUniqueID(uniqueID.String())
		require.NoError(t, err)
		require.Equal(t, uniqueID, gotUniqueID)
	})
}

func TestTextThatIsNoIdentifierIsRefused(t *testing.T) {
	for _, text := range []string{"", "0A", strings.Repeat("0", 31), strings.Repeat("0", 33), strings.Repeat("g", 32), strings.Repeat("é", 16)} {
		_, err := ParseOffsetID(text)
		require.ErrorIs(t, err, ErrIdentifier, text)
		_, err = ParseUniqueID(text)
		require.ErrorIs(t, err, ErrIdentifier, text)
	}
	_, err := ParseOffsetID("0A000002FFFFFFFF0000000000000400")
	require.ErrorIs(t, err, ErrIdentifier, "no such port")
}

func TestAUniqueIDHasItsPartsInOrder(t *testing.T) {
	at := time.Date(2024, 3, 1, 0, 0, 1, 0, time.UTC).UnixMilli()
	id := NewUniqueID(netip.MustParseAddr("10.0.0.1"), 0x1234, 0x56789ABC, at, MonthStart(at, time.UTC), 0xDEF0)
	//                    address   process  loader     1000 ms    counter
	require.Equal(t, "0A000001"+"1234"+"56789ABC"+"000003E8"+"DEF0", id.String())
	id.Address = netip.MustParseAddr("2001:db8::1")
	require.Equal(t, "20010DB8000000000000000000000001"+"1234"+"56789ABC"+"000003E8"+"DEF0", id.String())
	id.Address = netip.Addr{}
	require.Equal(t, strings.Repeat("0", 32)+"1234"+"56789ABC"+"000003E8"+"DEF0", id.String())
}

func TestTheMonthBeginsWhereTheClientRuns(t *testing.T) {
	zone := time.FixedZone("east", 8*3600)
	// In Greenwich it is still February.
	at := time.Date(2024, 3, 1, 7, 0, 0, 0, zone)
	require.Equal(t, int64(7*3600*1000), at.UnixMilli()-MonthStart(at.UnixMilli(), zone))
	require.Equal(t, time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC).UnixMilli(), MonthStart(at.UnixMilli(), time.UTC))
}

func TestTagHashIsThatOfTheReference(t *testing.T) {
	for tag, want := range map[string]int64{
		"TagA": 2598919, "TagB": 2598920, "*": 42, "订单": 1129459, "": 0,
		"polygenelubricants": -2147483648, "a订b": 31*(31*97+0x8BA2) + 98,
	} {
		require.Equal(t, want, TagHash([]byte(tag)), tag)
	}
}

func TestPropHashCodeIsOverUTF16Units(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		var want int32
		for _, unit := range utf16.Encode([]rune(text)) {
			want = 31*want + int32(unit)
		}
		require.Equal(t, want, HashCode([]byte(text)))
	})
}

func TestPropIndexKeyHashIsThatOfTheJoinedText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		topic, key := []byte(rapid.String().Draw(t, "topic")), []byte(rapid.String().Draw(t, "key"))
		joined := AppendIndexKey(nil, topic, key)
		require.Equal(t, string(topic)+"#"+string(key), string(joined))
		want := int64(HashCode(joined))
		if want < 0 {
			want = -want
		}
		require.Equal(t, want, int64(IndexKeyHash(topic, key)))
	})
}

func TestIndexKeyHashIsNeverNegative(t *testing.T) {
	require.Equal(t, int32(-1<<31), HashCode([]byte("T#jllgvmc")), "it has no absolute value")
	require.Equal(t, int32(0), IndexKeyHash([]byte("T"), []byte("jllgvmc")))
	require.Equal(t, int32(1<<31-1), IndexKeyHash([]byte("T"), []byte("jllgvmd")), "its neighbour has")
}

func TestIndexKeysAreTheUniqueIDAndEachWordOfTheKeys(t *testing.T) {
	collect := func(properties string) (keys []string) {
		for key := range IndexKeys([]byte(properties)) {
			keys = append(keys, string(key))
		}
		return keys
	}
	require.Equal(t, []string{"U", "k1", "k2"}, collect("KEYS\x01k1  k2 \x02UNIQ_KEY\x01U\x02"))
	require.Equal(t, []string{"k1"}, collect("KEYS\x01k1"))
	require.Equal(t, []string{"U"}, collect("UNIQ_KEY\x01U\x02"))
	require.Empty(t, collect(""))
	first := slices.Collect(func(yield func([]byte) bool) {
		for key := range IndexKeys([]byte("KEYS\x01k1 k2\x02")) {
			yield(key)
			return
		}
	})
	require.Len(t, first, 1)
}
