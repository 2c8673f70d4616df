package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/store/timer"
	"github.com/gantrymq/gantry/transport/message"
	"go.uber.org/zap"
)

// timersFile is Gantry's own: it says which of the messages that wait for a time of their own have left. It is one of the tables that copies have. A copy that becomes
// master reads with it only the messages that wait, and the log behind Covered; without it, all of the log.
const timersFile = "timers.json"

// timersBytes is how much the log grows before the file is written again although no message came or left: a start reads that.
const timersBytes = 64 << 20

// saveTable writes the file if it is worth it. What it says must not be ahead of the log: that was made durable before.
func (t *timers) saveTable(mark timer.Mark, waiting int, next message.QueueOffset) error {
	old := &t.tabled
	changed := next != t.tabledNext || mark.Cursor != old.Cursor || !slices.Equal(mark.Gone, old.Gone) || !slices.Equal(mark.Floors, old.Floors)
	if !changed && (waiting == 0 || mark.Covered-old.Covered < timersBytes) {
		return nil
	}
	text, err := json.Marshal(mark)
	if err == nil {
		err = t.broker.saveTable(timersFile, text)
	}
	if err == nil {
		t.tabled, t.tabledNext = mark, next
	}
	return err
}

// timersTable reads the file; without one the mark is zero.
func (b *Broker) timersTable() (mark timer.Mark, err error) {
	err = loadFile(b.env.Disk, timersFile, func(content []byte) error { return json.Unmarshal(content, &mark) })
	if errors.Is(err, env.ErrNotExist) {
		return timer.Mark{}, nil
	}
	return mark, err
}

// restore makes a calendar where its files are not, as where another broker was master before, out of the table and the messages that wait. Without a table that can be
// of this log there is none, and the mark is zero.
func (t *timers) restore() (*timer.Calendar, timer.Mark, error) {
	b := t.broker
	mark, err := b.timersTable()
	if err == nil && mark.Covered > b.store.Confirmed() {
		err = fmt.Errorf("it knows the log up to %d, which ends at %d", mark.Covered, b.store.Confirmed())
	}
	if err != nil || mark.Covered == 0 {
		return nil, timer.Mark{}, err
	}
	calendar, err := timer.Restore(b.env.Disk, t.recallLater, mark)
	if err != nil {
		return nil, timer.Mark{}, err
	}
	from, err := t.numberAt(mark.Oldest)
	if err == nil {
		err = b.readQueue(timerQueue, &from, func() bool { return t.closing }, func(err error) { t.lose(1, err) }, func(r *message.Record) {
			if e, ok := t.entryOf(r); ok && e.Log < mark.Added {
				calendar.AddAgain(e)
			}
		})
	}
	return calendar, mark, err
}

// holdTimers keeps the files of the log with messages that wait, at a copy, which may be master next, and at a master that has not read yet which they are.
func (b *Broker) holdTimers() {
	mark, err := b.timersTable()
	switch {
	case err != nil:
		b.env.Log.Warn("which timed messages wait is not known: files of the log with such may be removed", zap.Error(err))
	case mark.Oldest >= mark.Added:
		b.timers.hold(nil)
	case b.timers.keep == nil:
		b.timers.hold(b.store.Follow("timed messages", mark.Oldest))
	default:
		b.timers.keep.MoveTo(mark.Oldest)
	}
}

// hold has a follower keep files of the log, or nobody if it is nil, instead of the one before.
func (t *timers) hold(follower *store.Follower) {
	if t.keep != nil {
		t.keep.Close()
	}
	t.keep = follower
}

// forgetTimers removes what was known of timed messages, at a slave of Apache's: what such a master has delivered only its own file tells.
func (b *Broker) forgetTimers() error {
	for _, name := range []string{timersFile, timersFile + ".bak"} {
		if err := b.env.Disk.Remove(configDir + "/" + name); err != nil && !errors.Is(err, env.ErrNotExist) {
			return err
		}
	}
	err := b.env.Disk.SyncDir(configDir)
	if err == nil || errors.Is(err, env.ErrNotExist) {
		err = timer.Reset(b.env.Disk)
	}
	return err
}

// numberAt is the number of the first message of the timers' queue that stands at a place in the log or behind it.
func (t *timers) numberAt(log message.LogOffset) (message.QueueOffset, error) {
	first, end := t.broker.store.Bounds(timerQueue)
	for first < end {
		middle := first + (end-first)/2
		entries, ok, err := t.broker.store.Entries(timerQueue, middle, 1)
		if err != nil {
			return 0, err
		}
		if !ok || entries[0].Log < log {
			first = middle + 1
		} else {
			end = middle
		}
	}
	return first, nil
}
