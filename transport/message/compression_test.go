package message

import (
	"bytes"
	"encoding/hex"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var compressions = []Compression{CompressionZlib, CompressionLZ4, CompressionZstd}

func TestPropBodiesSurviveCompression(t *testing.T) {
	var compressor Compressor
	var decompressor Decompressor
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(compressions).Draw(t, "kind")
		level := rapid.IntRange(-1, 30).Draw(t, "level")
		piece := drawBytes(t, "piece", 0, 50)
		body := bytes.Repeat(piece, rapid.IntRange(1, 200).Draw(t, "times"))

		stored, err := compressor.Append([]byte("before"), body, kind, level)
		require.NoError(t, err)
		require.Equal(t, "before", string(stored[:6]))
		fresh, err := new(Compressor).Append(nil, body, kind, level)
		require.NoError(t, err)
		require.Equal(t, fresh, stored[6:], "scratch memory leaves no trace")

		got, err := decompressor.Append([]byte("ahead"), stored[6:], kind, len(body))
		require.NoError(t, err)
		require.Equal(t, "ahead"+string(body), string(got))
		if len(body) > 0 {
			got, err = decompressor.Append([]byte("ahead"), stored[6:], kind, len(body)-1)
			require.ErrorIs(t, err, ErrBodyLength)
			require.Equal(t, "ahead", string(got))
		}
	})
}

// What other programs wrote: python's zlib, the lz4 and zstd command lines with frames of
// unknown length.
func TestForeignBodiesAreRead(t *testing.T) {
	for kind, stored := range map[Compression]string{
		// header, one stored block (last, length 5), "hello", Adler-32
		CompressionZlib: "7801 01 0500 faff 68656c6c6f 062c0215",
		// magic, version 1 with independent blocks, blocks of 4 MiB, header checksum, one
		// block as it is (length 5), "hello", end
		CompressionLZ4: "04224d18 60 70 73 05000080 68656c6c6f 00000000",
		// magic, no content length, window of 2 MiB, one last block as it is (length 5), "hello"
		CompressionZstd: "28b52ffd 00 58 290000 68656c6c6f",
	} {
		raw, err := hex.DecodeString(strings.ReplaceAll(stored, " ", ""))
		require.NoError(t, err)
		var d Decompressor
		got, err := d.Append(nil, raw, kind, 5)
		require.NoError(t, err, kind.String())
		require.Equal(t, "hello", string(got))
	}
}

func TestABodyThatIsNotWhatItSaysIsRefused(t *testing.T) {
	var compressor Compressor
	body := bytes.Repeat([]byte("some text "), 500)
	for _, kind := range compressions {
		var decompressor Decompressor
		good, err := compressor.Append(nil, body, kind, CompressionLevelDefault)
		require.NoError(t, err)
		require.Less(t, len(good), len(body)/5, "%v is worth it", kind)
		for _, bad := range [][]byte{nil, []byte("nonsense"), good[:len(good)-1], good[:len(good)/2], body} {
			got, err := decompressor.Append([]byte("ahead"), bad, kind, 1<<20)
			require.ErrorIs(t, err, ErrCompression, "%v %d bytes", kind, len(bad))
			require.Equal(t, "ahead", string(got))
		}
		// An error leaves nothing behind.
		got, err := decompressor.Append(nil, good, kind, 1<<20)
		require.NoError(t, err)
		require.Equal(t, body, got)
	}
}

func TestAnUnknownCompressionIsRefused(t *testing.T) {
	for _, kind := range []Compression{0, 4, 7} {
		_, err := new(Compressor).Append(nil, []byte("x"), kind, 5)
		require.ErrorIs(t, err, ErrCompression)
		_, err = new(Decompressor).Append(nil, []byte("x"), kind, 5)
		require.ErrorIs(t, err, ErrCompression)
	}
	_, err := new(Decompressor).Body([]byte("x"), 0x401, 5)
	require.ErrorIs(t, err, ErrCompression)
}

func TestBodyLooksAtTheFlags(t *testing.T) {
	var d Decompressor
	plain := []byte("hello")
	got, err := d.Body(plain, 0, 1)
	require.NoError(t, err)
	require.Equal(t, plain, got, "not compressed: no limit to keep")
	stored, err := new(Compressor).Append(nil, plain, CompressionZlib, 5)
	require.NoError(t, err)
	got, err = d.Body(stored, FlagCompressed, 5)
	require.NoError(t, err)
	require.Equal(t, plain, got)
}

func TestALargeBodyIsNotSetAsideBeyondTheLimit(t *testing.T) {
	var compressor Compressor
	bomb := make([]byte, 32<<20)
	for _, kind := range compressions {
		stored, err := compressor.Append(nil, bomb, kind, 5)
		require.NoError(t, err)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = new(Decompressor).Append(nil, stored, kind, 64<<10)
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, ErrBodyLength)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(12<<20), "%v", kind)
	}
}
