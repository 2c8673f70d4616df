package wire

import (
	"encoding/binary"
	"fmt"
)

// Sizes of the two words every frame begins with; see FORMAT.md.
const (
	lengthSize = 4              // the length word: bytes after it
	prefixSize = lengthSize + 4 // and the header word: encoding, header length
)

// headerLengthMask selects the header length in the header word; the byte above it is
// the encoding.
const headerLengthMask = 1<<24 - 1

// FrameSize looks at the first bytes of a stream and returns the size in bytes of the
// frame they begin, its length word included. It returns 0 while fewer than 4 bytes
// are there. As soon as 8 bytes are there the header word is checked as well. An error
// says that the frame breaks a limit or contradicts itself; nothing has been allocated
// for it then.
func (l Limits) FrameSize(p []byte) (int, error) {
	if len(p) < lengthSize {
		return 0, nil
	}
	l = l.withDefaults()
	// As an unsigned number a negative length is a huge one, so one test refuses both.
	size := int64(binary.BigEndian.Uint32(p)) + lengthSize
	if size > int64(l.Frame) {
		return 0, frameTooLarge(size, l.Frame)
	}
	if size < prefixSize {
		return 0, fmt.Errorf("%w: length word is %d, must be at least 4", ErrMalformed, size-lengthSize)
	}
	if len(p) < prefixSize {
		return int(size), nil
	}
	if err := l.checkHeaderWord(binary.BigEndian.Uint32(p[lengthSize:]), int(size)); err != nil {
		return 0, err
	}
	return int(size), nil
}

// checkHeaderWord checks the header word of a frame of the given size. l has its defaults.
func (l Limits) checkHeaderWord(word uint32, size int) error {
	encoding, length := Encoding(word>>24), int(word&headerLengthMask)
	if encoding > EncodingBinary {
		return fmt.Errorf("%w: serialize type %d, must be 0 (JSON) or 1 (ROCKETMQ)", ErrUnknownEncoding, encoding)
	}
	if length > l.Header {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrHeaderTooLarge, length, l.Header)
	}
	if length > size-prefixSize {
		return fmt.Errorf("%w: header length is %d, but only %d bytes follow", ErrMalformed, length, size-prefixSize)
	}
	return nil
}

// Decode decodes exactly one whole frame into cmd. It works in place: JSON escapes are
// resolved inside frame, so the bytes change and a frame can be decoded only once, and
// cmd's Fields and Body point into frame. The capacity of cmd.Fields is used again;
// what else cmd held is forgotten. The only thing allocated for a reused cmd is the
// Remark string, if there is one. After an error cmd must not be used.
//
// A frame without body gives a nil Body. A field with JSON null is left out.
func (l Limits) Decode(frame []byte, cmd *Command) error {
	l = l.withDefaults()
	size, err := l.FrameSize(frame)
	if err != nil {
		return err
	}
	if size != len(frame) || size < prefixSize {
		return fmt.Errorf("%w: length word and %d bytes given do not agree; pass one whole frame", ErrMalformed, len(frame))
	}
	// FrameSize has seen both words, so the header lies within the frame.
	end := prefixSize + int(binary.BigEndian.Uint32(frame[lengthSize:])&headerLengthMask)
	cmd.Header = Header{Encoding: Encoding(frame[lengthSize])}
	cmd.Fields = cmd.Fields[:0]
	cmd.Body = nil
	if end < size {
		cmd.Body = frame[end:size:size]
	}
	// The capacity is cut as well, so that no header can be taken to reach into the body.
	header := frame[prefixSize:end:end]
	if cmd.Encoding == EncodingBinary {
		return decodeBinary(header, l.Fields, cmd)
	}
	return decodeJSON(header, l.Fields, cmd)
}
