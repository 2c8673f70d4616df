package message

import "encoding/binary"

// EndOfFileSize is the bytes of an end-of-file marker: a size and a magic. Every full
// file of the commit log ends with one, so a record always leaves at least this
// much room behind it.
const EndOfFileSize = 8

// FitsFile reports whether a record of the given size may be appended to a file
// that has room for remaining bytes. If not, the file gets an end-of-file marker and the
// record goes to the next one.
func FitsFile(recordSize, remaining int) bool {
	return recordSize+EndOfFileSize <= remaining
}

// AppendEndOfFile appends the marker that declares the remaining bytes of a file
// used up (the "blank" record). What stands behind its 8 bytes has no meaning.
// Remaining counts the marker itself and is at least EndOfFileSize.
func AppendEndOfFile(dst []byte, remaining int32) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(remaining))
	return binary.BigEndian.AppendUint32(dst, uint32(MagicEndOfFile))
}
