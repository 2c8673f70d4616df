package store

import (
	"encoding/binary"
	"fmt"
	"math"
	"path"

	"github.com/gantrymq/gantry/transport/message"
)

// layout is how the entries of a queue look in its files. There are two of them.
type layout struct {
	dir   string // below which the queue's files are
	size  int64  // of an entry in bytes
	batch bool
}

var (
	// simpleLayout has an entry of 20 bytes for each message (class ConsumeQueue, queue.type SimpleCQ).
	simpleLayout = &layout{dir: "consumequeue", size: 20}
	// batchLayout has an entry of 46 bytes for each record, which may hold several messages (class BatchConsumeQueue,
	// queue.type BatchCQ). So the number of a message does not tell where its entry is: it must be searched.
	batchLayout = &layout{dir: "batchconsumequeue", size: 46, batch: true}
)

// layouts are all of them, in the order in which a Java broker loads their queues.
var layouts = [2]*layout{simpleLayout, batchLayout}

// position counts the entries of a queue from 0, also those whose files are gone. In the simple layout it equals the number of
// the message.
type position int64

// positionMax keeps the byte offset of an entry, and of the file it is in, within 63 bits.
const positionMax = math.MaxInt64 / 46 / 2

// path is the directory of a queue's files.
func (l *layout) path(key QueueKey) string { return path.Join(l.dir, key.Topic, fmt.Sprint(key.ID)) }

// start is the position of the first entry of a queue whose first message has a number.
func (l *layout) start(number message.QueueOffset) position {
	if l.batch {
		return 0
	}
	return position(number)
}

// fileSize is the size of a queue's files in bytes.
func (l *layout) fileSize(options *Options) int64 { return *l.entriesOption(options) * l.size }

// entriesOption is the option that says how many entries a file has.
func (l *layout) entriesOption(options *Options) *int64 {
	if l.batch {
		return &options.BatchSegmentEntries
	}
	return &options.QueueSegmentEntries
}

// String is the protocol's word, the value of the topic attribute queue.type.
func (l *layout) String() string {
	if l.batch {
		return "BatchCQ"
	}
	return "SimpleCQ"
}

// entry says where one record of a queue stands (class CqUnit).
type entry struct {
	number  message.QueueOffset // of its first message
	count   int32               // messages in it; 1 in the simple layout
	log     message.LogOffset
	size    int32 // of the record in bytes
	tagHash int64
	stored  int64 // store time, wall milliseconds; only the batch layout keeps it
}

// append appends the bytes of an entry. Both layouts begin with log offset i64, size i32, tag hash i64; the batch layout goes on with
// store time i64, number i64, count i16, -1 i32 (a place in a compacted log), 0 i32.
func (l *layout) append(dst []byte, e entry) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.log))
	dst = binary.BigEndian.AppendUint32(dst, uint32(e.size))
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.tagHash))
	if !l.batch {
		return dst
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.stored))
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.number))
	dst = binary.BigEndian.AppendUint16(dst, uint16(e.count))
	dst = binary.BigEndian.AppendUint32(dst, math.MaxUint32)
	return binary.BigEndian.AppendUint32(dst, 0)
}

// decode reads the entry that stands at a position.
func (l *layout) decode(p []byte, at position) entry {
	e := entry{
		number: message.QueueOffset(at), count: 1,
		log:     message.LogOffset(binary.BigEndian.Uint64(p)),
		size:    int32(binary.BigEndian.Uint32(p[8:])),
		tagHash: int64(binary.BigEndian.Uint64(p[12:])),
	}
	if l.batch {
		e.stored = int64(binary.BigEndian.Uint64(p[20:]))
		e.number = message.QueueOffset(binary.BigEndian.Uint64(p[28:]))
		e.count = int32(int16(binary.BigEndian.Uint16(p[36:])))
	}
	return e
}

// entryOf is the entry of a record that ends at a place.
func (l *layout) entryOf(r *message.Record, end message.LogOffset, tagHash int64) entry {
	e := entry{number: r.QueueOffset, count: 1, log: r.LogOffset, size: int32(end - r.LogOffset), tagHash: tagHash}
	if l.batch {
		e.count, e.stored = messagesIn(r), r.StoredAt
	}
	return e
}

// messagesIn is how many messages a record of the batch layout holds: a Java broker, too, goes by the two properties
// and not by the flag.
func messagesIn(r *message.Record) int32 {
	if _, based := message.PropertyBytes(r.Properties, message.PropertyInnerBase); !based {
		return 1
	}
	n, err := innerCount(r)
	if err != nil {
		return 1
	}
	return n
}

// fillerSize marks entries that stand before the queue's first message.
const fillerSize = 0x7fffffff

// bridgeTag marks entries of messages that are lost in a bridge. No tag and no time has this number, nor, in its lower half, a tag
// that a Java broker would find.
const bridgeTag = 0x7fffffff_44414d47

// recordHead is how many bytes of a record are enough to compare it with its entry, and the least that a record has.
const recordHead = 91

// unwritten reports whether nothing stands where the entry was read.
func (e entry) unwritten() bool { return e.log == 0 && e.size == 0 && e.tagHash == 0 }

// possible reports whether there can be such an entry. Others come from a damaged file, or were never written.
func (e entry) possible() bool {
	return e.size >= recordHead && e.size != fillerSize && e.tagHash != bridgeTag && e.log >= 0 && e.log <= math.MaxInt64-message.LogOffset(e.size) &&
		e.number >= 0 && e.number <= positionMax && e.count >= 1
}

// fits reports whether the record that begins with head is the one of the entry.
func (e entry) fits(head []byte) bool {
	size, _ := message.PeekSize(head)
	magic, _ := message.PeekMagic(head)
	log, _ := message.PeekLogOffset(head)
	queue, ok := message.PeekQueueOffset(head)
	return ok && size == e.size && (magic == message.MagicV1 || magic == message.MagicV2) && log == e.log && queue == e.number
}

// String names the place of the record, and its tag's hash.
func (e entry) String() string {
	if e.count > 1 {
		return fmt.Sprintf("[%d, %d) tag %d, %d messages from %d on", e.log, e.end(), e.tagHash, e.count, e.number)
	}
	return fmt.Sprintf("[%d, %d) tag %d", e.log, e.end(), e.tagHash)
}

// end is where the record ends; a filler has none.
func (e entry) end() message.LogOffset {
	if e.size == fillerSize {
		return e.log
	}
	return e.log + message.LogOffset(e.size)
}

// next is the number behind the entry's last message.
func (e entry) next() message.QueueOffset { return e.number + message.QueueOffset(e.count) }

// filler reports whether the entry stands for messages that are gone: their log file was removed before the queue
// was made (then log is 0), or a bridge stands at log in their place.
func (e entry) filler() bool {
	return e.log >= 0 && (e.size == fillerSize || e.tagHash == bridgeTag && e.size >= recordHead)
}
