package wire_test

import (
	"strings"
	"testing"

	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

func TestCloneSharesNoMemoryWithTheFrame(t *testing.T) {
	frame := readGolden(t, sendFrame).frame
	want := decode(t, frame).String()
	var cmd wire.Command
	require.NoError(t, wire.Limits{}.Decode(frame, &cmd))
	clone := cmd.Clone()
	clear(frame)
	cmd.Fields[0] = wire.Field{}
	require.Equal(t, want, clone.String())
}

func TestCloneKeepsTheLackOfABody(t *testing.T) {
	require.Nil(t, (&wire.Command{}).Clone().Body)
}

func TestFieldsGetReturnsTheLastOfEqualKeys(t *testing.T) {
	var fields wire.Fields
	fields.Add("a", "1")
	fields.Add("b", "2")
	fields.Add("a", "3")
	require.Equal(t, "3", fields.String("a"))
	value, present := fields.Get("c")
	require.False(t, present)
	require.Nil(t, value)
	require.Empty(t, fields.String("c"))
}

func TestCommandIsDescribedInOneLine(t *testing.T) {
	cmd := wire.Command{Header: wire.Header{
		Encoding: wire.EncodingBinary, Code: 36, Language: wire.LanguageRust, Version: 476, Opaque: -5, Flags: 6,
		Remark: "two\nlines",
	}, Body: make([]byte, 1024)}
	cmd.Fields.Add("group", "a=b")
	cmd.Fields.Add("", "é")
	cmd.Fields.Add("SecurityToken", "secret")
	cmd.Fields.Add("Signature", "secret")
	cmd.Fields.Add("long", strings.Repeat("x", 65))
	require.Equal(t,
		`oneway 36 opaque -5 from RUST 5.3.2-SNAPSHOT ROCKETMQ flags 6 remark "two\nlines" `+
			`fields{group="a=b" ""="é" SecurityToken=(hidden) Signature=(hidden) long=`+strings.Repeat("x", 64)+`…} body 1024 B`,
		cmd.String())
	require.Equal(t, `request 0 opaque 0 from JAVA ordinal 0`, (&wire.Header{}).String())
}

func TestDescriptionShowsOnlySoManyFields(t *testing.T) {
	var cmd wire.Command
	for range 18 {
		cmd.Fields.Add("k", "v")
	}
	require.Contains(t, cmd.String(), " k=v and 2 more}")
}

func TestEncodingsAreNamedAsInTheProtocol(t *testing.T) {
	require.Equal(t, "JSON", wire.EncodingJSON.String())
	require.Equal(t, "ROCKETMQ", wire.EncodingBinary.String())
	require.Equal(t, "encoding 9", wire.Encoding(9).String())
}
