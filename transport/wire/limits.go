package wire

import (
	"errors"
	"fmt"
)

// MaxFrameSize is the most bytes a frame may have, its length word included. Java
// peers close a connection that brings a longer one (frameMaxLength).
const MaxFrameSize = 16777216

// Defaults for Limits.
const (
	// defaultHeaderLimit leaves room for the largest header an honest peer makes: the
	// reply to a batch lists one message id of 32 characters for each element, and a
	// batch of 4 MiB has at most some 60,000 elements.
	defaultHeaderLimit = 4 << 20
	// defaultFieldLimit is far above the richest request, which has about 30 fields.
	defaultFieldLimit = 1024
	// maxNesting bounds the recursion over JSON values that are skipped.
	maxNesting = 32
)

// What decoding refuses. Every error of this package wraps one of these. After any of
// them the byte stream cannot be trusted: close the connection.
var (
	// ErrFrameTooLarge: the length word asks for more than Limits.Frame.
	ErrFrameTooLarge = errors.New("wire: frame too large")
	// ErrHeaderTooLarge: the header is longer than Limits.Header.
	ErrHeaderTooLarge = errors.New("wire: header too large")
	// ErrTooManyFields: the header has more than Limits.Fields entries.
	ErrTooManyFields = errors.New("wire: too many header fields")
	// ErrUnknownEncoding: the serialize type is neither JSON nor ROCKETMQ.
	ErrUnknownEncoding = errors.New("wire: unknown header encoding")
	// ErrMalformed: lengths contradict each other, or the header cannot be read.
	ErrMalformed = errors.New("wire: malformed frame")
)

// Limits bounds what is accepted from a peer. They are checked against the frame's
// own numbers before any memory is asked for. Fields that are zero take defaults.
type Limits struct {
	Frame  int // bytes, length word included; default MaxFrameSize
	Header int // bytes of the header; default 4 MiB
	Fields int // entries of "extFields"; default 1024
}

// withDefaults fills what was left zero.
func (l Limits) withDefaults() Limits {
	if l.Frame == 0 {
		l.Frame = MaxFrameSize
	}
	if l.Header == 0 {
		l.Header = defaultHeaderLimit
	}
	if l.Fields == 0 {
		l.Fields = defaultFieldLimit
	}
	return l
}

// CheckSize returns ErrFrameTooLarge for a frame of more than l.Frame bytes, its length
// word included. A sender uses it before it writes, because the peer's answer to an
// over-long frame is to drop the connection and every call on it.
func (l Limits) CheckSize(size int) error {
	if limit := l.withDefaults().Frame; size > limit {
		return frameTooLarge(int64(size), limit)
	}
	return nil
}

func frameTooLarge(size int64, limit int) error {
	return fmt.Errorf("%w: %d bytes, the limit is %d; split the request or raise the limit at both ends",
		ErrFrameTooLarge, size, limit)
}
