package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/node/inflight"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// javaPopsFile is Gantry's own: until when the Java broker ran whose pops were taken over, as javaTimerCheckpoint tells it, 8 bytes.
const javaPopsFile = "javapops.bin"

// takeOver takes over what a Java broker that had the directory before has in flight. Its groups' offsets are behind that already: what it would
// deliver again are check points, which wait among timed messages and then in a topic of their own, and nobody reads them here. So the
// messages that they are of, and that no acknowledgement names, are made in flight, with their receipts. It waits for the disk.
//
// A crash on the way has it done again. That changes nothing, but that what was consumed meanwhile comes once more.
func (t *pops) takeOver() error {
	until, err := t.broker.timers.javaDelivered()
	if err != nil {
		return fmt.Errorf("how far a Java broker has come cannot be read: %w", err)
	}
	var known int64
	if err := loadDocument(t.broker.env, javaPopsFile, func(content []byte) (err error) {
		known, err = decodeJavaUntil(content)
		return err
	}); err != nil {
		t.broker.env.Log.Warn("what a Java broker has in flight is taken over, maybe once more", zap.Error(err))
	}
	if until == known {
		return nil
	}
	if err := t.takeOverUntil(until); err != nil {
		return fmt.Errorf("what a Java broker has in flight cannot be taken over: %w", err)
	}
	return t.broker.saveTable(javaPopsFile, binary.BigEndian.AppendUint64(nil, uint64(until)))
}

var errJavaUntil = errors.New("the file " + javaPopsFile + " does not have 8 bytes")

func decodeJavaUntil(content []byte) (int64, error) {
	if len(content) != 8 {
		return 0, errJavaUntil
	}
	return int64(binary.BigEndian.Uint64(content)), nil
}

func (t *pops) takeOverUntil(until int64) error {
	log, err := t.readJava(until)
	if err != nil {
		return err
	}
	pops := log.open(t.mayTakeOver)
	if len(pops) > 0 {
		if err := t.takeIn(pops); err != nil {
			return err
		}
		t.broker.env.Log.Info("what a Java broker has in flight is in flight here", zap.Int("pops", len(pops)), zap.Stringer("state", t.state))
	}
	return t.broker.offsets.exclusive(t.broker.offsets.save)
}

// readJava reads the check points and acknowledgements that the Java broker has not dealt with: those that were due before a time are in their
// topic, and the others wait.
func (t *pops) readJava(until int64) (*javaLog, error) {
	b := t.broker
	log := newJavaLog()
	lose := func(err error) {
		b.env.Log.Error("what a Java broker has noted of a pop cannot be read: some messages may come again, or not at all", zap.Error(err))
	}
	note := func(r *message.Record) {
		if err := log.note(r); err != nil {
			lose(fmt.Errorf("the record at %d: %w", r.LogOffset, err))
		}
	}
	never := func() bool { return false }
	revive := proto.ReviveTopic(b.options.Cluster)
	if topic := b.topics.byName[revive]; topic != nil {
		for id := range topic.ReadQueues {
			var next message.QueueOffset
			if last, some := b.offsets.get(proto.ReviveGroup, revive, id); some {
				next = message.QueueOffset(last) + 1 // that is the last check point which was dealt with
			}
			if err := b.readQueue(store.QueueKey{Topic: revive, ID: id}, &next, never, lose, note); err != nil {
				return nil, err
			}
			if next > 0 {
				b.offsets.set(proto.ReviveGroup, revive, id, int64(next)-1)
			}
		}
	}
	var next message.QueueOffset
	return log, b.readQueue(timerQueue, &next, never, lose, func(r *message.Record) {
		if due, err := dueAt(r); err == nil && due >= until && string(realTopic(r)) == revive {
			note(r)
		}
	})
}

// mayTakeOver reports whether a message was handed out and is there, and there is somebody whom it may come to again. What is not behind the offset of
// the group comes anyway.
func (t *pops) mayTakeOver(q inflight.Queue, offset message.QueueOffset) bool {
	b := t.broker
	committed, _ := b.offsets.get(q.Group, q.Topic, q.ID)
	first, _ := b.store.Bounds(store.QueueKey{Topic: q.Topic, ID: q.ID})
	return b.topics.byName[q.Topic] != nil && b.groups.byName[q.Group] != nil && offset >= first && int64(offset) < committed
}

// takeIn makes messages in flight. Their groups go back to the first of them, so that one who pulls, or a Java broker later, misses nothing.
func (t *pops) takeIn(pops []*javaPop) error {
	next := map[inflight.Queue]message.QueueOffset{}
	lowest := map[inflight.Queue]message.QueueOffset{}
	var queues []inflight.Queue
	for _, p := range pops {
		q := p.queue()
		if _, seen := lowest[q]; !seen {
			committed, _ := t.broker.offsets.get(q.Group, q.Topic, q.ID)
			next[q], lowest[q] = message.QueueOffset(committed), p.offsets[0]
			queues = append(queues, q)
		}
		lowest[q] = min(lowest[q], p.offsets[0])
	}
	if err := t.makeTopic(proto.PopTopic, 1); err != nil {
		return err
	}
	for _, q := range queues {
		if err := t.wait(&inflight.Moved{Queue: q, To: lowest[q]}); err != nil {
			return err
		}
	}
	return t.takeInAll(pops, next)
}

// takeInMax is how many pops are written before one waits for the disk.
const takeInMax = 256

func (t *pops) takeInAll(pops []*javaPop, next map[inflight.Queue]message.QueueOffset) (err error) {
	done := func(stored bool, r refusal) {
		if !stored {
			err = errors.New(r.remark)
		}
	}
	for some := range slices.Chunk(pops, takeInMax) {
		for _, p := range some {
			e := t.taken(p, next[p.queue()])
			t.store(e, t.state.Pop(e, t.now()), done)
		}
		t.broker.store.Kick()
		for t.known < t.asked {
			t.changed.Wait()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// taken is a pop of the Java broker as an event. Its receipts stay good, unless two pops have the same time.
func (t *pops) taken(p *javaPop, next message.QueueOffset) *inflight.Popped {
	q := p.queue()
	from, _ := t.state.Next(q)
	at := max(min(p.PoppedAt, int64(t.broker.env.Clock.Wall())), t.state.Latest()+1)
	e := &inflight.Popped{
		Group: q.Group, At: at, InvisibleMillis: min(max(p.PoppedAt+p.InvisibleMillis-at, 0), invisibleMax.Milliseconds()),
		Parts: []inflight.Part{{Topic: q.Topic, ID: q.ID, From: from, To: next}},
	}
	for _, offset := range p.offsets {
		e.Parts[0].Held = append(e.Parts[0].Held, inflight.Delivery{Offset: offset, Deliveries: 1})
	}
	return e
}
