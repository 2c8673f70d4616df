package filtertest

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// compare returns -1, 0 or 1 for two values that are there.
func compare(left, right any) (int, error) {
	if text, ok := left.(string); ok {
		converted, err := asClassOf(right, text)
		if err != nil {
			return 0, err
		}
		left = converted
	} else if text, ok := right.(string); ok {
		if _, isBool := left.(bool); isBool {
			return 0, errors.New("a boolean on the left of a text")
		}
		converted, err := asClassOf(left, text)
		if err != nil {
			return 0, err
		}
		right = converted
	}
	return compareConverted(left, right), nil
}

// asClassOf reads a text as what another value is.
func asClassOf(other any, text string) (any, error) {
	switch other.(type) {
	case bool:
		return strings.ToLower(text) == "true", nil
	case int32:
		number, err := asInteger(text, 32)
		return int32(number), err
	case int64:
		return asInteger(text, 64)
	case float64:
		return asDouble(text)
	}
	return text, nil
}

func compareConverted(left, right any) int {
	switch left := left.(type) {
	case string:
		return strings.Compare(left, right.(string))
	case bool:
		if right == left {
			return 0
		}
		return -1
	}
	if _, isBool := right.(bool); isBool {
		return -1
	}
	leftWhole, leftIsWhole := whole(left)
	rightWhole, rightIsWhole := whole(right)
	switch {
	case leftIsWhole && rightIsWhole && leftWhole == rightWhole:
		return 0
	case leftIsWhole && rightIsWhole && leftWhole < rightWhole:
		return -1
	case leftIsWhole && rightIsWhole:
		return 1
	}
	return compareDoubles(double(left), double(right))
}

func whole(number any) (int64, bool) {
	switch number := number.(type) {
	case int32:
		return int64(number), true
	case int64:
		return number, true
	}
	return 0, false
}

func double(number any) float64 {
	if whole, ok := whole(number); ok {
		return float64(whole)
	}
	return number.(float64)
}

// compareDoubles gives each double a place: the infinities at the ends, minus zero before zero, NaN behind all.
func compareDoubles(left, right float64) int {
	switch {
	case math.IsNaN(left) && math.IsNaN(right):
		return 0
	case math.IsNaN(left):
		return 1
	case math.IsNaN(right):
		return -1
	case left == 0 && right == 0 && math.Signbit(left) != math.Signbit(right):
		if math.Signbit(left) {
			return -1
		}
		return 1
	case left == right:
		return 0
	case left < right:
		return -1
	}
	return 1
}

var (
	integerForm = regexp.MustCompile(`^[+-]?[0-9]+$`)
	doubleForm  = regexp.MustCompile(`^[+-]?(NaN|Infinity|(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|` +
		`0[xX]([0-9a-fA-F]+\.?|[0-9a-fA-F]*\.[0-9a-fA-F]+)[pP][+-]?[0-9]+)[fFdD]?)$`)
)

// asInteger is Integer.valueOf and Long.valueOf.
func asInteger(text string, bits int) (int64, error) {
	if !integerForm.MatchString(text) {
		return 0, fmt.Errorf("%q is no integer", text)
	}
	return strconv.ParseInt(text, 10, bits)
}

// asDouble is Double.valueOf. Its form is in the documentation of that method.
func asDouble(text string) (any, error) {
	text = strings.Trim(text, "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\v\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f ")
	if !doubleForm.MatchString(text) {
		return nil, fmt.Errorf("%q is no number", text)
	}
	if strings.HasSuffix(text, "NaN") {
		return math.NaN(), nil
	}
	if !strings.HasSuffix(text, "Infinity") {
		text = strings.TrimRight(text, "fFdD")
	}
	number, err := strconv.ParseFloat(text, 64)
	if errors.Is(err, strconv.ErrRange) {
		err = nil
	}
	return number, err
}
