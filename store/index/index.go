package index

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
)

// Options of an index.
type Options struct {
	Sizes Sizes
	Zone  *time.Location // for the names of files; UTC if nil
	// Clean says that the last broker closed the store; otherwise files may be torn.
	Clean bool
	// Mark is what the store's checkpoint says; nil if a Java broker wrote it.
	Mark *Mark
	// CompleteAt is the checkpoint's index timestamp, wall milliseconds: after a crash of a Java broker only files
	// that end by then can be trusted.
	CompleteAt int64
}

// Index is all index files of a store.
type Index struct {
	disk    env.Disk
	handles *segment.Handles
	options Options
	tables  []*table          // oldest first; items are added to the last one
	next    message.LogOffset // the keys of all records before it are added
	found   lastRecord        // what Open found, and is not added again
	durable Mark
	closed  int64 // store time of the newest record of the files before the last one
	name    int64 // no file was ever named by a greater number
	failed  error // nothing can be added any more
}

// errDamaged: a file contradicts itself, so the index is made again.
var errDamaged = errors.New("the index is damaged")

// openMax is how many files are kept open.
const openMax = 16

// Open finds the files of an index, and brings them to the state of the mark. Files that do not fit, or for which there
// is no space any more, are removed: Next tells from where the log must be read again. Files of another name or size are
// ErrForeign.
func Open(disk env.Disk, options Options) (*Index, error) {
	if err := options.Sizes.Validate(); err != nil {
		return nil, err
	}
	if options.Zone == nil {
		options.Zone = time.UTC
	}
	x := &Index{disk: disk, handles: segment.NewHandles(disk, openMax), options: options}
	if err := x.load(false); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	err := x.recover()
	if errors.Is(err, errDamaged) || errors.Is(err, env.ErrNoSpace) {
		// It is derived from the log, so nothing is lost.
		err = x.RemoveAll()
	}
	if err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// load finds the files and reads their headers. After a crash the last one may be shorter: it was being made, and is removed or,
// by an inspection, left out; or its end was being erased by a repair, which begins again.
func (x *Index) load(inspect bool) error {
	files, err := x.list(inspect)
	if err != nil {
		return err
	}
	for _, f := range files {
		t := newTable(x.handles.File(pathOf(f.name)), f.name, x.options.Sizes)
		switch {
		case f.short && inspect && f.size < headerSize:
			return nil
		case f.short && !inspect && !x.hasMarked(f.name, f.size):
			return x.removeFile(t)
		}
		x.tables, x.name, t.size, t.bare = append(x.tables, t), f.name, f.size, inspect
		if err := t.readHeader(); err != nil {
			return err
		}
	}
	return nil
}

// listed is a file of the directory.
type listed struct {
	name, size int64
	short      bool // it is the last one, and shorter than a file is
}

// list finds the files, and refuses those that are foreign before anything is changed.
func (x *Index) list(inspect bool) ([]listed, error) {
	entries, err := x.disk.List(Dir)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e env.Entry) bool { return e.IsDir })
	files := make([]listed, len(entries))
	for i, e := range entries {
		name, err := parseName(e.Name)
		if err != nil {
			return nil, err
		}
		short := i == len(entries)-1 && e.Size < x.options.Sizes.FileSize() && (inspect || x.options.inDoubt())
		files[i] = listed{name, e.Size, short}
		if !short && e.Size != x.options.Sizes.FileSize() || short && i == 0 && inspect {
			if err := x.wrongSize(files[i]); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

// Foreign is the error with which Open would refuse the directory, or nil. It changes nothing, so that a store can ask before it begins.
func Foreign(disk env.Disk, options Options) error {
	x := &Index{disk: disk, handles: segment.NewHandles(disk, openMax), options: options}
	_, err := x.list(false)
	return err
}

// hasMarked reports whether a short file has all items that were durable at the mark: then a crash came while a repair
// erased the others.
func (x *Index) hasMarked(name, size int64) bool {
	mark := x.options.Mark
	return mark != nil && mark.File == name && mark.Count >= 1 && mark.Count <= x.options.Sizes.Items && size >= x.options.Sizes.itemAt(mark.Count)
}

// inDoubt reports whether files may have more than the mark says, in any state.
func (o Options) inDoubt() bool { return !o.Clean || o.Mark != nil && o.Mark.InDoubt }

// Next is the log offset from which on records are to be added.
func (x *Index) Next() message.LogOffset { return x.next }

// EndAt is the store time of the newest record with keys, wall milliseconds.
func (x *Index) EndAt() int64 {
	if len(x.tables) == 0 {
		return 0
	}
	return x.last().header.EndAt
}

// Durable is the mark of the last Save.
func (x *Index) Durable() Mark { return x.durable }

// CompleteAt is the store time of the newest record in files that are full and durable, wall
// milliseconds: the index timestamp of Java's checkpoint.
func (x *Index) CompleteAt() int64 { return x.closed }

// Add adds the keys of records in the order of the log: afterwards all records before end are added. wall is
// the time now. After an error nothing more can be added until the index is opened again, unless it is env.ErrNoSpace: then the
// call can be repeated without the items that were added.
func (x *Index) Add(items []Item, end message.LogOffset, wall int64) (added int, err error) {
	if x.failed != nil {
		return 0, x.failed
	}
	for i, item := range items {
		if x.found.takes(item) {
			continue
		}
		if err := x.roll(wall); err != nil {
			return i, x.fail(err)
		}
		if err := x.last().add(item); err != nil {
			return i, x.fail(err)
		}
	}
	x.next = end
	return len(items), nil
}

// fail remembers what cannot be repeated.
func (x *Index) fail(err error) error {
	if err != nil && (!errors.Is(err, env.ErrNoSpace) || errors.Is(err, env.ErrIO)) {
		x.failed = err
	}
	return err
}

func (x *Index) last() *table { return x.tables[len(x.tables)-1] }

// roll makes the next file if there is no room in the last one.
func (x *Index) roll(wall int64) error {
	if len(x.tables) > 0 {
		if !x.last().full() {
			return nil
		}
		// Only the last file is looked at after a crash.
		if err := x.last().save(); err != nil {
			return err
		}
	}
	name := nameAt(wall, x.options.Zone, x.name)
	if name > nameMax {
		return fmt.Errorf("%s: no name is left behind %d: stop the broker and remove %s/, it is made again from the log", Dir, x.name, Dir)
	}
	file, err := x.handles.Create(pathOf(name), Dir, x.options.Sizes.FileSize())
	if err != nil {
		return err
	}
	if len(x.tables) > 0 {
		x.closed = x.last().header.EndAt
		x.last().pages, x.last().tail = nil, nil
	}
	x.tables, x.name = append(x.tables, newTable(file, name, x.options.Sizes)), name
	return nil
}

// Unwritten is how many bytes of items are only in memory.
func (x *Index) Unwritten() int {
	if len(x.tables) == 0 {
		return 0
	}
	return len(x.last().tail)
}

// Write hands what was added to the operating system, which frees memory. It promises nothing.
func (x *Index) Write() error {
	if len(x.tables) == 0 || x.failed != nil {
		return x.failed
	}
	return x.fail(x.last().write())
}

// Save makes everything that was added durable. Errors are as those of Add.
func (x *Index) Save() error {
	if x.failed != nil {
		return x.failed
	}
	mark := Mark{Log: x.next, Count: 1}
	if len(x.tables) > 0 {
		if err := x.last().save(); err != nil {
			return x.fail(err)
		}
		mark.File, mark.Count, mark.EndAt = x.last().name, x.last().header.Count, x.last().header.EndAt
	}
	x.durable = mark
	return nil
}

// RemoveBefore removes files of which all records are gone, durably, and returns how many. The newest file stays.
func (x *Index) RemoveBefore(start message.LogOffset) (int, error) {
	removed := 0
	for len(x.tables) > 1 && x.tables[0].header.EndLog < start {
		t := x.tables[0]
		x.tables = slices.Delete(x.tables, 0, 1)
		if err := x.removeFile(t); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// RemoveAll removes all files, durably, the newest first: everything is to be added again.
func (x *Index) RemoveAll() error {
	for len(x.tables) > 0 {
		t := x.last()
		x.tables = x.tables[:len(x.tables)-1]
		if err := x.removeFile(t); err != nil {
			return err
		}
	}
	// The name stays: a mark of before may be all that a crash leaves, and must not fit a file made later.
	x.next, x.found, x.closed, x.durable = 0, lastRecord{}, 0, Mark{Count: 1}
	return nil
}

// removeFile removes a file that is not in the list any more.
func (x *Index) removeFile(t *table) error {
	return errors.Join(t.file.Drop(), x.disk.Remove(pathOf(t.name)), x.disk.SyncDir(Dir))
}

// Close closes all files. It does not save.
func (x *Index) Close() error {
	var errs []error
	for _, t := range x.tables {
		errs = append(errs, t.file.Drop())
	}
	return errors.Join(errs...)
}

// String tells the number of files and how far the index is.
func (x *Index) String() string {
	return fmt.Sprintf("index of %d files, up to %v, durable %v", len(x.tables), x.next, x.durable)
}

// FileBytes is what the files take, in bytes.
func (x *Index) FileBytes() int64 { return int64(len(x.tables)) * x.options.Sizes.FileSize() }
