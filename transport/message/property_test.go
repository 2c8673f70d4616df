package message

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPropertyBytesReadsWhatTheReferenceReads(t *testing.T) {
	for _, c := range []struct{ why, encoded, name, want string }{
		{"the only one", "TAGS\x01A\x02", "TAGS", "A"},
		{"no last separator", "TAGS\x01A", "TAGS", "A"},
		{"in the middle", "a\x01b\x02TAGS\x01A\x02c\x01d\x02", "TAGS", "A"},
		{"the first separator counts", "a\x01b\x01c\x02", "a", "b\x01c"},
		{"the last of two counts", "a\x01b\x02a\x01c\x02", "a", "c"},
		{"not there", "TAGS\x01A\x02", "KEYS", ""},
		{"only a longer name", "TAGSX\x01A\x02", "TAGS", ""},
		{"only a shorter name", "TAG\x01SA\x02", "TAGS", ""},
		{"in a value", "a\x01TAGS\x02", "TAGS", ""},
		{"an empty value is none", "a\x01\x02", "a", ""},
		{"an empty value does not hide an earlier one", "a\x01b\x02a\x01\x02", "a", "b"},
		{"no separator", "abc\x02", "abc", ""},
		{"an empty name is none", "\x01bc\x02", "", ""},
		{"nothing", "", "a", ""},
		{"only separators", "\x02\x02\x01\x02", "a", ""},
	} {
		value, ok := PropertyBytes([]byte(c.encoded), c.name)
		require.Equal(t, c.want, string(value), c.why)
		require.Equal(t, c.want != "", ok, c.why)
		require.Equal(t, c.want, ParseProperties([]byte(c.encoded)).Get(c.name), c.why)
	}
}

func TestAppendPropertyPutsInTheMissingSeparator(t *testing.T) {
	for encoded, want := range map[string]string{
		"":            "c\x01d\x02",
		"a\x01b":      "a\x01b\x02c\x01d\x02",
		"a\x01b\x02":  "a\x01b\x02c\x01d\x02",
		"not one at ": "not one at \x02c\x01d\x02",
	} {
		got, err := AppendProperty([]byte(encoded), "c", "d")
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
}

func TestAPropertyThatCouldNotBeReadIsRefused(t *testing.T) {
	for _, bad := range []Property{{"", "v"}, {"n", ""}, {"n\x01", "v"}, {"n\x02", "v"}, {"n", "\x01v"}, {"n", "v\x02"}} {
		got, err := AppendProperty([]byte("a\x01b"), bad.Name, bad.Value)
		require.ErrorIs(t, err, ErrProperty, "%q", bad)
		require.Equal(t, "a\x01b", string(got))
		got, err = Properties{{"a", "b"}, bad}.Append([]byte("before"))
		require.ErrorIs(t, err, ErrProperty, "%q", bad)
		require.Equal(t, "before", string(got))
	}
}

func TestPropertiesHaveAnExactLimit(t *testing.T) {
	fits := Properties{{"a", strings.Repeat("x", PropertiesLengthMax-3)}}
	encoded, err := fits.Append(nil)
	require.NoError(t, err)
	require.Len(t, encoded, PropertiesLengthMax)
	fits.Set("a", fits.Get("a")+"x")
	_, err = fits.Append(nil)
	require.ErrorIs(t, err, ErrPropertiesLength)
}

func TestPropertiesKeepTheOrderInWhichTheyWereSet(t *testing.T) {
	var p Properties
	p.Set("b", "1")
	p.Set("a", "2")
	p.Set("c", "3")
	p.Set("b", "4")
	p.Delete("a")
	p.Delete("never there")
	p.Set("d", "")
	encoded, err := p.Append(nil)
	require.NoError(t, err)
	require.Equal(t, "b\x014\x02c\x013\x02", string(encoded))
	p.Set("c", "")
	require.Equal(t, Properties{{"b", "4"}}, p)
	clone := p.Clone()
	clone.Set("b", "5")
	require.Equal(t, "4", p.Get("b"))
}

func TestPropPropertiesAgreeWithAMap(t *testing.T) {
	text := rapid.StringMatching(`[a-c]{1,2}`)
	rapid.Check(t, func(t *rapid.T) {
		var list Properties
		model := map[string]string{}
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			name := text.Draw(t, "name")
			if rapid.Bool().Draw(t, "delete") {
				list.Delete(name)
				delete(model, name)
			} else {
				value := text.Draw(t, "value")
				list.Set(name, value)
				model[name] = value
			}
		}
		encoded, err := list.Append(nil)
		require.NoError(t, err)
		require.Len(t, encoded, list.EncodedLength())
		require.ElementsMatch(t, slices.Collect(maps.Keys(model)), names(list))
		for name, value := range model {
			require.Equal(t, value, PropertyString(encoded, name))
			require.Equal(t, value, list.Get(name))
		}
		if len(model) > 0 {
			require.Equal(t, list, ParseProperties(encoded))
		}
	})
}

func names(list Properties) (names []string) {
	for _, p := range list {
		names = append(names, p.Name)
	}
	return names
}

func TestReservedPropertiesAreThoseOfTheReference(t *testing.T) {
	for _, name := range []string{"KEYS", "TAGS", "WAIT", "UNIQ_KEY", "POP_CK", "1ST_POP_TIME", "__CRC32#", "MIN_OFFSET", "MSG_TYPE"} {
		require.True(t, ReservedProperty(name), name)
	}
	for _, name := range []string{
		"__SHARDINGKEY", "SHARDING_KEY", "CHECK_IMMUNITY_TIME_IN_SECONDS", "INNER_NUM", "INNER_BASE",
		"TRANSACTION_CHECK_TIMES", "TRACE_CONTEXT", "REDIRECT", "PROPERTY_FORWARD_QUEUE_ID",
		"INNER_MULTI_DISPATCH", "__transactionId__", "__RMQ.TRANSIENT.TOPIC_SYS_FLAG", "mine", "",
	} {
		require.False(t, ReservedProperty(name), name)
	}
}

func TestAMessageReadsItsOwnProperties(t *testing.T) {
	m := Message{Topic: "T", Body: []byte("hello")}
	require.True(t, m.WaitsForStore())
	require.Empty(t, m.Keys())
	m.SetTags("A")
	m.SetKeys("k1", "k2")
	m.Properties.Set(PropertyUniqueID, "U")
	m.Properties.Set(PropertyWaitForStore, "false")
	require.Equal(t, "A", m.Tags())
	require.Equal(t, []string{"k1", "k2"}, m.Keys())
	require.Equal(t, "U", m.UniqueID())
	require.False(t, m.WaitsForStore())
	require.Equal(t, "message for T: 5 body bytes, 4 properties", m.String())
	m.SetTags("")
	require.Empty(t, m.Tags())
}
