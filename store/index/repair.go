package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/gantrymq/gantry/transport/message"
)

// recover brings the files that were found to a state to add to.
func (x *Index) recover() error {
	mark := x.options.Mark
	if mark == nil {
		return x.takeOver()
	}
	x.name = max(x.name, mark.File)
	if name, count := x.newest(); x.options.inDoubt() || name != mark.File || count != mark.Count {
		if err := x.rollBack(*mark); err != nil {
			return err
		}
	}
	return x.resume(*mark)
}

func (x *Index) newest() (name int64, count int32) {
	if len(x.tables) == 0 {
		return 0, 1
	}
	return x.last().name, x.last().header.Count
}

// takeOver takes the files of a Java broker as they are, without those that it had not completed when it crashed. It would
// remove these itself.
func (x *Index) takeOver() error {
	for !x.options.Clean && len(x.tables) > 0 && (x.last().header.EndAt > x.options.CompleteAt || x.last().header.Count == 1) {
		if err := x.removeLast(); err != nil {
			return err
		}
	}
	if err := x.secure(); err != nil {
		return err
	}
	mark := Mark{Count: 1}
	if len(x.tables) > 0 {
		h := x.last().header
		mark = Mark{File: x.last().name, Count: h.Count, EndAt: h.EndAt}
	}
	// Which record the items end with is known, but not where it ends.
	last, err := x.lastRecord(0)
	if err != nil {
		return err
	}
	mark.Log = last.log
	return x.resume(mark)
}

// secure makes durable what another broker left, which may not have synced it.
func (x *Index) secure() error {
	if len(x.tables) == 0 {
		return nil
	}
	for _, t := range x.tables {
		if err := t.file.Sync(0, t.sizes.FileSize()); err != nil {
			return inDoubt(err)
		}
	}
	return x.disk.SyncDir(Dir)
}

func (x *Index) removeLast() error {
	t := x.last()
	x.tables = x.tables[:len(x.tables)-1]
	return x.removeFile(t)
}

// resume goes on behind a mark.
func (x *Index) resume(mark Mark) (err error) {
	mark.InDoubt = false
	x.next, x.durable = mark.Log, mark
	if n := len(x.tables); n > 1 {
		x.closed = x.tables[n-2].header.EndAt
	}
	for _, t := range x.tables {
		if t.damage != nil {
			return t.damage
		}
	}
	x.found, err = x.lastRecord(mark.Log)
	return err
}

// lastRecord is the newest record with items. Keys of the records before it are not added again, and of its own only
// those that are not there: its keys may be in two files, of which one was lost.
type lastRecord struct {
	log    message.LogOffset
	hashes []int32 // of its keys that were found and not offered again
}

// takes reports whether an item that is offered again was found.
func (r *lastRecord) takes(item Item) bool {
	if item.Log != r.log {
		return item.Log < r.log
	}
	i := slices.Index(r.hashes, item.Hash)
	if i < 0 {
		return false
	}
	r.hashes = slices.Delete(r.hashes, i, i+1)
	return true
}

// lastRecord reads the newest items backwards. The result is empty for a record before next, which is not
// offered again.
func (x *Index) lastRecord(next message.LogOffset) (last lastRecord, err error) {
	for i := len(x.tables) - 1; i >= 0; i-- {
		t := x.tables[i]
		for number := t.header.Count - 1; number > 0; number-- {
			item, err := t.item(number)
			switch {
			case err != nil:
				return last, err
			case number == t.header.Count-1 && item.log != t.header.EndLog:
				return last, fmt.Errorf("%w: %s: the header says that it ends with %v, its last item says %v", errDamaged, pathOf(t.name), t.header.EndLog, item.log)
			case next > 0 && item.log > next:
				return last, fmt.Errorf("%w: %s: an item is of the record at %v, though all are of records up to %v", errDamaged, pathOf(t.name), item.log, next)
			case item.log < next || len(last.hashes) > 0 && item.log != last.log:
				return last, nil
			}
			last.log, last.hashes = item.log, append(last.hashes, item.hash)
		}
	}
	return last, nil
}

// rollBack takes away what was added behind the mark, of which a crash may have left any part.
func (x *Index) rollBack(mark Mark) error {
	for len(x.tables) > 0 && x.last().name > mark.File {
		if err := x.removeLast(); err != nil {
			return err
		}
	}
	if name, _ := x.newest(); name != mark.File {
		return fmt.Errorf("%w: file %d is missing", errDamaged, mark.File)
	}
	if len(x.tables) == 0 {
		return nil
	}
	if err := x.last().remake(mark); err != nil {
		return err
	}
	// A process that was killed may have removed files without making that durable. They must not come back behind one whose end is being erased.
	if err := x.disk.SyncDir(Dir); err != nil {
		return err
	}
	if err := x.last().rewrite(); err != nil {
		// What the file holds is in doubt, and the next start would not see it.
		return errors.Join(err, x.removeLast())
	}
	return nil
}

// remake makes the slots and the header from the items that were durable at the mark. The slots were changed since, and
// may be torn.
func (t *table) remake(mark Mark) error {
	if mark.Count < 1 || mark.Count > t.sizes.Items {
		return fmt.Errorf("%w: %v", errDamaged, mark)
	}
	found := t.header
	seconds, err := t.readItems(mark.Count)
	if err != nil {
		return err
	}
	t.damage = nil
	if mark.Count == 1 {
		return nil
	}
	t.header.BeginAt, t.header.EndAt = found.BeginAt, mark.EndAt
	if found.BeginLog != t.header.BeginLog || seconds != secondsSince(found.BeginAt, mark.EndAt) {
		return fmt.Errorf("%w: %s: the header says that it begins with %v at %d, which does not fit the first item, %v, or the last, of %d",
			errDamaged, pathOf(t.name), found.BeginLog, found.BeginAt, t.header.BeginLog, mark.EndAt)
	}
	return nil
}

// rewrite erases the items behind those that were remade, and writes the slots and the header.
func (t *table) rewrite() error {
	if err := t.file.Erase(t.sizes.itemAt(t.header.Count), t.sizes.FileSize()); err != nil {
		return err
	}
	t.size = t.sizes.FileSize()
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
	t.written = t.header.Count
	return t.save()
}

// readItems makes the slots and the header from the items [1, count). It returns the seconds of the last one.
func (t *table) readItems(count int32) (seconds int32, err error) {
	t.header, t.pages = Header{Count: 1}, map[int32]*page{}
	err = t.eachItem(count, func(number int32, item storedItem) error {
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
		h.EndLog, h.Count, seconds = item.log, number+1, item.seconds
		binary.BigEndian.PutUint32(word, uint32(number))
		return nil
	})
	return seconds, err
}

// slotWord is the slot of a hash in pages that are not read but made.
func (t *table) slotWord(hash int32) []byte {
	slot := t.sizes.slotOf(hash)
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

// zeroPage is a page of slots that no item is in.
var zeroPage [pageSlots * slotSize]byte

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
			if t.pages[number] == nil && !bytes.Equal(part, zeroPage[:len(part)]) {
				t.pages[number] = &page{changed: true}
			}
			chunk = chunk[len(part):]
			number++
		}
	}
	return nil
}
