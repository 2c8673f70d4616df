package sim

import (
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
)

// DiskOptions describe a disk and what may go wrong with it. The scenario changes them while
// the world runs.
type DiskOptions struct {
	WriteMin, WriteMax time.Duration // of a write into the page cache
	ReadMin, ReadMax   time.Duration
	SyncMin, SyncMax   time.Duration
	StuckUntil         env.Instant // syncs wait until then
	WriteError         float64     // share of writes that fail with EIO
	ReadError          float64
	SyncError          float64 // share of syncs that fail and drop the dirty pages, and of syncs of directories that fail
	Full               bool    // anything that needs space fails with ENOSPC
	Capacity           int64   // bytes; 0 means unlimited
}

// DefaultDisk is a healthy solid-state disk.
func DefaultDisk() DiskOptions {
	return DiskOptions{
		WriteMin: time.Microsecond, WriteMax: 10 * time.Microsecond,
		ReadMin: time.Microsecond, ReadMax: 20 * time.Microsecond,
		SyncMin: 80 * time.Microsecond, SyncMax: 400 * time.Microsecond,
	}
}

// Disk is the modelled disk of one machine. It outlives crashes.
type Disk struct {
	machine *Machine
	random  *Stream
	options DiskOptions
	names   map[string]*inode // what the operating system shows
	dirs    map[string]bool
	undo    []nameChange   // changes of names not yet durable, oldest first
	changes uint64         // number of the newest change of a name
	locks   map[string]int // path to the incarnation that holds it
	stats   DiskStats
}

// DiskStats count what a disk was asked to do.
type DiskStats struct{ Writes, Syncs, SyncFailures, Crashes int }

// nameChange says how to undo a creation, removal or rename.
type nameChange struct {
	number uint64
	dir    string
	revert func()
}

func newDisk(m *Machine) *Disk {
	return &Disk{
		machine: m,
		random:  m.kernel.Stream("disk/" + m.name),
		options: DefaultDisk(),
		names:   map[string]*inode{},
		dirs:    map[string]bool{".": true},
		locks:   map[string]int{},
	}
}

// Options is how the disk behaves now.
func (d *Disk) Options() DiskOptions { return d.options }

// SetOptions changes how the disk behaves from now on.
func (d *Disk) SetOptions(options DiskOptions) { d.options = options }

// Stats are the counts since the world began.
func (d *Disk) Stats() DiskStats { return d.stats }

// Paths lists all files, sorted.
func (d *Disk) Paths() []string {
	paths := make([]string, 0, len(d.names))
	for p := range d.names {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	return paths
}

// Content returns a copy of what a file shows now, for oracles.
func (d *Disk) Content(path string) ([]byte, bool) {
	i, ok := d.names[path]
	if !ok {
		return nil, false
	}
	return slices.Clone(i.shown), true
}

// Durable is what the medium has of a file: a power loss may leave no more.
func (d *Disk) Durable(path string) ([]byte, bool) {
	i, ok := d.names[path]
	if !ok {
		return nil, false
	}
	return slices.Clone(i.durable), true
}

// Corrupt changes one byte of a file on the medium and in the cache, as bit rot does after
// the cache has let go of the page. It reports whether the byte exists.
func (d *Disk) Corrupt(path string, offset int64, flip byte) bool {
	i, ok := d.names[path]
	if !ok || offset < 0 || offset >= int64(len(i.shown)) || offset >= int64(len(i.durable)) {
		return false
	}
	i.shown[offset] ^= flip
	i.durable[offset] ^= flip
	return true
}

// crash leaves what survives. A killed process loses nothing that it wrote.
func (d *Disk) crash(style CrashStyle) {
	d.stats.Crashes++
	clear(d.locks)
	if style != PowerLoss {
		return
	}
	kind := losses(d.random.IntN(int(lossKinds)))
	if d.random.Chance(0.35) {
		kind = loseAll // the worst disk must be common: it is what finds early acknowledgements
	}
	d.loseNames(kind)
	for _, p := range d.Paths() {
		d.names[p].crash(kind, d.random)
	}
}

// loseNames undoes the newest changes of names; each directory keeps a prefix of its own.
func (d *Disk) loseNames(kind losses) {
	keep := map[string]int{}
	count := map[string]int{}
	for _, c := range d.undo {
		count[c.dir]++
	}
	dirs := make([]string, 0, len(count))
	for dir := range count {
		dirs = append(dirs, dir)
	}
	sort.Strings(dirs)
	for _, dir := range dirs {
		switch kind {
		case loseAll:
			keep[dir] = 0
		case keepAll:
			keep[dir] = count[dir]
		default:
			keep[dir] = d.random.IntN(count[dir] + 1)
		}
	}
	for n := len(d.undo) - 1; n >= 0; n-- {
		c := d.undo[n]
		if count[c.dir] > keep[c.dir] {
			c.revert()
			count[c.dir]--
		}
	}
	d.undo = nil
}

func (d *Disk) used() int64 {
	var sum int64
	// order does not matter: a sum
	for _, i := range d.names {
		sum += i.used()
	}
	return sum
}

// fits is how many bytes of p there is room for at an offset of a file.
func (d *Disk) fits(i *inode, p []byte, offset int64) int {
	end := offset + int64(len(p))
	if d.room(i.missing(offset, end)) == nil {
		return len(p)
	}
	for at := offset; at < end; at = (at/pageSize + 1) * pageSize {
		if d.room(i.missing(offset, at+1)) != nil {
			return int(at - offset)
		}
	}
	return len(p)
}

// room fails if growing by n bytes is not possible now.
func (d *Disk) room(n int64) error {
	if n <= 0 {
		return nil
	}
	if d.options.Full || (d.options.Capacity > 0 && d.used()+n > d.options.Capacity) {
		return env.ErrNoSpace
	}
	return nil
}

func (d *Disk) between(low, high time.Duration) time.Duration {
	return time.Duration(d.random.Between(int64(low), int64(high)))
}

// nodeDisk is a disk as one incarnation of a node sees it, below its root.
type nodeDisk struct {
	*world
	disk *Disk
	root string
}

// begin checks a path, takes the time of a call on names, and returns the full path.
func (d nodeDisk) begin(operation, name string) (string, error) {
	t := d.running()
	full, err := d.full(operation, name)
	if err != nil {
		return "", err
	}
	t.pause(d.disk.between(d.disk.options.WriteMin, d.disk.options.WriteMax))
	d.kernel.trace.add(d.kernel.now, traceName, hashString(operation), hashString(full))
	d.kernel.trace.line(d.kernel.now, traceName, "%s: %s %s", d.machine.name, operation, full)
	return full, nil
}

func (d nodeDisk) full(operation, name string) (string, error) {
	if strings.HasPrefix(name, "/") || slices.Contains(strings.Split(name, "/"), "..") || name == "" {
		return "", fmt.Errorf("%s %q: the path must be relative and stay below the node's directory", operation, name)
	}
	return path.Join(d.root, name), nil
}

func fail(operation, path string, err error) error {
	return fmt.Errorf("%s %s: %w", operation, path, err)
}

func (d nodeDisk) Open(name string) (env.File, error) {
	full, err := d.begin("open", name)
	if err != nil {
		return nil, err
	}
	i := d.disk.names[full]
	if i == nil {
		return nil, fail("open", full, env.ErrNotExist)
	}
	return &file{world: d.world, disk: d.disk, inode: i, name: name, path: full}, nil
}

func (d nodeDisk) Create(name string) (env.File, error) {
	full, err := d.begin("create", name)
	if err != nil {
		return nil, err
	}
	if d.disk.names[full] != nil || d.disk.dirs[full] {
		return nil, fail("create", full, env.ErrExist)
	}
	if err := d.disk.parent(full); err != nil {
		return nil, fail("create", full, err)
	}
	if d.disk.options.Full {
		return nil, fail("create", full, env.ErrNoSpace)
	}
	d.disk.makeDirs(path.Dir(full))
	i := &inode{}
	d.disk.names[full] = i
	d.disk.changeName(full, func() { delete(d.disk.names, full) })
	return &file{world: d.world, disk: d.disk, inode: i, name: name, path: full}, nil
}

// parent fails if a file stands where a directory above the path must be.
func (d *Disk) parent(full string) error {
	for dir := path.Dir(full); dir != "."; dir = path.Dir(dir) {
		if d.names[dir] != nil {
			return fmt.Errorf("%s is a file, not a directory", dir)
		}
	}
	return nil
}

// makeDirs makes missing directories. They survive crashes: an empty directory does no harm.
func (d *Disk) makeDirs(dir string) {
	for ; !d.dirs[dir]; dir = path.Dir(dir) {
		d.dirs[dir] = true
	}
}

func (d *Disk) changeName(full string, revert func()) {
	d.changes++
	d.undo = append(d.undo, nameChange{number: d.changes, dir: path.Dir(full), revert: revert})
}

func (d nodeDisk) Rename(from, to string) error {
	target, err := d.full("rename", to)
	if err != nil {
		return err
	}
	source, err := d.begin("rename", from)
	if err != nil {
		return err
	}
	names := d.disk.names
	i, replaced := names[source], names[target]
	if i == nil {
		return fail("rename", source, env.ErrNotExist)
	}
	if d.disk.dirs[target] {
		return fail("rename", target, fmt.Errorf("a directory has that name"))
	}
	if err := d.disk.parent(target); err != nil {
		return fail("rename", target, err)
	}
	d.disk.makeDirs(path.Dir(target))
	delete(names, source)
	names[target] = i
	d.disk.changeName(target, func() {
		names[source] = i
		restore(names, target, replaced)
	})
	return nil
}

func restore(names map[string]*inode, name string, i *inode) {
	if i == nil {
		delete(names, name)
		return
	}
	names[name] = i
}

func (d nodeDisk) Remove(name string) error {
	full, err := d.begin("remove", name)
	if err != nil {
		return err
	}
	if i := d.disk.names[full]; i != nil {
		delete(d.disk.names, full)
		d.disk.changeName(full, func() { d.disk.names[full] = i })
		return nil
	}
	if !d.disk.dirs[full] {
		return fail("remove", full, env.ErrNotExist)
	}
	if len(d.disk.list(full)) > 0 {
		return fail("remove", full, fmt.Errorf("the directory is not empty"))
	}
	delete(d.disk.dirs, full)
	return nil
}

func (d nodeDisk) List(dir string) ([]env.Entry, error) {
	full, err := d.begin("list", dir)
	if err != nil {
		return nil, err
	}
	return d.disk.list(full), nil
}

func (d *Disk) list(dir string) []env.Entry {
	var entries []env.Entry
	// order does not matter: the entries are sorted below
	for name, i := range d.names {
		if path.Dir(name) == dir {
			entries = append(entries, env.Entry{Name: path.Base(name), Size: int64(len(i.shown))})
		}
	}
	// order does not matter: the entries are sorted below
	for name := range d.dirs {
		if path.Dir(name) == dir && name != "." {
			entries = append(entries, env.Entry{Name: path.Base(name), IsDir: true})
		}
	}
	sort.Slice(entries, func(a, b int) bool { return entries[a].Name < entries[b].Name })
	return entries
}

func (d nodeDisk) SyncDir(dir string) error {
	full, err := d.begin("syncdir", dir)
	if err != nil {
		return err
	}
	if !d.disk.dirs[full] {
		return fail("sync directory", full, env.ErrNotExist)
	}
	// What changes while it runs is not covered.
	upTo := d.disk.changes
	d.kernel.current.pause(d.disk.between(d.disk.options.SyncMin, d.disk.options.SyncMax))
	if d.disk.random.Chance(d.disk.options.SyncError) {
		// Nothing is taken back, and nothing is durable.
		d.disk.stats.SyncFailures++
		return fail("sync directory", full, env.ErrIO)
	}
	kept := d.disk.undo[:0]
	for _, c := range d.disk.undo {
		if c.dir != full || c.number > upTo {
			kept = append(kept, c)
		}
	}
	clear(d.disk.undo[len(kept):])
	d.disk.undo = kept
	return nil
}

func (d nodeDisk) Lock(name string) (env.Lock, error) {
	full, err := d.begin("lock", name)
	if err != nil {
		return nil, err
	}
	if _, held := d.disk.locks[full]; held {
		return nil, fail("lock", full, env.ErrLocked)
	}
	if d.disk.names[full] == nil {
		d.disk.makeDirs(path.Dir(full))
		d.disk.names[full] = &inode{}
	}
	d.disk.locks[full] = d.incarnation
	return diskLock{d, full}, nil
}

type diskLock struct {
	disk nodeDisk
	path string
}

func (l diskLock) Unlock() error {
	l.disk.check()
	delete(l.disk.disk.locks, l.path)
	return nil
}

func (d nodeDisk) Usage() (used, total int64, err error) {
	d.running()
	total = d.disk.options.Capacity
	if total == 0 {
		total = 1 << 40
	}
	return d.disk.used(), total, nil
}
