package message

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestABatchHasTheGoldenBytes(t *testing.T) {
	elements := []BatchElement{
		{UserFlags: 7, Body: []byte("hi"), Properties: []byte("TAGS\x01A\x02KEYS\x01k1 k2\x02")},
		{UserFlags: -1, Body: []byte{}, Properties: []byte{}},
	}
	var got []byte
	for i := range elements {
		var err error
		got, err = AppendBatchElement(got, &elements[i])
		require.NoError(t, err)
	}
	want := readHex(t, "batch.hex")
	require.Equal(t, want, got)
	var read []BatchElement
	for e, err := range DecodeBatch(want) {
		require.NoError(t, err)
		read = append(read, *e)
	}
	require.Equal(t, elements, read)
}

func TestABatchIsCountedBeforeAnythingIsDone(t *testing.T) {
	body := readHex(t, "batch.hex")
	count, err := CountBatch(body, 2)
	require.NoError(t, err)
	require.Equal(t, 2, count)
	_, err = CountBatch(body, 1)
	require.ErrorIs(t, err, ErrBatchCount)
	_, err = CountBatch(nil, 1)
	require.ErrorIs(t, err, ErrBatchCount)
	_, err = CountBatch(body[:len(body)-1], 2)
	require.ErrorIs(t, err, ErrShort)
	require.ErrorContains(t, err, "byte 42 of 63")
}

func TestABatchElementRefusesContradictions(t *testing.T) {
	put32 := func(at int, value uint32) func([]byte) {
		return func(p []byte) { binary.BigEndian.PutUint32(p[at:], value) }
	}
	for _, damage := range []struct {
		name string
		do   func([]byte)
		want error
	}{
		{"size below the least", put32(0, 21), ErrMalformed},
		{"negative size", put32(0, 1<<31), ErrMalformed},
		{"size one less", put32(0, 41), ErrMalformed},
		{"size that takes in its neighbour", put32(0, 43), ErrMalformed},
		{"size beyond the bytes", put32(0, 65), ErrShort},
		{"body longer", put32(16, 3), ErrMalformed},
		{"body far longer", put32(16, math.MaxInt32), ErrMalformed},
		{"body negative", put32(16, math.MaxUint32), ErrMalformed},
		{"properties negative", func(p []byte) { p[22] = 0x80 }, ErrMalformed},
	} {
		raw := readHex(t, "batch.hex")
		damage.do(raw)
		var e BatchElement
		_, err := DecodeBatchElement(raw, &e)
		require.ErrorIs(t, err, damage.want, damage.name)
	}
	raw := readHex(t, "batch.hex")
	put32(4, 0xDAA320A7)(raw)
	put32(8, 1)(raw)
	var e BatchElement
	_, err := DecodeBatchElement(raw, &e)
	require.NoError(t, err, "nobody looks at magic and checksum")
}

func TestPropBatchesSurviveTheRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var written, read []BatchElement
		var body []byte
		for range rapid.IntRange(1, 5).Draw(t, "elements") {
			e := BatchElement{rapid.Int32().Draw(t, "user flags"), drawBytes(t, "body", 0, 100), drawBytes(t, "properties", 0, 100)}
			var err error
			body, err = AppendBatchElement(body, &e)
			require.NoError(t, err)
			written = append(written, e)
		}
		for e, err := range DecodeBatch(body) {
			require.NoError(t, err)
			read = append(read, *e)
		}
		require.Equal(t, written, read)
	})
}

func TestABatchElementHasExactLimits(t *testing.T) {
	e := BatchElement{Properties: make([]byte, PropertiesLengthMax)}
	_, err := AppendBatchElement(nil, &e)
	require.NoError(t, err)
	e.Properties = make([]byte, PropertiesLengthMax+1)
	got, err := AppendBatchElement([]byte("before"), &e)
	require.ErrorIs(t, err, ErrPropertiesLength)
	require.Equal(t, "before", string(got))
}
