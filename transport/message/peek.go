package message

import "encoding/binary"

// The functions here read one field of a record without decoding it. Each reports
// false if p ends before the field. None checks that p holds a record: look at the
// magic first.

// PeekSize returns the first word: the bytes of a record, or all bytes left in the
// file if the magic is MagicEndOfFile. A damaged log may say anything, also less
// than zero.
func PeekSize(p []byte) (size int32, ok bool) {
	value, ok := peekUint32(p, sizeAt)
	return int32(value), ok
}

// PeekMagic returns the second word.
func PeekMagic(p []byte) (Magic, bool) {
	value, ok := peekUint32(p, magicAt)
	return Magic(value), ok
}

// PeekQueueID returns the queue's number.
func PeekQueueID(p []byte) (int32, bool) {
	value, ok := peekUint32(p, queueIDAt)
	return int32(value), ok
}

// PeekQueueOffset returns the record's number in its queue.
func PeekQueueOffset(p []byte) (QueueOffset, bool) {
	value, ok := peekUint64(p, queueOffsetAt)
	return QueueOffset(value), ok
}

// PeekLogOffset returns where the record says it stands in the commit log.
func PeekLogOffset(p []byte) (LogOffset, bool) {
	value, ok := peekUint64(p, logOffsetAt)
	return LogOffset(value), ok
}

// PeekSysFlags returns the system flags.
func PeekSysFlags(p []byte) (SysFlags, bool) {
	value, ok := peekUint32(p, sysFlagsAt)
	return SysFlags(value), ok
}

// PeekStoredAt returns the store time in wall milliseconds.
func PeekStoredAt(p []byte) (int64, bool) {
	flags, ok := PeekSysFlags(p)
	if !ok {
		return 0, false
	}
	value, ok := peekUint64(p, storedAtAt(flags))
	return int64(value), ok
}

func peekUint32(p []byte, at int) (uint32, bool) {
	if len(p) < at+4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(p[at:]), true
}

func peekUint64(p []byte, at int) (uint64, bool) {
	if len(p) < at+8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(p[at:]), true
}
