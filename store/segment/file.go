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
	place    *list.Element // in Handles.recent, while it is open
	users    int           // calls under way; the file stays open meanwhile
	unsynced bool          // written since the last sync; it is open then
	removed  bool          // nobody opens it any more: the last user closes it
}

// File returns an existing file. It does not touch the disk.
func (h *Handles) File(path string) *File { return &File{handles: h, path: path} }

// Create makes an empty file of a size, durably. If that fails the name is free again.
func (h *Handles) Create(path, dir string, size int64) (*File, error) {
	f := h.File(path)
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
	return f, nil
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
	return f.handles.write(f, func(handle env.File) error { return handle.WriteAt(p, offset) })
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

// Erase makes every byte from an offset to size zero, durably.
func (f *File) Erase(offset, size int64) error {
	return f.handles.with(f, func(handle env.File) error {
		if err := handle.Truncate(offset); err != nil {
			return err
		}
		if err := handle.Truncate(size); err != nil {
			return err
		}
		return handle.Sync(0, size)
	})
}

// Drop closes the file for good, at once or after the calls that are under way.
func (f *File) Drop() error { return f.handles.drop(f) }

// Removed reports whether Drop was called.
func (f *File) Removed() bool { return f.removed }

// gone is the error of opening a file that was dropped.
func (f *File) gone() error {
	if f.removed {
		return fmt.Errorf("%s: %w: the file was removed", f.path, ErrGap)
	}
	return nil
}
