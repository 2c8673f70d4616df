package broker

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// delays delivers messages that wait in the queues of the delay levels (class ScheduleMessageService): the queue of level n is
// number n-1 of SCHEDULE_TOPIC_XXXX.
//
// A delivered message says where the one that waited stands in the log. So the log itself tells after any crash what was
// delivered, and nothing is lost or delivered twice; the file of the cursors only saves reading all of it.
type delays struct {
	broker  *Broker
	cursors []message.QueueOffset // by level less 1: messages before it are delivered; as many as there are levels, or more
	// covered is a place in the log: the cursors count all deliveries that stand before it.
	covered message.LogOffset
	// delivered are the ends of waiting messages at or behind the cursors whose deliveries are in the log. It is filled at the start.
	delivered map[message.LogOffset]struct{}
	wake      env.Cond // a message with a delay has arrived, or the broker stops
	changed   bool     // since the cursors were saved
	lost      int64    // messages that could not be delivered
	tasks     *env.Group
	closing   bool
}

func newDelays(b *Broker) *delays {
	return &delays{
		broker: b, cursors: make([]message.QueueOffset, len(b.options.Store.DelayLevels)), delivered: map[message.LogOffset]struct{}{},
		wake: b.env.Tasks.NewCond(), tasks: env.NewGroup(b.env.Tasks),
	}
}

const (
	// deliveriesMax and deliveryBytes bound what is delivered with one write.
	deliveriesMax = 256
	deliveryBytes = 1 << 20
	// tryDeliveryAfter is the pause after the store has refused a delivery.
	tryDeliveryAfter = 100 * time.Millisecond
	// lookAgainAfter is the longest time between two looks at the calendar, which may jump.
	lookAgainAfter = time.Second
	// saveCursorsEvery is how often the cursors are saved (flushDelayOffsetInterval).
	saveCursorsEvery = 10 * time.Second
)

// start leaves the rest to tasks.
func (d *delays) start() { d.tasks.Go("deliver delayed messages", d.run) }

// arrived is told of each message that is to wait.
func (d *delays) arrived() { d.wake.Signal() }

func (d *delays) run() {
	if !d.recover() {
		return
	}
	d.tasks.Go("save delay cursors", func() { d.broker.saveEvery(saveCursorsEvery, "the cursors of delayed messages", d.save) })
	for !d.closing {
		if next := d.round(); !next.Reached(d.broker.env.Clock.Now()) && !d.closing {
			d.wake.WaitUntil(next)
		}
	}
}

// round delivers what is due of each level, and returns when to look again.
func (d *delays) round() env.Instant {
	next := d.broker.env.Clock.Now().Add(lookAgainAfter)
	for level := 1; level <= len(d.cursors) && !d.closing; level++ {
		if due := d.deliver(level); due < next {
			next = due
		}
	}
	return next
}

// close ends the deliveries and saves the cursors.
func (d *delays) close() error {
	d.closing = true
	d.wake.Broadcast()
	d.tasks.Wait()
	return d.save()
}

// levelsMax bounds the levels for which a store may have queues.
const levelsMax = 1000

// admitQueues makes room for levels that the table had once, and of which messages may wait yet: they are delivered like those of the last level.
func (d *delays) admitQueues(queues []store.QueueKey) {
	most := len(d.cursors)
	for _, q := range queues {
		if q.Topic == proto.DelayTopic && q.ID < levelsMax {
			most = max(most, int(q.ID)+1)
		}
	}
	if most > len(d.cursors) {
		d.broker.env.Log.Warn("messages of delay levels that messageDelayLevel does not have any more are delivered like those of the last level", zap.Int("levels", len(d.cursors)), zap.Int("queues", most))
		d.cursors = append(d.cursors, make([]message.QueueOffset, most-len(d.cursors))...)
	}
}

// ofLevel is for how long messages of a level wait.
func (d *delays) ofLevel(level int) time.Duration {
	table := d.broker.options.Store.DelayLevels
	return table[min(level, len(table))-1]
}

func (d *delays) queue(level int) store.QueueKey {
	return store.QueueKey{Topic: proto.DelayTopic, ID: int32(level - 1)}
}

// recover reads from the log what was delivered since the cursors were saved.
func (d *delays) recover() bool {
	b := d.broker
	for i := range d.cursors {
		first, end := b.store.Bounds(d.queue(i + 1))
		d.cursors[i] = min(max(d.cursors[i], first), end)
	}
	follower := b.store.Follow("deliveries of delayed messages", max(d.covered, b.store.Start()))
	defer follower.Close()
	return b.readLog(follower, "delayed messages", func() bool { return d.closing }, func(r *message.Record) {
		if isDelivery(r) && !isTimedDelivery(r) {
			d.delivered[r.PreparedAt] = struct{}{}
		}
	})
}

// isDelivery reports whether a record is a delayed message that was delivered: PreparedAt is then where the one that waited ends. No client can
// set that.
func isDelivery(r *message.Record) bool {
	return r.PreparedAt > 0 && r.SysFlags.Transaction() == message.TransactionNone && string(r.Topic) != proto.DelayTopic
}

// deliver delivers what is due of a level. It returns when to look again.
func (d *delays) deliver(level int) env.Instant {
	b, now := d.broker, d.broker.env.Clock.Now()
	cursor := &d.cursors[level-1]
	if _, end := b.store.Bounds(d.queue(level)); *cursor >= end {
		return now.Add(lookAgainAfter)
	}
	result, err := b.store.Read(store.ReadRequest{Queue: d.queue(level), From: *cursor, CountMax: deliveriesMax, BytesMax: deliveryBytes}, nil)
	switch {
	case errors.Is(err, store.ErrDamaged):
		d.lose(level, 1, err)
		return now
	case err != nil:
		b.env.Log.Error("delayed messages wait: their queue cannot be read; it is tried again", zap.Int("level", level), zap.Error(err))
		b.pauseFor(tryDeliveryAfter)
		return now
	case result.Status == store.ReadOffsetTooSmall || result.Status == store.ReadMessageWasRemoving:
		d.lose(level, result.Next-*cursor, errors.New("they were removed with the oldest files of the log"))
		return now
	case result.Status != store.ReadFound:
		return now.Add(lookAgainAfter)
	}
	return d.deliverDue(level, result.Bytes)
}

// lose passes over messages that can never be delivered.
func (d *delays) lose(level int, count message.QueueOffset, err error) {
	d.broker.env.Log.Error("delayed messages cannot be delivered", zap.Int("level", level), zap.Int64("first", int64(d.cursors[level-1])),
		zap.Int64("messages", int64(count)), zap.Error(err))
	d.lost += int64(count)
	d.pass(level, count)
}

func (d *delays) pass(level int, count message.QueueOffset) {
	d.cursors[level-1] += count
	d.changed = true
}

// deliverDue delivers the first of the records that are due. It returns when to look again.
func (d *delays) deliverDue(level int, records []byte) env.Instant {
	b := d.broker
	batch := &delivery{delays: d, level: level, answered: b.env.Tasks.NewCond()}
	for r, err := range message.DecodeRecords(records, false) {
		if err != nil {
			break // the store has verified them
		}
		if wait := d.wait(level, r); wait > 0 {
			if batch.asked == 0 {
				return b.env.Clock.Now().Add(min(wait, lookAgainAfter))
			}
			break
		}
		if !d.deliverOne(batch, r) {
			break
		}
	}
	if !batch.wait() {
		b.pauseFor(tryDeliveryAfter)
	}
	return b.env.Clock.Now()
}

// wait is how long a message must wait yet. One that has longer to wait than its level says was stored before the calendar was set
// back, and has waited long enough; and one that was delivered before the start has nothing to wait for, whatever the calendar and the table say now.
func (d *delays) wait(level int, r *message.Record) time.Duration {
	left := d.waits(level, r)
	if left > d.ofLevel(level) || d.wasDelivered(r) {
		return 0
	}
	return left
}

// waits is the same by the calendar alone; negative if it is late.
func (d *delays) waits(level int, r *message.Record) time.Duration {
	return time.Duration(r.StoredAt-int64(d.broker.env.Clock.Wall()))*time.Millisecond + d.ofLevel(level)
}

// endOf is where a record ends, which names it in that of its delivery.
func endOf(r *message.Record) message.LogOffset {
	return r.LogOffset + message.LogOffset(r.TotalSize)
}

// wasDelivered reports whether the log has the delivery of a message already.
func (d *delays) wasDelivered(waiting *message.Record) bool {
	_, done := d.delivered[endOf(waiting)]
	return done
}

// deliverOne delivers a message that is due. It reports whether the next one may follow at once.
func (d *delays) deliverOne(batch *delivery, waiting *message.Record) bool {
	end, done := endOf(waiting), d.wasDelivered(waiting)
	r, err := d.due(waiting)
	switch {
	case (done || err != nil) && batch.asked > 0:
		return false // the cursor is not here yet
	case done:
		delete(d.delivered, end)
		d.pass(batch.level, 1)
		return true
	case err != nil:
		d.lose(batch.level, 1, err)
		return true
	}
	r.PreparedAt = end
	d.broker.measures.late.Observe(-int64(d.waits(batch.level, waiting)))
	batch.asked++
	d.broker.store.AppendUntilKnown(store.QueueKey{Topic: string(r.Topic), ID: r.QueueID}, []message.Record{r}, batch)
	d.broker.store.Kick()
	return batch.refused == ""
}

// due is the message that waited, as it is delivered.
func (d *delays) due(waiting *message.Record) (message.Record, error) {
	properties := message.ParseProperties(waiting.Properties)
	topic := properties.Get(message.PropertyRealTopic)
	queue, err := strconv.ParseInt(properties.Get(message.PropertyRealQueueID), 10, 32)
	switch {
	case err != nil:
		return message.Record{}, fmt.Errorf("property %s: %w", message.PropertyRealQueueID, err)
	case d.broker.topics.byName[topic] == nil:
		return message.Record{}, fmt.Errorf("property %s: topic %q was deleted", message.PropertyRealTopic, topic)
	}
	for _, name := range delayProperties {
		properties.Delete(name)
	}
	properties.Delete(message.PropertyTimerDueAtMillis)
	properties.Delete(message.PropertySent)
	r := *waiting
	r.Topic, r.QueueID, r.Properties = []byte(topic), int32(queue), encodeProperties(properties)
	r.SysFlags = r.SysFlags.WithTransaction(message.TransactionNone)
	r.StoreHost = d.broker.address
	return r, nil
}

// delivery is a run of messages of one level that are delivered with few writes.
type delivery struct {
	delays   *delays
	level    int
	asked    int    // messages that were appended
	done     int    // of which the outcome is known; <= asked
	refused  string // why one was not stored; none behind it was, either
	answered env.Cond
}

// Appended moves the cursor. On a full disk the outcome of one that is refused comes before those of earlier ones that are written and wait for their
// flush; those that are stored are the first ones all the same.
func (d *delivery) Appended(result store.AppendResult) {
	d.done++
	switch {
	case result.Status == store.AppendOK:
		d.delays.pass(d.level, 1)
	case d.refused == "":
		d.refused = fmt.Sprintf("%v: %s", result.Status, result.Reason)
	}
	d.answered.Signal()
}

// wait waits for all outcomes, and reports whether all were stored.
func (d *delivery) wait() bool {
	for d.done < d.asked {
		d.answered.Wait()
	}
	if d.refused != "" {
		d.delays.broker.env.Log.Warn("delayed messages are due and cannot be stored; it is tried again", zap.Int("level", d.level), zap.String("reason", d.refused))
	}
	return d.refused == ""
}

// String tells the cursors.
func (d *delays) String() string { return fmt.Sprintf("delay cursors %v", d.cursors) }
