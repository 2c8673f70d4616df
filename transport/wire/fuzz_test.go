package wire_test

import (
	"math"
	"slices"
	"testing"

	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// FuzzDecode states of any header and body, put into a frame with right lengths:
//
//   - decoding does not panic, and changes no byte outside the frame;
//   - the result does not depend on the bytes after the frame;
//   - what was decoded, encoded again in either encoding, decodes to the same, apart
//     from what the encodings cannot carry.
func FuzzDecode(f *testing.F) {
	for _, path := range goldenFiles(f, "*") {
		frame := readGolden(f, path).frame
		end := 8 + len(headerText(frame))
		f.Add(frame[4], string(frame[8:end]), string(frame[end:]))
	}
	f.Fuzz(func(t *testing.T, encoding byte, header, body string) {
		frame := frameOf(wire.Encoding(encoding%3), header, body)
		first, err := decodeAmong(t, frame, 0x00)
		second, again := decodeAmong(t, frame, '"')
		require.Equal(t, err == nil, again == nil)
		if err != nil {
			require.Equal(t, err.Error(), again.Error())
			return
		}
		requireEqual(t, first, second)
		_ = first.String()
		for _, other := range []wire.Encoding{wire.EncodingJSON, wire.EncodingBinary} {
			first.Encoding = other
			requireEqual(t, carried(first), decode(t, wire.AppendCommand(nil, first)))
		}
	})
}

// decodeAmong decodes a frame that has other bytes around it.
func decodeAmong(t *testing.T, frame []byte, filler byte) (*wire.Command, error) {
	t.Helper()
	margin := slices.Repeat([]byte{filler}, 16)
	buffer := slices.Concat(margin, frame, margin)
	var cmd wire.Command
	err := wire.Limits{}.Decode(buffer[len(margin):len(margin)+len(frame)], &cmd)
	require.Equal(t, margin, buffer[:len(margin)])
	require.Equal(t, margin, buffer[len(buffer)-len(margin):])
	require.Equal(t, frame[:8], buffer[len(margin):len(margin)+8])
	return &cmd, err
}

// carried is what is left of a command after a passage through its encoding.
func carried(cmd *wire.Command) *wire.Command {
	left := cmd.Clone()
	if cmd.Encoding == wire.EncodingJSON {
		left.Remark = validText([]byte(cmd.Remark))
		for i, field := range left.Fields {
			left.Fields[i] = wire.Field{Key: []byte(validText(field.Key)), Value: []byte(validText(field.Value))}
		}
		return left
	}
	left.Code, left.Version = int32(int16(cmd.Code)), int32(int16(cmd.Version))
	isPop := left.Code >= 3442 && left.Code <= 3448 || left.Code == 3543
	if isPop && !cmd.IsResponse() {
		left.Code += 200050 - 3442
	}
	left.Fields = slices.DeleteFunc(left.Fields, func(f wire.Field) bool { return len(f.Key) > math.MaxInt16 })
	return left
}

// validText replaces each byte that is no UTF-8 by U+FFFD.
func validText(text []byte) string { return string([]rune(string(text))) }

// FuzzFrameSize states: fewer than 4 bytes are never an error; a size is within the
// limits; more bytes of the same stream never change a size, though they may bring an
// error; Decode of that many bytes does not complain about the frame's lengths.
func FuzzFrameSize(f *testing.F) {
	for _, path := range goldenFiles(f, "*") {
		f.Add(readGolden(f, path).frame)
	}
	limits := wire.Limits{Frame: 1 << 16, Header: 1 << 12}
	f.Fuzz(func(t *testing.T, stream []byte) {
		known := 0
		for n := range min(len(stream), 16) + 1 {
			size, err := limits.FrameSize(stream[:n])
			if n < 4 {
				require.NoError(t, err)
				require.Zero(t, size)
				continue
			}
			if err != nil {
				require.Zero(t, size)
				return
			}
			require.True(t, size >= 8 && size <= limits.Frame)
			require.True(t, known == 0 || known == size)
			known = size
		}
		if known > 8 && known <= len(stream) {
			err := limits.Decode(slices.Clone(stream[:known]), &wire.Command{})
			require.NotErrorIs(t, err, wire.ErrFrameTooLarge)
			require.NotErrorIs(t, err, wire.ErrHeaderTooLarge)
			require.NotErrorIs(t, err, wire.ErrUnknownEncoding)
		}
	})
}
