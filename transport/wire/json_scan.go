package wire

import "fmt"

// jsonScanner walks through JSON text once, from left to right.
//
// It keeps the first error and then stands at the end of the text, where every step
// fails at once; so callers need not check after each step, and every loop ends. It
// reads syntax only as far as needed to find where things end: numbers are taken as
// runs of number characters, and raw control characters in strings are let through.
type jsonScanner struct {
	text []byte
	at   int // next byte to read; 0 <= at <= len(text)
	err  error
}

// fail records what is wrong here.
func (s *jsonScanner) fail(what string) {
	s.stop(fmt.Errorf("%w: JSON header at byte %d: %s", ErrMalformed, s.at, what))
}

// stop records an error, unless there is one already.
func (s *jsonScanner) stop(err error) {
	if s.err == nil {
		s.err = err
	}
	s.at = len(s.text)
}

// peek passes over white space and returns the next byte without taking it; 0 at the
// end. No JSON token begins with 0, so the two need not be told apart.
func (s *jsonScanner) peek() byte {
	for s.at < len(s.text) {
		c := s.text[s.at]
		if c > ' ' || !isSpace(c) {
			return c
		}
		s.at++
	}
	return 0
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// expect takes one punctuation byte, such as a colon or an opening brace. Compact text,
// which is all that clients send, is told apart here so that the call is inlined.
func (s *jsonScanner) expect(c byte) {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return
	}
	s.expectLater(c)
}

// expectLater is expect where white space may come first.
func (s *jsonScanner) expectLater(c byte) {
	if s.peek() != c {
		s.fail("want '" + string(rune(c)) + "'")
		return
	}
	s.at++
}

// more reports whether another element follows in an object or array, after taking the
// comma before it; or else takes the closing bracket.
func (s *jsonScanner) more(first bool, closing byte) bool {
	c := s.peek()
	if c == closing {
		s.at++
		return false
	}
	if first {
		return s.err == nil
	}
	if c != ',' {
		s.fail("want ',' or '" + string(rune(closing)) + "'")
		return false
	}
	s.at++
	return true
}

// finish checks that nothing but white space is left.
func (s *jsonScanner) finish() {
	if s.peek(); s.at < len(s.text) {
		s.fail("the header goes on after its object")
	}
}

// scalar reads a value as text: a string as what it says, anything else, nested values
// too, exactly as written. It is false for null and after an error.
func (s *jsonScanner) scalar() (text []byte, present bool) {
	c := s.peek()
	if c == '"' {
		return s.quoted(), s.err == nil
	}
	start := s.at
	s.skip(0)
	return s.text[start:s.at:s.at], c != 'n' && s.err == nil
}

// skip passes over one value and changes no byte of it.
func (s *jsonScanner) skip(depth int) {
	switch s.peek() {
	case '"':
		s.skipString()
	case '{', '[':
		s.skipNested(depth + 1)
	case 't':
		s.word("true")
	case 'f':
		s.word("false")
	case 'n':
		s.word("null")
	default:
		s.digits()
	}
}

// skipNested passes over an object or array. The depth is bounded, because the stack
// would otherwise grow as the sender likes.
func (s *jsonScanner) skipNested(depth int) {
	if depth > maxNesting {
		s.fail("values are nested too deeply")
		return
	}
	closing := byte(']')
	if s.text[s.at] == '{' {
		closing = '}'
	}
	s.at++
	for first := true; s.more(first, closing); first = false {
		if closing == '}' {
			s.skipKey()
		}
		s.skip(depth)
	}
}

func (s *jsonScanner) skipKey() {
	if s.peek() != '"' {
		s.fail("want a key in quotes")
		return
	}
	s.skipString()
	s.expect(':')
}

// skipString passes over a string; the scanner stands on its opening quote.
func (s *jsonScanner) skipString() {
	end := s.at + 1
	for {
		end += plainLength(s.text[end:])
		if end >= len(s.text) {
			s.fail("a string has no end")
			return
		}
		if s.text[end] == '"' {
			s.at = end + 1
			return
		}
		end = min(end+2, len(s.text)) // a backslash and what it escapes
	}
}

// word takes one of JSON's three words.
func (s *jsonScanner) word(word string) {
	end := s.at + len(word)
	if end > len(s.text) || string(s.text[s.at:end]) != word {
		s.fail("want a value")
		return
	}
	s.at = end
}

// digits takes a number: it begins with a digit or a minus sign and ends with a digit.
// What lies between is not judged, for the text is kept and not computed with.
func (s *jsonScanner) digits() {
	end := s.at
	for end < len(s.text) && isNumberByte(s.text[end]) {
		end++
	}
	number := s.text[s.at:end]
	if len(number) == 0 || !(isDigit(number[0]) || number[0] == '-') || !isDigit(number[len(number)-1]) {
		s.fail("want a value")
		return
	}
	s.at = end
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isNumberByte(c byte) bool {
	return isDigit(c) || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}
