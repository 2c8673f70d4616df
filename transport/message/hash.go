package message

import (
	"unicode/utf16"
	"unicode/utf8"
)

// HashCode returns what String.hashCode returns in Java for UTF-8 text: over the
// UTF-16 code units, h = 31·h + unit, in 32 bits with a sign. A byte that is not
// UTF-8 counts as U+FFFD. It does not allocate.
func HashCode(text []byte) int32 { return int32(continueHash(0, text)) }

// continueHash hashes on from h, so that hashing two pieces one after the other
// equals hashing them joined.
func continueHash(h uint32, text []byte) uint32 {
	for i, b := range text {
		if b >= utf8.RuneSelf {
			return continueHashWide(h, text[i:])
		}
		h = 31*h + uint32(b)
	}
	return h
}

// continueHashWide does the same for text that is not all ASCII.
func continueHashWide(h uint32, text []byte) uint32 {
	for len(text) > 0 {
		r, width := utf8.DecodeRune(text)
		text = text[width:]
		if r < 0x10000 {
			h = 31*h + uint32(r)
			continue
		}
		high, low := utf16.EncodeRune(r)
		h = 31*(31*h+uint32(high)) + uint32(low)
	}
	return h
}

// TagHash returns the number by which a consume queue filters on a tag ("tagsCode"): its
// HashCode with the sign extended. That of an empty tag is 0.
func TagHash(tag []byte) int64 { return int64(HashCode(tag)) }

// IndexKeyHash returns the hash of "<topic>#<key>" as the key index stores it: the
// absolute value of its HashCode, or 0 where that has none. It is never negative.
func IndexKeyHash(topic, key []byte) int32 {
	h := continueHash(0, topic)
	h = 31*h + '#'
	// -2^31 stays negative when negated; the reference maps it to 0.
	return max(0, abs(int32(continueHash(h, key))))
}

func abs(n int32) int32 {
	if n < 0 {
		return -n
	}
	return n
}
