package proto

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestStrictTranslatesTheDialect(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		// Scalars at the top.
		{`1`, `1`}, {` "a" `, `"a"`}, {`null`, `null`}, {"\ufefftrue", `true`},
		// Keys.
		{`{0:"a",-1:"b"}`, `{"0":"a","-1":"b"}`},
		{`{a:1,_b$2:2,true:3,null:4}`, `{"a":1,"_b$2":2,"true":3,"null":4}`},
		{`{'a':1}`, `{"a":1}`},
		{`{{"brokerName":"b","queueId":0,"topic":"T"}:100}`, `{"{\"brokerName\":\"b\",\"queueId\":0,\"topic\":\"T\"}":100}`},
		{`{ {a : 'x"y' , b:[1 , 2]} : 1 , {} : 2 }`, `{"{\"a\":\"x\\\"y\",\"b\":[1,2]}":1,"{}":2}`},
		{`{{"a":{"b":"\u0041\n"}}:{{"c":1}:2}}`, `{"{\"a\":{\"b\":\"\\u0041\\n\"}}":{"{\"c\":1}":2}}`},
		// Strings.
		{`'it\'s'`, `"it's"`}, {`'say "x"'`, `"say \"x\""`}, {"\"a\tb\nc\"", `"a\u0009b\u000ac"`},
		{`"\v\F\x41\0\7\/\u00e9"`, `"\u000b\f\u0041\u0000\u0007\/\u00e9"`}, {`"订单😀"`, `"订单😀"`}, {"\"\xff\"", `"` + "\ufffd" + `"`},
		// Numbers.
		{`[12L,1S,7B,1.5F,2D]`, `[12,1,7,1.5,2]`}, {`[+1,007,-0,.5,5.,1e3,1E+3,1.5e-3]`, `[1,7,-0,0.5,5,1e3,1E+3,1.5e-3]`},
		{`123456789012345678901234567890`, `123456789012345678901234567890`},
		// Commas and comments.
		{`[,1,,2,]`, `[1,2]`}, {`{,"a":1,,"b":2,}`, `{"a":1,"b":2}`}, {`[,]`, `[]`},
		{"// head\n{/* one */\"a\"/**/:/* two */1}// tail", `{"a":1}`},
		// Special values.
		{`[NaN,Infinity,-Infinity,+Infinity,undefined]`, `[null,null,null,null,null]`},
		{`[new Date(1700000000000), new  Date( 1 )]`, `[1700000000000,1]`},
		{`{"a":Set[1,2],"b":TreeSet["x"],"c":Set []}`, `{"a":[1,2],"b":["x"],"c":[]}`},
	} {
		got, err := Strict([]byte(c.src))
		require.NoError(t, err, c.src)
		require.Equal(t, c.want, string(got), c.src)
	}
}

func TestStrictRefusesWhatIsNoJSON(t *testing.T) {
	for _, c := range []struct {
		src, problem string
		offset       int
	}{
		{``, "a value is missing", 0},
		{`{`, "unexpected end", 1},
		{`{"a"`, "unexpected end", 4},
		{`{"a":`, "a value is missing", 5},
		{`{"a",1}`, "a colon is missing", 4},
		{`{"a":1 "b":2}`, "a comma is missing", 7},
		{`[1 2]`, "a comma is missing", 3},
		{`[1}`, "a comma is missing", 2},
		{`{"a":}`, "a value is missing", 5},
		{`{[1]:1}`, "a key is missing", 1},
		{`[1]]`, "text after the end", 3},
		{`hello`, "an unknown word", 0},
		{`new Thing(1)`, "an unknown word", 0},
		{`new Date`, "a date without an argument", 8},
		{`new Date(1`, "a date without an end", 10},
		{`"abc`, "a string without an end", 0},
		{`"abc\`, "a string without an end", 4},
		{`"\q"`, "an unknown escape", 1},
		{`"\u12g4"`, "an escape without its digits", 1},
		{`"\x4`, "an escape without its digits", 1},
		{`-`, "a number without digits", 0},
		{`.`, "a number without digits", 0},
		{`1e`, "a number without digits", 0},
		{`/* `, "a comment without an end", 0},
		{`/1`, "a lone slash", 0},
		{`{{{"a":1}:2}:3}`, "an object inside a key has an object as key", 2},
	} {
		_, err := Strict([]byte(c.src))
		require.ErrorIs(t, err, ErrJSON, c.src)
		var syntax *SyntaxError
		require.True(t, errors.As(err, &syntax), c.src)
		require.Equal(t, SyntaxError{Offset: c.offset, Problem: c.problem}, *syntax, c.src)
	}
}

func TestStrictLimitsDepth(t *testing.T) {
	nested := func(depth int) []byte {
		return []byte(strings.Repeat("[", depth) + strings.Repeat("]", depth))
	}
	_, err := Strict(nested(MaxDepth))
	require.NoError(t, err)
	_, err = Strict(nested(MaxDepth + 1))
	require.ErrorContains(t, err, "nested too deep at byte 64")
}

func TestStrictDoesNotTouchItsSource(t *testing.T) {
	src := []byte(`{0:'a',{b:1}:2}`)
	before := bytes.Clone(src)
	_, err := Strict(src)
	require.NoError(t, err)
	require.Equal(t, before, src)
}

func TestStrictResolvesReferences(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{`{"a":{"x":1},"b":{"$ref":"$.a"}}`, `{"a":{"x":1},"b":{"x":1}}`},
		{`{"s":[{"v":[1,2]},{"$ref":"$.s[0]"},{"$ref":"$.s[0].v"}]}`, `{"s":[{"v":[1,2]},{"v":[1,2]},[1,2]]}`},
		{`{"t":{"a%b":{"n":1.50}},"u":{"$ref":"$.t.a\\%b"}}`, `{"t":{"a%b":{"n":1.50}},"u":{"n":1.50}}`},
		{`{0:{"x":true},"b":{"$ref":"$[0]"}}`, `{"0":{"x":true},"b":{"x":true}}`},
		// What cannot be followed stays.
		{`{"b":{"$ref":"$.a"}}`, `{"b":{"$ref":"$.a"}}`},
		{`{"a":[],"b":{"$ref":"$.a[0]"}}`, `{"a":[],"b":{"$ref":"$.a[0]"}}`},
		{`{"b":{"$ref":"$"}}`, `{"b":{"$ref":"$"}}`},
		{`{"b":{"$ref":"$x"}}`, `{"b":{"$ref":"$x"}}`},
		{`{"b":{"$ref":".."}}`, `{"b":{"$ref":".."}}`},
		{`{"a":{"$ref":"$.b","c":1},"b":1}`, `{"a":{"$ref":"$.b","c":1},"b":1}`},
		{`{"a":{"$ref":"$.b"},"b":{"$ref":"$.a"}}`, `{"a":{"$ref":"$.a"},"b":{"$ref":"$.b"}}`},
		{`"say \"$ref\""`, `"say \"$ref\""`},
	} {
		got, err := Strict([]byte(c.src))
		require.NoError(t, err, c.src)
		require.Equal(t, c.want, string(got), c.src)
	}
}

func TestStrictRefusesReferencesThatBlowUp(t *testing.T) {
	large := `{"a":[` + strings.Repeat(`{"x":"0123456789"},`, 1000) + `],"b":[` + strings.Repeat(`{"$ref":"$.a"},`, 1000) + `]}`
	_, err := Strict([]byte(large))
	require.ErrorIs(t, err, ErrJSON)
	require.ErrorContains(t, err, "references")
}

// plain decodes strict JSON without losing digits.
func plain(t *testing.T, text []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	require.NoError(t, decoder.Decode(&v), "%s", text)
	return v
}

// FuzzStrict: no input makes it panic; what it returns is JSON in UTF-8, bounded in size,
// and a fixed point; strict JSON keeps its meaning.
func FuzzStrict(f *testing.F) {
	for _, seed := range []string{
		`{0:"10.0.0.1:10911",1:"b"}`, `{{"brokerName":"b","queueId":0,"topic":"T"}:{"maxOffset":1}}`,
		`{'a':[1,,2,],b:NaN/*c*/,"d":new Date(1),e:Set[1L]}`, `{"a":{"b":[1.5e3,-0,true,null]},"b":{"$ref":"$.a.b[0]"}}`,
		"{\"\x01\":'\\x41\\'\"'}", "\ufeff[[[[]]]]", `{{{}:1}:1}`, "\"\xff\xfe\"", `{"\ud800":"\udc00😀"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		out, err := Strict(src)
		if err != nil {
			require.ErrorIs(t, err, ErrJSON)
			return
		}
		require.True(t, json.Valid(out), "%q", out)
		require.True(t, utf8.Valid(out), "%q", out)
		require.LessOrEqual(t, len(out), maxGrowth*len(src)+growthBase)
		if bytes.Contains(out, []byte(`"$ref"`)) || bytes.Contains(src, []byte(`$ref`)) {
			return
		}
		again, err := Strict(out)
		require.NoError(t, err)
		require.Equal(t, out, again)
		if json.Valid(src) && utf8.Valid(src) {
			require.True(t, reflect.DeepEqual(plain(t, src), plain(t, out)), "%s\n%s", src, out)
		}
	})
}

func BenchmarkStrict(b *testing.B) {
	body := sampleRoute().Marshal(FormFastJSON)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Strict(body); err != nil {
			b.Fatal(err)
		}
	}
}
