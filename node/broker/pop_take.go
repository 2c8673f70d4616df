package broker

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/inflight"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// taking is what one pop takes. Until it is handed out nobody else pops of the queues that it has locked.
type taking struct {
	locked []inflight.Queue
	queues []queueTaking
	count  int // messages
	bytes  int
	left   int64 // messages that others may have
	name   string
}

// queueTaking is what it takes of one queue.
type queueTaking struct {
	queue    inflight.Queue
	retry    proto.PopRetry
	from, to message.QueueOffset // that were looked at for the first time
	messages []takenMessage      // in the order of the queue
}

// takenMessage is one message.
type takenMessage struct {
	offset message.QueueOffset
	record []byte
	before inflight.Hold // that is over; Deliveries is 0 if it was never handed out
}

// take reads messages for a pop, from its queues in turn. What it has found counts although an error prevents more. It waits for the disk.
func (t *pops) take(p *popRequest) (*taking, error) {
	w := &taking{name: t.broker.options.Name}
	var err error
	for _, from := range t.sources(p) {
		q := inflight.Queue{Group: p.group.Name, Topic: from.queue.Topic, ID: from.queue.ID}
		if w.count >= p.count || w.bytes >= t.broker.options.PullBytesMax || !t.lock(q) {
			w.left += t.behind(q)
			continue
		}
		w.locked = append(w.locked, q)
		err = errors.Join(err, t.takeFrom(p, w, q, from.retry))
	}
	return w, err
}

// source is a queue that a pop may take from.
type source struct {
	queue store.QueueKey
	retry proto.PopRetry
}

// sources lists the queues of a pop, in the order in which it tries them: each pop begins with another one, so that all are emptied alike.
func (t *pops) sources(p *popRequest) (list []source) {
	b := t.broker
	topic := b.topics.byName[p.topic]
	switch {
	case topic == nil || topic.ReadQueues < 1:
		return nil // since the pop was admitted
	case p.queueID >= 0:
		list = []source{{store.QueueKey{Topic: p.topic, ID: p.queueID}, proto.PopNormal}}
	default:
		begin := int32(env.IntN(b.env.Rand, int(topic.ReadQueues)))
		for i := range topic.ReadQueues {
			list = append(list, source{store.QueueKey{Topic: p.topic, ID: (begin + i) % topic.ReadQueues}, proto.PopNormal})
		}
	}
	if p.ordered {
		return list
	}
	again := t.retrySources(p.group.Name, p.topic)
	if len(again) > 0 && env.IntN(b.env.Rand, 100) < popRetryPercent {
		return append(again, list...)
	}
	return append(list, again...)
}

// retrySources lists the queues of retry topics. A Java broker puts what was not acknowledged into topics of their own, from which pops of any queue
// take. If this directory was one's there may be some left.
func (t *pops) retrySources(group, topic string) (list []source) {
	for _, retry := range []proto.PopRetry{proto.PopRetryV1, proto.PopRetryV2} {
		name := proto.PopRetryTopic(group, topic, retry)
		if known := t.broker.topics.byName[name]; known != nil {
			for id := range known.ReadQueues {
				list = append(list, source{store.QueueKey{Topic: name, ID: id}, retry})
			}
		}
	}
	return list
}

// behind is how many messages of a queue a group may still pop.
func (t *pops) behind(q inflight.Queue) int64 {
	first, end := t.broker.store.Bounds(store.QueueKey{Topic: q.Topic, ID: q.ID})
	next, known := t.state.Next(q)
	if !known {
		committed, _ := t.broker.offsets.get(q.Group, q.Topic, q.ID)
		next = message.QueueOffset(committed)
	}
	return int64(max(end-max(next, first), 0))
}

// takeFrom takes of one queue: first what is visible again, and then what was never handed out.
func (t *pops) takeFrom(p *popRequest, w *taking, q inflight.Queue, retry proto.PopRetry) error {
	if err := t.catchUp(p, q); err != nil {
		return err
	}
	now := t.broker.env.Clock.Now()
	if p.ordered && t.state.Blocked(q, now, p.attempt) {
		w.left += t.behind(q)
		return nil
	}
	next, _ := t.state.Next(q)
	w.queues = append(w.queues, queueTaking{queue: q, retry: retry, from: next, to: next})
	part := &w.queues[len(w.queues)-1]
	err := t.takeAgain(p, w, part, now)
	if err == nil && t.mayTakeMore(p, w, q) {
		err = t.takeNew(p, w, part)
	}
	_, end := t.broker.store.Bounds(store.QueueKey{Topic: q.Topic, ID: q.ID})
	w.left += max(int64(end-part.to), 0)
	return err
}

// mayTakeMore reports whether a pop may take messages that were never handed out.
func (t *pops) mayTakeMore(p *popRequest, w *taking, q inflight.Queue) bool {
	inFlight, _ := t.state.Holds(q)
	if p.ordered && inFlight > len(w.queues[len(w.queues)-1].messages) {
		return false // the rest of what came before comes first
	}
	return w.count < p.count && w.bytes < t.broker.options.PullBytesMax && inFlight < t.broker.options.InFlightMax
}

// catchUp lets a group begin in a queue, or go on where its offset is now: it may have pulled meanwhile, or messages were removed.
func (t *pops) catchUp(p *popRequest, q inflight.Queue) error {
	b := t.broker
	if err := t.makeTopic(proto.PopTopic, 1); err != nil {
		return fmt.Errorf("%v cannot be popped of: %w", q, err)
	}
	target := t.begin(p, q)
	switch _, known := t.state.Next(q); {
	case known && target <= t.state.Floor(q):
		return nil
	case !b.exists(groupQueue{q.Group, q.Topic, q.ID}):
		// What is stored from now on would outlive it, and messages of a topic of the same name would be passed over.
		return fmt.Errorf("%v cannot go on at %d: %w", q, target, errDeleted)
	}
	// Forward, because the group may have pulled more while this is stored.
	if err := t.wait(&inflight.Moved{Queue: q, To: target, Forward: true}); err != nil {
		return fmt.Errorf("%v cannot go on at %d: %w", q, target, err)
	}
	return nil
}

// begin is where a group may go on in a queue at the earliest. It may wait for the disk.
func (t *pops) begin(p *popRequest, q inflight.Queue) message.QueueOffset {
	b := t.broker
	first, _ := b.store.Bounds(store.QueueKey{Topic: q.Topic, ID: q.ID})
	committed, some := b.offsets.get(q.Group, q.Topic, q.ID)
	if _, known := t.state.Next(q); known || some || !p.fromMax || proto.IsRetryTopic(q.Topic) {
		return max(first, message.QueueOffset(committed))
	}
	newest := t.newest(q)
	// The topic may have been made again meanwhile.
	_, end := b.store.Bounds(store.QueueKey{Topic: q.Topic, ID: q.ID})
	return min(newest, end)
}

// newest is where a group without offsets begins that does not want what is old: at the last message, or at the first one if the queue is young.
func (t *pops) newest(q inflight.Queue) message.QueueOffset {
	key := store.QueueKey{Topic: q.Topic, ID: q.ID}
	first, end := t.broker.store.Bounds(key)
	if first <= 0 {
		if young, err := t.broker.store.InMemory(key, 0); err == nil && young {
			return max(first, 0)
		}
	}
	return max(first, end-1)
}

// takeAgain takes what was handed out before, whose time is over. What was handed out too often becomes a dead letter.
func (t *pops) takeAgain(p *popRequest, w *taking, part *queueTaking, now env.Instant) error {
	holds := t.state.Visible(part.queue, now, p.count-w.count)
	if p.ordered && p.attempt != "" {
		// It may be the last pop once more, whose messages are not visible yet.
		holds = t.state.All(part.queue)
		holds = holds[:min(len(holds), p.count-w.count)]
	}
	for _, h := range holds {
		if w.bytes >= t.broker.options.PullBytesMax {
			break
		}
		record, err := t.recordAt(part.queue, h.Offset)
		switch {
		case err == nil:
		case errors.Is(err, errNoRecord):
			t.lose(part.queue, h, err)
			continue
		default:
			return err
		}
		redeliveries, dead, err := t.redeliveries(p, record, h)
		if err == nil && dead {
			err = t.bury(p, part.queue, h, record)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		if part.retry == proto.PopNormal {
			message.PatchRedeliveries(record, redeliveries)
		}
		w.add(part, takenMessage{offset: h.Offset, record: record, before: h})
	}
	return nil
}

func (w *taking) add(part *queueTaking, m takenMessage) {
	part.messages = append(part.messages, m)
	w.count++
	w.bytes += len(m.record)
}

// errNoRecord: a message was removed since it was handed out.
var errNoRecord = errors.New("the message is not in its queue any more")

// recordAt reads one message. The bytes are the caller's.
func (t *pops) recordAt(q inflight.Queue, offset message.QueueOffset) ([]byte, error) {
	b := t.broker
	result, err := b.store.Read(store.ReadRequest{Queue: store.QueueKey{Topic: q.Topic, ID: q.ID}, From: offset, CountMax: 1, BytesMax: b.options.PullBytesMax}, nil)
	if err != nil {
		return nil, fmt.Errorf("message %d of %v: %w", offset, q, err)
	}
	var r message.Record
	if result.Status == store.ReadFound {
		if _, err := message.DecodeRecord(result.Bytes, &r, false); err != nil {
			return nil, fmt.Errorf("message %d of %v: %w", offset, q, err)
		}
	}
	if result.Status != store.ReadFound || r.QueueOffset != offset {
		return nil, fmt.Errorf("message %d of %v: %w", offset, q, errNoRecord)
	}
	return result.Bytes, nil
}

// takeNew takes what was never handed out.
func (t *pops) takeNew(p *popRequest, w *taking, part *queueTaking) error {
	b := t.broker
	inFlight, _ := t.state.Holds(part.queue)
	read := &pullRequest{
		compiled: p.compiled, group: p.group.Name, queue: store.QueueKey{Topic: part.queue.Topic, ID: part.queue.ID}, from: part.from, asked: part.from,
		count: min(p.count-w.count, b.options.InFlightMax-inFlight), bytes: b.options.PullBytesMax - w.bytes,
	}
	began := b.env.Clock.Now()
	result, err := b.read(read, nil)
	if err != nil {
		// At a damaged message a pull stops until somebody repairs the log. So does a pop, whether the message is new or comes again.
		return fmt.Errorf("%v at %d: %w", part.queue, part.from, err)
	}
	b.measures.pulls.Observe(int64(b.env.Clock.Now().Sub(began)))
	switch result.Status {
	case store.ReadFound:
	case store.ReadNoMatchedMessage, store.ReadMessageWasRemoving, store.ReadOffsetFoundNull:
		// Also what was lost, or removed, is passed over, as a pull does: otherwise the group would never get what comes behind it.
		part.to = max(part.to, result.Next)
		return nil
	default:
		return nil
	}
	for records := result.Bytes; len(records) > 0; {
		var r message.Record
		size, err := message.DecodeRecord(records, &r, false)
		if err != nil {
			return fmt.Errorf("%v at %d: %w", part.queue, part.from, err)
		}
		w.add(part, takenMessage{offset: r.QueueOffset, record: records[:size:size]})
		records = records[size:]
	}
	part.to = result.Next
	return nil
}

// settle drops what has been acknowledged, or hidden for longer, while others were read; and all of a queue where the group goes on elsewhere since:
// its topic was deleted, and perhaps made again, or the pop before this one could not be stored. What is between would be passed over.
func (w *taking) settle(s *inflight.State) {
	w.queues = slices.DeleteFunc(w.queues, func(part queueTaking) bool {
		next, known := s.Next(part.queue)
		gone := !known || next != part.from
		if gone {
			w.count -= len(part.messages)
		}
		return gone
	})
	for i := range w.queues {
		part := &w.queues[i]
		part.messages = slices.DeleteFunc(part.messages, func(m takenMessage) bool {
			if m.before.Deliveries == 0 {
				return false
			}
			h, held := s.Held(part.queue, m.offset)
			gone := !held || h.Settling || h.PoppedAt != m.before.PoppedAt
			if gone {
				w.count--
			}
			return gone
		})
	}
}

// parts are what is in flight from now on.
func (w *taking) parts() (parts []inflight.Part) {
	for i := range w.queues {
		from := &w.queues[i]
		if from.from == from.to && len(from.messages) == 0 {
			continue
		}
		part := inflight.Part{Topic: from.queue.Topic, ID: from.queue.ID, From: from.from, To: from.to}
		for _, m := range from.messages {
			part.Held = append(part.Held, inflight.Delivery{Offset: m.offset, Deliveries: m.before.Deliveries + 1})
		}
		parts = append(parts, part)
	}
	return parts
}
