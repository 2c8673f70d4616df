package message

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
)

// DecodeRecord reads the record at the start of p into r and returns its size in
// bytes. Body, Topic and Properties of r borrow from p. It neither allocates nor
// reads behind the record, however long p is. With verify set the body is compared
// with its checksum.
//
// The errors are ErrShort (p ends too early), ErrMagic (no record), ErrMalformed and
// ErrChecksum. After ErrChecksum the size is returned all the same and r is filled,
// so that a reader may step over the record; after any other error the size is 0
// and r is not to be used.
func DecodeRecord(p []byte, r *Record, verify bool) (int, error) {
	size, err := checkFrame(p)
	if err != nil {
		return 0, err
	}
	p = p[:size]
	if err := decodeFixedFields(p, r); err != nil {
		return 0, err
	}
	if err := decodeCounted(p[bodyLengthAt(r.SysFlags):], r); err != nil {
		return 0, err
	}
	if verify {
		if got := BodyChecksum(r.Body); got != r.BodyCRC {
			return size, fmt.Errorf("%w: computed %08x, the record at %v says %08x", ErrChecksum, got, r.LogOffset, r.BodyCRC)
		}
	}
	return size, nil
}

// checkFrame returns the size of the record at the start of p after making sure
// that it is one, that it is all there, and that its fixed fields fit into it.
func checkFrame(p []byte) (int, error) {
	if len(p) < EndOfFileSize {
		return 0, fmt.Errorf("%w: %d bytes, size and magic take %d", ErrShort, len(p), EndOfFileSize)
	}
	size := int32(binary.BigEndian.Uint32(p[sizeAt:]))
	magic := Magic(binary.BigEndian.Uint32(p[magicAt:]))
	if magic != MagicV1 && magic != MagicV2 {
		return 0, fmt.Errorf("%w: %v", ErrMagic, magic)
	}
	if size < recordSizeMin {
		return 0, fmt.Errorf("%w: total size %d, at least %d", ErrMalformed, size, recordSizeMin)
	}
	if int(size) > len(p) {
		return 0, fmt.Errorf("%w: total size %d, have %d", ErrShort, size, len(p))
	}
	flags := SysFlags(binary.BigEndian.Uint32(p[sysFlagsAt:]))
	if least := recordSizeMin + hostsExtra(flags); int(size) < least {
		return 0, fmt.Errorf("%w: total size %d, at least %d with flags %v", ErrMalformed, size, least, flags)
	}
	return int(size), nil
}

// decodeFixedFields reads everything in front of the body length. checkFrame has
// made sure that p is long enough.
func decodeFixedFields(p []byte, r *Record) (err error) {
	order := binary.BigEndian
	r.TotalSize = int32(order.Uint32(p[sizeAt:]))
	r.Magic = Magic(order.Uint32(p[magicAt:]))
	r.BodyCRC = order.Uint32(p[bodyCRCAt:])
	r.QueueID = int32(order.Uint32(p[queueIDAt:]))
	r.UserFlags = int32(order.Uint32(p[userFlagsAt:]))
	r.QueueOffset = QueueOffset(order.Uint64(p[queueOffsetAt:]))
	r.LogOffset = LogOffset(order.Uint64(p[logOffsetAt:]))
	r.SysFlags = SysFlags(order.Uint32(p[sysFlagsAt:]))
	r.BornAt = int64(order.Uint64(p[bornAtAt:]))

	storedAt := storedAtAt(r.SysFlags)
	if r.BornHost, err = decodeHost("born host", p[bornHostAt:storedAt]); err != nil {
		return err
	}
	r.StoredAt = int64(order.Uint64(p[storedAt:]))
	p = p[storedAt+8:]
	width := hostSize(r.SysFlags.StoreHostIPv6())
	if r.StoreHost, err = decodeHost("store host", p[:width]); err != nil {
		return err
	}
	r.Redeliveries = int32(order.Uint32(p[width:]))
	r.PreparedAt = LogOffset(order.Uint64(p[width+4:]))
	return nil
}

// decodeCounted reads body, topic and properties from p, which must end with the
// last of them: a record whose size is not the sum of its parts is damaged.
func decodeCounted(p []byte, r *Record) (err error) {
	if r.Body, p, err = cut("body", p, 4); err != nil {
		return err
	}
	topicWidth := 1
	if r.Magic == MagicV2 {
		topicWidth = 2
	}
	if r.Topic, p, err = cut("topic", p, topicWidth); err != nil {
		return err
	}
	if r.Properties, p, err = cut("properties", p, 2); err != nil {
		return err
	}
	if len(p) != 0 {
		return fmt.Errorf("%w: %d bytes behind the properties of a record of %d", ErrMalformed, len(p), r.TotalSize)
	}
	return nil
}

// cut splits p into a field, whose signed length takes the given width, and the rest.
func cut(field string, p []byte, width int) (value, rest []byte, err error) {
	if len(p) < width {
		return nil, nil, fmt.Errorf("%w: no room for the length of %s", ErrMalformed, field)
	}
	var length int
	switch width {
	case 1:
		length = int(int8(p[0]))
	case 2:
		length = int(int16(binary.BigEndian.Uint16(p)))
	default:
		length = int(int32(binary.BigEndian.Uint32(p)))
	}
	p = p[width:]
	if length < 0 || length > len(p) {
		return nil, nil, fmt.Errorf("%w: length of %s is %d, %d bytes are left", ErrMalformed, field, length, len(p))
	}
	return p[:length:length], p[length:], nil
}

// DecodeRecords walks the records of a pull reply's body, which stand there one
// behind the other. The record passed to the loop is the same each time and borrows
// from body; Clone what must outlive a turn.
//
// A record with a wrong checksum comes with ErrChecksum and the walk goes on behind it;
// with any other error the record is nil and the walk ends.
func DecodeRecords(body []byte, verify bool) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		var r Record
		for rest := body; len(rest) > 0; {
			n, err := DecodeRecord(rest, &r, verify)
			if err != nil && !errors.Is(err, ErrChecksum) {
				yield(nil, fmt.Errorf("record at byte %d of %d: %w", len(body)-len(rest), len(body), err))
				return
			}
			if !yield(&r, err) {
				return
			}
			rest = rest[n:]
		}
	}
}

// Clone returns a copy of the record that shares no memory with it.
func (r *Record) Clone() *Record {
	clone := *r
	arena := make([]byte, 0, len(r.Body)+len(r.Topic)+len(r.Properties))
	keep := func(b []byte) []byte {
		start := len(arena)
		arena = append(arena, b...)
		return arena[start:len(arena):len(arena)]
	}
	clone.Body, clone.Topic, clone.Properties = keep(r.Body), keep(r.Topic), keep(r.Properties)
	return &clone
}
