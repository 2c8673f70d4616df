package segment_test

import (
	"github.com/gantrymq/gantry/node/env"
)

// watch stands between rows and their disk: it counts open handles, looks at each close, and may interfere with
// reads and syncs.
type watch struct {
	open    int            // handles that were not closed
	most    int            // the most that were open at once
	byPath  map[string]int // open handles of each file
	written map[string]int // writes of each file since its last successful sync
	lost    []string       // files that were closed with unsynced writes
	opened  func(path string)
	removed func(path string) // after a name has gone, before the caller is told
	reading func(path string)
	syncing func(path string) error // before a sync; an error takes its place
}

func newWatch() *watch {
	return &watch{byPath: map[string]int{}, written: map[string]int{}}
}

// over puts the watch on a disk.
func (w *watch) over(disk env.Disk) env.Disk { return watchedDisk{disk, w} }

type watchedDisk struct {
	env.Disk
	w *watch
}

func (d watchedDisk) wrap(path string, f env.File, err error) (env.File, error) {
	if err != nil {
		return nil, err
	}
	d.w.open++
	d.w.byPath[path]++
	d.w.most = max(d.w.most, d.w.open)
	if d.w.opened != nil {
		d.w.opened(path)
	}
	return &watchedFile{File: f, w: d.w}, nil
}

func (d watchedDisk) Open(path string) (env.File, error) {
	f, err := d.Disk.Open(path)
	return d.wrap(path, f, err)
}

func (d watchedDisk) Create(path string) (env.File, error) {
	f, err := d.Disk.Create(path)
	return d.wrap(path, f, err)
}

func (d watchedDisk) Remove(path string) error {
	err := d.Disk.Remove(path)
	if err == nil && d.w.removed != nil {
		d.w.removed(path)
	}
	return err
}

type watchedFile struct {
	env.File
	w *watch
}

func (f *watchedFile) ReadAt(p []byte, offset int64) (int, error) {
	if f.w.reading != nil {
		f.w.reading(f.Name())
	}
	return f.File.ReadAt(p, offset)
}

func (f *watchedFile) WriteAt(p []byte, offset int64) error {
	f.w.written[f.Name()]++
	return f.File.WriteAt(p, offset)
}

func (f *watchedFile) Sync(from, to int64) error {
	if f.w.syncing != nil {
		if err := f.w.syncing(f.Name()); err != nil {
			return err
		}
	}
	covered := f.w.written[f.Name()]
	if err := f.File.Sync(from, to); err != nil {
		return err
	}
	if from == 0 && to >= f.Size() {
		f.w.written[f.Name()] -= covered
	}
	return nil
}

func (f *watchedFile) Close() error {
	f.w.open--
	f.w.byPath[f.Name()]--
	if f.w.written[f.Name()] > 0 {
		f.w.lost = append(f.w.lost, f.Name())
	}
	return f.File.Close()
}
