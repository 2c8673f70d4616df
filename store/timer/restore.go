package timer

import (
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
)

// Mark is what the snapshot says without the pages, for who has the log and not the files: a copy that becomes master.
func (s *Snapshot) Mark() Mark {
	mark := s.mark
	mark.Pages = nil
	return mark
}

// Restore makes a calendar out of a mark alone. Entries that stand in the log from Mark.Oldest up to Mark.Added are to be added with AddAgain, in their order; then the
// log is followed as after Open. There must be no files: Reset. The error is ErrDamaged.
func Restore(disk env.Disk, recall func(Entry), mark Mark) (*Calendar, error) {
	mark.Pages = nil
	if err := mark.check(); err != nil {
		return nil, err
	}
	return newCalendar(disk, recall, mark), nil
}

func newCalendar(disk env.Disk, recall func(Entry), mark Mark) *Calendar {
	c := &Calendar{
		disk: disk, recall: recall, pages: map[int64]*page{}, front: mark.Cursor, floors: append(mark.Floors, floor{mark.Cursor, mark.Added}),
		latest: mark.Latest, added: mark.Added,
		gone: map[message.LogOffset]struct{}{}, passed: map[message.LogOffset]Key{},
	}
	for _, end := range mark.Gone {
		c.gone[end] = struct{}{}
	}
	return c
}

// AddAgain adds an entry that stands before Mark.Added, unless it has left.
func (c *Calendar) AddAgain(e Entry) {
	if !c.below(e) {
		c.Add(e)
	}
}

// LeftUntil says that another broker has delivered all that was due before a time, in wall milliseconds, and stands before a place in the log.
func (c *Calendar) LeftUntil(due int64, log message.LogOffset) {
	c.floors = append(c.floors, floor{Key{Due: due}, log})
	c.latest = max(c.latest, due-1)
}
