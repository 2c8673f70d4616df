package segment

import (
	"container/list"
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/node/env"
)

// File is a file that is opened when it is used, and stays open while Handles has room. All calls wait for the disk.
type File struct {
	handles  *Handles
	start    int64 // in a row: a multiple of its size
	path     string
	handle   env.File      // nil while it is closed
	place    *list.Element // in a list of Handles, while it is open and nobody uses it
	users    int           // calls under way; the file stays open meanwhile
	unsynced span          // written here since it was synced; the file is open unless this is empty
	found    bool          // an earlier process made it, and may have left unsynced bytes
	leaving  bool          // a sync before closing it is under way
	removed  bool          // nobody opens it any more: the last user closes it
}

// File returns an existing file. It does not touch the disk.
func (h *Handles) File(path string) *File { return &File{handles: h, path: path, found: true} }

// Create makes an empty file of a size, durably. If that fails the name is free again.
func (h *Handles) Create(path, dir string, size int64) (*File, error) {
	f := &File{handles: h, path: path}
	handle, err := h.disk.Create(path)
	if err != nil {
		return nil, err
	}
	err = handle.Truncate(size)
	if err == nil {
		err = handle.Sync(0, size)
	}
	if err == nil {
		err = h.disk.SyncDir(dir)
	}
	if err != nil {
		// The next attempt must find the name free.
		return nil, errors.Join(err, handle.Close(), h.disk.Remove(path))
	}
	h.adopt(f, handle)
	f.users++
	return f, h.release(f)
}

// Path is where the file is.
func (f *File) Path() string { return f.path }

// String is the path.
func (f *File) String() string { return f.path }

// Size is the length of the file in bytes.
func (f *File) Size() (size int64, err error) {
	err = f.handles.with(f, func(handle env.File) error {
		size = handle.Size()
		return nil
	})
	return size, err
}

// WriteAt writes p at an offset. Making room for the open file may sync another one.
func (f *File) WriteAt(p []byte, offset int64) error {
	return f.handles.write(f, offset, offset+int64(len(p)), func(handle env.File) error { return handle.WriteAt(p, offset) })
}

// ReadAt fills p from an offset and returns how many bytes the file had. A file that is removed meanwhile is read to the end.
func (f *File) ReadAt(p []byte, offset int64) (int, error) {
	if err := f.handles.acquire(f); err != nil {
		return 0, err
	}
	n, err := f.handle.ReadAt(p, offset)
	return n, errors.Join(err, f.handles.release(f))
}

// Sync makes [from, to) durable. After a failed sync, of this file or of one that was closed to make room, what was
// written is in doubt for ever.
func (f *File) Sync(from, to int64) error { return f.handles.sync(f, from, to) }

// syncFound makes durable what another process may have written. What is written by this one is synced with it, so a failure puts
// that in doubt, too.
func (f *File) syncFound(size int64) error {
	err := f.handles.with(f, func(handle env.File) error { return handle.Sync(0, size) })
	if err != nil && f.handles.failed == nil {
		f.handles.failed = fmt.Errorf("%s: the sync before the next file: %w", f.path, err)
	}
	return err
}

// Erase makes every byte from an offset to size zero, durably.
func (f *File) Erase(offset, size int64) error {
	return f.handles.with(f, func(handle env.File) error {
		f.unsynced.add(offset, size)
		if err := handle.Truncate(offset); err != nil {
			return err
		}
		if err := handle.Truncate(size); err != nil {
			return err
		}
		return f.syncRange(handle, 0, size)
	})
}

// syncRange syncs a range of the open file, and notes what needs no sync any more.
func (f *File) syncRange(handle env.File, from, to int64) error {
	// Before the sync: what is written meanwhile is not covered.
	f.unsynced.remove(from, to)
	err := handle.Sync(from, to)
	if err == nil && from <= 0 && to >= handle.Size() {
		f.found = false
	}
	return err
}

// Drop closes the file for good, at once or after the calls that are under way.
func (f *File) Drop() error { return f.handles.drop(f) }

// Removed reports whether Drop was called.
func (f *File) Removed() bool { return f.removed }

// gone is the error of opening a file that was dropped.
func (f *File) gone() error { return fmt.Errorf("%s: %w: the file was removed", f.path, ErrGap) }

// span is a range of bytes, [from, to).
type span struct{ from, to int64 }

func (s *span) empty() bool { return s.from >= s.to }

// add widens the span so that it holds a range.
func (s *span) add(from, to int64) {
	switch {
	case from >= to:
	case s.empty():
		*s = span{from, to}
	default:
		*s = span{min(s.from, from), max(s.to, to)}
	}
}

// remove takes a range from an end of the span; in its middle it changes nothing.
func (s *span) remove(from, to int64) {
	if from <= s.from {
		s.from = max(s.from, to)
	}
	if to >= s.to {
		s.to = min(s.to, from)
	}
}
