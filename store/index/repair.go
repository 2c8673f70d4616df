package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// recover brings the files that were found to a state to add to.
func (x *Index) recover() error {
	mark := x.options.Mark
	switch {
	case mark == nil && !x.options.Clean:
		if err := x.dropIncomplete(); err != nil {
			return err
		}
		x.trust()
	case mark == nil:
		x.trust()
	case !x.options.inDoubt():
		if name, count := x.newest(); name != mark.File || count != mark.Count {
			return fmt.Errorf("%w: it ends with item %d of file %d, the checkpoint says %v", errDamaged, count, name, mark)
		}
		x.resume(*mark)
	default:
		return x.rollBack(*mark)
	}
	return nil
}

func (x *Index) newest() (name int64, count int32) {
	if len(x.tables) == 0 {
		return 0, 1
	}
	return x.last().name, x.last().header.Count
}

// dropIncomplete removes files that a Java broker had not completed when it crashed, as it would do itself.
func (x *Index) dropIncomplete() error {
	for len(x.tables) > 0 && (x.last().header.EndAt > x.options.CompleteAt || x.last().header.Count == 1) {
		t := x.last()
		x.tables = x.tables[:len(x.tables)-1]
		if err := x.removeFile(t); err != nil {
			return err
		}
	}
	return nil
}

// trust takes the files as they are. Which record they end with is known, but not where it ends.
func (x *Index) trust() {
	mark := Mark{Count: 1}
	if len(x.tables) > 0 {
		h := x.last().header
		mark = Mark{Log: h.EndLog, File: x.last().name, Count: h.Count, EndAt: h.EndAt}
	}
	x.resume(mark)
}

// resume goes on behind a mark.
func (x *Index) resume(mark Mark) {
	mark.InDoubt = false
	x.next, x.durable = mark.Log, mark
	if n := len(x.tables); n > 1 {
		x.closed = x.tables[n-2].header.EndAt
	}
	if len(x.tables) > 0 && mark.Count > 1 {
		x.have = x.last().header.EndLog + 1
	}
}

// rollBack takes away what was added behind the mark, of which a crash may have left any part.
func (x *Index) rollBack(mark Mark) error {
	for len(x.tables) > 0 && x.last().name > mark.File {
		t := x.last()
		x.tables = x.tables[:len(x.tables)-1]
		if err := x.removeFile(t); err != nil {
			return err
		}
	}
	if name, _ := x.newest(); name != mark.File {
		return fmt.Errorf("%w: file %d is missing", errDamaged, mark.File)
	}
	if len(x.tables) > 0 {
		if err := x.last().rebuild(mark); err != nil {
			return err
		}
	}
	x.resume(mark)
	return nil
}

// rebuild makes the slots from the items that were durable at the mark, and erases the items behind. The slots were changed since, and
// may be torn.
func (t *table) rebuild(mark Mark) error {
	if mark.Count < 1 || mark.Count > t.sizes.Items {
		return fmt.Errorf("%w: %v", errDamaged, mark)
	}
	header := t.header
	if err := t.readItems(mark.Count); err != nil {
		return err
	}
	if mark.Count > 1 && (header.BeginLog != t.header.BeginLog || header.BeginAt > mark.EndAt+stepTolerance) {
		return fmt.Errorf("%w: %s: the header says that it begins with %v, the first item says %v", errDamaged, pathOf(t.name), header.BeginLog, t.header.BeginLog)
	}
	t.header.BeginAt, t.header.EndAt = header.BeginAt, mark.EndAt
	if mark.Count == 1 {
		t.header = Header{Count: 1}
	}
	if err := t.file.Erase(t.sizes.itemAt(mark.Count), t.sizes.FileSize()); err != nil {
		return err
	}
	if err := t.markChanged(); err != nil {
		return err
	}
	// Everything again, also what seems to be there: after a failed sync the system may believe that it is on the medium.
	if err := t.writePages(); err != nil {
		return err
	}
	if err := t.file.WriteAt(t.header.encode(), 0); err != nil {
		return err
	}
	t.written = mark.Count
	return t.save()
}

// readItems makes the slots and the header from the items [1, count).
func (t *table) readItems(count int32) error {
	t.header, t.pages = Header{Count: 1}, map[int32]*page{}
	err := t.eachItem(count, func(number int32, item storedItem) error {
		h := &t.header
		word := t.slotWord(item.hash)
		previous := int32(binary.BigEndian.Uint32(word))
		if previous != item.previous || item.log < h.EndLog {
			return fmt.Errorf("%w: %s: item %d follows item %d at %v, want %d and not before %v", errDamaged, pathOf(t.name), number, item.previous, item.log, previous, h.EndLog)
		}
		if previous == 0 {
			h.Used++
		}
		if number == 1 {
			h.BeginLog = item.log
		}
		h.EndLog, h.Count = item.log, number+1
		binary.BigEndian.PutUint32(word, uint32(number))
		return nil
	})
	return err
}

// slotWord is the slot of a hash in pages that are not read but made.
func (t *table) slotWord(hash int32) []byte {
	slot := t.sizes.slotOf(max(hash, 0))
	p := t.pages[slot/pageSlots]
	if p == nil {
		p = &page{changed: true}
		t.pages[slot/pageSlots] = p
	}
	return p.slots[slot%pageSlots*slotSize:][:slotSize]
}

// readMax is how much is read at once, in bytes.
const readMax = 1 << 20

// eachItem walks the items [1, count) in order.
func (t *table) eachItem(count int32, each func(number int32, item storedItem) error) error {
	from, to := t.sizes.itemAt(1), t.sizes.itemAt(count)
	number := int32(1)
	for chunk, err := range t.chunks(from, to, readMax/itemSize*itemSize) {
		if err != nil {
			return err
		}
		for ; len(chunk) > 0; chunk = chunk[itemSize:] {
			item := decodeItem(chunk)
			if item.hash < 0 || item.log < 0 || item.seconds < 0 {
				return fmt.Errorf("%w: %s: there can be no item %d of %v", errDamaged, pathOf(t.name), number, item)
			}
			if err := each(number, item); err != nil {
				return err
			}
			number++
		}
	}
	return nil
}

// chunks reads [from, to) piece by piece.
func (t *table) chunks(from, to, size int64) func(yield func([]byte, error) bool) {
	return func(yield func([]byte, error) bool) {
		buffer := make([]byte, min(size, max(to-from, 0)))
		for at := from; at < to; at += size {
			p := buffer[:min(size, to-at)]
			n, err := t.file.ReadAt(p, at)
			if err == nil && n < len(p) {
				err = fmt.Errorf("%s: %w", pathOf(t.name), io.ErrUnexpectedEOF)
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// markChanged adds the pages that the file has and the items do not demand: they become zero.
func (t *table) markChanged() error {
	number := int32(0)
	const pageSize = pageSlots * slotSize
	for chunk, err := range t.chunks(t.sizes.slotAt(0), t.sizes.itemAt(0), readMax/pageSize*pageSize) {
		if err != nil {
			return err
		}
		for len(chunk) > 0 {
			part := chunk[:min(pageSize, len(chunk))]
			if t.pages[number] == nil && len(bytes.Trim(part, "\x00")) > 0 {
				t.pages[number] = &page{changed: true}
			}
			chunk = chunk[len(part):]
			number++
		}
	}
	return nil
}
