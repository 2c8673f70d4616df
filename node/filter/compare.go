package filter

import (
	"cmp"
	"math"
)

// compare orders two values that are there (ComparisonExpression.__compare). A text next to
// something else is read as that. It reports false where the reference throws.
func compare(left, right value) (order int, ok bool) {
	switch {
	case left.kind == right.kind:
		return compareSame(&left, &right), true
	case left.kind == kindBoolean && right.kind == kindText:
		// A fault of the reference: it converts the wrong side, and throws.
		return 0, false
	case left.kind == kindText:
		left, ok = convert(left.text, right.kind)
	case right.kind == kindText:
		right, ok = convert(right.text, left.kind)
	case left.kind == kindBoolean || right.kind == kindBoolean:
		return -1, true // never equal; ordering operators get no boolean
	default:
		ok = true
	}
	return compareSame(&left, &right), ok
}

// compareSame compares two booleans, two texts or two numbers. Numbers of different kinds are widened.
func compareSame(left, right *value) int {
	switch {
	case left.kind == kindBoolean:
		return compareTruths(left.truth, right.truth)
	case left.kind == kindText:
		return cmp.Compare(left.text, right.text)
	case left.kind == kindDouble || right.kind == kindDouble:
		return compareDoubles(left.asDouble(), right.asDouble())
	}
	return cmp.Compare(left.number, right.number)
}

func compareTruths(left, right bool) int {
	switch {
	case left == right:
		return 0
	case right:
		return -1
	}
	return 1
}

// compareDoubles orders as Double.compareTo: minus zero is below zero, NaN is above all and equal to itself.
func compareDoubles(left, right float64) int {
	switch {
	case left < right:
		return -1
	case left > right:
		return 1
	}
	return cmp.Compare(javaBits(left), javaBits(right))
}

// javaBits orders the doubles that < and > do not: every NaN has the same bits, which are the highest.
func javaBits(double float64) int64 {
	if math.IsNaN(double) {
		return math.MaxInt64
	}
	return int64(math.Float64bits(double))
}
