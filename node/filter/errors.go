package filter

import (
	"errors"
	"fmt"
)

// Errors of this package. Compare with errors.Is. A broker answers each of the first four with
// SUBSCRIPTION_PARSE_FAILED and the error's text, which says what to write instead.
var (
	// ErrExpressionType: the expression type is neither TAG nor SQL92.
	ErrExpressionType = errors.New("unknown expression type")
	// ErrSyntax: the text is not an expression: a character, word or bracket is missing or
	// stands where it cannot stand.
	ErrSyntax = errors.New("not a filter expression")
	// ErrOperand: the text is an expression, but an operator was given something it cannot work on.
	ErrOperand = errors.New("operator and operand do not fit")
	// ErrLimit: the expression is longer, deeper or has more terms than LengthMax, DepthMax and TermsMax allow.
	ErrLimit = errors.New("filter expression too large")

	// ErrValue: a property of one message has a value that the expression cannot
	// compare. The message is not matched; the expression is fine for others.
	ErrValue = errors.New("property value cannot be compared")
)

// CompileError says what is wrong with an expression and where (MQFilterException).
type CompileError struct {
	Kind     error  // ErrSyntax, ErrOperand or ErrLimit
	Position int    // of the culprit in the expression, in characters, from 1
	Detail   string // what was found and what to write instead
}

// Error is one line that names the position.
func (e *CompileError) Error() string {
	return fmt.Sprintf("%v: character %d: %s", e.Kind, e.Position, e.Detail)
}

// Unwrap returns the Kind.
func (e *CompileError) Unwrap() error { return e.Kind }

// ValueError says which value of a message could not be compared, and where in the expression.
type ValueError struct {
	Position int    // of the operator in the expression, in characters, from 1
	Value    string // as the message has it
	Wanted   string // what the operator needed it to be
}

// Error is one line. A long value is cut.
func (e *ValueError) Error() string {
	return fmt.Sprintf("%v: character %d: %q is not %s", ErrValue, e.Position, abbreviate(e.Value), e.Wanted)
}

// Unwrap returns ErrValue.
func (e *ValueError) Unwrap() error { return ErrValue }

// shownCharacters is how much of a piece of an expression or a value an error shows.
const shownCharacters = 40

// abbreviate cuts text for an error, between two characters.
func abbreviate(text string) string {
	shown := 0
	for at := range text {
		if shown++; shown > shownCharacters {
			return text[:at] + "…"
		}
	}
	return text
}
