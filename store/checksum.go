package store

import (
	"bytes"
	"fmt"
	"hash/crc32"

	"github.com/gantrymq/gantry/transport/message"
)

// The whole-record checksum is the last property of a record ("__CRC32#", broker option
// enabledAppendPropCRC): name 0x01 ten decimal digits, least significant first, 0x02. It covers
// every byte before it. Without it only the body would be protected, and a torn
// write could leave a record whose body is right and whose properties are not.
const (
	checksumName   = "__CRC32#\x01"
	checksumDigits = 10
	checksumSize   = len(checksumName) + checksumDigits + 1
)

// checksumSpace is a checksum property without its number.
var checksumSpace = []byte(checksumName + "0000000000\x02")

// sealRecord writes the checksum into the space that the record ends with.
func sealRecord(record []byte) {
	covered := len(record) - checksumSize
	putDigits(record[covered+len(checksumName):], crc32.ChecksumIEEE(record[:covered]))
}

func putDigits(digits []byte, checksum uint32) {
	checksum &= 0x7fffffff
	for i := range checksumDigits {
		digits[i] = byte('0' + checksum%10)
		checksum /= 10
	}
}

// sealFits reports whether a record ends with the checksum of what stands before, or has none, as those of a Java broker, and the one of its body fits.
func sealFits(record []byte) bool {
	covered := len(record) - checksumSize
	if covered < 0 || string(record[covered:covered+len(checksumName)]) != checksumName {
		var r message.Record
		_, err := message.DecodeRecord(record, &r, true)
		return err == nil
	}
	var digits [checksumDigits]byte
	putDigits(digits[:], crc32.ChecksumIEEE(record[:covered]))
	return string(digits[:]) == string(record[covered+len(checksumName):len(record)-1]) && record[len(record)-1] == propertyEnd
}

// verifySeal checks the whole-record checksum. A record of a Java broker has none; but neither has one of ours whose
// end was torn off. The log is zero where nothing was written, and properties are text, so a zero byte near
// their end tells the two apart.
func verifySeal(record, properties []byte) error {
	covered := len(record) - checksumSize
	if covered < 0 || !bytes.HasPrefix(record[covered:], []byte(checksumName)) {
		if bytes.IndexByte(properties[max(len(properties)-checksumSize, 0):], 0) >= 0 {
			return fmt.Errorf("%w: the properties end in unwritten bytes", message.ErrMalformed)
		}
		return nil
	}
	seal := [checksumSize]byte(checksumSpace)
	putDigits(seal[len(checksumName):], crc32.ChecksumIEEE(record[:covered]))
	if !bytes.Equal(record[covered:], seal[:]) {
		return fmt.Errorf("%w: the whole record ends with %q, computed %q", message.ErrChecksum, record[covered:], seal)
	}
	return nil
}
