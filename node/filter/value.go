package filter

import "strings"

// kind is the class a value has in the reference, which decides how it compares.
type kind uint8

const (
	kindAbsent  kind = iota // null: a property that the message does not have, or NULL
	kindBoolean             // Boolean
	kindText                // String: every property that is there
	kindInteger             // Integer: a constant that fits 32 bits
	kindLong                // Long: another constant without point and exponent
	kindDouble              // Double
	kindFailed              // an exception: it reaches the top unless something was decided before
)

// String names what a value of the kind looks like, for errors about properties.
func (k kind) String() string {
	switch k {
	case kindBoolean:
		return "true or false"
	case kindInteger:
		return "an integer of 32 bits, as the number it is compared with: write that with a point, as in 5.0, to compare as doubles"
	case kindLong:
		return "an integer of 64 bits, as the number it is compared with: write that with a point, as in 5.0, to compare as doubles"
	case kindDouble:
		return "a number"
	case kindText:
		return "comparable with a condition on its left: write the property on the left, as in name = (condition)"
	}
	return "a value"
}

// isNumber reports whether the reference's class is a Number.
func (k kind) isNumber() bool { return k == kindInteger || k == kindLong || k == kindDouble }

// value is what a piece of an expression evaluates to. It is passed by value so that evaluating
// allocates nothing.
type value struct {
	kind   kind
	wanted kind    // failed: what text should have been
	truth  bool    // boolean
	number int64   // integer, long; failed: position of the operator
	double float64 // double
	text   string  // text; failed: the value that could not be compared
}

func truthValue(truth bool) value { return value{kind: kindBoolean, truth: truth} }

// integerValue has the kind that a constant has in Java, with and without an L behind it.
func integerValue(number int64) value {
	if number == int64(int32(number)) {
		return value{kind: kindInteger, number: number}
	}
	return value{kind: kindLong, number: number}
}

// isMissing reports that there is nothing to compare with.
func (v *value) isMissing() bool { return v.kind == kindAbsent || v.kind == kindFailed }

// asDouble widens a number.
func (v *value) asDouble() float64 {
	if v.kind == kindDouble {
		return v.double
	}
	return float64(v.number)
}

// convert reads a text as a value of another kind, as Java's valueOf does. It reports whether it is one.
func convert(text string, wanted kind) (value, bool) {
	result, ok := value{kind: wanted}, true
	switch wanted {
	case kindBoolean:
		// Everything that is not true is false, and never an error.
		result.truth = strings.EqualFold(text, "true")
	case kindInteger:
		result.number, ok = parseInteger(text)
		ok = ok && result.number == int64(int32(result.number))
	case kindLong:
		result.number, ok = parseInteger(text)
	case kindDouble:
		result.double, ok = parseDouble(text)
	}
	return result, ok
}
