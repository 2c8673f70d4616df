package proto

import "github.com/gantrymq/gantry/transport/wire"

// HeaderEncoder is a typed header that can write its fields ("extFields") into a
// frame. EncodeFields does not change the header, and allocates nothing in the headers of
// sends and pulls. Optional fields that are unset are left out, as null fields are in the
// protocol (class CommandCustomHeader).
type HeaderEncoder interface {
	EncodeFields(e *wire.Encoder)
}

// HeaderDecoder is a typed header that can be read from the fields of a command.
//
// DecodeFields overwrites the whole header. It copies what it keeps, so the header
// outlives the frame. It ignores unknown fields. A required field that is missing or unreadable gives
// a *FieldError, and the header is then not to be used. An optional field that is unreadable
// counts as absent: official peers treat it so, and some clients write "" or "null"
// where they mean nothing.
type HeaderDecoder interface {
	DecodeFields(f wire.Fields) error
}

// Header goes both ways. Every header of this package is one, by pointer.
type Header interface {
	HeaderEncoder
	HeaderDecoder
}

// Maybe is a value that may be absent, for the few fields where absent and zero mean
// different things.
type Maybe[T any] struct {
	Value T
	Set   bool // false: absent, and Value is the zero value
}

// Some returns a value that is there.
func Some[T any](value T) Maybe[T] { return Maybe[T]{Value: value, Set: true} }

// Or returns the value, or the fallback if it is absent.
func (m Maybe[T]) Or(fallback T) T {
	if m.Set {
		return m.Value
	}
	return fallback
}
