package wire_test

import (
	"strings"
	"testing"

	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// fixed is the binary header up to the length of the remark.
const fixed = "\x00\x69" + "\x09" + "\x01\x91" + "\x00\x00\x00\x01" + "\x00\x00\x00\x00"

func decodeBinary(header string) (*wire.Command, error) {
	var cmd wire.Command
	err := wire.Limits{}.Decode(frameOf(wire.EncodingBinary, header, ""), &cmd)
	return &cmd, err
}

func TestBinaryHeaderWithWrongLengthsIsMalformed(t *testing.T) {
	const none = "\x00\x00\x00\x00"
	_, err := decodeBinary(fixed + none + none)
	require.NoError(t, err)
	for what, header := range map[string]string{
		"nothing":                       "",
		"one byte short":                fixed + none + "\x00\x00\x00",
		"a byte too many":               fixed + none + none + "\x00",
		"a negative remark":             fixed + "\xff\xff\xff\xff" + none,
		"a remark beyond the end":       fixed + "\x00\x00\x00\x05" + none,
		"a remark over the next length": fixed + "\x00\x00\x00\x02" + none,
		"negative entries":              fixed + none + "\x80\x00\x00\x00",
		"entries beyond the end":        fixed + none + "\x00\x00\x00\x01",
		"half a key length":             fixed + none + "\x00\x00\x00\x01" + "\x00",
		"a negative key":                fixed + none + "\x00\x00\x00\x02" + "\xff\xff",
		"a key beyond the entries":      fixed + none + "\x00\x00\x00\x03" + "\x00\x02k",
		"no value":                      fixed + none + "\x00\x00\x00\x03" + "\x00\x01k",
		"a negative value":              fixed + none + "\x00\x00\x00\x07" + "\x00\x01k" + "\xff\xff\xff\xff",
		"a value beyond the entries":    fixed + none + "\x00\x00\x00\x08" + "\x00\x01k" + "\x00\x00\x00\x02v",
	} {
		_, err := decodeBinary(header)
		require.ErrorIs(t, err, wire.ErrMalformed, what)
	}
}

func TestBinaryNumbersAreSigned(t *testing.T) {
	cmd, err := decodeBinary("\xff\xff" + "\x00" + "\xff\xfe" + "\xff\xff\xff\xfd" + "\xff\xff\xff\xfc" + strings.Repeat("\x00", 8))
	require.NoError(t, err)
	require.Equal(t, wire.Header{Encoding: wire.EncodingBinary, Code: -1, Version: -2, Opaque: -3, Flags: -4}, cmd.Header)
}

func TestBinaryUnknownLanguageIsOther(t *testing.T) {
	cmd, err := decodeBinary("\x00\x00" + "\xc8" + strings.Repeat("\x00", 18))
	require.NoError(t, err)
	require.Equal(t, wire.LanguageOther, cmd.Language)
}

// binaryCode sends a code through the binary encoding.
func binaryCode(t *testing.T, code, flags int32) int32 {
	t.Helper()
	header := wire.Header{Encoding: wire.EncodingBinary, Code: code, Flags: flags}
	return decode(t, wire.AppendCommand(nil, &wire.Command{Header: header})).Code
}

func TestBinaryPopRequestsKeepTheirCodes(t *testing.T) {
	for _, code := range []int32{200050, 200051, 200052, 200053, 200054, 200055, 200056, 200151} {
		require.Equal(t, code, binaryCode(t, code, 0))
		require.Equal(t, code, binaryCode(t, code, wire.FlagOneway))
	}
	for _, code := range []int32{3441, 3449, 3542, 3544, 0, -1, 32767, -32768} {
		require.Equal(t, code, binaryCode(t, code, 0))
	}
}

func TestBinaryResponseCodesAreNotMapped(t *testing.T) {
	require.EqualValues(t, 3442, binaryCode(t, 3442, wire.FlagResponse))
}

func TestBinaryLeavesOutKeysTooLongForIt(t *testing.T) {
	cmd := wire.Command{Header: wire.Header{Encoding: wire.EncodingBinary}}
	cmd.Fields.Add(strings.Repeat("k", 32768), "v")
	cmd.Fields.Add(strings.Repeat("k", 32767), "w")
	decoded := decode(t, wire.AppendCommand(nil, &cmd))
	require.Len(t, decoded.Fields, 1)
	require.Equal(t, "w", string(decoded.Fields[0].Value))
}
