package repeat

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
)

// Producer is the id of a producer: 128 bits that it has drawn when it started.
type Producer [16]byte

// ParseProducer reads 32 hexadecimal digits. It does not allocate, unless it fails.
func ParseProducer[T string | []byte](text T) (p Producer, err error) {
	if len(text) != 2*len(p) {
		return p, fmt.Errorf("%q is no id of a producer: send %d hexadecimal digits", shorten(text), 2*len(p))
	}
	var digits [2 * len(p)]byte
	copy(digits[:], text)
	if _, err := hex.Decode(p[:], digits[:]); err != nil {
		return p, fmt.Errorf("%q is no id of a producer: send %d hexadecimal digits", shorten(text), 2*len(p))
	}
	return p, nil
}

// shown is how much of a wrong text an error repeats.
const shown = 64

func shorten[T string | []byte](text T) string { return string(text[:min(len(text), shown)]) }

// String is 32 hexadecimal digits.
func (p Producer) String() string { return hex.EncodeToString(p[:]) }

// Identity says which message of which producer.
type Identity struct {
	Producer Producer
	Sequence int64 // from 1 on; 0: the message has no identity
}

// After is the identity of the message that comes so many places later.
func (i Identity) After(places int) Identity {
	i.Sequence += int64(places)
	return i
}

// AppendText appends the identity as records carry it: the producer, a hyphen, the sequence.
func (i Identity) AppendText(dst []byte) []byte {
	dst = hex.AppendEncode(dst, i.Producer[:])
	dst = append(dst, '-')
	return strconv.AppendInt(dst, i.Sequence, 10)
}

// String is the text of AppendText.
func (i Identity) String() string { return string(i.AppendText(nil)) }

// ParseIdentity reads the text of AppendText, and nothing else. ok is false if it is none.
func ParseIdentity(text []byte) (i Identity, ok bool) {
	first, second, found := bytes.Cut(text, []byte{'-'})
	if !found {
		return i, false
	}
	p, err := ParseProducer(first)
	n, numberErr := strconv.ParseInt(string(second), 10, 64)
	i = Identity{p, n}
	if err != nil || numberErr != nil || n < 1 || !bytes.Equal(i.AppendText(nil), text) {
		return Identity{}, false
	}
	return i, true
}
