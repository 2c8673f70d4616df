package wire_test

import (
	"testing"

	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// appendSendReply writes the answer to a send as a broker does.
func appendSendReply(dst []byte, encoding wire.Encoding) []byte {
	header := wire.Header{
		Encoding: encoding, Language: wire.LanguageGo, Version: wire.OwnVersion,
		Opaque: 12345, Flags: wire.FlagResponse,
	}
	e := wire.Begin(dst, &header)
	e.String("msgId", "7F00000100002A9F0000000000000000")
	e.Int("queueId", 3)
	e.Int("queueOffset", 1234567)
	e.Bytes("transactionId", transactionID)
	e.String("MSG_REGION", "DefaultRegion")
	e.Bool("TRACE_ON", true)
	return e.End(nil)
}

var transactionID = []byte("7F0000016B2818B4AAC25D0A5D0A0000")

// TestHotPathsAllocateNothing covers what a broker does for each message.
func TestHotPathsAllocateNothing(t *testing.T) {
	json := readGolden(t, sendFrame).frame
	binary := asBinary(t, json)
	frame := make([]byte, len(json))
	out := make([]byte, 0, 4096)
	var cmd wire.Command
	decodeCopy := func(original []byte) func() {
		return func() {
			copied := frame[:copy(frame, original)]
			if err := (wire.Limits{}).Decode(copied, &cmd); err != nil || len(cmd.Fields) != 13 {
				t.Error(err, len(cmd.Fields))
			}
		}
	}
	for name, operation := range map[string]func(){
		"decode of a JSON send":    decodeCopy(json),
		"decode of a binary send":  decodeCopy(binary),
		"frame size":               func() { _, _ = wire.Limits{}.FrameSize(json) },
		"encode of a JSON reply":   func() { appendSendReply(out, wire.EncodingJSON) },
		"encode of a binary reply": func() { appendSendReply(out, wire.EncodingBinary) },
		"encode of a command":      func() { wire.AppendCommand(out, &cmd) },
	} {
		operation() // the first decode gives cmd its capacity
		require.Zero(t, testing.AllocsPerRun(100, operation), name)
	}
}

// asBinary writes a frame again in the binary encoding.
func asBinary(t testing.TB, frame []byte) []byte {
	t.Helper()
	cmd := decode(t, frame)
	cmd.Encoding = wire.EncodingBinary
	return wire.AppendCommand(nil, cmd)
}

// benchmarkDecode includes the copy of the frame, as decoding changes it.
func benchmarkDecode(b *testing.B, original []byte) {
	frame := make([]byte, len(original))
	var cmd wire.Command
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		copy(frame, original)
		if err := (wire.Limits{}).Decode(frame, &cmd); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeJSON(b *testing.B) { benchmarkDecode(b, readGolden(b, sendFrame).frame) }

func BenchmarkDecodeBinary(b *testing.B) {
	benchmarkDecode(b, asBinary(b, readGolden(b, sendFrame).frame))
}

func benchmarkEncodeReply(b *testing.B, encoding wire.Encoding) {
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		appendSendReply(out, encoding)
	}
}

func BenchmarkEncodeReplyJSON(b *testing.B)   { benchmarkEncodeReply(b, wire.EncodingJSON) }
func BenchmarkEncodeReplyBinary(b *testing.B) { benchmarkEncodeReply(b, wire.EncodingBinary) }

func BenchmarkEncodeSendJSON(b *testing.B) {
	cmd := decode(b, readGolden(b, sendFrame).frame)
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		wire.AppendCommand(out, cmd)
	}
}
