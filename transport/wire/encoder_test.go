package wire_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

func TestEncoderWritesEveryKindOfValueAsText(t *testing.T) {
	for _, encoding := range []wire.Encoding{wire.EncodingJSON, wire.EncodingBinary} {
		header := wire.Header{Encoding: encoding, Code: 10, Remark: "remark"}
		e := wire.Begin([]byte("before"), &header)
		e.String("string", "text")
		e.Bytes("bytes", []byte("text"))
		e.Int("smallest", math.MinInt64)
		e.Int("largest", math.MaxInt64)
		e.Bool("true", true)
		e.Bool("false", false)
		e.String("empty", "")
		out := e.End([]byte("body"))
		require.Equal(t, "before", string(out[:6]))
		cmd := decode(t, out[6:])
		require.Equal(t, header, cmd.Header)
		require.Equal(t, "body", string(cmd.Body))
		require.Equal(t, map[string]string{
			"string": "text", "bytes": "text", "smallest": "-9223372036854775808", "largest": "9223372036854775807",
			"true": "true", "false": "false", "empty": "",
		}, fieldMap(cmd.Fields))
	}
}

func fieldMap(fields wire.Fields) map[string]string {
	values := map[string]string{}
	for _, field := range fields {
		values[string(field.Key)] = string(field.Value)
	}
	return values
}

func TestEndDetachedCountsABodyThatFollows(t *testing.T) {
	for _, encoding := range []wire.Encoding{wire.EncodingJSON, wire.EncodingBinary} {
		header := wire.Header{Encoding: encoding}
		whole := wire.Begin(nil, &header)
		parted := wire.Begin(nil, &header)
		require.Equal(t, whole.End([]byte("body")), append(parted.EndDetached(4), "body"...))
	}
}

func TestEncoderWritesAnUnknownEncodingAsJSON(t *testing.T) {
	cmd := decode(t, wire.AppendCommand(nil, &wire.Command{Header: wire.Header{Encoding: 7, Code: 1}}))
	require.Equal(t, wire.Header{Code: 1}, cmd.Header)
}

func TestEncoderWritesAnUnknownLanguageAsOther(t *testing.T) {
	for _, encoding := range []wire.Encoding{wire.EncodingJSON, wire.EncodingBinary} {
		header := wire.Header{Encoding: encoding, Language: 200}
		require.Equal(t, wire.LanguageOther, decode(t, wire.AppendCommand(nil, &wire.Command{Header: header})).Language)
	}
}

// headerText returns the JSON of a frame.
func headerText(frame []byte) string {
	return string(frame[8 : 8+int(frame[5])<<16+int(frame[6])<<8+int(frame[7])])
}

func TestJSONIsWrittenWithEscapes(t *testing.T) {
	for value, want := range map[string]string{
		"\x00\x01\x02\x1f":  `"\u0000\u0001\u0002\u001f"`,
		"\"\\/\n\r\t\b\f":   `"\"\\/\n\r\t\u0008\u000c"`,
		"é主题🚀\x7f":          "\"é主题🚀\x7f\"",
		"a\xffb\xc3":        "\"a\uFFFDb\uFFFD\"",
		"\xed\xa0\x80":      "\"\uFFFD\uFFFD\uFFFD\"", // half a surrogate pair in UTF-8
		"a\uFFFDb":          "\"a\uFFFDb\"",
		"\xf0\x9f\x9a cut ": "\"\uFFFD\uFFFD\uFFFD cut \"",
	} {
		header := wire.Header{}
		e := wire.Begin(nil, &header)
		e.String("k", value)
		require.Contains(t, headerText(e.End(nil)), `"k":`+want+`}`)
	}
}

// The struct into which the Go client v2 reads a header: narrow numbers, and values
// that must be strings.
type goClientHeader struct {
	Code      int16             `json:"code"`
	Language  string            `json:"language"`
	Version   int16             `json:"version"`
	Opaque    int32             `json:"opaque"`
	Flag      int32             `json:"flag"`
	Remark    string            `json:"remark"`
	ExtFields map[string]string `json:"extFields"`
}

func TestRepliesCanBeReadByTheGoClient(t *testing.T) {
	var header goClientHeader
	require.NoError(t, json.Unmarshal([]byte(headerText(appendSendReply(nil, wire.EncodingJSON))), &header))
	require.Equal(t, goClientHeader{
		Language: "GO", Version: wire.OwnVersion, Opaque: 12345, Flag: wire.FlagResponse,
		ExtFields: map[string]string{
			"msgId": "7F00000100002A9F0000000000000000", "queueId": "3", "queueOffset": "1234567",
			"transactionId": string(transactionID), "MSG_REGION": "DefaultRegion", "TRACE_ON": "true",
		},
	}, header)
}

func TestRepliesWithoutFieldsStillHaveTheMap(t *testing.T) {
	frame := wire.AppendCommand(nil, &wire.Command{})
	require.Contains(t, headerText(frame), `"extFields":{}`)
	require.NotContains(t, headerText(frame), "remark")
}

func TestJSONFramesHaveNothingInTheTopByteOfTheHeaderWord(t *testing.T) {
	// The C++ and npm clients take the whole word for the length.
	require.Zero(t, appendSendReply(nil, wire.EncodingJSON)[4])
}
