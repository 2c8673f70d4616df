package message

import (
	"bytes"
	"fmt"
	"iter"
	"strings"
)

// Encoded properties are text: name 0x01 value 0x02, repeated. Some writers leave out
// the last 0x02. There is no escaping, so neither byte may stand in a name or a
// value. A reader passes over a piece without 0x01 and one whose name or value is empty. If a
// name stands there twice the last one counts, because readers fill a map.
const (
	nameEnd  = 0x01 // NAME_VALUE_SEPARATOR
	valueEnd = 0x02 // PROPERTY_SEPARATOR
)

// PropertyBytes returns the value of a property in its encoded form and whether it is
// there. The value borrows from encoded. It does not allocate.
func PropertyBytes(encoded []byte, name string) (value []byte, ok bool) {
	if name == "" {
		return nil, false
	}
	for len(encoded) > 0 {
		var piece []byte
		piece, encoded = nextPiece(encoded)
		// Comparing before looking for the separator leaves most pieces alone. A name holds
		// no separator, so the one behind an equal beginning is the first.
		if len(piece) <= len(name)+1 || piece[len(name)] != nameEnd || string(piece[:len(name)]) != name {
			continue
		}
		value, ok = piece[len(name)+1:], true
	}
	return value, ok
}

// PropertyString returns a copy of the value of a property, or "".
func PropertyString(encoded []byte, name string) string {
	value, _ := PropertyBytes(encoded, name)
	return string(value)
}

// EachProperty walks encoded properties in their order. Names and values borrow from
// encoded. A name that stands there twice comes twice.
func EachProperty(encoded []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for rest := encoded; len(rest) > 0; {
			var piece []byte
			piece, rest = nextPiece(rest)
			name, value, found := bytes.Cut(piece, []byte{nameEnd})
			if !found || len(name) == 0 || len(value) == 0 {
				continue
			}
			if !yield(name, value) {
				return
			}
		}
	}
}

// nextPiece returns what stands in front of the next separator, and what behind it.
func nextPiece(encoded []byte) (piece, rest []byte) {
	end := bytes.IndexByte(encoded, valueEnd)
	if end < 0 {
		return encoded, nil
	}
	return encoded[:end], encoded[end+1:]
}

// AppendProperty appends a property to encoded ones, which must be the whole of
// the slice, and puts in the separator that some writers leave out. On an error, which
// is ErrProperty, encoded is returned as it was. The limit on the total length is
// checked when the record is made.
func AppendProperty(encoded []byte, name, value string) ([]byte, error) {
	if err := CheckProperty(name, value); err != nil {
		return encoded, err
	}
	if len(encoded) > 0 && encoded[len(encoded)-1] != valueEnd {
		encoded = append(encoded, valueEnd)
	}
	encoded = append(encoded, name...)
	encoded = append(encoded, nameEnd)
	encoded = append(encoded, value...)
	return append(encoded, valueEnd), nil
}

// CheckProperty returns ErrProperty, wrapped with the reason, if a reader would not find
// the property as it was written.
func CheckProperty(name, value string) error {
	if name == "" {
		return fmt.Errorf("%w: a property with value %q has no name", ErrProperty, value)
	}
	if value == "" {
		return fmt.Errorf("%w: property %q has an empty value; leave it out", ErrProperty, name)
	}
	if strings.ContainsAny(name, "\x01\x02") || strings.ContainsAny(value, "\x01\x02") {
		return fmt.Errorf("%w: property %q holds a byte 0x01 or 0x02, which separate properties", ErrProperty, name)
	}
	return nil
}
