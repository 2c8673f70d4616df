package promtest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

type tokenKind int

const (
	endOfText tokenKind = iota
	nameToken           // a metric, a label, a function or a keyword
	numberToken
	stringToken
	durationToken
	signToken // operators and brackets
)

// token is one word of an expression.
type token struct {
	kind tokenKind
	text string // of a string what is in its quotes
	at   int    // bytes from the beginning
}

// String shows the word.
func (t token) String() string {
	if t.kind == endOfText {
		return "the end"
	}
	return strconv.Quote(t.text)
}

// shapes are the words by their beginnings, tried in this order. A duration comes before a number, which is its beginning.
var shapes = []struct {
	kind  tokenKind
	shape *regexp.Regexp
}{
	{durationToken, regexp.MustCompile(`^([0-9]+(ms|s|m|h|d|w|y))+`)},
	{numberToken, regexp.MustCompile(`^(0x[0-9a-fA-F]+|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?)`)},
	{nameToken, regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_:]*`)},
	{stringToken, regexp.MustCompile(`^("(\\.|[^"\\\n])*"|'(\\.|[^'\\\n])*')`)},
	{signToken, regexp.MustCompile(`^(=~|!~|==|!=|>=|<=|[-+*/%^<>=(){}\[\],:@])`)},
}

var (
	blanks  = regexp.MustCompile(`^(\s+|#[^\n]*)+`)
	inNames = regexp.MustCompile(`^[a-zA-Z0-9_]`)
)

// tokens takes an expression apart.
func tokens(text string) ([]token, error) {
	var all []token
	for at := 0; ; {
		at += len(blanks.FindString(text[at:]))
		if at == len(text) {
			return append(all, token{endOfText, "", at}), nil
		}
		word, err := nextToken(text[at:])
		if err != nil {
			return nil, fmt.Errorf("at byte %d: %w", at, err)
		}
		length := len(word.text)
		if word.kind == stringToken {
			if word.text, err = unquote(word.text); err != nil {
				return nil, fmt.Errorf("at byte %d: %w", at, err)
			}
		}
		word.at = at
		all = append(all, word)
		at += length
	}
}

func nextToken(text string) (token, error) {
	for _, s := range shapes {
		found := s.shape.FindString(text)
		if found == "" {
			continue
		}
		if rest := text[len(found):]; (s.kind == durationToken || s.kind == numberToken) && inNames.MatchString(rest) {
			return token{}, fmt.Errorf("%q is neither a number nor a duration", found+rest[:1])
		}
		return token{kind: s.kind, text: found}, nil
	}
	return token{}, fmt.Errorf("%q is no word of an expression", strings.SplitN(text, " ", 2)[0])
}

func unquote(quoted string) (string, error) {
	if quoted[0] == '\'' {
		quoted = `"` + strings.ReplaceAll(strings.ReplaceAll(quoted[1:len(quoted)-1], `"`, `\"`), `\'`, `'`) + `"`
	}
	text, err := strconv.Unquote(quoted)
	if err != nil {
		return "", fmt.Errorf("the string %s: %w", quoted, err)
	}
	return text, nil
}
