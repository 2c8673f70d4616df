package index

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gantrymq/gantry/node/env"
)

// write hands everything that is only in memory to the operating system, the header last. After an error it
// can be tried again.
func (t *table) write() error {
	if t.written == t.header.Count {
		return nil
	}
	upTo := t.header.Count
	if err := t.file.WriteAt(t.tail, t.sizes.itemAt(t.written)); err != nil {
		return err
	}
	if err := t.writePages(); err != nil {
		return err
	}
	if err := t.file.WriteAt(t.header.encode(), 0); err != nil {
		return err
	}
	t.tail, t.written = t.tail[:0], upTo
	return nil
}

// inDoubt is the error of a failed sync. It cannot be repeated, not even when there was no space: the
// system may have forgotten what it did not write.
func inDoubt(err error) error {
	if errors.Is(err, env.ErrNoSpace) {
		return fmt.Errorf("%w: a sync failed: %v", env.ErrIO, err)
	}
	return err
}

// tailKept is how much memory for items is kept for the next ones.
const tailKept = 1 << 20

// save makes everything durable, and gives back memory that was not used since the last time.
func (t *table) save() error {
	if err := t.write(); err != nil {
		return err
	}
	if err := t.file.Sync(0, t.sizes.FileSize()); err != nil {
		return inDoubt(err)
	}
	// order does not matter: each is looked at alone
	maps.DeleteFunc(t.pages, func(_ int32, p *page) bool {
		idle := !p.used
		p.used = false
		return idle
	})
	if cap(t.tail) > tailKept {
		t.tail = nil
	}
	return nil
}

// runMax bounds how many pages are written at once.
const runMax = 256

// writePages writes the changed pages of the slots, neighbours at once.
func (t *table) writePages() error {
	var changed []int32
	// order does not matter: it is sorted below
	for number, p := range t.pages {
		if p.changed {
			changed = append(changed, number)
		}
	}
	slices.Sort(changed)
	var bytes []byte
	for len(changed) > 0 {
		n := 1
		for n < min(len(changed), runMax) && changed[n] == changed[0]+int32(n) {
			n++
		}
		bytes = bytes[:0]
		for _, number := range changed[:n] {
			bytes = append(bytes, t.pages[number].slots[:t.pageBytes(number)]...)
		}
		if err := t.file.WriteAt(bytes, t.sizes.slotAt(changed[0]*pageSlots)); err != nil {
			return err
		}
		for _, number := range changed[:n] {
			t.pages[number].changed = false
		}
		changed = changed[n:]
	}
	return nil
}

// pageBytes is the length of a page; the last one of a table may be shorter.
func (t *table) pageBytes(number int32) int32 {
	return min(pageSlots, t.sizes.Slots-number*pageSlots) * slotSize
}
