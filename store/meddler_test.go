package store_test

import (
	"errors"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
)

// meddler stands between a store and its disk, counts the calls, and may interfere with each.
type meddler struct {
	count int
	// before is told the number of a call, from 1, and what it does, before it reaches the disk. An
	// error is given to the caller in place of the call; before may also wait.
	before func(number int, call string) error
	// Writes and syncs that shall fail do so on the disk itself, made sick meanwhile: a part of
	// a write may stay, and dirty pages go.
	disk *sim.Disk
	// changes counts only calls that change the disk.
	changes bool
}

func (m *meddler) step(call string) error {
	if m.changes && (strings.HasPrefix(call, "open") || strings.HasPrefix(call, "list") || strings.HasPrefix(call, "read")) {
		return nil
	}
	m.count++
	if m.before == nil {
		return nil
	}
	return m.before(m.count, call)
}

// sicken lets a call fail on the disk itself, in the way that err says.
func (m *meddler) sicken(err error, call func() error) error {
	o := sim.DefaultDisk()
	if errors.Is(err, env.ErrNoSpace) {
		o.Full = true
	} else {
		o.WriteError, o.SyncError = 1, 1
	}
	m.disk.SetOptions(o)
	defer m.disk.SetOptions(sim.DefaultDisk())
	return call()
}

// meddledDisk passes every call but Usage through a meddler.
type meddledDisk struct {
	env.Disk
	m *meddler
}

func (d meddledDisk) wrap(f env.File, err error) (env.File, error) {
	if err != nil {
		return nil, err
	}
	return meddledFile{f, d.m}, nil
}

func (d meddledDisk) Open(path string) (env.File, error) {
	if err := d.m.step("open " + path); err != nil {
		return nil, err
	}
	return d.wrap(d.Disk.Open(path))
}

func (d meddledDisk) Create(path string) (env.File, error) {
	if err := d.m.step("create " + path); err != nil {
		return nil, err
	}
	return d.wrap(d.Disk.Create(path))
}

func (d meddledDisk) Rename(from, to string) error {
	if err := d.m.step("rename " + from); err != nil {
		return err
	}
	return d.Disk.Rename(from, to)
}

func (d meddledDisk) Remove(path string) error {
	if err := d.m.step("remove " + path); err != nil {
		return err
	}
	return d.Disk.Remove(path)
}

func (d meddledDisk) List(dir string) ([]env.Entry, error) {
	if err := d.m.step("list " + dir); err != nil {
		return nil, err
	}
	return d.Disk.List(dir)
}

func (d meddledDisk) SyncDir(dir string) error {
	if err := d.m.step("syncdir " + dir); err != nil {
		return err
	}
	return d.Disk.SyncDir(dir)
}

func (d meddledDisk) Lock(path string) (env.Lock, error) {
	if err := d.m.step("lock " + path); err != nil {
		return nil, err
	}
	return d.Disk.Lock(path)
}

type meddledFile struct {
	env.File
	m *meddler
}

func (f meddledFile) WriteAt(p []byte, offset int64) error {
	if err := f.m.step("write " + f.Name()); err != nil {
		return f.m.sicken(err, func() error { return f.File.WriteAt(p, offset) })
	}
	return f.File.WriteAt(p, offset)
}

func (f meddledFile) ReadAt(p []byte, offset int64) (int, error) {
	if err := f.m.step("read " + f.Name()); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, offset)
}

func (f meddledFile) Sync(from, to int64) error {
	if err := f.m.step("sync " + f.Name()); err != nil {
		return f.m.sicken(err, func() error { return f.File.Sync(from, to) })
	}
	return f.File.Sync(from, to)
}

func (f meddledFile) Allocate(size int64) error {
	if err := f.m.step("allocate " + f.Name()); err != nil {
		return err
	}
	return f.File.Allocate(size)
}

func (f meddledFile) Truncate(size int64) error {
	if err := f.m.step("truncate " + f.Name()); err != nil {
		return err
	}
	return f.File.Truncate(size)
}
