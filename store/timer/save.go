package timer

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
)

// markPath is the file that says what the pages hold.
const markPath = Dir + "/mark"

// Mark is what a calendar was when it was saved.
type Mark struct {
	// Added: all messages that stand before it in the log are in the pages.
	Added message.LogOffset `json:"added"`
	// Oldest: of these, only such wait as stand at or behind it.
	Oldest message.LogOffset `json:"oldest,omitempty"`
	// Cursor: all of them that come before it have left.
	Cursor Key `json:"cursor"`
	// Floors: so have these.
	Floors []floor `json:"floors,omitempty"`
	// Latest is the latest time for which an entry was taken.
	Latest int64 `json:"latest"`
	// Covered: of entries at or behind the cursor, only those in Gone have a delivery that stands before it in the log.
	Covered message.LogOffset `json:"covered"`
	// Gone has where these end.
	Gone []message.LogOffset `json:"gone,omitempty"`
	// Pages has how many bytes of each page's file count, by the page's start.
	Pages map[int64]int64 `json:"pages,omitempty"`
	// Topics has how many messages wait for each topic, as Snapshot was told.
	Topics map[string]int64 `json:"topics,omitempty"`
}

// check tells what cannot be.
func (m *Mark) check() error {
	// order does not matter: one that is wrong is enough
	for start, size := range m.Pages {
		if start < 0 || start%pageWidth != 0 || size <= 0 || size%entrySize != 0 {
			return fmt.Errorf("%w: %s: page %d has %d bytes", ErrDamaged, markPath, start, size)
		}
	}
	if m.Oldest < 0 || m.Added < m.Oldest || m.Covered < m.Added || m.Cursor.Due < 0 {
		return fmt.Errorf("%w: %s: %+v", ErrDamaged, markPath, m)
	}
	return nil
}

const (
	// markName is what the file calls the mark.
	markName = "mark"
	// markSizeMax bounds the file that is read.
	markSizeMax = 16 << 20
)

// readMark returns a zero mark if there is none.
func readMark(disk env.Disk) (m Mark, err error) {
	err = segment.ReadDocument(disk, markPath, markName, markSizeMax, &m)
	if errors.Is(err, segment.ErrDocument) {
		return Mark{}, fmt.Errorf("%w: %s: %w", ErrDamaged, markPath, err)
	}
	if err != nil {
		return Mark{}, err
	}
	return m, m.check()
}

// Open reads what was saved last. The log is to be followed from Mark.Added on for entries, and from Mark.Covered on for deliveries, before
// anything is taken. ErrDamaged: Reset. Recall is told of each recall before any entry of its page is taken; it must not wait.
func Open(disk env.Disk, recall func(Entry)) (*Calendar, Mark, error) {
	// A mark that a crash has left in the cache must not go with the power, when what it speaks of has been removed.
	if err := disk.SyncDir(Dir); err != nil && !errors.Is(err, env.ErrNotExist) {
		return nil, Mark{}, err
	}
	mark, err := readMark(disk)
	if err != nil {
		return nil, mark, err
	}
	c := newCalendar(disk, recall, mark)
	entries, err := disk.List(Dir)
	if err != nil {
		return nil, mark, err
	}
	for _, start := range slices.Sorted(maps.Keys(mark.Pages)) {
		p := &page{start: start, written: mark.Pages[start], synced: mark.Pages[start]}
		if err := c.admit(p, entries); err != nil {
			return nil, mark, errors.Join(err, c.Close())
		}
	}
	return c, mark, c.removeOthers(entries)
}

// admit looks at a page that was saved: it must be whole.
func (c *Calendar) admit(p *page, files []env.Entry) error {
	i := slices.IndexFunc(files, func(e env.Entry) bool { return Dir+"/"+e.Name == p.path() })
	if i < 0 || files[i].Size < p.written {
		return fmt.Errorf("%w: %s lacks some of its %d bytes", ErrDamaged, p.path(), p.written)
	}
	last := message.LogOffset(-1)
	err := p.read(c.disk, func(e Entry) {
		if p.first = min(p.first, e.Log); last < 0 {
			p.first = e.Log
		}
		last = e.Log
		if !c.below(e) {
			p.came(e)
		}
	})
	c.admitted(p)
	c.waiting += p.waiting
	return errors.Join(err, p.close())
}

// removeOthers removes the files of pages that the mark does not know.
func (c *Calendar) removeOthers(files []env.Entry) error {
	for _, f := range files {
		path := Dir + "/" + f.Name
		if path == markPath || f.IsDir || slices.ContainsFunc(c.sorted(), func(p *page) bool { return p.path() == path }) {
			continue
		}
		if err := c.disk.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// Reset removes all files, durably.
func Reset(disk env.Disk) error {
	files, err := disk.List(Dir)
	if err != nil || len(files) == 0 {
		return err
	}
	// The mark goes first: pages without it count for nothing.
	slices.SortStableFunc(files, func(a, b env.Entry) int { return rank(a.Name) - rank(b.Name) })
	for _, f := range files {
		if err := disk.Remove(Dir + "/" + f.Name); err != nil {
			return err
		}
	}
	return disk.SyncDir(Dir)
}

func rank(name string) int {
	if Dir+"/"+name == markPath {
		return 0
	}
	return 1
}

// Snapshot is the state that a Save makes durable.
type Snapshot struct {
	mark  Mark
	dirty []*page
}

// Snapshot takes down what the calendar is now. No delivery that stands before covered in the log is of an entry that has not been done. Before the
// snapshot is saved, the log must be durable up to there, with all that was appended for entries that are done. Topics is kept as it is. One at a time.
func (c *Calendar) Snapshot(covered message.LogOffset, topics map[string]int64) *Snapshot {
	c.passGone()
	oldest, some := c.Oldest()
	if !some {
		oldest = c.added
	}
	s := &Snapshot{mark: Mark{Added: c.added, Oldest: oldest, Cursor: c.cursor(), Floors: c.floorsAbove(), Latest: c.latest, Covered: covered, Gone: slices.Sorted(maps.Keys(c.gone)), Pages: map[int64]int64{}, Topics: maps.Clone(topics)}}
	s.mark.Gone = append(s.mark.Gone, slices.Sorted(maps.Keys(c.passed))...)
	for _, p := range c.sorted() {
		if p.waiting == 0 && p.start+pageWidth <= s.mark.Cursor.Due {
			continue
		}
		if p.size() == 0 {
			continue
		}
		s.mark.Pages[p.start] = p.size()
		if len(p.tail) > 0 || len(p.writing) > 0 || p.synced < p.written {
			p.writing, p.tail = append(p.writing, p.tail...), nil
			s.dirty = append(s.dirty, p)
		}
	}
	return s
}

// firstWaiting is the first key that waits, or may; ok is false if none does.
func (c *Calendar) firstWaiting() (first Key, ok bool) {
	sooner := func(k Key) {
		if !ok || k.Compare(first) < 0 {
			first, ok = k, true
		}
	}
	if len(c.taken) > 0 {
		sooner(c.taken[0].key())
	}
	if len(c.ready) > 0 {
		sooner(c.ready[0].key())
	}
	if c.next != nil {
		sooner(Key{Due: c.next.start})
	}
	return first, ok
}

// floorsAbove are the floors that the cursor does not tell.
func (c *Calendar) floorsAbove() []floor {
	cursor := c.cursor()
	c.floors = slices.DeleteFunc(c.floors, func(f floor) bool { return f.Before.Compare(cursor) <= 0 })
	return slices.Clone(c.floors)
}

// passGone moves the front over entries that had left before the start, as far as none waits before them.
func (c *Calendar) passGone() {
	first, some := c.firstWaiting()
	// order does not matter: the greatest counts
	for end, k := range c.passed {
		if some && k.Compare(first) >= 0 {
			continue
		}
		delete(c.passed, end)
		if next := k.next(); next.Compare(c.front) > 0 {
			c.front = next
		}
	}
}

// cursor is the first key that has not left.
func (c *Calendar) cursor() Key {
	if first, some := c.firstWaiting(); some && first.Compare(c.front) < 0 {
		return first
	}
	return c.front
}

// Save makes a snapshot durable. After an error another one may be tried: what may have got lost of a page is written again.
func (c *Calendar) Save(s *Snapshot) error {
	created := false
	for _, p := range s.dirty {
		made, err := c.write(p)
		if err != nil {
			return err
		}
		created = created || made
	}
	if created {
		if err := c.disk.SyncDir(Dir); err != nil {
			return err
		}
	}
	if _, err := segment.WriteDocument(c.disk, markPath, markName, &s.mark); err != nil {
		return err
	}
	return c.removeDone(s)
}

// write writes and syncs what a snapshot has of a page. made says that its file is new.
func (c *Calendar) write(p *page) (made bool, err error) {
	made = p.written == 0
	if err := p.open(c.disk); err != nil {
		return made, err
	}
	count := len(p.writing)
	if err := p.file.WriteAt(p.writing, p.written); err != nil {
		return made, err
	}
	end := p.written + int64(count)
	if err := p.file.Sync(p.synced, end); err != nil {
		return made, err
	}
	p.written, p.synced, p.writing = end, end, p.writing[count:]
	if !p.loaded {
		return made, p.close()
	}
	return made, nil
}

// removeDone removes the pages that a saved mark does not name any more.
func (c *Calendar) removeDone(s *Snapshot) error {
	removed := false
	for _, p := range c.sorted() {
		if _, kept := s.mark.Pages[p.start]; kept || p.waiting > 0 || p.start+pageWidth > s.mark.Cursor.Due {
			continue
		}
		delete(c.pages, p.start)
		if err := p.close(); err != nil {
			return err
		}
		if p.written == 0 {
			continue
		}
		if err := c.disk.Remove(p.path()); err != nil && !errors.Is(err, env.ErrNotExist) {
			return err
		}
		removed = true
	}
	if !removed {
		return nil
	}
	return c.disk.SyncDir(Dir)
}

// Close closes all files. It saves nothing.
func (c *Calendar) Close() error {
	var errs []error
	for _, p := range c.sorted() {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}
