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
	disk    env.Disk
	max     int
	open    int
	clean   list.List // of *File that are open, not in use and synced, the last used in front
	changed list.List // the same with unsynced bytes
	failed  error
}

// NewHandles returns an empty set that keeps about max files open: files in use are never closed, so for
// moments there may be more.
func NewHandles(disk env.Disk, max int) *Handles { return &Handles{disk: disk, max: max} }

// Open is how many files are open.
func (h *Handles) Open() int { return h.open }

// Failed is the first failure of a sync that made room for another file, or nil. What the synced file
// holds is in doubt from then on.
func (h *Handles) Failed() error { return h.failed }

// String tells how many files are open.
func (h *Handles) String() string { return fmt.Sprintf("%d of at most %d files open", h.open, h.max) }

// with runs use with the open file. It waits for the disk.
func (h *Handles) with(f *File, use func(handle env.File) error) error {
	if err := h.acquire(f); err != nil {
		return err
	}
	err := use(f.handle)
	return errors.Join(err, h.release(f))
}

// write is with for a change that a later sync makes durable. Only writers wait until room is made by a sync.
func (h *Handles) write(f *File, from, to int64, change func(handle env.File) error) error {
	err := h.with(f, func(handle env.File) error {
		f.unsynced.add(from, to)
		return change(handle)
	})
	for h.open > h.max && h.failed == nil && h.changed.Len() > 0 {
		if !h.closeSynced(h.changed.Back().Value.(*File)) {
			break
		}
	}
	return err
}

// sync makes [from, to) of a file durable. A file that was closed here is durable already, but not one that an
// earlier process left.
func (h *Handles) sync(f *File, from, to int64) error {
	if h.failed != nil {
		return h.failed
	}
	if f.handle == nil && !f.found {
		return nil
	}
	err := h.with(f, func(handle env.File) error {
		for {
			err := f.syncRange(handle, from, to)
			// The system tells only one of two overlapping syncs of a failure: if it is not this one, the other one's end
			// must be known.
			if err != nil || !f.leaving {
				return err
			}
		}
	})
	if err == nil {
		err = h.failed
	}
	return err
}

// acquire opens a file if it is closed, and keeps it open until release.
func (h *Handles) acquire(f *File) error {
	if f.handle == nil {
		if err := h.reopen(f); err != nil {
			return err
		}
	}
	h.forget(f)
	f.users++
	return nil
}

func (h *Handles) reopen(f *File) error {
	if f.removed {
		return f.gone()
	}
	handle, err := h.disk.Open(f.path)
	switch {
	case f.removed:
		// Meanwhile: whether the name was still there does not matter.
		if err == nil {
			err = handle.Close()
		}
		return errors.Join(f.gone(), err)
	case f.handle != nil && err == nil:
		return handle.Close() // Somebody else opened it meanwhile.
	case f.handle != nil:
		return nil // And holds it open while its name is removed.
	case err != nil:
		return err
	}
	h.adopt(f, handle)
	return nil
}

// adopt takes an open file.
func (h *Handles) adopt(f *File, handle env.File) {
	f.handle = handle
	h.open++
}

// idle is the list in which a file waits that nobody uses.
func (h *Handles) idle(f *File) *list.List {
	if f.unsynced.empty() {
		return &h.clean
	}
	return &h.changed
}

// forget takes a file from its list.
func (h *Handles) forget(f *File) {
	if f.place != nil {
		h.idle(f).Remove(f.place)
		f.place = nil
	}
}

// release ends a use, and closes what is too much and needs no sync.
func (h *Handles) release(f *File) error {
	f.users--
	var errs []error
	switch {
	case f.users > 0:
	case f.removed:
		errs = append(errs, h.close(f))
	default:
		f.place = h.idle(f).PushFront(f)
	}
	for h.open > h.max && h.clean.Len() > 0 {
		errs = append(errs, h.close(h.clean.Back().Value.(*File)))
	}
	return errors.Join(errs...)
}

// closeSynced syncs a file that nobody uses, so that release closes it unless somebody uses it by then. It reports whether
// it is closed.
func (h *Handles) closeSynced(f *File) bool {
	err := h.with(f, func(handle env.File) error {
		f.leaving = true
		err := f.syncRange(handle, 0, handle.Size())
		f.leaving = false
		return err
	})
	if err != nil && h.failed == nil {
		h.failed = fmt.Errorf("%s: the sync before closing it: %w", f.path, err)
	}
	return err == nil && f.handle == nil
}

// close closes an open file that nobody uses.
func (h *Handles) close(f *File) error {
	if f.handle == nil {
		return nil
	}
	h.forget(f)
	handle := f.handle
	f.handle = nil
	h.open--
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
