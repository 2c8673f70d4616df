package proto

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

const lowerHex = "0123456789abcdef"

// blanks skips white space and comments.
func (t *translator) blanks() error {
	for t.pos < len(t.src) {
		switch t.src[t.pos] {
		case ' ', '\t', '\n', '\r', '\f', '\b':
			t.pos++
		case '/':
			if err := t.comment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

func (t *translator) comment() error {
	rest := t.src[t.pos:]
	var end []byte
	switch {
	case bytes.HasPrefix(rest, []byte("//")):
		end = []byte("\n")
	case bytes.HasPrefix(rest, []byte("/*")):
		end = []byte("*/")
	default:
		return t.fail("a lone slash")
	}
	at := bytes.Index(rest[2:], end)
	switch {
	case at >= 0:
		t.pos += 2 + at + len(end)
	case len(end) == 1:
		t.pos = len(t.src) // a line comment may end with the text
	default:
		return t.fail("a comment without an end")
	}
	return nil
}

// text reads a string in either kind of quotes and writes it in double ones.
func (t *translator) text() error {
	quote := t.src[t.pos]
	start := t.pos
	t.pos++
	t.out = append(t.out, '"')
	for t.pos < len(t.src) {
		switch c := t.src[t.pos]; {
		case c == quote:
			t.pos++
			t.out = append(t.out, '"')
			return nil
		case c == '\\':
			if err := t.escape(); err != nil {
				return err
			}
		case c == '"':
			t.pos++
			t.out = append(t.out, '\\', '"')
		case c < ' ':
			t.pos++
			t.unicode(c)
		case c < utf8.RuneSelf:
			t.pos++
			t.out = append(t.out, c)
		default:
			// An invalid byte decodes as U+FFFD of width 1, a valid character as itself.
			r, width := utf8.DecodeRune(t.src[t.pos:])
			t.pos += width
			t.out = utf8.AppendRune(t.out, r)
		}
	}
	t.pos = start
	return t.fail("a string without an end")
}

// unicode writes a small character code as an escape.
func (t *translator) unicode(c byte) {
	t.out = append(t.out, '\\', 'u', '0', '0', lowerHex[c>>4], lowerHex[c&15])
}

// escape reads what begins with a backslash and writes it as JSON knows it.
func (t *translator) escape() error {
	if t.pos+1 == len(t.src) {
		return t.fail("a string without an end")
	}
	switch c := t.src[t.pos+1]; c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		t.out = append(t.out, '\\', c)
	case 'F':
		t.out = append(t.out, '\\', 'f')
	case '\'':
		t.out = append(t.out, c)
	case 'v':
		t.unicode('\v')
	case '0', '1', '2', '3', '4', '5', '6', '7':
		t.unicode(c - '0')
	case 'x':
		return t.hexEscape(2)
	case 'u':
		return t.hexEscape(4)
	default:
		return t.fail("an unknown escape")
	}
	t.pos += 2
	return nil
}

// hexEscape reads \xHH or \uHHHH and writes the latter.
func (t *translator) hexEscape(digits int) error {
	from := t.pos + 2
	if from+digits > len(t.src) {
		return t.fail("an escape without its digits")
	}
	for _, c := range t.src[from : from+digits] {
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return t.fail("an escape without its digits")
		}
	}
	t.out = append(t.out, '\\', 'u')
	if digits == 2 {
		t.out = append(t.out, '0', '0')
	}
	t.out = append(t.out, t.src[from:from+digits]...)
	t.pos = from + digits
	return nil
}

func isDigit(c byte) bool       { return c >= '0' && c <= '9' }
func isNumberStart(c byte) bool { return isDigit(c) || c == '-' || c == '+' || c == '.' }

// isWordByte reports whether c may stand in a bare word.
func isWordByte(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || isDigit(c) || c == '_' || c == '$'
}

// numberValue reads a number, or the infinity that has a sign.
func (t *translator) numberValue() error {
	rest := t.src[t.pos:]
	if bytes.HasPrefix(rest, []byte("-Infinity")) || bytes.HasPrefix(rest, []byte("+Infinity")) {
		t.pos += len("-Infinity")
		t.out = append(t.out, "null"...)
		return nil
	}
	return t.number()
}

// number reads a number and writes it in JSON's grammar.
func (t *translator) number() error {
	start := t.pos
	if t.skip("-") {
		t.out = append(t.out, '-')
	} else {
		t.skip("+")
	}
	whole := t.digits()
	significant := bytes.TrimLeft(whole, "0")
	if len(significant) == 0 {
		t.out = append(t.out, '0')
	}
	t.out = append(t.out, significant...)
	var fraction []byte
	if t.skip(".") {
		if fraction = t.digits(); len(fraction) > 0 {
			t.out = append(append(t.out, '.'), fraction...)
		}
	}
	if len(whole)+len(fraction) == 0 || !t.exponent() {
		t.pos = start
		return t.fail("a number without digits")
	}
	t.skip("LSBFD")
	return nil
}

// exponent copies an exponent, if there is one. It reports false if that has no digits.
func (t *translator) exponent() bool {
	start := t.pos
	if !t.skip("eE") {
		return true
	}
	t.skip("+-")
	digits := t.digits()
	t.out = append(t.out, t.src[start:t.pos]...)
	return len(digits) > 0
}

// skip steps over one byte if it is one of the set.
func (t *translator) skip(set string) bool {
	if t.pos < len(t.src) && strings.IndexByte(set, t.src[t.pos]) >= 0 {
		t.pos++
		return true
	}
	return false
}

// digits reads a run of digits, which may be empty.
func (t *translator) digits() []byte {
	start := t.pos
	for t.pos < len(t.src) && isDigit(t.src[t.pos]) {
		t.pos++
	}
	return t.src[start:t.pos]
}

// bareWord reads a word that is a key.
func (t *translator) bareWord() error {
	t.out = append(t.out, t.takeWord()...)
	return nil
}

func (t *translator) takeWord() []byte {
	start := t.pos
	for t.pos < len(t.src) && isWordByte(t.src[t.pos]) {
		t.pos++
	}
	return t.src[start:t.pos]
}

// word reads a word that is a value.
func (t *translator) word() error {
	start := t.pos
	switch word := t.takeWord(); string(word) {
	case "true", "false", "null":
		t.out = append(t.out, word...)
		return nil
	case "NaN", "Infinity", "undefined":
		t.out = append(t.out, "null"...)
		return nil
	case "Set", "TreeSet":
		if err := t.blanks(); err != nil {
			return err
		}
		if t.skip("[") {
			return t.open(container{})
		}
	case "new":
		if err := t.blanks(); err != nil {
			return err
		}
		if string(t.takeWord()) == "Date" {
			return t.date()
		}
	}
	t.pos = start
	return t.fail("an unknown word")
}

// date reads the argument of new Date(…): wall milliseconds.
func (t *translator) date() error {
	if !t.skip("(") {
		return t.fail("a date without an argument")
	}
	if err := t.blanks(); err != nil {
		return err
	}
	if err := t.number(); err != nil {
		return err
	}
	if err := t.blanks(); err != nil {
		return err
	}
	if !t.skip(")") {
		return t.fail("a date without an end")
	}
	return nil
}
