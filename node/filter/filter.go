package filter

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gantrymq/gantry/transport/message"
)

// The expression types of the protocol (class ExpressionType).
const (
	TypeTag   = "TAG"   // also meant by an empty type
	TypeSQL92 = "SQL92" // refused by brokers whose enablePropertyFilter is off
)

// Limits of an expression. The reference has none; these are far beyond what people write and
// keep the cost of compiling and evaluating a stranger's text small.
const (
	LengthMax = 64 << 10 // bytes of text, as it was written and in canonical form
	DepthMax  = 200      // operators and brackets inside each other
	TermsMax  = 8192     // operators, properties, constants, listed texts; or tags
)

// Lookup returns the value of a message's property and whether the message has it. TAG
// asks for TAGS only, SQL92 for the names that stand in the expression, perhaps
// more than once. A nil Lookup is a message without properties.
type Lookup func(name string) (value string, ok bool)

// Filter is a compiled expression of a subscription. Make one with Compile. It never
// changes, so any number of tasks may use it.
type Filter struct {
	expressionType string
	everything     bool    // TAG: all messages
	tags           textSet // TAG: the tags in the order they were written
	tagHashes      []int32 // TAG: sorted
	condition      *node   // SQL92
}

// Compile reads an expression. An empty type means TAG. For TAG the expression is "*" or empty,
// which is every message, or tags with "||" between them; blanks around a tag do
// not count. For SQL92 see the package comment.
//
// Errors are ErrExpressionType, or a *CompileError of kind ErrSyntax, ErrOperand or ErrLimit.
func Compile(expressionType, expression string) (*Filter, error) {
	if err := checkText(expression); err != nil {
		return nil, err
	}
	compiled, err := compile(expressionType, expression)
	// Blanks and the exponents of doubles make the canonical form longer, but never four times as long.
	if err == nil && len(expression) > LengthMax/4 {
		err = checkLength(len(compiled.String()))
	}
	if err != nil {
		return nil, err
	}
	return compiled, nil
}

func compile(expressionType, expression string) (*Filter, error) {
	switch expressionType {
	case "", TypeTag:
		return compileTags(expression)
	case TypeSQL92:
		condition, err := parse(expression)
		return &Filter{expressionType: TypeSQL92, condition: condition}, err
	}
	return nil, fmt.Errorf("%w %q: write %s or %s, in upper case", ErrExpressionType, abbreviate(expressionType), TypeTag, TypeSQL92)
}

func checkLength(length int) error {
	if length <= LengthMax {
		return nil
	}
	return &CompileError{Kind: ErrLimit, Position: 1,
		Detail: fmt.Sprintf("it has %d bytes with a blank between words, and may have %d: shorten it", length, LengthMax)}
}

func checkText(expression string) error {
	if err := checkLength(len(expression)); err != nil {
		return err
	}
	// Java cannot hold such a text, so what it would mean there is not known.
	for at, r := range expression {
		if r == utf8.RuneError && !strings.HasPrefix(expression[at:], string(utf8.RuneError)) {
			return &CompileError{Kind: ErrSyntax, Position: 1 + utf8.RuneCountInString(expression[:at]),
				Detail: "the expression is not UTF-8: encode it so"}
		}
	}
	return nil
}

// Type returns TypeTag or TypeSQL92.
func (f *Filter) Type() string { return f.expressionType }

// MatchesEverything reports whether every message matches because the expression is "*" or
// empty. It is false for all SQL92 expressions, even TRUE.
func (f *Filter) MatchesEverything() bool { return f.everything }

// Tags returns the tags of a TAG expression as they were written, each once, in a new
// slice (tagsSet). It is empty for SQL92 and for "*".
func (f *Filter) Tags() []string { return slices.Clone(f.tags.list) }

// TagHashes returns the hash codes of Tags in ascending order, each once, in a new slice (codeSet).
func (f *Filter) TagHashes() []int32 { return slices.Clone(f.tagHashes) }

// MatchesTagHash reports whether a message may match, judged by the tag hash that
// its consume queue unit holds (tagsCode); only its low 32 bits count. True from a filter on tags means that
// the tag is one of the filter's or has the hash of one; from SQL92 it means nothing. It does not allocate.
func (f *Filter) MatchesTagHash(tagsCode int64) bool {
	if f.everything || f.condition != nil {
		return true
	}
	_, found := slices.BinarySearch(f.tagHashes, int32(tagsCode))
	return found
}

// Matches reports whether a message matches. Unknown does not match, and neither does a message with a
// value that cannot be compared. It does not allocate, except that a number
// beyond the range of a double costs its conversion's error.
func (f *Filter) Matches(lookup Lookup) bool {
	result := f.evaluate(lookup)
	return result.kind == kindBoolean && result.truth
}

// Evaluate tells more than Matches: True, False or Unknown, and why a message could not be
// judged. The error is a *ValueError, and Truth is then Unknown.
func (f *Filter) Evaluate(lookup Lookup) (Truth, error) {
	switch result := f.evaluate(lookup); {
	case result.kind == kindFailed:
		return Unknown, &ValueError{Position: int(result.number), Value: result.text, Wanted: result.wanted.String()}
	case result.kind == kindAbsent:
		return Unknown, nil
	case result.truth:
		return True, nil
	}
	return False, nil
}

// evaluate returns a boolean, an absent or a failed value.
func (f *Filter) evaluate(lookup Lookup) value {
	switch {
	case f.everything:
		return truthValue(true)
	case lookup == nil:
		return f.evaluateFor(withoutProperties)
	}
	return f.evaluateFor(lookup)
}

func (f *Filter) evaluateFor(lookup Lookup) value {
	if f.condition != nil {
		return f.condition.evaluateCondition(lookup)
	}
	// The comparison is exact, as clients make it: two tags may have the same hash.
	tag, ok := lookup(message.PropertyTags)
	return truthValue(ok && f.tags.contains(tag))
}

func withoutProperties(string) (string, bool) { return "", false }

// String returns the expression in its canonical form: keywords in upper case, as few brackets and
// blanks as can be. Compiling it again gives a filter that matches the same messages
// and has the same String.
func (f *Filter) String() string {
	var text strings.Builder
	switch {
	case f.everything:
		return everyTag
	case f.condition != nil:
		f.condition.write(&text, levelOr)
	default:
		writeTags(&text, f.tags.list)
	}
	return text.String()
}
