package filter

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// tokenKind is the lexical class of a token.
type tokenKind uint8

const (
	tokenEnd      tokenKind = iota // the end of the text, or of what could be read of it
	tokenName                      // a property
	tokenReserved                  // a keyword or a symbol
	tokenText                      // 'in single quotes'
	tokenInteger
	tokenDouble
)

// token is one word of an expression.
type token struct {
	kind     tokenKind
	text     string // as written; of a keyword in upper case; of a text without its quotes
	position int    // in characters, from 1
}

// String shows a token in an error.
func (t token) String() string {
	switch t.kind {
	case tokenEnd:
		return "the end of the expression"
	case tokenText:
		return abbreviate(quote(t.text))
	}
	return abbreviate(t.text)
}

// keywords may be written in any case and cannot be names of properties.
var keywords = []string{"NOT", "AND", "OR", "BETWEEN", "IN", "TRUE", "FALSE", "NULL", "IS", "CONTAINS", "STARTSWITH", "ENDSWITH"}

// symbols in an order in which the first that fits is the longest.
var symbols = []string{"<>", "!=", ">=", "<=", ">", "<", "=", "(", ")", ",", "+", "-"}

// scanner cuts an expression into tokens.
type scanner struct {
	rest     string // what has not been read
	position int    // of rest
}

// next returns the next token, or says what cannot begin one. At the end it returns tokenEnd for ever.
func (s *scanner) next() (token, *CompileError) {
	if err := s.skip(); err != nil {
		return token{}, err
	}
	if s.rest == "" {
		return token{kind: tokenEnd, position: s.position}, nil
	}
	switch first := s.rest[0]; {
	case isNameStart(first):
		return s.word(), nil
	case first == '\'':
		return s.quoted()
	case isDigit(first) || first == '.' && len(s.rest) > 1 && isDigit(s.rest[1]):
		return s.number()
	}
	for _, symbol := range symbols {
		if strings.HasPrefix(s.rest, symbol) {
			return s.take(tokenReserved, len(symbol)), nil
		}
	}
	return token{}, s.fail(s.unreadable())
}

// take cuts a token of so many bytes off.
func (s *scanner) take(kind tokenKind, length int) token {
	taken := token{kind: kind, text: s.rest[:length], position: s.position}
	s.rest = s.rest[length:]
	s.position += utf8.RuneCountInString(taken.text)
	return taken
}

func (s *scanner) fail(detail string) *CompileError {
	return &CompileError{Kind: ErrSyntax, Position: s.position, Detail: detail}
}

// skip passes over blanks and comments. A comment that begins with two minus signs ends with its line;
// the reference wants a line end there even behind the last line, and reads two minus signs without it.
func (s *scanner) skip() *CompileError {
	for {
		rest := strings.TrimLeft(s.rest, " \t\n\r\f")
		s.position += len(s.rest) - len(rest)
		s.rest = rest
		length := 0
		switch {
		case strings.HasPrefix(rest, "--"):
			if length = strings.IndexAny(rest, "\n\r"); length < 0 {
				length = len(rest)
			}
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return s.fail("this comment does not end: write */ behind it")
			}
			length = 2 + end + 2
		default:
			return nil
		}
		s.take(tokenEnd, length)
	}
}

// word reads a keyword or the name of a property.
func (s *scanner) word() token {
	length := 1
	for length < len(s.rest) && (isNameStart(s.rest[length]) || isDigit(s.rest[length])) {
		length++
	}
	word := s.take(tokenName, length)
	if at := slices.IndexFunc(keywords, func(k string) bool { return strings.EqualFold(k, word.text) }); at >= 0 {
		word.kind, word.text = tokenReserved, keywords[at]
	}
	return word
}

// quoted reads a text. Two quotes inside stand for one.
func (s *scanner) quoted() (token, *CompileError) {
	length := 1
	for {
		end := strings.IndexByte(s.rest[length:], '\'')
		if end < 0 {
			return token{}, s.fail("this text does not end: write a single quote behind it, and '' for a quote inside it")
		}
		length += end + 1
		if length == len(s.rest) || s.rest[length] != '\'' {
			break
		}
		length++
	}
	text := s.take(tokenText, length)
	text.text = strings.ReplaceAll(text.text[1:length-1], "''", "'")
	return text, nil
}

// number reads an integer, perhaps with an L behind it, or a double: with a point, an exponent or both.
func (s *scanner) number() (token, *CompileError) {
	whole := digits(s.rest)
	length, kind := whole, tokenInteger
	if strings.HasPrefix(s.rest[length:], ".") {
		kind = tokenDouble
		length += 1 + digits(s.rest[length+1:])
	}
	if exponent := exponentLength(s.rest[length:], 'e'); exponent > 0 {
		kind = tokenDouble
		length += exponent
	}
	if kind == tokenDouble {
		return s.take(kind, length), nil
	}
	// Java brokers read only the first 0 and silently ignore what follows.
	if whole > 1 && s.rest[0] == '0' {
		return token{}, s.fail("an integer does not begin with 0: leave the zeros in front of it out")
	}
	integer := s.take(kind, length)
	if strings.HasPrefix(s.rest, "l") || strings.HasPrefix(s.rest, "L") {
		s.take(kind, 1)
	}
	return integer, nil
}

// unreadable says what to write instead of the character that rest begins with.
func (s *scanner) unreadable() string {
	for _, hint := range hints {
		if strings.HasPrefix(s.rest, hint.begin) {
			return hint.begin + " " + hint.instead
		}
	}
	r, _ := utf8.DecodeRuneInString(s.rest)
	return fmt.Sprintf("%q cannot stand here: names of properties have letters A to Z, digits, _ and $; texts stand in single quotes", r)
}

// hints are for what people write who come from another language.
var hints = []struct{ begin, instead string }{
	{"&&", "is not known: write AND"},
	{"||", "is not known: write OR"},
	{"!", "is not known: write NOT"},
	{`"`, "does not begin a text: write single quotes, as in 'a'"},
	{"`", "does not quote a name: write it without quotes"},
	{";", "does not end an expression: leave it out"},
	{"*", "is not known: there is no arithmetic; for every message subscribe to * with type TAG"},
	{"/", "is not known: there is no arithmetic"},
	{"%", "is not known: there is no arithmetic; write CONTAINS, STARTSWITH or ENDSWITH to search"},
}

func isNameStart(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == '$'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// digits counts the digits that a text begins with.
func digits(text string) int {
	count := 0
	for count < len(text) && isDigit(text[count]) {
		count++
	}
	return count
}

// exponentLength returns the length of the exponent that a text begins with, 0 if it begins with none. The letter
// in front of the exponent is given in lower case.
func exponentLength(text string, letter byte) int {
	if text == "" || text[0]|0x20 != letter {
		return 0
	}
	sign := 0
	if len(text) > 1 && (text[1] == '+' || text[1] == '-') {
		sign = 1
	}
	count := digits(text[1+sign:])
	if count == 0 {
		return 0
	}
	return 1 + sign + count
}
