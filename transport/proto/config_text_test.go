package proto

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestConfigTextIsReadAsJavaDoes(t *testing.T) {
	text := "# a comment\n" +
		"  ! another\n" +
		"\n" +
		"brokerName=broker-a\r\n" +
		"brokerId : 0\r" +
		"flushDiskType\tASYNC_FLUSH\n" +
		"empty=\n" +
		"alone\n" +
		"path=C\\:\\\\store # kept  \n" +
		"list=a,\\\n" +
		"     b\n" +
		"key\\ with\\=all\\:=x=y\n" +
		"unicode=\\u8ba2\\ud83d\\ude00\\u0041\n" +
		"tabs=\\t\\n\\r\\f\\q\n" +
		"brokerName=again"
	entries, err := ParseConfigText([]byte(text))
	require.NoError(t, err)
	require.Equal(t, ConfigText{
		{"brokerName", "broker-a"}, {"brokerId", "0"}, {"flushDiskType", "ASYNC_FLUSH"}, {"empty", ""}, {"alone", ""},
		{"path", `C:\store # kept  `}, {"list", "a,b"}, {"key with=all:", "x=y"}, {"unicode", "订😀A"}, {"tabs", "\t\n\r\fq"},
		{"brokerName", "again"},
	}, entries)
	value, ok := entries.Get("brokerName")
	require.True(t, ok)
	require.Equal(t, "again", value)
	_, ok = entries.Get("other")
	require.False(t, ok)
	require.Equal(t, "11 settings", entries.String())
}

func TestConfigTextRefusesBrokenEscapes(t *testing.T) {
	for _, text := range []string{`a=\u12`, `a=\u12x4`, `\uzzzz=1`} {
		_, err := ParseConfigText([]byte(text))
		require.ErrorIs(t, err, ErrConfigText, text)
	}
}

func TestConfigTextIsPlainForPlainValues(t *testing.T) {
	require.Equal(t, "brokerName=broker-a\nnamesrvAddr=a:9876;b:9876\nnote=a b=c\n",
		string(ConfigText{{"brokerName", "broker-a"}, {"namesrvAddr", "a:9876;b:9876"}, {"note", "a b=c"}}.Marshal()))
}

func TestConfigTextSurvives(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var want ConfigText
		for range rapid.IntRange(0, 5).Draw(r, "entries") {
			want = append(want, ConfigEntry{
				Key:   "k" + rapid.String().Draw(r, "key"),
				Value: rapid.String().Draw(r, "value"),
			})
		}
		read, err := ParseConfigText(want.Marshal())
		require.NoError(r, err)
		require.Equal(r, want, read)
	})
}

// FuzzConfigText: no input makes it panic, and what was read survives.
func FuzzConfigText(f *testing.F) {
	f.Add([]byte("a=b\\\n c\n#x\n\\u0041:\\\\"))
	f.Fuzz(func(t *testing.T, text []byte) {
		read, err := ParseConfigText(text)
		if err != nil {
			require.ErrorIs(t, err, ErrConfigText)
			return
		}
		again, err := ParseConfigText(read.Marshal())
		require.NoError(t, err)
		require.Len(t, again, len(read))
	})
}
