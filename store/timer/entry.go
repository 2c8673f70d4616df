package timer

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/gantrymq/gantry/transport/message"
)

// Entry is a message that waits.
type Entry struct {
	Due    int64             // wall milliseconds; not before it is delivered
	Log    message.LogOffset // of its record
	Size   int32             // of the record, in bytes; > 0
	Recall bool              // it is no message, but withdraws one that is due at the same time
}

// End is where its record ends. It names the message in the record of its delivery.
func (e Entry) End() message.LogOffset { return e.Log + message.LogOffset(e.Size) }

// String tells when it is due and where it stands.
func (e Entry) String() string { return fmt.Sprintf("entry at %v due at %d", e.Log, e.Due) }

func (e Entry) key() Key { return Key{e.Due, e.Log} }

// Key orders entries: by the time when they are due, those of one millisecond as they stand in the log.
type Key struct {
	Due int64             `json:"due"`
	Log message.LogOffset `json:"log"`
}

// Compare is negative if k comes first.
func (k Key) Compare(other Key) int {
	return cmp.Or(cmp.Compare(k.Due, other.Due), cmp.Compare(k.Log, other.Log))
}

// next is the first key behind k.
func (k Key) next() Key { return Key{k.Due, k.Log + 1} }

// entrySize is due u64, log u64, size u32 with the highest bit set for a recall, CRC-32 of these 20 bytes.
const (
	entrySize  = 24
	recallFlag = 1 << 31
)

func (e Entry) append(dst []byte) []byte {
	at := len(dst)
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Due))
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Log))
	size := uint32(e.Size)
	if e.Recall {
		size |= recallFlag
	}
	dst = binary.BigEndian.AppendUint32(dst, size)
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[at:]))
}

// ErrDamaged: the files contradict themselves or the log. Everything is in the log: Reset, and follow the log from its start.
var ErrDamaged = errors.New("the calendar of timers is damaged")

// decodeEntry reads the first entrySize bytes.
func decodeEntry(p []byte) (Entry, error) {
	if binary.BigEndian.Uint32(p[20:]) != crc32.ChecksumIEEE(p[:20]) {
		return Entry{}, fmt.Errorf("%w: an entry does not fit its checksum", ErrDamaged)
	}
	size := binary.BigEndian.Uint32(p[16:])
	e := Entry{
		Due: int64(binary.BigEndian.Uint64(p)), Log: message.LogOffset(binary.BigEndian.Uint64(p[8:])),
		Size: int32(size &^ recallFlag), Recall: size&recallFlag != 0,
	}
	if e.Due < 0 || e.Log < 0 || e.Size <= 0 {
		return Entry{}, fmt.Errorf("%w: %v has %d bytes", ErrDamaged, e, e.Size)
	}
	return e, nil
}
