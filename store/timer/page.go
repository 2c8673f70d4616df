package timer

import (
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
)

// Dir holds the files.
const Dir = "timers"

// page holds the entries of a span of time, in the order in which they were added.
type page struct {
	start   int64                         // wall milliseconds
	waiting int                           // entries that have not been done
	slots   [pageWidth / slotWidth]uint32 // the same by when they are due; their sum is waiting
	first   message.LogOffset
	loaded  bool // its entries are in memory; new ones go there too

	file    env.File // nil until it is needed
	written int64    // bytes of the file that count
	writing []byte   // behind them: being written
	tail    []byte   // behind these: not written yet
	synced  int64    // <= written
}

func (p *page) path() string { return fmt.Sprintf("%s/%020d", Dir, p.start) }

// add appends an entry.
func (p *page) add(e Entry) {
	if p.size() == 0 {
		p.first = e.Log
	}
	p.tail = e.append(p.tail)
	p.came(e)
}

// size is how many bytes the page has, wherever they are.
func (p *page) size() int64 { return p.written + int64(len(p.writing)+len(p.tail)) }

// open opens the file, or makes it.
func (p *page) open(disk env.Disk) error {
	if p.file != nil {
		return nil
	}
	file, err := disk.Open(p.path())
	if errors.Is(err, env.ErrNotExist) {
		file, err = disk.Create(p.path())
	}
	p.file = file
	return err
}

func (p *page) close() error {
	if p.file == nil {
		return nil
	}
	err := p.file.Close()
	p.file = nil
	return err
}

// readChunk is how much of a page is read at once.
const readChunk = 1 << 20 / entrySize * entrySize

// read calls use with each entry. It waits for the disk; entries that are added meanwhile come too.
func (p *page) read(disk env.Disk, use func(Entry)) error {
	var buffer []byte
	for at := int64(0); at < p.written; at += int64(len(buffer)) {
		if err := p.open(disk); err != nil {
			return err
		}
		buffer = make([]byte, min(p.written-at, readChunk))
		n, err := p.file.ReadAt(buffer, at)
		if err != nil {
			return err
		}
		if n < len(buffer) {
			return fmt.Errorf("%w: %s has %d bytes, not %d", ErrDamaged, p.path(), at+int64(n), p.written)
		}
		if err := p.decodeAll(buffer, use); err != nil {
			return err
		}
	}
	return errors.Join(p.decodeAll(p.writing, use), p.decodeAll(p.tail, use))
}

func (p *page) decodeAll(entries []byte, use func(Entry)) error {
	for ; len(entries) >= entrySize; entries = entries[entrySize:] {
		e, err := decodeEntry(entries)
		if err != nil {
			return fmt.Errorf("%s: %w", p.path(), err)
		}
		if startOf(e.Due) != p.start {
			return fmt.Errorf("%w: %s has %v", ErrDamaged, p.path(), e)
		}
		use(e)
	}
	return nil
}

// String tells the page's span and how many wait in it.
func (p *page) String() string { return fmt.Sprintf("page %d with %d entries", p.start, p.waiting) }
