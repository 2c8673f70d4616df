package timer

import (
	"container/heap"
	"fmt"
	"maps"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
)

// pageWidth is the span of a page in milliseconds.
const pageWidth = 10 * 60 * 1000

// Calendar knows which messages wait, and which is due next.
type Calendar struct {
	disk    env.Disk
	recall  func(Entry)
	pages   map[int64]*page // by start
	next    *page           // the first one that is not loaded, or nil
	ready   entryHeap       // waiting entries of pages that are loaded
	taken   []Entry         // in order; taken and not done
	front   Key             // behind all entries that were taken, but for those that floors tell
	floors  []floor         // what has left; nothing of what the front tells
	latest  int64           // the latest time for which an entry was ever taken
	added   message.LogOffset
	waiting int
	gone    map[message.LogOffset]struct{} // where entries end that had left before the start, and were not met yet
	passed  map[message.LogOffset]Key      // where entries end that have left, though some wait that come before them
}

// floor says that all entries have left that come before a key and stand before a place in the log.
type floor struct {
	Before Key               `json:"before"`
	Log    message.LogOffset `json:"log"`
}

// Delivered says that an entry had left before the start, by where it ends, and when it was due, in wall milliseconds. It is called before anything is taken.
func (c *Calendar) Delivered(end message.LogOffset, due int64) {
	c.gone[end] = struct{}{}
	c.latest = max(c.latest, due)
}

// Add adds an entry. Entries come in the order of the log. It may come before some that have left: it was late, or the calendar was set back.
func (c *Calendar) Add(e Entry) {
	c.added = max(c.added, e.End())
	before := c.cursor()
	if e.key().Compare(c.front) < 0 {
		c.front = e.key()
	}
	p := c.page(e.Due)
	p.add(e)
	c.waiting++
	if p.loaded {
		c.makeReady(e)
	}
	if c.cursor().Compare(before) < 0 {
		// It does not tell any more what has left in front of it: that page may be read from its start.
		c.floors = append(c.floors, floor{before, e.Log})
	}
}

func (c *Calendar) makeReady(e Entry) {
	if e.Recall {
		c.recall(e)
	}
	heap.Push(&c.ready, e)
}

// Passed says that the log has no entries before a place that were not added.
func (c *Calendar) Passed(at message.LogOffset) { c.added = max(c.added, at) }

// startOf is the start of the page that has what is due at a time.
func startOf(due int64) int64 { return due - due%pageWidth }

func (c *Calendar) page(due int64) *page {
	start := startOf(due)
	p := c.pages[start]
	if p == nil {
		p = &page{start: start}
		c.admitted(p)
	}
	return p
}

func (c *Calendar) admitted(p *page) {
	c.pages[p.start] = p
	if c.next == nil || p.start < c.next.start {
		c.next = p
	}
}

// Take takes the entry that comes first, if it is due. Otherwise next is when it will be, 0 if there is none. After ErrDamaged the calendar is of no
// use; with another error nothing has changed.
func (c *Calendar) Take(now int64) (e Entry, ok bool, next int64, err error) {
	if err := c.load(now); err != nil {
		return Entry{}, false, 0, err
	}
	if len(c.ready) == 0 {
		return Entry{}, false, 0, nil
	}
	if e = c.ready[0]; e.Due > now {
		return Entry{}, false, e.Due, nil
	}
	heap.Pop(&c.ready)
	c.taken = append(c.taken, e)
	if k := e.key().next(); k.Compare(c.front) > 0 {
		c.front = k
	}
	c.latest = max(c.latest, e.Due)
	return e, true, 0, nil
}

// load loads the pages that are due, or the next one if none is.
func (c *Calendar) load(now int64) error {
	for c.next != nil && (len(c.ready) == 0 || c.next.start <= max(now, c.ready[0].Due)) {
		p := c.next
		var found []Entry
		err := p.read(c.disk, func(e Entry) {
			if c.waits(e) {
				found = append(found, e)
			}
		})
		if err != nil {
			return err
		}
		c.waiting += len(found) - p.waiting
		p.loaded = true
		p.recount(found)
		c.ready = append(c.ready, found...)
		heap.Init(&c.ready)
		for _, e := range found {
			if e.Recall {
				c.recall(e)
			}
		}
		c.next = c.firstUnloaded()
	}
	return nil
}

// waits reports whether an entry of a page that is being loaded has not left.
func (c *Calendar) waits(e Entry) bool {
	if c.below(e) {
		delete(c.gone, e.End())
		return false
	}
	if _, gone := c.gone[e.End()]; gone {
		delete(c.gone, e.End())
		c.passed[e.End()] = e.key()
		return false
	}
	return true
}

// Done says that the first of the entries that were taken have left.
func (c *Calendar) Done(count int) {
	for _, e := range c.taken[:count] {
		if p := c.pages[startOf(e.Due)]; p != nil {
			p.left(e)
		}
	}
	c.waiting -= count
	done := c.taken[:count]
	if c.taken = c.taken[count:]; len(c.taken) == 0 {
		c.taken = nil
	}
	first, some := c.firstWaiting()
	for _, e := range done {
		if some && first.Compare(e.key()) < 0 {
			c.passed[e.End()] = e.key()
		}
	}
}

// below reports whether a floor says that an entry has left.
func (c *Calendar) below(e Entry) bool {
	return slices.ContainsFunc(c.floors, func(f floor) bool { return e.Log < f.Log && e.key().Compare(f.Before) < 0 })
}

// Return puts back what was taken and has not left.
func (c *Calendar) Return() {
	for _, e := range c.taken {
		heap.Push(&c.ready, e)
	}
	c.taken = nil
}

// Taken reports whether entries that are due at a time were taken already, or might be at any moment.
func (c *Calendar) Taken(due int64) bool { return c.latest >= due }

// LeftBefore is a time: whatever was due before it has left.
func (c *Calendar) LeftBefore() int64 { return c.cursor().Due }

// Waiting is how many entries wait.
func (c *Calendar) Waiting() int { return c.waiting }

// Added is where the next entry may stand in the log.
func (c *Calendar) Added() message.LogOffset { return c.added }

// Oldest is where the oldest record stands that is needed yet, or may be; ok is false if none is.
func (c *Calendar) Oldest() (oldest message.LogOffset, ok bool) {
	// order does not matter: the least counts
	for _, p := range c.pages {
		if p.waiting > 0 && (!ok || p.first < oldest) {
			oldest, ok = p.first, true
		}
	}
	return oldest, ok
}

// firstUnloaded is the first page that is not in memory, or nil.
func (c *Calendar) firstUnloaded() (first *page) {
	// order does not matter: the least counts
	for _, p := range c.pages {
		if !p.loaded && (first == nil || p.start < first.start) {
			first = p
		}
	}
	return first
}

// sorted are the pages by their time.
func (c *Calendar) sorted() []*page {
	pages := make([]*page, 0, len(c.pages))
	for _, start := range slices.Sorted(maps.Keys(c.pages)) {
		pages = append(pages, c.pages[start])
	}
	return pages
}

// String tells how many entries wait, and since when.
func (c *Calendar) String() string {
	return fmt.Sprintf("calendar with %d entries in %d pages, done before %d", c.waiting, len(c.pages), c.cursor().Due)
}

// entryHeap is a heap by key.
type entryHeap []Entry

// Len is part of heap.Interface, as are the others.
func (h entryHeap) Len() int { return len(h) }

// Less compares.
func (h entryHeap) Less(i, j int) bool { return h[i].key().Compare(h[j].key()) < 0 }

// Swap swaps.
func (h entryHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push appends.
func (h *entryHeap) Push(e any) { *h = append(*h, e.(Entry)) }

// Pop takes the last one off.
func (h *entryHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
