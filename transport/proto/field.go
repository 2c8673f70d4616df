package proto

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/gantrymq/gantry/transport/wire"
)

// ErrField is under every *FieldError. Brokers answer it with RespSystemError or
// RespInvalidParameter.
var ErrField = errors.New("unusable header field")

// FieldError says which field of a header cannot be used and why.
type FieldError struct {
	Field string // the protocol's key
	Value string // what was sent, shortened; empty if Missing
	Want  string // what is needed instead; empty if Missing
	// Missing is true if a required field was not sent at all.
	Missing bool
}

// Error names the field and says what to send.
func (e *FieldError) Error() string {
	if e.Missing {
		return fmt.Sprintf("header field %q is missing: this request needs it", e.Field)
	}
	return fmt.Sprintf("header field %q holds %q: send %s", e.Field, e.Value, e.Want)
}

// Unwrap returns ErrField.
func (e *FieldError) Unwrap() error { return ErrField }

const (
	wantInt32 = "a decimal number of 32 bits"
	wantInt64 = "a decimal number of 64 bits"
)

// shown is how much of a wrong value an error or a description repeats.
const shown = 64

func shorten(value []byte) string {
	if len(value) > shown {
		return string(value[:shown]) + "…"
	}
	return string(value)
}

// fieldReader takes typed values out of fields and keeps the first fault, so that a
// decoder is a list of assignments with one check at its end.
type fieldReader struct {
	fields wire.Fields
	err    error
}

func (r *fieldReader) fail(err *FieldError) {
	if r.err == nil {
		r.err = err
	}
}

// text reads an optional text, "" if absent.
func (r *fieldReader) text(key string) string { return r.fields.String(key) }

// needText reads a required text. It may be empty, but it must have been sent.
func (r *fieldReader) needText(key string) string {
	value, ok := r.fields.Get(key)
	if !ok {
		r.fail(&FieldError{Field: key, Missing: true})
	}
	return string(value)
}

// flag reads an optional boolean.
func (r *fieldReader) flag(key string, fallback bool) bool {
	value, ok := r.fields.Get(key)
	if !ok {
		return fallback
	}
	return parseFlag(value)
}

func (r *fieldReader) maybeFlag(key string) Maybe[bool] {
	value, ok := r.fields.Get(key)
	if !ok || len(value) == 0 {
		return Maybe[bool]{}
	}
	return Some(parseFlag(value))
}

func (r *fieldReader) maybeInt64(key string) Maybe[int64] {
	value, _ := r.fields.Get(key)
	n, ok := parseInt(value)
	return Maybe[int64]{Value: n, Set: ok}
}

func (r *fieldReader) maybeInt32(key string) Maybe[int32] {
	m := r.maybeInt64(key)
	if !m.Set || !fitsInt32(m.Value) {
		return Maybe[int32]{}
	}
	return Some(int32(m.Value))
}

// integer and int32 read optional numbers, 0 if absent.
func (r *fieldReader) integer(key string) int64 { return r.maybeInt64(key).Value }
func (r *fieldReader) int32(key string) int32   { return r.maybeInt32(key).Value }

func (r *fieldReader) needInteger(key string) int64 { return r.needNumber(key, 64, wantInt64) }
func (r *fieldReader) needInt32(key string) int32   { return int32(r.needNumber(key, 32, wantInt32)) }

func (r *fieldReader) needNumber(key string, bits int, want string) int64 {
	value, ok := r.fields.Get(key)
	if !ok {
		r.fail(&FieldError{Field: key, Missing: true})
		return 0
	}
	n, ok := parseInt(value)
	if !ok || bits == 32 && !fitsInt32(n) {
		r.fail(&FieldError{Field: key, Value: shorten(value), Want: want})
		return 0
	}
	return n
}

func fitsInt32(n int64) bool { return n >= math.MinInt32 && n <= math.MaxInt32 }

// parseFlag reads a boolean as Java does: "true" in any case, else false.
func parseFlag(value []byte) bool {
	return len(value) == 4 && strings.EqualFold(string(value), "true")
}

// parseInt reads a decimal number of 64 bits with an optional sign, without
// allocating. It refuses everything else, blanks included.
func parseInt(value []byte) (int64, bool) {
	digits, negative := value, false
	if len(digits) > 0 && (digits[0] == '-' || digits[0] == '+') {
		negative = digits[0] == '-'
		digits = digits[1:]
	}
	if len(digits) == 0 {
		return 0, false
	}
	limit := uint64(math.MaxInt64)
	if negative {
		limit++ // there is one more negative number than positive ones
	}
	var n uint64
	for _, c := range digits {
		d := uint64(c) - '0'
		if d > 9 || n > (limit-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	if negative {
		return -int64(n), true
	}
	return int64(n), true
}

// The writers below leave out what is unset.

func encodeText(e *wire.Encoder, key, value string) {
	if value != "" {
		e.String(key, value)
	}
}

func encodeInteger(e *wire.Encoder, key string, value int64) {
	if value != 0 {
		e.Int(key, value)
	}
}

func encodeMaybe[T int32 | int64](e *wire.Encoder, key string, value Maybe[T]) {
	if value.Set {
		e.Int(key, int64(value.Value))
	}
}

func encodeMaybeFlag(e *wire.Encoder, key string, value Maybe[bool]) {
	if value.Set {
		e.Bool(key, value.Value)
	}
}
