package proto

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// ErrBody is under every error of the Unmarshal functions.
var ErrBody = errors.New("unusable body")

// unmarshal reads a body of the given kind: the dialect first, then encoding/json. Unknown
// members are ignored.
func unmarshal(kind string, body []byte, into any) error {
	strict, err := Strict(body)
	if err == nil {
		err = json.Unmarshal(strict, into)
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrBody, kind, err)
	}
	return nil
}

// The types below are read more freely than encoding/json would, as fastjson does:
// numbers may come as strings, booleans as strings or numbers, texts as numbers. A null
// leaves the value alone.

type looseInt64 int64

// UnmarshalJSON reads a whole number of 64 bits.
func (n *looseInt64) UnmarshalJSON(text []byte) error {
	value, given, err := looseNumber(text)
	if err == nil && given {
		*n = looseInt64(value)
	}
	return err
}

type looseInt32 int32

// UnmarshalJSON reads a whole number of 32 bits.
func (n *looseInt32) UnmarshalJSON(text []byte) error {
	var value looseMaybe
	if err := value.UnmarshalJSON(text); err != nil {
		return err
	}
	*n = looseInt32(value.or(int32(*n)))
	return nil
}

// looseMaybe is a looseInt32 that knows whether it was given.
type looseMaybe Maybe[int32]

// UnmarshalJSON reads a whole number of 32 bits.
func (n *looseMaybe) UnmarshalJSON(text []byte) error {
	value, given, err := looseNumber(text)
	if err == nil && !fitsInt32(value) {
		err = fmt.Errorf("%s is not %s", shorten(text), wantInt32)
	}
	*n = looseMaybe{Value: int32(value), Set: given}
	return err
}

func (n looseMaybe) or(fallback int32) int32 { return Maybe[int32](n).Or(fallback) }

// looseNumber reads a number, a string of a number, or nothing: null and "".
func looseNumber(text []byte) (value int64, given bool, err error) {
	digits := bytes.TrimSpace(bytes.Trim(text, `"`))
	if len(digits) == 0 || string(digits) == "null" {
		return 0, false, nil
	}
	if value, ok := parseInt(digits); ok {
		return value, true, nil
	}
	// Script languages write whole numbers as 1e3 or 5.0 too.
	var f float64
	if json.Unmarshal(digits, &f) == nil && f == math.Trunc(f) && math.Abs(f) <= maxExact {
		return int64(f), true, nil
	}
	return 0, false, fmt.Errorf("%s is not %s", shorten(text), wantInt64)
}

type looseFloat float64

// UnmarshalJSON reads a number or a string of one.
func (n *looseFloat) UnmarshalJSON(text []byte) error {
	digits := bytes.Trim(text, `"`)
	if len(digits) == 0 || string(digits) == "null" {
		return nil
	}
	var f float64
	if err := json.Unmarshal(digits, &f); err != nil {
		return fmt.Errorf("%s is not a number", shorten(text))
	}
	*n = looseFloat(f)
	return nil
}

type looseBool bool

// UnmarshalJSON reads a boolean, a string of one, or a number: 0 is false.
func (b *looseBool) UnmarshalJSON(text []byte) error {
	word := strings.ToLower(string(bytes.Trim(text, `"`)))
	switch word {
	case "true", "1", "y":
		*b = true
	case "false", "0", "n":
		*b = false
	case "", "null":
	default:
		return fmt.Errorf("%s is not a boolean", shorten(text))
	}
	return nil
}

type looseString string

// UnmarshalJSON reads a string, or takes the text of anything else but null.
func (s *looseString) UnmarshalJSON(text []byte) error {
	if text[0] == '"' && bytes.IndexByte(text, '\\') < 0 {
		// Nothing to resolve: tables are full of such strings.
		*s = looseString(text[1 : len(text)-1])
	} else if text[0] == '"' {
		var value string
		if err := json.Unmarshal(text, &value); err != nil {
			return err
		}
		*s = looseString(value)
	} else if string(text) != "null" {
		*s = looseString(text)
	}
	return nil
}

// looseTable is a map of strings. Null values are dropped, null and absent tables are nil.
type looseTable map[string]*looseString

func (t looseTable) plain() map[string]string {
	if t == nil {
		return nil
	}
	table := make(map[string]string, len(t))
	// order does not matter: one map is copied into another
	for key, value := range t {
		if value != nil {
			table[key] = string(*value)
		}
	}
	return table
}

// sortedKeys lists the keys of a map in the order in which maps go out.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
