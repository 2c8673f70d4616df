package sim

import (
	"time"

	"github.com/gantrymq/gantry/node/env"
)

// file is an open handle on an inode.
type file struct {
	*world
	disk   *Disk
	inode  *inode
	name   string
	path   string
	closed bool
}

func (f *file) Name() string { return f.name }

func (f *file) Size() int64 {
	f.check()
	return int64(len(f.inode.shown))
}

// begin takes the time of a call.
func (f *file) begin(operation string, low, high time.Duration) error {
	t := f.running()
	t.pause(f.disk.between(low, high))
	if f.closed {
		return fail(operation, f.path, env.ErrFileClosed)
	}
	return nil
}

func (f *file) WriteAt(p []byte, offset int64) error {
	o := &f.disk.options
	if err := f.begin("write", o.WriteMin, o.WriteMax); err != nil {
		return err
	}
	f.disk.stats.Writes++
	f.kernel.trace.add(f.kernel.now, traceWrite, uint64(offset)^hashString(f.path), hashBytes(p))
	f.kernel.trace.line(f.kernel.now, traceWrite, "%s: %s [%d, %d)", f.machine.name, f.path, offset, offset+int64(len(p)))
	if f.disk.random.Chance(o.WriteError) {
		// A part may have been written all the same.
		f.inode.write(p[:f.disk.random.IntN(len(p)+1)], offset)
		return fail("write", f.path, env.ErrIO)
	}
	if fits := f.disk.fits(f.inode, p, offset); fits < len(p) {
		// The system writes what it has room for, or less.
		f.inode.write(p[:f.disk.random.IntN(fits+1)], offset)
		return fail("write", f.path, env.ErrNoSpace)
	}
	f.inode.write(p, offset)
	return nil
}

func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	o := &f.disk.options
	if err := f.begin("read", o.ReadMin, o.ReadMax); err != nil {
		return 0, err
	}
	if f.disk.random.Chance(o.ReadError) {
		return 0, fail("read", f.path, env.ErrIO)
	}
	if offset >= int64(len(f.inode.shown)) {
		return 0, nil
	}
	return copy(p, f.inode.shown[offset:]), nil
}

func (f *file) View(offset int64, n int, use func(p []byte)) error {
	f.check()
	if f.closed {
		return fail("view", f.path, env.ErrFileClosed)
	}
	if f.disk.random.Chance(f.disk.options.ReadError) {
		return fail("view", f.path, env.ErrIO)
	}
	size := int64(len(f.inode.shown))
	from := min(max(offset, 0), size)
	to := min(from+int64(n), size)
	use(f.inode.shown[from:to:to])
	return nil
}

// Sync makes durable what was written before it began. A crash meanwhile leaves some of it.
func (f *file) Sync(from, to int64) error {
	o := &f.disk.options
	upTo := f.inode.changes
	if err := f.begin("sync", o.SyncMin, o.SyncMax); err != nil {
		return err
	}
	for o.StuckUntil > f.kernel.now {
		f.kernel.current.pause(o.StuckUntil.Sub(f.kernel.now))
	}
	f.disk.stats.Syncs++
	failed := f.disk.random.Chance(o.SyncError)
	f.kernel.trace.add(f.kernel.now, traceSync, uint64(from)^hashString(f.path), uint64(to))
	f.kernel.trace.line(f.kernel.now, traceSync, "%s: %s [%d, %d) failed=%v", f.machine.name, f.path, from, to, failed)
	if failed {
		f.disk.stats.SyncFailures++
		f.inode.drop(upTo, from, to)
		return fail("sync", f.path, env.ErrIO)
	}
	f.inode.sync(upTo, from, to)
	return nil
}

func (f *file) Allocate(size int64) error {
	if size <= f.Size() {
		return nil
	}
	if err := f.setSize("allocate", size, f.inode.missing(0, size)); err != nil {
		return err
	}
	f.inode.take(0, size)
	return nil
}

// Truncate makes a hole when it extends the file, which takes no space.
func (f *file) Truncate(size int64) error { return f.setSize("truncate", size, 0) }

func (f *file) setSize(operation string, size, space int64) error {
	o := &f.disk.options
	if err := f.begin(operation, o.WriteMin, o.WriteMax); err != nil {
		return err
	}
	if err := f.disk.room(space); err != nil {
		return fail(operation, f.path, err)
	}
	f.kernel.trace.add(f.kernel.now, traceWrite, hashString(f.path), uint64(size))
	f.inode.resize(size)
	return nil
}

func (f *file) Close() error {
	f.check()
	f.closed = true
	return nil
}
