package wire_test

import (
	"strings"
	"testing"

	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// oneField decodes a header with the field "k" and returns its value.
func oneField(t *testing.T, value string) (string, bool) {
	t.Helper()
	cmd, err := decodeJSON(`{"extFields":{"k":` + value + `}}`)
	require.NoError(t, err, value)
	text, present := cmd.Fields.Get("k")
	return string(text), present
}

func TestJSONFieldsKeepTheExactTextOfTheirValues(t *testing.T) {
	for value, want := range map[string]string{
		`"text"`:                   "text",
		`""`:                       "",
		`0`:                        "0",
		`-12`:                      "-12",
		`9007199254740993`:         "9007199254740993", // a double could not hold it
		`1.50e+3`:                  "1.50e+3",
		`true`:                     "true",
		`false`:                    "false",
		`{"a":[1,{"b":"\u0041"}]}`: `{"a":[1,{"b":"\u0041"}]}`,
		`[ 1 , "]" ]`:              `[ 1 , "]" ]`,
	} {
		text, present := oneField(t, value)
		require.True(t, present, value)
		require.Equal(t, want, text)
	}
}

func TestJSONFieldsThatAreNullAreLeftOut(t *testing.T) {
	_, present := oneField(t, "null")
	require.False(t, present)
}

func TestJSONEscapesAreResolved(t *testing.T) {
	for value, want := range map[string]string{
		`"a\u0001b\u0002"`:                                 "a\x01b\x02",
		`"\"\\\/\b\f\n\r\t"`:                               "\"\\/\b\f\n\r\t",
		`"\u00e9\u4E3B\u9898"`:                             "é主题",
		`"\ud83d\ude80 \uD83D\uDE80"`:                      "🚀 🚀",
		`"raw 主题 🚀"`:                                       "raw 主题 🚀",
		`"long text before \u0001 and long text after it"`: "long text before \x01 and long text after it",
		`"\ud83d"`:                                         "\uFFFD",
		`"\ude80x"`:                                        "\uFFFDx",
		`"\ud83d\u0041"`:                                   "\uFFFDA",
		`"\ud83d\n"`:                                       "\uFFFD\n",
		"\"raw \x01\"":                                     "raw \x01",
	} {
		text, _ := oneField(t, value)
		require.Equal(t, want, text, value)
	}
}

func TestJSONKeysMayHaveEscapes(t *testing.T) {
	cmd, err := decodeJSON(`{"c\u006fde":3,"extFields":{"a\u0001":"b"}}`)
	require.NoError(t, err)
	require.EqualValues(t, 3, cmd.Code)
	require.Equal(t, "b", cmd.Fields.String("a\x01"))
}

func TestJSONNumbersMayBeQuoted(t *testing.T) {
	cmd, err := decodeJSON(`{"code":"-2147483648","flag":"1","opaque":2147483647,"version":"477","language":"9"}`)
	require.NoError(t, err)
	require.Equal(t, wire.Header{
		Code: -2147483648, Flags: 1, Opaque: 2147483647, Version: 477, Language: wire.LanguageGo,
	}, cmd.Header)
}

func TestJSONMembersThatAreNullOrMissingHaveDefaults(t *testing.T) {
	for _, header := range []string{
		`{}`,
		`{"code":null,"flag":null,"opaque":null,"version":null,"language":null,"remark":null,"extFields":null}`,
	} {
		cmd, err := decodeJSON(header)
		require.NoError(t, err)
		require.Equal(t, wire.Header{}, cmd.Header)
		require.Empty(t, cmd.Fields)
	}
}

func TestJSONUnknownLanguageIsOther(t *testing.T) {
	for _, language := range []string{`"FORTRAN"`, `"A name that is far too long"`, `99`, `-1`, `true`} {
		cmd, err := decodeJSON(`{"language":` + language + `}`)
		require.NoError(t, err)
		require.Equal(t, wire.LanguageOther, cmd.Language)
	}
}

func TestJSONUnknownMembersAreSkipped(t *testing.T) {
	nested := strings.Repeat(`[{"a":`, 16) + `"}]\""` + strings.Repeat(`}]`, 16)
	cmd, err := decodeJSON(`{"x":` + nested + `,"y":-1.5E-7,"z":[],"w":{},"code":5}`)
	require.NoError(t, err)
	require.EqualValues(t, 5, cmd.Code)
}

func TestJSONOfAKeyThatAppearsTwiceTheLastCounts(t *testing.T) {
	cmd, err := decodeJSON(`{"code":1,"extFields":{"a":"1"},"extFields":{"b":"1","b":"2"},"code":2}`)
	require.NoError(t, err)
	require.EqualValues(t, 2, cmd.Code)
	require.Equal(t, "2", cmd.Fields.String("b"))
	_, present := cmd.Fields.Get("a")
	require.False(t, present)
}

func TestJSONThatIsBrokenIsMalformed(t *testing.T) {
	for _, header := range []string{
		``, ` `, `[]`, `null`, `7`, `"x"`, `{`, `}`, `{"`, `{"code`, `{"code"`, `{"code":`, `{"code":1`, `{"code":1,`,
		`{"code":1,}`, `{,}`, `{"a":1 "b":2}`, `{"a" 1}`, `{a:1}`, `{'a':1}`, `{"a":}`, `{"a":1}}`, `{"a":1}x`, "{}\x00",
		`{"a":tru}`, `{"a":nul}`, `{"a":+1}`, `{"a":1.}`, `{"a":-}`, `{"a":.5}`, `{"a":NaN}`,
		`{"a":[}`, `{"a":[1}`, `{"a":{]}`, `{"a":[1,]}`, `{"a":{"b"}}`, `{"a":{1:2}}`, `{"a":"\`, `{"a":"\"}`,
		`{"code":1.5}`, `{"code":2147483648}`, `{"code":-2147483649}`, `{"code":99999999999999999999}`,
		`{"code":"x"}`, `{"code":""}`, `{"code":"-"}`, `{"code":true}`, `{"code":{}}`, `{"opaque":"1 "}`,
		`{"extFields":"x"}`, `{"extFields":[]}`, `{"extFields":1}`, `{"extFields":{"k"}}`, `{"extFields":{"k":}}`,
		`{"extFields":{"k":"\x"}}`, `{"extFields":{"k":"\u12"}}`, `{"extFields":{"k":"\u00g0"}}`, `{"extFields":{"k":"\`,
		`{"extFields":{"k":"a\u0001`, `{"extFields":{"k":"v"}`,
	} {
		_, err := decodeJSON(header)
		require.ErrorIs(t, err, wire.ErrMalformed, "%q", header)
	}
}

func TestJSONNestingIsBounded(t *testing.T) {
	for _, open := range []string{`[`, `{"a":`} {
		for _, before := range []string{`{"x":`, `{"extFields":{"k":`} {
			_, err := decodeJSON(before + strings.Repeat(open, 500_000))
			require.ErrorIs(t, err, wire.ErrMalformed)
			require.ErrorContains(t, err, "nested too deeply")
		}
	}
}

func TestJSONErrorsNameTheMember(t *testing.T) {
	_, err := decodeJSON(`{"opaque":"seven"}`)
	require.EqualError(t, err, "wire: malformed frame: JSON header at byte 17: opaque must be an integer of 32 bits")
}
