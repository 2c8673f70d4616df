package segment

import (
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"

	"github.com/gantrymq/gantry/node/env"
)

// ErrGap: the offset is in no file of the row.
var ErrGap = errors.New("no file holds this offset")

// ErrForeign: the directory holds files that no row of this size leaves behind.
var ErrForeign = errors.New("not a row of files")

// Row is the files of one directory, in order and without a gap.
type Row struct {
	handles *Handles
	disk    env.Disk
	dir     string
	size    int64 // of each file
	files   []*File
	missing int64 // bytes that the last file lacks; not 0 only in a row from Inspect
	found   bool  // the names were found at Open: a process that was killed may not have made them durable
	bare    bool  // opened by Inspect: nothing was repaired
}

// New returns the row of a directory that does not exist yet. It does not touch the disk. The row's open
// files are among those of handles.
func New(handles *Handles, dir string, size int64) *Row {
	return &Row{handles: handles, disk: handles.disk, dir: dir, size: size}
}

// Open finds the files of a directory; none exist in a new one. After a crash, the last file may be
// shorter than size: it gets its full size, or is removed if it is empty and not the
// only one. Any other wrong size, and a gap in the row, is ErrForeign.
func Open(handles *Handles, dir string, size int64, crashed bool) (*Row, error) {
	r, err := Inspect(handles, dir, size)
	if err != nil {
		return nil, err
	}
	r.found, r.bare = !r.Empty(), false
	if err := r.repairLast(crashed); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Inspect finds the files of a directory for reading and changes nothing. The last one may
// be shorter than size; what is missing reads as zeros.
func Inspect(handles *Handles, dir string, size int64) (*Row, error) {
	r := New(handles, dir, size)
	r.bare = true
	starts, err := r.list()
	if err != nil {
		return nil, err
	}
	for _, start := range starts {
		r.files = append(r.files, r.file(start))
	}
	return r, nil
}

// list returns where the files begin, after checking names and sizes.
func (r *Row) list() ([]int64, error) {
	entries, err := r.disk.List(r.dir)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e env.Entry) bool { return e.IsDir })
	var starts []int64
	for i, e := range entries {
		r.missing = r.size - e.Size
		start, err := strconv.ParseInt(e.Name, 10, 64)
		switch isLast := i == len(entries)-1; {
		case err != nil || start < 0 || start > math.MaxInt64-r.size || start%r.size != 0 || path.Base(r.path(start)) != e.Name:
			return nil, fmt.Errorf("%s/%s: %w: a file here must be named by a multiple of %d with 20 digits", r.dir, e.Name, ErrForeign, r.size)
		case e.Size != r.size && !(isLast && e.Size < r.size):
			return nil, r.wrongSize(e.Name, e.Size)
		case i > 0 && start != starts[i-1]+r.size:
			return nil, fmt.Errorf("%s: %w: the file before %s is missing", r.dir, ErrForeign, e.Name)
		}
		starts = append(starts, start)
	}
	return starts, nil
}

func (r *Row) wrongSize(name string, size int64) error {
	return fmt.Errorf("%s/%s: %w: the file has %d bytes, the configured segment size is %d: set the size this directory was written with",
		r.dir, name, ErrForeign, size, r.size)
}

func (r *Row) repairLast(crashed bool) error {
	if len(r.files) == 0 || r.missing == 0 {
		return nil
	}
	last := r.last()
	switch size := r.size - r.missing; {
	case size == 0 && len(r.files) > 1:
		r.missing = 0
		return r.removeLast()
	case size > 0 && !crashed:
		return r.wrongSize(path.Base(last.path), size)
	}
	// The only file stays even if it is empty: it says where the row begins.
	return r.Complete()
}

// Complete gives the last file of a row from Inspect its full size, durably.
func (r *Row) Complete() error {
	if r.missing == 0 {
		return nil
	}
	missing := r.missing
	r.missing = 0
	return r.last().Erase(r.size-missing, r.size)
}

func (r *Row) last() *File { return r.files[len(r.files)-1] }

func (r *Row) file(start int64) *File {
	f := r.handles.File(r.path(start))
	f.start = start
	return f
}

func (r *Row) path(start int64) string { return path.Join(r.dir, fmt.Sprintf("%020d", start)) }

// Missing is how many bytes the last file lacks; only a row from Inspect may lack any.
func (r *Row) Missing() int64 { return r.missing }

// SegmentSize is the size of each file in bytes.
func (r *Row) SegmentSize() int64 { return r.size }

// Empty reports whether there is no file.
func (r *Row) Empty() bool { return len(r.files) == 0 }

// Start is where the first file begins, End where the last one ends; both are 0 for an empty row.
func (r *Row) Start() int64 {
	if r.Empty() {
		return 0
	}
	return r.files[0].start
}

// End is one past the last byte that a file can hold.
func (r *Row) End() int64 {
	if r.Empty() {
		return 0
	}
	return r.last().start + r.size
}

// FileStart is where the file that holds offset begins.
func (r *Row) FileStart(offset int64) int64 { return offset - offset%r.size }

// Has reports whether a file holds the offset.
func (r *Row) Has(offset int64) bool { return offset >= r.Start() && offset < r.End() }

// Create makes the file that holds offset, and makes its existence and size durable. The row
// must be empty or end at that file.
func (r *Row) Create(offset int64) error {
	start := r.FileStart(offset)
	if !r.Empty() && start != r.End() {
		return fmt.Errorf("%s: cannot make the file at %d: the row ends at %d", r.dir, start, r.End())
	}
	if r.found && !r.Empty() {
		// A process that was killed may have left the last file without a durable size. In the middle of a row that could not be mended.
		if err := r.last().syncFound(r.size); err != nil {
			return err
		}
	}
	made, err := r.handles.Create(r.path(start), r.dir, r.size)
	if err != nil {
		return err
	}
	made.start = start
	r.files = append(r.files, made)
	return nil
}

// find returns the file that holds [offset, offset+n).
func (r *Row) find(offset int64, n int) (*File, error) {
	if !r.Has(offset) {
		return nil, fmt.Errorf("%s: %w: %d is outside [%d, %d)", r.dir, ErrGap, offset, r.Start(), r.End())
	}
	f := r.files[(offset-r.files[0].start)/r.size]
	if offset+int64(n) > f.start+r.size {
		return nil, fmt.Errorf("%s: [%d, %d) crosses the end of a file", r.dir, offset, offset+int64(n))
	}
	return f, nil
}

// WriteAt writes p, which must lie within one file.
func (r *Row) WriteAt(p []byte, offset int64) error {
	f, err := r.find(offset, len(p))
	if err != nil {
		return err
	}
	return f.WriteAt(p, offset-f.start)
}

// ReadAt fills p, which must lie within one file. A file that is removed meanwhile is still read.
func (r *Row) ReadAt(p []byte, offset int64) error {
	f, err := r.find(offset, len(p))
	if err != nil {
		return err
	}
	n, err := f.ReadAt(p, offset-f.start)
	switch {
	case err == nil && n < len(p) && r.bare:
		clear(p[n:])
	case err == nil && n < len(p):
		err = fmt.Errorf("%s: the file ends at %d", f.path, f.start+int64(n))
	}
	return err
}

// Sync makes [from, to) durable, file by file in order. It stops at the first failure.
func (r *Row) Sync(from, to int64) error {
	if err := r.syncNames(); err != nil {
		return err
	}
	for start := r.FileStart(from); start < to; start += r.size {
		f, err := r.find(max(start, from), 0)
		if err != nil {
			return err
		}
		if err := f.Sync(max(from-start, 0), min(to-start, r.size)); err != nil {
			return err
		}
	}
	return nil
}

// syncNames makes durable, once, the names that Open found.
func (r *Row) syncNames() error {
	if !r.found || r.Empty() {
		return nil
	}
	if err := r.disk.SyncDir(r.dir); err != nil {
		return err
	}
	r.found = false
	return nil
}

// Rewrite writes n bytes at offset, which lie within one file, as they are. It makes the system take them for
// unsynced, which it may not after a failed sync.
func (r *Row) Rewrite(offset int64, n int) error {
	p := make([]byte, n)
	if err := r.ReadAt(p, offset); err != nil {
		return err
	}
	return r.WriteAt(p, offset)
}

// Cut makes every byte from offset on zero, durably: later files are removed, and
// the one that holds offset is cut there and extended again. The first file stays
// unless it begins behind offset: it says where the row begins. What stands before offset
// is not made durable by it: who needs that syncs first.
func (r *Row) Cut(offset int64) error {
	for len(r.files) > 1 && r.last().start >= offset || !r.Empty() && r.Start() > offset {
		if err := r.removeLast(); err != nil {
			return err
		}
	}
	if err := r.syncDir(); err != nil {
		return err
	}
	if r.Empty() || offset >= r.End() {
		return nil
	}
	return r.last().Erase(offset-r.last().start, r.size)
}

// SyncNames makes durable which files there are.
func (r *Row) SyncNames() error { return r.syncDir() }

// syncDir makes names durable. A directory that was never made has none.
func (r *Row) syncDir() error {
	if err := r.disk.SyncDir(r.dir); err != nil && !errors.Is(err, env.ErrNotExist) {
		return err
	}
	return nil
}

// removeLast removes the last file, durably: if a crash undid it and not the removal of the next one, there would
// be a gap.
func (r *Row) removeLast() error {
	last := r.last()
	r.files = r.files[:len(r.files)-1]
	return errors.Join(last.Drop(), r.disk.Remove(last.path), r.disk.SyncDir(r.dir))
}

// RemoveAll removes all files, durably, the newest first. The directory stays.
func (r *Row) RemoveAll() error {
	for !r.Empty() {
		if err := r.removeLast(); err != nil {
			return err
		}
	}
	return r.syncDir()
}

// RemoveFirst removes the oldest file, durably. The last file stays: it says where the row ends. Who reads the removed file just now
// reads it to the end.
func (r *Row) RemoveFirst() error {
	if len(r.files) < 2 {
		return fmt.Errorf("%s: the only file is not removed", r.dir)
	}
	first := r.files[0]
	// It stays open until it has left the row: who reads it meanwhile must not find its name gone. If it cannot be opened
	// nobody reads it.
	if r.handles.acquire(first) != nil {
		return r.dropFirst()
	}
	return errors.Join(r.dropFirst(), r.handles.release(first))
}

func (r *Row) dropFirst() error {
	first := r.files[0]
	if err := r.disk.Remove(first.path); err != nil {
		return err
	}
	r.files = slices.Delete(r.files, 0, 1)
	return errors.Join(first.Drop(), r.disk.SyncDir(r.dir))
}

// RemoveBefore removes the files that end at or before offset, oldest first, and
// returns how many. The last file stays.
func (r *Row) RemoveBefore(offset int64) (int, error) {
	removed := 0
	for len(r.files) > 1 && r.files[0].start+r.size <= offset {
		if err := r.RemoveFirst(); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// Close closes all files. It does not sync.
func (r *Row) Close() error {
	var errs []error
	for _, f := range r.files {
		errs = append(errs, f.Drop())
	}
	r.files = nil
	return errors.Join(errs...)
}
