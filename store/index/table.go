package index

import (
	"encoding/binary"
	"fmt"

	"github.com/gantrymq/gantry/store/segment"
)

// table is one index file. The newest one has changes in memory that save writes.
type table struct {
	name   int64
	sizes  Sizes
	file   *segment.File
	header Header
	size   int64 // less than all only in a file that a crash left, until it is repaired
	damage error // what is wrong with the header; then it counts no items
	bare   bool  // for an inspection: a broker may be writing the file, and writes the header last

	// Items [written, header.Count) are in memory, and the slots' pages that were changed or looked at since the last save.
	tail    []byte
	written int32
	pages   map[int32]*page
}

// page is a piece of the slots' table.
type page struct {
	slots   [pageSlots * slotSize]byte
	changed bool // since it was written
	used    bool // since the last save
}

// pageSlots makes a page 4 KiB.
const pageSlots = 1024

func newTable(file *segment.File, name int64, sizes Sizes) *table {
	return &table{name: name, sizes: sizes, file: file, size: sizes.FileSize(), header: Header{Count: 1}, written: 1, pages: map[int32]*page{}}
}

// full reports whether there is no room for another item.
func (t *table) full() bool { return t.header.Count >= t.sizes.Items }

// add appends an item to its chain.
func (t *table) add(item Item) error {
	h := &t.header
	if item.Hash < 0 || h.Count > 1 && item.Log < h.EndLog {
		return fmt.Errorf("%s: there can be no item %v behind %v: the hash must not be negative, and places must not fall", pathOf(t.name), item, h.EndLog)
	}
	slot := t.sizes.slotOf(item.Hash)
	p, err := t.page(slot)
	if err != nil {
		return err
	}
	if h.Count == 1 {
		h.BeginAt, h.BeginLog = item.StoredAt, item.Log
	}
	word := p.slots[slot%pageSlots*slotSize:][:slotSize]
	previous := int32(binary.BigEndian.Uint32(word))
	if previous == 0 {
		h.Used++
	}
	stored := storedItem{hash: item.Hash, log: item.Log, seconds: secondsSince(h.BeginAt, item.StoredAt), previous: previous}
	t.tail = stored.append(t.tail)
	binary.BigEndian.PutUint32(word, uint32(h.Count))
	p.changed = true
	h.Count++
	h.EndAt, h.EndLog = item.StoredAt, item.Log
	return nil
}

// page returns the part of the table that has a slot. It waits for the disk the first time.
func (t *table) page(slot int32) (*page, error) {
	number := slot / pageSlots
	p := t.pages[number]
	if p == nil {
		p = &page{}
		if err := t.readFull(p.slots[:t.pageBytes(number)], t.sizes.slotAt(number*pageSlots)); err != nil {
			return nil, err
		}
		t.pages[number] = p
	}
	p.used = true
	return p, nil
}

// newest is the number of the newest item of a slot.
func (t *table) newest(slot int32) (int32, error) {
	if p := t.pages[slot/pageSlots]; p != nil {
		return int32(binary.BigEndian.Uint32(p.slots[slot%pageSlots*slotSize:])), nil
	}
	var word [slotSize]byte
	err := t.readFull(word[:], t.sizes.slotAt(slot))
	return int32(binary.BigEndian.Uint32(word[:])), err
}

// searchEnd is one past the newest item that a slot can lead to.
func (t *table) searchEnd() int32 {
	if !t.bare {
		return t.header.Count
	}
	// Slots that were just written lead to items that the header does not count yet, and through them to older ones.
	return int32(min(max(t.size-t.sizes.itemAt(0), 0)/itemSize, int64(t.sizes.Items)))
}

// item reads one item, which must exist.
func (t *table) item(number int32) (storedItem, error) {
	if number >= t.written && !t.bare {
		return decodeItem(t.tail[(number-t.written)*itemSize:]), nil
	}
	var p [itemSize]byte
	err := t.readFull(p[:], t.sizes.itemAt(number))
	return decodeItem(p[:]), err
}

func (t *table) readFull(p []byte, at int64) error {
	n, err := t.file.ReadAt(p, at)
	if err == nil && n < len(p) {
		err = fmt.Errorf("%s ends at %d", pathOf(t.name), at+int64(n))
	}
	return err
}

// readHeader reads and checks the header. One that cannot be is remembered as damage.
func (t *table) readHeader() error {
	p := make([]byte, headerSize)
	if err := t.readFull(p, 0); err != nil {
		return err
	}
	t.header = decodeHeader(p)
	h := &t.header
	switch {
	case h.Count > t.sizes.Items:
		t.damage = fmt.Errorf("%w: %s: the header counts items up to %d, there is room up to %d", errDamaged, pathOf(t.name), h.Count-1, t.sizes.Items-1)
	case h.BeginLog < 0 || h.EndLog < h.BeginLog:
		t.damage = fmt.Errorf("%w: %s: the header says log [%d, %d]", errDamaged, pathOf(t.name), h.BeginLog, h.EndLog)
	}
	if t.damage == nil && t.size < t.sizes.itemAt(h.Count) {
		t.damage = fmt.Errorf("%w: %s: the header counts items up to %d, and the file has only %d bytes", errDamaged, pathOf(t.name), h.Count-1, t.size)
	}
	if t.damage != nil {
		h.Count = 1
	}
	t.written = h.Count
	return nil
}

// String names the file and its range.
func (t *table) String() string {
	return fmt.Sprintf("%s: %d items, log [%d, %d]", pathOf(t.name), t.header.Count-1, t.header.BeginLog, t.header.EndLog)
}
