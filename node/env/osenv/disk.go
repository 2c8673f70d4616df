package osenv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"syscall"

	"github.com/gantrymq/gantry/node/env"
)

// disk is the directory below root.
type disk struct {
	world *World
	root  string
}

var errNoRoot = errors.New("this node was given no directory (osenv.Options.Root)")

// path turns a node's path into the system's, and refuses what would leave the root.
func (d *disk) path(operation, name string) (string, error) {
	if d.root == "" {
		return "", fmt.Errorf("%s %q: %w", operation, name, errNoRoot)
	}
	if !filepath.IsLocal(name) {
		return "", fmt.Errorf("%s %q: the path must be relative and stay below the node's directory", operation, name)
	}
	return filepath.Join(d.root, filepath.FromSlash(name)), nil
}

// explain gives system errors the names of package env.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w", env.ErrNoSpace, err)
	case errors.Is(err, syscall.EIO):
		return fmt.Errorf("%w: %w", env.ErrIO, err)
	case errors.Is(err, os.ErrClosed):
		return fmt.Errorf("%w: %w", env.ErrFileClosed, err)
	}
	return err
}

func (d *disk) Open(name string) (env.File, error) {
	return d.open("open", name, os.O_RDWR, 0)
}

func (d *disk) Create(name string) (env.File, error) {
	return d.open("create", name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
}

// CreatePrivate is Create for secrets.
func (d *disk) CreatePrivate(name string) (env.File, error) {
	return d.open("create", name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

func (d *disk) open(operation, name string, flags int, mode os.FileMode) (env.File, error) {
	path, err := d.path(operation, name)
	if err != nil {
		return nil, err
	}
	f := &file{world: d.world, name: name}
	d.world.outside(func() { err = f.open(path, flags, mode) })
	if err != nil {
		return nil, explain(err)
	}
	return f, nil
}

func (d *disk) Rename(from, to string) error {
	source, err := d.path("rename", from)
	if err != nil {
		return err
	}
	return d.change("rename", to, func(target string) error {
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.Rename(source, target)
	})
}

func (d *disk) Remove(name string) error { return d.change("remove", name, os.Remove) }

func (d *disk) SyncDir(dir string) error {
	return d.change("sync directory", dir, func(path string) error {
		// A new directory exists durably only when the one above it is synced too.
		for {
			if err := syncDirectory(path); err != nil || path == d.root {
				return err
			}
			path = filepath.Dir(path)
		}
	})
}

func syncDirectory(path string) error {
	handle, err := os.Open(path)
	if err != nil {
		return err
	}
	defer handle.Close()
	return handle.Sync()
}

// change runs a system call on a path without the baton.
func (d *disk) change(operation, name string, call func(path string) error) error {
	path, err := d.path(operation, name)
	if err != nil {
		return err
	}
	d.world.outside(func() { err = call(path) })
	return explain(err)
}

func (d *disk) List(dir string) ([]env.Entry, error) {
	var entries []env.Entry
	err := d.change("list", dir, func(path string) error {
		found, err := os.ReadDir(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		for _, e := range found {
			if entry, ok := describe(e); ok {
				entries = append(entries, entry)
			}
		}
		return err
	})
	sort.Slice(entries, func(a, b int) bool { return entries[a].Name < entries[b].Name })
	return entries, err
}

// describe skips entries that vanished while the directory was read.
func describe(e os.DirEntry) (env.Entry, bool) {
	info, err := e.Info()
	if err != nil {
		return env.Entry{}, false
	}
	entry := env.Entry{Name: e.Name(), IsDir: e.IsDir()}
	if !entry.IsDir {
		entry.Size = info.Size()
	}
	return entry, true
}

func (d *disk) Lock(name string) (env.Lock, error) {
	path, err := d.path("lock", name)
	if err != nil {
		return nil, err
	}
	var held *os.File
	d.world.outside(func() { held, err = lockFile(path) })
	if err != nil {
		return nil, explain(err)
	}
	return &lock{held}, nil
}

type lock struct{ handle *os.File }

// Unlock releases the lock and closes the handle. Closing alone would not do: a process that this one is starting holds the handle
// too, until it runs its own program.
func (l *lock) Unlock() error { return explain(errors.Join(unlockHandle(l.handle), l.handle.Close())) }

// lockFile opens, or makes, the file and locks it without waiting.
func lockFile(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	handle, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := lockHandle(handle); err != nil {
		handle.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return handle, nil
}

func (d *disk) Usage() (used, total int64, err error) {
	err = d.change("usage of", ".", func(path string) error {
		used, total, err = fileSystemUsage(path)
		return err
	})
	return used, total, err
}
