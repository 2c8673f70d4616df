package sim

import (
	"math"
	"slices"
)

// sectorSize is what a disk writes in one piece: a crash never tears inside it.
const sectorSize = 512

// inode is the content of one file: what the operating system shows, and what
// the medium holds. Between them stand the changes not yet synced.
type inode struct {
	shown   []byte // reads see this
	durable []byte // a crash leaves this, plus whatever pending changes it keeps
	pending []change
	changes uint64 // number of the newest change
	pages   []bool // pages that take space; the others are holes
}

// change is one unsynced write or resize.
type change struct {
	number uint64
	offset int64
	data   []byte
	resize bool // set the length to offset
}

// pageSize is the unit in which space is taken.
const pageSize = 4096

// missing counts the bytes of space that writing [from, to) would take in addition.
func (i *inode) missing(from, to int64) int64 {
	var sum int64
	for page := from / pageSize; page*pageSize < to; page++ {
		if page >= int64(len(i.pages)) || !i.pages[page] {
			sum += pageSize
		}
	}
	return sum
}

// take marks the pages of [from, to) as used.
func (i *inode) take(from, to int64) {
	for page := from / pageSize; page*pageSize < to; page++ {
		for page >= int64(len(i.pages)) {
			i.pages = append(i.pages, false)
		}
		i.pages[page] = true
	}
}

// used is the space the file takes.
func (i *inode) used() int64 {
	var sum int64
	for _, taken := range i.pages {
		if taken {
			sum += pageSize
		}
	}
	return sum
}

func (i *inode) write(p []byte, offset int64) {
	i.take(offset, offset+int64(len(p)))
	i.changes++
	i.pending = append(i.pending, change{number: i.changes, offset: offset, data: slices.Clone(p)})
	i.shown = applyWrite(i.shown, p, offset)
}

func (i *inode) resize(size int64) {
	i.changes++
	i.pending = append(i.pending, change{number: i.changes, offset: size, resize: true})
	i.shown = applyResize(i.shown, size)
	if kept := (size + pageSize - 1) / pageSize; kept < int64(len(i.pages)) {
		i.pages = i.pages[:kept]
	}
}

func applyWrite(content, p []byte, offset int64) []byte {
	if end := offset + int64(len(p)); end > int64(len(content)) {
		content = applyResize(content, end)
	}
	copy(content[offset:], p)
	return content
}

func applyResize(content []byte, size int64) []byte {
	if size <= int64(len(content)) {
		return content[:size:size]
	}
	if size > int64(cap(content)) {
		content = slices.Grow(content, int(size)-len(content))
	}
	old := len(content)
	content = content[:size]
	clear(content[old:])
	return content
}

// overlaps reports whether the change matters for the bytes [from, to). A resize always does.
func (c *change) overlaps(from, to int64) bool {
	return c.resize || (c.offset < to && c.offset+int64(len(c.data)) > from)
}

func (i *inode) apply(c *change) {
	if c.resize {
		i.durable = applyResize(i.durable, c.offset)
		return
	}
	i.durable = applyWrite(i.durable, c.data, c.offset)
}

// sync makes the changes up to a number durable, as far as they touch [from, to), and with each
// those that it was made on top of: nothing older may come back over it.
func (i *inode) sync(upTo uint64, from, to int64) {
	covered := i.covered(upTo, from, to)
	kept := i.pending[:0]
	for n := range i.pending {
		if c := &i.pending[n]; covered[n] {
			i.apply(c)
		} else {
			kept = append(kept, *c)
		}
	}
	clear(i.pending[len(kept):])
	i.pending = kept
}

// covered tells which pending changes a sync of [from, to) makes durable. It goes from the newest
// to the oldest and widens the range by each one that it takes.
func (i *inode) covered(upTo uint64, from, to int64) []bool {
	covered := make([]bool, len(i.pending))
	for n := len(i.pending) - 1; n >= 0; n-- {
		c := &i.pending[n]
		if c.number > upTo || !c.overlaps(from, to) {
			continue
		}
		covered[n] = true
		if c.resize {
			from, to = min(from, c.offset), math.MaxInt64
			continue
		}
		from, to = min(from, c.offset), max(to, c.offset+int64(len(c.data)))
	}
	return covered
}

// drop forgets dirty pages after a failed sync, as Linux does: reads still show
// them, no later sync writes them.
func (i *inode) drop(upTo uint64, from, to int64) {
	i.pending = slices.DeleteFunc(i.pending, func(c change) bool {
		return !c.resize && c.number <= upTo && c.overlaps(from, to)
	})
}

// losses says what a power loss does to unsynced changes.
type losses int

const (
	loseAll     losses = iota // nothing unsynced survives
	keepAll                   // everything does
	keepSome                  // any subset of the writes
	keepSectors               // any subset of the sectors: torn writes
	lossKinds
)

// crash leaves what the medium holds after a power loss.
func (i *inode) crash(kind losses, random *Stream) {
	for n := range i.pending {
		i.survive(&i.pending[n], kind, random)
	}
	i.pending = nil
	i.shown = slices.Clone(i.durable)
}

func (i *inode) survive(c *change, kind losses, random *Stream) {
	switch {
	case kind == loseAll:
	case kind == keepAll, c.resize && random.Chance(0.5):
		i.apply(c)
	case c.resize:
	case kind == keepSome:
		if random.Chance(0.5) {
			i.apply(c)
		}
	case kind == keepSectors:
		i.surviveBySector(c, random)
	}
}

// surviveBySector keeps each touched sector by a draw of its own.
func (i *inode) surviveBySector(c *change, random *Stream) {
	for start := int64(0); start < int64(len(c.data)); {
		end := min(int64(len(c.data)), (c.offset+start)/sectorSize*sectorSize+sectorSize-c.offset)
		if random.Chance(0.5) {
			i.durable = applyWrite(i.durable, c.data[start:end], c.offset+start)
		}
		start = end
	}
}
