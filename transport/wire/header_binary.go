package wire

import (
	"encoding/binary"
	"fmt"
)

// binaryFixedSize is the part of a binary header that is always there: the numbers
// and the two length words of remark and fields.
const binaryFixedSize = 21

// POP request codes do not fit the 16 bits a binary header has for a code. Peers send
// the low half. No other request uses these numbers, so they are mapped back.
const (
	wrappedPopFirst = 3442 // POP_MESSAGE 200050 … POP_ROLLBACK 200056
	wrappedPopLast  = 3448
	wrappedBatchAck = 3543 // BATCH_ACK_MESSAGE 200151
	wrappedDistance = 3 << 16
)

// unwrapCode undoes the loss of the high half of a POP request's code.
func unwrapCode(code int32) int32 {
	if (code >= wrappedPopFirst && code <= wrappedPopLast) || code == wrappedBatchAck {
		return code + wrappedDistance
	}
	return code
}

// decodeBinary reads a header in the ROCKETMQ encoding (class RocketMQSerializable).
func decodeBinary(header []byte, fieldLimit int, cmd *Command) error {
	if len(header) < binaryFixedSize {
		return fmt.Errorf("%w: binary header has %d bytes, must have at least %d", ErrMalformed, len(header), binaryFixedSize)
	}
	cmd.Code = int32(int16(binary.BigEndian.Uint16(header)))
	cmd.Language = languageOfNumber(int32(header[2]))
	cmd.Version = int32(int16(binary.BigEndian.Uint16(header[3:])))
	cmd.Opaque = int32(binary.BigEndian.Uint32(header[5:]))
	cmd.Flags = int32(binary.BigEndian.Uint32(header[9:]))
	if !cmd.IsResponse() {
		cmd.Code = unwrapCode(cmd.Code)
	}
	remark, rest, ok := cutLong(header[13:])
	if !ok {
		return malformedLength("remark")
	}
	cmd.Remark = string(remark)
	entries, rest, ok := cutLong(rest)
	if !ok {
		return malformedLength("extFields")
	}
	// Bytes nobody accounts for mean that a length before them is wrong.
	if len(rest) != 0 {
		return fmt.Errorf("%w: %d bytes of the binary header follow extFields", ErrMalformed, len(rest))
	}
	return decodeBinaryFields(entries, fieldLimit, cmd)
}

// decodeBinaryFields reads entries until their bytes are used up.
func decodeBinaryFields(entries []byte, limit int, cmd *Command) error {
	fields := cmd.Fields
	for len(entries) > 0 {
		if len(fields) == limit {
			return tooManyFields(limit)
		}
		key, rest, ok := cutShort(entries)
		if !ok {
			return malformedLength("key of an entry of extFields")
		}
		value, rest, ok := cutLong(rest)
		if !ok {
			return malformedLength("value of an entry of extFields")
		}
		fields = append(fields, Field{Key: key, Value: value})
		entries = rest
	}
	cmd.Fields = fields
	return nil
}

// cutLong cuts off a string counted by an i32. It is false if the count is missing,
// negative or beyond the end.
func cutLong(p []byte) (text, rest []byte, ok bool) {
	if len(p) < 4 {
		return nil, nil, false
	}
	return cut(p[4:], int64(int32(binary.BigEndian.Uint32(p))))
}

// cutShort cuts off a string counted by an i16.
func cutShort(p []byte) (text, rest []byte, ok bool) {
	if len(p) < 2 {
		return nil, nil, false
	}
	return cut(p[2:], int64(int16(binary.BigEndian.Uint16(p))))
}

func cut(p []byte, n int64) (text, rest []byte, ok bool) {
	if n < 0 || n > int64(len(p)) {
		return nil, nil, false
	}
	return p[:n:n], p[n:], true
}

func malformedLength(what string) error {
	return fmt.Errorf("%w: binary header: length of the %s is missing, negative or beyond the end", ErrMalformed, what)
}

func tooManyFields(limit int) error {
	return fmt.Errorf("%w: the limit is %d entries of extFields", ErrTooManyFields, limit)
}
