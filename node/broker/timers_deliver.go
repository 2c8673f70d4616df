package broker

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/store/timer"
	"github.com/gantrymq/gantry/transport/message"
	"go.uber.org/zap"
)

// deliver delivers what is due. It returns when to look again.
func (t *timers) deliver() (next env.Instant, err error) {
	clock := t.broker.env.Clock
	batch := &timedDelivery{timers: t, answered: t.broker.env.Tasks.NewCond()}
	wait := lookAgainAfter
	for len(batch.outcomes) < deliveriesMax && batch.refused == "" && !t.closing {
		now := int64(clock.Wall())
		e, ok, due, takeErr := t.calendar.Take(now)
		if err = takeErr; err != nil {
			break
		}
		if !ok {
			if due > 0 {
				wait = min(wait, time.Duration(due-now)*time.Millisecond)
			}
			break
		}
		if err = t.deliverOne(batch, e); err != nil {
			break
		}
	}
	delivered := len(batch.outcomes) > 0
	batch.wait()
	t.calendar.Return()
	switch {
	case batch.refused != "":
		t.broker.env.Log.Warn("timed messages are due and cannot be stored; it is tried again", zap.String("reason", batch.refused))
		t.broker.pauseFor(tryDeliveryAfter)
		return clock.Now(), err
	case delivered:
		return clock.Now(), err
	}
	return clock.Now().Add(wait), err
}

// deliverOne delivers a message that is due, or passes over one that was withdrawn. An error says that the disk could not be read.
func (t *timers) deliverOne(batch *timedDelivery, e timer.Entry) error {
	if err := t.readRecalls(); err != nil {
		return err
	}
	if e.Recall {
		batch.pass(nil)
		return nil
	}
	waiting, err := t.record(e)
	var r *message.Record
	if err == nil {
		r, err = t.due(e, waiting)
	}
	var wrong *undeliverable
	switch {
	case errors.As(err, &wrong):
		t.lose(1, err)
		batch.pass(waiting)
		return nil
	case err != nil:
		return err
	case r == nil:
		batch.pass(waiting)
		return nil
	}
	t.broker.measures.due(r.Topic, e.Due)
	batch.append(r)
	return nil
}

// undeliverable says why a message will never be delivered.
type undeliverable struct{ reason error }

// Error tells it.
func (u *undeliverable) Error() string { return u.reason.Error() }

// Unwrap is the reason.
func (u *undeliverable) Unwrap() error { return u.reason }

// record reads the record of an entry.
func (t *timers) record(e timer.Entry) (*message.Record, error) {
	raw, err := t.broker.store.RecordBytes(e.Log)
	if errors.Is(err, store.ErrNoRecord) {
		return nil, &undeliverable{fmt.Errorf("%v: %w", e, err)}
	}
	if err != nil {
		return nil, err
	}
	r := &message.Record{}
	if _, err := message.DecodeRecord(raw, r, false); err != nil {
		return nil, &undeliverable{fmt.Errorf("%v: %w", e, err)}
	}
	return r, nil
}

// due is the message of an entry as it is delivered; nil if it was withdrawn.
func (t *timers) due(e timer.Entry, waiting *message.Record) (*message.Record, error) {
	if _, withdrawn := t.withdrawn[withdrawalKey(waiting)]; withdrawn {
		return nil, nil
	}
	r, err := t.broker.delays.due(waiting)
	if err != nil {
		return nil, &undeliverable{err}
	}
	properties := message.ParseProperties(r.Properties)
	properties.Set(message.PropertyTimerDueAtMillis, strconv.FormatInt(e.Due, 10))
	r.Properties, r.PreparedAt = encodeProperties(properties), e.End()
	return &r, nil
}

// timedDelivery is a run of messages that are delivered with few writes, in the order in which they are due.
type timedDelivery struct {
	timers   *timers
	outcomes []timedOutcome // of each message
	done     int            // how many of the first have; the calendar knows it
	asked    int            // messages that were appended
	known    int            // of which the outcome is known; <= asked
	refused  string         // why one was not stored; none behind it was, either
	answered env.Cond
}

// timedOutcome is what became of one message.
type timedOutcome struct {
	left  bool
	topic []byte // that it waited for; nil: it is no message, or one that cannot be read
}

// pass lets a message leave without a delivery. One that cannot be read is nil.
func (d *timedDelivery) pass(waiting *message.Record) {
	var topic []byte
	if waiting != nil {
		topic = realTopic(waiting)
	}
	d.outcomes = append(d.outcomes, timedOutcome{true, topic})
	d.advance()
}

// append delivers a message, unless one before it was refused while this one was read: those behind it are taken again, and would be delivered twice.
func (d *timedDelivery) append(r *message.Record) {
	if d.refused != "" {
		return
	}
	at := len(d.outcomes)
	d.outcomes = append(d.outcomes, timedOutcome{topic: r.Topic})
	d.asked++
	s := d.timers.broker.store
	s.AppendUntilKnown(store.QueueKey{Topic: string(r.Topic), ID: r.QueueID}, []message.Record{*r}, &timedDone{d, at})
	s.Kick()
}

// timedDone is told what became of one delivery.
type timedDone struct {
	delivery *timedDelivery
	at       int
}

// Appended lets the message leave if it is stored. On a full disk the outcome of one that is refused comes before those of earlier ones that are written and
// wait for their flush.
func (o *timedDone) Appended(result store.AppendResult) {
	d := o.delivery
	d.known++
	switch {
	case result.Status == store.AppendOK:
		d.outcomes[o.at].left = true
		d.advance()
	case d.refused == "":
		d.refused = fmt.Sprintf("%v: %s", result.Status, result.Reason)
	}
	d.answered.Signal()
}

// advance tells the calendar which of the first messages have left.
func (d *timedDelivery) advance() {
	count := 0
	for d.done+count < len(d.outcomes) && d.outcomes[d.done+count].left {
		d.timers.topics.add(d.outcomes[d.done+count].topic, -1)
		count++
	}
	if count > 0 {
		d.done += count
		d.timers.calendar.Done(count)
	}
	if d.timers.calendar.Waiting() == 0 {
		// Messages that could not be read are still counted.
		clear(d.timers.topics)
	}
}

// wait waits for all outcomes.
func (d *timedDelivery) wait() {
	for d.known < d.asked {
		d.answered.Wait()
	}
}
