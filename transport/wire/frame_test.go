package wire_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// frameOf puts lengths before a header and a body.
func frameOf(encoding wire.Encoding, header, body string) []byte {
	frame := binary.BigEndian.AppendUint32(nil, uint32(4+len(header)+len(body)))
	frame = binary.BigEndian.AppendUint32(frame, uint32(encoding)<<24|uint32(len(header)))
	return append(append(frame, header...), body...)
}

// decodeJSON decodes a header of JSON.
func decodeJSON(header string) (*wire.Command, error) {
	var cmd wire.Command
	err := wire.Limits{}.Decode(frameOf(wire.EncodingJSON, header, ""), &cmd)
	return &cmd, err
}

func TestFrameSizeNeedsFourBytes(t *testing.T) {
	frame := frameOf(wire.EncodingJSON, "{}", "body")
	for n := range frame {
		size, err := wire.Limits{}.FrameSize(frame[:n])
		require.NoError(t, err)
		if n < 4 {
			require.Zero(t, size)
		} else {
			require.Equal(t, len(frame), size)
		}
	}
}

func TestFrameSizeLooksOnlyAtTheFirstFrame(t *testing.T) {
	first := frameOf(wire.EncodingJSON, "{}", "")
	size, err := wire.Limits{}.FrameSize(append(first, "\xff\xff\xff\xff rubbish"...))
	require.NoError(t, err)
	require.Equal(t, len(first), size)
}

func TestFrameSizeRefusesWhatBreaksALimit(t *testing.T) {
	limits := wire.Limits{Frame: 100, Header: 20}
	for _, c := range []struct {
		what  string
		bytes string
		want  error
	}{
		{"a frame of the limit", "\x00\x00\x00\x60", nil},
		{"a frame one byte above it", "\x00\x00\x00\x61", wire.ErrFrameTooLarge},
		{"a negative length", "\xff\xff\xff\xff", wire.ErrFrameTooLarge},
		{"a TLS handshake", "\x16\x03\x01\x02", wire.ErrFrameTooLarge},
		{"no room for the header word", "\x00\x00\x00\x03", wire.ErrMalformed},
		{"a header of the limit", "\x00\x00\x00\x60\x00\x00\x00\x14", nil},
		{"a header one byte above it", "\x00\x00\x00\x60\x00\x00\x00\x15", wire.ErrHeaderTooLarge},
		{"a header that fills the frame", "\x00\x00\x00\x14\x00\x00\x00\x10", nil},
		{"a header that goes beyond the frame", "\x00\x00\x00\x14\x00\x00\x00\x11", wire.ErrMalformed},
		{"an encoding nobody knows", "\x00\x00\x00\x60\x02\x00\x00\x10", wire.ErrUnknownEncoding},
	} {
		_, err := limits.FrameSize([]byte(c.bytes))
		require.ErrorIs(t, err, c.want, c.what)
	}
}

func TestDefaultFrameLimitIsThatOfThePeers(t *testing.T) {
	size, err := wire.Limits{}.FrameSize([]byte{0, 0xff, 0xff, 0xfc})
	require.NoError(t, err)
	require.Equal(t, wire.MaxFrameSize, size)
	_, err = wire.Limits{}.FrameSize([]byte{0, 0xff, 0xff, 0xfd})
	require.ErrorIs(t, err, wire.ErrFrameTooLarge)
}

func TestCheckSizeAgreesWithFrameSize(t *testing.T) {
	require.NoError(t, wire.Limits{}.CheckSize(wire.MaxFrameSize))
	require.ErrorIs(t, wire.Limits{}.CheckSize(wire.MaxFrameSize+1), wire.ErrFrameTooLarge)
	require.NoError(t, wire.Limits{Frame: 9}.CheckSize(9))
	require.ErrorIs(t, wire.Limits{Frame: 9}.CheckSize(10), wire.ErrFrameTooLarge)
}

func TestDecodeWantsExactlyOneFrame(t *testing.T) {
	frame := frameOf(wire.EncodingJSON, "{}", "body")
	var cmd wire.Command
	for n := range frame {
		require.ErrorIs(t, wire.Limits{}.Decode(frame[:n], &cmd), wire.ErrMalformed, n)
	}
	require.ErrorIs(t, wire.Limits{}.Decode(append(frame, 0), &cmd), wire.ErrMalformed)
	require.NoError(t, wire.Limits{}.Decode(frame, &cmd))
	require.Equal(t, "body", string(cmd.Body))
}

func TestDecodeLimitsTheNumberOfFields(t *testing.T) {
	var cmd wire.Command
	for i := range 3 {
		cmd.Fields.Add(strings.Repeat("k", i), "v")
	}
	for _, encoding := range []wire.Encoding{wire.EncodingJSON, wire.EncodingBinary} {
		cmd.Encoding = encoding
		var decoded wire.Command
		require.NoError(t, wire.Limits{Fields: 3}.Decode(wire.AppendCommand(nil, &cmd), &decoded))
		require.ErrorIs(t, wire.Limits{Fields: 2}.Decode(wire.AppendCommand(nil, &cmd), &decoded), wire.ErrTooManyFields)
	}
}

func TestDecodeForgetsTheCommandBefore(t *testing.T) {
	cmd := wire.Command{
		Header: wire.Header{Encoding: 1, Code: 1, Language: 1, Version: 1, Opaque: 1, Flags: 1, Remark: "r"},
		Fields: wire.Fields{{Key: []byte("k")}}, Body: []byte("b"),
	}
	require.NoError(t, wire.Limits{}.Decode(frameOf(wire.EncodingJSON, "{}", ""), &cmd))
	require.Equal(t, wire.Header{}, cmd.Header)
	require.Empty(t, cmd.Fields)
	require.Nil(t, cmd.Body)
}

func TestFieldsAndBodyCannotBeAppendedIntoEachOther(t *testing.T) {
	frame := readGolden(t, sendFrame).frame
	for _, original := range [][]byte{frame, asBinary(t, frame)} {
		cmd := decode(t, original)
		for _, field := range cmd.Fields {
			require.Equal(t, len(field.Key), cap(field.Key))
			require.Equal(t, len(field.Value), cap(field.Value))
		}
		require.Equal(t, len(cmd.Body), cap(cmd.Body))
	}
}
