package message

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"
)

// BatchElement is one message of a batch. Topic, born host and the rest are those
// of the batch (class MessageDecoder, encodeMessage).
type BatchElement struct {
	UserFlags  int32
	Body       []byte // never compressed
	Properties []byte // encoded, see PropertyBytes; at most PropertiesLengthMax bytes
}

// An element's fixed part: size, magic, checksum, user flags, body length, and
// the 2 bytes of the properties' length behind the body.
const (
	batchFlagsAt    = 12
	batchBodyAt     = 16
	batchElementMin = 22
)

// AppendBatchElement appends an element to the body of a batch. Magic and checksum are
// written as 0, as every client does. The errors are ErrBodyLength and
// ErrPropertiesLength; with either, dst is returned as it was.
func AppendBatchElement(dst []byte, e *BatchElement) ([]byte, error) {
	if len(e.Properties) > PropertiesLengthMax {
		return dst, fmt.Errorf("%w: %d bytes in a batch element, at most %d",
			ErrPropertiesLength, len(e.Properties), PropertiesLengthMax)
	}
	bodyMax := math.MaxInt32 - batchElementMin - len(e.Properties)
	if len(e.Body) > bodyMax {
		return dst, fmt.Errorf("%w: %d bytes in a batch element, at most %d", ErrBodyLength, len(e.Body), bodyMax)
	}
	size := batchElementMin + len(e.Body) + len(e.Properties)
	order := binary.BigEndian
	dst = slices.Grow(dst, size)
	dst = order.AppendUint32(dst, uint32(size))
	dst = order.AppendUint64(dst, 0)
	dst = order.AppendUint32(dst, uint32(e.UserFlags))
	dst = order.AppendUint32(dst, uint32(len(e.Body)))
	dst = append(dst, e.Body...)
	dst = order.AppendUint16(dst, uint16(len(e.Properties)))
	return append(dst, e.Properties...), nil
}

// DecodeBatchElement reads the element at the start of p into e and returns its size in
// bytes. Body and Properties borrow from p. Magic and checksum are not looked at, as
// clients set none. The errors are ErrShort and ErrMalformed.
func DecodeBatchElement(p []byte, e *BatchElement) (int, error) {
	if len(p) < batchElementMin {
		return 0, fmt.Errorf("%w: a batch element takes at least %d, have %d", ErrShort, batchElementMin, len(p))
	}
	size := int(int32(binary.BigEndian.Uint32(p)))
	if size < batchElementMin {
		return 0, fmt.Errorf("%w: size of a batch element %d, at least %d", ErrMalformed, size, batchElementMin)
	}
	if size > len(p) {
		return 0, fmt.Errorf("%w: size of a batch element %d, have %d", ErrShort, size, len(p))
	}
	e.UserFlags = int32(binary.BigEndian.Uint32(p[batchFlagsAt:]))
	var rest []byte
	var err error
	if e.Body, rest, err = cut("batch element's body", p[batchBodyAt:size], 4); err != nil {
		return 0, err
	}
	if e.Properties, rest, err = cut("batch element's properties", rest, 2); err != nil {
		return 0, err
	}
	if len(rest) != 0 {
		return 0, fmt.Errorf("%w: %d bytes behind the properties of a batch element of %d", ErrMalformed, len(rest), size)
	}
	return size, nil
}

// CountBatch walks the whole body of a batch and returns the number of its elements. A
// broker calls it before it stores anything, so that a batch is taken whole or not
// at all. The errors are ErrBatchCount (none, or more than countMax), ErrShort and
// ErrMalformed.
func CountBatch(body []byte, countMax int) (int, error) {
	count := 0
	for _, err := range DecodeBatch(body) {
		if err != nil {
			return count, err
		}
		if count++; count > countMax {
			return count, fmt.Errorf("%w: more than %d; send several batches", ErrBatchCount, countMax)
		}
	}
	if count == 0 {
		return 0, fmt.Errorf("%w: the batch is empty", ErrBatchCount)
	}
	return count, nil
}

// DecodeBatch walks the elements of a batch's body. The element passed to the loop
// is the same each time and borrows from body. An error comes with a nil element and
// ends the walk.
func DecodeBatch(body []byte) iter.Seq2[*BatchElement, error] {
	return func(yield func(*BatchElement, error) bool) {
		var e BatchElement
		for rest := body; len(rest) > 0; {
			n, err := DecodeBatchElement(rest, &e)
			if err != nil {
				yield(nil, fmt.Errorf("batch element at byte %d of %d: %w", len(body)-len(rest), len(body), err))
				return
			}
			if !yield(&e, nil) {
				return
			}
			rest = rest[n:]
		}
	}
}
