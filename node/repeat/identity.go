package repeat

import (
	"bytes"
	"encoding/hex"
	"strconv"
)

// Producer is the id of a producer: 128 bits that it has drawn when it started.
type Producer [16]byte

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
	if !found || len(first) != hex.EncodedLen(len(i.Producer)) {
		return i, false
	}
	_, err := hex.Decode(i.Producer[:], first)
	if err == nil {
		i.Sequence, err = strconv.ParseInt(string(second), 10, 64)
	}
	if err != nil || i.Sequence < 1 || !bytes.Equal(i.AppendText(nil), text) {
		return Identity{}, false
	}
	return i, true
}
