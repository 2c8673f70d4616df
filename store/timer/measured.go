package timer

// This file is what monitoring asks for.

// slotWidth is how exactly it is known when entries are due that are not in memory, in milliseconds.
const slotWidth = 5000

// DueSince is when the first of the entries that wait is or was due, wall milliseconds, as far as pages are loaded: those that are due are. ok is false if
// there is none.
func (c *Calendar) DueSince() (due int64, ok bool) {
	if len(c.taken) > 0 {
		return c.taken[0].Due, true
	}
	if len(c.ready) > 0 {
		return c.ready[0].Due, true
	}
	return 0, false
}

// DueWithin counts the entries that are due by a time and were not by the time before it in a list, wall milliseconds in rising order. The first
// count has all that are due already. Times are exact to five seconds. After each page it calls pause, which may wait.
func (c *Calendar) DueWithin(until []int64, pause func()) (counts []int64) {
	counts = make([]int64, len(until))
	for _, p := range c.sorted() {
		if len(until) == 0 || p.start > until[len(until)-1] {
			break
		}
		at := 0
		for i, waiting := range p.slots {
			for at < len(until) && p.start+int64(i)*slotWidth > until[at] {
				at++
			}
			if at < len(until) {
				counts[at] += int64(waiting)
			}
		}
		pause()
	}
	return counts
}

// came counts an entry that has not been done.
func (p *page) came(e Entry) {
	p.waiting++
	p.slots[(e.Due-p.start)/slotWidth]++
}

// left is for an entry that has been done.
func (p *page) left(e Entry) {
	p.waiting--
	p.slots[(e.Due-p.start)/slotWidth]--
}

// recount counts anew which entries have not been done.
func (p *page) recount(waiting []Entry) {
	p.waiting, p.slots = 0, [len(p.slots)]uint32{}
	for _, e := range waiting {
		p.came(e)
	}
}
