package wire_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// anyText draws text that is rich in what the codecs treat specially.
var anyText = rapid.OneOf(
	rapid.StringMatching(`[a-zA-Z_0-9]{0,20}`),
	rapid.StringOf(rapid.SampledFrom([]rune("a\"\\/\x00\x01\x02\n\x7fé主🚀\uFFFD\u2028"))),
	rapid.String(),
)

func anyCommand(encoding wire.Encoding, code, version *rapid.Generator[int32]) *rapid.Generator[*wire.Command] {
	return rapid.Custom(func(t *rapid.T) *wire.Command {
		cmd := &wire.Command{Header: wire.Header{
			Encoding: encoding,
			Code:     code.Draw(t, "code"),
			Language: wire.Language(rapid.IntRange(0, 13).Draw(t, "language")),
			Version:  version.Draw(t, "version"),
			Opaque:   rapid.Int32().Draw(t, "opaque"),
			Flags:    rapid.SampledFrom([]int32{0, 1, 2, 3, -1, math.MinInt32}).Draw(t, "flags"),
			Remark:   anyText.Draw(t, "remark"),
		}}
		for range rapid.IntRange(0, 20).Draw(t, "fields") {
			cmd.Fields.Add(anyText.Draw(t, "key"), anyText.Draw(t, "value"))
		}
		cmd.Body = rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		return cmd
	})
}

// anyBinaryCode draws what 16 bits can hold, but for the numbers that stand for POP requests.
var anyBinaryCode = rapid.OneOf(
	rapid.Int32Range(-32768, 3441), rapid.Int32Range(3449, 3542), rapid.Int32Range(3544, 32767),
)

// requireEqual compares what commands say. Nothing and a slice of length zero are the same.
func requireEqual(t require.TestingT, want, got *wire.Command) {
	require.Equal(t, want.Header, got.Header)
	require.Equal(t, string(want.Body), string(got.Body))
	require.Len(t, got.Fields, len(want.Fields))
	for i := range want.Fields {
		require.Equal(t, string(want.Fields[i].Key), string(got.Fields[i].Key))
		require.Equal(t, string(want.Fields[i].Value), string(got.Fields[i].Value))
	}
}

// requireRoundTrip encodes behind other bytes and decodes into a command that was used before.
func requireRoundTrip(t require.TestingT, cmd *wire.Command) {
	out := wire.AppendCommand([]byte("before"), cmd)
	require.Equal(t, "before", string(out[:6]))
	used := wire.Command{Header: wire.Header{Remark: "old"}, Fields: make(wire.Fields, 3), Body: []byte("old")}
	require.NoError(t, wire.Limits{}.Decode(out[6:], &used))
	requireEqual(t, cmd, &used)
}

func TestEveryCommandSurvivesJSON(t *testing.T) {
	commands := anyCommand(wire.EncodingJSON, rapid.Int32(), rapid.Int32())
	rapid.Check(t, func(t *rapid.T) { requireRoundTrip(t, commands.Draw(t, "command")) })
}

func TestEveryCommandSurvivesBinary(t *testing.T) {
	commands := anyCommand(wire.EncodingBinary, anyBinaryCode, rapid.Int32Range(-32768, 32767))
	rapid.Check(t, func(t *rapid.T) { requireRoundTrip(t, commands.Draw(t, "command")) })
}

func TestJSONWrittenHereIsReadEquallyByTheStandardLibrary(t *testing.T) {
	commands := anyCommand(wire.EncodingJSON, rapid.Int32Range(-32768, 32767), rapid.Int32Range(-32768, 32767))
	rapid.Check(t, func(t *rapid.T) {
		cmd := commands.Draw(t, "command")
		var header goClientHeader
		require.NoError(t, json.Unmarshal([]byte(headerText(wire.AppendCommand(nil, cmd))), &header))
		require.Equal(t, goClientHeader{
			Code: int16(cmd.Code), Language: cmd.Language.String(), Version: int16(cmd.Version),
			Opaque: cmd.Opaque, Flag: cmd.Flags, Remark: cmd.Remark, ExtFields: fieldMap(cmd.Fields),
		}, header)
	})
}

// anyJSON draws values of any kind, nested to a depth.
func anyJSON(depth int) *rapid.Generator[any] {
	kinds := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Int64().AsAny(), rapid.Float64Range(-1e300, 1e300).AsAny(), anyText.AsAny(),
	}
	if depth > 0 {
		kinds = append(kinds,
			rapid.SliceOfN(anyJSON(depth-1), 0, 4).AsAny(),
			rapid.MapOfN(anyText, anyJSON(depth-1), 0, 4).AsAny())
	}
	return rapid.OneOf(kinds...)
}

// written is the text the decoder should keep of a value, given as its JSON.
func written(t require.TestingT, value json.RawMessage) string {
	if value[0] != '"' {
		return string(value)
	}
	var text string
	require.NoError(t, json.Unmarshal(value, &text))
	return text
}

func TestJSONOfTheStandardLibraryIsReadEquallyHere(t *testing.T) {
	values := anyJSON(3)
	rapid.Check(t, func(t *rapid.T) {
		raw := map[string]json.RawMessage{}
		want := map[string]string{}
		for key, value := range rapid.MapOfN(anyText, values, 0, 8).Draw(t, "fields") {
			text, err := json.Marshal(value)
			require.NoError(t, err)
			raw[key] = text
			if value != nil {
				want[key] = written(t, text)
			}
		}
		header, err := json.Marshal(map[string]any{
			"aUnknown": values.Draw(t, "unknown"), "code": 7, "extFields": raw, "zUnknown": values.Draw(t, "unknown"),
		})
		require.NoError(t, err)
		cmd, err := decodeJSON(string(header))
		require.NoError(t, err)
		require.EqualValues(t, 7, cmd.Code)
		require.Equal(t, want, fieldMap(cmd.Fields))
	})
}
