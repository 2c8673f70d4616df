package wire_test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// golden is one file of testdata: a frame, and how it is described when decoded.
//
// A line "= …" gives the description. All other lines are bytes: pairs of hexadecimal
// digits, or text in backquotes as it stands. "#" begins a comment.
type golden struct {
	description string
	frame       []byte
}

func readGolden(t testing.TB, path string) golden {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	var g golden
	for line := range strings.Lines(string(content)) {
		line = strings.TrimRight(line, "\n")
		if text, ok := strings.CutPrefix(line, "= "); ok {
			g.description = text
			continue
		}
		g.frame = append(g.frame, goldenLine(t, line)...)
	}
	require.NotEmpty(t, g.frame, path)
	return g
}

// goldenLine alternates between hexadecimal digits and quoted text.
func goldenLine(t testing.TB, line string) (bytes []byte) {
	t.Helper()
	for line != "" {
		digits, rest, quoted := strings.Cut(line, "`")
		digits, _, comment := strings.Cut(digits, "#")
		raw, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
		require.NoError(t, err, line)
		bytes = append(bytes, raw...)
		if comment || !quoted {
			break
		}
		text, after, closed := strings.Cut(rest, "`")
		require.True(t, closed, line)
		bytes = append(bytes, text...)
		line = after
	}
	return bytes
}

func goldenFiles(t testing.TB, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", pattern, "*.hex"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	return paths
}

func TestGoldenFramesDecodeToWhatTheirFilesSay(t *testing.T) {
	for _, path := range goldenFiles(t, "*") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			g := readGolden(t, path)
			size, err := wire.Limits{}.FrameSize(g.frame)
			require.NoError(t, err)
			require.Equal(t, len(g.frame), size)
			require.Equal(t, g.description, decode(t, g.frame).String())
		})
	}
}

func TestCanonicalFramesAreWrittenByteForByte(t *testing.T) {
	for _, path := range goldenFiles(t, "canonical") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			g := readGolden(t, path)
			require.Equal(t, string(g.frame), string(wire.AppendCommand(nil, decode(t, g.frame))))
		})
	}
}

func TestWorkedFramesHaveTheSizesOfTheReference(t *testing.T) {
	require.Len(t, readGolden(t, "testdata/canonical/route-request-json.hex").frame, 129)
	require.Len(t, readGolden(t, "testdata/canonical/route-request-binary.hex").frame, 41)
	require.Len(t, readGolden(t, sendFrame).frame, 8+407+5)
}

// sendFrame is the frame of the benchmarks.
const sendFrame = "testdata/canonical/java-send-v2.hex"

// decode decodes a copy, so that the bytes given stay as they are.
func decode(t testing.TB, frame []byte) *wire.Command {
	t.Helper()
	var cmd wire.Command
	require.NoError(t, wire.Limits{}.Decode(append([]byte(nil), frame...), &cmd))
	return &cmd
}
