package message

import "errors"

// Errors of this package. Each is returned wrapped, with the field, what was
// found and what was allowed. Compare with errors.Is.
var (
	// ErrShort: the bytes end before the record or element does. Read more, or, at
	// the end of a log, take it for a record that was never finished.
	ErrShort = errors.New("more bytes needed")
	// ErrMagic: the second word is not that of a record. The bytes are an
	// end-of-file marker, or no record at all.
	ErrMagic = errors.New("not the magic of a record")
	// ErrMalformed: the lengths inside contradict each other or a field has a
	// value that no writer makes. Nothing behind it can be trusted.
	ErrMalformed = errors.New("malformed")
	// ErrChecksum: the record is well formed but its body is not the one whose
	// checksum it carries. The body was damaged after it was written.
	ErrChecksum = errors.New("body checksum differs")

	// ErrBodyLength: a body is longer than its length field or the caller's limit allows.
	ErrBodyLength = errors.New("body too long")
	// ErrTopicLength: a topic is empty or longer than TopicLengthMax.
	ErrTopicLength = errors.New("topic length out of range")
	// ErrPropertiesLength: encoded properties are longer than PropertiesLengthMax.
	ErrPropertiesLength = errors.New("properties too long")
	// ErrHost: a host of a record is not set.
	ErrHost = errors.New("host not set")

	// ErrProperty: a property's name or value is empty or holds a separator, so it
	// could not be read back.
	ErrProperty = errors.New("property cannot be encoded")
	// ErrBatchCount: a batch has no elements or more than the caller's limit.
	ErrBatchCount = errors.New("number of batch elements out of range")
	// ErrIdentifier: text is not an identifier of the expected kind.
	ErrIdentifier = errors.New("not an identifier")
	// ErrCompression: a body is not what its compression type says, or the type is unknown.
	ErrCompression = errors.New("cannot decompress")
)
