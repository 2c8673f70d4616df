package broker

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/inflight"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// pops knows which messages groups have popped and not acknowledged (classes PopMessageProcessor, PopReviveService, PopBufferMergeService).
//
// Whatever happens to them is an event in the queue of the topic rmq_sys_gantry_pop, and is answered when the event is as durable as a message would be.
// So the log itself tells after any crash what is in flight; popsFile only saves reading all of it. A message whose time is over stays where it
// is, and is handed out from there once more: no copy of it is made, which could be lost, or be there twice. The offset of a group that pops is that of
// the first message which it has not acknowledged, so that one who pulls, or a Java broker that takes the directory over, misses nothing.
type pops struct {
	broker *Broker
	state  *inflight.State
	// next: the state knows the events before it.
	next    message.QueueOffset
	saved   message.QueueOffset
	asked   int // events that were appended
	known   int // of which the outcome is known; <= asked
	failed  int // of which it is that they are not stored; <= known
	busy    map[inflight.Queue]bool
	missed  map[inflight.Queue]bool // somebody was turned away while it was busy
	changed env.Cond                // known has grown, or a queue is not busy any more
	held    *heldPops
	tasks   *env.Group
}

// popsFile is Gantry's own: the number of the first event that it does not know, 8 bytes, and what inflight.State.Encode has written.
const popsFile = "inflight.bin"

var popQueue = store.QueueKey{Topic: proto.PopTopic, ID: 0}

func newPops(b *Broker) *pops {
	return &pops{
		broker: b, state: inflight.New(), busy: map[inflight.Queue]bool{}, missed: map[inflight.Queue]bool{}, changed: b.env.Tasks.NewCond(), held: newHeldPops(b), tasks: env.NewGroup(b.env.Tasks),
	}
}

func (t *pops) now() inflight.Now {
	return inflight.Now{Instant: t.broker.env.Clock.Now(), Wall: t.broker.env.Clock.Wall()}
}

// load reads what is in flight: what was saved, and the events since. It waits for the disk.
func (t *pops) load() error {
	b := t.broker
	err := loadDocument(b.env, popsFile, t.decode)
	if err != nil {
		b.env.Log.Warn("what is in flight is read from all events that the log has", zap.Error(err))
		t.state, t.next = inflight.New(), 0
	}
	stale := false // the file speaks of events or messages whose numbers others will have
	if _, end := b.store.Bounds(popQueue); t.next > end {
		// Only who has thrown away the log, or the end of it, gets here. What follows must not be taken for known.
		stale = true
		b.env.Log.Warn("what was saved of messages in flight knows more than the log", zap.Int64("events", int64(t.next)), zap.Int64("log", int64(end)))
		t.next = end
	}
	lose := func(err error) {
		b.env.Log.Error("an event of messages in flight cannot be read: some of them may be delivered again", zap.Error(err))
	}
	err = b.readQueue(popQueue, &t.next, func() bool { return false }, lose, func(r *message.Record) { t.apply(r, lose) })
	if err != nil {
		return fmt.Errorf("what is in flight cannot be read: %w", err)
	}
	t.saved = t.next
	for _, q := range t.state.Queues() {
		_, end := b.store.Bounds(store.QueueKey{Topic: q.Topic, ID: q.ID})
		stale = t.state.Trim(q, end) || stale
		t.noteFloor(q)
	}
	if stale {
		return t.write(t.next, t.encode())
	}
	return nil
}

func (t *pops) apply(r *message.Record, lose func(error)) {
	e, err := inflight.Decode(r.Body)
	if err != nil {
		lose(fmt.Errorf("event %d: %w", r.QueueOffset, err))
		return
	}
	t.state.Apply(e, t.now())
}

func (t *pops) decode(content []byte) error {
	if len(content) < 8 {
		return fmt.Errorf("%d bytes: %w", len(content), inflight.ErrSaved)
	}
	state, err := inflight.Restore(content[8:], t.now())
	if err != nil {
		return err
	}
	next := message.QueueOffset(binary.BigEndian.Uint64(content))
	if next < 0 {
		return fmt.Errorf("%w: event %d", inflight.ErrSaved, next)
	}
	t.state, t.next = state, next
	return nil
}

func (t *pops) start() {
	t.tasks.Go("save what is in flight", func() { t.broker.saveEvery(saveCursorsEvery, "what is in flight", t.save) })
	t.held.start()
}

// save writes what is in flight. It waits until all events that it may have in it are durable. If one of them is not stored the next
// turn tries again: what the file says must have happened.
func (t *pops) save() error {
	if t.next == t.saved {
		return nil
	}
	next, content, asked, failed := t.next, t.encode(), t.asked, t.failed
	t.broker.store.Kick()
	for t.known < asked {
		t.changed.Wait()
	}
	if t.failed > failed {
		return nil
	}
	return t.write(next, content)
}

// encode is what the file is to have.
func (t *pops) encode() []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(t.next)), t.state.Encode()...)
}

// write replaces the file. What it says must be durable before.
func (t *pops) write(next message.QueueOffset, content []byte) error {
	if err := t.broker.store.Flush(); err != nil {
		return err
	}
	if err := t.broker.saveTable(popsFile, content); err != nil {
		return err
	}
	t.saved = next
	return nil
}

// close saves what is in flight. No request is under way any more.
func (t *pops) close() error {
	t.tasks.Wait()
	return t.save()
}

// String tells how much is in flight.
func (t *pops) String() string { return t.state.String() }

// popEvent is told what became of an event.
type popEvent struct {
	pops  *pops
	event inflight.Event
	undo  *inflight.Undo // of a pop, which is in the state already
	done  func(stored bool, r refusal)
}

// store appends an event. done is called when it is as durable as a message would be, or is not stored; it must not wait. Whoever does not run in a
// burst has to see to it that the log is written.
func (t *pops) store(e inflight.Event, undo *inflight.Undo, done func(stored bool, r refusal)) {
	b := t.broker
	r := message.Record{
		Topic: []byte(popQueue.Topic), Body: inflight.Encode(nil, e), BornAt: int64(b.env.Clock.Wall()), BornHost: b.address, StoreHost: b.address,
	}
	t.asked++
	b.store.AppendUntilKnown(popQueue, []message.Record{r}, &popEvent{t, e, undo, done})
}

// Appended applies the event, or takes it back.
func (e *popEvent) Appended(result store.AppendResult) {
	t := e.pops
	t.known++
	switch {
	case result.Status == store.AppendOK:
		t.next = result.Places[0].Queue + 1
		if e.undo == nil {
			t.state.Apply(e.event, t.now())
		}
		t.noteFloors(e.event)
		e.done(true, refusal{})
	default:
		t.failed++
		t.takeBack(e)
		e.done(false, refused(sendCode(result.Status), "%v: %s", result.Status, result.Reason))
	}
	t.changed.Broadcast()
}

func (t *pops) takeBack(e *popEvent) {
	switch event := e.event.(type) {
	case *inflight.Popped:
		t.state.Undo(e.undo, t.broker.env.Clock.Now())
		for i := range event.Parts {
			t.held.wakeLine(event.Group, event.Parts[i].Topic)
		}
	case *inflight.Settled:
		for _, offset := range event.Offsets {
			t.state.Unlock(event.Queue, offset, event.PoppedAt)
		}
	case *inflight.Hidden:
		t.state.Unlock(event.Queue, event.Offset, event.PoppedAt)
	}
}

// wait stores an event and waits for the outcome.
func (t *pops) wait(e inflight.Event) error {
	known, outcome := false, refusal{}
	t.store(e, nil, func(_ bool, r refusal) { known, outcome = true, r })
	t.broker.store.Kick()
	for !known {
		t.changed.Wait()
	}
	if outcome.code != 0 {
		return errors.New(outcome.remark)
	}
	return nil
}

// noteFloors lets the offsets of groups follow an event.
func (t *pops) noteFloors(e inflight.Event) {
	switch e := e.(type) {
	case *inflight.Popped:
		for i := range e.Parts {
			t.noteFloor(inflight.Queue{Group: e.Group, Topic: e.Parts[i].Topic, ID: e.Parts[i].ID})
		}
	case *inflight.Settled:
		t.noteFloor(e.Queue)
	case *inflight.Moved:
		if e.Forward {
			t.noteFloor(e.Queue)
			return
		}
		// It may go back, also behind what was acknowledged while the event was stored.
		t.broker.offsets.set(e.Queue.Group, e.Queue.Topic, e.Queue.ID, int64(t.state.Floor(e.Queue)))
	}
}

// noteFloor lets the offset of a group follow what is settled. It never goes back here: what a crash has taken of the offset is in the events.
func (t *pops) noteFloor(q inflight.Queue) {
	if _, known := t.state.Next(q); !known {
		return // it was deleted while an event of it was stored
	}
	offsets := t.broker.offsets
	floor := int64(t.state.Floor(q))
	if committed, some := offsets.get(q.Group, q.Topic, q.ID); !some || floor > committed {
		offsets.set(q.Group, q.Topic, q.ID, floor)
	}
}

// lock keeps others from popping of a queue, and from moving the group there; unlock lets them again.
func (t *pops) lock(q inflight.Queue) bool {
	if t.busy[q] {
		t.missed[q] = true
		return false
	}
	t.busy[q] = true
	return true
}

func (t *pops) unlock(q inflight.Queue) {
	delete(t.busy, q)
	if t.missed[q] {
		delete(t.missed, q)
		t.held.wakeLine(q.Group, q.Topic)
	}
	t.changed.Broadcast()
}

// moved lets a group go on elsewhere, durably, where it pops. It is called when the offsets themselves are durable.
func (t *pops) moved(offsets map[groupQueue]int64) error {
	for _, q := range sortedQueues(offsets) {
		queue := inflight.Queue{Group: q.Group, Topic: q.Topic, ID: q.Queue}
		for !t.lock(queue) {
			t.changed.Wait()
		}
		var err error
		// Otherwise it does not pop there. Whether it does is certain only now: it may have begun just before, or its topic was deleted.
		if _, known := t.state.Next(queue); known {
			err = t.wait(&inflight.Moved{Queue: queue, To: message.QueueOffset(offsets[q])})
		}
		t.unlock(queue)
		if err != nil {
			return err
		}
		t.held.wakeLine(q.Group, q.Topic)
	}
	return nil
}

// forget drops what is in flight of a topic or a group that is deleted, durably. Whoever begins to pop of it from now on finds that it is gone.
func (t *pops) forget(e *inflight.Forgotten) error {
	match := func(q inflight.Queue) bool { return q.Group == e.Group || q.Topic == e.Topic }
	some := false
	for _, q := range t.state.Queues() {
		some = some || match(q)
	}
	// order does not matter: one is enough
	for q := range t.busy {
		some = some || match(q) // that it begins there may be stored just now
	}
	t.held.release(func(p *popRequest) bool { return match(inflight.Queue{Group: p.group.Name, Topic: p.topic}) })
	if !some {
		return nil
	}
	return t.wait(e)
}
