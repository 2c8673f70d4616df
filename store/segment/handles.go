package segment

import (
	"container/list"
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/node/env"
)

// Handles keeps the files of many rows open, but not more than a limit: the one that was not used for the
// longest time is closed first. A file with unsynced bytes is synced before it is closed, because a failure that the
// system reports only to open files would be lost otherwise. It is used with the node's baton held.
type Handles struct {
	disk   env.Disk
	max    int
	recent list.List // of *File that are open, the last used in front
	failed error
}

// NewHandles returns an empty set that keeps about max files open: files in use are never closed, so for
// moments there may be more.
func NewHandles(disk env.Disk, max int) *Handles { return &Handles{disk: disk, max: max} }

// Open is how many files are open.
func (h *Handles) Open() int { return h.recent.Len() }

// Failed is the first failure of a sync that made room for another file, or nil. What the synced file
// holds is in doubt from then on.
func (h *Handles) Failed() error { return h.failed }

// String tells how many files are open.
func (h *Handles) String() string { return fmt.Sprintf("%d of at most %d files open", h.Open(), h.max) }

// with runs use with the open file. It waits for the disk.
func (h *Handles) with(f *File, use func(handle env.File) error) error {
	if err := h.acquire(f); err != nil {
		return err
	}
	err := use(f.handle)
	return errors.Join(err, h.release(f))
}

// write is with for a change that a later sync makes durable. Only writers wait until room is made by a sync.
func (h *Handles) write(f *File, change func(handle env.File) error) error {
	err := h.with(f, func(handle env.File) error {
		f.unsynced = true
		return change(handle)
	})
	for h.recent.Len() > h.max && h.failed == nil {
		if victim := h.victim(true); victim == nil || !h.closeSynced(victim) {
			break
		}
	}
	return err
}

// sync makes [from, to) of a file durable. A file that is closed is durable already.
func (h *Handles) sync(f *File, from, to int64) error {
	if h.failed != nil {
		return h.failed
	}
	if f.handle == nil {
		return nil
	}
	return h.with(f, func(handle env.File) error {
		f.unsynced = false
		return handle.Sync(from, to)
	})
}

func (h *Handles) acquire(f *File) error {
	if f.handle == nil {
		handle, err := h.disk.Open(f.path)
		if err != nil {
			return err
		}
		if f.handle != nil || f.removed {
			// Somebody else opened or removed it meanwhile.
			if err := handle.Close(); err != nil || f.removed {
				return errors.Join(err, f.gone())
			}
		} else {
			h.adopt(f, handle)
		}
	}
	f.users++
	h.recent.MoveToFront(f.place)
	return nil
}

// adopt takes an open file.
func (h *Handles) adopt(f *File, handle env.File) {
	f.handle = handle
	f.place = h.recent.PushFront(f)
}

// release ends a use, and closes what is too much and needs no sync.
func (h *Handles) release(f *File) error {
	f.users--
	var errs []error
	if f.removed && f.users == 0 {
		errs = append(errs, h.close(f))
	}
	for h.recent.Len() > h.max {
		victim := h.victim(false)
		if victim == nil {
			break
		}
		errs = append(errs, h.close(victim))
	}
	return errors.Join(errs...)
}

// victimsLooked bounds how far from the end of the list an idle file without unsynced bytes is looked for.
const victimsLooked = 16

// victim returns the file to be closed next: one that is not in use, if possible without unsynced bytes.
func (h *Handles) victim(maySync bool) *File {
	var unsynced *File
	looked := 0
	for e := h.recent.Back(); e != nil && looked < victimsLooked; e = e.Prev() {
		f := e.Value.(*File)
		looked++
		switch {
		case f.users > 0:
		case !f.unsynced:
			return f
		case unsynced == nil && maySync:
			unsynced = f
		}
	}
	return unsynced
}

// closeSynced syncs a file and closes it, if nobody uses it meanwhile. It reports whether it did.
func (h *Handles) closeSynced(f *File) bool {
	err := h.with(f, func(handle env.File) error {
		f.unsynced = false
		return handle.Sync(0, handle.Size())
	})
	if err == nil && f.handle != nil && f.users == 0 && !f.unsynced {
		err = h.close(f)
	}
	if err != nil && h.failed == nil {
		h.failed = fmt.Errorf("%s: the sync before closing it: %w", f.path, err)
	}
	return err == nil && f.handle == nil
}

// close closes an open file.
func (h *Handles) close(f *File) error {
	if f.handle == nil {
		return nil
	}
	handle := f.handle
	h.recent.Remove(f.place)
	f.handle, f.place = nil, nil
	return handle.Close()
}

// drop closes a file that leaves its row, at once or after its last user.
func (h *Handles) drop(f *File) error {
	f.removed = true
	if f.users > 0 {
		return nil
	}
	return h.close(f)
}
