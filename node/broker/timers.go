package broker

import (
	"errors"
	"fmt"
	"maps"
	"strconv"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/store/timer"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// timers delivers messages that are due at a time of their own (class TimerMessageStore): they wait in the queue of the topic
// rmq_sys_wheel_timer, and a calendar knows which of them is due next.
//
// As with delay levels, a delivered message says where the one that waited ends in the log. So the log itself tells after any crash what was
// delivered; the calendar's files only save reading all of it.
type timers struct {
	broker   *Broker
	calendar *timer.Calendar // nil until the log was read
	next     message.QueueOffset
	keep     *store.Follower // holds the files of the log that are needed; nil if none are
	saved    message.LogOffset
	before   int64          // what is due before it, a Java broker has delivered
	wake     env.Cond       // a message has arrived, or the broker stops
	turn     *env.Semaphore // of who saves the calendar, or throws it away
	lost     int64          // messages that could not be delivered
	tasks    *env.Group
	closing  bool

	// withdrawn has the messages that are not to be delivered, and when they are due.
	withdrawn map[string]int64
	recalled  []timer.Entry // recalls of pages that were loaded; their records are to be read
	topics    topicTally    // messages that wait, by topic

	// tabled is what the table of timers says, and how far it knows their queue.
	tabled     timer.Mark
	tabledNext message.QueueOffset
}

func newTimers(b *Broker) *timers {
	return &timers{broker: b, wake: b.env.Tasks.NewCond(), turn: env.NewSemaphore(b.env.Tasks, 1), tasks: env.NewGroup(b.env.Tasks), withdrawn: map[string]int64{}}
}

var timerQueue = store.QueueKey{Topic: proto.TimerTopic, ID: 0}

// start leaves the rest to a task.
func (t *timers) start() {
	t.tasks.Go("deliver timed messages", t.run)
	t.tasks.Go("save timers", func() { t.broker.saveEvery(saveCursorsEvery, "timers", t.save) })
}

// arrived is told of each message that is to wait.
func (t *timers) arrived() { t.wake.Signal() }

func (t *timers) run() {
	for !t.closing {
		if t.calendar == nil && !t.recover() {
			continue
		}
		err := t.collect()
		var next env.Instant
		if err == nil {
			next, err = t.deliver()
		}
		switch now := t.broker.env.Clock.Now(); {
		case errors.Is(err, timer.ErrDamaged):
			t.reset(err)
		case err != nil:
			t.broker.env.Log.Error("timed messages wait: the disk cannot be read; it is tried again", zap.Error(err))
			t.broker.pauseFor(tryDeliveryAfter)
		case !next.Reached(now) && !t.closing && !t.behind():
			t.wake.WaitUntil(next.Sooner(now.Add(lookAgainAfter)))
		}
	}
}

// recover opens the calendar and reads from the log what has happened since it was saved. It reports whether that went well.
func (t *timers) recover() bool {
	b := t.broker
	calendar, mark, err := timer.Open(b.env.Disk, t.recallLater)
	switch {
	case errors.Is(err, timer.ErrDamaged):
		t.reset(err)
		return false
	case err != nil:
		b.env.Log.Error("timed messages wait: their calendar cannot be opened; it is tried again", zap.Error(err))
		t.broker.pauseFor(tryDeliveryAfter)
		return false
	case mark.Covered > b.store.Confirmed():
		t.reset(errors.Join(fmt.Errorf("it knows the log up to %d, which ends at %d", mark.Covered, b.store.Confirmed()), calendar.Close()))
		return false
	}
	t.before = 0
	if mark.Added == 0 {
		calendar, mark = t.begin(calendar)
	}
	if !t.follow(calendar, mark) {
		b.env.Log.Debug("the calendar of timers was not read", zap.Error(calendar.Close()))
		return false
	}
	t.calendar, t.saved = calendar, mark.Covered
	return true
}

// recallLater notes a recall whose page was loaded.
func (t *timers) recallLater(e timer.Entry) { t.recalled = append(t.recalled, e) }

// begin is for a directory without a calendar: another broker was the last to deliver from this log, if any was. It takes an empty one, and returns what is to be
// followed from the mark on.
func (t *timers) begin(empty *timer.Calendar) (*timer.Calendar, timer.Mark) {
	b := t.broker
	restored, mark, err := t.restore()
	switch {
	case err != nil:
		b.env.Log.Warn("which timed messages wait is read from all of the log", zap.Error(err))
	case restored != nil:
		return restored, mark
	}
	if t.before, err = t.javaDelivered(); err != nil {
		b.env.Log.Warn("what a Java broker has delivered of timed messages cannot be read: some may be delivered again", zap.Error(err))
	}
	if t.before > 0 {
		// Where the files are not, the mark is to tell it.
		empty.LeftUntil(t.before, b.store.Confirmed())
	}
	return empty, timer.Mark{}
}

// follow brings a calendar up to the end of the log.
func (t *timers) follow(calendar *timer.Calendar, mark timer.Mark) bool {
	b := t.broker
	t.topics = topicTally(maps.Clone(mark.Topics))
	next, err := t.numberAt(mark.Added)
	if err != nil {
		b.env.Log.Error("timed messages wait: their queue cannot be read; it is tried again", zap.Error(err))
		b.pauseFor(tryDeliveryAfter)
		return false
	}
	follower := b.store.Follow("timed messages", max(mark.Added, b.store.Start()))
	if _, end := b.store.Bounds(timerQueue); next >= end && calendar.Waiting() == 0 {
		// Nothing waits: the log has nothing to tell.
		follower.MoveTo(b.store.Confirmed())
	}
	read := b.readLog(follower, "timed messages", func() bool { return t.closing }, func(r *message.Record) {
		switch {
		case string(r.Topic) == proto.TimerTopic:
			t.add(calendar, r)
		case isTimedDelivery(r) && r.LogOffset >= mark.Covered:
			// A time that cannot be read is that of no message which waits.
			due, _ := dueAt(r)
			calendar.Delivered(message.LogOffset(r.PreparedAt), due)
			t.topics.add(r.Topic, -1)
		}
	})
	if !read {
		follower.Close()
		return false
	}
	// Nothing was waited for since all was read: what comes from now on is in the queue.
	calendar.Passed(follower.At())
	t.before = 0
	_, t.next = b.store.Bounds(timerQueue)
	if oldest, ok := calendar.Oldest(); ok {
		follower.MoveTo(oldest)
	}
	t.hold(follower)
	return true
}

// isTimedDelivery reports whether a record is a message that was delivered when it was due.
func isTimedDelivery(r *message.Record) bool {
	if !isDelivery(r) || string(r.Topic) == proto.TimerTopic {
		return false
	}
	_, timed := message.PropertyBytes(r.Properties, message.PropertyTimerDueAtMillis)
	return timed
}

// add puts a message that waits into a calendar. One that does not say when it is due is passed over.
func (t *timers) add(calendar *timer.Calendar, r *message.Record) {
	e, ok := t.entryOf(r)
	if !ok {
		return
	}
	if !e.Recall {
		t.topics.add(realTopic(r), 1)
	}
	calendar.Add(e)
}

// entryOf is what a calendar knows of a message. ok is false if it is to be passed over.
func (t *timers) entryOf(r *message.Record) (e timer.Entry, ok bool) {
	due, err := dueAt(r)
	if err != nil {
		t.broker.env.Log.Error("a timed message does not say when it is due, and is never delivered", zap.Int64("place", int64(r.LogOffset)), zap.Error(err))
		t.lost++
		return timer.Entry{}, false
	}
	if due < t.before || string(realTopic(r)) == proto.ReviveTopic(t.broker.options.Cluster) {
		return timer.Entry{}, false // what a Java broker has noted of pops is taken over otherwise
	}
	_, recall := message.PropertyBytes(r.Properties, message.PropertyTimerDeleteUniqueID)
	return timer.Entry{Due: due, Log: r.LogOffset, Size: r.TotalSize, Recall: recall}, true
}

// dueAt is when a message that waits is due, in wall milliseconds; >= 0.
func dueAt(r *message.Record) (int64, error) {
	value, _ := message.PropertyBytes(r.Properties, message.PropertyTimerDueAtMillis)
	due, err := strconv.ParseInt(string(value), 10, 64)
	if err == nil && due < 0 {
		err = strconv.ErrRange
	}
	if err != nil {
		return 0, fmt.Errorf("property %s is %q: %w", message.PropertyTimerDueAtMillis, value, err)
	}
	return due, nil
}

// behind reports whether there are messages that the calendar does not know.
func (t *timers) behind() bool {
	_, end := t.broker.store.Bounds(timerQueue)
	return t.next < end
}

// collect puts new messages into the calendar.
func (t *timers) collect() error {
	err := t.broker.readQueue(timerQueue, &t.next, func() bool { return t.closing }, func(err error) { t.lose(1, err) }, func(r *message.Record) { t.add(t.calendar, r) })
	if err == nil && !t.behind() {
		t.calendar.Passed(t.broker.store.Confirmed())
	}
	return err
}

// lose counts messages that can never be delivered.
func (t *timers) lose(count int64, err error) {
	t.broker.env.Log.Error("timed messages cannot be delivered", zap.Int64("messages", count), zap.Error(err))
	t.lost += count
}

// reset throws the calendar away: the log has everything.
func (t *timers) reset(why error) {
	b := t.broker
	t.turn.Acquire(nil, env.Never)
	defer t.turn.Release()
	b.env.Log.Warn("the calendar of timers is made again from the log", zap.Error(why))
	if err := t.drop(); err != nil {
		b.env.Log.Warn("a file of the calendar of timers was not closed", zap.Error(err))
	}
	if err := timer.Reset(b.env.Disk); err != nil {
		b.env.Log.Error("timed messages wait: the calendar's files cannot be removed; it is tried again", zap.Error(err))
		t.broker.pauseFor(tryDeliveryAfter)
	}
}

// drop ends the use of the calendar.
func (t *timers) drop() error {
	if t.calendar == nil {
		return nil
	}
	calendar := t.calendar
	t.calendar, t.recalled = nil, nil
	return calendar.Close()
}

// save makes the calendar durable. What it says was delivered must be so before.
func (t *timers) save() error {
	t.turn.Acquire(nil, env.Never)
	defer t.turn.Release()
	s := t.broker.store
	if t.calendar == nil || t.saved == s.Confirmed() {
		return nil
	}
	t.forgetWithdrawn()
	calendar, covered := t.calendar, s.Confirmed()
	snapshot, waiting, next := calendar.Snapshot(covered, t.topics), calendar.Waiting(), t.next
	if oldest, ok := calendar.Oldest(); ok {
		t.keep.MoveTo(oldest)
	} else {
		t.keep.MoveTo(calendar.Added())
	}
	if err := s.Flush(); err != nil {
		return err
	}
	if err := calendar.Save(snapshot); err != nil {
		return err
	}
	if err := t.saveTable(snapshot.Mark(), waiting, next); err != nil {
		return err
	}
	t.saved = covered
	return nil
}

// close ends the deliveries and saves the calendar.
func (t *timers) close() error {
	t.closing = true
	t.wake.Broadcast()
	t.tasks.Wait()
	return errors.Join(t.save(), t.drop())
}

// String tells what waits.
func (t *timers) String() string {
	if t.calendar == nil {
		return "timers are being read"
	}
	return t.calendar.String()
}
