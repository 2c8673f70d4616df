package proto

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gantrymq/gantry/transport/wire"
)

// Form is how JSON bodies with keys that are not strings are written.
type Form uint8

const (
	// FormFastJSON is what Java peers write by default: number keys bare, objects as
	// keys. Every Java version reads it; other clients read it where they meet it.
	FormFastJSON Form = iota
	// FormStrict is JSON by the book: all keys are strings, characters beyond ASCII are
	// escaped, integers beyond ±2^53 are strings.
	FormStrict
)

// String names the form.
func (f Form) String() string {
	if f == FormStrict {
		return "strict"
	}
	return "fastjson"
}

// RouteForm is the form of the Route that answers ReqGetRouteInfoByTopic: strict if the
// asker's version is wire.V4_9_4 or later, or if it said that it reads nothing else.
func RouteForm(askerVersion int32, acceptStrictOnly bool) Form {
	if askerVersion >= wire.V4_9_4 || acceptStrictOnly {
		return FormStrict
	}
	return FormFastJSON
}

// maxExact is 2^53: beyond it a reader that keeps numbers as floats loses digits.
const maxExact = 1 << 53

// writer appends compact JSON to text. Go clients take some bodies apart by hand, so there
// must be no blanks. Callers write keys in alphabetical order, as fastjson does.
type writer struct {
	text []byte
	form Form
}

// separate puts a comma before an element that is not the first. The last byte tells: no
// element ends with an opening bracket or a colon.
func (w *writer) separate() {
	if len(w.text) == 0 {
		return
	}
	switch w.text[len(w.text)-1] {
	case '{', '[', ':':
	default:
		w.text = append(w.text, ',')
	}
}

func (w *writer) open(bracket byte) {
	w.separate()
	w.text = append(w.text, bracket)
}

func (w *writer) close(bracket byte) { w.text = append(w.text, bracket) }

// raw writes a text that is JSON already.
func (w *writer) raw(text string) {
	w.separate()
	w.text = append(w.text, text...)
}

func (w *writer) key(name string) {
	w.string(name)
	w.text = append(w.text, ':')
}

// numberKey writes a key of a map from numbers.
func (w *writer) numberKey(n int64) {
	w.separate()
	quoted := w.form == FormStrict
	if quoted {
		w.text = append(w.text, '"')
	}
	w.text = strconv.AppendInt(w.text, n, 10)
	if quoted {
		w.text = append(w.text, '"')
	}
	w.text = append(w.text, ':')
}

// queueKey writes a key of a map from queues.
func (w *writer) queueKey(q Queue) {
	if w.form == FormStrict {
		inner := writer{form: FormStrict}
		inner.queue(q)
		w.key(string(inner.text))
		return
	}
	w.queue(q)
	w.text = append(w.text, ':')
}

func (w *writer) string(s string) {
	w.separate()
	w.text = appendQuoted(w.text, s, w.form == FormStrict)
}

func (w *writer) integer(n int64) {
	w.separate()
	if w.form == FormStrict && (n > maxExact || n < -maxExact) {
		w.text = append(w.text, '"')
		w.text = strconv.AppendInt(w.text, n, 10)
		w.text = append(w.text, '"')
		return
	}
	w.text = strconv.AppendInt(w.text, n, 10)
}

func (w *writer) boolean(b bool) {
	w.separate()
	w.text = strconv.AppendBool(w.text, b)
}

// decimal writes a float as Java does: with at least one digit after the point, and with an exponent
// below a thousandth and from ten million on.
func (w *writer) decimal(f float64) {
	w.separate()
	if math.IsNaN(f) || math.IsInf(f, 0) {
		w.text = append(w.text, "null"...)
		return
	}
	if size := math.Abs(f); size == 0 || size >= 1e-3 && size < 1e7 {
		w.text = appendWithPoint(w.text, strconv.FormatFloat(f, 'f', -1, 64))
		return
	}
	digits, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	n, _ := strconv.Atoi(exponent)
	w.text = append(appendWithPoint(w.text, digits), 'E')
	w.text = strconv.AppendInt(w.text, int64(n), 10)
}

func appendWithPoint(dst []byte, digits string) []byte {
	dst = append(dst, digits...)
	if strings.IndexByte(digits, '.') < 0 {
		dst = append(dst, ".0"...)
	}
	return dst
}

// The methods below write a member of an object.

func (w *writer) stringMember(name, value string) {
	w.key(name)
	w.string(value)
}

func (w *writer) integerMember(name string, value int64) {
	w.key(name)
	w.integer(value)
}

func (w *writer) booleanMember(name string, value bool) {
	w.key(name)
	w.boolean(value)
}

func (w *writer) stringsMember(name string, values []string) {
	w.key(name)
	w.open('[')
	for _, value := range values {
		w.string(value)
	}
	w.close(']')
}

func (w *writer) tableMember(name string, table map[string]string) {
	w.key(name)
	w.table(table)
}

// table writes a map of strings in the order of its keys.
func (w *writer) table(table map[string]string) {
	w.open('{')
	for _, key := range sortedKeys(table) {
		w.stringMember(key, table[key])
	}
	w.close('}')
}

// appendQuoted appends a JSON string. Invalid UTF-8 becomes U+FFFD. With ascii set, what
// is beyond ASCII is escaped by UTF-16 units.
func appendQuoted(dst []byte, s string, ascii bool) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = appendControl(dst, byte(r))
		case r < utf8.RuneSelf || !ascii:
			dst = utf8.AppendRune(dst, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			dst = appendUnit(appendUnit(dst, high), low)
		default:
			dst = appendUnit(dst, r)
		}
	}
	return append(dst, '"')
}

func appendControl(dst []byte, c byte) []byte {
	switch c {
	case '\b':
		return append(dst, '\\', 'b')
	case '\t':
		return append(dst, '\\', 't')
	case '\n':
		return append(dst, '\\', 'n')
	case '\f':
		return append(dst, '\\', 'f')
	case '\r':
		return append(dst, '\\', 'r')
	}
	return appendUnit(dst, rune(c))
}

// appendUnit appends one UTF-16 unit as \uXXXX.
func appendUnit(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', lowerHex[r>>12&15], lowerHex[r>>8&15], lowerHex[r>>4&15], lowerHex[r&15])
}
