package message

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
)

// AppendRecord appends the bytes of a record to dst and returns it; on an error dst
// is returned as it was. It allocates only if dst lacks capacity.
//
// TotalSize, Magic, BodyCRC and the host bits of SysFlags are computed from the
// other fields; what r holds there is ignored. The record is v2 if and only if the
// topic takes more than TopicLengthMaxV1 bytes.
//
// The errors are ErrTopicLength, ErrPropertiesLength, ErrBodyLength and ErrHost.
func AppendRecord(dst []byte, r *Record) ([]byte, error) {
	flags := r.hostFlags()
	size, err := RecordSize(len(r.Body), len(r.Topic), len(r.Properties), flags)
	if err != nil {
		return dst, err
	}
	if !r.BornHost.IsValid() || !r.StoreHost.IsValid() {
		return dst, fmt.Errorf("%w: born host %v, store host %v", ErrHost, r.BornHost, r.StoreHost)
	}
	dst = slices.Grow(dst, size)
	dst = appendFixedFields(dst, r, size, flags)
	dst = appendCounted(dst, r)
	return dst, nil
}

// appendFixedFields writes everything in front of the body length.
func appendFixedFields(dst []byte, r *Record, size int, flags SysFlags) []byte {
	order := binary.BigEndian
	dst = order.AppendUint32(dst, uint32(size))
	dst = order.AppendUint32(dst, uint32(magicFor(r.Topic)))
	dst = order.AppendUint32(dst, BodyChecksum(r.Body))
	dst = order.AppendUint32(dst, uint32(r.QueueID))
	dst = order.AppendUint32(dst, uint32(r.UserFlags))
	dst = order.AppendUint64(dst, uint64(r.QueueOffset))
	dst = order.AppendUint64(dst, uint64(r.LogOffset))
	dst = order.AppendUint32(dst, uint32(flags))
	dst = order.AppendUint64(dst, uint64(r.BornAt))
	dst = appendHost(dst, r.BornHost)
	dst = order.AppendUint64(dst, uint64(r.StoredAt))
	dst = appendHost(dst, r.StoreHost)
	dst = order.AppendUint32(dst, uint32(r.Redeliveries))
	return order.AppendUint64(dst, uint64(r.PreparedAt))
}

// appendCounted writes body, topic and properties, each behind its length.
func appendCounted(dst []byte, r *Record) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(r.Body)))
	dst = append(dst, r.Body...)
	if magicFor(r.Topic) == MagicV1 {
		dst = append(dst, byte(len(r.Topic)))
	} else {
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(r.Topic)))
	}
	dst = append(dst, r.Topic...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(r.Properties)))
	return append(dst, r.Properties...)
}

// magicFor keeps v1 wherever it can be read, because most clients know nothing else.
func magicFor(topic []byte) Magic {
	if len(topic) > TopicLengthMaxV1 {
		return MagicV2
	}
	return MagicV1
}

// BodyChecksum returns the checksum a record carries for a body as it is stored:
// CRC-32 (IEEE) with the top bit cleared. That of an empty body is 0.
func BodyChecksum(body []byte) uint32 {
	return crc32.ChecksumIEEE(body) & 0x7FFFFFFF
}

// PatchRecord writes the three fields that are decided only when a record gets its
// place in the log: its number in the queue, its position, and the store time in
// wall milliseconds. Neither the size nor the checksum depends on them.
//
// The record must be one that AppendRecord made, from its first byte on.
func PatchRecord(record []byte, queueOffset QueueOffset, logOffset LogOffset, storedAtMillis int64) {
	flags := SysFlags(binary.BigEndian.Uint32(record[sysFlagsAt:]))
	binary.BigEndian.PutUint64(record[queueOffsetAt:], uint64(queueOffset))
	binary.BigEndian.PutUint64(record[logOffsetAt:], uint64(logOffset))
	binary.BigEndian.PutUint64(record[storedAtAt(flags):], uint64(storedAtMillis))
}

// PatchRedeliveries writes how often a message was delivered before (RECONSUMETIMES). The size does not depend on it, nor the checksum of the body; that of the
// whole record, which only stores look at, does not fit any more. The record must be one that AppendRecord made, from its first byte on.
func PatchRedeliveries(record []byte, redeliveries int32) {
	at := bodyLengthAt(SysFlags(binary.BigEndian.Uint32(record[sysFlagsAt:]))) - 12
	binary.BigEndian.PutUint32(record[at:], uint32(redeliveries))
}
