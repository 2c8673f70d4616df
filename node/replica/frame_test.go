package replica

import (
	"encoding/hex"
	"testing"

	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestFramesHaveTheBytesThatTheProtocolSays(t *testing.T) {
	list := []Era{{1, 0}, {7, 0x1000}}
	for _, c := range []struct {
		frame Frame
		bytes string
	}{
		{&Hello{ID: 2, Incarnation: 0x55, Learner: true, SegmentSize: 0x40000000, Start: 0, End: 0x2000, Eras: list},
			"0000004e" + "6d3c709a" + "01" + "00000007" + "0000000000000002" + "0000000000000055" + "01" + "0000000040000000" + "0000000000000000" + "0000000000002000" +
				"00000002" + "00000001" + "0000000000000000" + "00000007" + "0000000000001000"},
		{&Refusal{"no"}, "0000000b" + "3c596396" + "03" + "00000007" + "6e6f"},
		{&Bytes{At: 0x1000, Era: Era{7, 0x1000}, Confirmed: 0x900, End: 0x1002, Bytes: []byte("hi")},
			"0000002f" + "1d311116" + "04" + "00000007" + "0000000000001000" + "00000007" + "0000000000001000" + "0000000000000900" + "0000000000001002" + "6869"},
		{&Change{Number: 5, First: true, Operation: OperationPut, Name: "a", Bytes: []byte("b")}, "0000001e" + "25002808" + "05" + "00000007" + "0000000000000005" + "01" + "01" + "01" + "61" + "0000000000000000" + "62"},
		{&Report{Position{End: 3, Flushed: 2, Table: 1}}, "00000021" + "45a7ca54" + "06" + "00000007" + "0000000000000003" + "0000000000000002" + "0000000000000001"},
	} {
		encoded := AppendFrame(nil, 7, c.frame)
		require.Equal(t, c.bytes, hex.EncodeToString(encoded))
		epoch, decoded, err := DecodeFrame(encoded)
		require.NoError(t, err)
		require.Equal(t, Epoch(7), epoch)
		require.Equal(t, c.frame, decoded)
	}
}

func TestEveryFrameIsReadAsItWasWritten(t *testing.T) {
	place := rapid.Custom(func(t *rapid.T) message.LogOffset { return message.LogOffset(rapid.Int64Min(0).Draw(t, "place")) })
	list := rapid.SliceOf(rapid.Custom(func(t *rapid.T) Era {
		return Era{Epoch(rapid.Int32().Draw(t, "epoch")), place.Draw(t, "start")}
	}))
	rapid.Check(t, func(t *rapid.T) {
		bytes := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		frame := rapid.SampledFrom([]Frame{
			&Hello{ID: BrokerID(rapid.Int64().Draw(t, "id")), SegmentSize: 5, End: place.Draw(t, "end"), Eras: list.Draw(t, "eras")},
			&Welcome{Point: place.Draw(t, "point"), Anew: rapid.Bool().Draw(t, "anew"), Check: rapid.Uint32().Draw(t, "check"), Eras: list.Draw(t, "eras")},
			&Refusal{string(bytes)},
			&Bytes{At: place.Draw(t, "at"), Bytes: bytes},
			&Change{Number: rapid.Uint64().Draw(t, "number"), LastOfFirst: rapid.Bool().Draw(t, "last"), Operation: OperationAppend, Name: "topics.json", Bytes: bytes},
			&Report{Position{End: place.Draw(t, "end"), Table: rapid.Uint64().Draw(t, "table")}},
		}).Draw(t, "frame")
		epoch := Epoch(rapid.Int32Min(0).Draw(t, "epoch"))
		encoded := AppendFrame([]byte("before"), epoch, frame)[6:]
		got, decoded, err := DecodeFrame(encoded)
		require.NoError(t, err)
		require.Equal(t, epoch, got)
		require.Equal(t, encoded, AppendFrame(nil, got, decoded))

		damaged := append([]byte(nil), encoded...)
		at := rapid.IntRange(0, len(damaged)-1).Draw(t, "damaged")
		damaged[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		_, _, err = DecodeFrame(damaged)
		require.ErrorIs(t, err, ErrFrame)
	})
}

func FuzzFrames(f *testing.F) {
	f.Add(AppendFrame(nil, 3, &Hello{Eras: []Era{{1, 2}}}))
	f.Add(AppendFrame(nil, 3, &Change{Name: "x"}))
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) >= FrameHead {
			// Past the checksum, to the fields.
			n := len(p) - 4
			p[0], p[1], p[2], p[3] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
			sum := Checksum(p[8:])
			p[4], p[5], p[6], p[7] = byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)
		}
		if _, frame, err := DecodeFrame(p); err != nil {
			require.ErrorIs(t, err, ErrFrame)
		} else {
			require.NotEmpty(t, frame.kind().String())
		}
	})
}

func TestASizeThatNoFrameHasIsRefusedBeforeItIsReserved(t *testing.T) {
	n, err := FrameSize([]byte{0, 0, 0})
	require.NoError(t, err)
	require.Zero(t, n)
	for _, p := range [][]byte{{0xFF, 0, 0, 0}, {0, 0, 0, 0}, {0, 0x80, 0, 0}} {
		_, err := FrameSize(p)
		require.ErrorIs(t, err, ErrFrame)
	}
}
