package broker

import (
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/node/inflight"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// redeliveries is how often a message that is to be handed out again was delivered before, and whether that was too often (retryMaxTimes). Brokers of
// Apache leave the second to clients, some of which drop the message then.
func (t *pops) redeliveries(p *popRequest, raw []byte, h inflight.Hold) (count int32, dead bool, err error) {
	var r message.Record
	if _, err := message.DecodeRecord(raw, &r, false); err != nil {
		return 0, false, fmt.Errorf("message %d: %w", h.Offset, err)
	}
	most := p.group.RetryMaxTimes
	if most < 0 {
		most = popDeliveries
	}
	count = r.Redeliveries + h.Deliveries
	return count, count > most, nil
}

// bury makes a message a dead letter of its group, and then it is settled. After a crash in between it may become one once more. It waits for the disk.
func (t *pops) bury(p *popRequest, q inflight.Queue, h inflight.Hold, raw []byte) error {
	b := t.broker
	if !t.state.Lock(q, h.Offset, h.PoppedAt) {
		return nil // it was acknowledged just now
	}
	var original message.Record
	_, err := message.DecodeRecord(raw, &original, false)
	if err == nil {
		err = t.makeTopic(proto.DeadLetterTopic(p.group.Name), deadLetterQueues)
	}
	if err == nil {
		copied := b.redelivery(&original)
		copied.Redeliveries = original.Redeliveries + h.Deliveries
		b.place(&copied, &original, p.group, true, 0)
		err = b.appendAndWait(&copied)
	}
	if err != nil {
		t.state.Unlock(q, h.Offset, h.PoppedAt)
		return fmt.Errorf("message %d of %v was delivered %d times and cannot become a dead letter: %w", h.Offset, q, h.Deliveries, err)
	}
	b.stats.cameBack(q.Group, p.topic, b.env.Clock.Now(), true)
	t.settleLocked(q, h)
	return nil
}

func settled(q inflight.Queue, h inflight.Hold) *inflight.Settled {
	return &inflight.Settled{Queue: q, PoppedAt: h.PoppedAt, Offsets: []message.QueueOffset{h.Offset}}
}

// makeTopic makes a topic of the broker's own if it does not exist.
func (t *pops) makeTopic(name string, queues int32) error {
	if t.broker.topics.byName[name] != nil {
		return nil
	}
	topic := proto.NewTopicConfig(name)
	topic.ReadQueues, topic.WriteQueues = queues, queues
	return t.broker.topics.add(topic)
}

// lose settles a message that is not in its queue any more: it was removed by age, or a repair has given it up.
func (t *pops) lose(q inflight.Queue, h inflight.Hold, why error) {
	if !t.state.Lock(q, h.Offset, h.PoppedAt) {
		return
	}
	t.broker.env.Log.Error("a message that was popped and not acknowledged cannot be delivered again", zap.Stringer("queue", q), zap.Int64("message", int64(h.Offset)), zap.Error(why))
	t.settleLocked(q, h)
}

// settleLocked stores that nobody is to have a message any more whose hold the caller has locked.
func (t *pops) settleLocked(q inflight.Queue, h inflight.Hold) {
	t.store(settled(q, h), nil, func(stored bool, _ refusal) {
		if stored {
			// Somebody may wait for what comes behind it.
			t.held.wakeLine(q.Group, q.Topic)
		}
	})
	t.broker.store.Kick()
}

// appended tells who waits what became of a record.
type appended struct {
	broker *Broker
	known  bool
	result store.AppendResult
}

// Appended wakes who waits.
func (a *appended) Appended(result store.AppendResult) {
	a.known, a.result = true, store.AppendResult{Status: result.Status, Reason: result.Reason}
	a.broker.pops.changed.Broadcast()
}

// appendAndWait stores a record that the broker has made, as durably as a message.
func (b *Broker) appendAndWait(r *message.Record) error {
	done := &appended{broker: b}
	b.store.AppendUntilKnown(store.QueueKey{Topic: string(r.Topic), ID: r.QueueID}, []message.Record{*r}, done)
	b.store.Kick()
	for !done.known {
		b.pops.changed.Wait()
	}
	if done.result.Status != store.AppendOK {
		return errors.New(done.result.Status.String() + ": " + done.result.Reason)
	}
	return nil
}
