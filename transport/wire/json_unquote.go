package wire

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// quoted reads a string and returns what it says, as a slice of the text. Escapes are
// resolved in place, which is possible because each is longer than what it stands for.
// Message properties are separated by control characters, which JSON must escape, so
// escapes are the common case and not the exception.
func (s *jsonScanner) quoted() []byte {
	if s.peek() != '"' {
		s.fail("want a string in quotes")
		return nil
	}
	start := s.at + 1
	end := start + plainLength(s.text[start:])
	if end < len(s.text) && s.text[end] == '"' {
		s.at = end + 1
		return s.text[start:end:end]
	}
	return s.unescape(start, end)
}

// unescape goes on with a string that begins at start and has its first escape at
// read. Everything before write is finished; write <= read always holds.
func (s *jsonScanner) unescape(start, read int) []byte {
	text := s.text
	write := read
	for read < len(text) {
		switch text[read] {
		case '"':
			s.at = read + 1
			return text[start:write:write]
		case '\\':
			size, used := resolveEscape(text[write:], text[read:])
			if used == 0 {
				s.at = read
				s.fail("unknown escape")
				return nil
			}
			write, read = write+size, read+used
		default:
			n := plainLength(text[read:])
			copy(text[write:], text[read:read+n])
			write, read = write+n, read+n
		}
	}
	s.fail("a string has no end")
	return nil
}

// plainLength counts the bytes before the next quote or backslash. It looks at eight
// bytes at a time.
func plainLength(text []byte) int {
	n := 0
	for ; len(text)-n >= 8; n += 8 {
		word := binary.LittleEndian.Uint64(text[n:])
		if found := bytesEqual(word, '"') | bytesEqual(word, '\\'); found != 0 {
			return n + bits.TrailingZeros64(found)/8
		}
	}
	for n < len(text) && text[n] != '"' && text[n] != '\\' {
		n++
	}
	return n
}

// bytesEqual sets the high bit of each byte of word that equals c. Bytes above the first
// such byte may be marked wrongly by the borrow of the subtraction, so only the lowest
// mark counts.
func bytesEqual(word uint64, c byte) uint64 {
	const lowBits, highBits = 0x0101010101010101, 0x8080808080808080
	difference := word ^ lowBits*uint64(c)
	return (difference - lowBits) &^ difference & highBits
}

// shortEscapes gives the byte meant by a backslash and the index; 0 if there is none.
var shortEscapes = [256]byte{
	'"': '"', '\\': '\\', '/': '/',
	'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// resolveEscape writes what the escape at the start of from stands for to the start of
// to. Both are parts of one text, to at or before from. It returns the bytes written
// and the bytes used; none if there is no such escape.
func resolveEscape(to, from []byte) (size, used int) {
	if len(from) < 2 {
		return 0, 0
	}
	if c := shortEscapes[from[1]]; c != 0 {
		to[0] = c
		return 1, 2
	}
	unit, ok := escapedUnit(from)
	if !ok {
		return 0, 0
	}
	if unit < utf8.RuneSelf {
		to[0] = byte(unit)
		return 1, unitSize
	}
	if !utf16.IsSurrogate(unit) {
		return utf8.EncodeRune(to, unit), unitSize
	}
	return resolveSurrogate(to, from, unit)
}

// resolveSurrogate joins two escapes that together mean one character beyond U+FFFF.
// Half a pair alone means no character; U+FFFD takes its place.
func resolveSurrogate(to, from []byte, high rune) (size, used int) {
	if low, ok := escapedUnit(from[unitSize:]); ok {
		if pair := utf16.DecodeRune(high, low); pair != utf8.RuneError {
			return utf8.EncodeRune(to, pair), 2 * unitSize
		}
	}
	return utf8.EncodeRune(to, utf8.RuneError), unitSize
}

// unitSize is the length of \u and four hexadecimal digits.
const unitSize = 6

// escapedUnit reads \u and four hexadecimal digits.
func escapedUnit(text []byte) (rune, bool) {
	if len(text) < unitSize || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	unit := hexValues[text[2]]<<12 | hexValues[text[3]]<<8 | hexValues[text[4]]<<4 | hexValues[text[5]]
	return unit, unit < noHexDigit
}

// noHexDigit marks bytes that are no hexadecimal digit. It is above all that four
// digits can make, so one comparison at the end finds it.
const noHexDigit = 1 << 16

// hexValues gives the value of a hexadecimal digit.
var hexValues = func() (values [256]rune) {
	for c := range values {
		values[c] = noHexDigit
	}
	for c := range rune(10) {
		values['0'+c] = c
	}
	for c := range rune(6) {
		values['a'+c], values['A'+c] = 10+c, 10+c
	}
	return values
}()
