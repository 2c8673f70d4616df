package store

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/index"
)

// ownFiles is a disk that shows an inspection only the files that a store can have made: one that somebody else has put among
// them must not hide all others. A broker does not start with such a file, because it might mean that its settings are wrong.
type ownFiles struct {
	env.Disk
	options  *Options
	warnings map[string]string // what is wrong, by path
}

func newOwnFiles(disk env.Disk, options *Options) *ownFiles {
	return &ownFiles{Disk: disk, options: options, warnings: map[string]string{}}
}

// List leaves out what is foreign.
func (d *ownFiles) List(dir string) ([]env.Entry, error) {
	entries, err := d.Disk.List(dir)
	if err != nil {
		return nil, err
	}
	if dir == index.Dir {
		return d.named(dir, entries, index.IsName), nil
	}
	if size := rowSize(dir, d.options); size > 0 {
		return d.ofRow(dir, entries, size), nil
	}
	return entries, nil
}

// rowSize is the size of the files in a directory that holds a row of them; 0 for another directory.
func rowSize(dir string, options *Options) int64 {
	if dir == logDir {
		return options.LogSegmentSize
	}
	parts := strings.Split(dir, "/")
	for _, l := range layouts {
		if len(parts) == 3 && parts[0] == l.dir {
			return l.fileSize(options)
		}
	}
	return 0
}

// named keeps the files with names that ours have. If there is none, all are kept: then this is no directory of a store, and who
// reads it says so.
func (d *ownFiles) named(dir string, entries []env.Entry, own func(name string) bool) []env.Entry {
	entries = slices.DeleteFunc(entries, func(e env.Entry) bool { return e.IsDir })
	kept := slices.DeleteFunc(slices.Clone(entries), func(e env.Entry) bool { return !own(e.Name) })
	if len(kept) == 0 {
		return entries
	}
	for _, e := range entries {
		if !own(e.Name) {
			name := path.Join(dir, e.Name)
			d.warnings[name] = name + " is no file of a broker and was left out; move it elsewhere: the broker does not start with it"
		}
	}
	return kept
}

// ofRow keeps the files of a row. One of a wrong size among others of the right size is shown as if it had that. If none has the right
// size, it may be the size that is wrong.
func (d *ownFiles) ofRow(dir string, entries []env.Entry, size int64) []env.Entry {
	fits := func(name string) bool {
		start, ok := rowStart(name)
		return ok && start%size == 0
	}
	if !slices.ContainsFunc(entries, func(e env.Entry) bool { return fits(e.Name) && e.Size == size }) {
		return d.named(dir, entries, func(name string) bool { _, ok := rowStart(name); return ok })
	}
	kept := d.named(dir, entries, fits)
	for i := range kept {
		e := &kept[i]
		isLast := i == len(kept)-1
		if e.Size == size || isLast && e.Size < size {
			continue
		}
		name := path.Join(dir, e.Name)
		d.warnings[name] = fmt.Sprintf("%s has %d bytes, the others have %d: what it lacks is shown as zeros, what it has more is not shown", name, e.Size, size)
		e.Size = size
	}
	return kept
}

// rowStart reads the name of a file of a row: where it begins, with 20 digits.
func rowStart(name string) (int64, bool) {
	start, err := strconv.ParseInt(name, 10, 64)
	return start, err == nil && start >= 0 && fmt.Sprintf("%020d", start) == name
}

// Warnings names the files that were met so far and are not as a broker leaves them, in the order of their paths. Everything else
// was shown.
func (i *Inspector) Warnings() []string {
	var paths []string
	// order does not matter: they are sorted below
	for path := range i.own.warnings {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for at, path := range paths {
		paths[at] = i.own.warnings[path]
	}
	return paths
}

// commonSize gathers the sizes of the files of rows, to find the one that most have.
type commonSize map[int64]int

// add counts the files of a directory with sizes that are multiples of a unit. Files of other names are not of a row.
func (c commonSize) add(disk env.Disk, dir string, unit int64) error {
	entries, err := disk.List(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, named := rowStart(e.Name); named && !e.IsDir && e.Size > 0 && e.Size%unit == 0 {
			c[e.Size]++
		}
	}
	return nil
}

// or is the size that most files have, the greater one of two; or another one if there is no file. The last file of a row may be short.
func (c commonSize) or(other int64) int64 {
	size, files := other, 0
	// order does not matter: of two with as many files the greater one is taken
	for s, n := range c {
		if n > files || n == files && s > size {
			size, files = s, n
		}
	}
	return size
}
