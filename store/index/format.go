package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/gantrymq/gantry/transport/message"
)

// Bytes of the parts of a file.
const (
	headerSize = 40
	slotSize   = 4
	itemSize   = 20
)

// ErrForeign: the directory holds a file that is no index file of the configured sizes.
var ErrForeign = errors.New("not an index file")

// Sizes are those of every file. They are not written in it, so a directory must be opened with the sizes it was made with.
type Sizes struct {
	Slots int32 // maxHashSlotNum
	Items int32 // maxIndexNum; number 0 is never used
}

// FileSize is how long a file is, in bytes.
func (s Sizes) FileSize() int64 { return s.itemAt(s.Items) }

func (s Sizes) slotAt(slot int32) int64 { return headerSize + slotSize*int64(slot) }

func (s Sizes) itemAt(number int32) int64 {
	return headerSize + slotSize*int64(s.Slots) + itemSize*int64(number)
}

// slotOf is where the chain of a hash begins. Hashes are never negative.
func (s Sizes) slotOf(hash int32) int32 { return hash % s.Slots }

// Validate refuses sizes that make no file.
func (s Sizes) Validate() error {
	if s.Slots < 1 || s.Items < 2 {
		return fmt.Errorf("an index file needs at least 1 slot and 2 items, got %d and %d", s.Slots, s.Items)
	}
	return nil
}

// Header is the first 40 bytes of a file (class IndexHeader). Times are wall milliseconds.
type Header struct {
	BeginAt  int64             // store time of the first item's record
	EndAt    int64             // and of the last item's
	BeginLog message.LogOffset // place of the first item's record
	EndLog   message.LogOffset // and of the last item's
	Used     int32             // slots that have a chain
	Count    int32             // number of the next item; 1 in a file without items
}

func (h Header) encode() []byte {
	p := make([]byte, 0, headerSize)
	for _, word := range []int64{h.BeginAt, h.EndAt, int64(h.BeginLog), int64(h.EndLog)} {
		p = binary.BigEndian.AppendUint64(p, uint64(word))
	}
	p = binary.BigEndian.AppendUint32(p, uint32(h.Used))
	return binary.BigEndian.AppendUint32(p, uint32(h.Count))
}

// decodeHeader reads a header of which no field needs to make sense.
func decodeHeader(p []byte) Header {
	word := func(at int) int64 { return int64(binary.BigEndian.Uint64(p[at:])) }
	return Header{
		BeginAt: word(0), EndAt: word(8), BeginLog: message.LogOffset(word(16)), EndLog: message.LogOffset(word(24)),
		Used: int32(binary.BigEndian.Uint32(p[32:])), Count: max(int32(binary.BigEndian.Uint32(p[36:])), 1),
	}
}

// Item says that the record at a place has a key of a hash.
type Item struct {
	Hash     int32             // of "topic#key", not negative (message.IndexKeyHash)
	Log      message.LogOffset // where the record begins
	StoredAt int64             // wall milliseconds; files keep whole seconds since their first item
}

// String names the place and the hash.
func (i Item) String() string { return fmt.Sprintf("%v hash %d", i.Log, i.Hash) }

// storedItem is an item as a file has it: hash i32, log offset i64, seconds i32, previous item i32.
type storedItem struct {
	hash     int32
	log      message.LogOffset
	seconds  int32 // since the file's first item
	previous int32 // number of the item before it in the chain, 0 for none
}

func (i storedItem) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(i.hash))
	dst = binary.BigEndian.AppendUint64(dst, uint64(i.log))
	dst = binary.BigEndian.AppendUint32(dst, uint32(i.seconds))
	return binary.BigEndian.AppendUint32(dst, uint32(i.previous))
}

func decodeItem(p []byte) storedItem {
	return storedItem{
		hash:     int32(binary.BigEndian.Uint32(p)),
		log:      message.LogOffset(binary.BigEndian.Uint64(p[4:])),
		seconds:  int32(binary.BigEndian.Uint32(p[12:])),
		previous: int32(binary.BigEndian.Uint32(p[16:])),
	}
}

// secondsSince is the time difference that an item keeps.
func secondsSince(begin, at int64) int32 {
	return int32(min(max((at-begin)/second, 0), math.MaxInt32))
}

// Mark says how far an index is durable. The store keeps it in its checkpoint.
type Mark struct {
	Log   message.LogOffset // the keys of all records before it are in the files
	File  int64             // name of the newest file, as a number; 0 without files
	Count int32             // number of that file's next item
	EndAt int64             // store time of its last item's record, wall milliseconds
	// InDoubt says that something failed while more was written behind the mark, so that even an orderly end leaves
	// files as a crash does.
	InDoubt bool
}

// String tells the mark in one line.
func (m Mark) String() string {
	return fmt.Sprintf("%v, file %017d up to item %d", m.Log, m.File, m.Count)
}
