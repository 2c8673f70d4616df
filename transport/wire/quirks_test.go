package wire_test

import (
	"testing"

	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// foreign decodes a frame as a client of another make sends it.
func foreign(t *testing.T, name string) *wire.Command {
	t.Helper()
	return decode(t, readGolden(t, "testdata/foreign/"+name+".hex").frame)
}

func TestCPPClientMixesNumbersAndStringsAndEndsWithANewline(t *testing.T) {
	cmd := foreign(t, "cpp-pull")
	require.Equal(t, wire.LanguageCPP, cmd.Language)
	require.EqualValues(t, wire.VersionOrdinal(4, 6, 0), cmd.Version)
	require.Equal(t, "9007199254740993", cmd.Fields.String("queueOffset"))
	require.Equal(t, "*", cmd.Fields.String("subscription"))
	accessKey, present := cmd.Fields.Get("AccessKey")
	require.True(t, present)
	require.Empty(t, accessKey)
	require.Nil(t, cmd.Body) // the newline belongs to the header
}

func TestNpmClientSendsRawValuesWhoseTextIsKept(t *testing.T) {
	cmd := foreign(t, "ali-ons-send")
	require.EqualValues(t, wire.V3_4_9, cmd.Version)
	require.Equal(t, map[string]string{
		"a": "G", "b": "T", "d": "8", "g": "1726732800123", "j": "0", "k": "false", "m": "true", "w": "1.50e+3",
	}, fieldMap(cmd.Fields))
	require.Equal(t, "hi", string(cmd.Body))
}

func TestGoClientSendsAnEmptyRemarkAndAnEmptyMap(t *testing.T) {
	cmd := foreign(t, "go-empty-fields")
	require.Equal(t, wire.LanguageGo, cmd.Language)
	require.EqualValues(t, wire.VersionOrdinal(4, 5, 2), cmd.Version)
	require.Empty(t, cmd.Remark)
	require.Empty(t, cmd.Fields)
	require.EqualValues(t, 2, cmd.Opaque)
}

func TestJavaClientEscapesTheSeparatorsOfProperties(t *testing.T) {
	cmd := decode(t, readGolden(t, sendFrame).frame)
	require.Equal(t,
		"KEYS\x01order-1000234\x02UNIQ_KEY\x017F0000016B2818B4AAC25D0A5D0A0000\x02WAIT\x01true\x02TAGS\x01TagA\x02",
		cmd.Fields.String("i"))
}

func TestJavaClientThatSignsRepeatsEntriesInBinary(t *testing.T) {
	cmd := foreign(t, "java-signed-binary")
	require.Len(t, cmd.Fields, 3)
	require.Equal(t, "T", cmd.Fields.String("topic"))
}

func TestBothFormsOfTheWorkedRequestSayTheSame(t *testing.T) {
	json := decode(t, readGolden(t, "testdata/canonical/route-request-json.hex").frame)
	binary := decode(t, readGolden(t, "testdata/canonical/route-request-binary.hex").frame)
	binary.Encoding = wire.EncodingJSON
	requireEqual(t, json, binary)
}
