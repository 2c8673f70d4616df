package index_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store/index"
	"github.com/stretchr/testify/require"
)

// world is one simulated machine whose disk outlives crashes.
type world struct {
	kernel  *sim.Kernel
	machine *sim.Machine
	calls   *calls // between the index and the disk; nil is none
}

func newWorld(seed uint64) *world {
	k := sim.New(seed, sim.Options{})
	return &world{kernel: k, machine: k.AddMachine("a", netip.MustParseAddr("10.0.0.1"))}
}

// start boots the machine if it is down, and starts a task. The results tell whether it has ended, and how.
func (w *world) start(task func(disk env.Disk) error) (ended func() bool, failure func() error) {
	if !w.machine.Up() {
		w.machine.Boot("node")
	}
	e := w.machine.Node("node", ".")
	disk := e.Disk
	if w.calls != nil {
		w.calls.disk = w.machine.Disk()
		disk = meddledDisk{disk, w.calls}
	}
	var err error
	done := false
	e.Tasks.Go("test", func() { err, done = task(disk), true })
	return func() bool { return done }, func() error {
		if f := w.kernel.Failure(); f != nil {
			return fmt.Errorf("%w\n%s", f, f.Stack)
		}
		return err
	}
}

// try runs a task to its end.
func (w *world) try(task func(disk env.Disk) error) error {
	ended, failure := w.start(task)
	if !w.kernel.Run(w.kernel.Now().Add(time.Hour), ended) && failure() == nil {
		return errors.New("the task did not end")
	}
	return failure()
}

func (w *world) do(t require.TestingT, task func(disk env.Disk) error) {
	require.NoError(t, w.try(task))
}

// put makes a file with a content, durably.
func put(disk env.Disk, path string, content []byte) error {
	f, err := disk.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(f.WriteAt(content, 0), f.Sync(0, int64(len(content))), f.Close(), disk.SyncDir(index.Dir))
}

// files are the contents of all files.
func (w *world) files() map[string]string {
	files := map[string]string{}
	for _, path := range w.machine.Disk().Paths() {
		content, _ := w.machine.Disk().Content(path)
		files[path] = string(content)
	}
	return files
}

// calls counts the calls that reach a disk, and may let them fail.
type calls struct {
	count int
	open  int // handles that were not closed
	// before is told the number of a call, from 1, and what it does. Writes and syncs for which it returns an error
	// do so on the disk: a part of a write may stay, and dirty pages go.
	before func(number int, call string) error
	disk   *sim.Disk
}

func (c *calls) step(call string) error {
	c.count++
	if c.before == nil {
		return nil
	}
	if err := c.before(c.count, call); err != nil {
		return fmt.Errorf("%s: %w", call, err)
	}
	return nil
}

// sicken makes the disk sick for one call, and returns an error in place of what it returned.
func (c *calls) sicken(err error, call func() error) error {
	o := sim.DefaultDisk()
	o.WriteError, o.SyncError = 1, 1
	c.disk.SetOptions(o)
	defer c.disk.SetOptions(sim.DefaultDisk())
	_ = call()
	return err
}

// meddledDisk passes every call through calls.
type meddledDisk struct {
	env.Disk
	c *calls
}

func (d meddledDisk) wrap(f env.File, err error) (env.File, error) {
	if err != nil {
		return nil, err
	}
	d.c.open++
	return meddledFile{f, d.c}, nil
}

func (d meddledDisk) Open(path string) (env.File, error) {
	if err := d.c.step("open"); err != nil {
		return nil, err
	}
	return d.wrap(d.Disk.Open(path))
}

func (d meddledDisk) Create(path string) (env.File, error) {
	if err := d.c.step("create"); err != nil {
		return nil, err
	}
	return d.wrap(d.Disk.Create(path))
}

func (d meddledDisk) Remove(path string) error {
	if err := d.c.step("remove"); err != nil {
		return err
	}
	return d.Disk.Remove(path)
}

func (d meddledDisk) List(dir string) ([]env.Entry, error) {
	if err := d.c.step("list"); err != nil {
		return nil, err
	}
	return d.Disk.List(dir)
}

func (d meddledDisk) SyncDir(dir string) error {
	if err := d.c.step("syncdir"); err != nil {
		return err
	}
	return d.Disk.SyncDir(dir)
}

type meddledFile struct {
	env.File
	c *calls
}

func (f meddledFile) WriteAt(p []byte, offset int64) error {
	if err := f.c.step("write"); err != nil {
		return f.c.sicken(err, func() error { return f.File.WriteAt(p, offset) })
	}
	return f.File.WriteAt(p, offset)
}

func (f meddledFile) ReadAt(p []byte, offset int64) (int, error) {
	if err := f.c.step("read"); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, offset)
}

func (f meddledFile) Sync(from, to int64) error {
	if err := f.c.step("sync"); err != nil {
		return f.c.sicken(err, func() error { return f.File.Sync(from, to) })
	}
	return f.File.Sync(from, to)
}

func (f meddledFile) Truncate(size int64) error {
	if err := f.c.step("truncate"); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f meddledFile) Close() error {
	f.c.open--
	return f.File.Close()
}

// changes reports whether a call changes the disk.
func changes(call string) bool { return !strings.Contains("open list read", call) }

// needsSpace reports whether a call may find the disk full.
func needsSpace(call string) bool { return call == "create" || call == "write" }
