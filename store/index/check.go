package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/segment"
)

// Inspect finds the files of an index for reading, and changes nothing. A last file that is too short is left
// out: a crash while it was made leaves it.
func Inspect(disk env.Disk, sizes Sizes) (*Index, error) {
	if err := sizes.Validate(); err != nil {
		return nil, err
	}
	x := &Index{disk: disk, handles: segment.NewHandles(disk, openMax), options: Options{Sizes: sizes, Clean: true}}
	if err := x.load(true); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// FileInfo describes one file.
type FileInfo struct {
	Path   string
	Header Header
}

// String is the path and the range.
func (i FileInfo) String() string {
	return fmt.Sprintf("%s: %d items, log [%d, %d]", i.Path, i.Header.Count-1, i.Header.BeginLog, i.Header.EndLog)
}

// Files describes all files, the oldest first.
func (x *Index) Files() []FileInfo {
	files := make([]FileInfo, len(x.tables))
	for i, t := range x.tables {
		files[i] = FileInfo{pathOf(t.name), t.header}
	}
	return files
}

// Forget leaves out, in memory only, what stands behind a mark, as Open would remove it.
func (x *Index) Forget(mark Mark) {
	for len(x.tables) > 0 && (x.last().name > mark.File || x.last().name == mark.File && x.last().size < x.options.Sizes.itemAt(mark.Count)) {
		// It was only read: closing it loses nothing.
		_ = x.last().file.Drop()
		x.tables = x.tables[:len(x.tables)-1]
	}
	if name, _ := x.newest(); len(x.tables) > 0 && name == mark.File {
		x.last().header.Count, x.last().damage = max(min(mark.Count, x.options.Sizes.Items), 1), nil
	}
}

// Newest is the name of the newest file as a number, 0 if there is none.
func (x *Index) Newest() int64 {
	name, _ := x.newest()
	return name
}

// Verify compares the slots, the header and the numbers in the items of each file with what the items say. It
// returns what is wrong, one sentence for a file.
func (x *Index) Verify() ([]string, error) { return verifyTables(x.tables) }

// VerifyComplete is Verify without the newest file, which a crash may have left in any state.
func (x *Index) VerifyComplete() ([]string, error) {
	return verifyTables(x.tables[:max(len(x.tables)-1, 0)])
}

func verifyTables(tables []*table) ([]string, error) {
	var findings []string
	for _, t := range tables {
		err := t.verify()
		if err != nil && !errors.Is(err, errDamaged) {
			return findings, err
		}
		if err != nil {
			findings = append(findings, err.Error())
		}
	}
	return findings, nil
}

func (t *table) verify() error {
	if t.damage == nil && t.size < t.sizes.FileSize() {
		return fmt.Errorf("%w: %s has only %d bytes", errDamaged, pathOf(t.name), t.size)
	}
	if t.damage != nil {
		return t.damage
	}
	made := newTable(t.file, t.name, t.sizes)
	if _, err := made.readItems(t.header.Count); err != nil {
		return err
	}
	want := made.header
	want.BeginAt, want.EndAt = t.header.BeginAt, t.header.EndAt
	if want.Count == 1 {
		// A Java broker's file without items takes over the end of the one before it.
		want.BeginLog, want.EndLog = t.header.BeginLog, t.header.EndLog
	}
	if want != t.header {
		return fmt.Errorf("%w: %s: the header says %+v, its items make %+v", errDamaged, pathOf(t.name), t.header, want)
	}
	return made.compareSlots()
}

// compareSlots compares the slots of the file with those that were made of its items.
func (t *table) compareSlots() error {
	number := int32(0)
	const pageSize = pageSlots * slotSize
	var zero page
	for chunk, err := range t.chunks(t.sizes.slotAt(0), t.sizes.itemAt(0), readMax/pageSize*pageSize) {
		if err != nil {
			return err
		}
		for ; len(chunk) > 0; number++ {
			part := chunk[:min(pageSize, len(chunk))]
			want := t.pages[number]
			if want == nil {
				want = &zero
			}
			if !bytes.Equal(part, want.slots[:len(part)]) {
				return t.wrongSlot(number, part, want)
			}
			chunk = chunk[len(part):]
		}
	}
	return nil
}

func (t *table) wrongSlot(number int32, part []byte, want *page) error {
	i := 0
	for bytes.Equal(part[i:i+slotSize], want.slots[i:i+slotSize]) {
		i += slotSize
	}
	return fmt.Errorf("%w: %s: slot %d has item %d, its newest item is %d", errDamaged, pathOf(t.name), int(number)*pageSlots+i/slotSize,
		binary.BigEndian.Uint32(part[i:]), binary.BigEndian.Uint32(want.slots[i:]))
}
