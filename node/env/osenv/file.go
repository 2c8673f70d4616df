package osenv

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/gantrymq/gantry/node/env"
)

// file is an open file. Its fields are guarded by the baton; system calls on the
// handle run without it.
type file struct {
	world  *World
	name   string
	handle *os.File
	size   int64
	mapped []byte // read-only mapping of the first len(mapped) bytes, len(mapped) <= size when made
	closed bool
}

func (f *file) open(path string, flags int, mode os.FileMode) error {
	if flags&os.O_CREATE != 0 {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
	}
	handle, err := os.OpenFile(path, flags, mode)
	if err != nil {
		return err
	}
	info, err := handle.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("open %s: it is a directory", path)
	}
	if err != nil {
		handle.Close()
		return err
	}
	f.handle, f.size = handle, info.Size()
	return nil
}

func (f *file) Name() string { return f.name }
func (f *file) Size() int64  { return f.size }

func (f *file) WriteAt(p []byte, offset int64) error {
	f.world.baton.Unlock()
	_, err := f.handle.WriteAt(p, offset)
	f.world.baton.Lock()
	if err != nil {
		f.refreshSize()
		return explain(err)
	}
	f.size = max(f.size, offset+int64(len(p)))
	return nil
}

// refreshSize asks the system after an error that may have written a part.
func (f *file) refreshSize() {
	if info, err := f.handle.Stat(); err == nil {
		f.size = info.Size()
	}
}

func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	f.world.baton.Unlock()
	n, err := f.handle.ReadAt(p, offset)
	f.world.baton.Lock()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, explain(err)
}

// View maps the file on first use and again when it has grown. Mapping and
// unmapping happen under the baton, as every use does, so no view outlives its mapping.
func (f *file) View(offset int64, n int, use func(p []byte)) error {
	if f.closed {
		return fmt.Errorf("view %s: %w", f.name, env.ErrFileClosed)
	}
	from := min(max(offset, 0), f.size)
	to := min(from+int64(n), f.size)
	if to > int64(len(f.mapped)) {
		if err := f.remap(); err != nil {
			return explain(err)
		}
	}
	return f.guarded(f.mapped[from:to:to], use)
}

func (f *file) remap() error {
	f.unmap()
	if f.size == 0 {
		return nil
	}
	mapped, err := mapFile(f.handle, f.size)
	if err != nil {
		return fmt.Errorf("map %s: %w", f.name, err)
	}
	f.mapped = mapped
	return nil
}

func (f *file) unmap() {
	if f.mapped != nil {
		unmapFile(f.mapped)
		f.mapped = nil
	}
}

// guarded turns a fault on the mapping into an error.
func (f *file) guarded(p []byte, use func(p []byte)) (err error) {
	before := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(before)
		recovered := recover()
		fault, isFault := recovered.(interface{ Addr() uintptr })
		switch {
		case isFault:
			err = fmt.Errorf("view %s: %w: fault at %#x", f.name, env.ErrIO, fault.Addr())
		case recovered != nil:
			panic(recovered)
		}
	}()
	use(p)
	return nil
}

// Sync ignores the range: fdatasync writes all of the file's dirty pages.
func (f *file) Sync(from, to int64) error {
	return f.change(func(descriptor int) error { return syncData(descriptor) })
}

func (f *file) Allocate(size int64) error {
	if f.closed {
		return fmt.Errorf("allocate %s: %w", f.name, env.ErrFileClosed)
	}
	if size <= f.size {
		return nil
	}
	return f.change(func(descriptor int) error { return allocate(descriptor, size) })
}

func (f *file) Truncate(size int64) error {
	if f.closed {
		return fmt.Errorf("truncate %s: %w", f.name, env.ErrFileClosed)
	}
	// Bytes of the mapping beyond the new end must not be touched any more.
	f.unmap()
	f.size = min(f.size, size)
	return f.change(func(descriptor int) error { return truncate(descriptor, size) })
}

// change runs a system call without the baton and then asks for the size. The descriptor stays valid
// during the call even if another task closes the file.
func (f *file) change(call func(descriptor int) error) error {
	if f.closed {
		return fmt.Errorf("%s: %w", f.name, env.ErrFileClosed)
	}
	raw, err := f.handle.SyscallConn()
	if err != nil {
		return explain(err)
	}
	f.world.baton.Unlock()
	var failed error
	err = raw.Control(func(descriptor uintptr) { failed = call(int(descriptor)) })
	f.world.baton.Lock()
	if err == nil {
		err = failed
	}
	if !f.closed {
		f.refreshSize()
	}
	return explain(err)
}

func (f *file) Close() error {
	if f.closed {
		return nil
	}
	f.closed = true
	f.unmap()
	return explain(f.handle.Close())
}
