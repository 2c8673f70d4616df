package filter

import (
	"math"
	"strconv"
	"strings"
)

// Properties are read as Java reads them: Long.parseLong and Double.valueOf. The functions of strconv accept other
// texts and allocate for those they refuse, and refusing is common here.

// parseInteger reads decimal digits with an optional sign, and nothing else, not even blanks. It
// reports false beyond 64 bits. Digits of other scripts, which Java accepts, are refused.
func parseInteger(text string) (number int64, ok bool) {
	negative := strings.HasPrefix(text, "-")
	if negative || strings.HasPrefix(text, "+") {
		text = text[1:]
	}
	if text == "" || digits(text) != len(text) {
		return 0, false
	}
	// Counting down reaches the lowest number, which has no positive counterpart.
	for i := range len(text) {
		digit := int64(text[i] - '0')
		if number < math.MinInt64/10 || number*10 < math.MinInt64+digit {
			return 0, false
		}
		number = number*10 - digit
	}
	if negative {
		return number, true
	}
	return -number, number != math.MinInt64
}

// parseDouble reads a decimal or hexadecimal number, NaN or Infinity, with blanks around it and
// one of f, F, d and D behind it. What is too large becomes infinite, what is too small zero.
func parseDouble(text string) (double float64, ok bool) {
	text = trim(text)
	unsigned := strings.TrimPrefix(text, "-")
	if unsigned == text {
		unsigned = strings.TrimPrefix(text, "+")
	}
	switch unsigned {
	case "NaN":
		return math.NaN(), true
	case "Infinity":
		return infinity(text), true
	}
	length := doubleLength(unsigned)
	suffix := unsigned[length:]
	if length == 0 || len(suffix) > 1 || !strings.Contains("fFdD", suffix) {
		return 0, false
	}
	// The only error left is one about the range, and the number that comes with it is Java's.
	double, _ = strconv.ParseFloat(text[:len(text)-len(suffix)], 64)
	return double, true
}

func infinity(text string) float64 {
	if text[0] == '-' {
		return math.Inf(-1)
	}
	return math.Inf(1)
}

// doubleLength returns the length of the number that a text begins with, 0 if there is none.
func doubleLength(text string) int {
	if len(text) > 1 && text[0] == '0' && text[1]|0x20 == 'x' {
		return hexadecimalLength(text)
	}
	whole, fraction := digits(text), 0
	length := whole
	if strings.HasPrefix(text[length:], ".") {
		fraction = digits(text[length+1:])
		length += 1 + fraction
	}
	if whole+fraction == 0 {
		return 0
	}
	return length + exponentLength(text[length:], 'e')
}

// hexadecimalLength does it for 0x1.8p3, where the exponent must be there.
func hexadecimalLength(text string) int {
	const prefix = 2
	whole, fraction := hexadecimalDigits(text[prefix:]), 0
	length := prefix + whole
	if strings.HasPrefix(text[length:], ".") {
		fraction = hexadecimalDigits(text[length+1:])
		length += 1 + fraction
	}
	exponent := exponentLength(text[length:], 'p')
	if whole+fraction == 0 || exponent == 0 {
		return 0
	}
	return length + exponent
}

func hexadecimalDigits(text string) int {
	count := 0
	for count < len(text) && (isDigit(text[count]) || 'a' <= text[count]|0x20 && text[count]|0x20 <= 'f') {
		count++
	}
	return count
}
